"""What a simulated chip looks like from the bus, and the one most chips are: registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol


class Nack(Exception):
    """The chip does not acknowledge: too early, busy, or a command it does not know."""


class I2CTwin(Protocol):
    """A chip on SimI2C. `now` is the bus's monotonic time in seconds.

    A twin may also declare `feels`: truth -> (lowest, highest) it can tell, where that is less
    than its quantity's range; `other_chip`: register -> what another chip has there.
    """

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
    """A chip of 256 registers with a pointer that the first byte of a write sets.

    What goes on behind the pointer is said by `width` and `runs_on`:

        width 1, runs on        register 5, 6, 7, ...        most chips
        width 2 or 3, runs on   high 5, low 5, high 6, ...   a pointer that counts whole registers
        runs_on = False         high 5, low 5, high 5, ...   a pointer that stands still
    """

    width = 1  #: bytes of a register
    order: Literal["big", "little"] = "big"  #: of the bytes of a register
    runs_on = True  #: whether a longer message goes on with the next register
    defaults: Mapping[int, int] = {}  #: register -> reset value
    truth: Mapping[str, float]

    def power_on(self, now: float) -> None:
        """Every register at its reset value, the pointer at 0."""
        self.memory = bytearray(256 * self.width)
        for register, value in self.defaults.items():
            self.put(register, value)
        self.pointer = 0

    def refresh(self, now: float) -> None:
        """Called before every message: what the chip itself has written meanwhile (`put`)."""

    def put(self, register: int, value: int) -> None:
        """Set a register; a negative value as two's complement, a larger one cut to the width."""
        whole = value % (1 << 8 * self.width)
        at = register * self.width
        self.memory[at : at + self.width] = whole.to_bytes(self.width, self.order)

    def get(self, register: int) -> int:
        """What a register holds, without sign."""
        at = register * self.width
        return int.from_bytes(self.memory[at : at + self.width], self.order)

    def write(self, data: bytes, now: float) -> None:
        """First byte: pointer; the rest: registers from there on."""
        self.refresh(now)
        if data:
            self.pointer = data[0]
            for offset, value in enumerate(data[1:]):
                self.memory[self._place(offset)] = value

    def read(self, length: int, now: float) -> bytes:
        """Registers from the pointer on."""
        self.refresh(now)
        return bytes(self.memory[self._place(offset)] for offset in range(length))

    def _place(self, offset: int) -> int:
        """Where in the memory the byte `offset` behind the pointer lies."""
        start = self.pointer * self.width
        return (start + (offset if self.runs_on else offset % self.width)) % len(self.memory)
