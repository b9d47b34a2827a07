"""Every driver with a FIFO against its twin, on a bus that takes the time 400 kHz takes.

A new one is tested without a new line: its twin says which rates it has, what a count is, how deep
its FIFO is, what another chip would say; the driver says which times it keeps.
"""

from __future__ import annotations

import ast
import errno
import itertools
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.measure.driver_registry import find
from drivers.api import BusError, DataError, DeviceError, Samples
from drivers.bus.i2c import I2C
from drivers.sim.i2c import SimI2C
from tests.driver_kit import Said, module_of, names_with, where

ROOT = Path(__file__).parents[1]
G = 9.80665
BUS_HZ = 400_000
STARVES_S = 0.05  #: another chip's FIFO of 32 samples at 200 Hz is full after 0.16 s
TURN = 8000  #: samples are numbered modulo so many


SETUP_S, DRAIN_S = 0.25, 0.01  #: what a driver may take that declares no setup_s, drain_s
DECLARED = ("rates_hz", "count_g", "count_cel", "other_chip", "deep")
ERRNOS = (errno.EIO, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENXIO, errno.EAGAIN, errno.ENODEV)


class Bench:
    """A driver, its twin, the bus between them, time."""

    def __init__(self, name: str, **options: Any) -> None:
        self.clock = VirtualClock()
        self.bus = SimI2C(self.clock, BUS_HZ)
        found = find(name)
        assert found.twin is not None
        self.twin: Any = found.twin()
        missing = [one for one in DECLARED if not hasattr(self.twin, one)]
        assert not missing, (
            f"{where(name)}: its twin declares no {missing}, see drivers/sim/fifo.py"
        )
        self.faults = self.bus.attach(found.options["address"].default, self.twin)
        self.driver: Any = found.make(I2C(self.bus, self.clock), options)

    def ready(self) -> Bench:
        """Set up, its first drained taken."""
        self.driver.setup()
        self.clock.sleep(0.1)
        first = self.drain()
        assert first.gap
        assert first.samples
        return self

    def drain(self) -> Samples:
        drained: Samples = self.driver.drain()
        return drained

    def after(self, seconds: float) -> Samples:
        """What it delivers when it was left alone for so long."""
        self.clock.sleep(seconds)
        return self.drain()

    def number(self) -> None:
        """From now on the first axis says which sample it is, the others stand still."""
        twin, step = self.twin, self.twin.count_g * G

        def motion(at: float) -> Sequence[float]:
            count = round((at - twin.since) * twin.rate_hz) - 1
            return (count % TURN * step, 0.0, 0.0)

        twin.motion = motion

    def numbers(self, drained: Samples) -> list[int]:
        """Which samples these are, modulo TURN."""
        return [round(one[0] / G / self.twin.count_g) for one in drained.samples]


