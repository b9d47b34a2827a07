"""Fields, schema numbers and registered tables (WIRE.md sections 1, 3 and 5)."""

from __future__ import annotations

import enum
import functools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent.resources import resource

EXPONENTS = range(-9, 10)
POWERS: tuple[int, ...] = tuple(int(10**exponent) for exponent in range(10))
ORDERS = range(32)


class SchemaError(Exception):
    """A field table that cannot be: the message says what and what to choose instead."""


class Missing(enum.Enum):
    """Why a cell has no value; the number is the reason's two bits in a packed body."""

    NOT_AVAILABLE = 0  #: null
    BELOW = 1  #: false
    ABOVE = 2  #: true
    FAILED = 3  #: undefined


Cell = int | Missing


@dataclass(frozen=True, slots=True)
class Kind:
    """A line of hw/schemas/quantities.toml: what a quantity is, and how it usually behaves."""

    number: int  #: IPSO/OMA object minus 3200, or 256 and up
    unit: str  #: UCUM
    typical: float  #: a usual value, in the unit
    spread: float  #: how far a first value lies from it
    change: float  #: how far the next value lies from the one before
    still_s: float = 0.0  #: for so long a sensor may repeat itself to the last bit; 0: for ever


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

    @property
    def step(self) -> float:
        """Value of one raw step, in the unit."""
        return self.value(1)

    def value(self, raw: int) -> float:
        """The value in the unit, correctly rounded."""
        if self.exponent < 0:
            return raw * self.multiplier / POWERS[-self.exponent]
        return float(raw * self.multiplier * POWERS[self.exponent])

    def raw(self, value: float) -> int:
        """Whole steps, to the nearest."""
        up, down = self.ratio()
        return round(value * up / down)

    def ratio(self) -> tuple[int, int]:
        """Steps per unit, as a fraction."""
        return POWERS[max(-self.exponent, 0)], self.multiplier * POWERS[max(self.exponent, 0)]

    def wire(self) -> list[Any]:
        """As in a slice; the unit only if it is not the quantity's registered one."""
        scale = self.exponent if self.multiplier == 1 else [self.exponent, self.multiplier]
        items = [self.quantity, scale, self.nominal, self.first_order, self.next_order, self.name]
        registered = unit_of(self.quantity)
        return items if self.unit == registered else [*items, self.unit]

    @classmethod
    def parse(cls, items: Sequence[Any]) -> Field:
        """From a slice's field. Raises SchemaError."""
        if not 5 <= len(items) <= 7:
            raise SchemaError(f"a field has 5 to 7 items, not {len(items)}")
        quantity, scale, nominal, first, following, *rest = items
        exponent, multiplier = scale if isinstance(scale, list) and len(scale) == 2 else (scale, 1)
        numbers = (quantity, exponent, multiplier, nominal, first, following)
        good = (
            all(type(number) is int for number in numbers)
            and all(type(text) is str for text in rest)
            and quantity >= 0
            and exponent in EXPONENTS
            and (multiplier > 1 and multiplier % 10 if isinstance(scale, list) else True)
            and first in ORDERS
            and following in ORDERS
        )
        if not good:
            raise SchemaError("a field's items are out of their range")
        name = rest[0] if rest else ""
        unit = rest[1] if len(rest) > 1 else unit_of(quantity)
        return cls(quantity, exponent, multiplier, nominal, first, following, name, unit)


@dataclass(frozen=True, slots=True)
class Schema:
    """A field table under its number."""

    number: int
    fields: Sequence[Field]


@functools.cache
def quantity_kinds() -> Mapping[str, Kind]:
    """Every kind by name, from hw/schemas/quantities.toml."""
    table = tomllib.loads(resource("schemas/quantities.toml").read_text(encoding="utf-8"))
    return {name: Kind(**line) for name, line in table.items()}


@functools.cache
def unit_of(quantity: int) -> str:
    """The registered unit of a quantity number; empty if it has none."""
    return next((kind.unit for kind in quantity_kinds().values() if kind.number == quantity), "")


def field_for(
    name: str,
    kind: str,
    step: float,
    *,
    nominal: int | None = None,
    orders: Sequence[int] | None = None,
) -> Field:
    """A column by the default rules of WIRE.md section 5. Raises SchemaError."""
    known = quantity_kinds().get(kind)
    if known is None:
        raise SchemaError(f"no kind '{kind}' in hw/schemas/quantities.toml")
    exponent, multiplier = scale_of(step)
    if nominal is None:
        nominal = round(known.typical / step)
    first, following = orders or (order_of(known.spread, step), order_of(known.change, step))
    if first not in ORDERS or following not in ORDERS:
        raise SchemaError(f"orders are 0 to 31, not {first} and {following}")
    if not -(2**31) < nominal < 2**31:
        raise SchemaError(f"a nominal value is a number of steps of at most 31 bits, not {nominal}")
    number, unit = known.number, known.unit
    return Field(number, exponent, multiplier, nominal, first, following, name, unit)


def scale_of(step: float) -> tuple[int, int]:
    """step = multiplier x 10^exponent, the multiplier not divisible by 10. Raises SchemaError."""
    _, digits, exponent = Decimal(repr(step)).normalize().as_tuple()
    multiplier = int("".join(map(str, digits)))
    if step <= 0 or exponent not in EXPONENTS or multiplier > 65_535:
        raise SchemaError(f"a step is a short decimal number such as 0.05, not {step}")
    return int(exponent), multiplier


def order_of(width: float, step: float) -> int:
    """The Golomb order that fits differences of about `width`."""
    return max(0, math.floor(math.log2(width / step))) if width > 0 else 0


@functools.cache
def registered_schemas() -> Mapping[int, Schema]:
    """Every registered table by number, from hw/schemas/<name>.toml."""
    found = {}
    for path in sorted(resource("schemas").glob("*.toml")):
        if path.name != "quantities.toml":
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            found[table["number"]] = Schema(table["number"], tuple(map(_column, table["column"])))
    return found


def registered(number: int) -> Schema:
    """A registered table. Raises SchemaError."""
    schema = registered_schemas().get(number)
    if schema is None:
        known = ", ".join(map(str, registered_schemas()))
        raise SchemaError(f"no registered schema {number}; there are {known}")
    return schema


def _column(column: Mapping[str, Any]) -> Field:
    kind = quantity_kinds()[column["kind"]]
    exponent, multiplier = scale_of(column["step"])
    first, following = column["orders"]
    nominal, name = column["nominal"], column["name"]
    return Field(kind.number, exponent, multiplier, nominal, first, following, name, kind.unit)
