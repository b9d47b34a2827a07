"""Rows and messages <-> frames, byte by byte as WIRE.md says. The only user of cbor2.

A frame is built by `frame` and read by `decode`; both are strict. The CDDL is wire.cddl.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from agent.clock import Clock
from agent.packed import PackError, pack, to_bytes, unpack
from agent.parcel import ACK, EVENT, HELLO, RAW, SLICE, Framed, Message, Parcel, Row
from agent.schema import Cell, Field, Missing, Schema, SchemaError
from agent.strict import check_canonical

LONGEST_S = 14_400  #: longest interval of a frame
SHORT_SLOTS = 65_536
PRIVATE = 256  #: private schema numbers begin here
YOUNG_SLOTS = 32_768  #: a slot modulo 65536 names the nearest: half of that back
UNDEFINED = cbor2.undefined
WIRE_OF = {
    Missing.NOT_AVAILABLE: None,
    Missing.BELOW: False,
    Missing.ABOVE: True,
    Missing.FAILED: UNDEFINED,
}


class CodecError(Exception):
    """Not a frame of this format, or something that cannot be framed; the message says why."""


@dataclass(frozen=True, slots=True)
class Style:
    """How frames are written for a link."""

    whole_slots: bool = False  #: dated rows with whole slot numbers (MQTT, files)
    ticks_always: bool = False  #: undated rows as [boot, tick] even of the running boot (files)


TimeItem = int | tuple[int, int]  #: slot, -1 - age, or (boot, tick)


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame. Without the schema `rows` is None and `body` is what to keep."""

    schema: int
    time: TimeItem
    step_s: int  #: seconds between rows
    body: bytes | tuple[Cell, ...]
    omit: int = 0
    columns: Sequence[int] = ()  #: which columns of the schema the rows hold
    rows: Sequence[Sequence[Cell]] | None = None  #: newest first

    def starts(self, received: float | None = None) -> list[int | None]:
        """Unix second of each row's slot, newest first; None where it cannot be known."""
        newest = slot_start(self.time, self.step_s, received)
        count = len(self.rows or ())
        if newest is None:
            return [None] * count
        return [newest - k * self.step_s for k in range(count)]


@dataclass(frozen=True, slots=True)
class Event:
    """An event frame."""

    schema: int
    time: TimeItem
    column: int | None
    code: int
    value: int | tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a schema."""

    schema: int
    wire: int
    total: int
    first: int
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a downlink."""

    token: int
    result: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a node is."""

    items: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """A chunk of a raw record; `data` are the bytes of the RFC 8746 array."""

    record: int
    chunk: int
    chunks: int
    start: int
    rate: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame kind of a later version: kept, never guessed."""

    kind: int


Frame = Data | Event | Slice | Ack | Hello | Raw | Unknown


@dataclass(frozen=True, slots=True)
class Downlink:
    """A command from outside."""

    command: int
    token: int
    args: tuple[Any, ...]


# -- cells and bodies as the store keeps them ---------------------------------------------------


def cells_to_bytes(cells: Sequence[Cell]) -> bytes:
    """CBOR array of integers and missing reasons."""
    wire = [cell if type(cell) is int else WIRE_OF[cell] for cell in cells]  # type: ignore[index]
    return cbor2.dumps(wire)


def bytes_to_cells(cells: bytes) -> list[Cell]:
    """The reverse."""
    return [cell_of(item) for item in cbor2.loads(cells)]


def cell_of(item: Any) -> Cell:
    """A cell from its CBOR item. Raises CodecError."""
    if type(item) is int:
        return item
    if item is None:
        return Missing.NOT_AVAILABLE
    if item is UNDEFINED:
        return Missing.FAILED
    if type(item) is bool:
        return Missing.ABOVE if item else Missing.BELOW
    raise CodecError(f"{item!r} is no cell")


def event_body(
    schema: int, column: int | None, code: int, value: int | Sequence[int] | None = None
) -> bytes:
    """An event without its time."""
    items = [schema, column, code]
    return cbor2.dumps(items if value is None else [*items, value])


def slice_body(schema: int, total: int, first: int, fields: Iterable[Field]) -> bytes:
    """Fields of a schema from column `first` on."""
    return cbor2.dumps([schema, 1, total, first, *(field.wire() for field in fields)])


def ack_body(token: int, result: int) -> bytes:
    """The answer to downlink `token`."""
    return cbor2.dumps([token, result])


def hello_body(items: Mapping[int, Any]) -> bytes:
    """Who this node is."""
    return cbor2.dumps([dict(items)], canonical=True)


def encode_downlink(command: int, token: int, *args: int | None) -> bytes:
    """A downlink as a server sends it."""
    return cbor2.dumps([command, token, *args])


