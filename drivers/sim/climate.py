"""Weather over a simulated bridge, and how warm its concrete gets above and below."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from drivers.sim.world import CET_S, DAY_S, sun_elevation

KNOT_S = 60  #: computed so often, straight in between
TOP_LAG_S, BOTTOM_LAG_S = 2 * 3600, 5 * 3600
TOP_SUN_K, BOTTOM_SUN_K = 16.0, 4.0  #: a high sun without clouds, were there no lag
SKY_K = 1.0  #: what the top radiates away


@dataclass(frozen=True, slots=True)
class Warmth:
    """Temperatures in Cel and what sun does to them in K, at one time."""

    air: float
    top_air: float  #: the air as the top follows it
    top_sun: float
    bottom_air: float
    bottom_sun: float

    def top(self, sun: float = 1.0) -> float:
        """Cel below the asphalt, where `sun` of the sunlight arrives."""
        return self.top_air + sun * self.top_sun - SKY_K

    def bottom(self, sun: float = 1.0) -> float:
        """Cel in the soffit."""
        return self.bottom_air + sun * self.bottom_sun

    @property
    def mean(self) -> float:
        """Of the section, in Cel."""
        return (self.top() + 2 * self.bottom()) / 3

    @property
    def gradient(self) -> float:
        """Top less bottom, in K."""
        return self.top() - self.bottom()


class Climate:
    """Day, year and weather; the same per seed."""

    def __init__(self, seed: int) -> None:
        self._waves = {
            subject: waves(seed, subject) for subject in ("air", "cloud", "rain", "wind")
        }
        self._knot = functools.lru_cache(maxsize=256)(self._compute)

    def weather(self, subject: str, unix: float) -> float:
        """Slow and smooth, about -1..1; subjects air, cloud, rain, wind."""
        days = 2 * math.pi * unix / DAY_S
        return sum(math.sin(days / period + phase) for period, phase in self._waves[subject]) / 2.2

    def warmth(self, unix: float) -> Warmth:
        """How warm it is."""
        knot, rest = divmod(unix, KNOT_S)
        before, after = self._knot(int(knot)), self._knot(int(knot) + 1)
        part = rest / KNOT_S
        return Warmth(*(a + (b - a) * part for a, b in zip(before, after, strict=True)))

    def _compute(self, knot: int) -> tuple[float, ...]:
        unix = knot * KNOT_S
        return (
            self._air(unix),
            lagged(self._air, unix, TOP_LAG_S),
            TOP_SUN_K * lagged(self._sun, unix, TOP_LAG_S),
            lagged(self._air, unix, BOTTOM_LAG_S),
            BOTTOM_SUN_K * lagged(self._sun, unix, BOTTOM_LAG_S),
        )

    def _air(self, unix: float) -> float:
        year = 2 * math.pi * (unix / DAY_S - 15) / 365.25
        hour = 2 * math.pi * ((unix + CET_S) / 3600 - 15) / 24
        swing = 3.5 - 1.5 * math.cos(year)
        season = 10.5 - 8.5 * math.cos(year)
        return season + swing * math.cos(hour) + 3 * self.weather("air", unix)

    def _sun(self, unix: float) -> float:
        """Share of a sun overhead in a clear sky."""
        clear = min(max(0.6 + 0.4 * self.weather("cloud", unix), 0.1), 1.0)
        return clear * max(math.sin(sun_elevation(unix)), 0.0)


def waves(seed: int, subject: str) -> list[tuple[float, float]]:
    """Four waves of two to nine days with their phases."""
    chance = random.Random(f"{seed}/bridge/{subject}")
    return [(chance.uniform(2, 9), chance.uniform(0, 2 * math.pi)) for _ in range(4)]


def lagged(signal: Callable[[float], float], unix: float, lag_s: float) -> float:
    """What a body with the time constant `lag_s` has followed of `signal`."""
    weights = [math.exp(-step / 3) for step in range(13)]
    parts = (one * signal(unix - step * lag_s / 3) for step, one in enumerate(weights))
    return sum(parts) / sum(weights)
