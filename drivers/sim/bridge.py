"""A simulated bridge of one span: weather, traffic, vibration, defects; the same per seed.

Channels by place (`deck.west`, `.quarter`, `.midspan`, `.three_quarter`, `.east`): `.x .y .z`
acceleration with gravity in m/s2 (x along the bridge, y across, z up), `.tilt_x .tilt_y` in deg,
`.top .bottom` temperature in Cel; between the ends `.strain_1 .strain_2` in um/m below each lane.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from drivers.sim.acceleration import DeckAcceleration
from drivers.sim.climate import Climate, Warmth
from drivers.sim.defects import Defect, bearing_deg, crack_mm, frequency_share
from drivers.sim.fifo import G
from drivers.sim.modal import Mode
from drivers.sim.traffic import LENGTH_M, SPAN_M, Traffic, Vehicle
from drivers.sim.vibration import BLOCK_S, PIECE, RATE_HZ, STEPS, Vibration

PLACES = {  # share of the span from the west
    "deck.west": 0.0,
    "deck.quarter": 0.25,
    "deck.midspan": 0.5,
    "deck.three_quarter": 0.75,
    "deck.east": 1.0,
}
GAUGED = ("deck.quarter", "deck.midspan", "deck.three_quarter")
ALONG = (  # the modes' size at each place; unsymmetrical, so that every place sees all of them
    (0.05, 0.71, 1.0, 0.71, 0.05),
    (0.05, 0.6, 0.9, 0.75, 0.05),
    (0.05, 1.0, 0.6, -0.8, 0.05),
    (0.05, 0.8, -0.7, 0.9, 0.05),
)
FREQUENCIES = (2.5, 4.3, 7.1, 11.0)
DAMPINGS = (0.010, 0.010, 0.012, 0.010)
DIRECTIONS = ((0.3, 0.2, 1.0), (0.8, -0.3, 0.6), (0.2, 0.9, -0.7), (-0.5, 0.6, 0.8))
REFERENCE_CEL = 10.0
FREQUENCY_PER_K = -0.001  #: of the section's mean temperature; concrete -0.001..-0.003
EXPANSION_PER_K = 1e-5
STRAIN_PER_K = 4.0  #: um/m that a gauge, itself half compensated, shows
CRACKS = ((0.18, 0.004), (0.31, -0.0025))  # mm at the reference, mm/K
SLOPE_PER_K = 6.6e-3  #: deg at the ends per K of gradient: 1e-5 / 1.5 m x half the span
ACROSS_PER_K = 0.5e-3  #: deg per K of mean temperature
BANK_M, RISE_M = 2.8, 0.6  #: from gauge to middle water; how far the river rises and falls


class Bridge:
    """A world. `traffic` 0 is a closed road, 1 a city's; `modes` have a shape per place, axis.

    Methods beyond a world's are for tests and load tests: what is true, and vehicles on purpose.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        modes: Sequence[Mode] | None = None,
        defects: Sequence[Defect] = (),
        traffic: float = 1.0,
    ) -> None:
        self.seed, self.defects = seed, tuple(defects)
        self.modes = tuple(modes or (mode(number) for number in range(len(FREQUENCIES))))
        self.climate = Climate(seed)
        self.traffic = Traffic(seed, traffic)
        self.vibration = Vibration(seed, self.modes, self.frequencies, self._strength)
        chance = random.Random(f"{seed}/mounting")
        self._mounted = [(chance.gauss(0, 0.2), chance.gauss(0, 0.2)) for _ in PLACES]  # deg
        self._sunny = [chance.uniform(0.85, 1.15) for _ in PLACES]
        self.acceleration = DeckAcceleration(
            self.vibration, list(PLACES.values()), self._leans, self.vehicles
        )
        self._models = self._slow()

    @property
    def channels(self) -> Sequence[str]:
        """Names of what there is."""
        return [*self._models, *(f"{place}.{axis}" for place in PLACES for axis in "xyz")]

    @property
    def places(self) -> Sequence[str]:
        """Where an accelerometer may sit."""
        return list(PLACES)

    def truth(self, channel: str, unix: float) -> float:
        """The value at a unix time. Raises KeyError for a channel it does not have."""
        place, _, name = channel.rpartition(".")
        if name in ("x", "y", "z"):
            return self.motion(place)(unix)["xyz".index(name)]
        passing = self.traffic.between(unix, unix + 1e-3)
        return self._models[channel](unix) + sum(carried(one, unix, place, name) for one in passing)

    def resting(self, channel: str, unix: float) -> float:
        """The same without vehicles. Raises KeyError for a channel that is not slow."""
        return self._models[channel](unix)

    @property
    def slow_channels(self) -> Sequence[str]:
        """All but the accelerations."""
        return list(self._models)

    def motion(self, place: str) -> Callable[[float], tuple[float, float, float]]:
        """What an accelerometer there feels in m/s2 at a unix time. Raises KeyError."""
        PLACES[place]
        return partial(self.acceleration.at, list(PLACES).index(place))

    def load(
        self, weight_t: float, at: float, duration_s: float, position: float = 0.5, lane: int = 2
    ) -> Vehicle:
        """A heavy vehicle drives on at walking pace, stands from `at` on, and drives off.

        `position` is a share of the span from the west. The road is closed for others from a
        minute before it comes to a minute after it went. Call it before anybody asks for that time.
        """
        speed = 2.0
        way = position if lane == 1 else 1 - position
        begin = at - (way * SPAN_M + LENGTH_M / 2) / speed
        vehicle = Vehicle(begin, weight_t, speed, lane, position, duration_s)
        self.traffic.loads = (*self.traffic.loads, vehicle)
        self.acceleration.forget()
        return vehicle

    def vehicles(self, begin: float, end: float) -> list[Vehicle]:
        """Who is on the bridge between two unix times."""
        return self.traffic.between(begin, end)

    def frequencies(self, unix: float) -> tuple[float, ...]:
        """Of the modes in Hz: with the temperature, and lower by defects."""
        warm = 1 + FREQUENCY_PER_K * (self.climate.warmth(unix).mean - REFERENCE_CEL)
        return tuple(
            one.frequency_hz * warm * frequency_share(self.defects, number, unix)
            for number, one in enumerate(self.modes, 1)
        )

    def ambient(self, unix: float) -> float:
        """What wind and water shake each mode with, m/s2 rms: 0.05..0.2 mg."""
        return 1e-3 * G * min(max(0.11 + 0.06 * self.climate.weather("wind", unix), 0.05), 0.2)

    def _slow(self) -> Mapping[str, Callable[[float], float]]:
        """A function of unix time per slow channel, without vehicles."""
        warmth = self.climate.warmth
        models: dict[str, Callable[[float], float]] = {
            "air.temperature": lambda unix: warmth(unix).air,
            "deck.expansion": lambda unix: expansion_mm(warmth(unix)),
            "water.level": self._level,
            "water.distance": lambda unix: BANK_M - self._level(unix),
        }
        for number in range(1, len(CRACKS) + 1):
            models[f"crack.width_{number}"] = partial(self._crack, number)
        for number, place in enumerate(PLACES):
            models[f"{place}.top"] = partial(self._top, number)
            models[f"{place}.bottom"] = partial(self._bottom, number)
            models[f"{place}.tilt_x"] = partial(self._lean, number, 0)
            models[f"{place}.tilt_y"] = partial(self._lean, number, 1)
        for place in GAUGED:
            for lane in (1, 2):
                models[f"{place}.strain_{lane}"] = partial(self._strain, place)
        return models

    def _top(self, place: int, unix: float) -> float:
        return self.climate.warmth(unix).top(self._sunny[place])

    def _bottom(self, place: int, unix: float) -> float:
        return self.climate.warmth(unix).bottom(self._sunny[place])

    def _level(self, unix: float) -> float:
        ripple = 0.01 * math.sin(unix / 7) * math.sin(unix / 31)
        return RISE_M * self.climate.weather("rain", unix) + ripple

    def _crack(self, number: int, unix: float) -> float:
        width, per_k = CRACKS[number - 1]
        warmer = self.climate.warmth(unix).mean - REFERENCE_CEL
        return width + per_k * warmer + crack_mm(self.defects, number, unix)

    def _strain(self, place: str, unix: float) -> float:
        warmth = self.climate.warmth(unix)
        return STRAIN_PER_K * (warmth.bottom() - REFERENCE_CEL) - warmth.gradient

    def _lean(self, place: int, axis: int, unix: float) -> float:
        """Degrees without vehicles."""
        warmth, section = self.climate.warmth(unix), list(PLACES.values())[place]
        broken = bearing_deg(self.defects, "xy"[axis], unix) * (1 - section)
        bent = SLOPE_PER_K * (2 * section - 1) * warmth.gradient
        twisted = ACROSS_PER_K * (warmth.mean - REFERENCE_CEL)
        return self._mounted[place][axis] + broken + (twisted if axis else bent)

    def _leans(self, place: int, unix: float) -> tuple[float, float]:
        return self._lean(place, 0, unix), self._lean(place, 1, unix)

    def _strength(self, block: int) -> Sequence[float]:
        """m/s2 rms for each piece of a block."""
        begin = block * BLOCK_S
        ambient = self.ambient(begin)
        passing = self.traffic.between(begin, begin + BLOCK_S)
        times = [begin + piece * PIECE / RATE_HZ for piece in range(STEPS // PIECE)]
        shaken = [[1e-3 * G * one.shake(unix) for one in passing] for unix in times]
        return [math.hypot(ambient, *one) for one in shaken]


def mode(number: int, frequency_hz: float | None = None, damping: float | None = None) -> Mode:
    """The mode `number` (from 0) of this bridge, its frequency and damping replaced if given."""
    kind = number % len(FREQUENCIES)
    shape = tuple(size * one for size in ALONG[kind] for one in DIRECTIONS[kind])
    return Mode(frequency_hz or FREQUENCIES[kind], damping or DAMPINGS[kind], shape)


def carried(vehicle: Vehicle, unix: float, place: str, name: str) -> float:
    """What a vehicle adds to a slow channel of a place."""
    kind, _, which = name.partition("_")
    if kind == "strain":
        return vehicle.strain(unix, PLACES[place], int(which))
    if kind == "tilt":
        return vehicle.tilt(unix, PLACES[place])["xy".index(which)]
    return 0.0


def expansion_mm(warmth: Warmth) -> float:
    """How much longer the deck is than at the reference temperature."""
    return EXPANSION_PER_K * SPAN_M * 1000 * (warmth.mean - REFERENCE_CEL)
