"""A driver, its twin, the bus between them, time; and the bytes of a driver's vectors on a bus."""

from __future__ import annotations

import pkgutil
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from smbus2 import i2c_msg

import drivers.sensors
from agent.clock import VirtualClock
from agent.measure.driver_registry import Driver, find
from drivers.api import Quantity
from drivers.bus.i2c import I2C
from drivers.bus.port import Port
from drivers.sim.faults import Faults
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import SimOneWire
from drivers.sim.port import SimPort
from drivers.vector import Vector

SERIAL = "0316a2791dff"  #: of the device on a 1-wire bus
SETUP_S, READ_S = 1.0, 0.25  #: what a driver may take that says nothing else
ROUNDS = 150  #: combinations of truths that are tried


def names_with(method: str) -> list[str]:
    """The drivers of drivers/sensors whose class has this method: `read`, or `drain`."""
    names = (module.name for module in pkgutil.iter_modules(drivers.sensors.__path__))
    return sorted(name for name in names if hasattr(find(name).sensor, method))


def module_of(name: str) -> ModuleType:
    """The driver's module."""
    return sys.modules[find(name).sensor.__module__]


def where(name: str) -> str:
    """How a failure names the driver: its file."""
    return str(module_of(name).__file__)


def rom(found: Driver) -> str:
    """The name of a 1-wire device of the driver's family."""
    return f"{getattr(found.sensor, 'family', '28')}-{SERIAL}"


class Bench:
    """A driver of any bus against its twin."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.clock = name, VirtualClock()
        found = find(name)
        assert found.twin is not None, f"{where(name)}: end it with DRIVER, TWIN = <class>, <twin>"
        self.twin: Any = found.twin()
        self.faults: Faults
        self.driver: Any = found.make(self._bus(found), options)

    @property
    def warm_up_s(self) -> float:
        """From setup to the first value, and a little."""
        declared = getattr(self.driver, "warm_up_s", 0.0)
        return float(declared) + 0.1 if declared else 0.0

    def said(self, attribute: str, default: Any) -> Any:
        """What the driver declares about itself."""
        return getattr(self.driver, attribute, default)

    def ready(self) -> Bench:
        """Set up and warm."""
        self.driver.setup()
        self.clock.sleep(self.warm_up_s)
        return self

    def read(self) -> Mapping[str, float | None]:
        """One reading."""
        values: Mapping[str, float | None] = self.driver.read()
        return values

    def after_a_while(self) -> Mapping[str, float | None]:
        """A reading of what the twin feels by now."""
        self.clock.sleep(self.warm_up_s or 1.0)
        return self.read()

    def _bus(self, found: Driver) -> object:
        if found.bus_kind == "i2c":
            bus = SimI2C(self.clock)
            self.faults = bus.attach(found.options["address"].default, self.twin)
            return I2C(bus, self.clock)
        if found.bus_kind == "onewire":
            wire = SimOneWire(self.clock)
            self.faults = wire.attach(rom(found), self.twin)
            return wire
        kinds = "i2c, port or onewire"
        assert found.bus_kind == "port", f"{where(self.name)}: its first argument is {kinds}"
        stream = SimPort(self.clock, self.twin)
        self.faults = stream.faults
        return Port("sim", self.twin.baudrate, self.clock, stream)


# -- truths that are tried -------------------------------------------------------------------------


def truths(bench: Bench) -> Iterator[dict[str, float]]:
    """Combinations over the range of every quantity, as far as the twin `feels` it."""
    chance = random.Random(1)
    feels = getattr(bench.twin, "feels", {})
    points = {
        name: values_of(meant, *feels.get(name, (meant.low, meant.high)))
        for name, meant in bench.driver.quantities.items()
    }
    for number in range(ROUNDS):
        whole = number % max(map(len, points.values()))
        if whole == 0:
            for values in points.values():
                chance.shuffle(values)
        yield {name: values[whole % len(values)] for name, values in points.items()}


def values_of(meant: Quantity, low: float, high: float) -> list[float]:
    """Ends, quarters, and what lies around zero."""
    parts = (0, 0.001, 0.03, 0.2501, 0.5, 0.7311, 0.97, 1)
    spread = [low + (high - low) * part for part in parts]
    step = meant.resolves(0.0)
    around = [
        value for value in (-3.3 * step, -step, 0.0, step, 5.6 * step) if low <= value <= high
    ]
    return spread + around


# -- vectors ---------------------------------------------------------------------------------------


class Said:
    """A bus that answers reads with the bytes it was given, in turn, and keeps what was written."""

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.written: list[str] = []

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """One transaction."""
        for message in messages:
            if message.flags & 1:
                assert self.answers, f"read once more than the vector says; wrote {self.written}"
                answer = self.answers.pop(0)
                asked = f"read {message.len} bytes where the vector has {answer.hex(' ')}"
                assert len(answer) == message.len, asked
                for index, byte in enumerate(answer):
                    message.buf[index] = byte
            else:
                self.written.append(bytes(message).hex())


class Says:
    """A device that says a piece of its list every tenth of a second, and then the last again."""

    baudrate = 9600
    truth: Mapping[str, float] = {}

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.written = list(pieces), list[str]()

    def power_on(self, now: float) -> None:
        """The first piece comes after a tenth of a second."""
        self.next_at = now + 0.1

    def receive(self, data: bytes, now: float) -> None:
        """Kept."""
        self.written.append(data.hex())

    def send(self, now: float) -> bytes:
        """What it has said since."""
        out = b""
        while now >= self.next_at:
            self.next_at += 0.1
            out += self.pieces.pop(0) if len(self.pieces) > 1 else self.pieces[0]
        return out


@dataclass
class Pads:
    """A 1-wire chip that says one scratchpad after the other, the last again and again."""

    pads: list[bytes]
    truth: Mapping[str, float]

    def power_on(self, now: float) -> None:
        """It says what it is told."""

    def scratchpad(self, now: float) -> tuple[bytes, float]:
        """The next."""
        return self.pads.pop(0) if len(self.pads) > 1 else self.pads[0], 0.0


def replayed(name: str, vector: Vector) -> tuple[Mapping[str, float | None], list[str]]:
    """What the driver reads from the vector's bytes, and what it has written."""
    found, clock = find(name), VirtualClock()
    pieces = [bytes.fromhex(one) for one in vector.said]
    bus: Any
    if found.bus_kind == "i2c":
        said = Said(*vector.said)
        bus, written = I2C(said, clock), said.written
    elif found.bus_kind == "port":
        says = Says(*pieces)
        says.baudrate = getattr(found.sensor, "baudrate", 9600)
        bus, written = Port("sim", says.baudrate, clock, SimPort(clock, says)), says.written
    else:
        bus, written = SimOneWire(clock), []
        bus.attach(rom(found), Pads(pieces, {}))
    driver: Any = found.make(bus, vector.options)
    if vector.setup or found.bus_kind == "onewire":
        driver.setup()
        clock.sleep(getattr(driver, "warm_up_s", 0.0))
    return driver.read(), written
