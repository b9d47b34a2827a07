"""Frames -> what they say, strictly, as WIRE.md section 7 wants it."""

from __future__ import annotations

import time as times
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.codec import cbor
from agent.codec.decoded import (
    Ack,
    Data,
    Downlink,
    Event,
    Frame,
    Hello,
    Raw,
    Slice,
    TimeItem,
    Unknown,
    Withdrawn,
    nearest_slot,
    slot_start,
)
from agent.codec.packed import unpack
from agent.codec.wire import (
    LONGEST_PACKED,
    LONGEST_S,
    RAW_LIMIT,
    SHORT_SLOTS,
    CodecError,
    cell_of,
)
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN
from agent.model.schema import Cell, Field, Missing, Schema, SchemaError

__all__ = [
    "READERS",
    "REASONS",
    "Ack",
    "CodecError",
    "Data",
    "Downlink",
    "Event",
    "Frame",
    "Hello",
    "Raw",
    "Slice",
    "TimeItem",
    "Unknown",
    "Withdrawn",
    "body_of",
    "decode",
    "iso",
    "json_row",
    "json_rows",
    "nearest_slot",
    "number",
    "parse_downlink",
    "slot_start",
    "step_of",
    "summed",
    "time_item",
]

MOST_WITHDRAWN = 2**24  #: slots of one withdrawal
RAW_KIND = b"\x24"  # -5: the only frame that holds a tag


def decode(
    frame: bytes, schema_of: Callable[[int], Schema | None], *, limit: int | None = None
) -> Frame:
    """Read a frame strictly. Raises CodecError for anything not written exactly so."""
    items = _items(frame, limit)
    kind = items[0]
    if type(kind) is not int:
        raise CodecError("the first item is no number")
    if kind >= 0:
        return _data(items, schema_of)
    reader = READERS.get(kind)
    if reader is None:
        return Unknown(kind)
    try:
        return reader(items[1:])
    except (ValueError, TypeError, SchemaError) as error:
        raise CodecError(str(error)) from error


def parse_downlink(frame: bytes, limit: int = 256) -> Downlink:
    """Read a downlink strictly. Raises CodecError."""
    items = _items(frame, limit)
    if len(items) < 2:
        raise CodecError("a downlink has a command and a token")
    command, token, *args = items
    if type(command) is not int or command < 0:
        raise CodecError("a command is a number from 0")
    if type(token) is not int or not 0 <= token < SHORT_SLOTS:
        raise CodecError("a token is a number from 0 to 65535")
    return Downlink(command, token, tuple(args))


def _items(frame: bytes, limit: int | None) -> list[Any]:
    """The items of the outer array, known to be canonical."""
    if limit is not None and len(frame) > limit:
        raise CodecError(f"{len(frame)} bytes where {limit} are allowed")
    try:
        items = cbor.load_strictly(frame, tagged=frame[1:2] == RAW_KIND)
    except ValueError as error:
        raise CodecError(str(error)) from error
    if not isinstance(items, list) or not items:
        raise CodecError("not an array with items")
    return items


def _data(items: list[Any], schema_of: Callable[[int], Schema | None]) -> Data:
    if len(items) < 4:
        raise CodecError("a data frame has at least four items")
    number, time, interval, body = items[:4]
    omit = items[4] if len(items) > 4 else 0
    if number >= SHORT_SLOTS:
        raise CodecError("a schema number is 0 to 65535")
    if type(omit) is not int or omit < 0:
        raise CodecError("omit is a number from 0")
    data = Data(number, time_item(time), step_of(interval), body_of(body), omit)
    schema = schema_of(number)
    return data if schema is None else _with_rows(data, schema)


def _with_rows(data: Data, schema: Schema) -> Data:
    width = len(schema.fields)
    if data.omit >> width:
        raise CodecError(f"omit names columns beyond the {width} of schema {data.schema}")
    columns = [c for c in range(width) if not data.omit >> c & 1]
    if not columns:
        raise CodecError("omit names every column")
    if isinstance(data.body, bytes):
        try:
            rows = unpack(data.body, [schema.fields[c] for c in columns])
        except ValueError as error:
            raise CodecError(str(error)) from error
    else:
        rows = summed(data.body, len(columns))
    return Data(data.schema, data.time, data.step_s, data.body, data.omit, columns, rows)


def summed(body: Sequence[Cell], width: int) -> list[list[Cell]]:
    """Rows of a plain body. Raises CodecError if cells are no multiple of the columns."""
    if not body or len(body) % width:
        raise CodecError(f"{len(body)} cells are no rows of {width} columns")
    last: list[int | None] = [None] * width
    rows: list[list[Cell]] = []
    for at in range(0, len(body), width):
        row: list[Cell] = []
        for column, cell in enumerate(body[at : at + width]):
            before = last[column]
            if isinstance(cell, int):
                cell = last[column] = cell if before is None else before + cell
                if abs(cell) >= RAW_LIMIT:
                    raise CodecError(f"{cell} is no raw value")
            row.append(cell)
        rows.append(row)
    return rows


def time_item(item: Any) -> TimeItem:
    """A time item as it stands in a frame. Raises CodecError."""
    if type(item) is int:
        return item
    if isinstance(item, list) and len(item) == 2 and all(type(n) is int and n >= 0 for n in item):
        return item[0], item[1]
    raise CodecError("a time is a number or [boot, tick]")


