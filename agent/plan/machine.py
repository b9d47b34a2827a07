"""What a profile names that is not on this machine: told as warnings, for it may come yet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.config.sections import Config, LorawanConfig, MqttConfig
from agent.config.source import Source

ROOT = Path("/")
SERIAL = ("ttyAMA", "ttyS", "ttyUSB", "ttyACM")
TELL = 4  #: so many names are written out
I2C_OFF = "no I2C bus is switched on here: sudo raspi-config, Interface Options, I2C"

W1_OFF = "1-wire is not switched on here: sudo raspi-config, Interface Options, 1-Wire"


@dataclass(frozen=True)
class Warned:
    """One thing that is not as the profile wants it."""

    line: int  #: of the profile; 0: no one line
    text: str


def look_at(config: Config, source: Source, root: Path = ROOT) -> list[Warned]:
    """Buses, ports, files and disk of this machine, against what the profile names.

    `root` stands before every path (for tests). Nothing is opened.
    """
    look = Look(config, source, root)
    return sorted([*look.buses(), *look.files(), *look.disk()], key=lambda one: one.line)


class Look:
    """One profile on one machine."""

    def __init__(self, config: Config, source: Source, root: Path) -> None:
        self.config, self.source, self.root = config, source, root

    def there(self, path: str) -> bool:
        """Whether a path exists on this machine."""
        return self._place(path).exists()

    def buses(self) -> Iterator[Warned]:
        """I2C buses by number, serial ports by path. Sensors on one that is absent are one line."""
        users: dict[str, list[str]] = {}
        for one in self.config.instrument:
            users.setdefault(one.bus, []).append(one.name)
        for link in self.config.link:
            if isinstance(link, LorawanConfig):
                users.setdefault(link.port, []).append(link.name)
        for bus, names in users.items():
            if bus and not self.there(device(bus)):
                yield Warned(self._line_of(bus), f"{self._absent(bus)} ({listed(names)})")

    def _absent(self, bus: str) -> str:
        if bus == "w1":
            return W1_OFF
        kind = "i2c-" if bus.startswith("i2c-") else "tty"
        found = sorted(path.name for path in self._place("/dev").glob(f"{kind}*"))
        there = [name for name in found if kind == "i2c-" or name.startswith(SERIAL)]
        if kind == "i2c-" and not there:
            return I2C_OFF
        what = f"there is no {bus} here" + (f"; there is {listed(there)}" if there else "")
        return what if there or kind == "i2c-" else f"{what}; no serial port is switched on"

    def files(self) -> Iterator[Warned]:
        """Passwords, keys, certificates."""
        for index, link in enumerate(self.config.link):
            for key in ("password_file", "ca_file", "certificate_file", "key_file", "app_key_file"):
                path = getattr(link, key, "")
                if path and not self.there(path):
                    line = self.source.line(f"link[{index}]", key)
                    yield Warned(line, f"link '{link.name}': {key} {path} is not there")
            if isinstance(link, MqttConfig) and link.password_file:
                yield from self._open_to_all(link, index)

    def _open_to_all(self, link: MqttConfig, index: int) -> Iterator[Warned]:
        place = self._place(link.password_file)
        if place.exists() and place.stat().st_mode & 0o004:
            line = self.source.line(f"link[{index}]", "password_file")
            text = f"link '{link.name}': everybody may read {link.password_file}: chmod 640"
            yield Warned(line, text)

    def disk(self) -> Iterator[Warned]:
        """Where the store lies, and whether what it may take fits."""
        path, line = Path(self.config.store.path), self.source.line("store", "path")
        folder = self._place(str(path.parent))
        if not folder.is_dir():
            yield Warned(line, f"the store's folder {path.parent} is not there: the start makes it")
        elif not os.access(folder, os.W_OK):
            yield Warned(line, f"the store's folder {path.parent} may not be written by this user")
        nearest = next(one for one in (folder, *folder.parents) if one.is_dir())
        size_mb = shutil.disk_usage(nearest).total / 1e6
        if self.config.store.max_mb > size_mb:
            line = self.source.line("store", "max_mb")
            most = f"the store may take {self.config.store.max_mb:,.0f} MB"
            yield Warned(line, f"{most}, its disk has {size_mb:,.0f} MB in all")

    def _place(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else Path(path)

    def _line_of(self, bus: str) -> int:
        lines = enumerate(self.source.lines, 1)
        return next((n for n, text in lines if f'"{bus}"' in text.split("#")[0]), 0)


def device(bus: str) -> str:
    """The file that stands for a bus."""
    if bus.startswith("/"):
        return bus
    return "/sys/bus/w1/devices" if bus == "w1" else f"/dev/{bus}"


def listed(names: list[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - TELL} more" if len(names) > TELL else ""
    return ", ".join(names[:TELL]) + more
