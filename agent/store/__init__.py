"""The node's memory: one SQLite file with layouts, rows, messages, pending ranges, settings.

From the return of `Store.put` on, kill -9 and a power cut lose nothing. README.md beside this file
says what each table of it holds, what a row costs and who owns what in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.model.batch import Layout, Message, Row
from agent.model.schema import Schema
from agent.store import rescue
from agent.store.access import Access
from agent.store.counts import Counts, count
from agent.store.database import Damaged, File, Statement
from agent.store.link_store import LinkStore
from agent.store.policy import LinkPolicy
from agent.store.reader import Reader
from agent.store.retention import Retention, trim_messages
from agent.store.selection import Moment
from agent.store.standing import Standing
from agent.store.statements import Resend
from agent.store.writer import Unit

__all__ = ["Counts", "LinkPolicy", "LinkStore", "Resend", "Store"]

CLOSED = "closed"  #: setting: 1 once the process has left in order
RETAIN_S = 60.0
RETAIN_BATCHES = 20  #: in one look


class Store:
    """Any thread may call anything.

    `new_event` makes event bodies: (code, value, boot) -> Message.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        max_bytes: int = 500_000_000,
        max_days: float = 800,
        file: File | None = None,
    ) -> None:
        self.path, self.clock = path, clock
        self.new_event: Callable[[int, int | None, int], Message] | None = None
        self._access = access = Access(file or File(path), clock)
        self.wakes = access.wakes  #: set whenever there is something new to send
        self._lock, self._file = access.lock, access.file
        self._state, self._writer = access.state, access.writer
        self._links: dict[str, LinkStore] = {}
        self._standing = Standing(self._state.ledger)
        self._retention = Retention(self._state, max_bytes, max_days, self._standing)

    def open(self) -> None:
        """Open or create the file, enter this boot.

        Raises OSError, also where another process has it open.
        """
        with self._lock:
            self._access.opened_at = self.clock.monotonic()
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
        self._access.dating.load()
        known = self._access.dating.best.get(self.boot)
        if known is not None:
            self.clock.recall(known)
        self._doubt()
        tables = self._state.contents.tables.values()
        starts = [one.newest_start for one in tables if one.newest_start is not None]
        self._standing.load(max(starts, default=None))

    def _doubt(self) -> None:
        """What a process that broke off had sent last was perhaps not written down any more."""
        state = self._state
        if state.ledger.settings.get(CLOSED, b"0") != b"1":
            state.in_doubt = {one.id: one.last for one in state.contents.tables.values()}
        self._writer.apply(Unit(state.ledger.set({CLOSED: b"0"})))

    def close(self) -> None:
        """Write pending acknowledgements and close; safe to call twice."""
        with self._lock:
            if self._file.is_open:
                if self._writer.retry():
                    self._writer.attempt(self._state.ledger.set({CLOSED: b"1"}))
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

    def link(self, name: str) -> LinkStore:
        """The store as that link sees it: what it is to send, what it was told."""
        return self._links.get(name) or self._links.setdefault(name, LinkStore(self._access, name))

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
        known = self.clock.reckoning()
        with self._lock:
            table, values, statements = self._state.contents.new_row(layout, row, known)
            messages = [self._state.new_message(event, None, statements) for event in events]
            if settings:
                statements += self._state.ledger.set(settings)
            self._writer.apply(Unit(statements, table, values, messages))
        self._access.wake()
        return int(values[0])

    def post(self, message: Message, link: str | None = None) -> int:
        """Keep a message, for one link or for all. Returns its number."""
        with self._lock:
            statements: list[Statement] = []
            made = self._state.new_message(message, link, statements)
            self._writer.apply(Unit(statements, messages=[made]))
        self._access.wake()
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
        self.set_settings({key: value})

    def set_settings(self, settings: Mapping[str, bytes]) -> None:
        """Keep values under names, all or none."""
        with self._lock:
            self._writer.apply(Unit(self._state.ledger.set(settings)))

    def setting(self, key: str) -> bytes | None:
        """The value kept under a name."""
        with self._lock:
            return self._state.ledger.settings.get(key)

    # -- time --------------------------------------------------------------------------------

    def date(self) -> int:
        """Date rows and messages that have no date, or one that a better clock contradicts.

        Some of them, in short steps: `dating` says whether there are more. Returns how many rows.
        """
        return self._access.date_all()

    @property
    def dating(self) -> bool:
        """Whether rows may be left that `date` is to date."""
        return self._access.dating.more

    # -- housekeeping ------------------------------------------------------------------------

    def flush(self) -> None:
        """Write pending acknowledgements, and what waited for the disk; call every 10 s or so."""
        with self._lock:
            rescue.look(self._writer)
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
        drop = self._retention.due(self.clock.monotonic(), self.clock.reckoning())
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