def step_of(item: Any) -> int:
    """Seconds of an interval item. Raises CodecError."""
    if type(item) is int and 1 <= item <= LONGEST_S // 60:
        return item * 60
    if type(item) is int and -LONGEST_S < item < 0 and item % 60:
        return -item
    raise CodecError("an interval is 1..240 minutes or -1..-14399 seconds")


def body_of(item: Any) -> bytes | tuple[Cell, ...]:
    """A body as it stands in a frame. Raises CodecError."""
    if isinstance(item, bytes):
        if not 1 <= len(item) <= LONGEST_PACKED:
            raise CodecError(f"a packed body has 1 to {LONGEST_PACKED} bytes")
        return item
    if isinstance(item, list):
        return tuple(cell_of(cell) for cell in item)
    raise CodecError("a body is an array or a byte string")


def _event(items: list[Any]) -> Event:
    if len(items) not in (4, 5):
        raise ValueError("an event has five or six items")
    schema, time, column, code, *value = items
    if column is not None:
        number(column)
    told = value[0] if value else None
    if isinstance(told, list) and 1 <= len(told) <= 16:
        told = tuple(number(one, low=None) for one in told)
    elif told is not None or value:
        number(told, low=None)
    return Event(number(schema, SHORT_SLOTS), time_item(time), column, number(code), told)


def _slice(items: list[Any]) -> Slice:
    if len(items) < 5:
        raise ValueError("a schema slice has at least six items")
    schema, wire, total, first, *fields = items
    if not all(isinstance(one, list) for one in fields):
        raise ValueError("a field is an array")
    parsed = tuple(Field.parse(one) for one in fields)
    if number(first) + len(parsed) > number(total):
        raise ValueError("more fields than the schema has")
    return Slice(number(schema, SHORT_SLOTS), number(wire), total, first, parsed)


def _ack(items: list[Any]) -> Ack:
    if len(items) < 2:
        raise ValueError("an ack has a token and a result")
    return Ack(number(items[0], SHORT_SLOTS), number(items[1], 4))


def _hello(items: list[Any]) -> Hello:
    if len(items) != 1 or not isinstance(items[0], dict):
        raise ValueError("a hello has one map")
    return Hello({number(key): value for key, value in items[0].items()})


def _raw(items: list[Any]) -> Raw:
    if len(items) != 6 or not isinstance(items[5], cbor.Tag) or items[5].tag != 85:
        raise ValueError("a raw chunk has seven items, the last a typed array")
    record, chunk, chunks, start = (number(item) for item in items[:4])
    if type(items[4]) not in (int, float) or not isinstance(items[5].value, bytes):
        raise ValueError("a raw chunk has a rate and bytes")
    return Raw(record, chunk, chunks, start, items[4], items[5].value)


def _withdrawn(items: list[Any]) -> Withdrawn:
    if len(items) != 5:
        raise ValueError("a withdrawal has six items")
    of, schema, interval, slot, count = items
    if number(slot) < SHORT_SLOTS:
        raise ValueError("a withdrawal names whole slots")
    if not number(count, MOST_WITHDRAWN + 1):
        raise ValueError("a withdrawal names at least one slot")
    return Withdrawn(number(of), number(schema, SHORT_SLOTS), step_of(interval), slot, count)


READERS: Mapping[int, Callable[[list[Any]], Frame]] = {
    EVENT: _event,
    SLICE: _slice,
    ACK: _ack,
    HELLO: _hello,
    RAW: _raw,
    WITHDRAWN: _withdrawn,
}


def number(item: Any, below: int = 2**64, low: int | None = 0) -> int:
    """An integer in its range. Raises ValueError."""
    if type(item) is not int or item >= below or (low is not None and item < low):
        raise ValueError(f"{item!r} is not in its range")
    return item


REASONS = {Missing.BELOW: "low", Missing.ABOVE: "high", Missing.FAILED: "failed"}


def json_rows(data: Data, schema: Schema, received: float | None) -> list[dict[str, Any]]:
    """One object per row, oldest first: time (ISO 8601, UTC), values in units, reasons."""
    fields = [schema.fields[column] for column in data.columns]
    rows = []
    for start, cells in zip(data.starts(received), data.rows or (), strict=True):
        rows.append(json_row(start, fields, cells))
    return rows[::-1]


def json_row(start: int | None, fields: Sequence[Field], cells: Sequence[Cell]) -> dict[str, Any]:
    """One row: time (ISO 8601, UTC), values in units, reasons of those that are missing."""
    row: dict[str, Any] = {"time": None if start is None else iso(start)}
    for field, cell in zip(fields, cells, strict=True):
        row[field.name] = None if isinstance(cell, Missing) else field.value(cell)
    why = {f.name: REASONS[c] for f, c in zip(fields, cells, strict=True) if c in REASONS}
    return row | ({"reason": why} if why else {})


def iso(unix: int) -> str | None:
    """2026-01-05T09:41:00Z; None for a time no calendar has."""
    try:
        return times.strftime("%Y-%m-%dT%H:%M:%SZ", times.gmtime(unix))
    except (OverflowError, OSError, ValueError):
        return None
