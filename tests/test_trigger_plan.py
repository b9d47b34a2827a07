"""[[trigger]] and [records]: the good one is understood, each wrong one named with line and key."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.config import parse
from agent.config.sections import VehicleConfig, VibrationConfig
from agent.config.source import ConfigError
from agent.events.trigger import Watch
from agent.measure.stream import Polled
from agent.model.schema import Schema, field_for
from agent.plan.links import check_links
from agent.plan.tables import TablePlan
from agent.plan.triggers import TriggerPlan, make_triggers, sampled
from drivers.api import Quantity

GOOD = """
node = { name = "bridge" }
records = { path = "/x/records", max_mb = 50 }
[[instrument]]
name = "acc"
driver = "adxl355"
[[table]]
name = "deck"
interval_s = 600
columns = [{ name = "peak", from = "acc.peak_y" }, { name = "eps", from = "s1.max_strain" }]
[[trigger]]
kind = "vibration"
column = "deck.peak"
instrument = "acc"
axis = "y"
floor = 0.005
band_hz = [0.5, 30]
short_s = 0.5
[[trigger]]
kind = "vehicle"
column = "deck.eps"
instrument = "s1"
axis = "strain"
on = 3
off = 1.5
known_peak = 40
known_t = 48
classes_t = [3.5, 12, 40]
record = true
[[link]]
name = "city"
kind = "mqtt"
carries = ["deck", "records"]
"""
HERE = Path("node.toml")


class Gauge:
    quantities = {"strain": Quantity("strain", 0.1, -1000, 1000)}


class Accelerometer:
    axes, unit, rate_hz, depth_s = ("x", "y"), "m/s2", 104.0, 4.0

    def drain(self) -> None: ...


def sensors() -> dict[str, Any]:
    """As the plan knows them: a chip, and a gauge that a window reads fast."""
    window = {"source": Gauge(), "axes": ("strain",), "options": SimpleNamespace(rate_hz=10.0)}
    return {"acc": Accelerometer(), "s1": SimpleNamespace(**window), "air": Gauge()}


def planned(text: str) -> list[TriggerPlan]:
    config, source = parse(HERE, text)
    fields = (field_for("peak", "acceleration", 1e-4), field_for("eps", "strain", 0.1))
    schema = Schema(300, fields)
    check_links(config, source)
    return make_triggers(config, source, [TablePlan("deck", 600, schema, [])], sensors())


def test_good_triggers_are_understood() -> None:
    shaking, vehicles = planned(GOOD)
    assert isinstance(shaking.config, VibrationConfig)
    assert (shaking.kind, vehicles.kind) == ("vibration", "vehicle")
    assert (shaking.axis, shaking.unit, shaking.schema, shaking.column) == (1, "m/s2", 300, 0)
    assert isinstance(vehicles.config, VehicleConfig)
    assert (vehicles.axis, vehicles.unit, vehicles.column) == (0, "um/m", 1)
    assert (vehicles.config.before_s, vehicles.config.after_s) == (10, 20)
    assert list(Watch.of(vehicles, 10).limits) == pytest.approx(
        [40 / 48 * t for t in (3.5, 12, 40)]
    )
    assert Watch.of(shaking, 104).limits == ()


WRONG = [
    ('kind = "vehicle"', 'kind = "vehicel"', 20, "trigger[1].kind", "one of vehicle, vibration"),
    ('kind = "vehicle"', "", 19, "trigger[1].kind", "is missing"),
    ("floor =", "flor =", 16, "trigger[0].flor", "mean 'floor'?"),
    ("floor = 0.005", "", 11, "trigger[0].floor", "is missing"),
    ("on = 3\n", "", 19, "trigger[1].on", "is missing"),
    ("known_t = 48\n", "knwon_t = 48\n", 27, "trigger[1].knwon_t", "mean 'known_t'?"),
    ("max_mb = 50", "max_md = 50", 3, "records.max_md", "mean 'max_mb'?"),
    ("max_mb = 50", "max_mb = 0", 3, "records.max_mb", "a number of at least 1"),
    ('"deck.peak"', '"dec.peak"', 13, "trigger[0].column", "no table 'dec'; did you mean 'deck'?"),
    ('"deck.peak"', '"deck.peek"', 13, "trigger[0].column", "no 'peek'; did you mean 'peak'?"),
    ('"deck.eps"', '"deck.peak"', 21, "trigger[1].column", "has a trigger already"),
    ('"deck.peak"', '"deck.eps"', 13, "trigger[0].column", "is in um/m, axis 'y' in m/s2"),
    ('instrument = "acc"', 'instrument = "ac"', 14, "trigger[0].instrument", "mean 'acc'?"),
    ('instrument = "acc"', 'instrument = "air"', 14, "trigger[0].instrument", "a window with rate"),
    ('axis = "y"', 'axis = "z"', 15, "trigger[0].axis", "no axis 'z'; known here: x, y"),
    ("[0.5, 30]", "[0.5, 60]", 17, "trigger[0].band_hz", "below 52 Hz"),
    ("[0.5, 30]", "[30, 5]", 17, "trigger[0].band_hz", "[low, high]"),
    ("short_s = 0.5", "short_s = 10\nlong_s = 9", 18, "trigger[0].short_s", "less than long_s = 9"),
    ("off = 1.5", "off = 3.5", 25, "trigger[1].off", "less than on = 3, got 3.5"),
    ("known_t = 48\n", "", 19, "trigger[1].known_t", "is missing: known_peak, known_t"),
    ("[3.5, 12, 40]", "[12, 3.5]", 28, "trigger[1].classes_t", "ascending"),
    ("record = true", "classes = [1]", 29, "trigger[1].classes", "name one"),
    ('kind = "mqtt"', 'kind = "file"\npath = "x"', 34, "link[0].carries", "over MQTT only"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line", "key", "hint"), WRONG)
def test_a_wrong_trigger_is_one_line_that_says_what_to_do(
    right: str, wrong: str, line: int, key: str, hint: str
) -> None:
    assert GOOD.count(right) == 1
    with pytest.raises(ConfigError) as caught:
        planned(GOOD.replace(right, wrong))
    text = str(caught.value)
    assert text.startswith(f"node.toml:{line}: {key}: ")
    assert hint in text
    assert "\n" not in text


def test_a_sensor_read_too_slowly_sees_no_vehicle() -> None:
    config, source = parse(HERE, GOOD)
    slow = sensors()
    slow["s1"].options = SimpleNamespace(rate_hz=1.0)
    fields = (field_for("peak", "acceleration", 1e-4), field_for("eps", "strain", 0.1))
    tables = [TablePlan("deck", 600, Schema(300, fields), [])]
    with pytest.raises(ConfigError, match="1 samples a second are too few: it takes 2"):
        make_triggers(config, source, tables, slow)


def test_whatever_brings_samples_is_known_by_its_axes_units_and_rate(clock: VirtualClock) -> None:
    assert sampled(Gauge()) is None
    chip = sampled(Accelerometer())
    assert chip is not None
    assert (chip.axes, chip.units, chip.rate_hz) == (("x", "y"), ["m/s2"] * 2, 104)
    polled = sampled(Polled(Gauge(), 5.0, clock))  # type: ignore[arg-type]
    assert polled is not None
    assert (list(polled.axes), polled.units, polled.rate_hz) == (["strain"], ["um/m"], 5)
