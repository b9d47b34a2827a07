"""Which rows go when the store is too large or they are too old: delivered ones first."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.clock import Reckoning
from agent.model.batch import RAW, WITHDRAWN
from agent.store.database import WAL_BYTES, Statement
from agent.store.outbox import MESSAGES
from agent.store.pending import gaps, runs, union
from agent.store.spacing import most_step
from agent.store.standing import Standing
from agent.store.state import State
from agent.store.statements import Table, row_ids

MOST_MESSAGES = 10_000  #: kept messages, raw chunks not among them
SLACK = 100  #: so many more go at once when there are too many
BATCH = 1000  #: most rows dropped in one transaction
DAY_S = 86_400
AGE_EVERY_S = 3600.0

DELIVERED = "SELECT seq, start FROM row WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
OLDEST = "SELECT seq, start, layout FROM row WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
DAY_ENDS = """SELECT seq FROM row WHERE id BETWEEN ? AND ? AND (layout <> ? OR start IS NULL
    OR start NOT BETWEEN ? AND ?) ORDER BY id LIMIT 1"""
UNDATED_ENDS = """SELECT seq FROM row WHERE id BETWEEN ? AND ?
    AND (layout <> ? OR start IS NOT NULL) ORDER BY id LIMIT 1"""
THINNABLE = """SELECT seq FROM row WHERE id BETWEEN ? AND ?
    AND coalesce(start / ?, seq) % ? <> 0 ORDER BY id LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Drop:
    """Rows to delete, ascending."""

    table: Table
    seqs: list[int]


@dataclass
class Retention:
    """Chooses what to drop. The age limit alone never costs a row that is still pending."""

    state: State
    max_bytes: int
    max_days: float
    standing: Standing
    _limits: dict[int, float] = field(default_factory=dict)  # by table: drop rows before this
    _age_at: float = 0.0

    def due(self, now: float, clock: Reckoning | None) -> Drop | None:
        """The next rows to drop at monotonic second `now`, None if all is well."""
        if self.state.file.used_bytes() > self.max_bytes - WAL_BYTES:
            return make_room(self.state)
        if clock is not None and now >= self._age_at:
            self._age_at = now + AGE_EVERY_S
            utc = now + clock.offset_ms / 1000
            believed = self.standing.believes(now, utc, clock.rank)
            self._limits = self._age_limits(utc) if believed else {}
        return self._aged()

    def _age_limits(self, utc: float) -> dict[int, float]:
        """Up to which start rows are too old.

        It moves on by a day at each look at most, so that a clock that is years ahead for a while
        does not empty the store.
        """
        limits = {}
        for table in self.state.contents.tables.values():
            dated = [start for _, start in delivered(self.state, table) if start is not None]
            if dated:
                limits[table.id] = min(utc - self.max_days * DAY_S, dated[0] + DAY_S)
        return limits

    def _aged(self) -> Drop | None:
        for number, limit in self._limits.items():
            table = self.state.contents.tables[number]
            rows = delivered(self.state, table)
            young = next(
                (n for n, (_, start) in enumerate(rows) if start is not None and start >= limit),
                len(rows),
            )
            while young and rows[young - 1][1] is None:  # nobody knows how old these are
                young -= 1
            if young:
                return Drop(table, [seq for seq, _ in rows[:young]])
        return None


def make_room(state: State) -> Drop | None:
    """The next rows to drop when there is too little room; None if there is no row left."""
    return oldest_delivered(state) or thinned(state) or oldest(state)


def delivered(state: State, table: Table) -> list[tuple[int, int | None]]:
    """seq and start of the oldest rows of a table that are pending nowhere, at most a batch."""
    pending = state.pending(table)
    if table.rows <= pending.count(table.last):
        return []
    for first, last in gaps(pending, table.last):
        rows = state.file.read(DELIVERED, (*row_ids(table.id, first, last), BATCH))
        if rows:
            return rows
    return []


def oldest_delivered(state: State) -> Drop | None:
    """The oldest rows that are pending nowhere, of the table where they are oldest."""
    batches = [(table, delivered(state, table)) for table in state.contents.tables.values()]
    batches = [(table, rows) for table, rows in batches if rows]
    if not batches:
        return None
    table, rows = min(batches, key=lambda batch: batch[1][0][1] or 0)
    return Drop(table, [seq for seq, _ in rows])


def thinned(state: State) -> Drop | None:
    """Of the oldest day the rows in odd slots, then those not divisible by 4, and so on.

    Undated rows count by their number, as many as a day has slots. A day keeps one row in
    four hours at least.
    """
    while True:
        found = [
            (start or 0, table.id, seq, start, layout)
            for table in state.contents.tables.values()
            for seq, start, layout in state.file.read(OLDEST, _after(table, table.thinned))
        ]
        if not found:
            return None
        _, number, first, start, layout = min(found, key=lambda row: row[:2])
        table, interval_s = state.contents.tables[number], state.contents.layouts[layout].interval_s
        last = _end_of_day(state, table, first, start, layout)
        step = 2
        while step <= most_step(interval_s):
            values = (*row_ids(table.id, first, last), interval_s, step, BATCH)
            seqs = [seq for (seq,) in state.file.read(THINNABLE, values)]
            if seqs:
                return Drop(table, seqs)
            step *= 2
        table.thinned = last
        state.contents.changed(table)


def oldest(state: State) -> Drop | None:
    """The oldest rows of all, pending or not."""
    found = [
        (start or 0, table.id)
        for table in state.contents.tables.values()
        for _, start, _ in state.file.read(OLDEST, _after(table, 0))
    ]
    if not found:
        return None
    table = state.contents.tables[min(found)[1]]
    rows = state.file.read(DELIVERED, (*row_ids(table.id, 0, table.last), BATCH // 10))
    return Drop(table, [seq for seq, _ in rows])


def _after(table: Table, seq: int) -> tuple[int, int]:
    return row_ids(table.id, seq + 1, table.last)


def _end_of_day(state: State, table: Table, first: int, start: int | None, layout: int) -> int:
    """The last row that is of the same day and layout as row `first`, without a break."""
    if start is None:
        found = state.file.read(UNDATED_ENDS, (*_after(table, first), layout))
        slots = DAY_S // state.contents.layouts[layout].interval_s
        return min(found[0][0] - 1 if found else table.last, first + slots - 1)
    day = start // DAY_S * DAY_S
    found = state.file.read(DAY_ENDS, (*_after(table, first), layout, day, day + DAY_S - 1))
    return int(found[0][0]) - 1 if found else table.last


def trim_messages(state: State) -> list[Statement]:
    """Delete the oldest messages over the limit, delivered ones first."""
    over = state.contents.message_count - MOST_MESSAGES
    if over <= 0:
        return []
    sql = "SELECT seq, kind FROM message WHERE kind <> ? ORDER BY seq"
    pending = union(outbox.pending[MESSAGES] for outbox in state.outboxes.values())
    kept = state.file.read(sql, (RAW,))
    seqs = [seq for seq, kind in kept if kind != WITHDRAWN or seq not in pending]
    gone = sorted(seqs, key=lambda seq: seq in pending)[: over + SLACK]
    state.contents.message_count -= len(gone)
    state.ledger.count("lost_messages", sum(seq in pending for seq in gone))
    for seq in gone:
        state.settle(seq)
    spans = runs(sorted(gone))
    return [("DELETE FROM message WHERE seq BETWEEN ? AND ?", span) for span in spans]
