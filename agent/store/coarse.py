"""Back-fill where airtime is scarce: rows far apart first, then those between them (WIRE's m)."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model.batch import Layout
from agent.store.capacity import Capacity
from agent.store.contents import Contents
from agent.store.pending import PendingRanges
from agent.store.spacing import Run, equally_spaced, leading_run, most_step
from agent.store.statements import Table, row_ids

SMALL = 64  #: most rows of a hole that is filled at once; a longer one goes coarse first
WORTH = 8  #: pending rows that a coarse frame needs: fewer wait for a finer one that has them too


class Coarse:
    """Looks at the pending rows of one table up to row `upper`, all of them back-fill."""

    def __init__(
        self,
        contents: Contents,
        table: Table,
        pending: PendingRanges,
        upper: int,
        capacity: Capacity,
    ) -> None:
        self.contents, self.table, self.pending = contents, table, pending
        self.upper, self.capacity = upper, capacity

    def run(self) -> Run | None:
        """The newest pending rows of the largest step that are worth a frame; else the fullest.

        A small hole is filled at once. Rows between them that went already go along, for a frame
        is equally spaced.
        """
        best, most_due, worth = None, 0, min(WORTH, self.capacity.backfill // 4)
        for _, newest, step, layout in self._by_step():
            run, due = self._multiples(newest, step, layout)
            if due > most_due:
                best, most_due = run, due
            if due >= worth:
                break
        return best

    def _by_step(self) -> list[tuple[int, int, int, Layout]]:
        """Spacing in seconds, newest pending start, step, layout: the largest spacing first."""
        parts = [(one, min(last, self.upper)) for one, last in self.pending if one <= self.upper]
        holes = stretched(parts)
        found = []
        for layout in self.contents.layouts.values():
            if layout.table != self.table.name:
                continue
            most, small = most_step(layout.interval_s), self._small(layout)
            ranges = [
                (*row_ids(self.table.id, first, last), 1 if size <= small else most)
                for first, last, size in holes
            ]
            newest = 0
            for step, start in self.contents.newest_by_step(layout, most, ranges):
                newest = max(newest, start)  # a row of a larger step goes with a smaller one too
                found.append((step * layout.interval_s, newest, step, layout))
        return sorted(found, key=lambda one: one[:2], reverse=True)

    def _small(self, layout: Layout) -> int:
        """Most rows of a hole that is filled at once."""
        return min(2 * self.capacity.live.get(layout.id, SMALL), SMALL)

    def _multiples(self, newest: int, step: int, layout: Layout) -> tuple[Run, int]:
        """Rows from `newest` down, `step` intervals apart; and how many of them are pending."""
        spacing_s, most = step * layout.interval_s, self.capacity.backfill
        records = self.contents.multiples(self.table, layout, newest, spacing_s, most)
        starts = [record[3] for record in records]
        records = records[: equally_spaced(starts, -spacing_s)]  # type: ignore[arg-type]
        due = [record[0] in self.pending for record in records]
        length = next((n for n in range(1, len(due)) if not due[n - 1] and not due[n]), len(due))
        while not due[length - 1]:
            length -= 1
        run = leading_run(records[:length], self.contents.layouts, -1, step=step)
        return run, sum(due[:length])


def stretched(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Each range, and how long the hole is that it belongs to.

    Single rows that went already, as a coarse frame leaves them behind, do not end a hole.
    """
    ends: list[list[tuple[int, int]]] = []
    for part in parts:
        if ends and part[0] - ends[-1][-1][1] <= 2:
            ends[-1].append(part)
        else:
            ends.append([part])
    return [(*part, hole[-1][1] - hole[0][0] + 1) for hole in ends for part in hole]
