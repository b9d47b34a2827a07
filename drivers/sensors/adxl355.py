"""Analog Devices ADXL355: acceleration in three axes, I2C 0x1D (ASEL low) or 0x53.

Datasheet: ADXL354/ADXL355 (registers, FIFO, self-test). Reset with a look at the shadow registers
as in Linux (drivers/iio/accel/adxl355_core.c): a reset can load wrong trims. The FIFO
holds 32 samples (0.26 s at 125 Hz) of three words; bit 0 marks X, bit 1 that there was none. When
it is full the oldest is lost and a flag says so, not how many. 22.5 ug/sqrt(Hz), range 2 g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from drivers.api import DataError, Samples
from drivers.bus.i2c import I2C
from drivers.registers import Register
from drivers.selftest import moved
from drivers.sim.fifo import FifoTwin, counts

G = 9.80665  # m/s2
RATES = {125: 5, 250: 4}
PER_G = {0x81: 256_000, 0x83: 64_000}  # counts; fast I2C (bit 7) and 2 or 8 g
RANGE_2_G, RANGE_8_G = 0x81, 0x83
RESET, RESET_S, RESETS = 0x52, 0.005, 5
MEASURE = 0x00
OVERRUN = 0x04
WORDS = 96
IS_X, EMPTY = 0x01, 0x02
SETTLE_S = 0.1
FORCE = (0x01, 0x03)  # self-test on, then pushing
SELF_TEST_SAMPLES = 24
SELF_TEST_G = ((0.1, 0.6), (0.1, 0.6), (0.5, 3.0))  # typical 0.3, 0.3, 1.5


class ADXL355:
    """X, Y and Z in m/s2; the FIFO has to be read at least four times a second at 125 Hz.

    Raises ValueError for a rate it cannot keep.
    """

    axes: Sequence[str] = ("x", "y", "z")
    unit = "m/s2"
    full_scale = 2 * G  #: specified; it clips at 2.048 g
    ids = Register(0x00, size=3)
    status = Register(0x04)
    status_and_entries = Register(0x04, size=2)
    temperature_counts = Register(0x06, size=2)
    filter = Register(0x28)
    configuration = Register(0x28, size=6)
    range = Register(0x2C)
    power = Register(0x2D)
    self_test_control = Register(0x2E)
    reset = Register(0x2F)
    shadow = Register(0x50, size=5)

    def __init__(
        self, i2c: I2C, address: int = 0x1D, rate_hz: float = 125, self_test: bool = False
    ) -> None:
        if rate_hz not in RATES:
            raise ValueError(
                f"rate_hz is 125 or 250, not {rate_hz:g}: faster, its FIFO of 32 samples is full"
                " before Linux reads it over I2C"
            )
        self.i2c, self.address = i2c, address
        self.rate_hz, self.self_test_wanted = float(rate_hz), self_test
        self.depth_s = WORDS / 3 / self.rate_hz
        self.resyncs = 0  #: words thrown away because they were not X, Y, Z in turn
        self._torn = True  # the next drain does not continue the last one
        self._part: list[int] = []  # a sample begun at the end of the last batch

    def setup(self) -> None:
        """Identify, reset, self-test if wanted, start; 0.1 s, with self-test 0.8 s.

        Raises BusError, DataError.
        """
        if (found := self.ids) != 0xAD1DED:
            raise DataError(f"0x{self.address:02x}: ids {found:06x}, not an ADXL355 (ad1ded)")
        if self.self_test_wanted:
            self.self_test()
        else:
            self._start(RANGE_2_G)

    def self_test(self) -> Sequence[float]:
        """What the chip's own push moves each axis by, in g; then start anew.

        The bridge may not shake. At 8 g, or gravity and push together would be out of range.
        Raises DataError if it is not 0.1 to 0.6 g in X and Y, 0.5 to 3 g in Z.
        """
        self._start(RANGE_8_G)
        still = self._mean()
        for bits in FORCE:
            self.self_test_control = bits
        self.i2c.pause(SETTLE_S)
        pushed = self._mean()
        self._start(RANGE_2_G)
        return moved(self.address, still, pushed, SELF_TEST_G)

    def drain(self) -> Samples:
        """All whole samples.

        Words out of turn cost the samples before them, not the time of those
        after them. Raises BusError; DataError after a loss of supply, or if no sample is whole.
        """
        status, entries = divmod(self.status_and_entries, 256)
        at = self.i2c.timer.monotonic()
        torn, self._torn = self._torn, True  # until this has gone well
        data = self._burst(entries)
        status |= self.status  # it may have overrun while we were about to read
        self._check()
        return replace(self._decoded(data, torn or bool(status & OVERRUN)), at=at)

    def temperature(self) -> float:
        """Of the chip in Cel. Raises BusError, DataError after a loss of supply."""
        for _ in range(5):  # its two bytes are not taken at one time
            first, second = self.temperature_counts & 0x0FFF, self.temperature_counts & 0x0FFF
            if abs(first - second) < 16:
                self._check()
                return 25 + (second - 1885) / -9.05
        raise DataError(f"0x{self.address:02x}: temperature jumps: {first} and {second} counts")

    def _start(self, range_code: int) -> None:
        """In standby until all is set; what it sampled while its filter settled is thrown away."""
        self._reset()
        self.filter = RATES[int(self.rate_hz)]
        self.range = range_code
        self.power = MEASURE
        self.range_code, self._torn, self._part = range_code, True, []
        self.i2c.pause(SETTLE_S)
        self._burst(self.status_and_entries & 0xFF)

    def _reset(self) -> None:
        before = self.shadow
        for _ in range(RESETS):
            self.reset = RESET
            self.i2c.pause(RESET_S)
            if self.shadow == before:
                return
        raise DataError(
            f"0x{self.address:02x}: wrong trims after {RESETS} resets: switch its supply off and on"
        )

    def _check(self) -> None:
        """Raise DataError if the chip is not set as it was."""
        found = self.configuration.to_bytes(6, "big")
        if found[0] != RATES[int(self.rate_hz)] or found[4:] != bytes([RANGE_2_G, MEASURE]):
            said = found.hex(" ")
            raise DataError(f"0x{self.address:02x}: lost its configuration ({said}): its supply?")

    def _burst(self, entries: int) -> bytes:
        if entries > WORDS:
            raise DataError(f"0x{self.address:02x}: {entries} words in a FIFO of {WORDS}")
        length = 3 * (entries - entries % 3)
        return self.i2c.write_read(self.address, b"\x11", length) if length else b""

    def _decoded(self, data: bytes, gap: bool) -> Samples:
        fresh = (int.from_bytes(data[at : at + 3], "big") for at in range(0, len(data), 3))
        words = [*([] if gap else self._part), *(word for word in fresh if not word & EMPTY)]
        samples: list[tuple[float, float, float]] = []
        scale = G / PER_G[self.range_code]
        lost, out, at = 0, 0, 0  # samples; words out of turn just before; place in `words`
        while at + 3 <= len(words):
            x, y, z = words[at : at + 3]
            if not x & IS_X or (y | z) & IS_X:
                at, out = at + 1, out + 1
                continue
            if out:
                lost += len(samples) + (out + 2) // 3
                samples.clear()
                self.resyncs += out
            samples.append((signed(x) * scale, signed(y) * scale, signed(z) * scale))
            at, out = at + 3, 0
        self.resyncs += out
        if out and not samples:
            raise DataError(f"0x{self.address:02x}: X, Y, Z out of turn: {data[:9].hex(' ')}")
        self._part, self._torn = words[at:], out > 0 or (gap and not samples)
        return Samples(samples, gap or lost > 0, None if gap else lost)

    def _mean(self) -> list[float]:
        """In g per axis, of a fresh FIFO."""
        self._burst(self.status_and_entries & 0xFF)
        self.i2c.pause(SELF_TEST_SAMPLES / self.rate_hz)
        samples = self._decoded(self._burst(self.status_and_entries & 0xFF), gap=True).samples
        if not samples:
            raise DataError(f"0x{self.address:02x}: samples nothing")
        return [fmean(axis) / G for axis in zip(*samples, strict=True)]


def signed(word: int) -> int:
    """20 bit two's complement, left-aligned in 24."""
    return (word >> 4 ^ 0x80000) - 0x80000


