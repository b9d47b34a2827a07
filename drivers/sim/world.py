"""Where the truth comes from that twins feel: a modelled school day; live mappings for twins."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

CET_S = 3600  #: the timetable is local winter time all year
DAY_S = 86_400
LATITUDE, LONGITUDE = 51.44, 7.57  # Schwerte
LESSONS = ((475, 520), (525, 570), (590, 635), (640, 685), (700, 745), (750, 795))  # minutes of day
PUPILS = 26
CO2_M3_PER_H = 0.018  # one sitting pupil
ROOM_M3 = 200.0
CLOSED_PER_H, OPEN_PER_H = 0.3, 5.0  # air changes, windows closed and open
OUTDOOR_PPM = 425.0


class World(Protocol):
    """What there is to feel, by channel and time."""

    @property
    def channels(self) -> Sequence[str]:
        """Names of what there is."""
        ...

    def truth(self, channel: str, unix: float) -> float:
        """The value at a unix time, in the unit of the drivers."""
        ...


@runtime_checkable
class MovingWorld(World, Protocol):
    """A world whose accelerometers are shaken."""

    @property
    def places(self) -> Sequence[str]:
        """Where an accelerometer may sit."""
        ...

    def motion(self, place: str) -> Callable[[float], Sequence[float]]:
        """m/s2 per axis at a unix time, gravity included. Raises KeyError."""
        ...


@dataclass(frozen=True)
class LiveTruth(Mapping[str, float]):
    """What one twin feels: constants of its own, replaced by channels of a world as time goes."""

    constants: Mapping[str, float]
    feeds: Mapping[str, str]  #: truth name -> channel
    world: World
    now: Callable[[], float]  #: unix seconds
    noise_rms: Mapping[str, float] = field(
        default_factory=dict
    )  #: of the sensor, truth name -> rms
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __getitem__(self, name: str) -> float:
        noise = self.chance.gauss(0, self.noise_rms[name]) if name in self.noise_rms else 0.0
        if name not in self.feeds:
            return self.constants[name] + noise
        return self.world.truth(self.feeds[name], self.now()) + noise

    def __iter__(self) -> Iterator[str]:
        return iter({**self.constants, **self.feeds})

    def __len__(self) -> int:
        return len({**self.constants, **self.feeds})


class SchoolDay:
    """A class room in Schwerte: lessons, airing, heating, daylight, weather; the same per seed."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self._models: Mapping[str, Callable[[float], float]] = {
            "room.temperature": lambda t: self._room(t)[1] + self._noise("rt", t, 0.02),
            "room.relative_humidity": self._room_humidity,
            "room.co2": lambda t: self._room(t)[0] + self._noise("co2", t, 5),
            "room.pressure": self._pressure,
            "room.illuminance": self._light,
            "room.pm1": lambda t: 0.6 * self._dust(t),
            "room.pm2_5": self._dust,
            "room.pm10": lambda t: 1.4 * self._dust(t) + 6 * self.persons(t) / PUPILS,
            "room.loudness": self._loudness,
            "outdoor.temperature": self._outdoor,
            "outdoor.relative_humidity": self._outdoor_humidity,
            "outdoor.pressure": self._pressure,
        }
        self._day = functools.lru_cache(maxsize=8)(self._integrate)

    @property
    def channels(self) -> Sequence[str]:
        """Names of what there is."""
        return list(self._models)

    def truth(self, channel: str, unix: float) -> float:
        """The value at a unix time. Raises KeyError for a channel it does not have."""
        return self._models[channel](unix)

    def persons(self, unix: float) -> int:
        """How many are in the room."""
        day, minute = divmod(unix + CET_S, DAY_S)
        minute /= 60
        if (day + 3) % 7 >= 5:  # 1970-01-01 was a Thursday
            return 0
        for number, (begin, end) in enumerate(LESSONS):
            if begin <= minute < end:
                free = random.Random(f"{self.seed}/{(day + 3) % 7}/{number}").random() < 0.2
                return 0 if free else PUPILS
        return 0

    def _airing(self, unix: float) -> bool:
        """Windows open in the long breaks, and sometimes in between."""
        day, minute = divmod(unix + CET_S, DAY_S)
        minute /= 60
        school = (day + 3) % 7 < 5
        between = any(begin <= minute < end for begin, end in ((570, 590), (685, 700), (795, 815)))
        short = any(end <= minute < end + 5 for _, end in LESSONS)
        luck = random.Random(f"{self.seed}/air/{day}/{minute // 60}").random()
        return school and (between or (short and luck < 0.4))

    def _integrate(self, day: int) -> Sequence[tuple[float, float]]:
        """CO2 (ppm) and temperature (Cel) at each minute of a day, from balances."""
        begin = day * DAY_S - CET_S
        co2 = OUTDOOR_PPM + 20
        temperature = 17.5 + 0.1 * self._outdoor(begin)
        states = []
        for minute in range(24 * 60 + 1):
            unix = begin + 60.0 * minute
            states.append((co2, temperature))
            persons, airing = self.persons(unix), self._airing(unix)
            changes = OPEN_PER_H if airing else CLOSED_PER_H
            gain = persons * CO2_M3_PER_H / ROOM_M3 * 1e6
            co2 += (gain - changes * (co2 - OUTDOOR_PPM)) / 60
            heated = 21.0 if (day + 3) % 7 < 5 and 360 <= minute < 840 else 17.5
            pull = (heated - temperature) / 1.5 + 0.05 * persons
            loss = (0.4 if airing else 0.05) * (temperature - self._outdoor(unix)) / 3
            temperature += (pull - loss) / 60
        return states

    def _room(self, unix: float) -> tuple[float, float]:
        """CO2 and temperature, between the minutes."""
        day, second = divmod(unix + CET_S, DAY_S)
        minute, rest = divmod(second, 60)
        before, after = self._day(int(day))[int(minute) : int(minute) + 2]
        part = rest / 60
        return (
            before[0] + (after[0] - before[0]) * part,
            before[1] + (after[1] - before[1]) * part,
        )

    def _room_humidity(self, unix: float) -> float:
        """Outdoor vapour, warmed up, and what people breathe out."""
        outside = self._outdoor(unix)
        vapour = self._outdoor_humidity(unix) * saturation(outside)
        inside = vapour / saturation(self._room(unix)[1])
        return min(max(inside + 0.004 * (self._room(unix)[0] - OUTDOOR_PPM) + 8, 12.0), 92.0)

    def _outdoor(self, unix: float) -> float:
        year = 2 * math.pi * (unix / DAY_S - 15) / 365.25
        hour = 2 * math.pi * ((unix + CET_S) / 3600 - 15) / 24
        return 10.5 - 8.5 * math.cos(year) + 3.5 * math.cos(hour) + 3 * self._weather(unix, 1)

    def _outdoor_humidity(self, unix: float) -> float:
        hour = 2 * math.pi * ((unix + CET_S) / 3600 - 15) / 24
        return min(max(76 - 12 * math.cos(hour) + 8 * self._weather(unix, 2), 25.0), 98.0)

    def _pressure(self, unix: float) -> float:
        return 100_800 + 900 * self._weather(unix, 3) + self._noise("p", unix, 2)

    def _light(self, unix: float) -> float:
        cloud = 0.5 + 0.3 * self._weather(unix, 4) + self._noise("sky", unix // 60, 0.03)
        daylight = 1500 * max(math.sin(sun_elevation(unix)), 0) * min(max(cloud, 0.1), 1)
        lamps = 350.0 if self.persons(unix) and daylight < 400 else 0.0
        return max(daylight + lamps + self._noise("lx", unix, 1), 0)

    def _dust(self, unix: float) -> float:
        level = 8 + 4 * self._weather(unix, 5) + 5 * self.persons(unix) / PUPILS
        return max(level + self._noise("pm", unix, 0.5), 0.5)

    def _loudness(self, unix: float) -> float:
        level = 60.0 if self.persons(unix) else 34.0
        return level + self._noise("dB", unix, 4 if level > 50 else 1)

    def _weather(self, unix: float, subject: int) -> float:
        """Slow and smooth, about -1..1: waves of two to nine days."""
        angle = 2 * math.pi * unix / DAY_S
        waves = weather_waves(self.seed, subject)
        return sum(math.sin(angle / period + phase) for period, phase in waves) / 2.2

    def _noise(self, what: str, unix: float, size: float) -> float:
        """The same at the same second, whoever asks."""
        return random.Random(f"{self.seed}/{what}/{math.floor(unix)}").gauss(0, size)


@functools.cache
def weather_waves(seed: int, subject: int) -> Sequence[tuple[float, float]]:
    """Periods in days and phases."""
    chance = random.Random(f"{seed}/weather/{subject}")
    return [(chance.uniform(2, 9), chance.uniform(0, 2 * math.pi)) for _ in range(4)]


def saturation(cel: float) -> float:
    """Saturation vapour pressure in Pa (Magnus formula, WMO-No. 8, annex 4.B)."""
    return 611.2 * math.exp(17.62 * cel / (243.12 + cel))


def sun_elevation(unix: float) -> float:
    """Radians above the horizon of Schwerte (declination and equation of time neglected)."""
    day = unix / DAY_S % 365.25
    declination = -0.4093 * math.cos(2 * math.pi * (day + 10) / 365.25)
    hour = 2 * math.pi * ((unix % DAY_S) / DAY_S - 0.5) + math.radians(LONGITUDE)
    latitude = math.radians(LATITUDE)
    return math.asin(
        math.sin(latitude) * math.sin(declination)
        + math.cos(latitude) * math.cos(declination) * math.cos(hour)
    )
