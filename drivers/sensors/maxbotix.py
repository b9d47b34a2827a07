"""MaxBotix HRXL-MaxSonar-WR (MB7369, MB7389, ...): ultrasonic distance to water, serial 9600 8N1.

Datasheet: PD11500, "Pin Out" (pin 5), "Sensor Timing", "Temperature Compensation". In m.

    R 1 2 3 4 CR      1234 mm; its farthest value = no target, its nearest = that near or nearer

MB7369 speaks with RS232 polarity (needs a level converter), MB7389 TTL. No checksum: a flipped
digit passes, the median stands against it. It compensates with a thermometer of its own, so what
`compensate` says is only used with `assumed_cel`. After power-up it first says who it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import Quantity
from drivers.bus.port import Port
from drivers.echo import EchoGauge
from drivers.frames import FrameFinder
from drivers.vector import Vector

FRAME = 6
SLOWEST_S = 0.2  # 6.67 Hz; the slowest of the family 5.17 Hz ("Sensor Timing")
MODELS_M = {5.0: 0.300, 10.0: 0.500}  #: longest range -> the nearest it can tell
STEP_M = 0.001


def is_good(record: bytes) -> bool:
    """R, four digits, CR."""
    return record[1:5].isdigit() and record[5:] == b"\r"


class MaxBotix(EchoGauge):
    """Distance in m and, above a known zero, level in m. `range_m`: 5 or 10, by the model.

    Raises ValueError for another `range_m`.
    """

    checksum, read_s = False, 1.0
    finder, slowest_s = FrameFinder(b"R", FRAME, is_good), SLOWEST_S
    hint = "an RS232 model (MB7369) needs a level converter, MB7389 (TTL) none; is the speed 9600?"

    def __init__(
        self,
        port: Port,
        frames: int = 5,
        mount_height_m: float | None = None,
        range_m: float = 5.0,
        assumed_cel: float | None = None,
    ) -> None:
        if range_m not in MODELS_M:
            raise ValueError("range_m is 5 or 10, by the model")
        self.no_target_mm = round(1000 * range_m) - 1  # 4999 or 5000; four digits end at 9999
        nearest = MODELS_M[range_m] + STEP_M  # what says "or nearer" is off the range
        measures = Quantity("distance", STEP_M, nearest, range_m)
        super().__init__(port, measures, frames, mount_height_m, assumed_cel)

    def mm(self, frame: bytes) -> int:
        """Its four digits."""
        return int(frame[1:5])

    def is_echo(self, mm: int) -> bool:
        """Just above its range it means: nothing there."""
        return mm < self.no_target_mm


class MaxBotixTwin:
    """Introduces itself, then 6.67 records a second."""

    baudrate = 9600
    feels = {"distance": (0.301, 4.998)}

    def __init__(self, range_m: float = 5.0) -> None:
        self.truth: Mapping[str, float] = {"distance": 1.234}
        self.near, self.none = (300, 5000) if range_m == 5 else (500, 9999)

    def power_on(self, now: float) -> None:
        """Its name comes until 160 ms after power-up."""
        self.out = b"HRXL-MaxSonar-WRM\rPN:MB7389\rMaxBotix Inc.\rRoHS 1.8b090  0713\rTempI\r"
        self.next_at = now + 0.31

    def receive(self, data: bytes, now: float) -> None:
        """Pin 4 is a level, not a line to talk on."""

    def send(self, now: float) -> bytes:
        """What it has said since."""
        while now >= self.next_at:
            self.out += self.frame()
            self.next_at += 0.15
        out, self.out = self.out, b""
        return out

    def frame(self) -> bytes:
        """R, the range in mm, CR."""
        mm = max(round(1000 * self.truth["distance"]), self.near)
        return b"R%04d\r" % min(mm, self.none)


VECTORS = (
    Vector(
        "PD11500, pin 5: R, four digits, CR; mm",
        [b"R1234\r".hex(" ")],
        {"distance": 1.234, "level": 2.766},
        options={"mount_height_m": 4.0},
    ),
)
DRIVER, TWIN = MaxBotix, MaxBotixTwin
