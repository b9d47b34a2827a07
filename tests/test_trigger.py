"""Events and raw records of real drivers on twins that move."""

import errno
import math
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec.explain import explain
from tests.conftest import MONDAY
from tests.trigger_kit import SCHEMA, SCHEMAS, Bench, shaken, vehicle, vibration

G = 9.80665


def test_a_burst_is_one_event_with_its_figures_dated_at_its_begin(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(classes=(0.05, 0.15, 0.3)))
    bench.twin.noise, bench.twin.truth = True, {**bench.twin.truth, "y": 0.3 * G}
    bench.twin.motion = shaken(20.0, 4.0, 0.2)
    bench.run(23)
    assert bench.frames() == []
    bench.run(8)
    (one,) = bench.events()
    assert (one.schema, one.column, one.code) == (SCHEMA, 0, 10)
    assert one.time == int(MONDAY) + 20
    peak, duration, area, heaviness = one.value  # type: ignore[misc]
    assert peak * 1e-4 == pytest.approx(0.2, rel=0.03)
    assert duration / 100 == pytest.approx(3.6, abs=0.4)
    assert area * 1e-4 == pytest.approx(0.2 * 4.0 / 2 * 2 / math.pi, rel=0.05)
    assert heaviness == 2


def test_an_event_frame_has_at_most_24_bytes_and_is_told_in_words(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "adxl355", vibration(floor=0.05, classes=(1.0, 2.5, 9.0)))
    bench.twin.motion = shaken(12.0, 3.0, 5.0)
    bench.run(25)
    (frame,) = bench.frames()
    assert len(frame) <= 24
    words = dict((right.split(":")[0], right) for _, right in explain(frame, SCHEMAS.get, MONDAY))
    assert words["value"].startswith("value: peak 4.9")
    assert "m/s2, duration 2." in words["value"]
    assert words["value"].endswith("m/s2 s, class 2")
    assert words["code"] == "code: 10, vehicle or vibration"
    assert words["column"] == "column: 0, peak"


def test_no_figure_of_an_event_has_more_than_three_bytes(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(classes=tuple(range(1, 24))))
    watch = bench.trigger.watches[0]
    found = type("Huge", (), {"begin": 0, "end": 10**6, "peak": -1e9, "area": 1e9})
    assert watch.value(found, 104.0) == [-65_535, 65_535, 65_535, 23]  # type: ignore[arg-type]


@pytest.mark.no_cover
def test_a_quiet_night_triggers_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True))
    bench.twin.noise, bench.twin.truth = True, {**bench.twin.truth, "y": -0.2 * G}
    bench.twin.motion = shaken(60.0, 10.0, 1e-3)  # a cat
    bench.run(180)
    assert bench.events() == []
    assert bench.kept() == []


def test_gravity_at_the_start_is_no_event_and_does_not_deafen(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration())
    bench.twin.noise, bench.twin.truth = True, {**bench.twin.truth, "y": G}
    bench.twin.motion = shaken(10.0, 2.0, 0.05)  # 2 s after the long average is full
    bench.run(18)
    assert len(bench.events()) == 1


def test_a_gap_ends_the_event_and_starts_no_other(tmp_path: Path, clock: VirtualClock) -> None:
    bench = Bench(tmp_path, clock, "adxl355", vibration(record=True))
    bench.twin.truth = {**bench.twin.truth, "y": G}
    bench.twin.motion = shaken(12.0, 3.0, 0.2)
    bench.run(13.5)
    bench.faults.errno = errno.EREMOTEIO
    bench.run(3.0)
    bench.faults.errno = 0
    bench.run(30)
    (one,) = bench.events()
    assert one.time == int(MONDAY) + 12
    assert one.value[1] / 100 == pytest.approx(1.5, abs=0.3)  # type: ignore[index]
    (kept,) = bench.kept()
    first, second = kept.head.segments
    assert first.missing == 0
    assert second.missing / 125 == pytest.approx(3.0, abs=0.35)
    assert kept.head.length_s == pytest.approx(10 + 1.5 + 3.0 + 20, abs=3.1)


