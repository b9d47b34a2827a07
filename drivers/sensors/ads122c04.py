"""Texas Instruments ADS122C04 as front end of a strain-gauge bridge, in um/m; I2C 0x40..0x4F.

Datasheet: ADS122C04, SBAS751B: sensor detection 8.3.8, conversion times table 12, data counter
8.3.12, CRC 8.3.13, commands table 16, registers 8.6. A1 and A0 choose among 16 addresses, 0x40 with
both on ground. The bridge's excitation is the external reference (REFP, REFN), so it cancels. Each
answer carries a CRC, each conversion a counter; every read first sends 10 uA through the inputs,
which an open wire turns into full scale. Tare belongs to the profile.
"""

from __future__ import annotations

from binascii import crc_hqx  # CRC-16-CCITT
from collections.abc import Mapping
from typing import Literal

from drivers.api import DataError, Quantity
from drivers.bus.i2c import I2C
from drivers.sim.twin import Nack
from drivers.strain import Bridge, Gain, Wiring
from drivers.vector import Vector

RESET, START, READ_DATA, READ_REGISTER, WRITE_REGISTER = 0x06, 0x08, 0x10, 0x20, 0x40  # table 16
INPUTS = {"0-1": 0x00, "2-3": 0x60}  # register 0, bits 7:4; gain in bits 3:1
RATE_CODES = {20: 0, 45: 1, 90: 2, 175: 3, 330: 4, 600: 5, 1000: 6}  # register 1, bits 7:5
EXTERNAL_REFERENCE = 0x02  # register 1, with single shot and normal mode
STATUS = 2  # the register with these four:
DONE, COUNTER, CRC_16, BURN_OUT = 0x80, 0x40, 0x20, 0x08
RESET_S = 0.001  # 8.4.1: 0.5 ms from power-up
MARGIN = 1.05  # on 1 / rate: the oscillator is within 2 %, the first conversion 25 clocks longer
SETTLE_S = 0.001  # of a filter at the inputs, 100 nF with 550 Ohm, when the current goes on or off
POLLS = 3


class ADS122C04:
    """Strain in um/m of one bridge; positive = AIN0 above AIN1, or AIN2 above AIN3."""

    checksum = True
    quantities: Mapping[str, Quantity]

    def __init__(
        self,
        i2c: I2C,
        address: int = 0x40,
        gauge_factor: float = 2.0,
        bridge: Wiring = "quarter",
        channel: Literal["0-1", "2-3"] = "0-1",
        rate_hz: Literal[20, 45, 90, 175, 330, 600, 1000] = 20,
        gain: Gain = 128,
    ) -> None:
        self.i2c, self.address = i2c, address
        self.bridge = Bridge(gauge_factor, bridge, gain)
        self.rate_hz = rate_hz
        gain_code = gain.bit_length() - 1
        self.registers = (
            INPUTS[channel] | gain_code << 1,
            RATE_CODES[rate_hz] << 5 | EXTERNAL_REFERENCE,
            COUNTER | CRC_16,
            0,  # no current to the pins
        )
        self.count = -1  # of the newest conversion
        self.quantities = {"strain": self.bridge.quantity()}
        self.counts: Mapping[str, int] = {}  #: behind the newest value

    def setup(self) -> None:
        """Reset, configure, read back. Raises BusError, DataError."""
        self.i2c.pause(RESET_S)  # it may have got its supply just now
        self.i2c.write(self.address, bytes([RESET]))
        self.i2c.pause(RESET_S)
        self.count = -1
        for number, value in enumerate(self.registers):
            self._write(number, value)
        self._verify()

    def read(self) -> dict[str, float]:
        """A test of the wires and a conversion, 107 ms at 20 Hz.

        Raises DataError where a wire is open, after a loss of supply, and for a wrong checksum.
        """
        for current in (BURN_OUT, 0):
            counts = self._convert(current)
            if overload := self.bridge.overload(counts):
                raise DataError(f"0x{self.address:02x}: {overload}")
        self._verify()
        self.counts = {"strain": counts}
        return {"strain": self.bridge.strain(counts)}

    def _convert(self, current: int) -> int:
        """Counts of a new conversion. Raises DataError if it never ends."""
        self._write(STATUS, self.registers[STATUS] | current)
        self.i2c.pause(SETTLE_S)
        self.i2c.write(self.address, bytes([START]))
        for _ in range(POLLS):
            self.i2c.pause(MARGIN / self.rate_hz)
            if self._register(STATUS) & DONE:
                return self._result()
        raise DataError(f"0x{self.address:02x}: a conversion does not end")

    def _result(self) -> int:
        """Signed counts, from: counter, 3 bytes, 2 of CRC. Raises DataError if not a new one."""
        answer = self._ask(READ_DATA, 4)
        if answer[0] == self.count:
            raise DataError(f"0x{self.address:02x}: conversion {answer[0]} came twice")
        self.count = answer[0]
        return int.from_bytes(answer[1:], "big", signed=True)

    def _verify(self) -> None:
        """Raises DataError if the chip does not hold its configuration."""
        seen = bytes(self._register(number) for number in range(4))
        if seen != bytes(self.registers):
            found = f"0x{self.address:02x}: registers {seen.hex(' ')}"
            raise DataError(f"{found}: lost its configuration; did it lose its supply?")

    def _write(self, number: int, value: int) -> None:
        self.i2c.write(self.address, bytes([WRITE_REGISTER | number << 2, value]))

    def _register(self, number: int) -> int:
        return self._ask(READ_REGISTER | number << 2, 1)[0]

    def _ask(self, command: int, length: int) -> bytes:
        """`length` checked bytes. Raises BusError, DataError."""
        answer = self.i2c.write_read(self.address, bytes([command]), length + 2)
        if crc_hqx(answer, 0xFFFF):  # over data and CRC nothing remains
            raise DataError(f"0x{self.address:02x}: checksum of {answer.hex(' ')}")
        return answer[:length]


