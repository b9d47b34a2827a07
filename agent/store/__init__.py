"""The node's memory: one SQLite file with layouts, rows, messages, pending ranges, settings.

From the return of `Store.put` on, kill -9 and a power cut lose nothing. README.md beside this file
says what each table of it holds, what a row costs and who owns what in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.model.batch import ACK, Batch, Delivered, Layout, Message, Row
from agent.model.schema import Schema
from agent.store.counts import Counts, count
from agent.store.database import Damaged, File, Statement
from agent.store.policy import LinkPolicy
from agent.store.reader import Reader
from agent.store.retention import Retention, trim_messages
from agent.store.selection import NEVER, Moment
from agent.store.state import State
from agent.store.statements import Resend
from agent.store.writer import Unit, Writer

__all__ = ["Counts", "LinkPolicy", "Resend", "Store"]

RETAIN_S = 60.0
RETAIN_BATCHES = 20  #: in one look


class Store:
    """Lock and transactions; any thread may call anything.

    `new_event` makes event bodies: (code, value, boot) -> Message.
    """

    def __init__(
        self, path: Path, clock: Clock, *, max_bytes: int = 500_000_000, max_days: float = 800
    ) -> None:
        self.path, self.clock = path, clock
        self.new_event: Callable[[int, int | None, int], Message] | None = None
        self.wakes: list[threading.Event] = []  #: set whenever there is something new to send
        self._lock = threading.Lock()
        self._file = File(path)
        self._state = State(self._file)
        self._retention = Retention(self._state, max_bytes, max_days)
        self._writer = Writer(self._state, clock)
        self._opened_at = 0.0

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
        self._state.load()
        self._writer.apply(Unit(self._state.contents.enter_boot(self.clock.boot_id())))

    def close(self) -> None:
        """Write pending acknowledgements and close; safe to call twice."""
        with self._lock:
            if self._file.is_open:
                self._writer.flush()
            self._file.close()
            self._file.unlock()

    @property
    def boot(self) -> int:
        """The number of this start of the machine."""
        return self._state.contents.boot

    # -- tables and links --------------------------------------------------------------------

    def layout(self, table: str, schema: Schema, interval_s: int) -> Layout:
        """The layout with these columns and this interval: the known one, or a new one."""
        with self._lock:
            known = self._state.contents.find_layout(table, schema, interval_s)
            if known is not None:
                return known
            layout, statements = self._state.new_layout(table, schema, interval_s)
            self._writer.apply(Unit(statements))
            return layout

    def links(self, carries: Mapping[str, LinkPolicy]) -> None:
        """The links of the profile: a new one owes from now on, a removed one nothing."""
        moment = Moment(self.clock.monotonic(), self.clock.utc())
        with self._lock:
            try:
                statements = self._state.set_links(carries, moment)
            except Damaged as error:
                self._writer.begin_anew(error)
                statements = self._state.set_links(carries, moment)
            self._writer.apply(Unit(statements))

    def set_fill(self, link: str, fill_s: float) -> None:
        """Change how long live rows wait for company on a link."""
        with self._lock:
            self._state.outboxes[link].change(fill_s=fill_s)
        self._wake()

    def set_packed(self, link: str, packed: bool) -> None:
        """Change whether a link's frames are packed."""
        with self._lock:
            self._state.outboxes[link].change(packed=packed)
        self._wake()

    def newest_start(self, table: str) -> int | None:
        """Start of the newest dated slot of a table, unix seconds."""
        with self._lock:
            found = self._state.contents.table(table)
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
            table, values, statements = self._state.contents.new_row(layout, row)
            messages = [self._state.new_message(event, None, statements) for event in events]
            if settings:
                statements += self._state.ledger.set(settings)
            self._writer.apply(Unit(statements, table, values, messages))
        self._wake()
        return int(values[0])

    def post(self, message: Message, link: str | None = None) -> int:
        """Keep a message, for one link or for all. Returns its number."""
        with self._lock:
            statements: list[Statement] = []
            made = self._state.new_message(message, link, statements)
            self._writer.apply(Unit(statements, messages=[made]))
        self._wake()
        return made.seq

    def raws(self) -> list[tuple[int, bytes]]:
        """Number and body of every message that stands for a raw record."""
        with self._lock:
            return self._writer.ask(self._state.contents.raws) or []

    def owes(self, seq: int) -> bool:
        """Whether a message is pending on any link."""
        with self._lock:
            return self._state.owes(seq)

    def forget(self, seqs: Sequence[int]) -> None:
        """Raw records are no more; those that were pending are counted."""
        with self._lock:
            if seqs:
                self._writer.apply(Unit(self._state.forget(seqs)))

    def set_setting(self, key: str, value: bytes) -> None:
        """Keep a value under a name."""
        with self._lock:
            self._writer.apply(Unit(self._state.ledger.set({key: value})))

    def setting(self, key: str) -> bytes | None:
        """The value kept under a name."""
        with self._lock:
            return self._state.ledger.settings.get(key)

    # -- out ---------------------------------------------------------------------------------

    def next(self, link: str, *, backfill: bool = True) -> Batch | None:
        """What the link is to send now: one message, or candidate rows; None for nothing.

        Asked again with nothing delivered, it gives the same or newer. Without `backfill` it does
        not look for that, nor for what goes after it: a link may have no airtime for it for hours.
        """
        self._date_if_possible()
        with self._lock:
            outbox, moment = self._state.outboxes[link], self._moment(link)
            return self._writer.ask(lambda: outbox.next(moment, backfill=backfill))

    def following(self, link: str, delivered: Delivered) -> Batch | None:
        """What `next` is likely to give once `delivered`, back-fill on its way, has arrived."""
        with self._lock:
            outbox, moment = self._state.outboxes[link], self._moment(link)
            return self._writer.ask(lambda: outbox.following(delivered, moment))

    def when(self, link: str, *, backfill: bool = True) -> float:
        """Seconds until `next` may have something, if nothing new comes; may be infinite."""
        self._date_if_possible()
        with self._lock:
            outbox, moment = self._state.outboxes[link], self._moment(link)
            due_s = self._writer.ask(lambda: outbox.when(moment, backfill=backfill))
            return RETAIN_S if due_s is None else due_s

    def delivered(self, link: str, what: Delivered) -> None:
        """This is pending on the link no longer. Written with the next row, or after 10 s."""
        with self._lock:
            self._state.outboxes[link].delivered(what)

    def set_aside(self, batch: Batch, link: str) -> None:
        """What can never be delivered is counted: the message, or the newest row."""
        with self._lock:
            self._state.ledger.count("set_aside", 1)
            self._state.outboxes[link].set_aside(batch)

    def _moment(self, link: str) -> Moment:
        now, utc = self.clock.monotonic(), self.clock.utc()
        until = self._opened_at + self._state.outboxes[link].policy.trust_wait_s
        return Moment(now, utc, until if utc is None and now < until else -NEVER)

    # -- downlinks ---------------------------------------------------------------------------

    def result_of(self, link: str, token: int) -> int | None:
        """The result of a downlink that was carried out before, among the last 100."""
        with self._lock:
            return self._state.ledger.tokens.get(link, {}).get(token)

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
            state, statements = self._state, list[Statement]()
            made = [state.new_message(ack, link, statements)]
            if token not in state.ledger.tokens.get(link, {}):
                statements += state.ledger.remember(link, token, result)
                made += [state.new_message(one, link, statements) for one in messages]
                statements += state.ledger.set(settings or {})
                if resend is not None:
                    self._resend(link, resend)
            self._writer.apply(Unit(statements, messages=made))
        self._wake()

    def resend(self, link: str, wanted: Resend) -> int:
        """Let kept rows go once more. Returns how many."""
        with self._lock:
            count = self._resend(link, wanted)
        self._wake()
        return count

    def _resend(self, link: str, wanted: Resend) -> int:
        islands = self._writer.ask(lambda: self._state.contents.islands(wanted)) or []
        for table, first, last in islands:
            self._state.outboxes[link].take_range(table.id, first, last)
        return sum(last - first + 1 for _, first, last in islands)

    # -- time --------------------------------------------------------------------------------

    def date(self) -> int:
        """Date rows and messages of this boot once the clock is trusted. Returns how many rows."""
        offset = self.clock.offset()
        if offset is None:
            return 0
        with self._lock:
            if not self._state.contents.undated or not self._writer.retry():
                return 0
            rows = self._writer.ask(lambda: self._date(round(offset * 1000))) or 0
        self._wake()
        return rows

    def _date(self, offset_ms: int) -> int:
        rows, statements = self._state.contents.dating(offset_ms)
        if not self._writer.attempt(statements):
            return 0
        self._state.contents.dated()
        return rows

    def _date_if_possible(self) -> None:
        if self._state.contents.undated and self.clock.utc() is not None:
            self.date()

    # -- housekeeping ------------------------------------------------------------------------

    def flush(self) -> None:
        """Write pending acknowledgements, and what waited for the disk; call every 10 s or so."""
        with self._lock:
            self._writer.flush()
        self._tell()

    def retain(self) -> float:
        """Drop what is too much or too old. Returns the seconds until the next look."""
        more = True
        for _ in range(RETAIN_BATCHES):
            with self._lock:
                more = self._writer.ask(self._retain) or False
            if not more:
                break
        with self._lock:
            self._writer.ask(self._file.keep_reserve)
        self._tell()
        return 0.0 if more else RETAIN_S

    def _retain(self) -> bool:
        """Drop a batch. Whether there may be more to drop."""
        statements = trim_messages(self._state)
        if statements:
            self._writer.attempt(statements)
        drop = self._retention.due(self.clock.monotonic(), self.clock.utc())
        if drop is not None:
            self._writer.drop(drop)
        return drop is not None

    def _tell(self) -> None:
        """Post the events on the store itself."""
        if self.new_event is None:
            return
        with self._lock:
            news = self._writer.news()
        for code, value in news:
            self.post(self.new_event(code, value, self.boot))

    def _wake(self) -> None:
        for wake in self.wakes:
            if not wake.is_set():  # else whoever clears it will look after that
                wake.set()

    def counts(self) -> Counts:
        """The store in numbers, without reading it."""
        size = self._file.disk_bytes()
        with self._lock:
            return count(self._state, size)

    def rows(
        self, table: str, first_start: int | None = None, last_start: int | None = None
    ) -> Iterator[tuple[Layout, Row]]:
        """Rows for export, read on a connection of their own: see `Reader.rows`."""
        return Reader(self.path).rows(table, first_start, last_start)
