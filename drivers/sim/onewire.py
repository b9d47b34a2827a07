"""A simulated 1-wire folder: twins answer when their file is opened, as the kernel's do.

Counterpart of drivers/bus/onewire.py.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Protocol

from drivers.api import BusError, Timer
from drivers.bus.onewire import OneWire
from drivers.sim.faults import Faults, Plugged


class OneWireTwin(Protocol):
    """A chip on the 1-wire bus."""

    truth: Mapping[str, float]

    def power_on(self, now: float) -> None:
        """Supply came (back)."""
        ...

    def scratchpad(self, now: float) -> tuple[bytes, float]:
        """Nine bytes after a conversion, and the seconds it took."""
        ...


class SimOneWire(OneWire):
    """Stands where the sysfs folder stands; every read is a conversion of the twin."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.twins: dict[str, Plugged[OneWireTwin]] = {}

    def attach(self, name: str, twin: OneWireTwin, faults: Faults | None = None) -> Faults:
        """Plug a twin in under its ROM name."""
        faults = faults or Faults()
        self.twins[name] = Plugged(twin, faults)
        twin.power_on(self.timer.monotonic())
        return faults

    def devices(self, family: str = "28") -> list[str]:
        """Names of the devices that are there."""
        names = (name for name, one in self.twins.items() if not one.faults.unplugged)
        return sorted(name for name in names if name.startswith(f"{family}-"))

    def read(self, name: str) -> str:
        """What `w1_slave` says (drivers/w1/slaves/w1_therm.c). Raises BusError."""
        if name not in self.devices(name[:2]):
            raise BusError(f"{name}: {os.strerror(errno.ENOENT).lower()}")
        plugged = self.twins[name]
        twin, faults = plugged.twin, plugged.faults
        if faults.errno:
            raise BusError(f"{name}: {os.strerror(faults.errno).lower()}")
        plugged.freeze()
        pad, took_s = twin.scratchpad(self.timer.monotonic())
        self.timer.sleep(took_s + faults.slow_s)
        return text(faults.spoil(pad))


def text(pad: bytes) -> str:
    """The kernel's two lines for nine bytes."""
    shown = pad.hex(" ")
    good = maxim(pad[:8]) == pad[8]
    thousandths = int.from_bytes(pad[:2], "little", signed=True) * 1000 // 16
    verdict = f"crc={pad[8]:02x} {'YES' if good else 'NO'}"
    return f"{shown} : {verdict}\n{shown} t={thousandths}\n"


def checked(data: bytes) -> bytes:
    """Eight bytes of a scratchpad and their CRC."""
    return data + bytes([maxim(data)])


def maxim(data: bytes) -> int:
    """CRC-8 of the 1-wire bus: x^8 + x^5 + x^4 + 1, reflected, start 0 (Maxim AN27)."""
    crc = 0
    for byte in data:
        for bit in range(8):
            mix = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8C if mix else 0)
    return crc
