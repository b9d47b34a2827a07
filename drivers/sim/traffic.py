"""Vehicles over a simulated bridge of one span: who passes when, and what its deck feels of it.

A vehicle is a load spread evenly over six metres, without axles; the deck a simply supported beam.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

SPAN_M = 35.0
LENGTH_M = 6.0  #: over which a vehicle's weight is spread
LONGEST_S = 10.0  #: no vehicle that only passes is longer on the deck
CLOSED_S = 60.0  #: the road is closed for others so long before and after a load on purpose
CET_S = 3600  #: traffic follows local winter time all year
PER_HOUR = (  # a working day, both lanes, from midnight
    *(8, 5, 4, 4, 8, 30, 110, 220, 210, 150, 130, 140),
    *(150, 150, 170, 210, 240, 220, 160, 110, 70, 50, 30, 16),
)
WEEKEND = 0.55  #: of a working day's traffic
KINDS = ((0.86, 1.1, 2.2), (0.08, 2.4, 5.0), (0.06, 8.0, 40.0))  # share, lightest t, heaviest t
STRAIN_PER_T = 1.3  #: um/m at midspan below the lane, vehicle in the middle
SLOPE_PER_T = 0.22e-3  #: deg at the end of the deck, largest while a vehicle passes
TWIST_PER_T = 0.08e-3  #: deg, vehicle in the middle
OTHER_LANE = 0.6  #: of the strain, at the gauge below the other lane
SHAKE_MG, SHAKE_AT_M_S = 0.7, 15.0  #: rms of 1 t at that speed; grows with weight ** 0.6


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One passage. Lane 1 goes east, lane 2 west."""

    at: float  #: unix seconds at which its front comes onto the deck
    weight_t: float
    speed_m_s: float
    lane: int
    stop: float = 0.5  #: where it stands, as share of the span from the west
    stop_s: float = 0.0  #: how long

    @property
    def gone(self) -> float:
        """Unix seconds at which its rear leaves the deck."""
        return self.at + (SPAN_M + LENGTH_M) / self.speed_m_s + self.stop_s

    @property
    def stands(self) -> float:
        """Unix seconds at which its middle is where it stops, or would."""
        way = self.stop if self.lane == 1 else 1 - self.stop
        return self.at + (way * SPAN_M + LENGTH_M / 2) / self.speed_m_s

    @property
    def peak_strain(self) -> float:
        """Most um/m that a gauge at midspan below its lane has of it."""
        return STRAIN_PER_T * self.weight_t

    def place(self, unix: float) -> float:
        """Where its middle is, as share of the span from the west."""
        moving_s = min(unix, self.stands) + max(unix - self.stands - self.stop_s, 0) - self.at
        way = (moving_s * self.speed_m_s - LENGTH_M / 2) / SPAN_M
        return way if self.lane == 1 else 1 - way

    def strain(self, unix: float, section: float, lane: int) -> float:
        """um/m that a gauge below `lane` at `section` (share of the span) has of it."""
        share = 1.0 if lane == self.lane else OTHER_LANE
        moment = bending(self.place(unix), section) / MOST_BENT
        return STRAIN_PER_T * self.weight_t * share * moment

    def tilt(self, unix: float, section: float) -> tuple[float, float]:
        """Degrees that the deck leans of it: along and across."""
        place = min(max(self.place(unix), 0.0), 1.0)
        across = TWIST_PER_T * math.sin(math.pi * place) * (1 if self.lane == 1 else -1)
        along = SLOPE_PER_T * slope(place, section) / STEEPEST
        return self.weight_t * along, self.weight_t * across * math.sin(math.pi * section)

    def shake(self, unix: float) -> float:
        """mg rms that it makes every mode shake with, once the mode has swung up."""
        standing = self.stop_s and self.stands <= unix < self.stands + self.stop_s
        if standing or not self.at < unix < self.gone:
            return 0.0
        envelope = max(math.sin(math.pi * self.place(unix)), 0.0)
        return SHAKE_MG * math.pow(self.weight_t, 0.6) * self.speed_m_s / SHAKE_AT_M_S * envelope


class Traffic:
    """Passages at random (Poisson) by hour and weekday, minute by minute; the same per seed."""

    def __init__(self, seed: int, share: float = 1.0) -> None:
        self.seed, self.share = seed, share
        self.loads: tuple[Vehicle, ...] = ()  #: vehicles on purpose
        self._minute = functools.lru_cache(maxsize=64)(self._draw)

    def between(self, begin: float, end: float) -> list[Vehicle]:
        """Who is on the deck at any time from `begin` to `end` (unix seconds), by arrival."""
        minutes = range(math.floor((begin - LONGEST_S) / 60), math.floor(end / 60) + 1)
        drawn = [one for minute in minutes for one in self._minute(minute)]
        free = [one for one in drawn if not any(closed(one, load) for load in self.loads)]
        found = [one for one in (*free, *self.loads) if one.at < end and one.gone > begin]
        return sorted(found, key=lambda one: one.at)

    def rate_per_hour(self, unix: float) -> float:
        """How many pass in an hour like this one."""
        day, second = divmod(unix + CET_S, 86_400)
        weekend = WEEKEND if (day + 3) % 7 >= 5 else 1.0  # 1970-01-01 was a Thursday
        return self.share * weekend * PER_HOUR[int(second // 3600)]

    def _draw(self, minute: int) -> Sequence[Vehicle]:
        chance = random.Random(f"{self.seed}/traffic/{minute}")
        mean = self.rate_per_hour(60.0 * minute) / 60
        found = []
        wait = chance.expovariate(1) / mean if mean else 1.0
        while wait < 1:
            found.append(self._vehicle(60 * (minute + wait), chance))
            wait += chance.expovariate(1) / mean
        return found

    def _vehicle(self, at: float, chance: random.Random) -> Vehicle:
        weights = [share for share, _, _ in KINDS]
        _, lightest, heaviest = chance.choices(KINDS, weights)[0]
        weight = chance.triangular(lightest, heaviest, lightest + 0.3 * (heaviest - lightest))
        speed = min(max(chance.gauss(15.5, 2.0), 12.5), 25.0)
        return Vehicle(at, weight, speed, chance.choice((1, 2)))


def closed(vehicle: Vehicle, load: Vehicle) -> bool:
    """Whether a vehicle would meet a closed road."""
    return vehicle.gone > load.at - CLOSED_S and vehicle.at < load.gone + CLOSED_S


def bending(place: float, section: float) -> float:
    """Moment at `section` of a unit weight with its middle at `place`, per span; 0 off the deck."""
    half = LENGTH_M / SPAN_M / 2
    front, rear = (_summed(min(max(place + one, 0), 1), section) for one in (half, -half))
    return (front - rear) / (2 * half)


def _summed(place: float, section: float) -> float:
    """The triangle that a point load's moment is over its place, integrated from 0 to `place`."""
    if place <= section:
        return place**2 / 2 * (1 - section)
    beyond = section * (place - section - (place**2 - section**2) / 2)
    return section**2 / 2 * (1 - section) + beyond


def slope(place: float, section: float) -> float:
    """How steep the deck is at `section` under a unit point load at `place`, any unit.

    Derivative of the deflection of a simply supported beam, times 6 EI / (F l^2); positive is
    down towards the east.
    """
    if place > section:
        return -slope(1 - place, 1 - section)
    return place * (2 - 6 * section + 3 * section**2 + place**2)


MOST_BENT = bending(0.5, 0.5)
STEEPEST = slope(1 - 1 / math.sqrt(3), 0.0)  # at the end, point load where it tells most
