"""Which bus stands behind an instrument: the machine's own, or a simulated one."""

from __future__ import annotations

from typing import Any, Protocol

from agent.catalog import Driver
from agent.clock import Clock
from agent.config import InstrumentConfig
from drivers.bus.i2c import I2C, KernelBus
from drivers.bus.onewire import OneWire
from drivers.bus.pins import Pins
from drivers.bus.port import Port


class Doors(Protocol):
    """Hands out what a driver's constructor wants first."""

    def door(self, instrument: InstrumentConfig, driver: Driver) -> object:
        """The door for this instrument; instruments on one bus share one."""
        ...


class RealDoors:
    """The buses of this machine. Nothing is opened before its first use."""

    def __init__(self, clock: Clock, node: object = None) -> None:
        self.clock, self.node = clock, node
        self._made: dict[tuple[str, str], object] = {}

    def door(self, instrument: InstrumentConfig, driver: Driver) -> object:
        """The door for this instrument; instruments on one bus share one."""
        key = (driver.door, instrument.bus)
        if key not in self._made:
            self._made[key] = self._make(driver, instrument.bus)
        return self._made[key]

    def _make(self, driver: Driver, bus: str) -> Any:
        if driver.door == "i2c":
            return I2C(KernelBus(bus), self.clock)
        if driver.door == "port":
            return Port(bus, getattr(driver.sensor, "baudrate", 9600), self.clock)
        if driver.door == "onewire":
            return OneWire()
        if driver.door == "pins":
            return Pins()
        return self.node
