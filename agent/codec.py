"""Rows and messages -> frames, byte by byte as WIRE.md says; decoder.py reads them again."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent import cbor
from agent.clock import Clock
from agent.packed import PackError, pack, to_bytes
from agent.parcel import EVENT, Framed, Message, Parcel, Row
from agent.schema import Cell, Field, Missing

SAMPLE = 16  #: rows from which the size of the rest is guessed
LONGEST_S = 14_400  #: longest interval of a frame
SHORT_SLOTS = 65_536
PRIVATE = 256  #: private schema numbers begin here
YOUNG_SLOTS = 32_768  #: a slot modulo 65536 names the nearest: half of that back
WIRE_OF = {
    Missing.NOT_AVAILABLE: None,
    Missing.BELOW: False,
    Missing.ABOVE: True,
    Missing.FAILED: cbor.UNDEFINED,
}


class CodecError(Exception):
    """Not a frame of this format, or something that cannot be framed; the message says why."""


@dataclass(frozen=True, slots=True)
class Style:
    """How frames are written for a link."""

    whole_slots: bool = False  #: dated rows with whole slot numbers (MQTT, files)
    ticks_always: bool = False  #: undated rows as [boot, tick] even of the running boot (files)


# -- cells and bodies as the store keeps them ---------------------------------------------------


def cells_to_bytes(cells: Sequence[Cell]) -> bytes:
    """CBOR array of integers and missing reasons."""
    wire = [cell if type(cell) is int else WIRE_OF[cell] for cell in cells]  # type: ignore[index]
    return cbor.dump(wire)


def bytes_to_cells(cells: bytes) -> list[Cell]:
    """The reverse."""
    return [cell_of(item) for item in cbor.load(cells)]


def cell_of(item: Any) -> Cell:
    """A cell from its CBOR item. Raises CodecError."""
    if type(item) is int:
        return item
    if item is None:
        return Missing.NOT_AVAILABLE
    if item is cbor.UNDEFINED:
        return Missing.FAILED
    if type(item) is bool:
        return Missing.ABOVE if item else Missing.BELOW
    raise CodecError(f"{item!r} is no cell")


def event_body(
    schema: int, column: int | None, code: int, value: int | Sequence[int] | None = None
) -> bytes:
    """An event without its time."""
    items = [schema, column, code]
    return cbor.dump(items if value is None else [*items, value])


def slice_body(schema: int, total: int, first: int, fields: Iterable[Field]) -> bytes:
    """Fields of a schema from column `first` on."""
    return cbor.dump([schema, 1, total, first, *(field.wire() for field in fields)])


def ack_body(token: int, result: int) -> bytes:
    """The answer to downlink `token`."""
    return cbor.dump([token, result])


def hello_body(items: Mapping[int, Any]) -> bytes:
    """Who this node is."""
    return cbor.dump([dict(items)])


def encode_downlink(command: int, token: int, *args: int | None) -> bytes:
    """A downlink as a server sends it."""
    return cbor.dump([command, token, *args])


def private_number(fields: Iterable[Field]) -> int:
    """The schema number of an unregistered table, from its fields (WIRE.md section 5)."""
    digest = hashlib.sha256(cbor.dump([1, [field.wire() for field in fields]])).digest()
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
        when = row_time(parcel.rows[0], step_s, parcel.boot, clock, style)
        self.head = b"".join(
            cbor.dump(i) for i in (self.schema.number, when, interval_item(step_s))
        )
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
        cells = cbor.dump_each(differences(self.flat, width))

        def make(count: int) -> bytes:
            body = cbor.array_head(count * width) + b"".join(cells[: count * width])
            return self._frame(body, self.columns)

        later = b"".join(cells[width : SAMPLE * width])
        return self._fullest(make, len(later) / SAMPLE)

    def _fullest(self, make: Callable[[int], bytes], row_bytes: float) -> tuple[bytes, int] | None:
        """The frame with the most rows, or so close to it that little room is left."""
        best: tuple[bytes, int] | None = None
        fits, over = 0, len(self.parcel.rows) + 1
        slack = max(len(self.columns) // 8, self.limit // 50)
        count = min(over - 1, max(round(self.limit / max(row_bytes, 1)), 1))
        while fits + 1 < over:
            made = make(count)
            if len(made) <= self.limit:
                best, fits = (made, count), count
                if self.limit - len(made) < slack:
                    break
            else:
                over = count
            count = min(max(count * self.limit // len(made), fits + 1), over - 1)
        return best

    def _packed(self) -> tuple[bytes, int] | None:
        """None if a value cannot be packed; then the frame is plain."""
        width, fields = len(self.columns), [self.schema.fields[c] for c in self.columns]
        cells = [cell_of(item) for item in self.flat]
        try:
            rows = pack([cells[at : at + width] for at in range(0, len(cells), width)], fields)
        except PackError:
            return None
        bits = sum(map(len, rows))
        return self._fullest(
            lambda count: self._frame(packed_body(rows[:count]), self.columns),
            bits / 8 / len(rows),
        )

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
        plain = cbor.dump(cells)
        if not self.parcel.packed:
            return self._frame(plain, columns)
        try:
            bits = pack([[cell_of(c) for c in cells]], [self.schema.fields[c] for c in columns])
        except PackError:
            return self._frame(plain, columns)
        return self._frame(packed_body(bits), columns)

    def _frame(self, body: bytes, columns: Sequence[int]) -> bytes:
        """Head, encoded body, omit."""
        omit = (
            (1 << self.width) - 1 - sum(1 << column for column in columns)
            if len(columns) < self.width
            else 0
        )
        tail = cbor.dump(omit) if omit else b""
        return cbor.array_head(5 if omit else 4) + self.head + body + tail


def packed_body(rows: Sequence[str]) -> bytes:
    """The byte string that holds the bits of these rows."""
    return cbor.dump(to_bytes("".join(rows)))


def _joined(rows: Sequence[Row], width: int) -> list[Any]:
    """The cells of all rows in one list, read in one go: their array heads are cut off."""
    skip = len(cbor.array_head(width))
    head = cbor.array_head(len(rows) * width)
    flat: list[Any] = cbor.load(head + b"".join([row.cells[skip:] for row in rows]))
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
    items = cbor.load(message.body)
    if message.kind == EVENT:
        when = _time(message.start, message.mono_ms, message.boot, 1, boot, clock, style)
        items.insert(1, when)
    made = cbor.dump([message.kind, *items])
    if len(made) > limit:
        raise CodecError(f"a message of {len(made)} bytes does not fit into {limit}")
    return made
