"""The receiver: knows only what came over the wire. For the demo, for tests, as an example.

A row's identity is (schema, start), or (schema, boot, tick) while it has no date; repeats are
merged by column; frames of an unknown schema are kept until the schema arrives (WIRE.md 5). A row
that left with an age has no identity: it is taken down and never merged. A withdrawn row is set
aside; one that comes for its slot later stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.codec import CodecError, decoder
from agent.events.chunks import Arrived, Arriving
from agent.model.schema import Cell, Schema

Identity = tuple[int, ...]


@dataclass
class FarSide:
    """Collects frames of one node."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    rows: dict[Identity, dict[str, Cell]] = field(default_factory=dict)
    events: list[decoder.Event] = field(default_factory=list)
    others: list[decoder.Frame] = field(default_factory=list)  #: acks, hellos
    records: dict[int, Arrived] = field(default_factory=dict)  #: whole ones, by their number
    arriving: dict[tuple[int, int], Arriving] = field(default_factory=dict)  #: (record, chunks)
    waiting: list[tuple[bytes, float | None]] = field(default_factory=list)  #: for their schema
    refused: list[str] = field(default_factory=list)  #: why a frame was not understood
    conflicts: list[Identity] = field(default_factory=list)  #: repeated with another value
    aged: list[tuple[int, dict[str, Cell]]] = field(default_factory=list)  #: of no known slot
    withdrawn: dict[Identity, dict[str, Cell]] = field(default_factory=dict)
    highest_withdrawal: int = 0  #: number of the last that was carried out
    repeats: int = 0
    frames: int = 0
    size: int = 0
    row_size: int = 0  #: bytes of frames with rows
    last: decoder.Data | None = None
    last_frame: bytes = b""
    last_at: float | None = None  #: unix time of its arrival

    def take(self, frame: bytes, received: float | None) -> None:
        """One frame and the unix time of its arrival."""
        self.frames += 1
        self.size += len(frame)
        try:
            decoded = decoder.decode(frame, self.schemas.get)
        except CodecError as error:
            self.refused.append(f"{frame.hex()}: {error}")
            return
        if isinstance(decoded, decoder.Data):
            self._data(decoded, frame, received)
        elif isinstance(decoded, decoder.Slice):
            self._learn(decoded)
        elif isinstance(decoded, decoder.Event):
            self.events.append(decoded)
        elif isinstance(decoded, decoder.Raw):
            self._raw(decoded)
        elif isinstance(decoded, decoder.Withdrawn):
            self._withdraw(decoded)
        else:
            self.others.append(decoded)

    def _withdraw(self, said: decoder.Withdrawn) -> None:
        """Rows under a wrong time; one that was carried out has no second effect."""
        if said.number <= self.highest_withdrawal:
            self.repeats += 1
            return
        self.highest_withdrawal = said.number
        starts = said.starts()
        gone = [key for key in self.rows if len(key) == 2 and key[0] == said.schema]
        for key in gone:
            if key[1] in starts:
                self.withdrawn[key] = self.rows.pop(key)

    def _raw(self, part: decoder.Raw) -> None:
        """A chunk; a record that is cut anew (the limit shrank) begins again."""
        key = part.record, part.chunks
        one = self.arriving.setdefault(key, Arriving(part.chunks))
        try:
            self.repeats += one.take(part)
            whole = one.whole()
        except (ValueError, OverflowError) as error:  # overflow: an infinity in its head
            self.refused.append(str(error))
            return
        if whole is not None:
            self.records[part.record] = whole

    def _learn(self, part: decoder.Slice) -> None:
        """A whole schema; what waited for it is read now."""
        if part.first == 0 and len(part.fields) == part.total:
            self.schemas[part.schema] = Schema(part.schema, part.fields)
            kept, self.waiting = self.waiting, []
            self.frames -= len(kept)
            self.size -= sum(len(frame) for frame, _ in kept)
            for frame, received in kept:
                self.take(frame, received)

    def _data(self, data: decoder.Data, frame: bytes, received: float | None) -> None:
        if data.rows is None:
            self.waiting.append((frame, received))
            return
        self.row_size += len(frame)
        self.last, self.last_frame, self.last_at = data, frame, received
        fields = [self.schemas[data.schema].fields[column] for column in data.columns]
        for age, (start, cells) in enumerate(zip(data.starts(received), data.rows, strict=True)):
            told = {one.name: cell for one, cell in zip(fields, cells, strict=True)}
            key = identity(data, age, start)
            if key is None:
                self.aged.append((data.schema, told))
            else:
                self._merge(key, told)

    def _merge(self, key: Identity, told: Mapping[str, Cell]) -> None:
        known = self.rows.setdefault(key, {})
        common = known.keys() & told.keys()
        if any(known[name] != told[name] for name in common):
            self.conflicts.append(key)
        elif common:
            self.repeats += 1
        known.update(told)


def identity(data: decoder.Data, age: int, start: int | None) -> Identity | None:
    """Who the row is that stands `age` places behind the newest; None where nobody can know."""
    if start is not None:
        return data.schema, start
    if isinstance(data.time, tuple):
        boot, tick = data.time
        return data.schema, boot, tick - age
    return None
