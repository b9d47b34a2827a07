"""The one place that builds: buses, instruments, tables, store, links, jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import cast

from agent import codec
from agent.clock import Clock
from agent.codec.messages import hello, node_event, schema_slice
from agent.config.sections import Config, LinkConfig, LorawanConfig
from agent.config.source import Source
from agent.daemon import Daemon, Job
from agent.events.archive import Archive
from agent.events.folder import Records, folder_of
from agent.housekeeping import Housekeeping
from agent.loadtest.job import LoadTest
from agent.loadtest.mailbox import Mailbox
from agent.measure.buses import Buses, MachineBuses
from agent.measure.health import HealthSource
from agent.measure.instrument import Instrument
from agent.measure.sampler import Sampler, alarm_key, state_key
from agent.measure.sampler import Source as ColumnSource
from agent.measure.stream import Stream
from agent.measure.window import Window
from agent.model.alarm import CLEARED
from agent.model.batch import Message
from agent.plan import Plan, make_plan, read_profile
from agent.plan.tables import TablePlan
from agent.plan.triggers import TriggerPlan
from agent.status import Node, useless_downlinks
from agent.store import Store
from agent.store.interim import Interim, open_store
from agent.transport.bounds import bounds
from agent.transport.commands import Commands
from agent.transport.install import identity
from agent.transport.links import Link
from agent.transport.links.encoder import Encoder, no_records
from agent.transport.links.make import LinkMaker, fill_s, make_link, policy, style
from agent.transport.settings import Settings, fill_key, interval_key, limits_key, packed_key
from agent.transport.trial import Trials
from agent.transport.uplink import Uplink


def open_node(
    profile: Path,
    *,
    simulate: bool = False,
    store_path: Path | None = None,
    state_file: Path | None = None,
) -> Node:
    """The node of a profile on this machine's clock and buses, or on simulated buses.

    Raises ConfigError, OSError.
    """
    clock = Clock()
    config, source = read_profile(profile)
    made = make_plan(config, source, open_buses(config, source, clock, simulate=simulate))
    return build(made, clock, store_path=store_path, state_file=state_file)


def open_buses(config: Config, source: Source, clock: Clock, *, simulate: bool) -> Buses:
    """The buses of this machine, or simulated ones in its own time. Raises ConfigError."""
    health = HealthSource(clock)
    if not simulate:
        return MachineBuses(clock, health)
    # start-up: a node on its own buses needs none of it
    from agent.simulate import SimBuses, check_feeds, make_world

    world = make_world(config, source)
    check_feeds(config, source, world)
    given = config.simulate
    return SimBuses(clock, clock.system_utc, world, given.feeds, health, given.rate_error)


def build(
    made: Plan,
    clock: Clock,
    *,
    store_path: Path | None = None,
    links: Mapping[str, LinkMaker] = MappingProxyType({}),
    state_file: Path | None = None,
) -> Node:
    """A node ready to run. `links` makes others than the profile's (tests, demo).

    Raises ConfigError, and OSError where the store is another's.
    """
    config = made.config
    clock.accepts = config.clock.trust
    store = open_store(
        store_path or Path(config.store.path),
        clock,
        max_bytes=round(config.store.max_mb * 1e6),
        max_days=config.store.max_days,
    )
    store.new_event = partial(node_event, clock=clock)
    health = getattr(made.buses, "node", None)
    if isinstance(health, HealthSource):
        health.store = store
    settings = Settings(store, profile_values(made), bounds(config.commands, config.node))
    instruments = make_instruments(made, clock)
    for name, instrument in instruments.items():
        if (kept := store.setting(state_key(name))) is not None:
            instrument.carry_on(kept)
    streams = make_streams(made, clock)
    samplers = [make_sampler(one, made, store, clock, settings, instruments) for one in made.tables]
    node = Node(config, clock, store, instruments, streams, samplers)
    node.identity = identity(store.path, store)
    if isinstance(health, HealthSource):
        health.bad_sensors = lambda: len(node.bad_sensors())
        health.useless_downlinks = partial(useless_downlinks, node)
    add_jobs(node, made, settings, links, state_file)
    return node


def profile_values(made: Plan) -> dict[str, object]:
    """Every value of the profile that a downlink may replace."""
    values: dict[str, object] = {}
    for table in made.tables:
        values[interval_key(table.name)] = table.interval_s
        for alarm in made.alarms[table.name]:
            name = table.schema.fields[alarm.column].name
            values[limits_key(table.name, name)] = [alarm.above, alarm.below]
    for link in made.config.link:
        values[fill_key(link.name)] = fill_s(link, made)
        values[packed_key(link.name)] = link.body == "packed"
    return values


def make_instruments(made: Plan, clock: Clock) -> dict[str, Instrument]:
    """Every sensor under its name, with calibration and the inputs it compensates with."""
    instruments = {
        one.name: Instrument(
            one.name,
            made.sensors[one.name],
            clock,
            one.calibrate,
            still_s=one.still_s,
            patience_s=one.patience_s,
        )
        for one in made.config.instrument
    }
    for one in made.config.instrument:
        instruments[one.name].inputs = {
            key: partial(instruments[other].recent, quantity)
            for key, (other, quantity) in ((k, r.split(".")) for k, r in one.inputs.items())
        }
    return instruments


def make_streams(made: Plan, clock: Clock) -> dict[str, Stream]:
    """One per window."""
    windows = ((name, one) for name, one in made.sensors.items() if isinstance(one, Window))
    return {name: one.open(clock) for name, one in windows}


def make_sampler(
    table: TablePlan,
    made: Plan,
    store: Store,
    clock: Clock,
    settings: Settings,
    instruments: Mapping[str, Instrument],
) -> Sampler:
    """The sampler of one table, with interval and limits as they stand now."""
    interval_s = cast(int, settings.get(interval_key(table.name)))
    layout = store.layout(table.name, table.schema, interval_s)
    sources = [
        ColumnSource(instruments[one[0]], one[1]) if one else ColumnSource(None, "")
        for one in table.sources
    ]
    sampler = Sampler(layout, sources, store, clock, made.alarms[table.name])
    for column, one in enumerate(table.schema.fields):
        limits = settings.get(limits_key(table.name, one.name))
        if limits is not None:
            sampler.set_limits(column, *cast(list[int | None], limits))
    for alarm in sampler.alarms:
        alarm.code = int(store.setting(alarm_key(layout, alarm.column)) or CLEARED)
    return sampler


def add_jobs(
    node: Node,
    made: Plan,
    settings: Settings,
    links: Mapping[str, LinkMaker],
    state_file: Path | None,
) -> None:
    """One job per table and link, and the housekeeping."""
    store, clock, config = node.store, node.clock, node.config
    health = getattr(made.buses, "node", None)
    store.links({one.name: policy(one, settings) for one in config.link})
    say_hello = partial(new_hello, node, made)
    commands = make_commands(node, settings, say_hello)
    archive = open_archive(node, made)
    raw_chunk = archive.frame if archive else no_records

    def link_of(one: LinkConfig, wake: threading.Event) -> Link:
        if one.name in links:
            return links[one.name](Encoder(clock, style(one), raw_chunk))
        install = node.identity.install.hex()
        return make_link(one, made, store, clock, wake, node.stopping, raw_chunk, install)

    for one in config.link:
        wake = threading.Event()
        link = link_of(one, wake)
        node.uplinks.append(Uplink(one.name, link, store, clock, commands, wake))
        store.wakes.append(wake)
        if isinstance(health, HealthSource) and isinstance(one, LorawanConfig):
            health.radio = getattr(link, "radio", dict)
    greet = Greeting(node, made, say_hello)
    housekeeping = Housekeeping(store, clock, greet, node.snapshot, state_file)
    node.jobs += [Job(f"table-{one.layout.table}", one.step, one.wake) for one in node.samplers]
    node.jobs += [Job(f"stream-{name}", one.step, one.wake) for name, one in node.streams.items()]
    node.jobs += make_triggers(node, made, archive) if made.triggers else []
    node.jobs += [Job(f"link-{one.name}", one.step, one.wake) for one in node.uplinks]
    node.jobs.append(Job("housekeeping", housekeeping.step))
    if isinstance(store, Interim):
        node.jobs.append(Job("store", partial(store.step, node.stopping.set)))
    add_loadtest(node, state_file)


def make_commands(node: Node, settings: Settings, say_hello: Callable[[], Message]) -> Commands:
    """What carries out downlinks, within the profile's bounds."""
    store, clock, samplers = node.store, node.clock, node.samplers
    unheard = {one.name for one in node.config.link if isinstance(one, LorawanConfig)}
    trials = Trials(store, clock, settings, samplers, unheard)
    return Commands(
        settings.bounds, store, clock, samplers, settings, trials, say_hello, node.stopping.set
    )


