"""The live picture of a node with streams: all sensors, the spectrum, its modes in 80 x 24."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from agent.cli.picture import MOST_BAD, crowd, last_event, mode_lines, picture, typical
from agent.cli.spectrum_plot import Spectrum, axis, bars, fitted, height, marks, numbers
from agent.codec.decoder import Event
from agent.demo.farside import FarSide
from agent.demo.paced import PacedClock
from agent.demo.watch import Marked, View, Watch
from agent.features.preview import levels
from agent.measure.ring import Ring
from drivers.api import Samples
from tests.window_kit import LEVEL, WindowRig, make_window_rig, table

HOW = "window = { modes = [2.5, 4.3, 5.6, 7.1], mode_width = 0.05, highest_hz = 10.0 }"
WORLD = '[simulate]\nworld = "bridge"\nfeeds = { "acc.motion" = "deck.midspan" }\n'
COLUMNS = [f"{letter}{k}" for k in range(1, 5) for letter in "fd"]
VIEW = View(
    "acc", 10.0, 0.5, [-60.0] * 5 + [-20.0] + [-60.0] * 15,
    (Marked("f1", 2.4, 2.52, 1.04), Marked("f2", 7.0, None, None)), rows=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> WindowRig:
    """A minute of a bridge."""
    text = LEVEL % HOW + table("modes", 60, *COLUMNS) + WORLD
    rig = make_window_rig(tmp_path_factory.mktemp("bridge"), text)
    rig.run(61)
    return rig


def drawn(one: object, width: int = 80, encoding: str = "utf-8") -> list[str]:
    """What a terminal of that encoding shows."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=file, width=width, force_terminal=False).print(one)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


def sensor(state: str = "ok", reason: str = "", **values: float) -> dict[str, object]:
    told = {name: {"value": value, "unit": "deg", "age_s": 1} for name, value in values.items()}
    return {"state": state, "reason": reason, "values": told}


def test_a_spectrum_of_a_sine_has_its_peak_where_it_is() -> None:
    ring, rate_hz = Ring(2, 8000), 100.0
    wave = [math.sin(2 * math.pi * 3 * n / rate_hz) for n in range(6000)]
    ring.append(Samples([(one, 0.1 * one) for one in wave]), at=60.0)
    found = levels(ring.stretches(), 2, rate_hz, 8.0)
    assert found is not None
    resolution, decibels = found
    assert decibels.index(max(decibels)) * resolution == pytest.approx(3, abs=resolution)
    assert (len(decibels) - 1) * resolution == pytest.approx(8, abs=resolution)
    assert levels(ring.stretches(5900), 2, rate_hz, 8.0) is None  # one second tells nothing


def test_the_watch_sees_the_ring_and_the_newest_row(bridge: WindowRig) -> None:
    watch = Watch(bridge.node)
    view = watch.preview()
    assert view is not None
    assert view is watch.preview()  # once a second
    assert (view.instrument, view.highest_hz, view.rows) == ("acc", 10.0, True)
    assert [one.label for one in view.modes] == ["f1", "f2", "f3", "f4"]
    f1, _, f3, _ = view.modes
    assert f1.frequency_hz == pytest.approx(2.5, rel=0.03)
    assert f1.damping_percent == pytest.approx(1.1, abs=0.9)
    assert (f3.frequency_hz, f3.damping_percent) == (None, None)
    loudest = max(range(len(view.levels_db)), key=view.levels_db.__getitem__)
    peaks = [abs(loudest * view.resolution_hz - hz) for hz in (2.5, 4.3, 7.1)]
    assert min(peaks) < 0.25


def test_a_node_without_modes_has_no_spectrum(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 60, "rms_x"))
    watch = Watch(rig.node)
    assert watch.preview() is None
    assert list(mode_lines(rig.link.far, watch, set())) == []
    rig.node.close()


def test_every_row_of_modes_is_told_once(bridge: WindowRig) -> None:
    told: set[tuple[int, ...]] = set()
    watch = Watch(bridge.node)
    (line,) = mode_lines(bridge.link.far, watch, told)
    assert line.startswith("08:01:00  modes of acc: f1 2.")
    assert "f3 missed, f4 7." in line
    assert list(mode_lines(bridge.link.far, watch, told)) == []


def test_bars_stand_above_their_marks_and_numbers() -> None:
    lines = drawn(Spectrum(VIEW, 5))
    assert lines[1].startswith(" -20 dB ")
    assert lines[5].startswith(" -60 dB ")
    assert lines[1].index("█") <= lines[6].index("f1") <= lines[1].rindex("█")
    assert lines[7].split() == ["Hz", *map(str, range(0, 11, 2))]
    assert lines[8] == "f1 2.520 Hz 1.0 %  f2 missed"
    assert all(len(line) <= 80 for line in lines)


