"""What a simulated chip looks like from the bus, and the one most chips are: registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Nack(Exception):
    """The chip does not acknowledge: too early, busy, or a command it does not know."""


class I2CTwin(Protocol):
    """A chip on SimI2C. `now` is the bus's monotonic time in seconds."""

    truth: Mapping[str, float]  #: what it feels, in the driver's units

    def power_on(self, now: float) -> None:
        """Supply came (back): every register at its reset value."""
        ...

    def write(self, data: bytes, now: float) -> None:
        """A write message; empty for a bare address. Raises Nack."""
        ...

    def read(self, length: int, now: float) -> bytes:
        """A read message of exactly `length` bytes. Raises Nack."""
        ...


class RegisterTwin:
    """A chip of byte registers with a pointer that the first byte of a write sets."""

    defaults: Mapping[int, int] = {}  #: register -> reset value
    truth: Mapping[str, float]

    def power_on(self, now: float) -> None:
        """Every register at its reset value, the pointer at 0."""
        self.memory = bytearray(256)
        for register, value in self.defaults.items():
            self.memory[register] = value
        self.pointer = 0

    def write(self, data: bytes, now: float) -> None:
        """First byte: pointer; the rest: registers from there on."""
        if data:
            self.pointer = data[0]
            for offset, value in enumerate(data[1:]):
                self.memory[(self.pointer + offset) % 256] = value

    def read(self, length: int, now: float) -> bytes:
        """Registers from the pointer on."""
        return bytes(self.memory[(self.pointer + offset) % 256] for offset in range(length))
