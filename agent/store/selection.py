"""Which rows a link gets next: live ones, else back-fill. Looks only, changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import NamedTuple

from agent.model.batch import Batch, Layout, Message, Row
from agent.store.capacity import CANDIDATES, Capacity
from agent.store.coarse import Coarse
from agent.store.contents import Contents
from agent.store.pending import PendingRanges
from agent.store.policy import LinkPolicy
from agent.store.spacing import Run, leading_run
from agent.store.statements import Table

NEVER = math.inf
GRACE_S = 5.0


class Moment(NamedTuple):
    """When a link is looked at."""

    now: float  #: monotonic seconds
    utc: float | None  #: unix seconds, None while the clock is not trusted
    held_until: float = -NEVER  #: monotonic: until then undated rows of this boot wait for a clock


class Selection:
    """One look at the rows that are pending on one link, by table.

    `due` says when to look again, as far as that is known by then.
    """

    def __init__(
        self,
        contents: Contents,
        pending: Mapping[int, PendingRanges],
        policy: LinkPolicy,
        capacity: Capacity,
        moment: Moment,
    ) -> None:
        self.contents, self.pending, self.moment = contents, pending, moment
        self.policy, self.capacity, self.fill_s = policy, capacity, policy.fill_s
        self.turn = 0  #: table of the last frame: the others come first
        self.gone: dict[int, int] = {}  #: by table: rows up to here are on their way
        self.due = NEVER  #: monotonic seconds at which there may be something
        self._uppers: dict[int, int] = {}  # by table: newest row that is not live

    def live(self) -> Batch | None:
        """Live rows that are to go now."""
        for table, pending in self._tables():
            run, self._uppers[table.id] = self._live(table, pending)
            if run is not None:
                return self._made("live", run)
        return None

    def backfill(self) -> Batch | None:
        """Rows behind the live ones; ask `live` first."""
        for table, pending in self._tables():
            made = self._backfill(table, pending, self._uppers[table.id])
            if made is not None:
                return made
        return None

    def held(self, row: Row | Message) -> bool:
        """Whether a row or record still waits for a clock; then look again when it need not."""
        until, mine = self.moment.held_until, row.boot == self.contents.boot
        held = row.start is None and mine and self.moment.now < until
        if held:
            self.due = min(self.due, until)
        return held

    def _tables(self) -> Iterator[tuple[Table, PendingRanges]]:
        """The link's tables, each in its turn."""
        for number in sorted(self.pending, key=lambda one: (one <= self.turn, one)):
            if number in self.contents.tables:
                yield self.contents.tables[number], self.pending[number]

    def _made(self, priority: str, run: Run, *, in_order: bool = False) -> Batch:
        return Batch(
            priority,
            layout=run.layout,
            rows=run.rows,
            step=run.step,
            packed=self.policy.packed,
            boot=self.contents.boot,
            in_order=in_order,
        )

    # -- live rows ---------------------------------------------------------------------------

    def _live(self, table: Table, pending: PendingRanges) -> tuple[Run | None, int]:
        """Rows from the young end back to the first hole if they are to go now.

        And up to which row everything else is back-fill.
        """
        if table.last not in pending:
            return None, table.last
        first, _ = next(reversed(pending))
        records = self.contents.downwards(table, first, table.last, self._most_young(table))
        if not records:
            return None, table.last
        run = leading_run(records, self.contents.layouts, -1, step=1)
        window_s = self._window(run.layout)
        rows = list(takewhile(lambda row: self._age(row) <= window_s, run.rows))
        if not rows:
            return None, table.last
        upper = rows[-1].seq - 1
        if self.held(rows[0]) or not self._ready(rows, run.layout):
            return None, upper
        return self._overlapping(table, Run(run.layout, rows)), upper

    def _ready(self, rows: list[Row], layout: Layout) -> bool:
        """Whether live rows fill a frame, or the oldest has waited long enough."""
        full = min(self.capacity.live.get(layout.id, CANDIDATES), CANDIDATES)
        full = CANDIDATES if self.policy.punctual else full
        complete = (rows[0].mono_ms - rows[-1].mono_ms) / 1000 >= self.fill_s
        left_s = self.fill_s + self._grace(layout) - self._age(rows[-1])
        if len(rows) >= full or complete or left_s <= 0:
            return True
        self.due = min(self.due, self.moment.now + left_s)
        return False

    def _overlapping(self, table: Table, live: Run) -> Run:
        if not self.policy.overlap:
            return live
        records = self.contents.downwards(table, 1, live.rows[0].seq, CANDIDATES)
        return leading_run(records, self.contents.layouts, -1, step=1)

    def _grace(self, layout: Layout) -> float:
        """How much longer a row may wait, for the last of its company is being measured."""
        return min(layout.interval_s / 2, GRACE_S) if self.fill_s else 0.0

    def _most_young(self, table: Table) -> int:
        """No more rows than these can be within the window."""
        layouts = self.contents.layouts.values()
        shortest_s = min((one.interval_s for one in layouts if one.table == table.name), default=1)
        return min(int(self.fill_s / shortest_s) + 4, CANDIDATES)

    def _window(self, layout: Layout) -> float:
        """How old a live row may be: somewhat more than it may wait, for it goes then."""
        fill_s = self.fill_s + 2.0 * layout.interval_s if self.fill_s else 0.0
        return max(fill_s, 2.0 * layout.interval_s)

    def _age(self, row: Row) -> float:
        """Seconds since a row was due.

        Infinite where nobody knows, as when an earlier boot had a clock that was ahead.
        """
        if row.boot == self.contents.boot:
            return max(self.moment.now - row.mono_ms / 1000, 0.0)
        utc = self.moment.utc
        if row.start is None or utc is None or row.start > utc:
            return NEVER
        return utc - row.start

    # -- back-fill ---------------------------------------------------------------------------

    def _backfill(self, table: Table, pending: PendingRanges, upper: int) -> Batch | None:
        first, last = pending.after(self.gone.get(table.id, 0))
        if first > upper:
            return None
        if self.policy.coarse_first:
            coarse = Coarse(self.contents, table, pending, upper, self.capacity).run()
            if coarse is not None:
                return self._made("backfill", coarse)
        records = self.contents.upwards(table, first, upper, self.capacity.backfill)
        if records and records[-1][0] > last:
            records = [record for record in records if record[0] in pending]
        if not records:
            return None
        run = leading_run(records, self.contents.layouts, 1)
        if self.held(run.rows[0]):
            return None
        return self._made("backfill", Run(run.layout, run.rows[::-1], run.step), in_order=True)