def test_an_event_that_the_chip_leaves_in_the_middle_is_told_soon(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True, after_s=5.0))
    bench.twin.motion = shaken(12.0, 60.0, 2.0)
    bench.run(16)
    bench.faults.unplugged = True
    bench.run(8)
    assert len(bench.events()) == 1
    bench.run(20)
    (kept,) = bench.kept()
    assert kept.head.length_s == pytest.approx(12, abs=1.1)


def test_nothing_begins_until_the_trigger_is_armed_again(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(rearm_s=20.0))
    bursts = [shaken(begin, 1.0, 0.2) for begin in (12.0, 22.0, 45.0)]
    bench.twin.motion = lambda at: tuple(map(sum, zip(*(one(at) for one in bursts), strict=True)))
    bench.run(52)
    assert [one.time for one in bench.events()] == [int(MONDAY) + 12, int(MONDAY) + 45]


def test_a_record_holds_all_axes_before_and_after_equal_to_what_was_felt(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True, before_s=5, after_s=4))
    bench.twin.truth = {**bench.twin.truth, "x": 0.1}
    bench.twin.motion = shaken(12.0, 2.0, 0.2)
    bench.run(30)
    (kept,) = bench.kept()
    head, floats = kept.head, kept.floats()
    assert (head.stream, head.axes, head.units) == ("acc", ("x", "y"), ("m/s2", "m/s2"))
    assert head.rate_hz == pytest.approx(104, rel=1e-4)
    assert head.length_s == pytest.approx(5 + 1.7 + 4, abs=0.3)
    assert head.start == pytest.approx(MONDAY + 7.2, abs=0.2)
    assert head.notes[0].at_s == pytest.approx(5, abs=0.02)
    assert head.notes[0].words.startswith("vibration: peak 0.19")
    step = 61e-6 * G
    for number, (x, y) in enumerate(zip(floats[::2], floats[1::2], strict=True)):
        at = head.mono_s + number / head.rate_hz
        sensed = bench.twin.motion(at)[1]
        assert x == pytest.approx(0.1, abs=step)
        assert y == pytest.approx(sensed, abs=step + 0.01)  # the time is known to a millisecond


def test_two_events_close_together_share_a_record_up_to_the_longest(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True, longest_s=50.0))
    bursts = [shaken(begin, 2.0, 0.2) for begin in (12.0, 24.0, 60.0)]
    bench.twin.motion = lambda at: tuple(map(sum, zip(*(one(at) for one in bursts), strict=True)))
    bench.run(95)
    first, second = bench.kept()
    assert [len(one.head.notes) for one in (first, second)] == [2, 1]
    assert first.head.length_s == pytest.approx(44.5, abs=1)
    assert second.head.length_s == pytest.approx(32.5, abs=1)
    assert len(bench.events()) == 3


def test_what_lasts_ends_after_the_longest_and_its_record_is_no_longer(
    tmp_path: Path, clock: VirtualClock
) -> None:
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True, longest_s=15.0))
    bench.twin.motion = shaken(12.0, 100.0, 9.0)
    bench.run(60)
    (one,) = bench.events()
    assert one.value[1] == pytest.approx(1490, abs=10)  # type: ignore[index]
    (kept,) = bench.kept()
    assert kept.head.length_s == pytest.approx(15.0, abs=0.02)


def test_an_undated_event_goes_at_once_with_its_age(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY, trust="")
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True))
    bench.twin.motion = shaken(12.0, 2.0, 0.2)
    bench.run(20)
    (one,) = bench.events()
    assert one.time == -1 - 7
    bench.run(30)
    (undated,) = bench.kept()
    assert undated.head.start is None
    bench.archive.open()  # a restart of the daemon forgets nothing of this boot
    clock.unset(False)
    bench.run(1)
    (dated,) = bench.kept()
    assert dated.head.start == pytest.approx(MONDAY + undated.head.mono_s, abs=0.01)
    assert dated.data == undated.data


