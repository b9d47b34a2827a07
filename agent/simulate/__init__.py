"""Simulated buses: a twin behind every instrument, fed by a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from random import Random
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from agent.clock import Clock
from agent.config.errors import near
from agent.config.sections import Config, InstrumentConfig, LorawanConfig, SimulateConfig
from agent.config.source import Source
from agent.measure.buses import make_modem, read_keys
from agent.measure.driver_registry import Driver, DriverError, find
from agent.plan.optional import SIM, MissingExtra
from agent.simulate.bridge_world import make_bridge
from drivers.api import Modem, Timer
from drivers.bus.i2c import I2C
from drivers.bus.pins import Pins
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.sim.faults import Faults
from drivers.sim.fifo import FifoTwin
from drivers.sim.i2c import SimI2C
from drivers.sim.lorawan.terminal import Terminal
from drivers.sim.onewire import SimOneWire
from drivers.sim.pins import SimPins
from drivers.sim.port import SimPort
from drivers.sim.world import LiveTruth, MovingWorld, SchoolDay, World

if TYPE_CHECKING:  # cryptography: optional
    from drivers.sim.lorawan.network import SimNetwork

AT_ONCE = float("inf")  #: rate of a node's buses: a demo at 600 times the speed has no such time
MOTION = "motion"  #: the name of what a chip with a FIFO feels, in feeds
PRACTICE_KEY = "2B7E151628AED2A6ABF7158809CF4F3C"  # FIPS 197's example; never a real device's

RATE_ERROR = 0.01  #: of a chip's own clock, at most, unless the profile says how much


def make_school_day(simulate: SimulateConfig, source: Source) -> World:
    """A class room. Raises ConfigError for what only a bridge has."""
    for key in ("defects", "modes", "loads"):
        if getattr(simulate, key):
            raise source.error("simulate", key, 'only with world = "bridge"')
    return SchoolDay(simulate.seed)


WORLDS: Mapping[str, Callable[[SimulateConfig, Source], World]] = {
    "school_day": make_school_day,
    "bridge": make_bridge,
}


def make_world(config: Config, source: Source) -> World:
    """The world the profile names. Raises ConfigError."""
    maker = WORLDS.get(config.simulate.world)
    if maker is None:
        hint = f"no world '{config.simulate.world}'{near(config.simulate.world, WORLDS)}"
        raise source.error("simulate", "world", hint)
    return maker(config.simulate, source)


class SimBuses:
    """One twin per instrument on simulated buses. `now` is the world's unix time."""

    def __init__(
        self,
        clock: Clock,
        now: Callable[[], float],
        world: World,
        feeds: Mapping[str, str],
        node: object = None,
        rate_error: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.clock, self.now, self.world, self.feeds, self.node = clock, now, world, feeds, node
        self.rate_error = rate_error  #: of chips with a FIFO, by instrument
        self.network: SimNetwork | None = None  #: made for the first modem, unless handed in
        self.terminals: list[Terminal] | None = None  #: a list: modems on pseudo-terminals
        self.buses: dict[str, SimI2C] = {}
        self.faults: dict[str, Faults] = {}  #: by instrument
        self.twins: dict[str, Any] = {}  #: by instrument
        self._buses: dict[str, object] = {}

    def bus(self, instrument: InstrumentConfig, driver: Driver) -> object:
        """The bus for this instrument, its twin plugged in. Raises LookupError without one."""
        if driver.bus_kind == "node":
            return self.node
        if driver.twin is None:
            if driver.bus_kind:
                raise LookupError(f"driver '{driver.name}' has no TWIN: it cannot be simulated")
            return None
        twin = self._twin(instrument, driver)
        self.twins[instrument.name] = twin
        plug = {"i2c": self._i2c, "port": self._port, "onewire": self._onewire}
        if driver.bus_kind in plug:
            return plug[driver.bus_kind](instrument, driver, twin)
        return Pins(SimPins()) if driver.bus_kind == "pins" else None

    def modem(self, link: LorawanConfig, module: ModuleType, timer: Timer) -> Modem:
        """A modem twin on a simulated network. Raises MissingExtra without its cryptography."""
        try:  # cryptography: optional
            from drivers.sim.lorawan.network import SimNetwork
        except ImportError as error:
            raise MissingExtra("a simulated modem", SIM) from error
        try:
            keys = read_keys(link)
        except OSError:
            keys = Keys(link.dev_eui, link.join_eui, PRACTICE_KEY)
        if self.network is None:
            self.network = SimNetwork(self.now() - self.clock.monotonic())
        twin = self.network.modem(keys, module.TWIN)
        pins = SimPins()
        if link.reset_pin is not None:
            pins.watchers[link.reset_pin] = lambda level: self._reset(twin, level)
        return make_modem(link, module, self._serial(link, module, twin, timer), keys, Pins(pins))

    def _serial(self, link: LorawanConfig, module: ModuleType, twin: Any, timer: Timer) -> Port:
        baudrate = module.DRIVER.baudrate
        if self.terminals is None:
            return Port(link.port, baudrate, timer, SimPort(self.clock, twin))
        terminal = Terminal(twin, self.clock)
        self.terminals.append(terminal)
        return Port(terminal.path, baudrate, timer)

    def _reset(self, twin: Any, level: int) -> None:
        if level:
            twin.reset(self.clock.monotonic())

    def _twin(self, instrument: InstrumentConfig, driver: Driver) -> Any:
        """A twin that feels the world."""
        twin = made_twin(driver, instrument)
        feeds = {}
        for name in twin.truth:
            if f"room.{name}" in self.world.channels:
                feeds[name] = f"room.{name}"
        for reference, channel in self.feeds.items():
            owner, name = reference.split(".")
            if owner == instrument.name:
                feeds[name] = channel
        chance = Random(f"{getattr(self.world, 'seed', 1)}/{instrument.name}")
        if isinstance(twin, FifoTwin) and MOTION in feeds:
            error = chance.uniform(-RATE_ERROR, RATE_ERROR)
            twin.rate_error, twin.chance = self.rate_error.get(instrument.name, error), chance
            self._shake(twin, feeds.pop(MOTION))
        noise = getattr(twin, "noise_rms", {}) if isinstance(self.world, MovingWorld) else {}
        twin.truth = LiveTruth(twin.truth, feeds, self.world, self.now, noise, chance)
        return twin

    def _shake(self, twin: FifoTwin, place: str) -> None:
        """It moves with the world, and is as noisy as its data sheet says."""
        assert isinstance(self.world, MovingWorld)
        motion, ahead = self.world.motion(place), self.now() - self.clock.monotonic()
        twin.noise, twin.motion = True, lambda at: motion(at + ahead)

    def _i2c(self, instrument: InstrumentConfig, driver: Driver, twin: Any) -> I2C:
        bus = self.buses.setdefault(instrument.bus, SimI2C(self.clock, AT_ONCE))
        if "address" not in driver.options:
            raise LookupError(f"driver '{driver.name}' has no option 'address': where is its twin?")
        default = driver.options["address"].default
        address = instrument.options.get("address", default)
        self.faults[instrument.name] = bus.attach(address, twin)
        made = self._buses.setdefault(instrument.bus, I2C(bus, self.clock))
        assert isinstance(made, I2C)
        return made

    def _port(self, instrument: InstrumentConfig, driver: Driver, twin: Any) -> Port:
        stream = SimPort(self.clock, twin)
        self.faults[instrument.name] = stream.faults
        return Port(instrument.bus, twin.baudrate, self.clock, stream)

    def _onewire(self, instrument: InstrumentConfig, driver: Driver, twin: Any) -> SimOneWire:
        bus = self._buses.setdefault("onewire", SimOneWire(self.clock))
        assert isinstance(bus, SimOneWire)
        family = getattr(driver.sensor, "family", "28")  # a DS18B20's
        name = instrument.options.get("rom") or f"{family}-{len(bus.twins) + 1:012x}"
        self.faults[instrument.name] = bus.attach(name, twin)
        return bus


def check_feeds(config: Config, source: Source, world: World) -> None:
    """Feeds name channels the world has, motions its places. Raises ConfigError."""
    names = [one.name for one in config.instrument]
    for reference, channel in config.simulate.feeds.items():
        owner, _, name = reference.partition(".")
        known = places(world) if name == MOTION else world.channels
        if channel not in known:
            what = "place" if name == MOTION else "channel"
            hint = f"world '{config.simulate.world}' has no {what} '{channel}'"
            if channel in places(world):
                hint = f"'{channel}' is a place, sensed as '{owner}.{MOTION}'"
                raise source.error("simulate.feeds", reference, hint)
            raise source.error("simulate.feeds", reference, hint + near(channel, known))
        if owner not in names:
            hint = f"no instrument '{owner}'{near(owner, names)}"
            raise source.error("simulate.feeds", reference, hint)
        one = config.instrument[names.index(owner)]
        if name == MOTION and not shaken(one.driver):
            hint = f"instrument '{owner}' is no accelerometer with a FIFO"
            raise source.error("simulate.feeds", reference, hint)
        truths = truths_of(one)
        if name != MOTION and truths is not None and name not in truths:
            hint = f"a simulated '{one.driver}' does not sense '{name}'{near(name, truths)}"
            raise source.error("simulate.feeds", reference, hint)
    for owner in config.simulate.rate_error:
        if owner not in names:
            hint = f"no instrument '{owner}'{near(owner, names)}"
            raise source.error("simulate.rate_error", owner, hint)


def places(world: World) -> Sequence[str]:
    """Where an accelerometer may sit in a world; nowhere in one that stands still."""
    return world.places if isinstance(world, MovingWorld) else ()


def truths_of(one: InstrumentConfig) -> Sequence[str] | None:
    """What the instrument's twin feels.

    None where that cannot be said here: no driver, no twin, or an option that is wrong, which is
    said elsewhere.
    """
    try:
        driver = find(one.driver)
        twin = None if driver.twin is None else made_twin(driver, one)
    except (DriverError, LookupError, TypeError, ValueError):
        return None
    if twin is None:
        return None
    return [*twin.truth, *getattr(twin, "may_feel", ())]


def made_twin(driver: Driver, one: InstrumentConfig) -> Any:
    """A twin that knows the options it shares with its driver.

    Raises LookupError for one that feels nothing.
    """
    assert driver.twin is not None
    known = signature(driver.twin).parameters
    twin = driver.twin(**{key: value for key, value in one.options.items() if key in known})
    if not isinstance(getattr(twin, "truth", None), Mapping):
        raise LookupError(
            f"driver '{driver.name}': its TWIN has no 'truth', a dict of what it feels"
        )
    return twin


def shaken(driver: str) -> bool:
    """Whether a driver's twin can be moved; True for no driver at all, which is said elsewhere."""
    try:
        twin = find(driver).twin
    except DriverError:
        return True
    return twin is not None and issubclass(twin, FifoTwin)
