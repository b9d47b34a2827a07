"""A whole node with a FIFO chip and a fast gauge: events and records reach the far side."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import group
from agent.clock import VirtualClock
from agent.config import parse
from agent.daemon import run_virtual
from agent.measure.health import HealthSource
from agent.measure.window import Window
from agent.node import build
from agent.plan import make_plan
from agent.simulate import SimBuses, check_feeds, make_world
from tests.rig import MemoryLink
from tests.trigger_kit import shaken

PROFILE = """
node = { name = "bridge" }
[[instrument]]
name = "acc"
driver = "iis2iclx"
bus = "i2c-1"
[[instrument]]
name = "s1"
driver = "nau7802"
bus = "i2c-1"
window = { rate_hz = 5 }
[[table]]
name = "deck"
interval_s = 60
columns = [{ name = "peak", from = "acc.peak_y" }, { name = "eps", from = "s1.max_strain" }]
[[trigger]]
kind = "vibration"
column = "deck.peak"
instrument = "acc"
axis = "y"
floor = 0.005
record = true
[[trigger]]
kind = "vehicle"
column = "deck.eps"
instrument = "s1"
axis = "strain"
on = 3
off = 1.5
record = true
[[link]]
name = "city"
kind = "mqtt"
"""


def test_events_and_records_of_a_whole_node(tmp_path: Path, clock: VirtualClock) -> None:
    config, source = parse(tmp_path / "node.toml", PROFILE)
    world = make_world(config, source)
    check_feeds(config, source, world)
    buses = SimBuses(clock, clock.true_utc, world, config.simulate.feeds, HealthSource(clock))
    made = make_plan(config, source, buses)
    link = MemoryLink(clock)
    node = build(made, clock, store_path=tmp_path / "store.db", links={"city": link.with_encoder})
    gauge = buses.twins["s1"]
    buses.twins["acc"].motion = shaken(40.0, 4.0, 0.2)
    run_virtual(node.jobs, clock, 30)
    gauge.truth = {"strain": gauge.truth["strain"] + 20}
    run_virtual(node.jobs, clock, 35)
    gauge.truth = {"strain": gauge.truth["strain"] - 20}
    run_virtual(node.jobs, clock, 120)
    assert sorted((e.column, e.code) for e in link.far.events if e.code == 10) == [(0, 10), (1, 10)]
    assert len(link.far.records) == 2
    assert [one.name for one in node.jobs if "trigger" in one.name] == ["trigger-acc", "trigger-s1"]
    assert not link.far.refused
    assert node.store.counts().messages == {"city": 0}
    node.close()


GAUGES = """
node = { name = "bridge" }
instrument = [
  { name = "s1", driver = "nau7802", bus = "i2c-1", window = { rate_hz = 4 } },
  { name = "s2", driver = "nau7802", bus = "i2c-2", window = { rate_hz = 4 } },
]
table = [{ name = "deck", interval_s = 60, columns = [{ name = "eps", from = "s1.max_strain" }] }]
trigger = [
  { kind = "vehicle", column = "deck.eps", instrument = "s2", axis = "strain", on = 3, off = 1.5 },
]
link = [{ name = "city", kind = "mqtt" }]
"""


def test_a_chip_that_only_a_trigger_listens_to_is_told_when_it_fails_and_is_back(
    tmp_path: Path, clock: VirtualClock
) -> None:
    config, source = parse(tmp_path / "node.toml", GAUGES)
    buses = SimBuses(clock, clock.true_utc, make_world(config, source), {}, HealthSource(clock))
    link = MemoryLink(clock)
    made = make_plan(config, source, buses)
    node = build(made, clock, store_path=tmp_path / "store.db", links={"city": link.with_encoder})

    def told() -> list[tuple[int | None, int]]:
        return [(one.column, one.code) for one in link.far.events if one.schema]

    run_virtual(node.jobs, clock, 30)
    assert [one.state for one in node.instruments.values()] == ["ok", "ok"]
    buses.faults["s2"].unplugged = True
    run_virtual(node.jobs, clock, 110)
    assert told() == [(0, 4)]
    buses.faults["s2"].unplugged = False
    run_virtual(node.jobs, clock, 150)
    assert told() == [(0, 4), (0, 5)]
    buses.faults["s1"].unplugged = True  # its table tells it, and nobody else
    run_virtual(node.jobs, clock, 300)
    assert told() == [(0, 4), (0, 5), (0, 4)]
    node.close()


@pytest.mark.parametrize(("interval_s", "warned"), [(60, 0), (1800, 0), (14_400, 1)])
def test_check_warns_of_a_chip_whose_samples_fill_the_memory(
    tmp_path: Path, interval_s: int, warned: int
) -> None:
    path = tmp_path / "node.toml"
    long = f"interval_s = {interval_s}"
    path.write_text(PROFILE.replace("interval_s = 60", long).replace("iis2iclx", "adxl355"))
    done = CliRunner().invoke(group, ["check", str(path)])
    assert done.exit_code == 0, done.output
    words = "instrument acc: for table deck samples of 14400 s stay in memory, 48 MB at least"
    own = done.output.partition("on this machine:")[0]
    assert own.count("warning:") == own.count(words) == warned
    shown = CliRunner().invoke(group, ["check", "--json", str(path)])
    assert len(json.loads(shown.output)["warnings"]) == warned


def test_a_warning_says_what_the_samples_take(tmp_path: Path, clock: VirtualClock) -> None:
    config, source = parse(tmp_path / "node.toml", PROFILE)
    window = make_plan(config, source).sensors["acc"]
    assert isinstance(window, Window)
    ring = window.open(clock).ring
    window.hold(14_400)
    assert 8 * ring.axes * ring.capacity == pytest.approx(window.memory_bytes(14_400))


def test_check_names_the_triggers(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(PROFILE)
    done = CliRunner().invoke(group, ["check", str(tmp_path / "node.toml")])
    assert done.exit_code == 0, done.output
    assert "trigger deck.peak: vibration on acc.y, keeps records" in done.output
