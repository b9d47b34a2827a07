"""Rows of a simulated node against the exported truth of its world, as a pupil would compare."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from agent.model.schema import Missing
from drivers.sim.truth_files import write_truth
from drivers.sim.world import SchoolDay
from tests.conftest import MONDAY
from tests.features_kit import law
from tests.window_kit import THREE_AXES, WindowRig, make_window_rig, table

STEP_S = 60
BEGIN = (MONDAY // STEP_S + 1) * STEP_S  # of the first row
ROWS = 3
DECK = """
[[instrument]]
name = "top"
driver = "ds18b20"
bus = "w1"
rom = "28-000000000001"
[[instrument]]
name = "crack"
driver = "ads1115"
bus = "i2c-1"
[[instrument]]
name = "eps"
driver = "ads122c04"
bus = "i2c-1"
[[instrument]]
name = "tilt"
driver = "iis2iclx"
bus = "i2c-2"
[simulate]
world = "bridge"
seed = 3
[simulate.feeds]
"acc.motion" = "deck.midspan"
"tilt.motion" = "deck.west"
"top.temperature" = "deck.midspan.top"
"crack.crack_width" = "crack.width_1"
"eps.strain" = "deck.midspan.strain_1"
"""
MODES = "window = { modes = [2.5, 4.3, 7.1, 11.0], highest_hz = 15.0 }"
Exported = tuple[list[dict[str, float]], list[dict[str, float]]]  # channels, vehicles
HERTZ = ("f1", "f2", "f3", "f4")


def read(path: Path) -> list[dict[str, float]]:
    """A CSV file with names above its columns."""
    with path.open(encoding="utf-8") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> WindowRig:
    """A node that has watched the bridge for three minutes."""
    text = table("modes", STEP_S, *HERTZ)
    text += table(
        "deck", STEP_S, "top=top.temperature", "crack=crack.crack_width", "eps=eps.strain",
        "tilt_x=tilt.tilt_x", "tilt_y=tilt.tilt_y",
    )  # fmt: skip
    rig = make_window_rig(tmp_path_factory.mktemp("truth"), THREE_AXES % MODES + text + DECK)
    rig.run(BEGIN - MONDAY + (ROWS - 1) * STEP_S + 2)
    return rig


@pytest.fixture(scope="module")
def truth(measured: WindowRig) -> Exported:
    """What was exported of the world: a row per row of the node, and the vehicles."""
    path = measured.node.store.path.parent / "truth.csv"
    end = BEGIN + ROWS * STEP_S
    channels, vehicles = write_truth(path, measured.buses.world, BEGIN, end, STEP_S)
    return read(channels), read(vehicles)


def test_slow_rows_are_the_exported_truth(measured: WindowRig, truth: Exported) -> None:
    true, vehicles = truth
    rows = measured.rows("deck")
    assert len(rows) == len(true) == ROWS
    empty = 0
    for row, now in zip(rows, true, strict=True):
        assert row["top"] == pytest.approx(now["deck.midspan.top"], abs=0.1)
        assert row["crack"] == pytest.approx(now["crack.width_1"], abs=0.012)
        assert row["tilt_x"] == pytest.approx(now["deck.west.tilt_x"], abs=0.002)
        assert row["tilt_y"] == pytest.approx(now["deck.west.tilt_y"], abs=0.002)
        if not any(one["unix"] - 1 < now["unix"] < one["unix"] + 11 for one in vehicles):
            assert row["eps"] == pytest.approx(now["deck.midspan.strain_1"], abs=0.5)
            empty += 1
    assert empty


def test_frequencies_are_the_exported_ones_within_what_a_minute_can_tell(
    measured: WindowRig, truth: Exported
) -> None:
    missed = 0
    for row, now in zip(measured.rows("modes")[1:], truth[0][1:], strict=True):
        for number, name in enumerate(HERTZ, 1):
            found, hz = row[name], now[f"mode_{number}_hz"]
            if isinstance(found, Missing):
                missed += 1
            else:
                assert found == pytest.approx(hz, rel=4 * law(hz, 0.012, STEP_S))
    assert missed <= 2  # of eight: a minute is short for what is never filled


def test_a_class_room_has_one_file(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    room = SchoolDay(1)
    assert write_truth(path, room, MONDAY, MONDAY + 120, 60) == [path]
    rows = read(path)
    assert [one["unix"] for one in rows] == [MONDAY, MONDAY + 60]
    assert rows[1]["room.co2"] == pytest.approx(room.truth("room.co2", MONDAY + 60), rel=1e-5)
