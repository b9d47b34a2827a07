"""STMicroelectronics LIS2DW12: acceleration in three axes, I2C 0x18 (SA0 low) or 0x19.

Datasheet: LIS2DW12, and application note AN5038 revision 5. Registers, scales and the limits of the
self-test as in ST's own driver (lis2dw12_reg.h, lis2dw12_self_test.c); the FIFO is read in one
burst as in ST's Linux driver. 90 ug/sqrt(Hz): for
busy bridges and events, not for quiet ones. Its FIFO holds 32 samples (0.32 s at 100 Hz) without
marks or a counter: it only tells that it was full, which is declared a gap.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from statistics import fmean

from drivers.api import DataError, Samples
from drivers.bus.i2c import I2C
from drivers.registers import Register
from drivers.selftest import moved
from drivers.sim.fifo import FifoTwin, counts

G = 9.80665  # m/s2
RATES = {100: 5, 200: 6}
RANGES = {2: 0, 4: 1, 8: 2, 16: 3}
G_PER_COUNT = 0.244e-3  # at 2 g; 14 bit, left-aligned in 16
HIGH_PERFORMANCE, LOW_NOISE = 0x04, 0x04
RESET, RESET_S = 0x40, 0.005
BLOCK_UPDATE, INCREMENT = 0x08, 0x04
BYPASS, CONTINUOUS = 0x00, 0xC0
SETTLE_S = 0.1
DEEP = 32
SAMPLE = struct.Struct("<hhh")
POSITIVE = 0x40
SELF_TEST_RATE, SELF_TEST_RANGE, SELF_TEST_S = 4, 4, 0.2  # 50 Hz
SELF_TEST_G = (0.070, 1.500)


class LIS2DW12:
    """X, Y and Z in m/s2; the FIFO has to be read at least four times a second at 100 Hz.

    Raises ValueError for a rate it cannot keep, or a range it does not have.
    """

    axes: Sequence[str] = ("x", "y", "z")
    unit = "m/s2"
    who_am_i = Register(0x0F)
    temperature_counts = Register(0x0D, size=2, signed=True, order="little")
    control_1 = Register(0x20)
    control_2 = Register(0x21)
    control_3 = Register(0x22)
    control_6 = Register(0x25)
    controls = Register(0x20, size=6)
    fifo_control = Register(0x2E)
    fifo_samples = Register(0x2F)

    def __init__(
        self,
        i2c: I2C,
        address: int = 0x18,
        rate_hz: float = 100,
        range_g: int = 2,
        self_test: bool = False,
    ) -> None:
        if rate_hz not in RATES:
            raise ValueError(
                f"rate_hz is 100 or 200, not {rate_hz:g}: faster, its FIFO of 32 samples is full"
                " before Linux reads it over I2C"
            )
        if range_g not in RANGES:
            raise ValueError(f"range_g is 2, 4, 8 or 16, not {range_g}")
        self.i2c, self.address = i2c, address
        self.rate_hz, self.range_g, self.self_test_wanted = float(rate_hz), range_g, self_test
        self.depth_s = DEEP / self.rate_hz
        self.full_scale = 8191 * G_PER_COUNT * range_g / 2 * G  #: m/s2; there it clips
        self._torn = True  # the next drain does not continue the last one

    def setup(self) -> None:
        """Identify, reset, self-test if wanted, start; 0.1 s, with self-test 0.8 s.

        Raises BusError, DataError.
        """
        if (found := self.who_am_i) != 0x44:
            raise DataError(f"0x{self.address:02x}: id {found:02x}, not a LIS2DW12 (44)")
        if self.self_test_wanted:
            self.self_test()
        else:
            self._start(RATES[int(self.rate_hz)], self.range_g)

    def self_test(self) -> Sequence[float]:
        """What the chip's own push moves each axis by, in g; then start anew.

        The bridge may not shake. Raises DataError if it is not 0.07 to 1.5 g.
        """
        self._start(SELF_TEST_RATE, SELF_TEST_RANGE)
        still = self._mean()
        self.control_3 = POSITIVE
        self.i2c.pause(SETTLE_S)
        pushed = self._mean()
        self._start(RATES[int(self.rate_hz)], self.range_g)
        return moved(self.address, still, pushed, [SELF_TEST_G] * 3)

    def drain(self) -> Samples:
        """All samples; a gap if the FIFO was full, whether it had overrun or was about to.

        Raises BusError, DataError after a loss of supply.
        """
        count = self.fifo_samples & 0x3F
        at = self.i2c.timer.monotonic()
        torn, self._torn = self._torn, True  # until this has gone well
        samples = self._burst(count)
        self._check()
        gap = torn or count == DEEP
        self._torn = gap and not samples
        return Samples(samples, gap, None if gap else 0, at)

    def temperature(self) -> float:
        """Of the chip in Cel. Raises BusError, DataError after a loss of supply."""
        value = 25 + self.temperature_counts / 256
        self._check()
        return value

    def _start(self, rate_code: int, range_g: int) -> None:
        self.control_2 = RESET
        self.i2c.pause(RESET_S)
        self.control_2 = BLOCK_UPDATE | INCREMENT
        self.control_6 = RANGES[range_g] << 4 | LOW_NOISE
        self.control_1 = rate_code << 4 | HIGH_PERFORMANCE
        self.scale = G_PER_COUNT * range_g / 2 * G
        self.i2c.pause(SETTLE_S)
        self.fifo_control = CONTINUOUS
        self._torn = True

    def _check(self) -> None:
        """Raise DataError if the chip is not set as it was."""
        found = self.controls.to_bytes(6, "big")
        rate = RATES[int(self.rate_hz)] << 4 | HIGH_PERFORMANCE
        if (found[0], found[5]) != (rate, RANGES[self.range_g] << 4 | LOW_NOISE):
            said = found.hex(" ")
            raise DataError(f"0x{self.address:02x}: lost its configuration ({said}): its supply?")

    def _burst(self, count: int) -> list[tuple[float, ...]]:
        """The oldest `count` samples in m/s2; the address rolls over from 0x2D to 0x28."""
        if count > DEEP:
            raise DataError(f"0x{self.address:02x}: {count} samples in a FIFO of {DEEP}")
        if not count:
            return []
        data = self.i2c.write_read(self.address, b"\x28", count * SAMPLE.size)
        return [tuple((one >> 2) * self.scale for one in xyz) for xyz in SAMPLE.iter_unpack(data)]

    def _mean(self) -> list[float]:
        """In g per axis, of a fresh FIFO."""
        self.fifo_control = BYPASS
        self.fifo_control = CONTINUOUS
        self.i2c.pause(SELF_TEST_S)
        samples = self._burst(self.fifo_samples & 0x3F)
        if not samples:
            raise DataError(f"0x{self.address:02x}: samples nothing")
        return [fmean(axis) / G for axis in zip(*samples, strict=True)]


class LIS2DW12Twin(FifoTwin):
    """Samples while it has a rate; into its FIFO in continuous mode (6 in bits 7:5 of 0x2E)."""

    defaults = {0x0F: 0x44, 0x21: 0x04}
    rates_hz, count_g, count_cel = (100, 200), 0.244e-3, 1 / 16
    other_chip = {0x0F: 0x45}
    noise_density = 90.0

    def __init__(self) -> None:
        super().__init__()
        self.self_test_g = (0.4, 0.4, 0.4)

    def write(self, data: bytes, now: float) -> None:
        """Registers; a changed rate or mode starts or stops the sampling."""
        self.catch_up(now)
        before = self.memory[0x20], self.memory[0x2E]
        super().write(data, now)
        if self.memory[0x21] & 0x40:
            self.power_on(now)
        elif (self.memory[0x20], self.memory[0x2E]) != before:
            rates = (0, 12.5, 12.5, 25, 50, 100, 200, 400, 800, 1600)
            code = self.memory[0x20] >> 4
            self.stop()
            if 0 < code < 10:
                self.start(rates[code], now, batching=self.memory[0x2E] >> 5 == 6)

    def read(self, length: int, now: float) -> bytes:
        """Registers; from 0x28 on the FIFO's samples, rolling over."""
        self.catch_up(now)
        if self.pointer == 0x28:
            return b"".join(self._sample() for _ in range(-(-length // 6)))[:length]
        level = len(self.queue)
        self.overran = self.overran and level == 32  # a state, not a latch
        celsius = round((self.truth["temperature"] - 25) * 16) << 4
        self.memory[0x0D:0x0F] = (celsius if self.memory[0x20] >> 4 else 0).to_bytes(
            2, "little", signed=True
        )
        self.memory[0x2F] = level | self.overran << 6
        return super().read(length, now)

    def pushing(self) -> bool:
        """Positive self-test in bits 7:6 of 0x22."""
        return self.memory[0x22] >> 6 == 1

    def _sample(self) -> bytes:
        """The FIFO's oldest; with none in it the newest sample, as in bypass."""
        milli_g = 0.244 * (1 << (self.memory[0x25] >> 4 & 3))
        felt = self.queue.popleft()[1] if self.queue else self.newest()
        return struct.pack("<hhh", *(counts(one, 1000 / milli_g, 14) << 2 for one in felt))


DRIVER, TWIN = LIS2DW12, LIS2DW12Twin