def add_loadtest(node: Node, state_file: Path | None) -> None:
    """The jobs of load tests, where a command can reach them: in the run directory."""
    if state_file is None:
        return
    home, mailbox = node.store.path.parent / "loadtests", Mailbox(state_file.parent)
    name, streams = node.config.node.name, node.streams
    node.loadtest = LoadTest(name, home, mailbox, node.clock, streams, node.instruments)
    node.jobs.append(Job("loadtest", node.loadtest.step))
    for number, one in enumerate(node.loadtest.askers):
        node.jobs.append(Job(f"loadtest-sensors-{number}", one.step, one.wake))


def open_archive(node: Node, made: Plan) -> Archive | None:
    """The raw records, if there are or may be any. Raises OSError where their folder is no use.

    None without the store's file: which of them have gone out stands there.
    """
    if isinstance(node.store, Interim) or (not made.triggers and not node.store.raws()):
        return None
    wanted = node.config.records
    records = Records(folder_of(wanted.path, node.store.path), round(wanted.max_mb * 1e6))
    archive = Archive(records, node.store, node.clock)
    archive.open()
    return archive


def make_triggers(node: Node, made: Plan, archive: Archive | None) -> list[Job]:
    """One job per stream that has triggers."""
    from agent.events.trigger import Trigger  # numpy: only where there are triggers

    by_stream: dict[str, list[TriggerPlan]] = {}
    for one in made.triggers:
        by_stream.setdefault(one.config.instrument, []).append(one)
    asked = {name for table in made.tables for name, _ in filter(None, table.sources)}
    found = {}
    for name, plans in by_stream.items():
        alone = None if name in asked else node.instruments[name]
        found[name] = Trigger(node.streams[name], plans, node.store, node.clock, archive, alone)
    return [Job(f"trigger-{name}", one.step) for name, one in found.items()]


