"""What ultrasonic level gauges on a serial line share.

The median of several frames, the speed of sound in the air of the day, the water's level under the
mount.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import sqrt
from statistics import median

from drivers.api import BusError, Quantity
from drivers.bus.port import Port
from drivers.frames import FrameFinder

ZERO_CELSIUS_K = 273.15
SPEED_AT_ZERO = 331.3  # m/s, dry air
COLDEST_CEL, HOTTEST_CEL = -60.0, 80.0  # beyond, it is no temperature of air


def speed_of_sound(temperature: float) -> float:
    """In air, m/s, at `temperature` in Cel; 0.17 % more per K."""
    return SPEED_AT_ZERO * sqrt(1 + temperature / ZERO_CELSIUS_K)


class EchoGauge(ABC):
    """A sensor that sends its distance by itself, again and again. A driver adds its frame.

    `frames`: how many a value is the median of. `mount_height_m`: of the sensor's face above the
    zero of the level; without it there is no level. `assumed_cel`: the temperature the sensor
    reckons with; None = it knows the temperature itself, `compensate` changes nothing then.

    Raises ValueError for `frames` out of 1 to 25.
    """

    baudrate = 9600
    finder: FrameFinder  #: how its frames look
    slowest_s: float  #: most time between two frames
    hint: str  #: what to look at when bytes come but no frame

    def __init__(
        self,
        port: Port,
        measures: Quantity,
        frames: int,
        mount_height_m: float | None,
        assumed_cel: float | None,
    ) -> None:
        if not 1 <= frames <= 25:
            raise ValueError("frames is 1 to 25")
        self.port, self.frames, self.mount_height_m = port, frames, mount_height_m
        self.assumed_cel, self.stretch = assumed_cel, 1.0
        self.quantities = {"distance": measures}
        if mount_height_m is not None:
            low, high = mount_height_m - measures.high, mount_height_m - measures.low
            self.quantities["level"] = Quantity("distance", measures.step, low, high)

    def setup(self) -> None:
        """Hear one frame, as a proof that it is there. Raises BusError."""
        self._listen(1)

    def compensate(self, temperature: float) -> None:
        """Take the air's temperature in Cel, between sensor and water; it holds until the next."""
        if self.assumed_cel is not None and COLDEST_CEL <= temperature <= HOTTEST_CEL:
            self.stretch = speed_of_sound(temperature) / speed_of_sound(self.assumed_cel)

    def read(self) -> dict[str, float | None]:
        """Distance and level in m, from frames sent after the call; None = no target in any.

        Raises BusError if no frame comes in time.
        """
        echoes = [mm for mm in map(self.mm, self._listen(self.frames)) if self.is_echo(mm)]
        distance = median(echoes) / 1000 * self.stretch if echoes else None
        values = {"distance": distance}
        if self.mount_height_m is not None:
            values["level"] = None if distance is None else self.mount_height_m - distance
        return values

    @abstractmethod
    def mm(self, frame: bytes) -> int:
        """The distance in mm that a good frame tells."""

    @abstractmethod
    def is_echo(self, mm: int) -> bool:
        """Whether it is a distance, not the word for "no target"."""

    def _listen(self, wanted: int) -> list[bytes]:
        """The next `wanted` frames; fewer if time is up, at least one. Raises BusError."""
        self.port.discard()
        heard = self.finder.hear(self.port, wanted, (wanted + 2) * self.slowest_s)
        if not heard.frames:
            raise BusError(f"{self.port.path}: {self._complaint(heard.seen)}")
        return heard.frames

    def _complaint(self, seen: bytes) -> str:
        if not seen:
            return "nothing heard: has the sensor power, does its TX go to RXD (pin 10)?"
        return f"no good frame in {seen.hex(' ')}: {self.hint}"
