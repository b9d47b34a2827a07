"""Cells as exponential-Golomb codes: the packed body (WIRE.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model.schema import Cell, Field, Missing

LEADING = 16  #: so many leading zeros are the escape; no code may need them
REASON_BITS = 2
RAW_LIMIT = 2**31


class PackError(Exception):
    """A value that needs sixteen or more leading zeros: send this frame plain."""


class Column:
    """One column's order and last value while a body is written or read."""

    __slots__ = ("following", "last", "nominal", "order")

    def __init__(self, field: Field) -> None:
        self.nominal, self.order, self.following = (
            field.nominal,
            field.first_order,
            field.next_order,
        )
        self.last: int | None = None

    def base(self) -> int:
        """What the next number is told relative to."""
        return self.nominal if self.last is None else self.last

    def took(self, raw: int, zigzag: int) -> None:
        """Step 4: adapt the order; not after the first number of the column."""
        if self.last is None:
            self.order = self.following
        elif zigzag >= 3 << self.order:
            self.order += 1
        elif zigzag < (1 << self.order) >> 1:
            self.order -= 1
        self.last = raw


def pack(rows: Sequence[Sequence[Cell]], fields: Sequence[Field]) -> list[str]:
    """The bits of each row, newest row first. Raises PackError."""
    columns = [Column(field) for field in fields]
    return ["".join(map(_code, columns, row)) for row in rows]


def to_bytes(bits: str) -> bytes:
    """Bits with zeros to the end of the last byte."""
    length = -(-len(bits) // 8)
    return int(bits.ljust(length * 8, "0") or "0", 2).to_bytes(length, "big")


def unpack(body: bytes, fields: Sequence[Field]) -> list[list[Cell]]:
    """All complete rows, newest first; a body cut anywhere gives the rows before the cut.

    Raises ValueError for a number that cannot be (2^31 and beyond).
    """
    bits = f"{int.from_bytes(body, 'big'):0{len(body) * 8}b}" if body else ""
    columns = [Column(field) for field in fields]
    rows: list[list[Cell]] = []
    at = 0
    while columns:
        row: list[Cell] = []
        for column in columns:
            found = read_cell(bits, at, column)
            if found is None:
                return rows
            cell, at = found
            row.append(cell)
        rows.append(row)
    return rows


def _code(column: Column, cell: Cell) -> str:
    if isinstance(cell, Missing):
        return "0" * LEADING + f"{cell.value:0{REASON_BITS}b}"
    value = cell - column.base()
    zigzag = 2 * value if value >= 0 else -2 * value - 1
    shifted = zigzag + (1 << column.order)
    zeros = shifted.bit_length() - column.order - 1
    if zeros >= LEADING:
        raise PackError(f"a difference of {value} cannot be packed")
    width = zeros + shifted.bit_length()
    column.took(cell, zigzag)
    return f"{shifted:0{width}b}"


def read_cell(bits: str, at: int, column: Column) -> tuple[Cell, int] | None:
    """The next cell and where it ends; None if no further code fits.

    Raises ValueError for what is no raw value.
    """
    one = bits.find("1", at, at + LEADING)
    if one < 0:
        end = at + LEADING + REASON_BITS
        if end > len(bits):
            return None
        return Missing(int(bits[at + LEADING : end], 2)), end
    end = one + (one - at) + column.order + 1
    if end > len(bits):
        return None
    zigzag = int(bits[one:end], 2) - (1 << column.order)
    raw = column.base() + (zigzag >> 1 if zigzag % 2 == 0 else -(zigzag + 1 >> 1))
    if abs(raw) >= RAW_LIMIT:
        raise ValueError(f"{raw} is no raw value")
    column.took(raw, zigzag)
    return raw, end
