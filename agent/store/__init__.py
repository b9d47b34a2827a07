"""The node's memory: one SQLite file with layouts, rows, messages, boots, owed ranges, settings.

From the return of `Store.put` on, kill -9 and a power cut lose nothing. One connection, one lock;
any thread may call anything. DESIGN: WAL, synchronous FULL, one transaction per row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from agent.clock import Clock
from agent.model.batch import ACK, Batch, Delivered, Layout, Message, Row, Rows
from agent.model.schema import Schema
from agent.store import statements as lines
from agent.store.counts import Counts, count
from agent.store.database import SEQ_BITS, Damaged, File, Refused, Statement
from agent.store.lanes import LinkPolicy
from agent.store.owed import Owed
from agent.store.picker import Pick
from agent.store.reader import Reader
from agent.store.retention import DAY_S, Retention
from agent.store.statements import Resend
from agent.store.stock import Stock
from agent.store.writer import Unit, Writer

__all__ = ["Counts", "LinkPolicy", "Resend", "Store"]

Answer = TypeVar("Answer")

DATA_LOST = 8  # WIRE.md section 4, event code
RETAIN_S = 60.0
RETAIN_BATCHES = 20  #: in one look

INSERT_ROW = "INSERT INTO row (id, layout, boot, mono_ms, start, cells) VALUES (?, ?, ?, ?, ?, ?)"
LOSE_SLOT = "UPDATE row SET start = NULL, lost = 1 WHERE tbl = ? AND start = ?"


class Store:
    """See the module. `new_event` makes event bodies: (code, value, boot) -> Message."""

    def __init__(
        self, path: Path, clock: Clock, *, max_bytes: int = 500_000_000, max_days: float = 800
    ) -> None:
        self.path, self.clock = path, clock
        self.new_event: Callable[[int, int | None, int], Message] | None = None
        self.wakes: list[threading.Event] = []  #: set whenever there is something new to send
        self._lock = threading.Lock()
        self._file = File(path)
        self._stock = Stock(self._file)
        self._retention = Retention(self._stock, max_bytes, max_days)
        self._writer = Writer(self._stock, clock)
        self._opened_at = 0.0
        self._told_at: float | None = None  # monotonic time of the last event on lost rows

    def open(self) -> None:
        """Open or create the file, enter this boot. Raises OSError, also where another process
        has it open."""
        with self._lock:
            self._opened_at = self.clock.monotonic()
            self._file.lock()
            try:
                self._open()
            except Damaged as error:
                if not self._writer.begin_anew(error):
                    raise OSError(f"{self.path}: {error}") from error
                self._open()

    def _open(self) -> None:
        if not self._file.is_open:
            self._file.open()
        self._stock.load()
        self._writer.apply(Unit(self._stock.enter_boot(self.clock.boot_id())))

    def close(self) -> None:
        """Write pending acknowledgements and close; safe to call twice."""
        with self._lock:
            if self._file.is_open:
                self._flush()
            self._file.close()
            self._file.unlock()

    @property
    def boot(self) -> int:
        """The number of this start of the machine."""
        return self._stock.boot

    def _flush(self) -> None:
        if self._writer.retry() and self._stock.pending():
            self._writer.attempt(())

    # -- tables and links --------------------------------------------------------------------

    def layout(self, table: str, schema: Schema, interval_s: int) -> Layout:
        """The layout with these columns and this interval: the known one, or a new one."""
        with self._lock:
            known = self._stock.find_layout(table, schema, interval_s)
            if known is not None:
                return known
            layout, statements = self._stock.new_layout(table, schema, interval_s)
            self._writer.apply(Unit(statements))
            return layout

    def links(self, carries: Mapping[str, LinkPolicy]) -> None:
        """The links of the profile: a new one owes from now on, a removed one nothing."""
        now, utc = self.clock.monotonic(), self.clock.utc()
        with self._lock:
            try:
                statements = self._stock.set_links(carries, now, utc)
            except Damaged as error:
                self._writer.begin_anew(error)
                statements = self._stock.set_links(carries, now, utc)
            self._writer.apply(Unit(statements))

    def set_fill(self, link: str, fill_s: float) -> None:
        """Change how long live rows wait for company on a link."""
        self._set_policy(link, fill_s=fill_s)

    def set_packed(self, link: str, packed: bool) -> None:
        """Change whether a link's frames are packed."""
        self._set_policy(link, packed=packed)

    def _set_policy(self, link: str, **changes: float) -> None:
        with self._lock:
            state = self._stock.links[link]
            state.policy = replace(state.policy, **changes)  # type: ignore[arg-type]
        self._wake()

    def newest_start(self, table: str) -> int | None:
        """Start of the newest dated slot of a table, unix seconds."""
        with self._lock:
            found = self._stock.table(table)
            return found.newest_start if found else None

    # -- in ----------------------------------------------------------------------------------

    def put(
        self,
        layout: Layout,
        row: Row,
        events: Sequence[Message] = (),
        settings: Mapping[str, bytes] | None = None,
    ) -> int:
        """Keep a row, its events and the state that goes with it. On disk on return.

        Returns the row's number. While the disk takes nothing the row waits in memory.
        """
        with self._lock:
            stock = self._stock
            table = stock.owners[layout.id]
            statements: list[Statement] = []
            start = row.start
            if start is None:
                stock.undated = True
            elif table.newest_start is None or start > table.newest_start:
                table.newest_start = start
            else:  # the later row keeps the slot
                statements.append((LOSE_SLOT, (table.id, start)))
            table.last = seq = table.last + 1
            row_id = table.id << SEQ_BITS | seq
            values = (row_id, layout.id, row.boot, row.mono_ms, start, row.cells)
            statements.append((INSERT_ROW, values))
            messages = [self._stock.new_message(event, None, statements) for event in events]
            if settings:
                self._set(settings, statements)
            self._writer.apply(Unit(statements, table, (seq, *values[1:]), messages))
        self._wake()
        return seq

    def post(self, message: Message, link: str | None = None) -> int:
        """Keep a message, for one link or for all. Returns its number."""
        with self._lock:
            statements: list[Statement] = []
            made = self._stock.new_message(message, link, statements)
            self._writer.apply(Unit(statements, messages=[made]))
        self._wake()
        return made.seq

    def raws(self) -> list[tuple[int, bytes]]:
        """Number and body of every message that stands for a raw record."""
        with self._lock:
            return self._read(self._stock.raws) or []

    def owes(self, seq: int) -> bool:
        """Whether any link still owes a message."""
        with self._lock:
            return self._stock.owes(seq)

    def forget(self, seqs: Sequence[int]) -> None:
        """Raw records are no more; those that were owed are counted."""
        if not seqs:
            return
        with self._lock:
            self._writer.apply(Unit(self._stock.forget(seqs)))

    def set_setting(self, key: str, value: bytes) -> None:
        """Keep a value under a name."""
        with self._lock:
            statements: list[Statement] = []
            self._set({key: value}, statements)
            self._writer.apply(Unit(statements))

    def setting(self, key: str) -> bytes | None:
        """The value kept under a name."""
        with self._lock:
            return self._stock.settings.get(key)

    # -- out ---------------------------------------------------------------------------------

    def next(self, link: str, *, backfill: bool = True) -> Batch | None:
        """What the link is to send now: one message, or candidate rows; None for nothing.

        Asked again with nothing delivered, it gives the same or newer. Without `backfill` it does
        not look for that, nor for what goes after it: a link may have no airtime for it for hours.
        """
        return self._look(link, backfill)[0]

    def following(self, link: str, delivered: Delivered) -> Batch | None:
        """What `next` is likely to give once `delivered`, back-fill on its way, is acknowledged."""
        now, utc = self.clock.monotonic(), self.clock.utc()
        with self._lock:
            pick = Pick(self._stock, self._stock.links[link], now, utc)
            pick.hold(self._opened_at + pick.link.policy.trust_wait_s)
            return self._read(lambda: pick.following(delivered))

    def when(self, link: str, *, backfill: bool = True) -> float:
        """Seconds until `next` may have something, if nothing new comes; may be infinite."""
        batch, due = self._look(link, backfill)
        return 0.0 if batch else max(due - self.clock.monotonic(), 0.0)

    def delivered(self, link: str, what: Delivered) -> None:
        """The link owes no longer what is delivered."""
        with self._lock:
            state, batch = self._stock.links[link], what.batch
            if batch.message is not None:
                if what.cut is not None:
                    self._stock.sent_chunk(state, batch.message.seq, what.cut)
                else:
                    self._stock.settle_message(state, batch.message.seq)
                return
            assert batch.layout is not None, "a batch has a message or rows"
            table = self._stock.owners[batch.layout.id]
            state.turn = table.id
            if table.id in state.owed:
                state.owed[table.id].subtract_each(Rows.of(what.rows).seqs)
            full = len(what.rows) < len(batch.rows)
            if batch.priority == "live" and full:
                state.fits[batch.layout.id] = len(what.rows)
            elif batch.priority == "live":
                state.refit(batch.layout.id, what.fits)
            elif batch.priority == "backfill":
                state.backfill_rows = len(what.rows) * 33 // 32 + 4 if full else state.most

    def set_aside(self, batch: Batch, link: str | None = None) -> None:
        """What cannot be encoded is counted and owed no longer: the message, or the newest row."""
        with self._lock:
            states = [self._stock.links[link]] if link else list(self._stock.links.values())
            self._stock.count("set_aside", 1)
            for state in states:
                if batch.message is not None:
                    self._stock.settle_message(state, batch.message.seq)
                elif batch.layout is not None:
                    owed = state.owed.get(self._stock.owners[batch.layout.id].id, Owed())
                    owed.subtract(batch.rows[0].seq, batch.rows[0].seq)

    def _look(self, link: str, backfill: bool) -> tuple[Batch | None, float]:
        now, utc = self.clock.monotonic(), self.clock.utc()
        if utc is not None and self._stock.undated:
            self.date()
        with self._lock:
            state = self._stock.links[link]
            pick = Pick(self._stock, state, now, utc, backfill=backfill)
            pick.hold(self._opened_at + state.policy.trust_wait_s)
            return self._read(lambda: (pick.batch(), pick.due)) or (None, now + RETAIN_S)

    def _read(self, ask: Callable[[], Answer]) -> Answer | None:
        """An answer out of the file, None where it gives none."""
        try:
            return ask()
        except Refused as error:
            self._writer.say(error)
        except Damaged as error:
            self._writer.begin_anew(error)
        return None

    # -- downlinks ---------------------------------------------------------------------------

    def result_of(self, link: str, token: int) -> int | None:
        """The result of a downlink that was carried out before, among the last 100."""
        with self._lock:
            return self._stock.tokens.get(link, {}).get(token)

    def command(
        self,
        link: str,
        token: int,
        result: int,
        ack_body: bytes,
        settings: Mapping[str, bytes] | None = None,
        messages: Sequence[Message] = (),
        resend: Resend | None = None,
    ) -> None:
        """Effect, result and owed acknowledgement of a downlink in one transaction.

        A token that is known already has no second effect: only the acknowledgement is owed.
        Acknowledgement and messages go to the asking link only.
        """
        now, offset = self.clock.monotonic(), self.clock.offset()
        start = None if offset is None else int(now + offset)
        ack = Message(0, ACK, self.boot, round(now * 1000), start, ack_body)
        with self._lock:
            statements: list[Statement] = []
            made = [self._stock.new_message(ack, link, statements)]
            if token not in self._stock.tokens.get(link, {}):
                statements += self._stock.remember(link, token, result)
                made += [self._stock.new_message(one, link, statements) for one in messages]
                self._set(settings or {}, statements)
                if resend is not None:
                    self._owe_again(link, resend)
            self._writer.apply(Unit(statements, messages=made))
        self._wake()

    def resend(self, link: str, wanted: Resend) -> int:
        """Owe kept rows once more. Returns how many."""
        with self._lock:
            count = self._owe_again(link, wanted)
        self._wake()
        return count

    def _owe_again(self, link: str, wanted: Resend) -> int:
        """Add the rows that exist."""
        owed = self._stock.links[link].owed
        islands = self._read(lambda: self._stock.islands(wanted)) or []
        for table, first, last in islands:
            owed.setdefault(table.id, Owed()).add(first, last)
        return sum(last - first + 1 for _, first, last in islands)

    # -- time --------------------------------------------------------------------------------

    def date(self) -> int:
        """Date rows and messages of this boot once the clock is trusted. Returns how many rows."""
        offset = self.clock.offset()
        if offset is None:
            return 0
        with self._lock:
            if not self._stock.undated or not self._writer.retry():
                return 0
            rows = self._read(lambda: self._date(round(offset * 1000))) or 0
        self._wake()
        return rows

    def _date(self, offset_ms: int) -> int:
        rows, statements = self._stock.dating(offset_ms)
        if not self._writer.attempt(statements):
            return 0
        self._stock.dated()
        return rows

    # -- housekeeping ------------------------------------------------------------------------

    def flush(self) -> None:
        """Write pending acknowledgements, and what waited for the disk; call every 10 s or so."""
        with self._lock:
            self._flush()
        self._tell()

    def retain(self) -> float:
        """Drop what is too much or too old. Returns the seconds until the next look."""
        now, utc = self.clock.monotonic(), self.clock.utc()
        more = True
        for _ in range(RETAIN_BATCHES):
            with self._lock:
                more = self._read(lambda: self._retain(now, utc)) or False
            if not more:
                break
        with self._lock:
            self._read(self._file.keep_reserve)
        self._tell()
        return 0.0 if more else RETAIN_S

    def _retain(self, now: float, utc: float | None) -> bool:
        """Drop a batch. Whether there may be more to drop."""
        statements = self._stock.trim_messages()
        if statements:
            self._writer.attempt(statements)
        drop = self._retention.due(now, utc)
        if drop is not None:
            self._writer.drop(drop)
        return drop is not None

    def _tell(self) -> None:
        """Post the events on the store itself; on lost rows one a day."""
        if self.new_event is None:
            return
        now = self.clock.monotonic()
        with self._lock:
            news, self._writer.news = self._writer.news, []
            lost = self._stock.tally.get("lost", 0) - self._stock.tally.get("told", 0)
            if lost and (self._told_at is None or now >= self._told_at + DAY_S):
                self._told_at = now
                self._stock.count("told", lost)
                news.append((DATA_LOST, lost))
        for code, value in news:
            self.post(self.new_event(code, value, self.boot))

    def _set(self, settings: Mapping[str, bytes], statements: list[Statement]) -> None:
        self._stock.settings.update(settings)
        statements += [lines.setting(*item) for item in settings.items()]

    def _wake(self) -> None:
        for wake in self.wakes:
            if not wake.is_set():  # else whoever clears it will look after that
                wake.set()

    def counts(self) -> Counts:
        """The store in numbers, without reading it."""
        size = self._file.disk_bytes()
        with self._lock:
            return count(self._stock, size)

    def rows(
        self, table: str, first_start: int | None = None, last_start: int | None = None
    ) -> Iterator[tuple[Layout, Row]]:
        """Rows for export, read on a connection of their own: see `Reader.rows`."""
        return Reader(self.path).rows(table, first_start, last_start)
