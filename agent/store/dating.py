"""Dates rows that have none, and those anew whose clock a better one contradicts: in short steps.

What is to be done follows from what is kept: the best reckoning of each boot, who dated which
rows (`spans`), rows without a date. Each step is one transaction, so that a cut costs nothing:
whoever opens the store goes on. Source of the rules: codec/WIRE.md, "Withdrawn".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from agent.clock import Reckoning
from agent.model.batch import HAIR_MS_PER_S, MOST_HAIR_MS
from agent.store.database import Statement
from agent.store.redating import Redating
from agent.store.spans import Span
from agent.store.state import State
from agent.store.statements import Table, row_ids

log = logging.getLogger(__name__)

CONTRADICTS_MS = 2000  #: a better clock that differs by more says that the lesser was wrong
ALIKE_MS = 1000
HAIR_MS = f"min({MOST_HAIR_MS}, {HAIR_MS_PER_S} * interval_s)"  #: Layout.slot_of
LEAST, MOST = 16, 2000  #: rows of one step
SHORT_S, LONG_S = 0.003, 0.006  #: a step that took less or more has more or fewer rows next time

BEST = """INSERT INTO reckoning (boot, source, offset_ms) VALUES (?, ?, ?)
    ON CONFLICT (boot) DO UPDATE SET source = excluded.source, offset_ms = excluded.offset_ms"""
NEXT_UNDATED_BOOT = """SELECT min(boot) FROM row
    WHERE boot > ? AND start IS NULL AND lost = 0"""
UNDATED = """SELECT id FROM row WHERE boot = ? AND tbl = ? AND start IS NULL AND lost = 0
    ORDER BY id LIMIT ?"""
NEWEST_UNDATED = """SELECT max(id) FROM row
    WHERE boot = ? AND tbl = ? AND start IS NULL AND lost = 0"""
DATE_ROWS = f"""UPDATE row SET start = (SELECT
    (mono_ms + ?1 + {HAIR_MS}) / 1000 - (mono_ms + ?1 + {HAIR_MS}) / 1000 % interval_s
    FROM layout WHERE layout.id = row.layout)
    WHERE boot = ?2 AND tbl = ?3 AND start IS NULL AND lost = 0 AND id BETWEEN ?4 AND ?5"""
NOT_THE_LATEST = """row.tbl = ?1 AND row.start IN
    (SELECT start FROM row AS dated WHERE dated.id BETWEEN ?2 AND ?3 AND dated.start IS NOT NULL)
    AND EXISTS (SELECT 1 FROM row AS later WHERE later.tbl = row.tbl
    AND later.start = row.start AND later.id > row.id)"""
KEEP_LATER = (
    f"""INSERT OR REPLACE INTO yielded (tbl, seq, start)
    SELECT tbl, seq, start FROM row WHERE {NOT_THE_LATEST}""",
    f"UPDATE row SET start = NULL, lost = 1 WHERE {NOT_THE_LATEST}",
)
DATE_MESSAGES = """UPDATE message SET start = (mono_ms + ?1) / 1000 WHERE seq BETWEEN ?2 AND ?3
    AND boot = ?4 AND (start IS NULL OR (?5 AND abs(start * 1000 - mono_ms - ?1) > ?6))"""

Attempt = Callable[[Sequence[Statement]], bool]


class Dating:
    """Not locked: the store's lock is. Every question may raise Refused, Damaged."""

    def __init__(self, state: State) -> None:
        self.state, self.contents = state, state.contents
        self.best: dict[int, Reckoning] = {}  #: by boot: the best that has spoken in it
        self.more = False  #: whether there may be something to do
        self.rows = 128  #: of the next step
        self.steps = 0  #: so far
        self._undated: set[int] = set()  # boots with rows that can be dated
        self._messages: tuple[int, bool] | None = None  # from which number on; those dated as well

    def load(self) -> None:
        """Read who was the best clock of each boot, and which rows wait for it."""
        lines = self.state.file.read("SELECT boot, source, offset_ms FROM reckoning")
        self.best = {boot: Reckoning(source, offset_ms) for boot, source, offset_ms in lines}
        self.more, boot = bool(self.best), 0
        while (found := self.state.file.read(NEXT_UNDATED_BOOT, (boot,))[0][0]) is not None:
            boot = int(found)
            if boot in self.best:
                self._undated.add(boot)
        self._hold()

    # -- what there is to do -----------------------------------------------------------------

    def due(self, now: Reckoning | None) -> bool:
        """Whether a step is due, by what is in memory: cheap."""
        return self.more or (now is not None and self._is_news(now))

    def _is_news(self, now: Reckoning) -> bool:
        """Whether this boot has not had a clock as good, or it says something else now."""
        known = self.best.get(self.contents.boot)
        if known is None or now.rank > known.rank or self._nobody_dated():
            return True
        return now.rank == known.rank and abs(now.offset_ms - known.offset_ms) > ALIKE_MS

    def _nobody_dated(self) -> bool:
        return self.contents.undated and self.contents.boot not in self._undated

    def _wrong(self) -> Iterator[tuple[Table, int, int, Span, Reckoning]]:
        """Rows whose clock is contradicted: table, first and last row, span, what dates them."""
        for table in self.contents.tables.values():
            for first, last, span in self.contents.spans[table.id].pieces(table.last):
                best = self.best.get(span.boot)
                if best and span.by and contradicts(best, span.by):
                    yield table, first, last, span, best

    def _hold(self) -> None:
        """Which rows leave on no link before they have their dates."""
        held: dict[int, list[tuple[int, int]]] = {}
        for table, first, last, _, _ in self._wrong():
            held.setdefault(table.id, []).append((first, last))
        for boot in self._undated:
            for table in self.contents.tables.values():
                oldest = self.state.file.read(UNDATED, (boot, table.id, 1))
                if oldest:
                    newest = self.state.file.read(NEWEST_UNDATED, (boot, table.id))
                    span = (oldest[0][0] & SEQ_MASK, newest[0][0] & SEQ_MASK)
                    held.setdefault(table.id, []).append(span)
        self.contents.held = held

    # -- a step ------------------------------------------------------------------------------

    def step(self, now: Reckoning | None, attempt: Attempt) -> int:
        """Do what fits into a few milliseconds. Returns how many rows have another date now."""
        began = time.perf_counter()
        if now is not None and self._is_news(now) and not self._take_up(now, attempt):
            return 0
        rows = self._step(attempt)
        self.steps += 1
        took_s = time.perf_counter() - began
        if rows and took_s > LONG_S:
            self.rows = max(int(self.rows * LONG_S / took_s / 2), LEAST)
        elif rows and took_s < SHORT_S:
            self.rows = min(self.rows * 2, MOST)
        return rows

    def _take_up(self, now: Reckoning, attempt: Attempt) -> bool:
        """A clock as good as any in this boot has spoken: what is to be done is kept first."""
        boot, before = self.contents.boot, self.best.get(self.contents.boot)
        if not attempt([(BEST, (boot, *now))]):
            return False
        self.best[boot] = now
        if self.contents.undated:
            self._undated.add(boot)
        for table in self.contents.tables.values():
            spans = self.contents.spans[table.id]
            for span in [one for one in spans if one.boot == boot and one.by]:
                assert span.by is not None
                if span.by.rank < now.rank and not contradicts(now, span.by):
                    spans.replace(span, Reckoning(now.source, span.by.offset_ms))
        anew = before is not None and any(True for _ in self._wrong())
        if self.contents.undated or anew:
            self._messages = (0, anew)
        self.more = True
        self._hold()
        return True

    def _step(self, attempt: Attempt) -> int:
        if self._messages is not None and not self._date_messages(attempt):
            return 0
        wrong = next(self._wrong(), None)
        if wrong is not None:
            table, first, last, span, best = wrong
            redating = Redating(self.state, table, span.boot, best, self._is_wrong)
            latest = best.offset_ms > (span.by or best).offset_ms
            rows = redating.step(first, last, self.rows, newest_first=latest, attempt=attempt)
            self._hold()
            return rows
        for boot in sorted(self._undated):
            rows = self._date_rows(boot, attempt)
            if rows:
                self._hold()
                return rows
            if boot in self._undated:
                return 0  # refused
        self.more = False
        return 0

    def _is_wrong(self, table: Table, seq: int) -> bool:
        """Whether a row has a date that is known to be wrong."""
        span = self.contents.spans[table.id].at(seq)
        best = self.best.get(span.boot) if span else None
        return bool(best and span and span.by and contradicts(best, span.by))

    def _date_rows(self, boot: int, attempt: Attempt) -> int:
        """Rows of a boot that have no date yet; 0 where there is none, or the disk refuses."""
        best = self.best[boot]
        for table in self.contents.tables.values():
            found = self.state.file.read(UNDATED, (boot, table.id, self.rows))
            if found:
                first, last = found[0][0], found[-1][0]
                statements: list[Statement] = [
                    (DATE_ROWS, (best.offset_ms, boot, table.id, first, last))
                ]
                statements += [(sql, (table.id, first, last)) for sql in KEEP_LATER]
                spans = self.contents.spans[table.id]
                spans.assign(first & SEQ_MASK, last & SEQ_MASK, boot, best)
                if not attempt(statements):
                    return 0
                self.contents.load_ends(table)
                return len(found)
        self._undated.discard(boot)
        if boot == self.contents.boot:
            self.contents.undated = False
        return 0

    def _date_messages(self, attempt: Attempt) -> bool:
        """Of this boot, as many as rows in one step."""
        assert self._messages is not None
        after, anew = self._messages
        boot, last = self.contents.boot, after + 4 * self.rows
        values = (self.best[boot].offset_ms, after + 1, last, boot, anew, CONTRADICTS_MS)
        if not attempt([(DATE_MESSAGES, values)]):
            return False
        self._messages = (last, anew) if last < self.contents.message_last else None
        return True


SEQ_MASK = row_ids(0, 0, 2**62)[1]


def contradicts(better: Reckoning, lesser: Reckoning) -> bool:
    """Whether rows that the lesser dated are wrong by what the better says."""
    wrong_ms = abs(better.offset_ms - lesser.offset_ms)
    return better.rank > lesser.rank and wrong_ms > CONTRADICTS_MS