@pytest.fixture(params=names_with("drain"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_sets_up_and_delivers_what_it_says(name: str) -> None:
    bench = Bench(name)
    for _ in range(3):  # safe to call again
        before = bench.clock.monotonic()
        bench.driver.setup()
        assert bench.clock.monotonic() - before <= getattr(bench.driver, "setup_s", SETUP_S)
        drained = bench.after(0.2)
        assert drained.gap  # what was before the restart is not in it
        assert drained.lost is None
        drained = bench.after(0.1)
        assert not drained.gap
        assert drained.lost == 0
        assert len(drained.samples) == pytest.approx(0.1 * bench.driver.rate_hz, abs=2)
        assert {len(one) for one in drained.samples} == {len(bench.driver.axes)}
    assert bench.driver.unit == "m/s2"
    assert bench.driver.rate_hz == bench.twin.rates_hz[0]
    assert bench.driver.depth_s <= bench.twin.deep / bench.driver.rate_hz
    assert bench.drain() == Samples([], gap=False, lost=0)


def test_the_truth_comes_back_over_the_range_below_zero_too(name: str) -> None:
    bench = Bench(name).ready()
    values = [g * G for g in (-1.99, -1.0, -0.35, -0.001, 0.0, 0.0003, 0.35, 1.0, 1.99)]
    for truth in itertools.product(values, repeat=len(bench.driver.axes)):
        bench.twin.truth = {**bench.twin.truth, **dict(zip("xyz", truth, strict=False))}
        sensed = bench.after(0.03).samples[-1]
        assert sensed == pytest.approx(truth, abs=bench.twin.count_g * G / 2 * 1.001)


def test_beyond_the_range_it_stays_at_its_end(name: str) -> None:
    bench = Bench(name).ready()
    for sign in (-1, 1):
        bench.twin.truth = {**bench.twin.truth, "y": sign * 30.0}
        assert sign * bench.after(0.1).samples[-1][1] / G == pytest.approx(2.0, rel=0.03)


def test_its_temperature_comes_back_below_zero_too(name: str) -> None:
    bench = Bench(name).ready()
    for celsius in (-39.9, -10.06, -0.3, 0.0, 21.45, 25.0, 84.9):
        bench.twin.truth = {**bench.twin.truth, "temperature": celsius}
        assert bench.driver.temperature() == pytest.approx(
            celsius, abs=bench.twin.count_cel / 2 + 0.01
        )


def test_an_absent_chip_is_a_bus_error(name: str) -> None:
    bench = Bench(name)
    bench.faults.unplugged = True
    with pytest.raises(BusError):
        bench.driver.setup()
    bench.faults.unplugged = False
    bench.ready()
    bench.faults.unplugged = True
    for act in (bench.drain, bench.driver.temperature):
        with pytest.raises(BusError):
            act()


@pytest.mark.parametrize("number", ERRNOS, ids=lambda number: errno.errorcode[number])
def test_every_errno_is_a_bus_error_and_the_chip_comes_back(name: str, number: int) -> None:
    bench = Bench(name).ready()
    bench.faults.errno = number
    with pytest.raises(BusError):
        bench.drain()
    with pytest.raises(BusError):
        bench.driver.setup()
    bench.faults.errno = 0
    bench.ready()


def test_after_a_bus_error_in_the_middle_the_next_batch_has_a_gap(name: str) -> None:
    bench = Bench(name).ready()
    read, calls = bench.twin.read, itertools.count()

    def failing(length: int, now: float) -> bytes:
        if next(calls) == 1:  # the data are out of the chip
            bench.faults.errno = errno.EIO
        answer: bytes = read(length, now)
        return answer

    bench.twin.read = failing
    with pytest.raises(BusError):
        bench.after(0.1)
    bench.twin.read, bench.faults.errno = read, 0
    drained = bench.after(0.1)
    assert drained.samples
    assert (drained.gap, drained.lost) == (True, None)
    assert not bench.after(0.1).gap


def test_a_chip_that_lost_its_supply_is_an_error_and_no_zeros(name: str) -> None:
    bench = Bench(name).ready()
    bench.clock.sleep(0.1)
    bench.twin.power_on(bench.clock.monotonic())
    for _ in range(3):
        with pytest.raises(DataError, match="lost its configuration"):
            bench.after(0.1)
        with pytest.raises(DataError, match="lost its configuration"):
            bench.driver.temperature()
    bench.ready()


def test_another_chip_at_the_address_is_refused(name: str) -> None:
    bench = Bench(name)
    for register, value in bench.twin.other_chip.items():
        bench.twin.put(register, value)
    with pytest.raises(DataError, match=r"not an? "):
        bench.driver.setup()


def test_a_rate_that_cannot_be_kept_is_refused_with_the_reason(name: str) -> None:
    for rate in (50, 500, 1000, 104.5):
        with pytest.raises(ValueError, match=f"not {rate:g}: faster, .*I2C"):
            Bench(name, rate_hz=float(rate))
    for rate in Bench(name).twin.rates_hz:
        bench = Bench(name, rate_hz=float(rate)).ready()
        assert bench.driver.rate_hz == rate
        assert len(bench.after(0.1).samples) == pytest.approx(rate / 10, abs=2)


def test_a_full_fifo_is_read_within_its_time_in_messages_linux_takes(name: str) -> None:
    bench = Bench(name).ready()
    bench.clock.sleep(20)
    before = bench.clock.monotonic()
    assert len(bench.drain().samples) == bench.twin.deep
    assert bench.clock.monotonic() - before <= getattr(bench.driver, "drain_s", DRAIN_S)
    assert bench.bus.longest_s * BUS_HZ / 100_000 <= STARVES_S  # at 100 kHz as well


def test_it_waits_as_long_as_it_says_and_loses_nothing(name: str) -> None:
    bench = Bench(name).ready()
    bench.number()
    bench.drain()
    first = bench.numbers(bench.after(0.1))[-1]
    stall_s = bench.driver.depth_s - 2 / bench.driver.rate_hz
    drained = bench.after(stall_s)
    assert (drained.gap, drained.lost) == (False, 0)
    assert len(drained.samples) >= int(stall_s * bench.driver.rate_hz)
    assert bench.numbers(drained) == list(range(first + 1, first + 1 + len(drained.samples)))


def test_an_overrun_is_a_gap_and_only_that(name: str) -> None:
    bench = Bench(name).ready()
    drained = bench.after(bench.twin.deep / bench.driver.rate_hz + 0.5)
    assert (drained.gap, drained.lost) == (True, None)
    assert len(drained.samples) == bench.twin.deep
    assert not bench.after(0.1).gap


def check_stalls(bench: Bench, hours: float, chance: random.Random) -> tuple[int, int]:
    """Poll as the reader does, with stalls; every sample is there once, or in a declared gap."""
    bench.number()
    bench.drain()
    start = bench.twin.produced
    newest = (bench.twin.made - 1) % TURN
    delivered = missing = gaps = 0
    while bench.clock.monotonic() < hours * 3600:
        stall = chance.expovariate(1) * chance.choice((1, 40)) if chance.random() < 0.1 else 1 / 3
        drained = bench.after(min(bench.driver.depth_s * stall, TURN / 2 / bench.driver.rate_hz))
        numbers = bench.numbers(drained)
        if not numbers:
            continue
        skipped = (numbers[0] - newest - 1) % TURN
        assert skipped == 0 or drained.gap
        assert drained.lost in (None, skipped)
        assert numbers == [(numbers[0] + n) % TURN for n in range(len(numbers))]
        delivered, missing, newest = delivered + len(numbers), missing + skipped, numbers[-1]
        gaps += drained.gap
    bench.twin.catch_up(bench.clock.monotonic())
    assert delivered + missing + len(bench.twin.queue) == bench.twin.produced - start
    return gaps, missing


@pytest.mark.no_cover
def test_after_many_stalls_delivered_and_missing_is_produced(name: str) -> None:
    for rate, rate_error in zip(Bench(name).twin.rates_hz, (-0.02, 0.013), strict=True):
        bench = Bench(name, rate_hz=float(rate))
        bench.twin.rate_error = rate_error
        gaps, missing = check_stalls(bench.ready(), 0.15, random.Random(rate))
        assert gaps > 3
        assert missing > gaps


def test_a_day_nobody_looked_costs_no_time(name: str) -> None:
    bench = Bench(name).ready()
    before, began = bench.twin.produced, time.perf_counter()
    assert bench.after(86_400).gap
    assert time.perf_counter() - began < 0.5
    assert bench.twin.produced - before == pytest.approx(86_400 * bench.driver.rate_hz, abs=50)


@pytest.mark.no_cover
def test_its_own_clock_and_its_noise_are_the_twins_to_choose(name: str) -> None:
    bench = Bench(name)
    bench.twin.rate_error, bench.twin.noise = 0.013, True
    bench.ready()
    rate, began = bench.driver.rate_hz, bench.clock.monotonic()
    taken = [one for _ in range(600) for one in bench.after(0.1).samples]
    elapsed_s = bench.clock.monotonic() - began
    assert len(taken) == pytest.approx(elapsed_s * 1.013 * rate, abs=2)
    rms = (sum(one[0] ** 2 for one in taken) / len(taken)) ** 0.5 / G
    white = bench.twin.noise_density * 1e-6 * (rate * 1.013 / 2) ** 0.5
    rounding = bench.twin.count_g / 12**0.5
    assert rms == pytest.approx((white**2 + rounding**2) ** 0.5, rel=0.05)


def test_flipped_bits_are_an_error_or_data_and_setup_cures(name: str) -> None:
    bench = Bench(name).ready()
    bench.faults.flip = 0.5
    for _ in range(500):
        try:
            drained = bench.after(0.05)
        except DeviceError:
            continue
        assert all(abs(value) < 2.1 * G for one in drained.samples for value in one)
    bench.faults.flip = 0.0
    bench.ready()
    assert not bench.after(0.1).gap


def test_a_level_beyond_the_fifo_is_an_error(name: str) -> None:
    bench = Bench(name).ready()
    too_long_s, bench.twin.deep = 1.3 * bench.twin.deep / bench.driver.rate_hz, 10_000
    with pytest.raises(DataError, match="in a FIFO of"):
        bench.after(too_long_s)


def test_its_self_test_says_its_figures(name: str) -> None:
    bench = Bench(name, self_test=True)
    bench.ready()
    assert bench.clock.monotonic() < 1.2
    moved = bench.driver.self_test()
    assert moved == pytest.approx(bench.twin.self_test_g, abs=0.001)
    assert bench.after(0.1).gap
    bench.twin.self_test_g = [0.0] * len(bench.driver.axes)
    for act in (bench.driver.setup, bench.driver.self_test):
        with pytest.raises(DataError, match=r"self-test moved x 0\.000 g \(0\.\d+ to .*broken"):
            act()
    assert bench.after(0.1).samples  # it measures on


def test_a_self_test_cut_short_leaves_no_pushed_samples(name: str) -> None:
    bench = Bench(name).ready()
    pause = bench.driver.i2c.pause

    def cut(seconds: float) -> None:
        pause(seconds)
        bench.faults.errno = errno.EIO if bench.twin.pushing() else 0

    bench.driver.i2c.pause = cut
    with pytest.raises(BusError):
        bench.driver.self_test()
    bench.faults.errno = 0
    with pytest.raises(DataError, match="lost its configuration"):
        bench.after(0.1)
    bench.driver.i2c.pause = pause
    bench.ready()


def test_a_chip_that_samples_nothing_fails_its_self_test(name: str) -> None:
    bench = Bench(name)
    bench.twin.catch_up = lambda now: None
    with pytest.raises(DataError, match="samples nothing"):
        bench.driver.self_test()


def test_its_page_its_axes_and_its_docstring_are_there(name: str) -> None:
    module = module_of(name)
    text = module.__doc__ or ""
    assert "Datasheet" in text
    assert "I2C 0x" in text
    assert "ug/sqrt(Hz)" in text
    page = (ROOT / "hw" / "wiring" / f"{name}.md").read_text(encoding="utf-8")
    assert "Auf Deutsch" in page
    assert "ug/sqrt(Hz)" in page
    last = ast.parse(Path(module.__file__ or "").read_text()).body[-1]
    assert ast.unparse(last).startswith("DRIVER, TWIN = ")


# -- IIS2ICLX ------------------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [512, 416])  # the datasheet's, and what ST's driver relies on
def test_iis2iclx_loses_nothing_while_linux_stalls_for_two_seconds(deep: int) -> None:
    bench = Bench("iis2iclx").ready()
    bench.twin.deep = deep
    bench.number()
    last = bench.numbers(bench.after(0.1))[-1]
    for _ in range(20):
        drained = bench.after(2.0)
        assert len(drained.samples) >= 208
        assert (drained.gap, drained.lost) == (False, 0)
        assert bench.numbers(drained) == [
            (last + 1 + n) % TURN for n in range(len(drained.samples))
        ]
        last = bench.numbers(drained)[-1]


@pytest.mark.parametrize(("range_g", "step_g"), [(0.5, 15e-6), (1, 31e-6), (2, 61e-6), (3, 122e-6)])
def test_iis2iclx_has_four_ranges(range_g: float, step_g: float) -> None:
    bench = Bench("iis2iclx", range_g=float(range_g)).ready()
    for g in (-0.98 * range_g, 0.98 * range_g):
        bench.twin.truth = {**bench.twin.truth, "x": g * G}
        assert bench.after(0.1).samples[-1][0] == pytest.approx(g * G, abs=step_g * G / 2 * 1.001)
    with pytest.raises(ValueError, match="range_g is"):
        Bench("iis2iclx", range_g=4.0)


def spoil(bench: Bench, which: set[int], mask: int) -> None:
    """Flip bits of the tag of some of the words read from now on."""
    word, numbers = bench.twin._word, itertools.count()

    def spoiled() -> bytes:
        said: bytes = word()
        return bytes([said[0] ^ mask]) + said[1:] if next(numbers) in which else said

    bench.twin._word = spoiled


@pytest.mark.parametrize("mask", [0x01, 0x02, 0x08, 0x18, 0x80])
def test_iis2iclx_wrong_tags_are_counted_and_the_newest_run_is_kept(mask: int) -> None:
    bench = Bench("iis2iclx").ready()
    bench.number()
    last = bench.numbers(bench.after(0.1))[-1]
    spoil(bench, {3, 5, 6}, mask)
    drained = bench.after(0.2)
    assert (drained.gap, drained.lost) == (True, 7)
    assert bench.numbers(drained)[0] == last + 1 + 7
    assert bench.driver.resyncs == 3
    assert not bench.after(0.1).gap


def test_iis2iclx_a_wrong_tag_at_the_end_is_the_next_batchs_gap() -> None:
    bench = Bench("iis2iclx").ready()
    bench.clock.sleep(10.5 / 104)
    bench.twin.catch_up(bench.clock.monotonic())
    last = len(bench.twin.queue) - 1
    spoil(bench, {last}, 0x01)
    drained = bench.drain()
    assert (len(drained.samples), drained.gap) == (last, False)
    drained = bench.after(0.1)
    assert (drained.gap, drained.lost) == (True, None)


def test_iis2iclx_words_missing_in_the_middle_are_noticed_by_the_counter() -> None:
    bench = Bench("iis2iclx").ready()
    bench.clock.sleep(0.2)
    bench.twin.catch_up(bench.clock.monotonic())
    del bench.twin.queue[4], bench.twin.queue[4]
    drained = bench.drain()
    assert (drained.gap, drained.lost) == (True, None)
    assert len(drained.samples) == pytest.approx(0.2 * 104 - 6, abs=1)


def test_iis2iclx_without_any_good_word_is_an_error() -> None:
    bench = Bench("iis2iclx").ready()
    spoil(bench, set(range(10_000)), 0x08)
    with pytest.raises(DataError, match="no good word in the FIFO; the first: 1"):
        bench.after(0.1)


def test_iis2iclx_twin_says_nothing_from_an_empty_fifo() -> None:
    bench = Bench("iis2iclx").ready()
    bench.drain()
    assert I2C(bench.bus, bench.clock).write_read(0x6A, b"\x78", 7) == bytes(7)


# -- ADXL355 -------------------------------------------------------------------------------------


def test_adxl355_wrong_trims_after_a_reset_are_reset_again_or_refused() -> None:
    bench = Bench("adxl355")
    bench.twin.bad_resets = 4
    bench.ready()
    bench.twin.bad_resets = 5
    with pytest.raises(DataError, match="wrong trims after 5 resets: switch its supply off"):
        bench.driver.setup()


@pytest.mark.parametrize("gone", [1, 2])
def test_adxl355_finds_x_again_when_words_are_missing(gone: int) -> None:
    bench = Bench("adxl355").ready()
    bench.number()
    last = bench.numbers(bench.after(0.1))[-1]
    bench.clock.sleep(0.1)
    for _ in range(gone):
        bench.twin.catch_up(bench.clock.monotonic())
        bench.twin._word()
    drained = bench.drain()
    assert (drained.gap, drained.lost) == (True, 1)
    assert bench.numbers(drained)[0] == last + 2
    assert bench.driver.resyncs == 3 - gone
    newest = bench.numbers(drained)[-1]
    for _ in range(10):  # from here on samples begin in one burst and end in the next
        drained = bench.after(0.1)
        assert (drained.gap, drained.lost) == (False, 0)
        assert bench.numbers(drained)[0] == newest + 1
        newest = bench.numbers(drained)[-1]


@pytest.mark.parametrize(
    ("which", "mask"),
    [(12, 0x01), (13, 0x01), (14, 0x01), (12, 0x02), (13, 0x02), (14, 0x02)],
    ids=["no X", "Y as X", "Z as X", "no first", "no second", "no third"],
)
def test_adxl355_wrong_marks_cost_one_sample(which: int, mask: int) -> None:
    bench = Bench("adxl355").ready()
    bench.number()
    last = bench.numbers(bench.after(0.1))[-1]
    word, numbers = bench.twin._word, itertools.count()
    bench.twin._word = lambda: word() ^ (mask if next(numbers) == which else 0)
    drained = bench.after(0.15)
    assert (drained.gap, drained.lost) == (True, 5)
    assert bench.numbers(drained)[0] == last + 6
    assert not bench.after(0.1).gap


def test_adxl355_words_out_of_turn_throughout_are_an_error() -> None:
    bench = Bench("adxl355").ready()
    word = bench.twin._word
    bench.twin._word = lambda: word() | 1
    with pytest.raises(DataError, match="out of turn: "):
        bench.after(0.1)


def test_adxl355_empty_words_are_no_samples() -> None:
    bench = Bench("adxl355").ready()
    bench.drain()
    assert I2C(bench.bus, bench.clock).write_read(0x1D, b"\x11", 6) == bytes.fromhex("000002" * 2)
    bench.twin._word = lambda: 0x000002
    assert bench.after(0.1) == Samples([], gap=False, lost=0)


def test_adxl355_shows_exactly_the_gap_it_is() -> None:
    bench = Bench("adxl355").ready()
    bench.number()
    last = bench.numbers(bench.after(0.1))[-1]
    for stall_s in (0.25, 0.3, 1.0, 2.0, 0.25):
        drained = bench.after(stall_s)
        numbers = bench.numbers(drained)
        missing = numbers[0] - last - 1
        assert drained.gap == (missing > 0)
        assert missing == max(0, missing)
        assert len(numbers) + missing == pytest.approx(stall_s * 125, abs=2)
        last = numbers[-1]


def test_adxl355_an_overrun_between_status_and_data_is_seen_in_time() -> None:
    bench = Bench("adxl355").ready()
    read = bench.twin.read

    def late(length: int, now: float) -> bytes:
        if bench.twin.pointer == 0x11:
            bench.twin.catch_up(now + 0.1)  # as if the kernel had been slow just there
        answer: bytes = read(length, now)
        return answer

    bench.clock.sleep(0.2)
    bench.twin.read = late
    assert bench.drain().gap


def test_adxl355_temperature_is_taken_twice_because_its_bytes_are_not_latched() -> None:
    bench = Bench("adxl355").ready()
    read, turns = bench.twin.read, itertools.cycle((0x0700, 0x07FF, 0x0760, 0x0761))

    def torn(length: int, now: float) -> bytes:
        if bench.twin.pointer == 0x06:
            return next(turns).to_bytes(2, "big")
        answer: bytes = read(length, now)
        return answer

    bench.twin.read = torn
    assert bench.driver.temperature() == pytest.approx(25 + (0x761 - 1885) / -9.05)
    turns = itertools.cycle((0x0700, 0x07FF))
    with pytest.raises(DataError, match="temperature jumps: 1792 and 2047"):
        bench.driver.temperature()


def test_adxl355_twin_takes_a_rate_only_in_standby() -> None:
    bench = Bench("adxl355").ready()
    bench.driver.filter = 4
    assert bench.driver.filter == 5


# -- LIS2DW12 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("range_g", [2, 4, 8, 16])
def test_lis2dw12_has_four_ranges(range_g: int) -> None:
    bench = Bench("lis2dw12", range_g=range_g).ready()
    for g in (-0.98 * range_g, 0.98 * range_g):
        bench.twin.truth = {**bench.twin.truth, "z": g * G}
        step = 0.244e-3 * range_g / 2 * G
        assert bench.after(0.1).samples[-1][2] == pytest.approx(g * G, abs=step / 2 * 1.001)
    with pytest.raises(ValueError, match="range_g is"):
        Bench("lis2dw12", range_g=3)


def test_lis2dw12_twin_repeats_zeros_from_an_empty_fifo() -> None:
    bench = Bench("lis2dw12").ready()
    bench.drain()
    assert I2C(bench.bus, bench.clock).write_read(0x18, b"\x28", 6) == bytes(6)


# -- published bytes -----------------------------------------------------------------------------


def even(tag: int) -> bool:
    """STMems_Standard_C_drivers, fifo_utility.c: a word whose tag has odd parity is refused."""
    return tag.bit_count() % 2 == 0


@pytest.mark.parametrize(
    ("range_g", "control", "mg"),
    [(0.5, "40", 0.015), (3.0, "44", 0.122), (1.0, "48", 0.031), (2.0, "4c", 0.061)],
)
def test_iis2iclx_by_st_s_driver(range_g: float, control: str, mg: float) -> None:
    """iis2iclx_reg.c: iis2iclx_from_fs..._to_mg, rate and range codes; fifo_utility.c: tags."""
    tags = [0x02 << 3 | counter << 1 for counter in range(4)]
    tags = [tag if even(tag) else tag | 1 for tag in tags]
    raw = [(1000, -1000), (32767, -32768), (1, -1), (0x1234, 0)]
    fifo = b"".join(
        bytes([tag]) + x.to_bytes(2, "little", signed=True) + y.to_bytes(2, "little", signed=True)
        + b"\0\0"
        for tag, (x, y) in zip(tags, raw, strict=True)
    )  # fmt: skip
    bus = Said("6b", "04 80", fifo.hex(), control, "06")
    chip = find("iis2iclx").make(I2C(bus, VirtualClock()), {"range_g": range_g})
    chip.setup()
    assert bus.written == ["0f", "1205", "1802", "1244", f"10{control}", "0904", "0a06"]
    drained = chip.drain()  # type: ignore[attr-defined]
    for found, counts in zip(drained.samples, raw, strict=True):
        assert found == pytest.approx([one * mg / 1000 * G for one in counts], rel=1e-9)
    assert bus.written[-4:] == ["3a", "78", "10", "0a"]


@pytest.mark.parametrize(("raw", "celsius"), [("00 00", 25), ("00 01", 26), ("80 ff", 24.5)])
def test_iis2iclx_temperature_by_st_s_driver(raw: str, celsius: float) -> None:
    """iis2iclx_reg.c: iis2iclx_from_lsb_to_celsius, lsb / 256 + 25."""
    chip: Any = find("iis2iclx").make(I2C(Said("6b", raw, "4c", "06"), VirtualClock()), {})
    chip.setup()
    assert chip.temperature() == celsius


SHADOW = "01 02 03 04 05"


def test_adxl355_by_its_datasheet_and_the_linux_driver() -> None:
    """256000 counts per g (table 1); adxl355_core.c: 20 bit, 38245 nm/s2 per count (3.9 ug)."""
    fifo = "3e 80 01 c1 80 00 00 00 10" + "7f ff f1 80 00 00 ff ff f0"
    bus = Said("ad 1d ed", SHADOW, SHADOW, "00 00", "01 06", fifo, "01", "05 60 00 00 81 00")
    chip: Any = find("adxl355").make(I2C(bus, VirtualClock()), {})
    chip.setup()
    assert bus.written == ["00", "50", "2f52", "50", "2805", "2c81", "2d00", "04"]
    first, second = chip.drain().samples
    assert first == pytest.approx([G, -G, G / 256_000])
    assert second == pytest.approx([524_287 / 256_000 * G, -2.048 * G, -G / 256_000])
    for found, counts in zip(second, (524_287, -524_288, -1), strict=True):
        assert found == pytest.approx(counts * 38_245e-9, rel=0.002)
    assert bus.written[8:] == ["04", "11", "04", "28"]


@pytest.mark.parametrize("raw", [1885, 0, 0x800, 2111, 4095])
def test_adxl355_temperature_by_the_linux_driver(raw: int) -> None:
    """adxl355_core.c: (raw - 2111.25) x -110.497238 mCel."""
    said = raw.to_bytes(2, "big").hex()
    good = "05 60 00 00 81 00"
    bus = Said("ad 1d ed", SHADOW, SHADOW, "00 00", said, said, good)
    chip: Any = find("adxl355").make(I2C(bus, VirtualClock()), {})
    chip.setup()
    assert chip.temperature() == pytest.approx((raw - 2111.25) * -0.110497238, abs=0.05)


@pytest.mark.parametrize(("range_g", "mg"), [(2, 0.061), (4, 0.122), (8, 0.244), (16, 0.488)])
def test_lis2dw12_by_st_s_driver(range_g: int, mg: float) -> None:
    """lis2dw12_reg.c: lis2dw12_from_fs..._to_mg of the 16 bits as read; 14 of them count."""
    raw = (0x4008, -0x4008, 0x7FFC), (4, -4, -0x8000)
    below = 3  # the two bits below the 14, whatever they are
    fifo = b"".join((one | below).to_bytes(2, "little", signed=True) for xyz in raw for one in xyz)
    control = {2: "04", 4: "14", 8: "24", 16: "34"}[range_g]
    bus = Said("44", "02", fifo.hex(), f"54 0c 00 00 00 {control}")
    chip: Any = find("lis2dw12").make(I2C(bus, VirtualClock()), {"range_g": range_g})
    chip.setup()
    assert bus.written == ["0f", "2140", "210c", f"25{control}", "2054", "2ec0"]
    for found, counts in zip(chip.drain().samples, raw, strict=True):
        assert found == pytest.approx([one * mg / 1000 * G for one in counts], rel=1e-9)
    assert bus.written[-3:] == ["2f", "28", "20"]


@pytest.mark.parametrize(("raw", "celsius"), [("00 00", 25), ("10 00", 25.0625), ("00 f0", 9)])
def test_lis2dw12_temperature_by_st_s_driver(raw: str, celsius: float) -> None:
    """lis2dw12_reg.c: lis2dw12_from_lsb_to_celsius, 12 bits left-aligned, 16 counts per Cel."""
    chip: Any = find("lis2dw12").make(I2C(Said("44", raw, "54 0c 00 00 00 04"), VirtualClock()), {})
    chip.setup()
    assert chip.temperature() == celsius
