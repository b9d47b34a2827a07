"""Sensirion SCD41 (and SCD40): CO2, temperature, relative humidity; photoacoustic, I2C 0x62.

Datasheet: SCD4x, version 1.4: commands and times table 9, measurement 3.5, settings 3.6, field
calibration 3.7, persisting 3.9.1. 400..5000 ppm; one value every 5 s, the first 5 s after start.
While it measures only read, ready, stop and ambient pressure are acknowledged. The EEPROM bears
about 2000 writes: settings are written only where they differ. Automatic self-calibration assumes
fresh air once a week; the factory has it on.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import BusError, DataError, Quantity, WarmingUp
from drivers.bus.i2c import I2C
from drivers.crc import crc8_31
from drivers.sim.twin import Nack
from drivers.vector import Vector

START, STOP, READ, READY = 0x21B1, 0x3F86, 0xEC05, 0xE4B8
SERIAL, PERSIST = 0x3682, 0x3615
GET_ASC, SET_ASC = 0x2313, 0x2416
SET_PRESSURE = 0xE000
STOP_S, COMMAND_S, PERSIST_S = 0.5, 0.001, 0.8  # table 9
INTERVAL_S = 5.0  # 3.5.1
LATE_S = 2.5 * INTERVAL_S  #: no news for so long: it does not measure
READY_BITS = 0x07FF  # 3.8.2: ready if any of the least significant 11 bits is set
PRESSURE_STEP_PA = 100  # the chip takes whole hPa
LOWEST_PA, HIGHEST_PA = 70_000, 120_000  # 3.6.5


class SCD41:
    """CO2 in ppm, temperature in Cel, relative humidity in %. It warms up for 5 s.

    A read without news has no values.
    """

    checksum = True
    warm_up_s, setup_s = INTERVAL_S, 2.0
    quantities = {
        "co2": Quantity("co2", 1, 1, 40_000),
        "temperature": Quantity("temperature", 0.01, -10, 60),
        "relative_humidity": Quantity("humidity", 0.01, 0, 100),
    }

    def __init__(self, i2c: I2C, address: int = 0x62, self_calibration: bool = False) -> None:
        self.i2c, self.address = i2c, address
        self.self_calibration = self_calibration
        self.pressure_hpa = 0  # what the chip was told last
        self.news_at = 0.0  # when it last had a result
        self.warm = False  # whether it has had one since setup

    def setup(self) -> None:
        """Stop it if it measures, identify, set self-calibration if it differs, start.

        Raises BusError, DataError.
        """
        self._stop()
        self._ask(SERIAL, 3)
        if self._ask(GET_ASC, 1)[0] != self.self_calibration:
            self._tell(SET_ASC, int(self.self_calibration))
            self._tell(PERSIST)
            self.i2c.pause(PERSIST_S)
        self.pressure_hpa = 0
        self._tell(START)
        self.news_at, self.warm = self.i2c.timer.monotonic(), False

    def compensate(self, pressure_pa: float) -> None:
        """Tell the chip the air pressure, when it moved by a hPa; allowed while measuring.

        Raises BusError.
        """
        if not LOWEST_PA <= pressure_pa <= HIGHEST_PA:
            return
        hpa = round(pressure_pa / PRESSURE_STEP_PA)
        if hpa != self.pressure_hpa:
            self._tell(SET_PRESSURE, hpa)
            self.pressure_hpa = hpa

    def read(self) -> dict[str, float]:
        """The newest result, at most 5 s old; nothing if it was read already.

        Raises BusError, WarmingUp before the first result, DataError if none comes any more.
        """
        now = self.i2c.timer.monotonic()
        if not self._ask(READY, 1)[0] & READY_BITS:
            return self._no_news(now - self.news_at)
        self.news_at, self.warm = now, True
        co2, ticks_t, ticks_rh = self._ask(READ, 3)
        return {
            "co2": float(co2),
            "temperature": -45 + 175 * ticks_t / 65535,
            "relative_humidity": 100 * ticks_rh / 65535,
        }

    def _no_news(self, silent_s: float) -> dict[str, float]:
        """What a read without a result says. Raises WarmingUp, DataError."""
        if silent_s > LATE_S:
            raise DataError(f"0x{self.address:02x}: measures no more; did it lose its supply?")
        if not self.warm:
            raise WarmingUp(f"0x{self.address:02x}", INTERVAL_S - silent_s)
        return {}

    def _stop(self) -> None:
        """Stop, whether it measures or not (a chip that idles need not acknowledge)."""
        try:
            self._tell(STOP)
        except BusError:
            self.i2c.pause(COMMAND_S)
        self.i2c.pause(STOP_S)

    def _tell(self, command: int, word: int | None = None) -> None:
        """A command, with a checked word if it takes one. Raises BusError."""
        data = command.to_bytes(2, "big")
        if word is not None:
            argument = word.to_bytes(2, "big")
            data += argument + bytes([crc8_31(argument)])
        self.i2c.write(self.address, data)
        self.i2c.pause(COMMAND_S)

    def _ask(self, command: int, count: int) -> list[int]:
        """`count` checked words. Raises BusError, DataError."""
        self._tell(command)
        answer = self.i2c.read(self.address, 3 * count)
        words = [answer[at : at + 3] for at in range(0, 3 * count, 3)]
        for word in words:
            if crc8_31(word[:2]) != word[2]:
                raise DataError(f"0x{self.address:02x}: checksum of {word.hex(' ')}")
        return [int.from_bytes(word[:2], "big") for word in words]


class SCD41Twin:
    """Measures every 5 s once started; EEPROM survives the loss of supply; busy = no acknowledge.

    Without the right pressure it reads as the real one does: in proportion to the air's density,
    against the 1013 hPa it assumes.
    """

    may_feel = ("pressure",)  #: a truth of Pa that it can do without

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {
            "co2": 812.0,
            "temperature": 21.5,
            "relative_humidity": 45.0,
        }
        self.eeprom = {"asc": 1}
        self.eeprom_writes = 0

    def power_on(self, now: float) -> None:
        """Idle after 30 ms, settings from the EEPROM."""
        self.busy_until, self.answer = now + 0.03, b""
        self.asc = self.eeprom["asc"]
        self.settings = {0x2318: 0x05DA, 0x2322: 0}  # 4 Cel, sea level
        self.started: float | None = None
        self.taken = 0  # how many results were read or passed
        self.pressure = 0

    def write(self, data: bytes, now: float) -> None:
        """A 16-bit command, perhaps with a word and its CRC. Raises Nack."""
        if not data:
            return
        command = int.from_bytes(data[:2], "big")
        measuring = self.started is not None
        if now < self.busy_until or (measuring and command not in (0xEC05, 0xE4B8, 0x3F86, 0xE000)):
            raise Nack
        word = self._word(data[2:])
        self.answer = b""
        if command == 0x21B1:
            self.started, self.taken = now, 0
        elif command == 0x3F86:
            self.started, self.busy_until = None, now + 0.5
        elif command == 0xE000:
            self.pressure = word
        elif command == 0x2416:
            self.asc = word
        elif command in (0x241D, 0x2427):  # offset and altitude
            self.settings[{0x241D: 0x2318, 0x2427: 0x2322}[command]] = word
        elif command == 0x3646:
            self.power_on(now)
        elif command == 0x3615:
            self.eeprom, self.busy_until = {"asc": self.asc}, now + 0.8
            self.eeprom_writes += 1
        else:
            self.answer = self._answer(command, now)

    def read(self, length: int, now: float) -> bytes:
        """The answer to the last command. Raises Nack."""
        if now < self.busy_until or not self.answer:
            raise Nack
        answer, self.answer = self.answer, b""
        return answer[:length].ljust(length, b"\xff")

    def _word(self, data: bytes) -> int:
        if not data:
            return 0
        if len(data) != 3 or worded(int.from_bytes(data[:2], "big")) != data:
            raise Nack
        return int.from_bytes(data[:2], "big")

    def _answer(self, command: int, now: float) -> bytes:
        done = int((now - self.started) / 5.0) if self.started is not None else 0
        if command == 0xE4B8:
            return worded(0x8006 if done > self.taken else 0x8000)
        if command == 0x3682:
            return worded(0xF896) + worded(0x9F07) + worded(0x3BBE)
        if command == 0x202F:
            return worded(0x1440)  # a 41
        if command in self.settings:
            return worded(self.settings[command])
        if command == 0x2313:
            return worded(self.asc)
        if command == 0xEC05 and done > self.taken:
            self.taken = done
            return self._result()
        raise Nack

    def _result(self) -> bytes:
        seen = self.truth["co2"]
        if "pressure" in self.truth:
            seen *= self.truth["pressure"] / ((self.pressure or 1013) * 100)
        t, rh = self.truth["temperature"], self.truth["relative_humidity"]
        return (
            worded(round(seen))
            + worded(round((t + 45) / 175 * 65535))
            + worded(round(rh / 100 * 65535))
        )


def worded(word: int) -> bytes:
    """A 16-bit word, limited, with its CRC (by table: not the driver's function)."""
    data = min(max(word, 0), 0xFFFF).to_bytes(2, "big")
    crc = 0xFF
    for byte in data:
        crc = TABLE[crc ^ byte]
    return data + bytes([crc])


def _table() -> list[int]:
    """Remainders of x^8 + x^5 + x^4 + 1 for each byte."""
    table = []
    for byte in range(256):
        rest = byte << 8
        for bit in range(15, 7, -1):
            rest ^= 0x131 << (bit - 8) if rest >> bit & 1 else 0
        table.append(rest & 0xFF)
    return table


TABLE = _table()
VECTORS = (
    Vector(
        "SCD4x, 3.5.2",
        ["80 06 04", "01 f4 33 66 67 a2 5e b9 3c"],
        {"co2": 500.0, "temperature": 25.0, "relative_humidity": 37.0},
        within=0.01,
        told=["e4b8", "ec05"],
    ),
)
DRIVER, TWIN = SCD41, SCD41Twin