class ADXL355Twin(FifoTwin):
    """Samples while bit 0 of 0x2D is 0; settings it is given then are passed over."""

    rates_hz, count_g, count_cel = (125, 250), 1 / 256_000, 1 / 9.05
    other_chip = {0x02: 0xEC}
    defaults = {
        0x00: 0xAD, 0x01: 0x1D, 0x02: 0xED, 0x03: 0x01, 0x29: 0x60, 0x2C: 0x81, 0x2D: 0x01,
        0x50: 0x11, 0x51: 0x22, 0x52: 0x33, 0x53: 0x44, 0x54: 0x55,
    }  # fmt: skip
    noise_density = 22.5

    def __init__(self) -> None:
        super().__init__()
        self.bad_resets = 0  #: the next so many resets load wrong trims

    def stop(self) -> None:
        """As it says; the words of a sample half read are forgotten too."""
        super().stop()
        self.words: list[int] = []

    def write(self, data: bytes, now: float) -> None:
        """Registers; 0x52 to 0x2F resets; 0x2D starts and stops."""
        self.catch_up(now)
        if data[0] == 0x28 and len(data) > 1 and not self.memory[0x2D] & 1:
            return
        was = self.memory[0x2D] & 1
        super().write(data, now)
        if data[:2] == b"\x2f\x52":
            self.power_on(now)
            if self.bad_resets:
                self.bad_resets -= 1
                self.memory[0x52] ^= 0x08
        elif was != self.memory[0x2D] & 1:
            self.stop()
            if was:
                self.start(4000 / (1 << (self.memory[0x28] & 0x0F)), now)

    def read(self, length: int, now: float) -> bytes:
        """Registers, or the FIFO's words at 0x11; reading STATUS clears its overrun."""
        self.catch_up(now)
        if self.pointer == 0x11:
            said = b"".join(self._word().to_bytes(3, "big") for _ in range(-(-length // 3)))
            return said[:length]
        entries = 3 * len(self.queue) + len(self.words)
        celsius = round(1885 - 9.05 * (self.truth["temperature"] - 25))
        awake = not self.memory[0x2D] & 1
        self.memory[0x04] = bool(self.made) | (entries == 96) << 1 | self.overran << 2
        self.memory[0x05] = entries
        self.memory[0x06:0x08] = (celsius & 0xFFF if awake else 0).to_bytes(2, "big")
        self.memory[0x08:0x11] = b"".join(
            (counts(one, self._per_g(), 20) << 4 & 0xFFFFFF).to_bytes(3, "big")
            for one in self.newest()
        )
        if self.pointer == 0x04:
            self.overran = False
        return super().read(length, now)

    def pushing(self) -> bool:
        """Both bits of 0x2E."""
        return self.memory[0x2E] & 3 == 3

    def _per_g(self) -> int:
        return (256_000, 256_000, 128_000, 64_000)[self.memory[0x2C] & 3]

    def _word(self) -> int:
        """Left-aligned, bit 0 set for X; bit 1 if there is none."""
        if not self.words:
            if not self.queue:
                return 0x000002
            felt = self.queue.popleft()[1]
            self.words = [(counts(one, self._per_g(), 20) & 0xFFFFF) << 4 for one in felt]
            self.words[0] |= 1
        return self.words.pop(0)


DRIVER, TWIN = ADXL355, ADXL355Twin
