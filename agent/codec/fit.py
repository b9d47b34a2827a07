"""The nominals and orders that make packed frames of given rows shortest (WIRE.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median_low

from agent.codec.packed import LEADING, REASON_BITS, Column, PackError, pack
from agent.model.schema import Cell, Field, Missing

HIGHEST_ORDER = 20  #: looked at; a column that needs more than 2^20 steps has the wrong step
ESCAPE_BITS = LEADING + REASON_BITS


def fitted(rows: Sequence[Sequence[Cell]], fields: Sequence[Field], together: int) -> list[Field]:
    """The same columns with the nominal, first and next order that cost the fewest bits.

    `rows` newest first; frames hold `together` of them. A column without a number stays as it is.
    """
    frames = [rows[at : at + together] for at in range(0, len(rows), together)]
    return [
        fitted_column([[row[at] for row in frame] for frame in frames], field)
        for at, field in enumerate(fields)
    ]


def fitted_column(frames: Sequence[Sequence[Cell]], field: Field) -> Field:
    """One column: its cells frame by frame, newest first."""
    numbers = [[cell for cell in frame if not isinstance(cell, Missing)] for frame in frames]
    firsts = [frame[0] for frame in numbers if frame]
    if not firsts:
        return field
    nominal = median_low(firsts)
    distances = [zigzag(first - nominal) for first in firsts]
    orders = range(HIGHEST_ORDER + 1)
    first_order = min(orders, key=lambda order: sum(code_bits(one, order) for one in distances))
    made = replace(field, nominal=nominal, first_order=first_order)
    following = [replace(made, next_order=order) for order in orders]
    return min(following, key=lambda one: column_bits(numbers, one))


def column_bits(frames: Sequence[Sequence[int]], field: Field) -> int:
    """Bits of a column's numbers, the order adapting as the format says (step 4)."""
    total = 0
    for frame in frames:
        column = Column(field)
        for raw in frame:
            distance = zigzag(raw - column.base())
            total += code_bits(distance, column.order)
            column.took(raw, distance)
    return total


def zigzag(value: int) -> int:
    """Signed to unsigned: 0, -1, 1, -2 to 0, 1, 2, 3."""
    return 2 * value if value >= 0 else -2 * value - 1


def code_bits(number: int, order: int) -> int:
    """Length of one exponential-Golomb code; what cannot be packed costs a plain number's bytes."""
    width = (number + (1 << order)).bit_length()
    zeros = width - order - 1
    return zeros + width if zeros < LEADING else 8 * 16


def body_bytes(rows: Sequence[Sequence[Cell]], fields: Sequence[Field], together: int) -> float:
    """Mean bytes of the packed bodies of frames with `together` rows; infinite if none can be."""
    frames = [rows[at : at + together] for at in range(0, len(rows), together)]
    try:
        bits = [sum(map(len, pack(frame, fields))) for frame in frames]
    except PackError:
        return float("inf")
    return sum(-(-one // 8) for one in bits) / max(len(bits), 1)
