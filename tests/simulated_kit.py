"""A profile that starts on simulated chips and measures for a while."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.clock import VirtualClock
from agent.daemon import run_virtual
from agent.measure.health import HealthSource
from agent.node import build
from agent.plan import make_plan, read_profile
from agent.simulate import SimBuses, check_feeds, make_world
from agent.status import Node
from tests.conftest import MONDAY
from tests.rig import MemoryLink

SOON_S, RUN_S = 20, 41  #: interval of all tables; two of them, and a second


def measured(profile: Path, folder: Path) -> Node:
    """The node, closed, after two intervals; what it measured is in its store."""
    config, source = read_profile(profile)
    soon = tuple(msgspec.structs.replace(table, interval_s=SOON_S) for table in config.table)
    config = msgspec.structs.replace(config, table=soon)
    clock = VirtualClock(MONDAY)
    world = make_world(config, source)
    check_feeds(config, source, world)
    buses = SimBuses(
        clock,
        clock.true_utc,
        world,
        config.simulate.feeds,
        HealthSource(clock),
        config.simulate.rate_error,
    )
    made = make_plan(config, source, buses)
    links = {one.name: MemoryLink(clock).with_encoder for one in config.link}
    node = build(made, clock, store_path=folder / "store.db", links=links)
    run_virtual(node.jobs, clock, clock.monotonic() + RUN_S)
    node.close()
    return node
