"""DFRobot A02YYUW (SEN0311; DYP-A02YYUW): ultrasonic distance to water, m, serial 9600 8N1.

Datasheet: DFRobot wiki SEN0311, "UART Output" (frame, rates), "Specification": 30 to 4500 mm, 1 cm.

    FF  high low  sum      sum = (FF + high + low) mod 256, distance in mm; 0 = no echo

FF is no marker: it may be data and sum too. The sensor knows no temperature, and its maker does
not say which one it reckons with: 20 Cel is taken (`assumed_cel`), see its page for how to check.
Closer than 30 mm its values repeat or vanish. That 0 means "no echo" is from esphome/issues#6394.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from drivers.api import Quantity
from drivers.bus.port import Port
from drivers.echo import EchoGauge
from drivers.frames import FrameFinder
from drivers.vector import Vector

HEADER = 0xFF
FRAME = 4
NO_ECHO = 0
SLOWEST_S = 0.5  # "processed value" (RX open or high): 100 to 300 ms, some revisions 500 ms
BLIND_M = 0.03
FARTHEST_M = 4.8  # 4.5 m by the sensor's reckoning, in air of 60 Cel
STEP_M = 0.01  # accuracy


def is_good(frame: bytes) -> bool:
    """By its sum. A high byte of FF (65 m) is two frames misread as one."""
    header, high, low, total = frame
    return high != HEADER and (header + high + low) & 0xFF == total


class A02YYUW(EchoGauge):
    """Distance in m and, above a known zero, level in m."""

    checksum, read_s = True, 0.7
    finder, slowest_s = FrameFinder(bytes([HEADER]), FRAME, is_good), SLOWEST_S
    hint = "is the speed 9600, does another program or the console use the line?"

    def __init__(
        self,
        port: Port,
        frames: int = 5,
        mount_height_m: float | None = None,
        assumed_cel: float | None = 20.0,
    ) -> None:
        measures = Quantity("distance", STEP_M, BLIND_M, FARTHEST_M)
        super().__init__(port, measures, frames, mount_height_m, assumed_cel)

    def mm(self, frame: bytes) -> int:
        """Bytes 1 and 2, high byte first."""
        return frame[1] << 8 | frame[2]

    def is_echo(self, mm: int) -> bool:
        """It sends 0 where nothing comes back, or too early."""
        return mm != NO_ECHO


class A02YYUWTwin:
    """Says ten times a second what sound of 20 Cel would make of the time it measures."""

    baudrate = 9600
    feels = {"distance": (0.03, 4.5)}

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {"distance": 1.953, "temperature": 20.0}

    def power_on(self, now: float) -> None:
        """The first frame comes after a tenth of a second."""
        self.next_at = now + 0.1

    def receive(self, data: bytes, now: float) -> None:
        """Its RX is a level, not a line to talk on."""

    def send(self, now: float) -> bytes:
        """What it has said since."""
        out = b""
        while now >= self.next_at:
            out += self.frame()
            self.next_at += 0.1
        return out

    def frame(self) -> bytes:
        """Sound is as fast as the root of the absolute temperature."""
        away, kelvin = self.truth["distance"], self.truth["temperature"] + 273.15
        mm = round(1000 * away * sqrt(293.15 / kelvin))
        high, low = divmod(mm if 30 <= mm <= 4500 else 0, 256)
        return bytes([255, high, low, (255 + high + low) % 256])


VECTORS = (
    Vector(
        'DFRobot wiki SEN0311, "UART Output"',
        ["ff 07 a1 a7"],
        {"distance": 1.953, "level": 1.047},
        options={"mount_height_m": 3.0},
    ),
)
DRIVER, TWIN = A02YYUW, A02YYUWTwin