def private_number(fields: Iterable[Field]) -> int:
    """The schema number of an unregistered table, from its fields (WIRE.md section 5)."""
    digest = hashlib.sha256(cbor2.dumps([1, [field.wire() for field in fields]])).digest()
    return PRIVATE + int.from_bytes(digest[:4], "big") % (SHORT_SLOTS - PRIVATE)


# -- framing ------------------------------------------------------------------------------------


def frame(parcel: Parcel, limit: int, clock: Clock, style: Style | None = None) -> Framed:
    """The frame of a message, or of as many rows, newest first, as fit into `limit` bytes.

    A single row that does not fit becomes several frames with complementary `omit`. Raises
    CodecError for what cannot be framed at this limit.
    """
    style = style or Style()
    if parcel.message is not None:
        return Framed((_message(parcel.message, parcel.boot, limit, clock, style),), parcel)
    writer = _Writer(parcel, limit, clock, style)
    single = writer.batch()
    if single is not None:
        made, count = single
        return Framed((made,), parcel, parcel.rows[:count])
    return Framed(tuple(writer.parts()), parcel, parcel.rows[:1])


class _Writer:
    """One parcel of rows on its way into a frame."""

    def __init__(self, parcel: Parcel, limit: int, clock: Clock, style: Style) -> None:
        assert parcel.layout is not None
        self.parcel, self.limit = parcel, limit
        self.schema = parcel.layout.schema
        self.width = len(self.schema.fields)
        step_s = parcel.layout.interval_s * parcel.step
        self.head = [
            self.schema.number,
            row_time(parcel.rows[0], step_s, parcel.boot, clock, style),
            interval_item(step_s),
        ]
        self.flat = _joined(parcel.rows, self.width)
        self.columns = list(range(self.width))
        if set(map(type, self.flat)) != {int}:
            self._drop_empty()

    def _drop_empty(self) -> None:
        """Leave out columns that are nowhere available, but never every column."""
        width, flat = self.width, self.flat
        used = [c for c in range(width) if any(cell is not None for cell in flat[c::width])]
        used = used or [0]
        if len(used) < width:
            self.columns = used
            kept = [flat[c::width] for c in used]
            self.flat = [cell for row in zip(*kept, strict=True) for cell in row]

    def batch(self) -> tuple[bytes, int] | None:
        """A frame and how many rows are in it; None if not even one fits."""
        if self.parcel.packed:
            made = self._packed()
            if made is not None:
                return made
        return self._plain()

    def _plain(self) -> tuple[bytes, int] | None:
        width = len(self.columns)
        body = differences(self.flat, width)
        count = min(len(self.parcel.rows), max(self.limit // width, 1))
        while count:
            made = self._frame(body[: count * width], self.columns)
            if len(made) <= self.limit:
                return made, count
            count = min(count - 1, count * self.limit // len(made))
        return None

    def _packed(self) -> tuple[bytes, int] | None:
        """None if a value cannot be packed; then the frame is plain."""
        width, fields = len(self.columns), [self.schema.fields[c] for c in self.columns]
        most = len(self.parcel.rows)
        cells = [cell_of(item) for item in self.flat[: most * width]]
        try:
            rows = pack([cells[at : at + width] for at in range(0, len(cells), width)], fields)
        except PackError:
            return None
        sizes = [0]
        for row in rows:
            sizes.append(sizes[-1] + len(row))
        count = most
        while count:
            made = self._frame(to_bytes("".join(rows[:count])), self.columns)
            if len(made) <= self.limit:
                return made, count
            over = (len(made) - self.limit - 1) * 8
            count = max(
                k for k in range(count) if k == 0 or sizes[count] - sizes[k] > over or k == 0
            )
        return None

    def parts(self) -> list[bytes]:
        """The newest row in several frames, each with as many columns as fit."""
        rest, made = list(self.columns), []
        while rest:
            taken = self._most_columns(rest)
            made.append(self._part(taken))
            rest = rest[len(taken) :]
        return made

    def _most_columns(self, rest: Sequence[int]) -> list[int]:
        for count in range(len(rest), 0, -1):
            if len(self._part(rest[:count])) <= self.limit:
                return list(rest[:count])
        raise CodecError(
            f"column {rest[0]} of schema {self.schema.number} needs more than {self.limit} bytes"
        )

    def _part(self, columns: Sequence[int]) -> bytes:
        cells = [self.flat[self.columns.index(column)] for column in columns]
        if not self.parcel.packed:
            return self._frame(cells, columns)
        try:
            bits = pack([[cell_of(c) for c in cells]], [self.schema.fields[c] for c in columns])
        except PackError:
            return self._frame(cells, columns)
        return self._frame(to_bytes(bits[0]), columns)

    def _frame(self, body: Any, columns: Sequence[int]) -> bytes:
        omit = (1 << self.width) - 1 - sum(1 << column for column in columns)
        return cbor2.dumps([*self.head, body, omit] if omit else [*self.head, body])


def _joined(rows: Sequence[Row], width: int) -> list[Any]:
    """The cells of all rows in one list, read in one go: their array heads are cut off."""
    skip = 1 if width < 24 else 2 if width < 256 else 3
    head = b"\x9a" + (len(rows) * width).to_bytes(4, "big")
    flat: list[Any] = cbor2.loads(head + b"".join([row.cells[skip:] for row in rows]))
    return flat


def differences(flat: Sequence[Any], width: int) -> list[Any]:
    """First number of each column absolute, every later one relative to the one before in it."""
    if set(map(type, flat)) == {int}:
        return [*flat[:width], *map(operator.sub, flat[width:], flat[:-width])]
    last: list[int | None] = [None] * width
    body = []
    for at, item in enumerate(flat):
        column = at % width
        before = last[column]
        if type(item) is int:
            body.append(item if before is None else item - before)
            last[column] = item
        else:
            body.append(item)
    return body


def row_time(row: Row, step_s: int, boot: int, clock: Clock, style: Style) -> int | list[int]:
    """The time item of a frame whose newest row is `row`."""
    return _time(row.start, row.mono_ms, row.boot, step_s, boot, clock, style)


def _time(
    start: int | None,
    mono_ms: int,
    row_boot: int,
    step_s: int,
    boot: int,
    clock: Clock,
    style: Style,
) -> int | list[int]:
    now = clock.utc()
    if start is not None:
        slot = start // step_s
        young = now is not None and now // step_s - slot < YOUNG_SLOTS
        return slot % SHORT_SLOTS if young and not style.whole_slots else slot
    if style.ticks_always or row_boot != boot or now is not None:
        return [row_boot, mono_ms // 1000 // step_s]
    age = math.floor((clock.monotonic() - mono_ms / 1000) / step_s)
    return -1 - max(age, 0)


def interval_item(step_s: int) -> int:
    """+n minutes, else -n seconds."""
    return step_s // 60 if step_s % 60 == 0 else -step_s


def _message(message: Message, boot: int, limit: int, clock: Clock, style: Style) -> bytes:
    items = cbor2.loads(message.body)
    if message.kind == EVENT:
        when = _time(message.start, message.mono_ms, message.boot, 1, boot, clock, style)
        items.insert(1, when)
    made = cbor2.dumps([message.kind, *items], canonical=True)
    if len(made) > limit:
        raise CodecError(f"a message of {len(made)} bytes does not fit into {limit}")
    return made


# -- reading ------------------------------------------------------------------------------------


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
        check_canonical(frame)
        items = cbor2.loads(frame)
        again = cbor2.dumps(items, canonical=True)
    except (ValueError, TypeError, cbor2.CBORError) as error:
        raise CodecError(str(error)) from error
    if not isinstance(items, list) or not items:
        raise CodecError("not an array with items")
    if again != frame:
        raise CodecError("not written in the shortest form")
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
                if abs(cell) >= 2**31:
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
        if not item:
            raise CodecError("an empty body")
        return item
    if isinstance(item, list):
        return tuple(cell_of(cell) for cell in item)
    raise CodecError("a body is an array or a byte string")


def slot_start(time: TimeItem, step_s: int, received: float | None) -> int | None:
    """Unix second at which the newest slot began; None if that needs what is not known."""
    if isinstance(time, tuple):
        return None
    if time >= SHORT_SLOTS:
        return time * step_s
    if received is None:
        return None
    now = math.floor(received / step_s)
    return (now + 1 + time if time < 0 else nearest_slot(time, now)) * step_s


def nearest_slot(short: int, now: int) -> int:
    """The slot nearest to `now` that is `short` modulo 65536."""
    return now + (short - now + YOUNG_SLOTS) % SHORT_SLOTS - YOUNG_SLOTS


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
    if len(items) != 6 or not isinstance(items[5], cbor2.CBORTag) or items[5].tag != 85:
        raise ValueError("a raw chunk has seven items, the last a typed array")
    record, chunk, chunks, start = (number(item) for item in items[:4])
    if type(items[4]) not in (int, float) or not isinstance(items[5].value, bytes):
        raise ValueError("a raw chunk has a rate and bytes")
    return Raw(record, chunk, chunks, start, items[4], items[5].value)


READERS: Mapping[int, Callable[[list[Any]], Frame]] = {
    EVENT: _event,
    SLICE: _slice,
    ACK: _ack,
    HELLO: _hello,
    RAW: _raw,
}


def number(item: Any, below: int = 2**64, low: int | None = 0) -> int:
    """An integer in its range. Raises ValueError."""
    if type(item) is not int or item >= below or (low is not None and item < low):
        raise ValueError(f"{item!r} is not in its range")
    return item
