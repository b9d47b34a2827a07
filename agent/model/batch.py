"""What passes between sampler, store, codec and links: layouts, rows, messages, batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from agent.model.schema import Schema

MOST_HAIR_MS, HAIR_MS_PER_S = 1000, 250  #: the latter of an interval; see Layout.slot_of
EVENT, SLICE, ACK, HELLO, RAW, WITHDRAWN = -1, -2, -3, -4, -5, -6


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns and interval of a table at one time; written once, never edited."""

    id: int
    table: str
    schema: Schema
    interval_s: int

    def slot_of(self, unix_ms: int) -> int:
        """The slot of a row that is dated afterwards, as the unix second at which it begins.

        Rows come at the beginning of a slot, and clocks are slewed: one that is a hair before it
        by the clock of today is in it. Else it would take the slot of the row before.
        """
        hair_ms = min(MOST_HAIR_MS, HAIR_MS_PER_S * self.interval_s)
        return (unix_ms + hair_ms) // 1000 // self.interval_s * self.interval_s


class Row(NamedTuple):
    """One measurement round. `start` is the unix second its slot began, None while unknown."""

    seq: int  #: 0 until the store has numbered it
    boot: int
    mono_ms: int  #: monotonic milliseconds at which the row was due
    start: int | None
    cells: bytes  #: CBOR array of integers and missing reasons (codec.cells_to_bytes)


class Rows(Sequence[Row]):
    """Rows kept by columns, as many are read and encoded at once.

    A Row is made where one is looked at.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        self.columns = columns

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        """The same rows."""
        return rows if isinstance(rows, Rows) else cls(tuple(zip(*rows, strict=True)) or NO_ROWS)

    @property
    def seqs(self) -> Sequence[int]:
        """Each row's number."""
        return self.columns[0]

    @property
    def cells(self) -> Sequence[bytes]:
        """Each row's cells."""
        return self.columns[4]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Row]:
        return map(Row, *self.columns)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Rows: ...
    def __getitem__(self, at: int | slice) -> Row | Rows:
        found: list[Any] = [column[at] for column in self.columns]
        return Rows(found) if isinstance(at, slice) else Row(*found)


NO_ROWS: Sequence[Sequence[Any]] = ((), (), (), (), ())


class Message(NamedTuple):
    """Anything that goes out and is no row. Its time is filled in when it is encoded."""

    seq: int  #: 0 until the store has numbered it
    kind: int  #: WIRE's negative number: EVENT, SLICE, ACK, HELLO, RAW, WITHDRAWN
    boot: int
    mono_ms: int
    start: int | None  #: unix second, None while unknown
    body: bytes  #: CBOR array of the frame's items after the kind, without the time


class Cut(NamedTuple):
    """One chunk of a raw record, as a link cuts it."""

    record: int  #: its number
    size: int  #: numbers (float32) in each chunk but the last
    chunk: int  #: from 0
    chunks: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What the store hands out for one frame: one message, or candidate rows."""

    priority: str  #: "alarm" (an event: goes before all), "message", "live", "backfill"
    message: Message | None = None
    layout: Layout | None = None
    #: newest first, equally spaced by step x interval, one boot if undated
    rows: Sequence[Row] = ()
    step: int = 1  #: WIRE's m, a power of two
    packed: bool = False
    boot: int = 0  #: the running boot: rows of an earlier one have no age
    in_order: bool = False  #: where not all rows fit, the oldest go first
    cut: Cut | None = None  #: the next chunk of the raw record that this link has begun

    @property
    def kind(self) -> int:
        """WIRE's frame kind: 0 for rows."""
        return self.message.kind if self.message else 0


@dataclass(frozen=True, slots=True)
class Encoded:
    """Frames ready to leave, and what of the batch is really in them."""

    frames: Sequence[bytes]  #: one; several where a single row had to be split by columns
    batch: Batch
    rows: Sequence[Row] = ()  #: the rows that are whole in these frames
    cut: Cut | None = None  #: the chunk of a raw record that is in them
    limit: int = 0  #: bytes one frame might have had; 0: not known


@dataclass(frozen=True, slots=True)
class Delivered:
    """What of a batch the far side has, as its link says."""

    batch: Batch
    rows: Sequence[Row] = ()  #: of the batch; a message is there whole
    cut: Cut | None = None  #: the chunk of a raw record that is there
    bodies: Sequence[bytes] = ()  #: as they went: frames, or whatever the link writes
    fits: int = 0  #: so many rows would have filled one body; 0: not known

    @classmethod
    def of(cls, encoded: Encoded) -> Delivered:
        """What is there once all its frames have been taken."""
        frames, rows = encoded.frames, encoded.rows
        fits = len(rows) * encoded.limit // max(len(frames[0]), 1)
        return cls(encoded.batch, rows, encoded.cut, frames, fits)
