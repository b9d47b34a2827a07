"""The same rows as others send them: Cayenne LPP, CBOR maps with integer keys, SenML-CBOR.

Each takes rows of one table, oldest first, and gives one payload; None where it cannot hold them.
"""

import struct
from collections.abc import Callable, Sequence

import cbor2

from agent.model.schema import Cell, Field, Missing, Schema

Row = tuple[int, Sequence[Cell]]  # unix time, whole steps
Encoder = Callable[[Schema, Sequence[Row]], bytes]

LPP_ANALOG, LPP_GENERIC, LPP_TIME = 2, 100, 133  # 0.01 in 2 bytes, whole numbers in 4, seconds in 4
LPP_TYPES = {  # type, bytes, its steps per unit; its own types are coarser than our steps
    "temp": (103, 2, 10),
    "hum": (104, 1, 2),
    "pres": (115, 2, 0.1),
    "co2": (125, 2, 1),
    "lux": (101, 2, 1),
    "batt": (116, 2, 100),
}
SENML_NAME, SENML_TIME, BASE_TIME, VALUE = 0, 6, -3, 2  # RFC 8428, table 4


def lpp(schema: Schema, rows: Sequence[Row]) -> bytes:
    """Cayenne LPP: channel, type, value. Rows have a time each where there are several."""
    made = b""
    for start, cells in rows:
        if len(rows) > 1:
            made += struct.pack(">BBI", 0, LPP_TIME, start)
        for channel, field, cell in valued(schema, cells):
            made += struct.pack(">B", channel) + lpp_value(field, cell)
    return made


def lpp_value(field: Field, cell: int) -> bytes:
    """Type and value of one number, in the smallest type that holds it."""
    kind, size, per_unit = LPP_TYPES.get(field.name, (LPP_ANALOG, 2, 100))
    if field.name not in LPP_TYPES and field.exponent < -2:
        return struct.pack(">Bi", LPP_GENERIC, cell)
    raw = round(field.value(cell) * per_unit)
    return struct.pack(">B", kind) + raw.to_bytes(size, "big", signed=raw < 0)


def cbor_map(schema: Schema, rows: Sequence[Row]) -> bytes:
    """A time, then a CBOR map per row: column number -> whole steps."""
    maps = [{n: cell for n, _, cell in valued(schema, cells)} for _, cells in rows]
    spacing_s = rows[1][0] - rows[0][0] if len(rows) > 1 else 0
    return cbor2.dumps([rows[0][0], spacing_s, maps], canonical=True)


def senml(schema: Schema, rows: Sequence[Row]) -> bytes:
    """SenML in CBOR: a base time, then a record per value, without units."""
    base, records = rows[0][0], list[dict[int, object]]()
    for start, cells in rows:
        for _, field, cell in valued(schema, cells):
            record: dict[int, object] = {SENML_NAME: field.name, VALUE: field.value(cell)}
            if not records:
                record[BASE_TIME] = base
            elif start != base:
                record[SENML_TIME] = start - base
            records.append(record)
    return cbor2.dumps(records, canonical=True)


def valued(schema: Schema, cells: Sequence[Cell]) -> list[tuple[int, Field, int]]:
    """Column, field and number of what was measured."""
    pairs = zip(schema.fields, cells, strict=True)
    return [(n, f, c) for n, (f, c) in enumerate(pairs) if not isinstance(c, Missing)]


RIVALS: dict[str, Encoder] = {
    "Cayenne LPP": lpp,
    "CBOR map with integer keys": cbor_map,
    "SenML-CBOR": senml,
}


def payloads(
    encode: Encoder, schema: Schema, rows: Sequence[Row], limit: int, most: int
) -> list[int]:
    """Sizes of the frames that carry all rows, each as full as it gets, `most` rows at most."""
    sizes, at = [], 0
    while at < len(rows):
        size, count = 0, 0
        for end in range(at + 1, min(at + most, len(rows)) + 1):
            longer = len(encode(schema, rows[at:end]))
            if longer > limit:
                break
            size, count = longer, end - at
        sizes += [size] if count else parts(encode, schema, rows[at], limit)
        at += count or 1
    return sizes


def parts(encode: Encoder, schema: Schema, row: Row, limit: int) -> list[int]:
    """Sizes of one row's frames, column by column, each as full as it gets."""
    sizes, last = [], 0
    empty: list[Cell] = [Missing.NOT_AVAILABLE] * len(schema.fields)
    kept = empty
    for column, cell in enumerate(row[1]):
        more = [*kept[:column], cell, *empty[column + 1 :]]
        size = len(encode(schema, [(row[0], more)]))
        if size > limit:
            sizes.append(last)
            more = [*empty[:column], cell, *empty[column + 1 :]]
            size = len(encode(schema, [(row[0], more)]))
        kept, last = more, size
    return [*sizes, last]
