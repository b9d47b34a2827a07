"""Every driver against its twin. A new driver in drivers/sensors/ is tested without a new line:
it is found by its DRIVER and TWIN; only what is special about it stands in the table below.
"""

from __future__ import annotations

import ast
import errno
import importlib
import itertools
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import drivers.sensors
from agent.clock import VirtualClock
from agent.measure.driver_registry import find
from agent.model.schema import quantity_kinds
from drivers.api import BusError, DataError, DeviceError
from drivers.bus.i2c import I2C
from drivers.bus.port import Port
from drivers.sim.faults import Faults
from drivers.sim.i2c import SimI2C
from drivers.sim.onewire import SimOneWire
from drivers.sim.port import SimPort

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Special:
    """What the conformance run has to know of a driver."""

    wait_s: float = 0.0  #: until its first value after setup
    setup_s: float = 1.0  #: most time setup takes
    read_s: float = 0.25  #: most time a read takes
    checksum: bool = True  #: a flipped bit is noticed (else: the chip has no checksum)
    wrong_id: Mapping[int, int] = field(default_factory=dict)  #: registers of another chip
    truths: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


TEMPERATURES = (-39.9, -10.06, -0.3, 0.0, 0.06, 21.45, 84.9)
HUMIDITIES = (0.3, 12.5, 47.3, 99.6)
STRAINS = (-12_000.0, -1234.56, -0.1, 0.0, 0.05, 12.3, 12_000.0)
SPECIAL = {
    "sht4x": Special(truths={"temperature": TEMPERATURES, "relative_humidity": HUMIDITIES}),
    "bme280": Special(
        checksum=False,
        wrong_id={0xD0: 0x61},
        truths={
            "temperature": TEMPERATURES,
            "relative_humidity": HUMIDITIES,
            "pressure": (30_100.0, 98_700.0, 101_325.0, 109_900.0),
        },
    ),
    "scd41": Special(
        wait_s=5.1,
        setup_s=2.0,
        truths={
            "co2": (400.0, 812.0, 5000.0, 39_000.0),
            "temperature": (-9.9, 0.0, 21.5, 59.9),
            "relative_humidity": HUMIDITIES,
        },
    ),
    "bh1750": Special(checksum=False, truths={"illuminance": (0.0, 1.0, 420.0, 54_000.0)}),
    "ads1115": Special(checksum=False, truths={"crack_width": (0.0, 0.2, 12.345, 25.0)}),
    "nau7802": Special(
        checksum=False, setup_s=1.5, wrong_id={0x1F: 0x00}, truths={"strain": STRAINS}
    ),
    "ads122c04": Special(truths={"strain": STRAINS}),
    "ds18b20": Special(
        setup_s=1.0, read_s=0.8, truths={"temperature": (-55.0, -10.125, 0.0, 25.0625, 125.0)}
    ),
    "pms5003": Special(
        wait_s=30.5,
        setup_s=3.0,
        read_s=3.0,
        truths={"pm1": (0.0, 5.0, 500.0), "pm2_5": (1.0, 35.0, 999.0), "pm10": (2.0, 1000.0)},
    ),
    "a02yyuw": Special(read_s=0.7, truths={"distance": (0.03, 0.255, 0.511, 1.953, 3.84, 4.5)}),
    "maxbotix": Special(
        checksum=False, read_s=1.0, truths={"distance": (0.301, 0.5, 1.234, 4.998)}
    ),
}
NAMES = sorted(
    module.name
    for module in pkgutil.iter_modules(drivers.sensors.__path__)
    if hasattr(importlib.import_module(f"drivers.sensors.{module.name}").DRIVER, "read")
)
ERRNOS = (errno.EIO, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENXIO, errno.EAGAIN, errno.ENODEV)


class Bench:
    """A driver, its twin, the bus between them, time."""

    def __init__(self, name: str) -> None:
        self.special = SPECIAL.get(name, Special())
        self.clock = VirtualClock()
        driver = find(name)
        assert driver.twin is not None
        self.twin: Any = driver.twin()
        self.faults: Faults
        self.driver: Any = driver.make(self._bus(driver.bus_kind, driver.options), {})

    def _bus(self, kind: str, options: Mapping[str, Any]) -> object:
        if kind == "i2c":
            bus = SimI2C(self.clock)
            self.faults = bus.attach(options["address"].default, self.twin)
            return I2C(bus, self.clock)
        if kind == "onewire":
            wire = SimOneWire(self.clock)
            self.faults = wire.attach("28-0316a2791dff", self.twin)
            return wire
        assert kind == "port"
        stream = SimPort(self.clock, self.twin)
        self.faults = stream.faults
        return Port("sim", self.twin.baudrate, self.clock, stream)

    def ready(self) -> Bench:
        """Set up and past its first wait."""
        self.driver.setup()
        self.clock.sleep(self.special.wait_s)
        return self

    def read(self) -> Mapping[str, float | None]:
        values: Mapping[str, float | None] = self.driver.read()
        return values


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_sets_up_and_reads_what_it_says_it_measures(name: str) -> None:
    bench = Bench(name).ready()
    values = bench.read()
    assert values
    assert values.keys() == bench.driver.quantities.keys()
    bench.driver.setup()  # safe to call again
    bench.clock.sleep(bench.special.wait_s)
    assert bench.read().keys() == values.keys()


