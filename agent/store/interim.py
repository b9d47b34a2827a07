"""A store in memory for as long as the one on disk cannot be opened; what it holds moves there.

A full or read-only disk, somebody else's file, a mount that is not there yet: the node measures and
sends at once, and asks for its file every minute. Numbers are given anew where rows move, for the
file's own are not known before; so the node begins again once they have, and reads its settings,
the states of its sensors and what is pending from the file.
"""

from __future__ import annotations

import errno
import logging
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from agent.clock import Clock
from agent.model.batch import ACK, EVENT, Layout, Row
from agent.store import Store
from agent.store.database import PAGE_BYTES, Damaged, File, NotOurs, Statement
from agent.store.outbox import MESSAGES
from agent.store.remedy import remedy
from agent.store.state import State
from agent.store.writer import Unit

log = logging.getLogger(__name__)

AGAIN_S = 60.0
MEMORY_BYTES = 16_000_000  #: about 200,000 rows; then the oldest delivered go, as on a disk
BOOTS = 2_000_000  #: of so many thousands one is drawn for the number of this start
THE_FILES_OWN = (
    "sensor/",
    "starts",
    "raw.",
    "reads_from",
    "withdrawn",
    "closed",
    "clock.stood",
)  #: it knows these better, if at all
EPOCH = "epoch"  #: the number of a store is never another's
MOVED_COUNTERS = ("lost", "set_aside", "lost_messages")


def open_store(path: Path, clock: Clock, *, max_bytes: int, max_days: float) -> Store:
    """The store at `path`, or one in memory until that can be opened.

    Raises OSError where waiting does not help: it is in use, made by newer software, or below a
    file.
    """
    store = Store(path, clock, max_bytes=max_bytes, max_days=max_days)
    try:
        store.open()
    except NotOurs:
        raise
    except OSError as error:
        if any(one.is_file() for one in path.parents):
            raise
        store.close()
        store = Interim(path, clock)
        store.open()
        store.say(error)
    return store


class MemoryFile(File):
    """The same tables in memory: nothing to lock, to hold back or to set aside."""

    def lock(self) -> None:
        """Nobody else can have it."""

    def open(self) -> None:
        """Begin empty."""
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self.read(f"PRAGMA page_size = {PAGE_BYTES}")
        self._migrate()

    def in_place(self) -> bool:
        """It has no name to lose."""
        return True

    def disk_bytes(self) -> int:
        """None of it is on the disk."""
        return 0

    def make_room(self) -> None:
        """There is no reserve."""

    def keep_reserve(self) -> None:
        """There is none to keep."""

    def set_aside(self, when: float) -> Path:
        """There is no file. Raises OSError."""
        raise OSError(errno.ENOENT, "only in memory", str(self.path))

    def set_aside_before(self) -> int:
        """The boots of the file are not known: this one's number must be none of theirs."""
        return secrets.randbelow(BOOTS) + 1000