def new_hello(node: Node, made: Plan) -> Message:
    """Who this node is and what it owes, now."""
    numbers = [table.schema.number for table in made.tables]
    waiting = max(node.store.counts().owed.values(), default=0)
    who = node.identity
    return hello(numbers, waiting, node.store.boot, node.clock, who.install, who.epoch)


@dataclass
class Greeting:
    """Hello and schemas, over every link: at the start and daily.

    On LoRaWAN registered schemas are known; of private ones one a day goes, in turn (WIRE.md 5).
    """

    node: Node
    made: Plan
    say_hello: Callable[[], Message]
    days: int = 0

    def __call__(self) -> None:
        """Post them."""
        store = self.node.store
        store.post(self.say_hello())
        for link in self.made.config.link:
            for table in self._told(link):
                store.post(schema_slice(table.schema, store.boot, self.node.clock), link.name)
        self.days += 1

    def _told(self, link: LinkConfig) -> Sequence[TablePlan]:
        carried = [
            one for one in self.made.tables if link.carries is None or one.name in link.carries
        ]
        if not isinstance(link, LorawanConfig):
            return carried
        private = [one for one in carried if one.schema.number >= codec.PRIVATE]
        return private if self.days == 0 or not private else [private[self.days % len(private)]]


def run_node(node: Node) -> int:
    """Run until a signal, a restart by downlink or a crash. Returns the exit code.

    Where rows have just moved from memory into the store's file, the process begins again instead.
    """
    daemon = Daemon(node.jobs, node.clock, node.headline, node.stopping)
    daemon.on_signals()
    code = daemon.run()
    node.close()
    if isinstance(node.store, Interim) and node.store.again and not daemon.told:
        daemon.begin_again()
    daemon.off_signals()
    return code
