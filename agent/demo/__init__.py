"""A whole node here: simulated chips, real store, real broker, a far side that decodes."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from agent.clock import SimClock, VirtualClock
from agent.codec import bytes_to_cells
from agent.config.errors import near
from agent.config.sections import Config, LinkConfig, LorawanConfig, MqttConfig
from agent.config.source import Source
from agent.daemon import Daemon, Job, run_virtual
from agent.demo import broker as brokers
from agent.demo.farside import FarSide
from agent.demo.paced import PacedClock, leash
from agent.demo.recorded import RecordedClock, blind, open_recording
from agent.measure.driver_registry import DriverError, find
from agent.measure.health import HealthSource
from agent.model.schema import Cell, Missing, registered_schemas
from agent.node import build
from agent.plan import make_plan, read_profile
from agent.plan.optional import SIM, MissingExtra
from agent.simulate import SimBuses, check_feeds, make_world
from agent.status import Node
from agent.transport.links import Link, Meanwhile, nothing
from agent.transport.links.file import FileLink
from drivers.keys import Keys
from drivers.sim import timetable
from drivers.sim import truth_files as export
from drivers.sim.replay import Replay
from drivers.sim.timetable import Fault
from drivers.sim.world import LiveTruth, World

if TYPE_CHECKING:
    from agent.demo.crane import Crane

log = logging.getLogger(__name__)

MORNING = 1_768_200_600.0  # Monday 2026-01-12 07:50 in Schwerte: the first lesson is about to begin
BEFORE_SLOT_S = 420.0  #: a demo with streams begins so much later: its first rows are near
SPEED, STREAM_SPEED = 60.0, 10.0  #: times real time, unless the user wants another one
ENDING_S = 0.2  #: real seconds that simulated time waits for a stream when all is ending
WARM_UP_S = 40.0  #: sensors that need it have settled when a recording begins
RADIO_FILL_S = 300.0  #: a LoRaWAN demo sends every five minutes
FASTEST_RUN_DIR = 60.0  #: times real time: faster, looking for commands would cost too much
MODEM = "rak3172"  #: where neither command line nor profile names one
DRAIN_S = 10.0  #: real seconds that what is owed may take to leave at the end


@dataclass(frozen=True)
class Radio:
    """A LoRaWAN demo: which modem, who it is, and the network server behind it."""

    modem: str  #: empty: the profile's
    server: str  #: udp://host:port of a real network server; empty: the one inside
    dev_eui: str
    join_eui: str
    app_key: str


@dataclass
class Demo:
    """Built by `prepare`; `start` it, look at `node` and `far`, `stop` it."""

    node: Node
    clock: SimClock
    buses: SimBuses
    far: FarSide
    broker: brokers.Broker | None
    listener: object | None
    faults: list[Fault] = field(default_factory=list)
    replay: Replay | None = None
    where: str = ""  #: how frames travel, for people
    radio: Radio | None = None
    run_dir: Path | None = None  #: where commands reach the node
    crane: Crane | None = None
    said: str = ""  #: what was understood of a recording
    done: threading.Event = field(default_factory=threading.Event)
    _applied: set[Fault] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Run the node in threads of its own; a recording runs as fast as it can."""
        job = Job("faults", self._faults_step)
        jobs = [*self.node.jobs, job, *self._radio_jobs()]
        if self.crane is not None:
            jobs.append(Job("crane", self.crane.step))
        if isinstance(self.clock, VirtualClock):
            self._thread = threading.Thread(target=self._run_virtually, args=(jobs, self.clock))
        else:
            daemon = Daemon(jobs, self.clock, self.node.headline, self.node.stopping)
            self._thread = threading.Thread(target=daemon.run, name="daemon")
        self._thread.start()

    def stop(self) -> None:
        """End measuring, let what is owed leave, close everything."""
        self.node.stopping.set()
        if isinstance(self.clock, PacedClock):
            self.clock.patience_s = ENDING_S
        if self._thread is not None:
            self._thread.join()
        if isinstance(self.clock, PacedClock):
            self.clock.leash = leash(())  # nobody empties them any more
        self._restore()
        self.node.stopping.clear()
        if self.radio is None:  # airtime goes on after the demo; what is owed then is no loss
            self._drain()
        self.node.close()
        for terminal in self.buses.terminals or ():
            terminal.close()
        self._hear()
        if self.listener is not None:
            self.listener.stop()  # type: ignore[attr-defined]
        if self.broker is not None:
            self.broker.stop()

    def _radio_jobs(self) -> list[Job]:
        """The modem behind its pseudo-terminal, and the far side of the network server inside."""
        terminals = [Job("modem", one.step) for one in self.buses.terminals or ()]
        return [*terminals, Job("far-side", self._hear)] if self.radio else []

    def _hear(self) -> float:
        """What the network server inside has for the application."""
        network = self.buses.network
        if network is not None:
            for uplink in network.arrived():
                self.far.take(uplink.payload, network.server.unix_at_zero + uplink.at)
        return 1.0

    @property
    def pace(self) -> float:
        """Simulated seconds per second as reached lately."""
        return self.clock.pace() if isinstance(self.clock, PacedClock) else self.clock.speed

    def measured(self) -> dict[tuple[int, int], dict[str, Cell]]:
        """Every dated row that a link carries, as (schema, start) -> cells that are available."""
        found = {}
        for table in self.node.config.table:
            if not any(carries(one, table.name) for one in self.node.config.link):
                continue
            for layout, row in self.node.store.rows(table.name):
                names = [one.name for one in layout.schema.fields]
                cells = dict(zip(names, bytes_to_cells(row.cells), strict=True))
                if row.start is not None:
                    found[layout.schema.number, row.start] = available(cells)
        return found

    def decoded(self) -> dict[tuple[int, ...], dict[str, Cell]]:
        """What the far side knows, in the same form."""
        return {key: available(cells) for key, cells in self.far.rows.items()}

    def missing(self) -> list[tuple[int, int]]:
        """Which measured rows did not arrive as they are.

        What left before it had a date is dated here and not there: it is found by its values.
        """
        decoded, missing = self.decoded(), []
        undated = [(key[0], cells) for key, cells in decoded.items() if len(key) > 2]
        undated += [(number, available(cells)) for number, cells in self.far.aged]
        for key, cells in self.measured().items():
            if decoded.get(key) == cells:
                continue
            if (key[0], cells) in undated:
                undated.remove((key[0], cells))
            else:
                missing.append(key)
        return missing

    def write_truth(self, path: Path) -> list[Path]:
        """What was true in the simulated world at the start of each row, as CSV; the files.

        One of no rows is not written. Raises OSError.
        """
        tables = [one.name for one in self.node.config.table]
        rows = [row for name in tables for _, row in self.node.store.rows(name)]
        starts = [row.start for row in rows if row.start is not None]
        if not starts:
            return []
        step = min(one.layout.interval_s for one in self.node.samplers)
        begin, end = min(starts), max(starts) + step
        return export.write_truth(path, self.buses.world, begin, end, step)

    def leave_out(self, recording: Replay) -> None:
        """What a recording has not is not measured: the chips answer, their value is left out."""
        for name, instrument in self.node.instruments.items():
            if isinstance(truth := getattr(self.buses.twins.get(name), "truth", None), LiveTruth):
                blind(instrument.sensor, truth.feeds, recording, self.clock.true_utc)

    def deviations(self) -> dict[str, tuple[float, int]]:
        """Replay: largest difference to the recording in steps of what can be told, and how many
        rows, by column. A value where the recording has none is infinitely wrong."""
        assert self.replay is not None
        table, found = self.node.config.table[0], {}
        sampler = next(one for one in self.node.samplers if one.layout.table == table.name)
        for field_, source in zip(sampler.layout.schema.fields, sampler.sources, strict=True):
            name = source.instrument.name if source.instrument else ""
            channel = self._channel(name, source.quantity)
            if channel is None:
                continue
            assert source.instrument is not None
            least = source.instrument.quantities[source.quantity].step / field_.step
            steps = [
                abs(cell - field_.raw(self.replay.truth(channel, key[1]))) / max(least, 1)
                if self.replay.recorded(channel, key[1])
                else math.inf
                for key, cells in self.decoded().items()
                if key[0] == sampler.layout.schema.number
                and isinstance(cell := cells.get(field_.name), int)
            ]
            found[field_.name] = (max(steps, default=0), len(steps))
        return found

    def _channel(self, instrument: str, quantity: str) -> str | None:
        """Which channel of the recording a column's twin feels."""
        truth = getattr(self.buses.twins.get(instrument), "truth", None)
        return truth.feeds.get(quantity) if isinstance(truth, LiveTruth) else None

    def _run_virtually(self, jobs: list[Job], clock: VirtualClock) -> None:
        assert self.replay is not None
        end = clock.monotonic() + self.replay.end - clock.true_utc() - 0.5
        stopping = self.node.stopping
        while clock.monotonic() < end and not stopping.is_set():
            run_virtual(jobs, clock, min(clock.monotonic() + 60, end), stopping)
        self.done.set()

    def _faults_step(self) -> float:
        """Switch what the timetable says for now."""
        now = self.clock.monotonic()
        for fault in self.faults:
            on = fault.active(now)
            if on != (fault in self._applied):
                (self._applied.add if on else self._applied.discard)(fault)
                log.warning("fault=%s target='%s' on=%s", fault.what, fault.target, on)
                self._switch(fault, on)
        return 1.0 if self.faults else 3600.0

    def _switch(self, fault: Fault, on: bool) -> None:
        if fault.what == "stuck_bus":
            self.buses.buses[fault.target].stuck = on
        elif fault.what == "broker_away" and self.broker is not None:
            (self.broker.stop if on else self.broker.start)()
        elif fault.what == "clock_unset":
            self.clock.unset(on)
        elif fault.what == "clock_jump":
            self.clock.jump_s += fault.seconds if on else -fault.seconds
        elif fault.target in self.buses.faults:
            fault.switch(self.buses.faults[fault.target], on)

    def _restore(self) -> None:
        """Nothing is broken any more, so that what is owed can leave."""
        for fault in self._applied:
            self._switch(fault, False)
        self._applied.clear()

    def _drain(self) -> None:
        """Step the uplinks until they owe nothing, or time is up."""
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            waits = [uplink.step() for uplink in self.node.uplinks]
            counts = self.node.store.counts()
            if not any(counts.owed.values()) and not any(counts.messages.values()):
                break
            if any(waits):
                time.sleep(0.05)
        last = self.far.frames
        while time.monotonic() < deadline:
            time.sleep(0.2)
            if self.far.frames == last:
                break
            last = self.far.frames


