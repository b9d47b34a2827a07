"""The 1-wire bus: the kernel's sysfs folder (Linux, w1/slaves/w1_therm).

Its simulated counterpart is drivers/sim/onewire.py.
"""

from __future__ import annotations

from pathlib import Path

from drivers.api import BusError

DEVICES = Path("/sys/bus/w1/devices")
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

    def read(self, name: str) -> str:
        """Text of `w1_slave`: nine bytes, the kernel's verdict, the temperature.

        Every read is a new conversion of up to 750 ms. Raises BusError.
        """
        try:
            return (self.root / name / "w1_slave").read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BusError(f"{name}: {reason.lower()}") from error
