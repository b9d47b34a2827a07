"""The node as a sensor: what its own /proc and /sys say, and what its store owes.

Not a chip: no bus, no twin. What a machine does not tell is absent, and said once: a supply alarm
has a Pi alone, memory and uptime any Linux, disk and store every machine. Sources:
proc_meminfo(5), proc_uptime(5), proc_pid_io(5), Linux ABI sysfs-class-thermal and
sysfs-class-hwmon (in0_lcrit_alarm of the driver rpi_volt), statvfs(3).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from agent.clock import Clock
from drivers.api import Quantity

log = logging.getLogger(__name__)

STARTS = "starts"  #: under which name the store keeps how often the agent was started
CLOCK_STATES = {"": 0, "rtc": 1, "lorawan": 2, "ntp": 3, "system": 4, "hand": 5}


class Counts(Protocol):
    """What the store counts."""

    @property
    def waiting(self) -> int:
        """Rows that the slowest link still owes."""
        ...

    @property
    def lost(self) -> int:
        """Rows dropped before every link had them, since the store began."""
        ...


class Memory(Protocol):
    """The part of the store that health looks at."""

    path: Path

    def setting(self, key: str) -> bytes | None:
        """A value kept under a name."""
        ...

    def counts(self) -> Counts:
        """The numbers of now."""
        ...


class HealthSource:
    """What the health sensor looks at: clock, store, the other sensors, the file system's root."""

    def __init__(self, clock: Clock, store: Memory | None = None, root: Path = Path("/")) -> None:
        self.clock, self.store, self.root = clock, store, root
        self.bad_sensors: Callable[[], int] = lambda: 0
        self.useless_downlinks: Callable[[], int] = lambda: 0
        self.radio: Callable[[], Mapping[str, float]] = dict  #: of the LoRaWAN link, if any
        self._day, self._written_before = -1, 0

    def written_today(self) -> float | None:
        """MB this process has caused to be written since midnight UTC, or since its start."""
        io = first_text([self.root / "proc/self/io"])
        if io is None or "write_bytes:" not in io:
            return None
        written = int(io.split("write_bytes:")[1].split()[0])
        day = int(self.clock.system_utc() // 86_400)
        if self._day not in (-1, day):
            self._written_before = written
        self._day = day
        return (written - self._written_before) / 1e6


class Health:
    """Node health. `read` never fails as a whole: what this machine does not have is absent."""

    quantities = {
        "cpu_temperature": Quantity("temperature", 0.5, -40, 125),
        "undervoltage": Quantity("flag", 1, 0, 1),
        "disk_free": Quantity("storage", 1, 0, 1e9),
        "memory_available": Quantity("storage", 1, 0, 1e9),
        "uptime": Quantity("duration", 60, 0, 4e9),
        "owed": Quantity("count", 1, 0, 2e9),
        "lost": Quantity("count", 1, 0, 2e9),
        "clock": Quantity("state", 1, 0, 5),
        "bad_sensors": Quantity("count", 1, 0, 1000),
        "restarts": Quantity("count", 1, 0, 2e9),
        "written": Quantity("storage", 1, 0, 1e9),
        "useless_downlinks": Quantity("count", 1, 0, 2e9),
        "rssi": Quantity("signal", 1, -200, 50),
        "snr": Quantity("signal_noise", 1, -50, 50),
        "margin": Quantity("signal_noise", 1, 0, 254),
        "data_rate": Quantity("state", 1, 0, 6),
        "airtime": Quantity("duration", 0.1, 0, 86_400),
    }

    still_s = {"cpu_temperature": 0.0}  #: steps of half a degree, and an idle Pi: it may repeat

    def __init__(self, node: HealthSource) -> None:
        self.node = node
        self._told = False

    def setup(self) -> None:
        """Say once, in the log, what this machine does not tell."""
        if self._told:
            return
        self._told = True
        absent = [name for name, value in self._machine().items() if value is None]
        if absent:
            log.info("health=partial absent=%s reason='not on this machine'", ",".join(absent))

    def read(self) -> Mapping[str, float | None]:
        """cpu_temperature Cel, disk and memory MB, uptime s, clock 0 none 1 rtc 2 lorawan 3 ntp.

        written: MB today; restarts: of the agent, since the store began; useless_downlinks: since
        the start, without an effect. Of a LoRaWAN link: rssi dB[mW], snr and margin dB, data_rate
        0..6, airtime s in the last 24 h.
        """
        node = self.node
        values: dict[str, float | None] = {
            **self._machine(),
            "disk_free": disk_free(node.store.path.parent if node.store else node.root),
            "clock": CLOCK_STATES[node.clock.trust],
            "bad_sensors": node.bad_sensors(),
            "useless_downlinks": node.useless_downlinks(),
            **node.radio(),
        }
        if node.store:
            counts = node.store.counts()
            restarts = int(node.store.setting(STARTS) or 0)
            values |= {"owed": counts.waiting, "lost": counts.lost, "restarts": restarts}
        return {name: value for name, value in values.items() if value is not None}

    def _machine(self) -> dict[str, float | None]:
        """What lies in /proc and /sys; None where it does not."""
        root = self.node.root
        return {
            "cpu_temperature": cpu_temperature(root),
            "undervoltage": undervoltage(root),
            "memory_available": memory_available(root),
            "uptime": uptime(root),
            "written": self.node.written_today(),
        }


def cpu_temperature(root: Path) -> float | None:
    """Cel, of the first thermal zone."""
    text = first_text(sorted(root.glob("sys/class/thermal/thermal_zone*/temp")))
    return None if text is None else int(text) / 1000


def undervoltage(root: Path) -> float | None:
    """1 if the supply has been below 4.63 V, as the Pi's firmware reports it."""
    for name in root.glob("sys/class/hwmon/hwmon*/name"):
        if first_text([name]) == "rpi_volt":
            text = first_text([name.with_name("in0_lcrit_alarm")])
            return None if text is None else int(text)
    return None


def disk_free(folder: Path) -> float:
    """MB free for an ordinary user where the store lies."""
    return shutil.disk_usage(folder).free / 1e6


def memory_available(root: Path) -> float | None:
    """MB that programs can still have (MemAvailable)."""
    for line in (first_text([root / "proc/meminfo"]) or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def uptime(root: Path) -> float | None:
    """Seconds since the machine started."""
    text = first_text([root / "proc/uptime"])
    return None if text is None else float(text.split()[0])


def first_text(paths: list[Path]) -> str | None:
    """The text of the first file that can be read."""
    for path in paths:
        try:
            return path.read_text().strip()
        except OSError:
            continue
    return None


DRIVER, TWIN = Health, None