class Interim(Store):
    """Stands in for the store at `path`; `close` moves there what it holds."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, clock, max_bytes=MEMORY_BYTES, file=MemoryFile(path))
        self.reason = ""  #: why the file cannot be opened, and what to type
        self.again = False  #: whether the file can be had: whoever stops for that begins again

    def say(self, error: OSError) -> None:
        """Tell why the file cannot be opened: once, and again where that changes."""
        reason = remedy(self.path, error)
        if reason != self.reason:
            text = "store=%s state=in_memory try_again_s=%.0f reason='%s'"
            log.error(text, self.path, AGAIN_S, reason)
        self.reason = reason

    def step(self, stop: Callable[[], None]) -> float:
        """A job: stop once the file opens, to begin again with it. Seconds until the next look."""
        try:
            self._on_disk().close()
        except OSError as error:
            self.say(error)
            return AGAIN_S
        log.warning("store=%s state=ok reason='can be opened now'", self.path)
        self.again = True
        stop()
        return AGAIN_S

    def close(self) -> None:
        """Move everything into the file if that opens; safe to call twice."""
        if self._file.is_open:
            try:
                rows = self._move()
                log.warning("store=%s state=ok rows_from_memory=%d", self.path, rows)
            except OSError as error:
                rows = self.counts().rows
                text = "store=%s state=lost rows=%d reason='only in memory: %s'"
                log.error(text, self.path, rows, remedy(self.path, error))
        super().close()

    def _on_disk(self) -> Store:
        """The store at the path. Raises OSError also where it opens and takes nothing."""
        store = Store(self.path, self.clock)
        try:
            store.open()
            if store._writer.waiting:
                raise OSError(errno.ENOSPC, "takes nothing", str(self.path))
        except OSError:
            store._file.close()
            store._file.unlock()
            raise
        return store

    def _move(self) -> int:
        """In one transaction. Returns how many rows. Raises OSError: nothing has moved."""
        store = self._on_disk()
        try:
            store.links({name: one.policy for name, one in self._state.outboxes.items()})
            rows, statements = moving(self._state, store._state)
            store._writer.apply(Unit(statements))
            if store._writer.waiting:
                raise OSError(errno.ENOSPC, "no room for what is in memory", str(self.path))
            return rows
        except Damaged as error:
            raise OSError(errno.EIO, str(error), str(self.path)) from error
        finally:
            store._file.close()  # without a flush: what was refused is tried again as a whole
            store._file.unlock()


def moving(old: State, new: State) -> tuple[int, list[Statement]]:
    """How many rows of `old` move to `new`, and what writes everything. Raises Refused, Damaged."""
    made: list[Statement] = []
    layouts = _move_layouts(old, new, made)
    rows = sum(_move_rows(old, new, number, layouts, made) for number in old.contents.tables)
    _move_messages(old, new, made)
    _move_ledger(old, new, made)
    return rows, made


def _move_layouts(old: State, new: State, made: list[Statement]) -> dict[int, Layout]:
    """The layouts of `old` as `new` knows them, by their number in `old`."""
    layouts = {}
    for number, one in old.contents.layouts.items():
        known = new.contents.find_layout(one.table, one.schema, one.interval_s)
        if known is None:
            known, more = new.new_layout(one.table, one.schema, one.interval_s)
            made += more
        layouts[number] = known
    return layouts


def _move_rows(
    old: State, new: State, number: int, layouts: dict[int, Layout], made: list[Statement]
) -> int:
    """The rows of one table. An undated one goes out again: its boot is another now."""
    last = old.contents.tables[number].last
    rows = old.contents.upwards(old.contents.tables[number], 1, last, last)
    for seq, _, mono_ms, start, cells, layout in rows:
        row = Row(0, new.contents.boot, mono_ms, start, cells)
        span = old.contents.spans[number].at(seq)
        table, values, more = new.contents.new_row(layouts[layout], row, span.by if span else None)
        made += more
        for name, outbox in old.outboxes.items():
            if start is not None and number in outbox.pending and seq not in outbox.pending[number]:
                new.outboxes[name].give_up(table.id, [values[0]])
    return len(rows)


def _move_messages(old: State, new: State, made: list[Statement]) -> None:
    """Events and acknowledgements that are pending; what else is said at a start is said anew."""
    for seq in range(1, old.contents.message_last + 1):
        owing = [name for name, one in old.outboxes.items() if seq in one.pending[MESSAGES]]
        message = old.contents.message(seq) if owing else None
        if message is not None and message.kind in (EVENT, ACK):
            for name in owing:
                new.new_message(message._replace(boot=new.contents.boot), name, made)


def _move_ledger(old: State, new: State, made: list[Statement]) -> None:
    """Settings as downlinks left them, results of downlinks, counters."""
    known = {key for key in new.ledger.settings if key.startswith(THE_FILES_OWN)} | {EPOCH}
    made += new.ledger.set({k: v for k, v in old.ledger.settings.items() if k not in known})
    for name, downlinks in (*old.ledger.done.items(), *old.ledger.refused.items()):
        for one, outcome in downlinks.items():
            made += new.ledger.remember(name, one, outcome)
    for name in MOVED_COUNTERS:
        if old.ledger.tally.get(name):
            new.ledger.count(name, old.ledger.tally[name])