def test_the_truth_comes_back_within_the_step_over_the_range(name: str) -> None:
    bench = Bench(name).ready()
    truths = bench.special.truths
    assert truths.keys() == bench.driver.quantities.keys()
    for values in itertools.islice(itertools.product(*truths.values()), 200):
        truth = dict(zip(truths, values, strict=True))
        bench.twin.truth = {**bench.twin.truth, **truth}
        bench.clock.sleep(bench.special.wait_s or 1.0)
        read = bench.read()
        for quantity, meant in bench.driver.quantities.items():
            found = read[quantity]
            assert found is not None
            assert abs(found - truth[quantity]) <= meant.step * 1.0001, quantity
            assert meant.low <= found <= meant.high


def test_an_absent_chip_is_a_bus_error(name: str) -> None:
    bench = Bench(name)
    bench.faults.unplugged = True
    with pytest.raises(BusError):
        bench.driver.setup()
    bench.faults.unplugged = False
    bench.ready()
    bench.faults.unplugged = True
    with pytest.raises(BusError):
        bench.read()


@pytest.mark.parametrize("number", ERRNOS, ids=lambda number: errno.errorcode[number])
def test_every_errno_is_a_bus_error_and_the_chip_comes_back(name: str, number: int) -> None:
    bench = Bench(name).ready()
    bench.faults.errno = number
    with pytest.raises(BusError):
        bench.read()
    with pytest.raises(BusError):
        bench.driver.setup()
    bench.faults.errno = 0
    bench.ready()
    assert bench.read()


def test_flipped_bits_are_noticed_where_the_chip_has_a_checksum(name: str) -> None:
    bench = Bench(name).ready()
    if not bench.special.checksum:
        pytest.skip("this chip sends no checksum")
    bench.faults.flip = 1.0
    for _ in range(20):
        bench.clock.sleep(bench.special.wait_s or 1.0)
        with pytest.raises(DeviceError):
            bench.read()
    bench.faults.flip = 0.0
    bench.ready()
    assert bench.read()


def test_after_a_brown_out_it_is_right_or_says_so_and_setup_brings_it_back(name: str) -> None:
    bench = Bench(name).ready()
    right = bench.read()
    bench.twin.power_on(bench.clock.monotonic())
    bench.clock.sleep(60)
    try:
        for _ in range(3):
            bench.clock.sleep(6)
            values = bench.read()
            assert all(values[key] == pytest.approx(right[key]) for key in values)
    except DeviceError:
        pass
    bench.ready()
    assert bench.read() == pytest.approx(right)


def test_another_chip_at_the_address_is_refused(name: str) -> None:
    bench = Bench(name)
    if not bench.special.wrong_id:
        pytest.skip("this chip has no id")
    for register, value in bench.special.wrong_id.items():
        bench.twin.memory[register] = value
    with pytest.raises(DataError):
        bench.driver.setup()


def test_it_keeps_to_its_time(name: str) -> None:
    bench = Bench(name)
    bench.driver.setup()
    assert bench.clock.monotonic() <= bench.special.setup_s
    bench.clock.sleep(bench.special.wait_s)
    before = bench.clock.monotonic()
    bench.read()
    assert bench.clock.monotonic() - before <= bench.special.read_s


def test_a_slow_or_frozen_chip_is_still_read(name: str) -> None:
    bench = Bench(name).ready()
    bench.faults.frozen = True
    before = bench.read()
    bench.twin.truth = {key: value + 1 for key, value in bench.twin.truth.items()}
    bench.faults.frozen = False
    bench.clock.sleep(bench.special.wait_s or 1.0)
    assert bench.read().keys() == before.keys()


def test_its_page_its_kinds_and_its_docstring_are_there(name: str) -> None:
    module = importlib.import_module(f"drivers.sensors.{name}")
    assert {one.kind for one in Bench(name).driver.quantities.values()} <= quantity_kinds().keys()
    text = module.__doc__ or ""
    assert "Datasheet" in text
    assert any(bus in text for bus in ("I2C 0x", "serial", "1-wire"))
    assert (ROOT / "hw" / "wiring" / f"{name}.md").exists()
    last = ast.parse(Path(module.__file__ or "").read_text()).body[-1]
    assert ast.unparse(last).startswith("DRIVER, TWIN = ")