def carries(link: LinkConfig, table: str) -> bool:
    """Whether a table's rows go over a link."""
    return link.carries is None or table in link.carries


def available(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Without what was not measured: a frame may leave such columns out."""
    return {name: cell for name, cell in cells.items() if cell is not Missing.NOT_AVAILABLE}


def prepare(
    profile: Path,
    folder: Path,
    *,
    speed: float,
    replay: Path | None = None,
    faults: Path | None = None,
    radio: Radio | None = None,
    loadtest: str = "",
    columns: Mapping[str, tuple[str, float]] = MappingProxyType({}),
    tell: Callable[[int], None] | None = None,
) -> Demo:
    """Build a demo in `folder`; `loadtest` names a load test to do, `columns` says what the
    headers of a recording are: channel of the world and factor to its unit; `tell` hears how many
    bytes of it have been read.

    Raises ConfigError, MissingExtra, ReplayError, TimetableError, ValueError.
    """
    if columns and not replay:
        raise ValueError("--column says what is in a recording: it needs --replay")
    if replay and loadtest:
        raise ValueError("a recording has no vehicles: --replay or --loadtest")
    config, source = read_profile(profile)
    recording = None
    said = ""
    if replay:
        check_columns(columns, make_world(config, source))
        config, recording, said = open_recording(
            replay, columns, config, folder,
            begin=MORNING, follow=not streams(config), tell=tell,
        )  # fmt: skip
    if recording:
        clock: SimClock = RecordedClock(recording.start - WARM_UP_S)
    else:
        clock = PacedClock(MORNING + (BEFORE_SLOT_S if streams(config) else 0.0), speed)
    buses = make_doors(config, source, clock, recording)
    made = make_plan(config, source, buses)
    table = []
    if faults:
        table = timetable.load(faults, [one.name for one in config.instrument], list(buses.buses))
    if radio:
        link = radio_link(config, radio, folder)
        made = made.over((link,))
        tune_in(buses, clock, radio)
    far = FarSide(schemas=dict(registered_schemas()) if radio else {})
    broker = None if radio else start_broker(folder)
    links = {one.name: file_link(one, folder, clock, far) for one in config.link}
    if radio:
        links = {}
    elif broker is not None:
        made = made.over(mqtt_links(config.link, broker.url))
        links = {}
    run_dir = None if recording or speed > FASTEST_RUN_DIR else folder
    state_file = run_dir / "state.json" if run_dir else None
    node = build(made, clock, store_path=folder / "store.db", links=links, state_file=state_file)
    if isinstance(clock, PacedClock):
        clock.leash = leash(node.streams.values())
    listener = listen(broker, config, far, clock)
    modem = link.modem if radio else ""
    where = way_out(radio, modem, broker, folder)
    demo = Demo(node, clock, buses, far, broker, listener, table, recording, where, radio, run_dir)
    demo.said = said
    if recording is not None:
        demo.leave_out(recording)
    if loadtest and node.loadtest is not None:
        from agent.demo.crane import Crane

        demo.crane = Crane(loadtest, node.loadtest, buses.world, clock, demo.done)
    return demo


def way_out(radio: Radio | None, modem: str, broker: brokers.Broker | None, folder: Path) -> str:
    """How frames leave, in words."""
    if radio:
        return f"a {modem} and {radio.server or 'a LoRaWAN network server inside'}"
    if broker:
        return f"its own mosquitto, {broker.url}"
    return f"files in {folder}; with mosquitto installed a real broker: apt install mosquitto"


def check_columns(columns: Mapping[str, tuple[str, float]], world: World) -> None:
    """They are channels of the world. Raises ValueError."""
    for header, (channel, _) in columns.items():
        if channel not in world.channels:
            raise ValueError(
                f"--column {header}: no channel '{channel}'{near(channel, world.channels)}"
            )


def streams(config: Config) -> bool:
    """Whether a chip of this profile samples by itself, or is read fast."""
    return any(one.window is not None or drains(one.driver) for one in config.instrument)


def drains(driver: str) -> bool:
    """Whether a driver's chip has a FIFO; False for no driver at all, which is said elsewhere."""
    try:
        return hasattr(find(driver).sensor, "drain")
    except DriverError:
        return False


def usual_speed(profile: Path) -> float:
    """Times real time at which the demo of a profile runs by default. Raises ConfigError."""
    return STREAM_SPEED if streams(read_profile(profile)[0]) else SPEED


def radio_link(config: Config, radio: Radio, folder: Path) -> LorawanConfig:
    """The profile's LoRaWAN link with this identity, or one for it. Raises ValueError."""
    Keys(radio.dev_eui, radio.join_eui, radio.app_key)
    key_file = folder / "app.key"
    key_file.write_text(radio.app_key)
    named = next((one for one in config.link if isinstance(one, LorawanConfig)), None)
    name = config.link[0].name if config.link else "radio"
    return msgspec.structs.replace(
        named or LorawanConfig(name=name, modem=MODEM, dev_eui="", join_eui="", app_key_file=""),
        modem=radio.modem or (named.modem if named else MODEM),
        dev_eui=radio.dev_eui,
        join_eui=radio.join_eui,
        app_key_file=str(key_file),
        data_rate=5,
        fill_s=RADIO_FILL_S,
    )


def tune_in(buses: SimBuses, clock: SimClock, radio: Radio) -> None:
    """The network behind the modem. Raises MissingExtra, ValueError."""
    try:
        from drivers.sim.lorawan.network import SimNetwork
        from drivers.sim.lorawan.udp import PacketForwarder
    except ImportError as error:
        raise MissingExtra("a simulated modem", SIM) from error
    air = PacketForwarder(radio.server, now=clock.true_utc) if radio.server else None
    buses.network = SimNetwork(clock.true_utc() - clock.monotonic(), air)
    if not isinstance(clock, VirtualClock):
        buses.terminals = []


def make_doors(
    config: Config, source: Source, clock: SimClock, recording: Replay | None
) -> SimBuses:
    """Twins fed by the profile's world, or by the recording alone."""
    world: World = make_world(config, source)
    check_feeds(config, source, world)
    feeds = config.simulate.feeds
    if recording is not None:
        world = recording
        feeds = {key: one for key, one in feeds.items() if one in recording.channels}
    errors = config.simulate.rate_error
    return SimBuses(clock, clock.true_utc, world, feeds, HealthSource(clock), errors)


def start_broker(folder: Path) -> brokers.Broker | None:
    """A mosquitto of our own, where it is installed."""
    if brokers.installed() is None:
        return None
    broker = brokers.Broker(folder / "broker", extra="persistence true")
    broker.start()
    return broker


def mqtt_links(links: tuple[LinkConfig, ...], url: str) -> tuple[MqttConfig, ...]:
    """The first link as it is, but to our own broker; without TLS and password."""
    first = links[0] if links else MqttConfig(name="demo")
    return (
        MqttConfig(
            name=first.name,
            url=url,
            body=first.body,
            carries=first.carries,
            fill_s=0 if isinstance(first, LorawanConfig) else first.fill_s,
            trust_wait_s=first.trust_wait_s,
        ),
    )


class HeardFile(FileLink):
    """A file link whose far side reads along."""

    far: FarSide

    def send(
        self, frame: bytes, *, kind: int, lane: str = "live", meanwhile: Meanwhile = nothing
    ) -> None:
        """Write durably, then let the far side have it."""
        super().send(frame, kind=kind, lane=lane, meanwhile=meanwhile)
        self.far.take(frame, self.clock.utc())


def file_link(link: LinkConfig, folder: Path, clock: SimClock, far: FarSide) -> Link:
    """Where there is no broker."""
    made = HeardFile(folder / link.name, clock)
    made.far = far
    return made


def listen(
    broker: brokers.Broker | None, config: Config, far: FarSide, clock: SimClock
) -> object | None:
    """The far side at the broker."""
    if broker is None:
        return None
    from agent.transport.links.listen import Listener

    # simulated time runs on while a real broker carries a frame: nobody can say when it came
    untimed = isinstance(clock, VirtualClock)

    def take(topic: str, payload: bytes) -> None:
        if topic not in ("state", "json", "down"):
            far.take(payload, None if untimed else clock.utc())

    listener = Listener(broker.url, config.node.name, take, session="far-side")
    listener.start()
    return listener
