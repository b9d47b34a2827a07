"""Streams: what a chip produced is delivered or counted as missing, exactly; and when it was."""

from __future__ import annotations

import errno
import random
from collections.abc import Mapping
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar

import pytest

from agent.clock import VirtualClock
from agent.features import sample_times as timing
from agent.features.sample_times import sample_times
from agent.measure.ring import Ring
from agent.measure.stream import Polled, Stream
from agent.model.stretch import Read
from drivers.api import DataError, Quantity, Samples
from drivers.bus.i2c import I2C
from drivers.sensors import adxl355, iis2iclx, lis2dw12, nau7802
from drivers.sim.faults import Faults
from drivers.sim.fifo import FifoTwin
from drivers.sim.i2c import SimI2C


class Rig:
    """A chip's twin, its driver and its stream on a bus that stands still between steps."""

    def __init__(self, module: ModuleType, rate_error: float = 0.0) -> None:
        self.clock = VirtualClock()
        bus = SimI2C(self.clock, 400_000)
        self.twin: FifoTwin = module.TWIN()
        self.twin.rate_error = rate_error
        driver = module.DRIVER(I2C(bus, self.clock))
        self.faults: Faults = bus.attach(driver.address, self.twin)
        self.stream = Stream("deck", driver, self.clock)

    def run(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.sleep(self.stream.step())

    def missing(self) -> int:
        self.stream.sample_times()
        return self.stream.missing

    def begin(self) -> int:
        """Set up; how many samples the chip made that the set-up threw away."""
        self.stream.step()
        return self.twin.made - len(self.twin.queue) - self.stream.ring.end


def test_a_stall_of_two_seconds_loses_nothing_on_the_deep_fifo() -> None:
    rig = Rig(iis2iclx)
    rig.run(5)
    rig.clock.sleep(2)
    rig.run(5)
    assert rig.stream.ring.gaps == 0
    assert rig.missing() == 0


def test_on_the_shallow_fifo_it_is_the_gap_it_is() -> None:
    rig = Rig(adxl355)
    thrown = rig.begin()
    rig.run(5)
    rig.clock.sleep(2)
    rig.run(5)
    assert rig.stream.ring.gaps == 1
    delivered = rig.stream.ring.end
    lost = rig.twin.made - len(rig.twin.queue) - delivered - thrown
    assert rig.missing() == pytest.approx(lost, abs=1)  # one is lost while the FIFO is read
    assert rig.missing() == pytest.approx(2 * 125 - 32, abs=12)
    assert len(rig.stream.ring.stretches()) == 2


@pytest.mark.no_cover
@pytest.mark.parametrize("module", [adxl355, iis2iclx, lis2dw12], ids=lambda one: one.__name__[16:])
def test_delivered_and_missing_is_produced(module: ModuleType) -> None:
    chance = random.Random(3)
    rig = Rig(module, rate_error=-0.013)
    thrown = rig.begin()
    for _ in range(30):
        rig.run(chance.uniform(3, 12))
        rig.faults.errno = chance.choice((0, errno.EIO, errno.EREMOTEIO))
        rig.run(chance.uniform(0, 2))
        rig.faults.errno = 0
        rig.clock.sleep(chance.expovariate(1 / 5))
        rig.missing()
    rig.run(20)
    produced = rig.twin.made - len(rig.twin.queue)
    assert rig.stream.ring.gaps > 3
    assert rig.stream.ring.end + rig.missing() + thrown == produced


@pytest.mark.no_cover
def test_the_fitted_rate_is_within_four_ppm_in_spite_of_jitter_and_gaps() -> None:
    rate_error = 0.03
    chance = random.Random(5)
    rig = Rig(adxl355, rate_error)
    end = rig.clock.monotonic() + 300
    while rig.clock.monotonic() < end:
        rig.clock.sleep(rig.stream.step() + chance.uniform(0, 0.005))
        if chance.random() < 0.0005:
            rig.clock.sleep(3)
    line = rig.stream.sample_times()
    assert line is not None
    assert line.rate.hz == pytest.approx(rig.twin.rate_hz, rel=4e-6)


def test_samples_keep_their_time_over_a_gap() -> None:
    rig = Rig(adxl355, rate_error=0.01)
    rig.twin.motion = lambda at: (at, 0.0, 0.0)  # m/s2 are seconds
    rig.run(8)
    rig.clock.sleep(3)
    rig.run(8)
    line = rig.stream.sample_times()
    assert line is not None
    for stretch in rig.stream.ring.stretches():
        for number in range(stretch.first, stretch.end, 50):
            sensed = stretch.samples[3 * (number - stretch.first)]
            assert line.time(number) == pytest.approx(sensed, abs=1.5 / 125)
    middle = line.number(12.0)
    assert line.time(middle) >= 12.0 > line.time(middle - 1)


def test_a_bus_that_does_not_answer_is_no_reason_to_set_the_chip_up_anew() -> None:
    rig = Rig(iis2iclx)
    rig.run(2)
    rig.faults.unplugged = True
    rig.run(1)
    assert "Remote I/O" in str(rig.stream.error)
    rig.faults.unplugged = False
    rig.run(12)
    assert rig.stream.error is None
    assert rig.stream.ring.gaps == 0


def test_a_chip_that_lost_its_supply_is_set_up_anew() -> None:
    rig = Rig(adxl355)
    rig.run(2)
    rig.twin.power_on(rig.clock.monotonic())
    rig.run(3)
    assert rig.stream.error is None
    assert rig.stream.ring.gaps == 1
    assert rig.missing() == pytest.approx(25, abs=25)


def test_an_absent_chip_is_said_once_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rig = Rig(adxl355)
    rig.faults.unplugged = True
    rig.run(60)
    rig.faults.unplugged = False
    rig.run(12)
    assert [one.message.split("'")[0] for one in caplog.records] == [
        "stream=deck state=fault reason=",
        "stream=deck state=ok",
    ]


def test_whatever_a_driver_raises_is_its_fault(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(adxl355)

    def crash() -> Samples:
        raise ZeroDivisionError("in the driver")

    rig.stream.fifo.drain = crash  # type: ignore[method-assign]
    assert rig.stream.step() > 0
    assert isinstance(rig.stream.error, ZeroDivisionError)
    assert "Traceback" in caplog.text


def test_a_chip_that_brings_nothing_is_set_up_anew() -> None:
    rig = Rig(adxl355)
    rig.run(2)
    rig.stream.fifo.drain = lambda: Samples([])  # type: ignore[method-assign]
    while rig.stream.error is None and rig.clock.monotonic() < 20:
        rig.clock.sleep(rig.stream.step())
    assert isinstance(rig.stream.error, DataError)
    assert "samples nothing for 5 s" in str(rig.stream.error)


def test_a_ring_forgets_its_oldest_samples_and_splits_at_gaps() -> None:
    ring = Ring(axes=2, capacity=10)
    for number in range(0, 24, 4):
        drained = Samples([(n, -n) for n in range(number, number + 4)], gap=number == 16, lost=None)
        ring.append(drained, at=number / 4)
    assert (ring.first, ring.end, ring.gaps) == (14, 24, 1)
    one, other = ring.stretches()
    assert list(one.samples) == [14, -14, 15, -15]
    assert (one.first, one.end, one.gap) == (14, 16, False)
    assert list(other.samples[::2]) == [16, 17, 18, 19, 20, 21, 22, 23]
    assert (other.first, other.gap) == (16, True)
    assert [list(part.samples[::2]) for part in ring.stretches(15, 18)] == [[15], [16, 17]]
    assert ring.stretches(24) == []


def test_a_ring_that_grows_keeps_what_it_has() -> None:
    ring = Ring(axes=1, capacity=10)
    for number in range(0, 24, 4):
        ring.append(Samples([(n,) for n in range(number, number + 4)]), at=number / 4)
    ring.grow(15)
    assert [list(one.samples) for one in ring.stretches()] == [list(range(14, 24))]
    ring.append(Samples([(n,) for n in range(24, 28)]), at=7.0)
    assert list(ring.stretches()[0].samples) == list(range(14, 28))
    ring.append(Samples([(n,) for n in range(28, 32)]), at=8.0)
    assert list(ring.stretches()[0].samples) == list(range(17, 32))


def test_a_batch_longer_than_the_ring_leaves_its_newest_samples() -> None:
    ring = Ring(axes=1, capacity=3)
    ring.append(Samples([(n,) for n in range(7)]), at=0.0)
    assert list(ring.stretches()[0].samples) == [4, 5, 6]


@pytest.mark.no_cover
def test_a_gap_at_every_read_is_laid_out_with_few_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = 0

    def fitted(*arguments: Any) -> Any:
        nonlocal fits
        fits += 1
        return fit(*arguments)

    fit = timing.fitted
    monkeypatch.setattr(timing, "fitted", fitted)
    reads = [Read(5 * n, 5, n * 10 / 101, n > 1, None) for n in range(1, 3001)]
    line = sample_times(reads, 101.0)
    assert line is not None
    assert sum(piece.missing for piece in line.pieces) == 5 * 2999
    assert fits < 200


def test_gaps_that_have_left_the_ring_are_remembered_as_one_number() -> None:
    rig = Rig(adxl355)
    rig.stream = Stream("deck", rig.stream.fifo, rig.clock, span_s=4.0)
    thrown = rig.begin()
    for _ in range(20):
        rig.run(1)
        rig.clock.sleep(1)
        rig.missing()
    assert len(rig.stream._gaps) < 5
    rig.run(3)
    produced = rig.twin.made - len(rig.twin.queue)
    told = rig.stream.ring.end + rig.missing() + thrown
    assert told == pytest.approx(produced, abs=20)  # one of each gap: lost while the FIFO is read


def test_what_a_chip_tells_of_its_loss_is_believed() -> None:
    reads = [Read(10 * n, 10, n / 10, n == 21, 7 if n == 21 else 0) for n in range(1, 41)]
    line = sample_times(reads, 100.0)
    assert line is not None
    assert [piece.missing for piece in line.pieces] == [0, 7]


def test_no_timeline_before_there_are_two_reads() -> None:
    assert sample_times([], 100.0) is None
    assert sample_times([Read(10, 10, 1.0, False, 0)], 100.0) is None


class Gauge:
    """A sensor that says what the test wants."""

    quantities: ClassVar = {"strain": Quantity("strain", 0.1, -3000, 3000)}
    values: Mapping[str, float | None] = {"strain": 1.0}

    def setup(self) -> None:
        pass

    def read(self) -> Mapping[str, float | None]:
        return self.values


@pytest.mark.parametrize("wrong", [3001.0, -9e9, float("nan"), None])
def test_what_cannot_be_is_no_sample_of_a_fast_sensor(wrong: float | None) -> None:
    clock, gauge = VirtualClock(), Gauge()
    stream = Stream("gauge", Polled(gauge, 5.0, clock), clock)
    for value in (1.0, wrong, 2.0):
        clock.sleep(0.2)
        gauge.values = {"strain": value}
        stream.step()
    assert [list(one.samples) for one in stream.ring.stretches()] == [[1.0], [2.0]]
    assert stream.ring.reads()[-1].lost == 1


def test_a_slow_sensor_that_is_asked_early_is_not_silent() -> None:
    clock = VirtualClock()
    stream = Stream("gauge", Polled(Gauge(), 0.1, clock), clock)
    clock.sleep(10)
    stream.step()
    clock.sleep(9)
    stream.catch_up()
    clock.sleep(5.9)
    stream.catch_up()
    assert stream.error is None
    assert stream.ring.end == 2


def test_a_driver_that_ends_the_program_is_a_fault() -> None:
    rig = Rig(adxl355)

    def leave() -> Samples:
        raise SystemExit(1)

    rig.stream.fifo.drain = leave  # type: ignore[method-assign]
    rig.stream.step()
    assert isinstance(rig.stream.error, SystemExit)


def test_a_fast_sensor_is_asked_at_its_rate() -> None:
    clock = VirtualClock()
    bus = SimI2C(clock)
    bus.attach(0x2A, nau7802.TWIN())
    stream = Stream("gauge", Polled(nau7802.DRIVER(I2C(bus, clock)), 5.0, clock), clock)
    while clock.monotonic() < 20:
        clock.sleep(stream.step())
    assert stream.ring.end == pytest.approx(5 * 19, abs=3)
    assert stream.ring.gaps == 0
    times = [read.at for read in stream.ring.reads()]
    assert all(b - a == pytest.approx(0.2, abs=0.1) for a, b in pairwise(times))
    clock.sleep(2)
    stream.step()
    assert stream.ring.reads()[-1].lost == pytest.approx(10, abs=1)
