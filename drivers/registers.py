"""The datasheet's register table as attributes of a driver. Keeps no state."""

from __future__ import annotations

from typing import Literal, Protocol

from drivers.bus.i2c import I2C


class OnI2C(Protocol):
    """Who has registers: a bus and a 7-bit address."""

    i2c: I2C
    address: int


class Register:
    """A whole number of `size` bytes at a register address; reads and writes go to the chip."""

    def __init__(
        self,
        register: int,
        size: int = 1,
        *,
        signed: bool = False,
        order: Literal["big", "little"] = "big",
    ) -> None:
        self.register, self.size, self.signed, self.order = register, size, signed, order

    def __get__(self, chip: OnI2C, owner: type | None = None) -> int:
        """Read it. Raises BusError."""
        answer = chip.i2c.write_read(chip.address, bytes([self.register]), self.size)
        return int.from_bytes(answer, self.order, signed=self.signed)

    def __set__(self, chip: OnI2C, value: int) -> None:
        """Write it. Raises BusError."""
        data = value.to_bytes(self.size, self.order, signed=self.signed)
        chip.i2c.write(chip.address, bytes([self.register]) + data)


class Bits:
    """Some bits of a register, shifted down; assigning clears them first and keeps the others."""

    def __init__(self, register: Register, mask: int) -> None:
        self.register, self.mask = register, mask
        self.shift = (mask & -mask).bit_length() - 1

    def __get__(self, chip: OnI2C, owner: type | None = None) -> int:
        """Read them. Raises BusError."""
        return (self.register.__get__(chip) & self.mask) >> self.shift

    def __set__(self, chip: OnI2C, value: int) -> None:
        """Change them. Raises BusError; ValueError if `value` does not fit."""
        if value < 0 or value << self.shift & ~self.mask:
            raise ValueError(f"{value} does not fit into the bits {self.mask:#x}")
        kept = self.register.__get__(chip) & ~self.mask
        self.register.__set__(chip, kept | value << self.shift)
