"""The one place that builds: doors, instruments, tables, store, links, jobs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec

from agent import codec
from agent.airtime import Memory
from agent.alarm import CLEARED, Alarm
from agent.catalog import Driver, find_modem
from agent.clock import Clock
from agent.codec import Style
from agent.commands import Commands
from agent.config import load
from agent.config.sections import (
    Config,
    FileConfig,
    InstrumentConfig,
    LinkConfig,
    LorawanConfig,
    MqttConfig,
)
from agent.config.source import Source
from agent.daemon import Daemon, Job
from agent.doors import Doors, RealDoors
from agent.extras import check_extras
from agent.health import HealthDoor
from agent.instrument import Instrument
from agent.keeper import Keeper
from agent.links import Link
from agent.links.file import FileLink
from agent.messages import hello, node_event, schema_slice
from agent.parcel import Message
from agent.plan.instruments import check_instruments, find_drivers, make_sensor
from agent.plan.links import EVENTS, check_links
from agent.plan.tables import TablePlan, check_windows, make_alarms, make_tables
from agent.plan.triggers import RECORDS, TriggerPlan
from agent.plan.triggers import triggers as plan_triggers
from agent.sampler import Sampler, alarm_key, state_key
from agent.sampler import Source as ColumnSource
from agent.settings import Settings, fill_key, interval_key, limits_key, packed_key
from agent.store import LinkPolicy, Store
from agent.stream import Stream
from agent.uplink import Uplink
from agent.window import Window
from drivers.api import Sensor

if TYPE_CHECKING:
    from agent.loadtest.job import LoadTest


@dataclass
class Node:
    """A built node: everything a command wants to look at."""

    config: Config
    clock: Clock
    store: Store
    instruments: Mapping[str, Instrument]
    streams: Mapping[str, Stream]
    samplers: Sequence[Sampler]
    uplinks: list[Uplink] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    loadtest: LoadTest | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def snapshot(self) -> dict[str, Any]:
        """What `stadtsinn status` shows."""
        from agent.status import snapshot

        return snapshot(self)

    def headline(self) -> str:
        """One line for the service manager."""
        bad = self.bad_sensors()
        owed = self.store.counts().owed
        waiting = ", ".join(f"{name} owes {count}" for name, count in owed.items())
        return f"{len(self.instruments) - len(bad)}/{len(self.instruments)} sensors; {waiting}"

    def bad_sensors(self) -> list[str]:
        """Names of the sensors that are not well."""
        return [one.name for one in self.instruments.values() if one.state not in ("ok", "new")]

    def close(self) -> None:
        """Leave every link in order, write what is still owed, close the store."""
        if self.loadtest is not None:
            self.loadtest.close()
        for uplink in self.uplinks:
            uplink.link.close()
        self.store.close()


@dataclass(frozen=True)
class Plan:
    """A profile that is right: what it wants, and its drivers."""

    config: Config
    source: Source
    drivers: Mapping[str, Driver]
    sensors: Mapping[str, Sensor]  #: behind the given doors
    tables: Sequence[TablePlan]
    alarms: Mapping[str, list[Alarm]]
    triggers: Sequence[TriggerPlan] = ()
    doors: Doors | None = None

    def over(self, links: tuple[MqttConfig | FileConfig | LorawanConfig, ...]) -> Plan:
        """The same with other links."""
        return replace(self, config=msgspec.structs.replace(self.config, link=links))


def read_profile(path: Path) -> tuple[Config, Source]:
    """Load a profile; a third party's driver may lie beside it. Raises ConfigError."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return load(path)


def make_plan(config: Config, source: Source, doors: Doors | None = None) -> Plan:
    """Check a profile. Without doors nothing can be read. Raises ConfigError."""
    found = find_drivers(config, source)
    sensors = make_sensors(config, source, found, doors)
    check_instruments(config, source, sensors)
    check_extras(config, source, sensors)
    quantities = {name: sensor.quantities for name, sensor in sensors.items()}
    tables = make_tables(config, source, quantities)
    check_windows(config, source, sensors, tables)
    check_links(config, source)
    alarms = make_alarms(config, source, tables)
    triggers = plan_triggers(config, source, tables, sensors)
    return Plan(config, source, found, sensors, tables, alarms, triggers, doors)