def test_an_old_terminal_gets_ascii() -> None:
    lines = drawn(Spectrum(VIEW, 5), encoding="ascii")
    assert "#" in lines[1]
    assert all(line.isascii() for line in lines)


def test_before_there_is_anything_it_says_so() -> None:
    empty = View("acc", 10.0)
    assert "listening" in drawn(Spectrum(empty))[1]
    assert "next slot" in numbers(empty).plain
    assert "listening ..." in drawn(Spectrum(empty), encoding="ascii")[1]


@pytest.mark.parametrize(("highest_hz", "width"), [(0.8, 20), (8.0, 70), (15.0, 71), (62.5, 300)])
def test_axis_and_marks_fit_any_width(highest_hz: float, width: int) -> None:
    modes = (Marked("f1", highest_hz, None, None), Marked("f2", 0.0, None, None))
    view = View("acc", highest_hz, highest_hz / 9, [-50.0] * 10, modes)
    assert len(fitted(view, width)) == width
    assert len(bars(view, width, 4, " #")) == 4
    assert len(marks(view, width)) <= width + 2
    assert axis(highest_hz, width).startswith("0 ")
    assert len(axis(highest_hz, width)) <= width + 8


def test_a_small_terminal_has_no_room_for_bars() -> None:
    assert [height(free) for free in (5, 7, 8, 100)] == [0, 0, 4, 20]


def test_many_sensors_stand_in_columns_and_the_bad_ones_say_why() -> None:
    sensors = {f"tilt_{n}": sensor(tilt_x=n / 7, tilt_y=1.0) for n in range(30)}
    sensors |= {f"bad{n}": sensor("absent", "0x6a: Remote I/O error") for n in range(MOST_BAD + 2)}
    sensors["young"] = sensor("new")
    lines = [one.plain for one in crowd({"sensors": sensors}, 80)]
    assert lines[0] == "bad0 absent 0x6a: Remote I/O error"
    assert lines[MOST_BAD - 1] == "and 3 more"
    assert "tilt_8 1.14°" in "\n".join(lines)
    assert "young …" in lines[-1]
    assert len(lines) == MOST_BAD + math.ceil(31 / 4)
    assert all(len(line) <= 80 for line in lines)


def test_the_typical_value_of_a_window() -> None:
    assert typical(sensor(rms_x=2.0, f1=2.51)["values"]) == "2.51°"  # type: ignore[arg-type]
    assert typical(sensor(other=1234.5)["values"]) == "1234°"  # type: ignore[arg-type]
    assert typical({}) == "…"


def test_the_whole_picture_fits_into_24_lines(bridge: WindowRig) -> None:
    state = bridge.node.snapshot()
    for count in (1, 12, 31):
        state["sensors"] = {f"tilt_{n}": sensor(tilt_x=n / 7) for n in range(count)}
        lines = drawn(picture(state, bridge.link.far, bridge.clock, VIEW, (80, 24)))
        assert len(lines) <= 23, "\n".join(lines)
        assert all(len(line) <= 80 for line in lines)
        assert sum(line.startswith("Spectrum of acc") for line in lines) == 1
        assert sum(line.startswith(" sensor ") for line in lines) == (count == 1)
    assert lines[0].endswith("(1 x)  clock: ntp")
    assert any(line.startswith("far side: 1 row") for line in lines)


def test_a_machine_that_is_too_slow_is_told(bridge: WindowRig) -> None:
    clock = PacedClock(0.0, 1000.0)
    clock.leash = lambda asleep: 0.0
    clock._seen = [(clock._zero - 2.0, 0.0)]
    shown = drawn(picture(bridge.node.snapshot(), FarSide(), clock, VIEW, (80, 24)))[0]
    assert "(0.0 x, not 1000: busy)" in shown


def test_the_last_event_is_told_with_its_figures(bridge: WindowRig) -> None:
    far = FarSide(schemas=dict(bridge.link.far.schemas))
    assert last_event(far) == "none"
    number = next(key for key in far.schemas if key)
    far.events.append(Event(number, 1_768_201_000, 0, 10, (2500, 320, 4000, 2)))
    assert last_event(far) == "06:56:40 vehicle or vibration, f1: 2.5 Hz, 3.2 s, class 2"
    far.events.append(Event(number, (300, 65_536), 0, 10, (2500, 320)))  # no room for more
    assert last_event(far) == "vehicle or vibration, f1: 2.5 Hz, 3.2 s"
    far.events.append(Event(number, -1, 0, 1, 2600))
    assert last_event(far) == "above, f1: 2.6 Hz"
    far.events.append(Event(0, -1, None, 6))
    assert last_event(far) == "restart"
