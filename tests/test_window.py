"""Windows: what twins feel comes out of their drivers as features of the interval that ended."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from agent.cli.picture import streams
from agent.codec.messages import SENSOR_BACK, SENSOR_FAILED
from agent.config.sections import WindowConfig
from agent.config.source import ConfigError
from agent.features.window import Asked, vibration, welch_peaks
from agent.measure.sampler import state_key
from agent.measure.window import Window
from agent.model.schema import Missing
from drivers.sim.fifo import FifoTwin
from tests.features_kit import bridge
from tests.test_cli import run
from tests.window_kit import GAUGE, LEVEL, THREE_AXES, Signal, WindowRig, make_window_rig, table

G = 9.80665


def shaken(rig: WindowRig, *amplitudes: float, hz: float = 3.0, offset: float = 0.0) -> FifoTwin:
    """Every axis of `acc` swings about `offset`, m/s2."""
    twin = rig.buses.twins["acc"]
    assert isinstance(twin, FifoTwin)

    def motion(at: float) -> list[float]:
        swing = math.sin(2 * math.pi * hz * at)
        return [offset + one * swing for one in amplitudes]

    twin.motion = motion
    return twin


# -- vibration -----------------------------------------------------------------------------------


def test_a_sine_is_found_as_it_was_put_in(tmp_path: Path) -> None:
    names = ("mean_x", "rms_x", "peak_x", "crest_x", "kurtosis_x", "ppv_x", "ppv_frequency_x")
    more = ("rms_y", "completeness", "missing", "clipped", "rate")
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 30, *names, *more))
    twin = shaken(rig, 0.05, 0.02, offset=0.2)
    twin.rate_error = 0.004
    rig.run(92)
    rows = rig.rows("deck")
    assert len(rows) == 3
    found = rows[-1]
    assert found["mean_x"] == pytest.approx(0.2, abs=0.001)
    assert found["rms_x"] == pytest.approx(0.05 / math.sqrt(2), rel=0.01)
    assert found["rms_y"] == pytest.approx(0.02 / math.sqrt(2), rel=0.01)
    assert found["peak_x"] == pytest.approx(0.05, rel=0.03)
    assert found["crest_x"] == pytest.approx(math.sqrt(2), abs=0.1)
    assert found["kurtosis_x"] == pytest.approx(-1.5, abs=0.1)
    assert found["ppv_x"] == pytest.approx(50 / (2 * math.pi * 3), rel=0.02)
    assert found["ppv_frequency_x"] == pytest.approx(3, abs=0.1)
    assert found["rate"] == pytest.approx(104 * 1.004, abs=0.002)
    assert (found["completeness"], found["missing"], found["clipped"]) == (100, 0, 0)
    assert rows[0]["completeness"] == pytest.approx(98, abs=2)  # it began with the first of them


def test_the_watchdog_hears_of_it_between_features() -> None:
    beats: list[str] = []
    noise = np.random.default_rng(1).normal(size=(6000, 2))
    asked = Asked(
        ("x", "y"),
        100.0,
        20.0,
        WindowConfig(modes=(3.0,)),
        {"rms_x", "ppv_x", "level_x_1", "tilt_x", "f1"},
        lambda: beats.append("beat"),
    )
    vibration([noise], asked, 20.0)
    assert len(beats) == 5


def test_band_levels_tell_where_the_energy_is(tmp_path: Path) -> None:
    text = LEVEL % "" + table("deck", 80, "level_x_5", "level_x_9")
    rig = make_window_rig(tmp_path, text)
    shaken(rig, 0.05, 0.0, hz=10**0.5)
    rig.run(81)
    (found,) = rig.rows("deck")
    expected = 20 * math.log10(0.05 / math.sqrt(2) / 1e-6)  # dB re 1e-6 m/s2
    assert found["level_x_5"] == pytest.approx(expected, abs=0.6)
    assert isinstance(low := found["level_x_9"], float)
    assert low < expected - 20


def test_a_row_is_about_the_interval_that_ended_at_its_slot(tmp_path: Path) -> None:
    text = LEVEL % "" + table("fast", 10, "mean_x") + table("slow", 20, "mean_x", "mean_y")
    rig = make_window_rig(tmp_path, text)
    twin = rig.buses.twins["acc"]
    twin.motion = lambda at: (at // 10, 1.0)  # m/s2: number of the ten seconds
    rig.run(62)
    fast, slow = ([row["mean_x"] for row in rig.rows(name)] for name in ("fast", "slow"))
    assert fast == [pytest.approx(k, abs=0.01) for k in range(6)]
    assert slow[1:] == [pytest.approx(k + 0.5, abs=0.01) for k in (2, 4)]


def test_tilt_reads_as_at_the_reference_temperature(tmp_path: Path) -> None:
    how = "window = { tilt_slope = { x = 0.002 }, reference_cel = 20.0 }"
    text = LEVEL % how + table("deck", 30, "tilt_x", "tilt_y", "temperature")
    rig = make_window_rig(tmp_path, text)
    twin = rig.buses.twins["acc"]
    x, y = (G * math.sin(math.radians(one)) for one in (1.5, -0.7))
    twin.truth = {"x": x, "y": y, "temperature": 32.0}
    rig.run(32)
    (found,) = rig.rows("deck")
    assert found["temperature"] == pytest.approx(32.0, abs=0.1)
    assert found["tilt_x"] == pytest.approx(1.5 - 12 * 0.002, abs=0.002)
    assert found["tilt_y"] == pytest.approx(-0.7, abs=0.002)


@pytest.mark.no_cover
def test_modes_are_those_of_the_world_and_a_missed_one_is_not_filled(tmp_path: Path) -> None:
    how = "window = { modes = [2.5, 4.3, 5.6, 7.1], mode_width = 0.05, highest_hz = 15.0 }"
    columns = [f"{letter}{k}" for k in range(1, 5) for letter in "fdq"]
    world = '[simulate]\nworld = "bridge"\nfeeds = { "acc.motion" = "deck.midspan" }\n'
    rig = make_window_rig(tmp_path, LEVEL % how + table("modes", 60, *columns) + world)
    rig.run(61)
    (found,) = rig.rows("modes")
    truth = rig.buses.world.frequencies(rig.clock.true_utc() - 30)  # type: ignore[attr-defined]
    for k, hz in ((1, truth[0]), (2, truth[1]), (4, truth[2])):
        assert found[f"f{k}"] == pytest.approx(hz, rel=0.01)
        assert found[f"d{k}"] == pytest.approx(1.1, abs=0.9)
        assert isinstance(quality := found[f"q{k}"], float)
        assert quality > 20
    assert [found[f"{letter}3"] for letter in "fdq"] == [Missing.NOT_AVAILABLE] * 3


def test_peaks_of_the_spectrum_are_tracked_and_a_machine_is_none() -> None:
    x = bridge(1)
    seconds = np.arange(len(x)) / 125
    x += 0.05 * np.sin(2 * np.pi * 50 / 3 * seconds)[:, None]
    how = WindowConfig(modes=(2.5, 4.3, 6.0, 16.7), mode_width=0.03)
    found = welch_peaks([x], Asked("xyz", 125.0, 2 * G, how, {"p1"}))
    assert found == {"p1": pytest.approx(2.5, rel=0.01), "p2": pytest.approx(4.3, rel=0.01)}
    assert welch_peaks([x[:1000]], Asked("xyz", 125.0, 2 * G, how, {"p1"})) == {}


def test_a_peak_fills_no_neighbours_place() -> None:
    how = WindowConfig(modes=(2.5, 4.3, 4.45), mode_width=0.05)
    found = welch_peaks([bridge(1)], Asked("xyz", 125.0, 2 * G, how, {"p1"}))
    assert found == {"p1": pytest.approx(2.5, rel=0.01), "p2": pytest.approx(4.3, rel=0.01)}


def test_a_gap_is_counted_and_not_made_up_for(tmp_path: Path) -> None:
    columns = ("completeness", "missing", "rms_x")
    rig = make_window_rig(tmp_path, THREE_AXES % "" + table("deck", 20, *columns))
    twin = shaken(rig, 0.05, 0.0, 0.0)
    rig.run(25)
    rig.clock.sleep(8)
    rig.run(17)
    found = rig.rows("deck")[-1]
    lost = 8 * 125 - 32  # its FIFO holds 32
    assert found["missing"] == pytest.approx(lost, abs=12)
    assert found["completeness"] == pytest.approx(100 * (1 - lost / 2500), abs=0.6)
    assert found["rms_x"] == pytest.approx(0.05 / math.sqrt(2), rel=0.02)
    stream = rig.node.streams["acc"]
    assert stream.ring.end + rig.figures("deck", "missing")[-1] <= twin.produced


@pytest.mark.no_cover
@pytest.mark.parametrize("driver", ["adxl355", "iis2iclx", "lis2dw12"])
def test_samples_at_the_end_of_the_range_are_counted(tmp_path: Path, driver: str) -> None:
    text = LEVEL.replace("iis2iclx", driver) % "" + table("deck", 10, "clipped", "peak_x")
    rig = make_window_rig(tmp_path, text)
    twin = rig.buses.twins["acc"]
    twin.motion = lambda at: (25.0 if 12 <= at < 13 else 0.0, 0.0, 0.0)[: len(twin.axes)]
    rig.run(22)
    first, second = rig.rows("deck")
    assert first["clipped"] == 0
    assert second["clipped"] == pytest.approx(twin.rate_hz, abs=2)


def test_a_failing_stream_is_told_long_before_its_row_is_due(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 600, "mean_x"))
    rig.run(30)
    sensor = rig.node.instruments["acc"]
    assert (sensor.state, rig.codes()) == ("ok", [])
    rig.buses.faults["acc"].unplugged = True
    rig.run(25)
    assert (sensor.state, rig.codes()) == ("degraded", [])  # a noisy cable fails once
    rig.run(50)
    assert rig.codes() == [SENSOR_FAILED]
    rig.buses.faults["acc"].unplugged = False
    rig.run(60)
    assert (sensor.state, rig.codes()) == ("ok", [SENSOR_FAILED, SENSOR_BACK])
    assert not rig.rows("deck")


def test_a_stream_that_fails_after_a_row_is_told_as_soon(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 300, "mean_x"))
    rig.run(310)
    assert len(rig.rows("deck")) == 1
    rig.buses.faults["acc"].unplugged = True
    rig.run(75)
    assert rig.codes() == [SENSOR_FAILED]


def test_status_shows_streams_before_their_first_row(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, THREE_AXES % "" + table("deck", 600, "mean_x"))
    rig.buses.twins["acc"].rate_error = 0.001
    rig.run(40)
    rig.clock.sleep(2)
    rig.run(100)
    stream = rig.node.snapshot()["streams"]["acc"]
    assert stream["samples"] == pytest.approx(140 * 125, rel=0.02)
    assert stream["fitted_hz"] == pytest.approx(125.125, rel=1e-5)
    assert (stream["gaps"], stream["reason"]) == (1, "")
    assert stream["missing"] == pytest.approx(2 * 125 - 32, abs=12)
    shown = Console(width=100, file=io.StringIO(), record=True)
    shown.print(streams(rig.node.snapshot()))
    assert re.search(r"Hz \(\+(999|1000|1001) ppm\)", shown.export_text())


def test_a_stream_that_no_table_reads_has_a_state_too(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + GAUGE + table("deck", 600, "e=eps.mean_strain"))
    rig.buses.faults["acc"].unplugged = True
    rig.node.snapshot()
    rig.run(30)
    assert rig.node.snapshot()["sensors"]["acc"]["state"] == "absent"
    assert rig.node.bad_sensors() == ["acc"]


def test_status_says_with_its_exit_code_that_a_stream_fails(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 600, "mean_x"))
    rig.run(5)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(rig.node.snapshot()))
    assert run("status", "--file", str(path)).exit_code == 0
    rig.buses.faults["acc"].unplugged = True
    rig.run(3)
    path.write_text(json.dumps(rig.node.snapshot()))
    done = run("status", "--file", str(path))
    assert done.exit_code == 1
    assert "Remote I/O error" in done.output


def test_a_longer_interval_by_downlink_has_all_its_samples(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 10, "completeness"))
    rig.run(31)
    (sampler,), store = rig.node.samplers, rig.node.store
    sampler.change(store.layout("deck", sampler.layout.schema, 1200))
    rig.run(5)
    ring = rig.node.streams["acc"].ring
    assert ring.capacity >= 1200 * 104
    assert ring.stretches()[0].first == 0


def test_an_interval_without_samples_leaves_no_old_value_to_others(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 10, "mean_x", "rms_x"))
    rig.run(22)
    sensor = rig.node.instruments["acc"]
    assert sensor.recent("rms_x") is not None
    rig.buses.faults["acc"].unplugged = True
    rig.run(20)
    assert sensor.recent("rms_x") is None
    assert "rms_x" in sensor.latest  # for people


def test_two_tables_of_one_interval_share_its_features(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 10, "rms_x"))
    rig.run(12)
    window = rig.node.instruments["acc"].sensor
    assert isinstance(window, Window)
    window.cut(10.0, 10.0, "one")
    first = window.read()
    window.cut(10.0 + 3e-6, 10.0, "other")  # each table reads the clock by itself
    assert window.read() is first


def test_an_absent_chip_fails_and_is_there_with_the_next_row(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 10, "mean_x", "completeness"))
    rig.buses.faults["acc"].unplugged = True
    rig.run(65)
    rig.buses.faults["acc"].unplugged = False
    rig.run(80)
    found = [row["mean_x"] for row in rig.rows("deck")]
    assert found[:6] == [Missing.FAILED] * 6
    assert all(isinstance(one, float) for one in found[8:])  # its stream backs off, it does not
    assert isinstance(found[-1], float)
    assert rig.rows("deck")[-1]["completeness"] == 100
    assert rig.node.instruments["acc"].state == "ok"


def test_a_chip_that_does_not_answer_at_the_slot_has_brought_its_samples_all_the_same(
    tmp_path: Path,
) -> None:
    text = LEVEL % "" + table("deck", 10, "mean_x", "temperature", "completeness")
    rig = make_window_rig(tmp_path, text)
    rig.run(9.5)
    rig.buses.faults["acc"].unplugged = True
    rig.run(1)
    (found,) = rig.rows("deck")
    assert found["mean_x"] == pytest.approx(0, abs=0.001)
    assert found["temperature"] is Missing.FAILED
    assert found["completeness"] == pytest.approx(93, abs=4)
    assert rig.node.instruments["acc"].state == "degraded"


def test_a_chip_that_left_too_early_for_any_figure_says_why(tmp_path: Path) -> None:
    rig = make_window_rig(tmp_path, LEVEL % "" + table("deck", 20, "tilt_x"))
    rig.run(3)
    rig.buses.faults["acc"].unplugged = True
    rig.run(18)
    assert rig.rows("deck") == [{"tilt_x": Missing.FAILED}]
    assert rig.node.instruments["acc"].reason == "0x6a: Remote I/O error"


# -- strain: cycles, damage, passages --------------------------------------------------------------

TRAFFIC = (
    table("deck", 10, "eps=eps.mean_strain", "top=eps.max_strain")
    + table("traffic", 20, *(f"c{k}=eps.cycles_strain_{k}" for k in range(4)),
            "damage=eps.damage_strain", "lane1=eps.passages_strain", "top1=eps.top_strain_1")
)  # fmt: skip


def zigzag(at: float) -> float:
    """Strain in um/m: 350 up and down every 4 s, with a rest at both ends."""
    return min(max(250 * abs(at % 4 - 2) - 75, 0.0), 350.0)


def strained(rig: WindowRig, of: object = zigzag) -> WindowRig:
    rig.buses.twins["eps"].truth = Signal("strain", rig.clock.monotonic, of)  # type: ignore[arg-type]
    return rig


def cycles(rig: WindowRig) -> float:
    return sum(rig.figures("traffic", "c3"))


def per_half_cycle() -> float:
    """Miner sum of half a cycle."""
    from agent.features.fatigue import steel

    return 0.5 / steel(36).endurance(350 * 0.21)


def test_cycles_are_counted_once_though_another_table_reads_the_window_too(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC))
    rig.run(120.5)
    assert len(rig.rows("deck")) == 12
    assert cycles(rig) == pytest.approx(60, abs=4)
    damage = rig.rows("traffic")[-1]["damage"]
    assert damage == pytest.approx(cycles(rig) * per_half_cycle(), rel=0.01)
    assert [row["c0"] for row in rig.rows("traffic")] == [0] * 6
    rig.node.close()


def test_what_is_counted_goes_on_after_a_restart(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC))
    rig.run(60.5)
    before = rig.rows("traffic")[-1]["damage"]
    rig.node.close()
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC, rig.clock))
    rig.run(60)
    rows = rig.rows("traffic")
    assert len(rows) == 6
    assert cycles(rig) == pytest.approx(60, abs=4)
    assert rows[-1]["damage"] == pytest.approx(cycles(rig) * per_half_cycle(), rel=0.01)
    assert rows[-1]["damage"] > before  # type: ignore[operator]
    rig.node.close()


def test_a_kill_between_read_and_put_counts_nothing_twice(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC))
    rig.run(60.5)
    kept = rig.node.store.setting(state_key("eps"))
    streams = [one for one in rig.node.jobs if one.name.startswith("stream")]
    rig.node.jobs[:] = streams
    rig.run(19.5)
    slot = (rig.clock.monotonic(), 20.0, "traffic")
    assert rig.node.instruments["eps"].ask(slot)["cycles_strain_3"] == pytest.approx(10, abs=2)
    assert rig.node.store.setting(state_key("eps")) == kept
    rig.node.close()
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC, rig.clock))
    rig.run(60.5)
    rows = rig.rows("traffic")
    assert len(rows) == 6
    assert cycles(rig) == pytest.approx(60, abs=4)
    assert rows[-1]["damage"] == pytest.approx(cycles(rig) * per_half_cycle(), rel=0.01)
    rig.node.close()


def test_state_goes_with_the_rows_that_count_and_with_no_others(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC))
    rig.run(15)
    eps = rig.node.instruments["eps"]
    assert rig.node.store.setting(state_key("eps")) is None
    eps.ask((20.0, 20.0, "traffic"))
    assert eps.carried("deck") is None
    assert eps.carried("traffic") is not None
    assert eps.carried("traffic") is None
    rig.node.close()


def lorries(at: float) -> float:
    """One of 8 um/m for 2 s every 15 s, on a level of 20."""
    return 28.0 if 13 <= at % 15 < 15 else 20.0


def test_vehicles_are_counted_with_their_heaviest(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC), lorries)
    rig.run(60.5)
    assert sum(rig.figures("traffic", "lane1")) == 3
    assert rig.rows("traffic")[-1]["top1"] == pytest.approx(8, abs=0.5)
    assert rig.rows("deck")[-1]["top"] == pytest.approx(28, abs=0.3)
    assert rig.rows("deck")[3]["eps"] == pytest.approx(20, abs=0.3)
    rig.node.close()


def test_a_level_of_long_ago_makes_no_vehicle(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC), lambda at: 20.0)
    rig.run(20.5)
    rig.node.close()
    rig.clock.sleep(7200)  # switched off; warmer meanwhile
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC, rig.clock), lambda at: 60.0)
    rig.run(25)
    kept = json.loads(rig.node.store.setting(state_key("eps")) or b"")
    assert kept["axes"]["strain"]["passage"]["running"] == []
    assert min(kept["axes"]["strain"]["passage"]["quiet"]) == pytest.approx(60, abs=0.1)
    rig.node.close()


CALIBRATED = GAUGE + "calibrate = { strain = { gain = 2.0, offset = -40.0 } }\n"
TRIGGER = """
[[trigger]]
kind = "vehicle"
instrument = "eps"
axis = "strain"
column = "deck.top"
on = 12.0
off = 6.0
classes = [10.0, 20.0]
"""


def test_a_calibrated_axis_is_calibrated_in_all_that_is_made_of_it(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, CALIBRATED + TRAFFIC + TRIGGER), lorries)
    rig.run(60.5)
    assert rig.rows("deck")[3]["eps"] == pytest.approx(0, abs=0.6)
    assert rig.rows("deck")[-1]["top"] == pytest.approx(16, abs=0.6)
    assert rig.rows("traffic")[-1]["top1"] == pytest.approx(16, abs=1)
    told = [one.value for one in rig.link.far.events if one.code == 10]
    assert len(told) == 3
    assert [one[3] for one in told] == [1, 1, 1]  # type: ignore[index]
    assert [one[0] * 0.1 for one in told] == pytest.approx([16, 16, 16], abs=1)  # type: ignore[index]
    rig.node.close()


def test_cycles_and_damage_follow_the_gain_of_their_axis(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, CALIBRATED + TRAFFIC), lambda at: zigzag(at) / 2)
    rig.run(60.5)
    assert cycles(rig) == pytest.approx(30, abs=4)
    damage = rig.rows("traffic")[-1]["damage"]
    assert damage == pytest.approx(cycles(rig) * per_half_cycle(), rel=0.01)
    rig.node.close()


def test_another_calibration_ends_what_has_begun_and_keeps_the_sum(tmp_path: Path) -> None:
    rig = strained(make_window_rig(tmp_path, GAUGE + TRAFFIC))
    rig.run(40.5)
    before = rig.rows("traffic")[-1]["damage"]
    rig.node.close()
    tared = GAUGE + "calibrate = { strain = { offset = -5000 } }\n" + TRAFFIC
    rig = strained(make_window_rig(tmp_path, tared, rig.clock), lambda at: 100.0)
    rig.run(40)
    assert rig.rows("deck")[-1]["eps"] == pytest.approx(-4900, abs=1)
    assert rig.rows("traffic")[-1]["damage"] == before  # the step of 5000 um/m is no cycle
    rig.node.close()


def test_what_is_clipped_is_told_of_a_calibrated_axis_too(tmp_path: Path) -> None:
    text = LEVEL % "calibrate = { x = { gain = 0.98, offset = -0.05 } }"
    rig = make_window_rig(tmp_path, text + table("deck", 10, "clipped", "mean_x", "mean_y"))
    twin = shaken(rig, 0.1, 0.1, offset=0.2)
    rig.run(10.5)
    twin.motion = lambda at: [99.0, 0.3]
    rig.run(10)
    first, second = rig.rows("deck")
    assert first["clipped"] == 0
    assert first["mean_x"] == pytest.approx(0.2 * 0.98 - 0.05, abs=0.005)
    assert second["clipped"] == pytest.approx(twin.rate_hz * 10, abs=60)
    assert second["mean_y"] == pytest.approx(0.3, abs=0.02)
    rig.node.close()


# -- what is refused, and what is not loaded -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GAUGE + TRAFFIC + table("more", 60, "n=eps.passages_strain"),
         r"table\[2\].columns: 'eps' is counted for table 'traffic' already: put both into one"),
        (GAUGE.replace("rate_hz = 4, ", "") + table("deck", 10, "eps=eps.mean_strain"),
         "driver 'ads122c04': window.rate_hz is missing: how often a second"),
        (LEVEL % "window = { rate_hz = 10 }" + table("deck", 10, "mean_x"),
         "driver 'iis2iclx': window.rate_hz: it samples by itself: give its own rate_hz"),
        (LEVEL % "" + table("deck", 10, "f1"), "'acc' does not measure 'f1'"),
        (LEVEL % "calibrate = { z = { gain = 2 } }" + table("deck", 10, "mean_x"),
         "calibrate.z: 'acc' does not measure it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        make_window_rig(tmp_path, text)


def test_a_state_that_cannot_be_read_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_window_rig(tmp_path, GAUGE + TRAFFIC)
    for kept in (b"[1]", b"{", b'{"axes": 1, "until": 0}'):
        caplog.clear()
        rig.node.instruments["eps"].carry_on(kept)
        assert "state=forgotten" in caplog.text
    rig.node.close()


def test_probe_listens_to_streams_and_says_what_waits_for_an_interval(tmp_path: Path) -> None:
    level = LEVEL % "window = { modes = [2.5] }"
    derived = (
        '[[instrument]]\nname = "tone"\ndriver = "baseline"\nkind = "frequency"\n'
        'inputs = { value = "acc.f1", temperature_cel = "acc.temperature" }\n'
    )
    text = level + GAUGE + derived + table("deck", 600, "f1", "eps=eps.mean_strain")
    (tmp_path / "node.toml").write_text('node = { name = "deck" }\n' + text)
    done = run("probe", "--simulate", "--no-links", str(tmp_path / "node.toml"))
    assert done.exit_code == 0, done.output
    clock, acc, eps, tone, said = done.output.splitlines()
    assert "vouches for the time" in clock
    assert acc.startswith("ok   acc          iis2iclx i2c-1           mean_x 0 m/s², mean_y 0 m/s²")
    assert ", temperature 1" in acc
    assert "mean_strain 12.5" in eps
    assert "from the first interval of acc.f1, acc.temperature on" in tone
    assert said == "3 good, 0 failed"


SCRIPT = """
import sys
from pathlib import Path
from tests.test_cli import run
from tests.window_kit import GAUGE, LEVEL, make_window_rig, table
folder = Path(sys.argv[1])
plain = GAUGE.replace("window", "#") + table("deck", 10, "eps=eps.strain")
rig = make_window_rig(folder, plain)
rig.run(11)
assert len(rig.rows("deck")) == 1
print("numpy" in sys.modules)
rig.node.close()
rig = make_window_rig(folder, LEVEL % "" + table("more", 10, "rms_x", "tilt_x", "ppv_x"))
rig.run(11)
print("numpy" in sys.modules, "scipy" in sys.modules)
"""


def test_numpy_is_for_windows_alone_and_scipy_for_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True", "False"], done.stderr
