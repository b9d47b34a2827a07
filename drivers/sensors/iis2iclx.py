"""STMicroelectronics IIS2ICLX: acceleration in two axes, I2C 0x6A (SA0 to ground) or 0x6B.

Datasheet: IIS2ICLX, and application note AN5509 revision 2. Registers, scales and the limits of
the self-test as in ST's own drivers (iis2iclx_reg.h, st_iis2iclx for Linux). FIFO words carry a
tag with parity and a counter modulo 4, so a lost word is noticed, not counted. 15 ug/sqrt(Hz).
In the range of 0.5 g both axes have to lie level: 1 g of gravity overloads them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from drivers.api import DataError, Samples
from drivers.bus.i2c import I2C
from drivers.registers import Register
from drivers.selftest import moved
from drivers.sim.fifo import FifoTwin, counts

G = 9.80665  # m/s2
RATES = {104: 4, 208: 5}
RANGES = {0.5: (0, 15e-6), 3.0: (1, 122e-6), 1.0: (2, 31e-6), 2.0: (3, 61e-6)}  # code, g per count
RESET, BOOTED_S = 0x01, 0.05
BLOCK_UPDATE, INCREMENT = 0x40, 0x04
DEVICE_CONF = 0x02
BYPASS, CONTINUOUS = 0x00, 0x06
OVERRUN = 0x08  # latched until it is read
SETTLE_S = 0.1
WORDS = 512
WORDS_SURE = 416  # what ST's Linux driver relies on
PIECE = 64  # words of one transaction: 40 ms at 100 kHz, in which no other chip is heard
WORD = struct.Struct("<Bhhh")
COUNTER = {0x11: 0, 0x12: 1, 0x14: 2, 0x17: 3}  # tag: 2 = acceleration, counter, even parity
SELF_TEST_RATE, SELF_TEST_RANGE, POSITIVE = 3, 2.0, 0x01  # 52 Hz
SELF_TEST_S, SELF_TEST_MEAN = 0.3, 8
SELF_TEST_G = (0.045, 0.850)  # 737 and 13934 counts at 2 g


class IIS2ICLX:
    """X and Y in m/s2; waits 4 s at 104 Hz without losing a sample.

    Raises ValueError for a rate it cannot keep, or a range it does not have.
    """

    axes: Sequence[str] = ("x", "y")
    unit = "m/s2"
    drain_s = 0.09  #: a full FIFO, at 400 kHz
    who_am_i = Register(0x0F)
    fifo_rate = Register(0x09)
    fifo_mode = Register(0x0A)
    acceleration_control = Register(0x10)
    control = Register(0x12)
    self_test_control = Register(0x14)
    device_control = Register(0x18)
    temperature_counts = Register(0x20, size=2, signed=True, order="little")
    fifo_status = Register(0x3A, size=2, order="little")

    def __init__(
        self,
        i2c: I2C,
        address: int = 0x6A,
        rate_hz: float = 104,
        range_g: float = 2.0,
        self_test: bool = False,
    ) -> None:
        if rate_hz not in RATES:
            raise ValueError(
                f"rate_hz is 104 or 208, not {rate_hz:g}: faster, I2C from Linux cannot keep up"
            )
        if range_g not in RANGES:
            raise ValueError(f"range_g is 0.5, 1, 2 or 3, not {range_g:g}")
        self.i2c, self.address = i2c, address
        self.rate_hz, self.range_g, self.self_test_wanted = float(rate_hz), range_g, self_test
        self.depth_s = WORDS_SURE / self.rate_hz
        self.full_scale = min(range_g, 32767 * RANGES[range_g][1]) * G  #: m/s2; there it clips
        self.resyncs = 0  #: words thrown away because their tag was wrong
        self._torn = True  # the next drain does not continue the last one
        self._expected: int | None = None  # counter of the next word

    def setup(self) -> None:
        """Identify, reset, self-test if wanted, start; 0.2 s, with self-test 1 s.

        Raises BusError, DataError.
        """
        if (found := self.who_am_i) != 0x6B:
            raise DataError(f"0x{self.address:02x}: id {found:02x}, not an IIS2ICLX (6b)")
        if self.self_test_wanted:
            self.self_test()
        else:
            self._start(RATES[int(self.rate_hz)], self.range_g)

    def self_test(self) -> Sequence[float]:
        """What the chip's own push moves each axis by, in g; then start anew.

        The bridge may not shake. Raises DataError if it is not 0.045 to 0.850 g.
        """
        self._start(SELF_TEST_RATE, SELF_TEST_RANGE)
        still = self._mean()
        self.self_test_control = POSITIVE
        self.i2c.pause(SETTLE_S)
        pushed = self._mean()
        self._start(RATES[int(self.rate_hz)], self.range_g)
        return moved(self.address, still, pushed, [SELF_TEST_G] * 2)

    def drain(self) -> Samples:
        """All words. A wrong word costs those before it, not the time of those after it.

        Raises BusError; DataError after a loss of supply, or if no word is good.
        """
        status = self.fifo_status
        at = self.i2c.timer.monotonic()
        torn, self._torn = self._torn, True  # until this has gone well
        words = self._burst(status & 0x03FF)
        self._check()
        return replace(self._decoded(words, torn or bool(status >> 8 & OVERRUN)), at=at)

    def temperature(self) -> float:
        """Of the chip in Cel. Raises BusError, DataError after a loss of supply."""
        value = 25 + self.temperature_counts / 256
        self._check()
        return value

    def _start(self, rate_code: int, range_g: float) -> None:
        self.control = RESET | INCREMENT
        self.i2c.pause(BOOTED_S)
        self.device_control = DEVICE_CONF
        self.control = BLOCK_UPDATE | INCREMENT
        range_code, self.g_per_count = RANGES[range_g]
        self.acceleration_control = rate_code << 4 | range_code << 2
        self.i2c.pause(SETTLE_S)
        self.fifo_rate = rate_code
        self.fifo_mode = CONTINUOUS
        self._torn = True

    def _check(self) -> None:
        """Raise DataError if the chip is not set as it was."""
        wanted = RATES[int(self.rate_hz)] << 4 | RANGES[self.range_g][0] << 2
        found = self.acceleration_control, self.fifo_mode
        if found != (wanted, CONTINUOUS):
            said = " ".join(f"{one:02x}" for one in found)
            raise DataError(f"0x{self.address:02x}: lost its configuration ({said}): its supply?")

    def _burst(self, count: int) -> bytes:
        if count > WORDS:
            raise DataError(f"0x{self.address:02x}: {count} words in a FIFO of {WORDS}")
        pieces = [min(PIECE, count - at) for at in range(0, count, PIECE)]
        return b"".join(
            self.i2c.write_read(self.address, b"\x78", words * WORD.size) for words in pieces
        )

    def _decoded(self, data: bytes, gap: bool) -> Samples:
        samples: list[tuple[float, float]] = []
        scale = self.g_per_count * G
        lost: int | None = None if gap else 0
        expected = None if gap else self._expected
        bad = 0  # words just before
        for tag, x, y, _ in WORD.iter_unpack(data):
            counter = COUNTER.get(tag)
            if counter is None:
                bad += 1
            else:
                follows = expected in (None, counter)
                if bad or not follows:
                    lost = lost + len(samples) + bad if follows and lost is not None else None
                    samples.clear()
                    self.resyncs += bad
                    bad = 0
                samples.append((x * scale, y * scale))
                expected = counter
            expected = None if expected is None else expected + 1 & 3
        self.resyncs += bad
        if data and not samples:
            first = data[: WORD.size].hex(" ")
            raise DataError(f"0x{self.address:02x}: no good word in the FIFO; the first: {first}")
        self._expected, self._torn = expected, bad > 0 or (gap and not samples)
        return Samples(samples, gap or lost != 0, lost)

    def _mean(self) -> list[float]:
        """In g per axis, of a fresh FIFO."""
        self.fifo_mode = BYPASS
        self.fifo_mode = CONTINUOUS
        self.i2c.pause(SELF_TEST_S)
        drained = self._decoded(self._burst(self.fifo_status & 0x03FF), gap=True)
        newest = drained.samples[-SELF_TEST_MEAN:]
        if not newest:
            raise DataError(f"0x{self.address:02x}: samples nothing")
        return [fmean(axis) / G for axis in zip(*newest, strict=True)]


class IIS2ICLXTwin(FifoTwin):
    """Samples into its FIFO in continuous mode (6) while rate and batching rate agree."""

    defaults = {0x0F: 0x6B, 0x12: 0x04, 0x63: 0x00}
    axes = ("x", "y")
    deep = 512
    rates_hz, count_g, count_cel = (104, 208), 61e-6, 1 / 256
    other_chip = {0x0F: 0x6A}
    noise_density = 15.0

    def __init__(self) -> None:
        super().__init__()
        self.self_test_g = (0.3, 0.3)

    def write(self, data: bytes, now: float) -> None:
        """Registers; a changed rate, batching rate or mode starts or stops the sampling."""
        self.catch_up(now)
        before = self._mode()
        super().write(data, now)
        if self.memory[0x12] & 0x01:
            self.power_on(now)
        elif self._mode() != before:
            odr, batched, mode = self._mode()
            rates = (0, 12.5, 26, 52, 104, 208, 416, 833)
            self.stop()
            if 0 < odr < 8:
                self.start(rates[odr], now, batching=mode == 6 and odr == batched)

    def read(self, length: int, now: float) -> bytes:
        """Registers, among them the newest sample (0x28 to 0x2B).

        From 0x78 on the FIFO's words, rolling over, each popped with its last byte; reading
        0x3B clears its latch.
        """
        self.catch_up(now)
        if 0x78 <= self.pointer <= 0x7E:
            return self._words(self.pointer - 0x78, length)
        self.memory[0x1E] = bool(self.made) | (self.memory[0x10] >> 4 > 0) << 2
        self.memory[0x28:0x2C] = struct.pack("<hh", *self._counted(self.newest()))
        level = len(self.queue)
        celsius = counts((self.truth["temperature"] - 25) * 9.80665, 256, 16)
        self.memory[0x20:0x22] = (celsius if self.memory[0x10] >> 4 else 0).to_bytes(
            2, "little", signed=True
        )
        self.memory[0x3A] = level & 0xFF
        self.memory[0x3B] = (
            level >> 8 | self.overran << 3 | (level == self.deep) << 5 | self.overran << 6
        )
        if self.pointer <= 0x3B < self.pointer + length:
            self.overran = False
        return super().read(length, now)

    def pushing(self) -> bool:
        """Positive self-test in bits 1:0 of 0x14."""
        return self.memory[0x14] & 0x03 == 1

    def _mode(self) -> tuple[int, int, int]:
        return self.memory[0x10] >> 4, self.memory[0x09] & 0x0F, self.memory[0x0A] & 0x07

    def _words(self, at: int, length: int) -> bytes:
        """`length` bytes of the FIFO's words, from byte `at` of the oldest on."""
        said = b""
        while len(said) < length:
            part = self._word()[at : at + length - len(said)]
            if at + len(part) == 7 and self.queue:
                self.queue.popleft()
            said, at = said + part, 0
        return said

    def _word(self) -> bytes:
        """The oldest, with its tag; zeros if there is none."""
        if not self.queue:
            return bytes(7)
        number, felt = self.queue[0]
        tag = 0x10 | (number & 3) << 1
        tag |= tag.bit_count() & 1
        return struct.pack("<Bhhh", tag, *self._counted(felt), 0)

    def _counted(self, felt: Sequence[float]) -> tuple[int, int]:
        per_g = 1000 / (0.015, 0.122, 0.031, 0.061)[self.memory[0x10] >> 2 & 3]
        x, y = felt
        return counts(x, per_g, 16), counts(y, per_g, 16)


DRIVER, TWIN = IIS2ICLX, IIS2ICLXTwin
