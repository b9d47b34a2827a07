"""A store with one table, and the acts that its tests are made of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.clock import VirtualClock
from agent.model.batch import EVENT, Batch, Delivered, Layout, Message, Row
from agent.model.schema import Field, Schema
from agent.store import LinkPolicy, Store

FIELDS = (Field(103, -2, 1, 2000, 8, 2, "temp", "Cel"), Field(104, -1, 1, 450, 6, 1, "hum", "%"))
AIR, DECK = Schema(1, FIELDS), Schema(300, FIELDS[:1])
CELLS = bytes.fromhex("821908611901d9")  # [2145, 473]


class Kit:
    """One store under a virtual clock."""

    def __init__(self, path: Path, clock: VirtualClock, **options: Any) -> None:
        self.clock = clock
        self.store = Store(path, clock, **options)
        self.store.open()
        self.store.new_event = self.event
        self.layout = self.store.layout("air", AIR, 60)

    def event(self, code: int, value: int | None, boot: int) -> Message:
        return self.message(bytes([code, value or 0]) if (value or 0) < 256 else b"much")

    def message(self, body: bytes = b"", kind: int = EVENT) -> Message:
        now, utc = self.clock.monotonic(), self.clock.utc()
        return Message(
            0, kind, self.store.boot, round(now * 1000), None if utc is None else int(utc), body
        )

    def utc(self) -> float:
        """Of a clock that is set."""
        utc = self.clock.utc()
        assert utc is not None
        return utc

    def row(self, layout: Layout | None = None, cells: bytes = CELLS) -> Row:
        """A row that is due now."""
        interval_s = (layout or self.layout).interval_s
        now, utc = self.clock.monotonic(), self.clock.utc()
        start = None if utc is None else int(utc // interval_s) * interval_s
        return Row(0, self.store.boot, round(now * 1000), start, cells)

    def put(self, count: int = 1, layout: Layout | None = None) -> list[int]:
        """Rows, one interval apart; the first is due now, the clock stands at the last."""
        layout = layout or self.layout
        seqs = []
        for number in range(count):
            if number:
                self.clock.sleep(layout.interval_s)
            seqs.append(self.store.put(layout, self.row(layout)))
        return seqs

    def later(self, seconds: float = 60) -> None:
        self.clock.sleep(seconds)

    def send(self, link: str = "city", most: int = 10_000) -> list[int]:
        """What one frame carries, acknowledged: sequence numbers, newest first."""
        batch = self.store.link(link).next()
        return [] if batch is None else self.ack(batch, link, most)

    def due(self, link: str = "city") -> Batch:
        """What is to go now; there is something."""
        batch = self.store.link(link).next()
        assert batch is not None
        return batch

    def ack(self, batch: Batch, link: str = "city", most: int = 10_000) -> list[int]:
        rows: Sequence[Row] = batch.rows[-most:] if batch.in_order else batch.rows[:most]
        self.store.link(link).delivered(Delivered(batch, rows))
        return [row.seq for row in rows] or [batch.message.seq if batch.message else 0]

    def drain(self, link: str = "city", most: int = 10_000) -> list[list[int]]:
        """All that can be sent now, frame by frame; only the frames with rows are returned."""
        frames = []
        while (batch := self.store.link(link).next()) is not None:
            sent = self.ack(batch, link, most)
            if batch.layout is not None:
                frames.append(sent)
        return frames

    def kept(self, table: str = "air") -> list[int]:
        """Sequence numbers of the rows on disk."""
        return [row.seq for _, row in self.store.rows(table)]

    def crash(self, clock: VirtualClock | None = None, **options: float) -> "Kit":
        """What the next process finds: this one ends without another word."""
        self.store._file.close()
        return Kit(self.store.path, clock or self.clock, **options)


@contextmanager
def kit(tmp_path: Path, clock: VirtualClock, **options: float) -> Iterator[Kit]:
    """A store with the link `city` that carries everything."""
    made = Kit(tmp_path / "store.db", clock, **options)
    made.store.links({"city": LinkPolicy()})
    yield made
    made.store.close()
