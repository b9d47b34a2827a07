"""A whole node here: simulated chips, real store, real broker, a far side that decodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import msgspec

from agent.clock import SimClock, VirtualClock
from agent.config.errors import near
from agent.config.sections import Config, LinkConfig, LorawanConfig, MqttConfig
from agent.config.source import Source
from agent.demo import broker as brokers
from agent.demo.crane import Crane
from agent.demo.farside import FarSide
from agent.demo.paced import PacedClock, leash
from agent.demo.recorded import RecordedClock, open_recording
from agent.demo.running import Demo, Radio
from agent.measure.driver_registry import DriverError, find
from agent.measure.health import HealthSource
from agent.model.batch import Batch
from agent.model.schema import registered_schemas
from agent.node import build
from agent.plan import Plan, make_plan, read_profile
from agent.plan.optional import SIM, MissingExtra
from agent.simulate import SimBuses, check_feeds, make_world
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from agent.transport.links.file import FileLink
from agent.transport.links.listen import Listener
from agent.transport.links.make import LinkMaker
from drivers.keys import Keys
from drivers.sim import timetable
from drivers.sim.replay import Replay
from drivers.sim.timetable import Fault
from drivers.sim.world import World

MORNING = 1_768_200_600.0  # Monday 2026-01-12 07:50 in Schwerte: the first lesson is about to begin
BEFORE_SLOT_S = 420.0  #: a demo with streams begins so much later: its first rows are near
SPEED, STREAM_SPEED = 60.0, 10.0  #: times real time, unless the user wants another one
WARM_UP_S = 40.0  #: sensors that need it have settled when a recording begins
RADIO_FILL_S = 300.0  #: a LoRaWAN demo sends every five minutes
FASTEST_RUN_DIR = 60.0  #: times real time: faster, looking for commands would cost too much
MODEM = "rak3172"  #: where neither command line nor profile names one


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
    """Build a demo in `folder`.

    `loadtest` names one to do, `columns` says what the headers of a recording are: channel of the
    world and factor to its unit; `tell` hears how many bytes of it have been read.
    Raises ConfigError, MissingExtra, ReplayError, TimetableError, ValueError.
    """
    check_options(replay, loadtest, columns)
    config, source = read_profile(profile)
    recording, said = None, ""
    if replay:
        check_columns(columns, make_world(config, source))
        follow, about = not streams(config), (replay, columns, config, folder)
        config, recording, said = open_recording(*about, begin=MORNING, follow=follow, tell=tell)
    clock = RecordedClock(recording.start - WARM_UP_S) if recording else paced(config, speed)
    buses = buses_of(config, source, clock, recording)
    made = make_plan(config, source, buses)
    breaks = broken(faults, config, buses) if faults else []
    broker = None if radio else start_broker(folder)
    far = FarSide(schemas=dict(registered_schemas()) if radio else {})
    made, links = ways_out(made, radio, broker, folder, clock, far)
    run_dir = None if recording or speed > FASTEST_RUN_DIR else folder
    state = run_dir and run_dir / "state.json"
    node = build(made, clock, store_path=folder / "store.db", links=links, state_file=state)
    if isinstance(clock, PacedClock):
        clock.leash = leash(node.streams.values())
    where, listener = way_out(radio, made, broker, folder), listen(broker, config, far, clock)
    demo = Demo(node, clock, buses, far, broker, listener, breaks, recording, where, radio, run_dir)
    demo.said = said
    demo.leave_out()
    if loadtest and node.loadtest is not None:
        demo.crane = Crane(loadtest, node.loadtest, buses.world, clock, demo.done)
    return demo


def ways_out(
    made: Plan,
    radio: Radio | None,
    broker: brokers.Broker | None,
    folder: Path,
    clock: SimClock,
    far: FarSide,
) -> tuple[Plan, dict[str, LinkMaker]]:
    """The plan over radio or broker; where there is neither, links that write files."""
    if radio:
        assert isinstance(made.buses, SimBuses)
        tune_in(made.buses, clock, radio)
        return made.over((radio_link(made.config, radio, folder),)), {}
    if broker is not None:
        return made.over(mqtt_links(made.config.link, broker.url)), {}
    return made, {one.name: file_link(one, folder, clock, far) for one in made.config.link}


def check_options(
    replay: Path | None, loadtest: str, columns: Mapping[str, tuple[str, float]]
) -> None:
    """What makes no sense together. Raises ValueError."""
    if columns and not replay:
        raise ValueError("--column says what is in a recording: it needs --replay")
    if replay and loadtest:
        raise ValueError("a recording has no vehicles: --replay or --loadtest")


def paced(config: Config, speed: float) -> SimClock:
    """Simulated time, `speed` times as fast as real time; with streams just before a slot."""
    return PacedClock(MORNING + (BEFORE_SLOT_S if streams(config) else 0.0), speed)


def broken(faults: Path, config: Config, buses: SimBuses) -> list[Fault]:
    """What the timetable says of these instruments and buses. Raises TimetableError."""
    return timetable.load(faults, [one.name for one in config.instrument], list(buses.buses))


def way_out(radio: Radio | None, made: Plan, broker: brokers.Broker | None, folder: Path) -> str:
    """How frames leave, in words."""
    if radio:
        modem = getattr(made.config.link[0], "modem", "modem")
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
        fill_s=RADIO_FILL_S if named is None or named.fill_s is None else named.fill_s,
    )


def tune_in(buses: SimBuses, clock: SimClock, radio: Radio) -> None:
    """The network behind the modem. Raises MissingExtra, ValueError."""
    try:
        # cryptography: optional
        from drivers.sim.lorawan.kept_nonces import kept_memory
        from drivers.sim.lorawan.network import SimNetwork
        from drivers.sim.lorawan.udp import PacketForwarder
    except ImportError as error:
        raise MissingExtra("a simulated modem", SIM) from error
    zero = clock.true_utc() - clock.monotonic()
    if radio.server:
        eui = bytes.fromhex(radio.gateway) if radio.gateway else None
        air = PacketForwarder(radio.server, eui, clock.true_utc)
        buses.network = SimNetwork(zero, air, kept_memory)
    else:
        buses.network = SimNetwork(zero)
    if not isinstance(clock, VirtualClock):
        buses.terminals = []


def buses_of(config: Config, source: Source, clock: SimClock, recording: Replay | None) -> SimBuses:
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

    def __init__(self, folder: Path, clock: SimClock, far: FarSide, encoder: Encoder) -> None:
        super().__init__(folder, clock, encoder)
        self.far = far

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        """Write durably, then let the far side have it."""
        super().send(frame, batch, meanwhile)
        self.far.take(frame, self.clock.utc())


def file_link(link: LinkConfig, folder: Path, clock: SimClock, far: FarSide) -> LinkMaker:
    """Where there is no broker."""
    return partial(HeardFile, folder / link.name, clock, far)


def listen(
    broker: brokers.Broker | None, config: Config, far: FarSide, clock: SimClock
) -> Listener | None:
    """The far side at the broker."""
    if broker is None:
        return None
    # simulated time runs on while a real broker carries a frame: nobody can say when it came
    untimed = isinstance(clock, VirtualClock)

    def take(topic: str, payload: bytes) -> None:
        if topic not in ("state", "json", "down"):
            far.take(payload, None if untimed else clock.utc())

    listener = Listener(broker.url, config.node.name, take, session="far-side")
    listener.start()
    return listener
