"""A raw record on the wire: cut into frames of kind -5, and put together again (WIRE.md 4).

The chunks' typed arrays, one after the other, are one array of float32. It begins with a head:

    [n, fraction, schema, column, axis, axes, missing, samples, missing, samples, …]

n: how many numbers the head has, itself included; fraction: of the second in which the first
sample was taken (`start` of the frame is the whole second; 0: the clock was not trusted); schema,
column: where the trigger's event belongs; axis: which one it listened to, from 0; axes: how many
numbers a sample has; then for each segment how many samples are missing before it and how many it
has (whole numbers below 2^24 are exact in float32). After the head come the samples: sample after
sample, in each axis after axis, segment after segment. `rate` is samples per second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent import codec
from agent.codec import cbor
from agent.codec.decoder import Raw
from agent.events.records import FLOAT_BYTES, Head, Record, Segment, bytes_of, floats_of
from agent.model.batch import RAW

FIXED = 6  #: numbers of the head before its segments
LARGEST = 2**24 - 1  #: whole numbers up to here are exact


def content(record: Record, start: float | None) -> bytes:
    """All that goes over the wire, head first. `start`: unix seconds of the first sample."""
    head = record.head
    segments = [number for one in head.segments for number in (one.missing, one.samples)]
    numbers = [
        float(FIXED + len(segments)),
        (start or 0.0) % 1,
        head.schema,
        head.column,
        head.axis,
        len(head.axes),
        *(min(number, LARGEST) for number in segments),
    ]
    return bytes_of(numbers) + record.data


def floats_per_chunk(head: Head, start: float | None, data: bytes, limit: int) -> int:
    """How many numbers of `data` a frame of `limit` bytes can hold; below 1: it is too short."""
    most = count(data, 1)  # no chunk number is longer
    bare = codec.raw_body(head.number, most, most, whole(start), head.rate_hz, bytes(limit))
    return (2 * limit - len(cbor.dump(RAW)) - len(bare)) // FLOAT_BYTES


def whole(start: float | None) -> int:
    """A frame's `start`."""
    return 0 if start is None else math.floor(start)


def body(head: Head, start: float | None, data: bytes, size: int, chunk: int) -> bytes:
    """The message body of one chunk of `size` numbers of `data`."""
    part = data[chunk * size * FLOAT_BYTES : (chunk + 1) * size * FLOAT_BYTES]
    return codec.raw_body(head.number, chunk, count(data, size), whole(start), head.rate_hz, part)


def count(data: bytes, size: int) -> int:
    """How many chunks of `size` numbers `data` makes."""
    return -(-len(data) // (size * FLOAT_BYTES))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record as the far side knows it."""

    record: int  #: its number on the node
    start: float | None  #: unix seconds of the first sample
    rate_hz: float
    schema: int
    column: int
    axis: int  #: the trigger listened to
    axes: int
    segments: Sequence[Segment]
    data: bytes  #: float32, little endian: as in the node's file


@dataclass
class Arriving:
    """Chunks of one record, in any order, perhaps twice."""

    chunks: int
    parts: dict[int, Raw] = field(default_factory=dict)

    def take(self, part: Raw) -> bool:
        """One more. Whether it was there already. Raises ValueError for one beyond the last."""
        if part.chunks != self.chunks or part.chunk >= self.chunks:
            raise ValueError(f"chunk {part.chunk} of {part.chunks} where there are {self.chunks}")
        known = part.chunk in self.parts
        self.parts[part.chunk] = part
        return known

    def whole(self) -> Arrived | None:
        """The record if all is there. Raises ValueError for a head that cannot be."""
        if len(self.parts) < self.chunks:
            return None
        parts = [self.parts[number] for number in range(self.chunks)]
        start = max(part.start for part in parts)  # dated while it went
        return arrived(parts[0], start, b"".join(part.data for part in parts))


def arrived(first: Raw, second: int, data: bytes) -> Arrived:
    """A record out of all its bytes; `second` in which it began, or 0. Raises ValueError."""
    if len(data) % FLOAT_BYTES or len(data) < FIXED * FLOAT_BYTES:
        raise ValueError(f"record {first.record}: {len(data)} bytes are no record")
    fraction = floats_of(data[FLOAT_BYTES : 2 * FLOAT_BYTES])[0]
    length = floats_of(data[:FLOAT_BYTES])[0]
    if not (length >= FIXED and length % 2 == 0 and length * FLOAT_BYTES <= len(data)):
        raise ValueError(f"record {first.record}: a head of {length:g} numbers")
    end = int(length) * FLOAT_BYTES
    _, _, schema, column, axis, axes, *rest = map(int, floats_of(data[:end]))
    segments = [Segment(*pair) for pair in zip(rest[::2], rest[1::2], strict=True)]
    if len(data) - end != sum(one.samples for one in segments) * axes * FLOAT_BYTES:
        raise ValueError(f"record {first.record}: its samples are not as many as its head says")
    start = second + fraction if second else None
    return Arrived(
        first.record, start, first.rate, schema, column, axis, axes, segments, data[end:]
    )
