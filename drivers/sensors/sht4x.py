"""Sensirion SHT40, SHT41, SHT45: temperature and relative humidity, I2C 0x44 (also 0x45, 0x46).

Datasheet: SHT4x, version 6.5 (April 2024): commands table 8, times table 5, conversion 4.6.
Humidity by formula runs from -6 to 119 %; what lies outside 0..100 is cut, as 4.6 says. The
SHT3x has the same address and no such commands: it does not acknowledge.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import DataError, Quantity
from drivers.bus.i2c import I2C
from drivers.crc import crc8_31
from drivers.sim.twin import Nack
from drivers.vector import Vector

MEASURE_HIGH = 0xFD
READ_SERIAL = 0x89
SOFT_RESET = 0x94
MEASURE_S = 0.0083  # table 5, high repeatability, maximum
RESET_S = 0.001  # table 5
COMMAND_S = 0.001


class SHT4x:
    """Temperature in Cel, relative humidity in %."""

    checksum = True
    quantities = {
        "temperature": Quantity("temperature", 0.01, -40, 125),
        "relative_humidity": Quantity("humidity", 0.01, 0, 100),
    }

    def __init__(self, i2c: I2C, address: int = 0x44) -> None:
        self.i2c, self.address = i2c, address
        self.counts: Mapping[str, int] = {}  #: behind the newest values

    def setup(self) -> None:
        """Reset, read the serial number: the chip is there and says it right.

        Raises BusError, DataError.
        """
        self.i2c.pause(RESET_S)  # it may have got its supply just now
        self.i2c.write(self.address, bytes([SOFT_RESET]))
        self.i2c.pause(RESET_S)
        self._ask(READ_SERIAL, COMMAND_S)

    def read(self) -> dict[str, float]:
        """One conversion at high repeatability, 8.3 ms. Raises BusError, DataError."""
        ticks_t, ticks_rh = self._ask(MEASURE_HIGH, MEASURE_S)
        self.counts = {"temperature": ticks_t, "relative_humidity": ticks_rh}
        humidity = -6 + 125 * ticks_rh / 65535
        return {
            "temperature": -45 + 175 * ticks_t / 65535,
            "relative_humidity": min(max(humidity, 0.0), 100.0),
        }

    def _ask(self, command: int, wait_s: float) -> tuple[int, int]:
        """Two checked words. Raises BusError, DataError."""
        self.i2c.write(self.address, bytes([command]))
        self.i2c.pause(wait_s)
        answer = self.i2c.read(self.address, 6)
        for word in (answer[:3], answer[3:]):
            if crc8_31(word[:2]) != word[2]:
                raise DataError(f"0x{self.address:02x}: checksum of {word.hex(' ')}")
        return int.from_bytes(answer[:2], "big"), int.from_bytes(answer[3:5], "big")


class SHT4xTwin:
    """Answers a command once, after its time; does not acknowledge before, nor without one."""

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {"temperature": 21.5, "relative_humidity": 45.0}
        self.noise_rms = {"relative_humidity": 0.03}  # repeatability of table 1: three times that

    def power_on(self, now: float) -> None:
        """Ready after 0.3 ms; nothing to tell."""
        self.ready, self.answer = now + 0.0003, b""

    def write(self, data: bytes, now: float) -> None:
        """A one-byte command. Raises Nack."""
        if now < self.ready or (data and data[0] not in self.times):
            raise Nack
        if data:
            self.ready = now + self.times[data[0]]
            self.answer = self._answer(data[0])

    def read(self, length: int, now: float) -> bytes:
        """The answer to the last command. Raises Nack."""
        if now < self.ready or not self.answer:
            raise Nack
        answer, self.answer = self.answer, b""
        return answer[:length].ljust(length, b"\xff")

    times = {0xFD: 0.0082, 0xF6: 0.0045, 0xE0: 0.0016, 0x89: 0.0001, 0x94: 0.0009}

    def _answer(self, command: int) -> bytes:
        if command == 0x94:
            return b""
        if command == 0x89:
            return b"".join(map(worded, (0x0EF7, 0x1A2B)))
        ticks_t = round((self.truth["temperature"] + 45) * 65535 / 175)
        ticks_rh = round((self.truth["relative_humidity"] + 6) * 65535 / 125)
        return worded(ticks_t) + worded(ticks_rh)


def worded(ticks: int) -> bytes:
    """A 16-bit word, limited, with its CRC (bit by bit: not the driver's function)."""
    data = min(max(ticks, 0), 0xFFFF).to_bytes(2, "big")
    register = 0xFF
    for byte in data:
        for bit in range(7, -1, -1):
            feed = (register >> 7) ^ (byte >> bit & 1)
            register = (register << 1 & 0xFF) ^ (0x31 * feed)
    return data + bytes([register])


VECTORS = (
    Vector(
        "SHT4x, 4.6",
        ["66 66 93 80 00 a2"],
        {"temperature": 25.0, "relative_humidity": 56.5},
        within=0.01,
        told=["fd"],
    ),
    # the ends of the ticks: -6 and 119 % are cut to 0 and 100
    Vector("SHT4x, 4.6", ["00 00 81 00 00 81"], {"temperature": -45.0, "relative_humidity": 0.0}),
    Vector("SHT4x, 4.6", ["ff ff ac ff ff ac"], {"temperature": 130.0, "relative_humidity": 100.0}),
)
DRIVER, TWIN = SHT4x, SHT4xTwin
