"""Fields, schema numbers and registered tables (WIRE.md sections 1, 3 and 5)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Missing(enum.Enum):
    """Why a cell has no value; the number is the reason's two bits in a packed body."""

    NOT_AVAILABLE = 0  #: null
    BELOW = 1  #: false
    ABOVE = 2  #: true
    FAILED = 3  #: undefined


Cell = int | Missing


@dataclass(frozen=True, slots=True)
class Field:
    """One column on the wire: value = raw x multiplier x 10^exponent."""

    quantity: int
    exponent: int
    multiplier: int
    nominal: int
    first_order: int
    next_order: int
    name: str
    unit: str  #: UCUM


@dataclass(frozen=True, slots=True)
class Schema:
    """A field table under its number."""

    number: int
    fields: Sequence[Field]
