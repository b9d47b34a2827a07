"""Bosch BME280: temperature, relative humidity, pressure; BMP280: the same without humidity.

I2C 0x76 (SDO low) or 0x77. Datasheet: BME280, BST-BME280-DS002, revision 1.6: registers 5.3 and
5.4, compensation 4.2.3 and appendix 8.1, times 9.1; BMP280: BST-BMP280-DS001, 4.3.1. Boards sold as
BME280 often carry a BMP280: the id register decides. Warm boards (a Pi below) read high.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from drivers.api import DataError, Quantity
from drivers.bus.i2c import I2C
from drivers.registers import Bits, Register
from drivers.sim.twin import RegisterTwin
from drivers.vector import Vector

BME280_ID, BMP280_ID = 0x60, (0x56, 0x57, 0x58)  # 5.4.1; samples of the BMP280 had 0x56, 0x57
RESET_WORD = 0xB6  # 5.4.2
START_UP_S = 0.002  # table 1
MEASURE_S = 0.0093  # 9.1: 1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575) ms, rounded up
ONE_SAMPLE = 1  # oversampling code 001: once
FORCED = 1  # mode 01
SKIPPED_20, SKIPPED_16 = 0x80000, 0x8000  # what a result register holds without a conversion


class BME280:
    """Temperature in Cel, relative humidity in %, pressure in Pa; one conversion per read."""

    checksum = False
    chip_id = Register(0xD0)
    reset = Register(0xE0)
    humidity_samples = Bits(Register(0xF2), 0x07)
    copying = Bits(Register(0xF3), 0x01)  # im_update: calibration is not readable yet
    measuring = Bits(Register(0xF3), 0x08)
    control = Register(0xF4)

    def __init__(self, i2c: I2C, address: int = 0x76) -> None:
        self.i2c, self.address = i2c, address
        self.has_humidity = True  # known after setup
        self.counts: Mapping[str, int] = {}  #: behind the newest values
        self.quantities = {
            "temperature": Quantity("temperature", 0.01, -40, 85),
            "relative_humidity": Quantity("humidity", 0.1, 0, 100),
            "pressure": Quantity("pressure", 1, 30_000, 110_000),
        }

    def setup(self) -> None:
        """Identify, reset, read the calibration. Raises DataError for another chip."""
        found = self.chip_id
        if found != BME280_ID and found not in BMP280_ID:
            raise DataError(f"0x{self.address:02x}: id {found:02x}, not a BME280 or BMP280")
        self.has_humidity = found == BME280_ID
        self.reset = RESET_WORD
        self.i2c.pause(START_UP_S)
        if self.copying:
            raise DataError(f"0x{self.address:02x}: calibration is not ready after reset")
        self._read_calibration()

    def read(self) -> dict[str, float | None]:
        """One forced conversion, 9.3 ms. A BMP280 leaves humidity out; what was skipped is None.

        Raises BusError; DataError without a temperature, which the others are computed with.
        """
        if self.has_humidity:
            self.humidity_samples = ONE_SAMPLE  # takes effect with the write of control
        self.control = ONE_SAMPLE << 5 | ONE_SAMPLE << 2 | FORCED
        self.i2c.pause(MEASURE_S)
        data = self.i2c.write_read(self.address, b"\xf7", 8)
        pressure, temperature = (int.from_bytes(data[at : at + 3], "big") >> 4 for at in (0, 3))
        if self.measuring or temperature == SKIPPED_20:
            raise DataError(f"0x{self.address:02x}: no result; did it lose its supply?")
        t_fine = self._t_fine(temperature)
        values: dict[str, float | None] = {
            "temperature": t_fine / 5120,
            "pressure": None if pressure == SKIPPED_20 else self._pressure(pressure, t_fine),
        }
        self.counts = {"temperature": temperature, "pressure": pressure}
        if self.has_humidity:
            humidity = int.from_bytes(data[6:8], "big")
            skipped = humidity == SKIPPED_16
            values["relative_humidity"] = None if skipped else self._humidity(humidity, t_fine)
            self.counts = {**self.counts, "relative_humidity": humidity}
        return values

    def _read_calibration(self) -> None:
        """Trimming values, table 16."""
        first = self.i2c.write_read(self.address, b"\x88", 26)
        self.t: tuple[int, ...] = struct.unpack_from("<Hhh", first, 0)
        self.p: tuple[int, ...] = struct.unpack_from("<Hhhhhhhhh", first, 6)
        if self.p[0] == 0 or self.t[0] in (0, 0xFFFF):
            raise DataError(f"0x{self.address:02x}: no calibration: {first.hex(' ')}")
        if self.has_humidity:
            second = self.i2c.write_read(self.address, b"\xe1", 7)
            h2, h3, e4, e5, e6, h6 = struct.unpack("<hBbBbb", second)
            self.h: tuple[int, ...] = (
                first[25],
                h2,
                h3,
                e4 * 16 + (e5 & 15),
                e6 * 16 + (e5 >> 4),
                h6,
            )

    def _t_fine(self, counts: int) -> float:
        """Temperature x 5120 Cel."""
        t1, t2, t3 = self.t
        v1 = (counts / 16384 - t1 / 1024) * t2
        half = counts / 131072 - t1 / 8192
        v2 = half * half * t3
        return v1 + v2

    def _pressure(self, counts: int, t_fine: float) -> float | None:
        """Pa."""
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        a = t_fine / 2 - 64000
        b = (a * a * p6 / 32768 + a * p5 * 2) / 4 + p4 * 65536
        c = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
        if c == 0:
            return None
        p = (1048576 - counts - b / 4096) * 6250 / c
        return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16

    def _humidity(self, counts: int, t_fine: float) -> float:
        """%, limited to 0..100 as in 4.2.3."""
        h1, h2, h3, h4, h5, h6 = self.h
        h = t_fine - 76800
        slope = h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h))
        x = (counts - (h4 * 64 + h5 / 16384 * h)) * slope
        return min(max(x * (1 - h1 * x / 524288), 0.0), 100.0)


class BME280Twin(RegisterTwin):
    """Computes raw counts by inverting the datasheet's integer formulas (appendix 8.2).

    Asleep, forced, or in normal mode, where it converts every 8 ms and standby time (table 27).
    """

    defaults = {0xD0: 0x60, 0xF7: 0x80, 0xFA: 0x80, 0xFD: 0x80}
    other_chip = {0xD0: 0x61}
    # near a real chip's (pimoroni/bme280-python, tests/test_compensation.py), but that one has
    # no H3 and a small P3, P5, P6, H5, H6: here every term moves the result by many steps
    trim_t = (28009, 25654, -1000)
    trim_p = (39145, -10750, 3024, 5667, -1120, -307, 15500, -14600, 6000)
    trim_h = (75, 376, 60, 286, -120, -40)

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {
            "temperature": 21.5,
            "relative_humidity": 45.0,
            "pressure": 101_325.0,
        }

    def power_on(self, now: float) -> None:
        """Reset values, trimming values, asleep."""
        super().power_on(now)
        self.memory[0x88:0x8E] = struct.pack("<Hhh", *self.trim_t)
        self.memory[0x8E:0xA0] = struct.pack("<Hhhhhhhhh", *self.trim_p)
        h1, h2, h3, h4, h5, h6 = self.trim_h
        self.memory[0xA1] = h1
        h2_low, h2_high = h2.to_bytes(2, "little", signed=True)
        middle = h4 & 15 | (h5 & 15) << 4
        trim = (h2_low, h2_high, h3, h4 >> 4 & 255, middle, h5 >> 4 & 255, h6 & 255)
        self.memory[0xE1:0xE8] = bytes(trim)
        self.copied, self.done, self.again = now + 0.0015, None, now

    def write(self, data: bytes, now: float) -> None:
        """Soft reset and forced conversions; results lie there when their time has passed."""
        super().write(data, now)
        for register, value in zip(data[0::2], data[1::2], strict=False):
            if register == 0xE0 and value == 0xB6:
                self.power_on(now)
            elif register == 0xF4:
                self._begin(now)

    def refresh(self, now: float) -> None:
        """The result of a conversion that has ended, and the status."""
        if self.done and now >= self.due:
            self.memory[0xF7:0xFF], self.done = self.done, None
            if self.memory[0xF4] & 3 == 3:
                self.again = self.due + STANDBY_S[self.memory[0xF5] >> 5]
            else:
                self.memory[0xF4] &= 0xFC
        if self.memory[0xF4] & 3 == 3 and not self.done and now >= self.again:
            self._begin(now)
        self.put(0xF3, (8 if self.done else 0) | (1 if now < self.copied else 0))

    done: bytes | None

    def _begin(self, now: float) -> None:
        control = self.memory[0xF4]
        if control & 3:
            samples = control >> 5, control >> 2 & 7, self.memory[0xF2] & 7
            self.done, self.due = self._convert(*samples), now + 0.008
            self.again = self.due

    def _convert(self, t: int, p: int, h: int) -> bytes:
        temperature = search(self._t_fine, self.truth["temperature"] * 5120, 20)
        fine = self._t_fine(temperature)
        pressure = search(lambda n: -self._pa(n, fine), -self.truth["pressure"], 20)
        humidity = search(lambda n: self._percent(n, fine), self.truth["relative_humidity"], 16)
        return (
            (pressure << 4 if p else 0x800000).to_bytes(3, "big")
            + (temperature << 4 if t else 0x800000).to_bytes(3, "big")
            + (humidity if h else 0x8000).to_bytes(2, "big")
        )

    def _t_fine(self, n: int) -> float:
        t1, t2, t3 = self.trim_t
        return ((((n >> 3) - (t1 << 1)) * t2) >> 11) + (
            ((((n >> 4) - t1) * ((n >> 4) - t1) >> 12) * t3) >> 14
        )

    def _pa(self, n: int, fine: float) -> float:
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.trim_p
        v1 = int(fine) - 128000
        v2 = v1 * v1 * p6 + ((v1 * p5) << 17) + (p4 << 35)
        v1 = ((v1 * v1 * p3) >> 8) + ((v1 * p2) << 12)
        v1 = (((1 << 47) + v1) * p1) >> 33
        p = (((1048576 - n) << 31) - v2) * 3125 // v1
        p = ((p + ((p9 * (p >> 13) * (p >> 13)) >> 25) + ((p8 * p) >> 19)) >> 8) + (p7 << 4)
        return p / 256

    def _percent(self, n: int, fine: float) -> float:
        h1, h2, h3, h4, h5, h6 = self.trim_h
        v = int(fine) - 76800
        low = (((n << 14) - (h4 << 20) - h5 * v) + 16384) >> 15
        high = ((((v * h6) >> 10) * (((v * h3) >> 11) + 32768)) >> 10) + 2097152
        v = low * ((high * h2 + 8192) >> 14)
        v -= ((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4
        return min(max(v, 0), 419430400) / 4194304


STANDBY_S = (0.0005, 0.0625, 0.125, 0.25, 0.5, 1.0, 0.01, 0.02)  # table 27


def search(rising: Callable[[int], float], target: float, bits: int) -> int:
    """The count whose value is nearest to the target, for a rising function of counts."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if rising(middle) < target else (low, middle)
    below = max(low - 1, 0)
    return min((below, low), key=lambda n: abs(rising(n) - target))


VECTORS = (
    Vector(
        "pimoroni/bme280-python, tests/test_compensation.py; five published drivers agree",
        [
            "60",
            "00",
            "696d 3664 3200 e998 02d6 d00b 2316 88ff f9ff 8c3c f8c6 7017 00 4b",
            "78 01 00 11 2e 03 1e",
            "00",
            "4f ca 00 81 32 70 76 49",
            "00",
        ],
        {"temperature": 24.7894877676, "relative_humidity": 68.66996649},
        within=1e-4,
        setup=True,
    ),
    Vector(
        "BMP280, 3.12",
        [
            "58",
            "00",
            "706b 4367 18fc 7d8e 43d6 d00b 270b 8c00 f9ff 8c3c f8c6 7017 0000",
            "65 5a c0 7e ed 00 80 00",
            "00",
        ],
        {"temperature": 25.08, "pressure": 100_653.27},
        within=0.5,
        setup=True,
    ),
)
DRIVER, TWIN = BME280, BME280Twin