def make_sensors(
    config: Config, source: Source, found: Mapping[str, Driver], doors: Doors | None = None
) -> dict[str, Sensor]:
    """Every instrument's sensor, behind its door if there are doors. Raises ConfigError."""
    sensors = {}
    for index, one in enumerate(config.instrument):
        sensors[one.name] = make_sensor(one, index, found[one.name], None, source)
        if doors:  # its options are right: a twin can have them too
            door = door_of(one, index, found[one.name], doors, source)
            sensors[one.name] = make_sensor(one, index, found[one.name], door, source)
    return sensors


def door_of(
    one: InstrumentConfig, index: int, driver: Driver, doors: Doors, source: Source
) -> object:
    """The door of one instrument. Raises ConfigError: it cannot be simulated."""
    try:
        return doors.door(one, driver)
    except LookupError as error:
        raise source.error(f"instrument[{index}]", "driver", str(error.args[0])) from error


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
    made = make_plan(config, source, machine_doors(config, source, clock, simulate=simulate))
    return build(made, clock, store_path=store_path, state_file=state_file)


def machine_doors(config: Config, source: Source, clock: Clock, *, simulate: bool) -> Doors:
    """The buses of this machine, or simulated ones in its own time. Raises ConfigError."""
    health = HealthDoor(clock)
    if not simulate:
        return RealDoors(clock, health)
    from agent.simulate import SimDoors, check_feeds, make_world

    world = make_world(config, source)
    check_feeds(config, source, world)
    given = config.simulate
    return SimDoors(clock, clock.system_utc, world, given.feeds, health, given.rate_error)


def build(
    made: Plan,
    clock: Clock,
    *,
    store_path: Path | None = None,
    links: Mapping[str, Link] = MappingProxyType({}),
    state_file: Path | None = None,
) -> Node:
    """A node ready to run. `links` replaces the profile's own (tests, demo).

    Raises ConfigError, and OSError where the store's folder cannot be written.
    """
    config = made.config
    store = Store(
        store_path or Path(config.store.path),
        clock,
        max_bytes=round(config.store.max_mb * 1e6),
        max_days=config.store.max_days,
    )
    store.open()
    store.new_event = partial(node_event, clock=clock)
    health = getattr(made.doors, "node", None)
    if isinstance(health, HealthDoor):
        health.store = store
    settings = Settings(store, profile_values(made))
    instruments = make_instruments(made, clock)
    for name, instrument in instruments.items():
        if (kept := store.setting(state_key(name))) is not None:
            instrument.carry_on(kept)
    streams = make_streams(made, clock)
    samplers = [make_sampler(one, made, store, clock, settings, instruments) for one in made.tables]
    node = Node(config, clock, store, instruments, streams, samplers)
    if isinstance(health, HealthDoor):
        health.bad_sensors = lambda: len(node.bad_sensors())
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
        one.name: Instrument(one.name, made.sensors[one.name], clock, one.calibrate)
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
    links: Mapping[str, Link],
    state_file: Path | None,
) -> None:
    """One job per table and link, and the keeper."""
    store, clock, config = node.store, node.clock, node.config
    health = getattr(made.doors, "node", None)
    store.links({one.name: policy(one, settings) for one in config.link})
    say_hello = partial(new_hello, node, made)
    commands = Commands(
        config.node, store, clock, node.samplers, settings, say_hello, node.stopping.set
    )
    for one in config.link:
        wake = threading.Event()
        link = links.get(one.name) or make_link(one, made, store, clock, wake, node.stopping)
        node.uplinks.append(Uplink(one.name, link, store, clock, commands, style(one), wake))
        store.wakes.append(wake)
        if isinstance(health, HealthDoor) and isinstance(one, LorawanConfig):
            health.radio = getattr(link, "radio", dict)
    greet = Greeting(node, made, say_hello)
    keeper = Keeper(store, clock, greet, node.snapshot, state_file)
    node.jobs += [Job(f"table-{one.layout.table}", one.step, one.wake) for one in node.samplers]
    node.jobs += [Job(f"stream-{name}", one.step, one.wake) for name, one in node.streams.items()]
    node.jobs += make_triggers(node, made)
    node.jobs += [Job(f"link-{one.name}", one.step, one.wake) for one in node.uplinks]
    node.jobs.append(Job("keeper", keeper.step))
    add_loadtest(node, state_file)


def add_loadtest(node: Node, state_file: Path | None) -> None:
    """The jobs of load tests, where a command can reach them: in the run directory."""
    if state_file is None:
        return
    from agent.loadtest.desk import Desk
    from agent.loadtest.job import LoadTest

    home, desk = node.store.path.parent / "loadtests", Desk(state_file.parent)
    name, streams = node.config.node.name, node.streams
    node.loadtest = LoadTest(name, home, desk, node.clock, streams, node.instruments)
    node.jobs.append(Job("loadtest", node.loadtest.step))
    for number, one in enumerate(node.loadtest.askers):
        node.jobs.append(Job(f"loadtest-sensors-{number}", one.step, one.wake))


