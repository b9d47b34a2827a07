"""Which bus stands behind an instrument: the machine's own, or a simulated one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from agent.clock import Clock
from agent.config.sections import InstrumentConfig, LorawanConfig
from agent.measure.driver_registry import Driver
from drivers.api import Modem, Timer
from drivers.bus.i2c import I2C, KernelBus
from drivers.bus.onewire import OneWire
from drivers.bus.pins import Pins
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.reset import ResetPin


class Buses(Protocol):
    """Hands out what a driver's constructor wants first."""

    def bus(self, instrument: InstrumentConfig, driver: Driver) -> object:
        """The bus for this instrument; instruments on one bus share one."""
        ...

    def modem(self, link: LorawanConfig, module: ModuleType, timer: Timer) -> Modem:
        """The modem of a link. Raises OSError, ValueError where its key cannot be had."""
        ...


class MachineBuses:
    """The buses of this machine. Nothing is opened before its first use."""

    def __init__(self, clock: Clock, node: object = None) -> None:
        self.clock, self.node = clock, node
        self._made: dict[tuple[str, str], object] = {}

    def bus(self, instrument: InstrumentConfig, driver: Driver) -> object:
        """The bus for this instrument; instruments on one bus share one."""
        key = (driver.bus_kind, instrument.bus)
        if key not in self._made:
            self._made[key] = self._make(driver, instrument.bus)
        return self._made[key]

    def modem(self, link: LorawanConfig, module: ModuleType, timer: Timer) -> Modem:
        """The modem of a link. Raises OSError, ValueError where its key cannot be had."""
        port = Port(link.port, module.DRIVER.baudrate, timer)
        return make_modem(link, module, port, read_keys(link), Pins())

    def _make(self, driver: Driver, bus: str) -> Any:
        if driver.bus_kind == "i2c":
            return I2C(KernelBus(bus), self.clock)
        if driver.bus_kind == "port":
            return Port(bus, getattr(driver.sensor, "baudrate", 9600), self.clock)
        if driver.bus_kind == "onewire":
            return OneWire()
        if driver.bus_kind == "pins":
            return Pins()
        return self.node


def read_keys(link: LorawanConfig) -> Keys:
    """The device's identity. Raises OSError, ValueError."""
    return Keys(link.dev_eui, link.join_eui, Path(link.app_key_file).read_text("ascii").strip())


def make_modem(
    link: LorawanConfig, module: ModuleType, port: Port, keys: Keys, pins: Pins
) -> Modem:
    """The driver of a modem on a port."""
    reset = None if link.reset_pin is None else ResetPin(pins, link.reset_pin, port.timer)
    modem: Modem = module.DRIVER(
        port, keys, adr=link.adr, data_rate=link.data_rate, tries=link.tries, reset=reset
    )
    return modem
