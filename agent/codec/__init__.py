"""Rows and messages -> frames, byte by byte as WIRE.md says; decoder.py reads them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.clock import Clock
from agent.codec import cbor
from agent.codec.row_encoder import frame_rows
from agent.codec.wire import (
    LONGEST_S,
    SHORT_SLOTS,
    YOUNG_SLOTS,
    CodecError,
    Style,
    bytes_to_cells,
    cell_of,
    cells_to_bytes,
    interval_item,
    time_of,
)
from agent.model.batch import EVENT, HELLO, SLICE, Batch, Encoded, Message
from agent.model.schema import Field

__all__ = [
    "LONGEST_EVENT",
    "LONGEST_S",
    "SHORT_SLOTS",
    "YOUNG_SLOTS",
    "CodecError",
    "Style",
    "ack_body",
    "bytes_to_cells",
    "cell_of",
    "cells_to_bytes",
    "encode_downlink",
    "event_body",
    "frame",
    "frame_of",
    "hello_body",
    "items_of",
    "padded",
    "private_number",
    "raw_body",
    "slice_body",
    "withdrawn_body",
]

PRIVATE = 256  #: private schema numbers begin here
LAST_OF_FORMAT = 5  #: items of a data frame that version 1 knows
INSTALL_ID = 4  #: key of a hello
LONGEST_EVENT = 24  #: bytes of an event's frame, whatever it tells


def frame(batch: Batch, limit: int, clock: Clock, style: Style | None = None) -> Encoded:
    """The frame of a message, or of as many rows as fit into `limit` bytes.

    Several frames where a single row had to be split by columns, or a schema by fields. Raises
    CodecError for what cannot be encoded at this limit.
    """
    style = style or Style()
    if batch.message is not None:
        return Encoded(_message(batch.message, batch.boot, limit, clock, style), batch)
    encoded = frame_rows(batch, limit, clock, style)
    if not style.fixed_length:
        return encoded
    return replace(encoded, frames=tuple(padded(made, limit) for made in encoded.frames))


def padded(made: bytes, length: int) -> bytes:
    """A data frame filled up to `length` with byte strings of zeros after `omit`."""
    count, items = made[0] & 31, made[1:]
    if count < LAST_OF_FORMAT and len(made) < length:
        count, items = count + 1, items + cbor.dump(0)
    room = length - 1 - len(items)
    if room > 0 and len(_zeros(room)) != room:  # no single string has just this length
        count, items, room = count + 1, items + cbor.dump(b""), room - 1
    if room > 0:
        count, items = count + 1, items + _zeros(room)
    return cbor.array_head(count) + items


def _zeros(length: int) -> bytes:
    """The longest encoded string of zeros that is no longer than `length`."""
    return next(
        text for head in (1, 2, 3) if len(text := cbor.dump(bytes(length - head))) <= length
    )


# -- bodies of messages: the items after the kind, without the time -----------------------------


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


def raw_body(
    record: int, chunk: int, chunks: int, start: int, rate: float, samples: bytes
) -> bytes:
    """A chunk of a raw record; `samples` are float32, little endian (RFC 8746)."""
    return cbor.dump([record, chunk, chunks, start, rate, cbor.Tag(cbor.TYPED_ARRAY, samples)])


def withdrawn_body(number: int, schema: int, interval_s: int, slot: int, count: int) -> bytes:
    """`count` slots from `slot` on, in units of the interval, went under a wrong time."""
    return cbor.dump([number, schema, interval_item(interval_s), slot, count])


def encode_downlink(command: int, token: int, *args: int | bytes | None) -> bytes:
    """A downlink as a server sends it."""
    return cbor.dump([command, token, *args])


def private_number(fields: Iterable[Field]) -> int:
    """The schema number of an unregistered table, from its fields (WIRE.md section 5)."""
    digest = hashlib.sha256(cbor.dump([1, [field.wire() for field in fields]])).digest()
    return PRIVATE + int.from_bytes(digest[:4], "big") % (SHORT_SLOTS - PRIVATE)


# -- frames for people: JSON items ---------------------------------------------------------------


def frame_of(items: Any) -> bytes:
    """A frame from JSON items; "h'00ff'" is a byte string, "undefined" a failed cell.

    Raises ValueError for what JSON cannot say of a frame.
    """
    return cbor.dump(_from_json(items))


def items_of(made: bytes) -> Any:
    """The reverse."""
    return _to_json(cbor.load(made))


def _from_json(item: Any) -> Any:
    if isinstance(item, list):
        return [_from_json(one) for one in item]
    if isinstance(item, dict):
        if not all(map(str.isdecimal, item)):
            raise ValueError("the keys of a map are whole numbers in quotes")
        return {int(key): _from_json(value) for key, value in item.items()}
    if item == "undefined":
        return cbor.UNDEFINED
    if isinstance(item, str) and item.startswith("h'") and item.endswith("'"):
        return bytes.fromhex(item[2:-1])
    return item


def _to_json(item: Any) -> Any:
    if isinstance(item, (list, tuple)):
        return [_to_json(one) for one in item]
    if isinstance(item, Mapping):
        return {str(key): _to_json(value) for key, value in item.items()}
    if isinstance(item, cbor.Tag):
        return _to_json(item.value)
    if item is cbor.UNDEFINED:
        return "undefined"
    return f"h'{item.hex()}'" if isinstance(item, bytes) else item


# -- framing of messages -------------------------------------------------------------------------


def _message(
    message: Message, boot: int, limit: int, clock: Clock, style: Style
) -> tuple[bytes, ...]:
    items = cbor.load(message.body)
    if message.kind == EVENT:
        items.insert(1, time_of(message, 1, boot, clock, style))
        items = _short(items, min(limit, LONGEST_EVENT))
    made = cbor.dump([message.kind, *items])
    if len(made) <= limit:
        return (made,)
    if message.kind == SLICE:
        return tuple(_slices(items, limit))
    if message.kind == HELLO and len(items[0]) > 1:
        return tuple(_hellos(items[0], limit))
    raise CodecError(f"a message of {len(made)} bytes does not fit into {limit}")


def _hellos(items: Mapping[int, Any], limit: int) -> Iterator[bytes]:
    """Several frames, the install id in each. Raises CodecError where one item is too long."""
    named = {key: value for key, value in items.items() if key == INSTALL_ID}
    rest = [(key, value) for key, value in items.items() if key != INSTALL_ID]
    while rest:
        count = len(rest)
        while (
            len(made := cbor.dump([HELLO, dict(sorted({**named, **dict(rest[:count])}.items()))]))
            > limit
        ):
            count -= 1
            if count == 0:
                raise CodecError(f"a hello of {len(made)} bytes does not fit into {limit}")
        yield made
        rest = rest[count:]


def _short(items: list[Any], limit: int) -> list[Any]:
    """An event of at most `limit` bytes: of its figures the last are left out, never the first.

    Only those of a vehicle or vibration are that many. They stand with the most important first,
    the class follows from the peak; what has no date, or goes with its whole slot, can lose some.
    """
    *rest, value = items
    while isinstance(value, list) and len(value) > 1:
        if len(cbor.dump([EVENT, *rest, value])) <= limit:
            break
        value = value[:-1]
    return [*rest, value]


def _slices(items: Sequence[Any], limit: int) -> Iterable[bytes]:
    """A schema's fields in several slices, each with as many as fit. Raises CodecError."""
    schema, wire, total, first, *fields = items
    while fields:
        for count in range(len(fields), 0, -1):
            made = cbor.dump([SLICE, schema, wire, total, first, *fields[:count]])
            if len(made) <= limit:
                break
        else:
            raise CodecError(f"column {first} of schema {schema} needs more than {limit} bytes")
        yield made
        first, fields = first + count, fields[count:]
