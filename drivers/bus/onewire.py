"""The 1-wire bus: the kernel's sysfs folder (Linux, w1/slaves/w1_therm).

Its simulated counterpart is drivers/sim/onewire.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from drivers.api import BusError, DataError
from drivers.crc import crc8_maxim

DEVICES = Path("/sys/bus/w1/devices")
NINE_BYTES = re.compile(r"((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (YES|NO)\n")
NO_BUS = "no 1-wire bus: add dtoverlay=w1-gpio to /boot/firmware/config.txt and reboot"


class OneWire:
    """Devices by their ROM name, such as 28-0316a2791dff."""

    def __init__(self, root: Path = DEVICES) -> None:
        self.root = root

    def devices(self, family: str = "28") -> list[str]:
        """Names of the devices of a family. Raises BusError if there is no bus."""
        if not self.root.is_dir():
            raise BusError(NO_BUS)
        return sorted(path.name for path in self.root.glob(f"{family}-*"))

    def the_one(self, family: str, rom: str, chip: str) -> str:
        """`rom` if it is there; without it the only device of the family.

        Raises BusError: not there, or several and no `rom` given.
        """
        present = self.devices(family)
        if not rom and len(present) > 1:
            raise BusError(f"several {chip}: choose rom = one of {', '.join(present)}")
        name = rom or next(iter(present), "")
        if name not in present:
            seen = ", ".join(present) or "none"
            raise BusError(f"{name or chip}: not on the bus; seen: {seen}")
        return name

    def scratchpad(self, name: str) -> bytes:
        """The nine bytes after a new conversion, their checksum verified.

        Raises BusError, DataError: not ready, or the checksum is wrong.
        """
        text = self.read(name)
        found = NINE_BYTES.match(text)
        if not found:
            raise DataError(f"{name}: not ready: {text[:40]!r}")
        pad = bytes.fromhex(found[1])
        if crc8_maxim(pad[:8]) != pad[8] or not any(pad):
            raise DataError(f"{name}: checksum of {found[1].strip()}")
        return pad

    def read(self, name: str) -> str:
        """Text of `w1_slave`: nine bytes, the kernel's verdict, the temperature.

        Every read is a new conversion of up to 750 ms. Raises BusError.
        """
        try:
            return (self.root / name / "w1_slave").read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BusError(f"{name}: {reason.lower()}") from error
