"""The store's transactions, and what happens when the disk refuses them or the file is damaged."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from agent.clock import Clock
from agent.model.batch import Message
from agent.store.database import Damaged, Full, Refused, Statement
from agent.store.owed import Owed, runs
from agent.store.retention import Drop, oldest, oldest_delivered, owed_of
from agent.store.statements import Table, row_ids
from agent.store.stock import MESSAGES, Stock

log = logging.getLogger(__name__)

STORE_SET_ASIDE = 11  # WIRE.md section 4, event code
IN_MEMORY = 10_000  #: so many rows wait in memory while the disk takes none; then the oldest go
UNITS = 500  #: so many of them are written in one transaction
ROOM_BATCHES = 20  #: so often rows are dropped to make room for one transaction

DELETE_ROWS = "DELETE FROM row WHERE id BETWEEN ? AND ?"


class Unit(NamedTuple):
    """What belongs into one transaction."""

    statements: Sequence[Statement]
    table: Table | None = None  #: of its row
    values: Sequence[Any] = ()  #: of its row: seq, layout, boot, mono_ms, start, cells
    messages: Sequence[Message] = ()


class Writer:
    """Writes units in order; those that the disk refuses wait in memory."""

    def __init__(self, stock: Stock, clock: Clock) -> None:
        self.stock, self.clock, self.file = stock, clock, stock.file
        self.news: list[tuple[int, int | None]] = []  #: events to tell: code and value
        self.waiting: deque[Unit] = deque()
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
        """Delete rows, out of all that is owed as well. Raises Refused, Damaged."""
        table, owed = drop.table, owed_of(self.stock, drop.table)
        lost = sum(seq in owed for seq in drop.seqs)
        taken = self._take(table, drop.seqs)
        self._tally(table, lost, len(drop.seqs) - lost)
        try:
            self._write([(DELETE_ROWS, row_ids(table.id, *span)) for span in runs(drop.seqs)])
        except (Refused, Damaged):
            self._tally(table, -lost, lost - len(drop.seqs))
            for one, seqs in taken:
                for first, last in runs(seqs):
                    one.add(first, last)
            raise

    def begin_anew(self, error: Exception) -> bool:
        """Set the damaged file aside and begin a new one. Whether that was possible."""
        try:
            aside = self.file.set_aside(self.clock.system_utc())
        except OSError as refused:
            self.say(refused)
            return False
        log.error("store=%s state=damaged reason='%s' kept_as=%s", self.file.path, error, aside)
        self.news.append((STORE_SET_ASIDE, None))
        self._anew = True
        self._forget_kept()
        try:
            self._begin()
        except Refused as refused:
            self.say(refused)
        return True

    def say(self, error: Exception) -> None:
        """Tell once that the disk refuses."""
        if not self._trouble:
            self._trouble = True
            text = "store=%s state=refused reason='%s' rows_kept_in_memory=%d"
            log.error(text, self.file.path, error, IN_MEMORY)

    def _took(self) -> None:
        """The disk took a transaction: say so once nothing waits any more."""
        if self._trouble and not self.waiting:
            self._trouble = False
            log.warning("store=%s state=ok", self.file.path)

    # -- transactions ------------------------------------------------------------------------

    def _write(self, statements: Sequence[Statement]) -> None:
        pending = self.stock.pending()
        self.file.write([*statements, *pending] if pending else statements)
        if pending:
            self.stock.settled()

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
        return oldest_delivered(self.stock) or (oldest(self.stock) if urgent else None)

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
        self.file.write(self.stock.everything(self.clock.boot_id()))
        self._anew = False

    # -- rows that go ------------------------------------------------------------------------

    def _take(self, table: Table, seqs: Sequence[int]) -> list[tuple[Owed, list[int]]]:
        """Owe none of these rows any more. Returns who owed which."""
        taken = []
        for link in self.stock.links.values():
            owed = link.owed.get(table.id)
            if owed is not None:
                taken.append((owed, [seq for seq in seqs if seq in owed]))
                owed.subtract_each(seqs)
        return taken

    def _tally(self, table: Table, lost: int, dropped: int) -> None:
        table.dropped += lost + dropped
        self.stock.changed(table)
        self.stock.count("lost", lost)
        self.stock.count("dropped", dropped)

    def _forget_kept(self) -> None:
        """The rows and messages of the old file are no more, but those that wait are."""
        for table in self.stock.tables.values():
            gone = table.last - len(table.waiting)
            owed = owed_of(self.stock, table)
            owed.subtract(gone + 1, table.last)
            lost = owed.count(gone)
            self._tally(table, lost, gone - table.dropped - lost)
            table.thinned = gone
            for link in self.stock.links.values():
                if table.id in link.owed:
                    link.owed[table.id].subtract(1, gone)
        for link in self.stock.links.values():
            owes = [seq for seq in self.stock.waiting_messages if seq in link.owed[MESSAGES]]
            link.lanes.keep(owes)
            link.owed[MESSAGES].subtract(1, self.stock.message_last)
            for seq in owes:
                link.owed[MESSAGES].add(seq, seq)
        self.stock.message_count = len(self.stock.waiting_messages)

    # -- waiting in memory -------------------------------------------------------------------

    def _wait(self, unit: Unit) -> None:
        self.waiting.append(unit)
        if unit.table is not None:
            seq, layout, boot, mono_ms, start, cells = unit.values
            unit.table.waiting[seq] = (seq, boot, mono_ms, start, cells, layout)
        for message in unit.messages:
            self.stock.waiting_messages[message.seq] = message
        if len(self.waiting) > IN_MEMORY:
            self._lose_oldest()

    def _waits_no_more(self, unit: Unit) -> None:
        if unit.table is not None:
            del unit.table.waiting[unit.values[0]]
        for message in unit.messages:
            del self.stock.waiting_messages[message.seq]

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
        lost = int(seq in owed_of(self.stock, unit.table))
        self._take(unit.table, [seq])
        self._tally(unit.table, lost, 1 - lost)
        for message in unit.messages:
            for link in self.stock.links.values():
                self.stock.settle_message(link, message.seq)