class ADS122C04Twin:
    """A bridge of 350 Ohm on `channel`, fed with 3.3 V, which is also on REFP and REFN.

    With an open wire it reads something that looks right, until 10 uA pull the inputs apart.
    """

    feels = {"strain": (-12_000.0, 12_000.0)}  # 10 uA through the bridge need room

    def __init__(
        self, gauge_factor: float = 2.0, bridge: str = "quarter", channel: str = "0-1"
    ) -> None:
        self.truth: Mapping[str, float] = {"strain": 12.5}
        self.per_um_m = gauge_factor * {"quarter": 0.25, "half": 0.5, "full": 1.0}[bridge] * 1e-6
        self.noise_rms = {"strain": 100e-9 / 3.3 / self.per_um_m}  # volts at 20 Hz, excitation
        self.mux = {"0-1": 0, "2-3": 6}[channel]
        self.excitation_v = 3.3
        self.open_wire = False

    def power_on(self, now: float) -> None:
        """All bits 0; answers after 0.5 ms (8.4.1.1)."""
        self.words = [0, 0, 0, 0]
        self.up = now + 0.0005
        self.due: float | None = None
        self.counter, self.fresh, self.counts = 0, False, 0
        self.command = 0

    def write(self, data: bytes, now: float) -> None:
        """A command of table 16, WREG with its byte. A register restarts the conversion.

        Raises Nack.
        """
        if now < self.up:
            raise Nack
        self._finish(now)
        if not data:
            return
        self.command = data[0]
        if data[0] & 0xFE == 0x06:
            self.power_on(now)
        elif data[0] & 0xFE == 0x08:
            self._start(now)
        elif data[0] & 0xF0 == 0x40:
            self.words[data[0] >> 2 & 3] = data[1]
            if self.due is not None:
                self._start(now)

    def read(self, length: int, now: float) -> bytes:
        """The answer to RDATA or RREG, with what register 2 switches on: counter, CRC, inverse.

        Raises Nack.
        """
        if now < self.up or self.command & 0xF0 not in (0x10, 0x20):
            raise Nack
        self._finish(now)
        if self.command & 0xF0 == 0x20:
            number = self.command >> 2 & 3
            flag = 0x80 if number == 2 and self.fresh else 0
            answer = bytes([self.words[number] & (0x7F if number == 2 else 0xFF) | flag])
        else:
            answer = bytes([self.counter] if self.words[2] & 0x40 else [])
            answer += (self.counts & 0xFFFFFF).to_bytes(3, "big")
            self.fresh = False
        if self.words[2] & 0x30 == 0x20:
            answer += remainder(answer).to_bytes(2, "big")
        elif self.words[2] & 0x30 == 0x10:
            answer += bytes(byte ^ 0xFF for byte in answer)
        return answer[:length].ljust(length, b"\xff")

    def _start(self, now: float) -> None:
        clocks = (51213, 22805, 11557, 5941, 3141, 1749, 1061, 1061)[self.words[1] >> 5]
        self.due = now + clocks / 1.024e6

    def _finish(self, now: float) -> None:
        if self.due is None or now < self.due:
            return
        self.due, self.fresh = None, True
        self.counter = (self.counter + 1) % 256
        self.counts = self._counts()
        if self.words[1] & 0x08:  # continuous: the next has begun already
            self._start(now)

    def _counts(self) -> int:
        """24 bit two's complement of reference / gain, limited."""
        current = self.words[2] & 0x08
        if self.open_wire or self.words[0] >> 4 != self.mux:
            return 0x7FFFFF if current else 123_456
        volts = self.excitation_v * self.per_um_m * self.truth["strain"]
        volts += 10e-6 * 350 if current else 0
        reference = self.excitation_v if self.words[1] & 0x06 else 2.048
        counts = round(volts / reference * (1 << (self.words[0] >> 1 & 7)) * 2**23)
        return min(max(counts, -0x800000), 0x7FFFFF)


def remainder(data: bytes) -> int:
    """Of division by x^16 + x^12 + x^5 + 1, from ffff, bit by bit (8.3.13)."""
    rest = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            carry = rest >> 15 ^ byte >> bit & 1
            rest = (rest << 1 ^ (0x1021 if carry else 0)) & 0xFFFF
    return rest


VECTORS = tuple(
    Vector(
        "ADS122C04, 8.5.2: full scale is 2^23",
        # burning, its last conversion, not burning, this one, the four registers; each with CRC
        ["e89dd6", "07000000d5ed", "e01cde", data, "0e003e", "02c1b2", "608d56", "00e1f0"],
        {"strain": strain},
        within=1e-3,
    )
    for data, strain in (
        ("080000000103", 0.0),
        ("080000011122", 0.0018626),
        ("08ffffffd36f", -0.0018626),
        ("084000001cae", 7812.5),
    )
)
DRIVER, TWIN = ADS122C04, ADS122C04Twin
