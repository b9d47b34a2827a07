"""Rows -> data frames: as many rows as fit, or one row in several frames (WIRE.md 1 to 4)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agent.clock import Clock
from agent.codec import cbor
from agent.codec.packed import PackError, pack, to_bytes
from agent.codec.wire import (
    LONGEST_PACKED,
    RAW_LIMIT,
    CodecError,
    Style,
    bytes_to_cells,
    cell_of,
    cells_to_bytes,
    interval_item,
    time_of,
)
from agent.model.batch import Batch, Encoded, Row, Rows

RADIO_BYTES = 256  #: limits up to this are filled to the last row, longer ones to 98 %
NO_CELL = ""
NUMBERS = list[Annotated[int, Meta(gt=-RAW_LIMIT, lt=RAW_LIMIT)]]
NULL_BITS, ESCAPE_BITS = 8, 18  #: of a cell that is not available, plain and packed
SAMPLE = 64  #: rows from which the size of the rest is guessed


def frame_rows(batch: Batch, limit: int, clock: Clock, style: Style) -> Encoded:
    """As many of the batch's rows as fit into `limit` bytes; the batch says which go first.

    A single row that does not fit becomes several frames with complementary `omit`. Raises
    CodecError if not even that can be.
    """
    builder = FrameBuilder(batch, limit, clock, style)
    fullest = builder.fullest()
    if fullest is None:
        one = builder.rows[-1:] if batch.in_order else builder.rows[:1]
        single = FrameBuilder(replace(batch, rows=one), limit, clock, style)
        return Encoded(tuple(single.parts()), batch, one)
    made, rows = fullest
    if not builder.whole and len(rows) < len(builder.rows):  # a column may be empty in just these
        again = frame_rows(replace(batch, rows=rows), limit, clock, style)
        return replace(again, batch=batch)
    return Encoded((made,), batch, rows, limit=builder.limit)


class FrameBuilder:
    """Rows of one batch on their way into a frame."""

    def __init__(self, batch: Batch, limit: int, clock: Clock, style: Style) -> None:
        assert batch.layout is not None
        self.batch, self.clock, self.style = batch, clock, style
        self.limit = min(limit, LONGEST_PACKED) if batch.packed else limit
        self.fields = batch.layout.schema.fields
        self.step_s = batch.layout.interval_s * batch.step
        self.number = batch.layout.schema.number
        self.columns = list(range(len(self.fields)))
        width, in_order = len(self.fields), batch.in_order
        self.rows, self.flat, self.whole = sound(batch.rows, width, in_order=in_order)
        if not self.whole:
            self.columns, self.flat = without_empty(self.flat, width, packed=batch.packed)
            self.whole = all_numbers(self.flat)
        self._plain: list[bytes] | None = None
        self._packed: list[str] | None = None

    def fullest(self) -> tuple[bytes, Sequence[Row]] | None:
        """The frame with the most rows, or so close to it that little room is left."""
        best: tuple[bytes, Sequence[Row]] | None = None
        fits, over = 0, len(self.rows) + 1
        slack = self.limit // 50 if self.limit > RADIO_BYTES else 1
        count = min(over - 1, max(round((self.limit - slack / 2) / self._row_bytes()), 1))
        while fits + 1 < over:
            made = self.frame(count)
            if len(made) <= self.limit:
                best, fits = (made, self._chosen(count)), count
                if self.limit - len(made) < slack:
                    break
            else:
                over = count
            count = min(max(count * self.limit // len(made), fits + 1), over - 1)
        return best

    def frame(self, count: int) -> bytes:
        """The frame with `count` of the rows."""
        first = len(self.rows) - count if self.batch.in_order else 0
        body = self._packed_body(first, count) if self.batch.packed else None
        return self._around(body or self._plain_body(first, count), self.rows[first], self.columns)

    def parts(self) -> list[bytes]:
        """The only row in several frames, each with as many columns as fit. Raises CodecError."""
        rest, made = list(self.columns), []
        while rest:
            taken = self._most_columns(rest)
            made.append(self._part(taken))
            rest = rest[len(taken) :]
        return made

    def _chosen(self, count: int) -> Sequence[Row]:
        return self.rows[-count:] if self.batch.in_order else self.rows[:count]

    def _row_bytes(self) -> float:
        """About what a further row costs."""
        if self.batch.packed:
            return len(self.columns) * 0.6
        width = len(self.columns)
        later = self._cells()[width : SAMPLE * width]
        return max(sum(map(len, later)) * width / max(len(later), 1), 1.0)

    def _cells(self) -> list[bytes]:
        """Every cell as in a plain body that begins with the newest row."""
        if self._plain is None:
            self._plain = differences(self.flat, len(self.columns), whole=self.whole)
        return self._plain

    def _plain_body(self, first: int, count: int) -> bytes:
        width = len(self.columns)
        cells = self._cells()[first * width : (first + count) * width]
        for column in range(width if first else 0):  # begins anew: its first numbers are absolute
            numbers = range(first * width + column, (first + count) * width, width)
            at = next((at for at in numbers if type(self.flat[at]) is int), None)
            if at is not None:
                cells[at - first * width] = cbor.dump(self.flat[at])
        return cbor.array_head(count * width) + b"".join(cells)

    def _packed_body(self, first: int, count: int) -> bytes | None:
        """None if a value cannot be packed; then the frame is plain."""
        try:
            if first:
                return byte_string(self._bits(first, count))
            if self._packed is None or len(self._packed) < count:
                self._packed = self._bits(0, count)
            return byte_string(self._packed[:count])
        except PackError:
            return None

    def _bits(self, first: int, count: int) -> list[str]:
        width = len(self.columns)
        cells = [cell_of(item) for item in self.flat[first * width : (first + count) * width]]
        rows = [cells[at : at + width] for at in range(0, len(cells), width)]
        return pack(rows, [self.fields[column] for column in self.columns])

    def _most_columns(self, rest: Sequence[int]) -> list[int]:
        for count in range(len(rest), 0, -1):
            if len(self._part(rest[:count])) <= self.limit:
                return list(rest[:count])
        raise CodecError(
            f"column {rest[0]} of schema {self.number} needs more than {self.limit} bytes"
        )

    def _part(self, columns: Sequence[int]) -> bytes:
        cells = [self.flat[self.columns.index(column)] for column in columns]
        body = cbor.dump(cells)
        if self.batch.packed:
            try:
                row = [cell_of(cell) for cell in cells]
                body = byte_string(pack([row], [self.fields[column] for column in columns]))
            except PackError:
                pass
        return self._around(body, self.rows[0], columns)

    def _around(self, body: bytes, newest: Row, columns: Sequence[int]) -> bytes:
        """Head, encoded body, omit."""
        when = time_of(newest, self.step_s, self.batch.boot, self.clock, self.style)
        head = b"".join(map(cbor.dump, (self.number, when, interval_item(self.step_s))))
        omit = (1 << len(self.fields)) - 1 - sum(1 << column for column in columns)
        tail = cbor.dump(omit) if omit else b""
        return cbor.array_head(5 if omit else 4) + head + body + tail


def byte_string(rows: Sequence[str]) -> bytes:
    """The byte string that holds the bits of these rows."""
    return cbor.dump(to_bytes("".join(rows)))


def sound(
    rows: Sequence[Row], width: int, *, in_order: bool = False
) -> tuple[Sequence[Row], list[Any], bool]:
    """Rows that can be encoded together, their cells in one list, whether all are numbers.

    A row of another width or with a number out of range ends them. Raises CodecError if that is
    the newest row, which is then to be set aside.
    """
    joined = _joined(rows, width)
    if joined is not None:
        return rows, *joined
    bad = [at for at, row in enumerate(rows) if _joined([row], width) is None]
    if bad[0] == 0:
        raise CodecError(f"row {rows[0].seq}: {_what_is_wrong(rows[0], width)}")
    older = rows[bad[-1] + 1 :] if in_order else ()
    return sound(older or rows[: bad[0]], width)


def _joined(rows: Sequence[Row], width: int) -> tuple[list[Any], bool] | None:
    """The cells of all rows, read in one go as one long array; whether all are numbers.

    None if unsound.
    """
    head = len(cbor.array_head(width))
    cells = [blob[head:] for blob in Rows.of(rows).cells]
    try:
        long_head = cbor.array_head(len(rows) * width + 1)
        flat: list[Any] = cbor.load(b"".join([long_head, *cells, cbor.dump(NO_CELL)]))
        if flat.pop() != NO_CELL:  # they are more or fewer than the layout says
            return None
        if all_numbers(flat):
            return flat, True
        numbers = list(filter(None, flat))  # zero is in range
        good = not numbers or -RAW_LIMIT < min(numbers) <= max(numbers) < RAW_LIMIT
    except (ValueError, TypeError):
        return None
    return (flat, False) if good else None


def _what_is_wrong(row: Row, width: int) -> str:
    try:
        cells = bytes_to_cells(row.cells)
    except (ValueError, TypeError, CodecError) as error:
        return str(error)
    if len(cells) != width:
        return f"{len(cells)} cells where the layout has {width} columns"
    if cells_to_bytes(cells) != row.cells:
        return "its bytes are damaged"
    return "a number does not fit into 31 bits"


def without_empty(
    flat: list[Any], width: int, *, packed: bool = False
) -> tuple[list[int], list[Any]]:
    """Leave out columns that are nowhere available, where that is shorter; never every column."""
    columns = [flat[column::width] for column in range(width)]
    used = [at for at, cells in enumerate(columns) if cells.count(None) < len(cells)] or [0]
    omit = (1 << width) - 1 - sum(1 << column for column in used)
    cells = (width - len(used)) * len(flat) // width
    kept = cells * (ESCAPE_BITS if packed else NULL_BITS) // 8
    if len(used) == width or kept < len(cbor.dump(omit)):
        return list(range(width)), flat
    rows = zip(*(columns[column] for column in used), strict=True)
    return used, [cell for row in rows for cell in row]


def differences(flat: list[Any], width: int, *, whole: bool) -> list[bytes]:
    """Each cell's encoding: the first number of a column absolute, then older minus newer.

    `whole`: every cell is a number.
    """
    if whole:
        steps = map(operator.sub, flat[width:], flat)
        return cbor.dump_numbers([*flat[:width], *steps])
    cells = [b""] * len(flat)
    for column in range(width):
        cells[column::width] = cbor.dump_each(_steps(flat[column::width]))
    return cells


def all_numbers(cells: Sequence[Any]) -> bool:
    """Whether no cell is missing, and none out of range."""
    try:
        msgspec.convert(cells, NUMBERS)
    except msgspec.ValidationError:
        return False
    return True


def _steps(items: Sequence[Any]) -> list[Any]:
    last, steps = 0, []
    for item in items:
        if type(item) is int:
            steps.append(item - last)
            last = item
        else:
            steps.append(item)
    return steps
