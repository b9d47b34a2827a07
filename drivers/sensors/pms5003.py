"""Plantower PMS5003 (PMS7003, PMSA003): particulate matter, serial 9600 8N1.

Datasheet: PMS5003 series data manual V2.5, appendix I (frame, commands). Values for ambient air
("atmospheric"), ug/m3. Used in passive mode: it is asked and answers at once, so a row never waits
up to 2.3 s for the sensor's own rhythm. For 30 s after waking its fan has not settled: nothing is
measured then.

    BM  00 1C (28 bytes follow)  13 words  sum of all bytes before      words high byte first

The words: three masses as calibrated in the factory, three for ambient air, six counts of
particles, and version (high byte) with error code (low byte). 0 ug/m3 is clean air while particles
are counted; a fan that stands or a dead laser counts the same for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from drivers.api import DataError, Quantity, WarmingUp
from drivers.bus.port import Port
from drivers.frames import FrameFinder
from drivers.vector import Vector

START = b"\x42\x4d"
DATA = START + b"\x00\x1c"  # 28 bytes follow
FRAME = 32
WORDS = Struct(">16H")
PASSIVE, ASK, WAKE = (0xE1, 0), (0xE2, 0), (0xE4, 1)
SETTLE_S = 30.0  # page 5: stable data at least 30 s after wake-up
ANSWER_S = 2.5  # a frame is due within one active interval at the latest


def is_good(frame: bytes) -> bool:
    """By its sum."""
    return sum(frame[:-2]) == int.from_bytes(frame[-2:], "big")


class PMS5003:
    """PM1, PM2.5 and PM10 in ug/m3. It warms up for 30 s after setup."""

    baudrate = 9600
    checksum = True
    warm_up_s, setup_s, read_s = SETTLE_S, 3.0, 3.0
    finder = FrameFinder(DATA, FRAME, is_good)
    quantities = {
        "pm1": Quantity("pm1", 1, 0, 1000),
        "pm2_5": Quantity("pm2_5", 1, 0, 1000),
        "pm10": Quantity("pm10", 1, 0, 1000),
    }

    def __init__(self, port: Port) -> None:
        self.port = port
        self.settled_at = 0.0
        self.version: int | None = None  #: as the newest frame says; 0x97 is usual
        self.counts: Mapping[str, tuple[int, ...]] = {}  #: behind the newest values

    def setup(self) -> None:
        """Wake it, make it passive, get one frame as a proof that it is there.

        Raises BusError (no answer), DataError (only noise).
        """
        self._tell(*WAKE)
        self._tell(*PASSIVE)
        self.settled_at = self.port.timer.monotonic() + SETTLE_S
        self._frame()

    def read(self) -> dict[str, float]:
        """The newest values.

        Raises BusError (no answer), DataError (only noise, or an error code), WarmingUp.
        """
        left_s = self.settled_at - self.port.timer.monotonic()
        if left_s > 0:
            raise WarmingUp(self.port.path, left_s)
        words = WORDS.unpack(self._frame())
        pm1, pm2_5, pm10 = words[5:8]  # for ambient air
        self.counts = dict.fromkeys(self.quantities, words[2:14])  # masses say less than counts
        return {"pm1": float(pm1), "pm2_5": float(pm2_5), "pm10": float(pm10)}

    def _tell(self, command: int, value: int) -> None:
        body = START + bytes([command, value >> 8, value & 255])
        self.port.write(body + sum(body).to_bytes(2, "big"))

    def _frame(self) -> bytes:
        """The next good frame. Raises BusError, DataError."""
        self.port.discard()
        self._tell(*ASK)
        frame = self.finder.next(self.port, ANSWER_S)
        self.version, code = frame[28], frame[29]
        if code:
            raise DataError(f"{self.port.path}: error code {code:02x}, version {self.version:02x}")
        return frame


class PMS5003Twin:
    """Active at power-up: a frame every second; passive: one per request; asleep: silent."""

    baudrate = 9600

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {"pm1": 5.0, "pm2_5": 8.0, "pm10": 12.0}
        self.particles = [210, 70, 45, 30, 0, 0]  #: in 0.1 l, above 0.3 to 10 um
        self.error_code = 0

    def power_on(self, now: float) -> None:
        """Awake and active."""
        self.active, self.asleep = True, False
        self.next_at, self.out, self.heard = now + 1.0, b"", b""

    def receive(self, data: bytes, now: float) -> None:
        """Commands of seven bytes with a sum; anything else is passed over."""
        self.heard += data
        while len(self.heard) >= 7:
            command = self.heard[:7]
            good = command[:2] == b"BM" and sum(command[:5]) == command[5] << 8 | command[6]
            self.heard = self.heard[7:] if good else self.heard[1:]
            if good:
                self._obey(command[2], command[4], now)

    def send(self, now: float) -> bytes:
        """What it has said since."""
        while self.active and not self.asleep and now >= self.next_at:
            self.out += self.frame()
            self.next_at += 1.0
        out, self.out = self.out, b""
        return out

    def _obey(self, command: int, value: int, now: float) -> None:
        if command == 0xE4:
            self.asleep, self.next_at = value == 0, now + 1.0
        elif self.asleep:
            return
        elif command == 0xE1:
            self.active, self.next_at = value == 1, now + 1.0
            self.out += summed(b"BM\x00\x04\xe1" + bytes([value]))
        elif command == 0xE2 and not self.active:
            self.out += self.frame()

    def frame(self) -> bytes:
        """What it says of the air now."""
        names = ("pm1", "pm2_5", "pm10")
        air = [min(max(round(self.truth[name]), 0), 65535) for name in names]
        words = [28, *air, *air, *self.particles, 0x9700 | self.error_code]
        return summed(b"BM" + b"".join(word.to_bytes(2, "big") for word in words))


def summed(data: bytes) -> bytes:
    """With the sum of its bytes behind it."""
    total = 0
    for byte in data:
        total = (total + byte) % 65536
    return data + bytes(divmod(total, 256))


VECTORS = (
    Vector(
        "avaldebe/PyPMS, tests/captured_data",
        [
            "424d001c 0000 0008 0008 0000 0008 0008 00d2 0046 002d 001e 0000 0000 9700 02c5",
        ],
        {"pm1": 0.0, "pm2_5": 8.0, "pm10": 8.0},
    ),
)
DRIVER, TWIN = PMS5003, PMS5003Twin