def test_a_full_disk_costs_the_record_not_the_event(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "records").write_text("no folder")
    bench = Bench(tmp_path, clock, "iis2iclx", vibration(record=True))
    bench.twin.motion = shaken(12.0, 2.0, 0.2)
    bench.run(60)
    assert len(bench.events()) == 1
    assert caplog.text.count("record=lost") == 1


# -- vehicles -------------------------------------------------------------------------------------


def passing(bench: Bench, begin: float, length: float, peak: float) -> None:
    """A vehicle over a strain gauge, half a sine."""
    bench.run(begin - clock_of(bench))
    while (gone := clock_of(bench) - begin) < length:
        load = peak * math.sin(math.pi * max(gone, 0.0) / length)
        bench.twin.truth = {"strain": 12.5 + load}
        bench.run(0.25)
    bench.twin.truth = {"strain": 12.5}


def clock_of(bench: Bench) -> float:
    return bench.clock.monotonic()


@pytest.fixture
def gauge(tmp_path: Path, clock: VirtualClock) -> Bench:
    """Read ten times a second; calibrated by a crane of 48 t that made 40 um/m."""
    config = vehicle(known_peak=40.0, known_t=48.0, classes_t=(3.5, 12.0, 40.0), record=True)
    return Bench(tmp_path, clock, "nau7802", config, rate_hz=5)


def test_vehicles_are_classed_by_the_crane_of_48_tonnes(gauge: Bench) -> None:
    passing(gauge, 30.0, 6.0, 40.0)  # the crane itself
    passing(gauge, 60.0, 4.0, 15.0)  # 18 t
    passing(gauge, 90.0, 4.0, 6.0)  # 7 t
    passing(gauge, 120.0, 4.0, -15.0)  # in the next span: the gauge is relieved
    gauge.run(20)
    events = gauge.events()
    assert [one.value[3] for one in events] == [3, 2, 1, 2]  # type: ignore[index]
    peaks = [one.value[0] * 0.1 for one in events]  # type: ignore[index]
    assert peaks == pytest.approx([40, 15, 6, -15], rel=0.1)
    assert [one.time - int(MONDAY) for one in events] == pytest.approx([30, 60, 90, 120], abs=1)  # type: ignore[operator]
    crane = events[0].value
    assert crane[1] / 100 == pytest.approx(6, abs=0.6)  # type: ignore[index]
    assert crane[2] * 0.1 == pytest.approx(40 * 6 * 2 / math.pi, rel=0.06)  # type: ignore[index]


def test_a_vehicle_that_parks_tells_how_far_the_level_moved(gauge: Bench) -> None:
    gauge.run(30)
    gauge.twin.truth = {"strain": 32.5}
    gauge.run(150)
    passage, change = gauge.events()
    assert passage.value[1] == 12_000  # type: ignore[index]
    assert (change.code, change.column) == (3, 0)
    assert change.value * 0.1 == pytest.approx(20, abs=0.3)  # type: ignore[operator]
    assert change.time - int(MONDAY) == pytest.approx(150, abs=1)  # type: ignore[operator]
    (kept,) = gauge.kept()
    assert kept.head.length_s == pytest.approx(120, abs=1)
    assert (kept.head.units, kept.head.schema) == (("um/m",), SCHEMA + 1)


def test_a_gap_ends_a_passage(gauge: Bench) -> None:
    gauge.run(30)
    gauge.twin.truth = {"strain": 32.5}
    gauge.run(4)
    gauge.faults.errno = errno.EIO
    gauge.run(3)
    gauge.faults.errno = 0
    gauge.twin.truth = {"strain": 12.5}
    gauge.run(20)
    (one,) = gauge.events()
    assert one.value[1] / 100 == pytest.approx(4, abs=0.6)  # type: ignore[index]
