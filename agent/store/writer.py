"""The store's transactions, and what happens when the disk refuses them or the file is damaged."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from agent.clock import Clock
from agent.model.batch import Message
from agent.store.database import Damaged, Full, Refused, Statement
from agent.store.outbox import Outbox
from agent.store.pending import runs
from agent.store.remedy import remedy
from agent.store.retention import DAY_S, Drop, oldest, oldest_delivered
from agent.store.state import State
from agent.store.statements import Table, row_ids

log = logging.getLogger(__name__)

DATA_LOST, STORE_SET_ASIDE = 8, 11  # WIRE.md section 4, event codes
IN_MEMORY = 10_000  #: so many rows wait in memory while the disk takes none; then the oldest go
UNITS = 500  #: so many of them are written in one transaction
ROOM_BATCHES = 20  #: so often rows are dropped to make room for one transaction

Answer = TypeVar("Answer")
DELETE_ROWS = "DELETE FROM row WHERE id BETWEEN ? AND ?"


class Unit(NamedTuple):
    """What belongs into one transaction."""

    statements: Sequence[Statement]
    table: Table | None = None  #: of its row
    values: Sequence[Any] = ()  #: of its row: seq, layout, boot, mono_ms, start, cells
    messages: Sequence[Message] = ()


class Writer:
    """Writes units in order; those that the disk refuses wait in memory."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.state, self.clock, self.file = state, clock, state.file
        self.waiting: deque[Unit] = deque()
        self._news: list[tuple[int, int | None]] = []
        self._told_at: float | None = None  # monotonic time of the last event on lost rows
        self._trouble = False
        self._anew = False  # a new file is wanted and not complete yet

    def apply(self, unit: Unit) -> None:
        """Write a unit, after those that wait; or let it wait too."""
        damage: Damaged | None = None
        try:
            if not self.waiting and self._attempt(unit.statements):
                return
        except Damaged as error:
            damage = error
        self._wait(unit)
        if damage is not None:
            self.begin_anew(damage)
        self.retry()

    def retry(self) -> bool:
        """Write what waits. Whether nothing waits any more."""
        most = 1  # whether the disk takes anything is asked with little
        while self.waiting:
            units = list(islice(self.waiting, most))
            if not self.attempt([one for unit in units for one in unit.statements]):
                return False
            for unit in units:
                self.waiting.popleft()
                self._waits_no_more(unit)
            self._took()
            most = UNITS
        return True

    def attempt(self, statements: Sequence[Statement]) -> bool:
        """One transaction with all that is pending. False: the disk refused, nothing is written."""
        try:
            return self._attempt(statements)
        except Damaged as error:
            return self.begin_anew(error) and self._attempt(statements)

    def _attempt(self, statements: Sequence[Statement]) -> bool:
        try:
            if self._anew:
                self._begin()
            self._write(statements)
        except Full as error:
            if not self._write_in_new_room(statements):
                self.say(error)
                return False
        except Refused as error:
            self.say(error)
            return False
        self._took()
        return True

    def drop(self, drop: Drop) -> None:
        """Delete rows, out of every outbox as well. Raises Refused, Damaged."""
        table, pending = drop.table, self.state.pending(drop.table)
        lost = sum(seq in pending for seq in drop.seqs)
        taken = self._give_up(table, drop.seqs)
        self.state.tally(table, lost, len(drop.seqs) - lost)
        try:
            self._write([(DELETE_ROWS, row_ids(table.id, *span)) for span in runs(drop.seqs)])
        except (Refused, Damaged):
            self.state.tally(table, -lost, lost - len(drop.seqs))
            for outbox, seqs in taken:
                outbox.take_again(table.id, seqs)
            raise

    def begin_anew(self, error: Exception) -> bool:
        """Set the damaged file aside and begin a new one. Whether that was possible."""
        try:
            aside = self.file.set_aside(self.clock.system_utc())
        except OSError as refused:
            self.say(refused)
            return False
        kept_as = aside if aside.exists() else None
        log.error("store=%s state=damaged reason='%s' kept_as=%s", self.file.path, error, kept_as)
        self._news.append((STORE_SET_ASIDE, None))
        self._anew = True
        self._forget_kept()
        try:
            self._begin()
        except Refused as refused:
            self.say(refused)
        return True

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """An answer out of the file, None where it gives none."""
        try:
            return question()
        except Refused as error:
            self.say(error)
        except Damaged as error:
            self.begin_anew(error)
        return None

    def flush(self) -> None:
        """Write what waits, and what has changed."""
        if self.retry() and self.state.changes():
            self.attempt(())

    def news(self) -> list[tuple[int, int | None]]:
        """Events on the store itself since the last call: code and value.

        On lost rows one a day.
        """
        now, tally = self.clock.monotonic(), self.state.ledger.tally
        lost = tally.get("lost", 0) - tally.get("told", 0)
        if lost and (self._told_at is None or now >= self._told_at + DAY_S):
            self._told_at = now
            self.state.ledger.count("told", lost)
            self._news.append((DATA_LOST, lost))
        news, self._news = self._news, []
        return news

    def say(self, error: OSError) -> None:
        """Tell once that the disk refuses."""
        if not self._trouble:
            self._trouble = True
            text = "store=%s state=refused reason='%s' rows_kept_in_memory=%d"
            log.error(text, self.file.path, remedy(self.file.path, error), IN_MEMORY)

    def _took(self) -> None:
        """The disk took a transaction: say so once nothing waits any more."""
        if self._trouble and not self.waiting:
            self._trouble = False
            log.warning("store=%s state=ok", self.file.path)

    # -- transactions ------------------------------------------------------------------------

    def _write(self, statements: Sequence[Statement]) -> None:
        changes = self.state.changes()
        self.file.write([*statements, *changes] if changes else statements)
        if changes:
            self.state.written()

    def _write_in_new_room(self, statements: Sequence[Statement]) -> bool:
        """Give up the reserve and drop rows until the transaction fits.

        Only delivered rows go as long as memory is not half full. Then the oldest go as well;
        thinning would not help, for it leaves half empty pages and more ranges to write.
        """
        try:
            for _ in range(ROOM_BATCHES):
                drop = self._to_drop()
                if drop is None:
                    return False
                self.file.make_room()
                self.drop(drop)
                if self._fits(statements):
                    return True
        except (Refused, Damaged):
            pass
        return False

    def _to_drop(self) -> Drop | None:
        urgent = len(self.waiting) >= IN_MEMORY // 2
        return oldest_delivered(self.state) or (oldest(self.state) if urgent else None)

    def _fits(self, statements: Sequence[Statement]) -> bool:
        try:
            self._write(statements)
        except Full:
            return False
        return True

    def _begin(self) -> None:
        """Fill a new file with what is still known. Raises Refused, Damaged."""
        try:
            if not self.file.is_open:
                self.file.open()
        except OSError as error:
            raise Refused(str(error)) from error
        self.file.write(self.state.everything(self.clock.boot_id()))
        self._anew = False

    # -- rows that go ------------------------------------------------------------------------

    def _give_up(self, table: Table, seqs: Sequence[int]) -> list[tuple[Outbox, list[int]]]:
        """Rows that are no more. Returns in which outbox which of them were pending."""
        return [(one, one.give_up(table.id, seqs)) for one in self.state.outboxes.values()]

    def _forget_kept(self) -> None:
        """The rows and messages of the old file are no more, but those that wait are."""
        contents, outboxes = self.state.contents, self.state.outboxes.values()
        for table in contents.tables.values():
            gone = table.last - len(table.waiting)
            pending = self.state.pending(table)
            pending.subtract(gone + 1, table.last)
            lost = pending.count(gone)
            self.state.tally(table, lost, gone - table.dropped - lost)
            table.thinned = gone
            for outbox in outboxes:
                outbox.give_up_to(table.id, gone)
        for outbox in outboxes:
            outbox.keep_messages(contents.waiting_messages)
        contents.message_count = len(contents.waiting_messages)

    # -- waiting in memory -------------------------------------------------------------------

    def _wait(self, unit: Unit) -> None:
        self.waiting.append(unit)
        if unit.table is not None:
            seq, layout, boot, mono_ms, start, cells = unit.values
            unit.table.waiting[seq] = (seq, boot, mono_ms, start, cells, layout)
        for message in unit.messages:
            self.state.contents.waiting_messages[message.seq] = message
        if len(self.waiting) > IN_MEMORY:
            self._lose_oldest()

    def _waits_no_more(self, unit: Unit) -> None:
        if unit.table is not None:
            del unit.table.waiting[unit.values[0]]
        for message in unit.messages:
            del self.state.contents.waiting_messages[message.seq]

    def _lose_oldest(self) -> None:
        """Give up the oldest row that waits, with its events."""
        place = next((n for n, unit in enumerate(self.waiting) if unit.table), None)
        if place is None:
            return
        unit = self.waiting[place]
        del self.waiting[place]
        self._waits_no_more(unit)
        assert unit.table is not None
        seq = unit.values[0]
        lost = int(seq in self.state.pending(unit.table))
        self._give_up(unit.table, [seq])
        self.state.tally(unit.table, lost, 1 - lost)
        for message in unit.messages:
            self.state.settle(message.seq)