def make_triggers(node: Node, made: Plan) -> list[Job]:
    """One job per stream that has triggers; every link gets at the raw records.

    Raises OSError where their folder cannot be used.
    """
    if not made.triggers and not node.store.raws():
        return []
    from agent.events.archive import Archive
    from agent.events.folder import Records, folder_of
    from agent.events.trigger import Trigger

    by_stream: dict[str, list[TriggerPlan]] = {}
    for one in made.triggers:
        by_stream.setdefault(one.config.instrument, []).append(one)
    wanted = node.config.records
    records = Records(folder_of(wanted.path, node.store.path), round(wanted.max_mb * 1e6))
    archive = Archive(records, node.store, node.clock)
    archive.open()
    for uplink in node.uplinks:
        uplink.archive = archive
    asked = {name for table in made.tables for name, _ in filter(None, table.sources)}
    found = {}
    for name, plans in by_stream.items():
        alone = None if name in asked else node.instruments[name]
        found[name] = Trigger(node.streams[name], plans, node.store, node.clock, archive, alone)
    return [Job(f"trigger-{name}", one.step) for name, one in found.items()]


def make_link(
    config: LinkConfig,
    made: Plan,
    memory: Memory,
    clock: Clock,
    wake: threading.Event,
    stopping: threading.Event,
) -> Link:
    """The way out that the profile names. Vendor libraries are imported here, when needed.

    Raises ConfigError.
    """
    if isinstance(config, MqttConfig):
        from agent.links.mqtt import MqttLink

        schemas = {table.schema.number: table.schema for table in made.tables}
        name = made.config.node.name
        return MqttLink(config, name, clock, wake, schemas.get, stopping)
    if isinstance(config, FileConfig):
        return FileLink(Path(config.path), clock, config.limit_bytes)
    assert isinstance(config, LorawanConfig), type(config).__name__
    from agent.links.lorawan import BeatingTimer, LorawanLink

    where = f"link[{made.config.link.index(config)}]"
    doors = made.doors or RealDoors(clock)
    try:
        modem = doors.modem(config, find_modem(config.modem), BeatingTimer(clock))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise made.source.error(where, "app_key_file", reason.lower()) from error
    return LorawanLink(modem, config, clock, memory)


def fill_s(link: LinkConfig, made: Plan) -> float:
    """How long a live row waits for company: on LoRaWAN an hour or six intervals, else not."""
    if link.fill_s is not None or not isinstance(link, LorawanConfig):
        return link.fill_s or 0.0
    carried = [one for one in made.tables if link.carries is None or one.name in link.carries]
    return max([3600.0, *(6.0 * one.interval_s for one in carried)])


def policy(link: LinkConfig, settings: Settings) -> LinkPolicy:
    """What a link carries and how, as it stands now.

    Frames of fixed length leave at fixed times, and hold older rows before they hold padding.
    """
    carries = link.carries
    fixed = isinstance(link, LorawanConfig) and link.fixed_length
    return LinkPolicy(
        tables=None if carries is None else frozenset(carries) - {EVENTS, RECORDS},
        messages=carries is None or EVENTS in carries,
        raw=isinstance(link, MqttConfig) and (carries is None or RECORDS in carries),
        fill_s=cast(float, settings.get(fill_key(link.name))),
        packed=cast(bool, settings.get(packed_key(link.name))),
        trust_wait_s=link.trust_wait_s,
        coarse_first=isinstance(link, LorawanConfig),
        overlap=fixed or (isinstance(link, LorawanConfig) and link.overlap),
        punctual=fixed,
    )


def style(link: LinkConfig) -> Style:
    """How frames are written for a link."""
    if isinstance(link, LorawanConfig):
        return Style(fixed_length=link.fixed_length)
    return Style(whole_slots=True, ticks_always=isinstance(link, FileConfig))


def new_hello(node: Node, made: Plan) -> Message:
    """Who this node is and what it owes, now."""
    numbers = [table.schema.number for table in made.tables]
    waiting = max(node.store.counts().owed.values(), default=0)
    return hello(numbers, waiting, node.store.boot, node.clock)


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
    """Run until a signal, a restart by downlink or a crash. Returns the exit code."""
    daemon = Daemon(node.jobs, node.clock, node.headline, node.stopping)
    daemon.on_signals()
    code = daemon.run()
    node.close()
    return code
