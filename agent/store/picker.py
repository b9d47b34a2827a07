"""What a link gets next: fresh messages, live rows, back-fill, older messages, raw chunks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from itertools import takewhile

from agent.model.batch import EVENT, RAW, Batch, Delivered, Layout, Message, Row
from agent.store.lanes import (
    CANDIDATES,
    SMALL,
    LinkState,
    Run,
    equally_spaced,
    leading_run,
    most_step,
    stretched,
)
from agent.store.owed import Owed
from agent.store.statements import Table, row_ids
from agent.store.stock import MESSAGES, Stock

NEVER = math.inf

NEWEST_BY_STEP = """SELECT min((r.start / :interval) & -(r.start / :interval), :most,
    json_extract(o.value, '$[2]')) AS step, max(r.start)
    FROM json_each(:ranges) AS o JOIN row AS r
    ON r.id BETWEEN json_extract(o.value, '$[0]') AND json_extract(o.value, '$[1]')
    WHERE r.layout = :layout AND r.start IS NOT NULL
    GROUP BY step ORDER BY step DESC"""
MULTIPLES = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE tbl = ? AND start BETWEEN ? AND ? AND start % ? = 0 AND layout = ?
    ORDER BY start DESC LIMIT ?"""

WORTH = 8  #: owed rows that a coarse frame needs: fewer wait for a finer one that has them too
GRACE_S = 5.0


