"""Accelerometers on a bus that costs nothing: what remains is driver, stream, window and trigger.

The bus answers from bytes that were made once, as many as are due by the monotonic clock.
"""

import random
import struct
from typing import Any

from agent.clock import Clock
from agent.measure.health import HealthSource
from drivers.bus.i2c import I2C
from drivers.sensors.adxl355 import ADXL355
from drivers.sensors.iis2iclx import IIS2ICLX

READ = 1
SAMPLES = 4096  # made once, then again and again


def triples() -> bytes:
    """20-bit X, Y, Z words of noise about 0, 0, 1 g; bit 0 marks X."""
    chance = random.Random(1)
    out = bytearray()
    for _ in range(SAMPLES):
        for axis, rest in enumerate((0, 0, 256_000)):
            counts = rest + round(chance.gauss(0, 300))
            out += ((counts << 4 & 0xFFFFF0) | (axis == 0)).to_bytes(3, "big")
    return bytes(out)


def words() -> bytes:
    """Tagged X, Y words of noise; the counter runs modulo 4."""
    chance, out = random.Random(2), bytearray()
    for number in range(SAMPLES):
        tag = 0x10 | (number & 3) << 1
        tag |= tag.bit_count() & 1
        out += struct.pack("<Bhhh", tag, *(round(chance.gauss(0, 20)) for _ in range(2)), 0)
    return bytes(out)


class CannedBus:
    """One chip: registers from a table, FIFO level by time, FIFO data from the can."""

    def __init__(
        self,
        clock: Clock,
        rate_hz: float,
        level: int,
        data: int,
        size: int,
        can: bytes,
        registers: dict[int, int],
    ) -> None:
        self.clock, self.rate_hz, self.level, self.data = clock, rate_hz, level, data
        self.size, self.can, self.registers = size, can, registers
        self.taken, self.pointer = 0, 0
        self.zero = clock.monotonic()

    def i2c_rdwr(self, *messages: Any) -> None:
        """Answer from the can; what is written to a register is what it holds."""
        for message in messages:
            if not message.flags & READ:
                sent = bytes(message)
                self.pointer = sent[0]
                for offset, value in enumerate(sent[1:]):
                    self.registers[sent[0] + offset] = value
            else:
                answer = self.answer(message.len)
                for place, byte in enumerate(answer):
                    message.buf[place] = byte

    def answer(self, length: int) -> bytes:
        """Level, data or registers."""
        if self.pointer == self.data:
            begin = self.taken % SAMPLES * self.size
            self.taken += length // self.size
            return (self.can[begin:] + self.can)[:length]
        if self.pointer == self.level:
            due = int((self.clock.monotonic() - self.zero) * self.rate_hz)
            self.taken = max(self.taken, due - 32)  # what nobody took before the first look
            return self.status(due - self.taken)[:length].ljust(length, b"\0")
        known = self.registers
        return bytes(known.get(self.pointer + offset, 0) for offset in range(length))

    def status(self, samples: int) -> bytes:
        """The bytes from the level register on."""
        if self.size == 9:  # ADXL355: status, entries in words
            return bytes([0, min(3 * samples, 96)])
        return struct.pack("<H", min(samples, 500))


def clock_of(node: HealthSource | None) -> Clock:
    """The node's; a profile is checked without buses first."""
    return Clock() if node is None else node.clock


class Deck(ADXL355):
    """The real driver on the canned bus."""

    def __init__(self, node: HealthSource | None, rate_hz: float = 125) -> None:
        clock = clock_of(node)
        ids = {0: 0xAD, 1: 0x1D, 2: 0xED, 6: 0x07, 7: 0x5D}
        bus = CannedBus(clock, rate_hz, 0x04, 0x11, 9, triples(), ids)
        super().__init__(I2C(bus, clock), rate_hz=rate_hz)


class Bearing(IIS2ICLX):
    """The real driver on the canned bus."""

    def __init__(self, node: HealthSource | None, rate_hz: float = 104) -> None:
        clock = clock_of(node)
        bus = CannedBus(clock, rate_hz, 0x3A, 0x78, 7, words(), {0x0F: 0x6B})
        super().__init__(I2C(bus, clock), rate_hz=rate_hz)