class Pick:
    """One look for one link. `batch` is what to send; else `due` says when to look again.

    Without `backfill` there is nothing where it would be back-fill or what comes behind it.
    """

    def __init__(
        self,
        stock: Stock,
        link: LinkState,
        now: float,
        utc: float | None,
        *,
        backfill: bool = True,
    ) -> None:
        self.stock, self.link, self.now, self.utc = stock, link, now, utc
        self.backfill = backfill
        self.turn = link.turn
        self.uppers: dict[int, int] = {}  # by table: newest row that is not live
        self.gone: dict[int, int] = {}  # by table: rows up to here are on their way
        self.due = NEVER  #: monotonic seconds at which there may be something
        self.held_until = -NEVER  #: undated rows of this boot wait for a clock until then

    def hold(self, until: float) -> None:
        """Keep undated rows of this boot back while the clock is not trusted."""
        if self.utc is None and self.now < until:
            self.held_until = until

    def batch(self) -> Batch | None:
        """What to send now, None if there is nothing."""
        return self._message(self.link.lanes.fresh) or self._live_rows() or self._rest()

    def following(self, delivered: Delivered) -> Batch | None:
        """The back-fill that comes after `delivered`, which is on its way; None where that cannot
        be known, or something else comes first."""
        batch = delivered.batch
        if batch.layout is None or not batch.in_order:
            return None
        self.turn = self.stock.owners[batch.layout.id].id
        self.gone[self.turn] = delivered.rows[0].seq
        return None if self._live_rows() else self._backfill_rows()

    def _rest(self) -> Batch | None:
        return (self._backfill_rows() or self._late()) if self.backfill else None

    # -- messages ----------------------------------------------------------------------------

    def _late(self) -> Batch | None:
        return self._message(lambda _: self.link.lanes.late())

    def _message(self, lane: Callable[[float], int | None]) -> Batch | None:
        while (seq := lane(self.now)) is not None:
            message = self.stock.message(seq)
            if message is not None:
                if message.kind == RAW and self._held(message):
                    return None
                priority = "alarm" if message.kind == EVENT else "message"
                return Batch(priority, message, boot=self.stock.boot, cut=self.link.cut)
            self.link.lanes.remove(seq)  # it went with a damaged file
            self.link.owed[MESSAGES].subtract(seq, seq)
        return None

    # -- rows --------------------------------------------------------------------------------

    def _live_rows(self) -> Batch | None:
        for table, owed in self._tables():
            live, self.uppers[table.id] = self._live(table, owed)
            if live is not None:
                return self._made("live", live)
        return None

    def _backfill_rows(self) -> Batch | None:
        for table, owed in self._tables():
            made = self._backfill(table, owed, self.uppers[table.id])
            if made is not None:
                return made
        return None

    def _tables(self) -> Iterator[tuple[Table, Owed]]:
        """The link's tables, each in its turn."""
        for number in sorted(self.link.owed, key=lambda one: (one <= self.turn, one)):
            if number != MESSAGES:
                yield self.stock.tables[number], self.link.owed[number]

    def _made(self, lane: str, run: Run, *, in_order: bool = False) -> Batch:
        return Batch(
            lane,
            layout=run.layout,
            rows=run.rows,
            step=run.step,
            packed=self.link.policy.packed,
            boot=self.stock.boot,
            in_order=in_order,
        )

    def _live(self, table: Table, owed: Owed) -> tuple[Run | None, int]:
        """Rows from the young end back to the first hole if they are to go now; and up to which
        row everything else is back-fill."""
        if table.last not in owed:
            return None, table.last
        first, _ = next(reversed(owed))
        records = self.stock.downwards(table, first, table.last, self._most_young(table))
        if not records:
            return None, table.last
        run = leading_run(records, self.stock.layouts, -1, step=1)
        window_s = self._window(run.layout)
        rows = list(takewhile(lambda row: self._age(row) <= window_s, run.rows))
        if not rows:
            return None, table.last
        upper = rows[-1].seq - 1
        if self._held(rows[0]):
            return None, upper
        full = min(self.link.fits.get(run.layout.id, CANDIDATES), CANDIDATES)
        full = CANDIDATES if self.link.policy.punctual else full
        complete = (rows[0].mono_ms - rows[-1].mono_ms) / 1000 >= self.fill_s
        left_s = self.fill_s + self._grace(run.layout) - self._age(rows[-1])
        if len(rows) < full and not complete and left_s > 0:
            self.due = min(self.due, self.now + left_s)
            return None, upper
        return self._overlapping(table, Run(run.layout, rows)), upper

    def _overlapping(self, table: Table, live: Run) -> Run:
        if not self.link.policy.overlap:
            return live
        records = self.stock.downwards(table, 1, live.rows[0].seq, CANDIDATES)
        return leading_run(records, self.stock.layouts, -1, step=1)

    def _backfill(self, table: Table, owed: Owed, upper: int) -> Batch | None:
        first, last = owed.after(self.gone.get(table.id, 0))
        if first > upper:
            return None
        if self.link.policy.coarse_first:
            coarse = self._coarse(table, owed, upper)
            if coarse is not None:
                return self._made("backfill", coarse)
        records = self.stock.upwards(table, first, upper, self.link.backfill_rows)
        if records and records[-1][0] > last:
            records = [record for record in records if record[0] in owed]
        if not records:
            return None
        run = leading_run(records, self.stock.layouts, 1)
        if self._held(run.rows[0]):
            return None
        return self._made("backfill", Run(run.layout, run.rows[::-1], run.step), in_order=True)

    # -- scarce airtime ----------------------------------------------------------------------

    def _coarse(self, table: Table, owed: Owed, upper: int) -> Run | None:
        """The newest owed rows of the largest step that are worth a frame; else the fullest.

        A small hole is filled at once. Rows between them that went already go along, for a frame
        is equally spaced.
        """
        best, most_due, worth = None, 0, min(WORTH, self.link.backfill_rows // 4)
        for _, newest, step, layout in self._by_step(table, owed, upper):
            run, due = self._multiples(table, owed, newest, step, layout)
            if due > most_due:
                best, most_due = run, due
            if due >= worth:
                break
        return best

    def _by_step(self, table: Table, owed: Owed, upper: int) -> list[tuple[int, int, int, Layout]]:
        """Spacing in seconds, newest owed start, step, layout: the largest spacing first."""
        parts = [(first, min(last, upper)) for first, last in owed if first <= upper]
        holes = stretched(parts)
        found = []
        for layout in self.stock.layouts.values():
            if layout.table != table.name:
                continue
            most = most_step(layout.interval_s)
            small = min(2 * self.link.fits.get(layout.id, SMALL), SMALL)
            ranges = json.dumps(
                [
                    (*row_ids(table.id, first, last), 1 if size <= small else most)
                    for first, last, size in holes
                ]
            )
            values = {"ranges": ranges, "layout": layout.id}
            values |= {"interval": layout.interval_s, "most": most}
            newest = 0
            for step, start in self.stock.file.read(NEWEST_BY_STEP, values):
                newest = max(newest, start)  # a row of a larger step goes with a smaller one too
                found.append((step * layout.interval_s, newest, step, layout))
        return sorted(found, key=lambda one: one[:2], reverse=True)

    def _multiples(
        self, table: Table, owed: Owed, newest: int, step: int, layout: Layout
    ) -> tuple[Run, int]:
        """Rows from `newest` down, `step` intervals apart; and how many of them are owed."""
        spacing_s, most = step * layout.interval_s, self.link.backfill_rows
        values = (table.id, newest - (most - 1) * spacing_s, newest, spacing_s, layout.id, most)
        records = self.stock.file.read(MULTIPLES, values)
        starts = [record[3] for record in records]
        records = records[: equally_spaced(starts, -spacing_s)]
        due = [record[0] in owed for record in records]
        length = next((n for n in range(1, len(due)) if not due[n - 1] and not due[n]), len(due))
        while not due[length - 1]:
            length -= 1
        run = leading_run(records[:length], self.stock.layouts, -1, step=step)
        return run, sum(due[:length])

    # -- time --------------------------------------------------------------------------------

    @property
    def fill_s(self) -> float:
        """How long a live row may wait for company."""
        return self.link.policy.fill_s

    def _grace(self, layout: Layout) -> float:
        """How much longer a row may wait, for the last of its company is being measured."""
        return min(layout.interval_s / 2, GRACE_S) if self.fill_s else 0.0

    def _most_young(self, table: Table) -> int:
        """No more rows than these can be within the window."""
        layouts = self.stock.layouts.values()
        shortest_s = min((one.interval_s for one in layouts if one.table == table.name), default=1)
        return min(int(self.fill_s / shortest_s) + 4, CANDIDATES)

    def _window(self, layout: Layout) -> float:
        """How old a live row may be: somewhat more than it may wait, for it goes then."""
        fill_s = self.fill_s + 2.0 * layout.interval_s if self.fill_s else 0.0
        return max(fill_s, 2.0 * layout.interval_s)

    def _age(self, row: Row) -> float:
        """Seconds since a row was due; infinite where nobody knows, as when an earlier boot had
        a clock that was ahead."""
        if row.boot == self.stock.boot:
            return max(self.now - row.mono_ms / 1000, 0.0)
        if row.start is None or self.utc is None or row.start > self.utc:
            return NEVER
        return self.utc - row.start

    def _held(self, row: Row | Message) -> bool:
        """Whether a row or record still waits for a clock; then look again when it need not."""
        held = row.start is None and row.boot == self.stock.boot and self.now < self.held_until
        if held:
            self.due = min(self.due, self.held_until)
        return held
