"""Rows that a wrong clock dated get their right time; where they went out, the wrong is withdrawn.

One step is one transaction: the rows' new slots, whoever loses or gets back a slot by that, what
is pending again on which link, and the withdrawals that go before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.clock import Reckoning
from agent.store.database import Statement
from agent.store.state import State
from agent.store.statements import Table, row_ids

ROWS = """SELECT r.seq, r.layout, r.mono_ms, coalesce(r.start, y.start)
    FROM row AS r LEFT JOIN yielded AS y ON y.tbl = r.tbl AND y.seq = r.seq
    WHERE r.id BETWEEN ? AND ? AND r.boot = ? AND (r.start IS NOT NULL OR r.lost)
    ORDER BY r.id LIMIT ?"""
NEWEST_ROWS = ROWS.replace("ORDER BY r.id", "ORDER BY r.id DESC")
# CROSS: in this order, for there are few that are wanted and many rows
AT_STARTS = """SELECT r.seq, r.start, r.layout FROM json_each(?) AS wanted
    CROSS JOIN row AS r ON r.tbl = ? AND r.start = wanted.value"""
YIELDED = """SELECT y.seq, y.start FROM json_each(?) AS wanted
    CROSS JOIN yielded AS y ON y.tbl = ? AND y.start = wanted.value
    CROSS JOIN row AS r ON r.id = y.tbl << 40 | y.seq ORDER BY y.seq"""
MOVE = "UPDATE row SET start = ?, lost = ? WHERE id = ?"
YIELD = "INSERT OR REPLACE INTO yielded (tbl, seq, start) VALUES (?, ?, ?)"
TAKE_BACK = "DELETE FROM yielded WHERE tbl = ? AND seq = ?"

Old = tuple[int, int, int, int | None]  #: seq, layout, mono_ms, start it has, or had and lost


@dataclass
class Moves:
    """Who has which slot after the step: `start` by row, None for those that have none."""

    starts: dict[int, int] = field(default_factory=dict)  #: seq -> its new slot
    losers: dict[int, int] = field(default_factory=dict)  #: seq -> the slot a later row has
    withdrawn: set[tuple[int, int]] = field(default_factory=set)  #: layout, start
    again: set[int] = field(default_factory=set)  #: rows that are pending again


@dataclass
class Redating:
    """Dates rows of one table and boot anew. `wrong` says of a row whether its date is."""

    state: State
    table: Table
    boot: int
    best: Reckoning
    wrong: Callable[[Table, int], bool]

    def step(
        self,
        first: int,
        last: int,
        most: int,
        *,
        newest_first: bool,
        attempt: Callable[[Sequence[Statement]], bool],
    ) -> int:
        """At most `most` of the rows first..last, in the order that leaves their new slots free.

        Returns how many rows were dated anew, 0 too where the disk refuses.
        """
        sql = NEWEST_ROWS if newest_first else ROWS
        values = (*row_ids(self.table.id, first, last), self.boot, most)
        rows: list[Old] = self.state.file.read(sql, values)
        if len(rows) == most:
            seqs = [row[0] for row in rows]
            first, last = (min(seqs), last) if newest_first else (first, max(seqs))
        return self._write(rows, first, last, attempt)

    def _write(
        self,
        rows: Sequence[Old],
        first: int,
        last: int,
        attempt: Callable[[Sequence[Statement]], bool],
    ) -> int:
        moves, spans = self._moves(rows), self.state.contents.spans[self.table.id]
        before = tuple(spans)
        statements = self._statements(moves)
        withdrawals = self.state.withdrawals.add(self.table, moves.withdrawn, statements)
        spans.assign(first, last, self.boot, self.best)
        self.state.dated_anew(self.table, moves.again, moves.starts)
        if not attempt(statements):
            spans.restore(before)
            withdrawals.undo()
            return 0
        self.state.contents.load_ends(self.table)
        return max(len(rows), 1)

    # -- who gets which slot -----------------------------------------------------------------

    def _moves(self, rows: Sequence[Old]) -> Moves:
        moves, mine = Moves(), {row[0] for row in rows}
        wanted = {seq: self._slot(layout, mono_ms) for seq, layout, mono_ms, _ in rows}
        winners = {start: seq for seq, start in sorted(wanted.items())}  # the later keeps a slot
        for seq, start, layout in self._at(winners):
            if seq in mine:
                continue
            if self.wrong(self.table, seq) or seq < winners[start]:
                moves.losers[seq] = start
                self._withdraw(moves, seq, layout, start)
            else:
                del winners[start]
        for seq, start in wanted.items():
            target = moves.starts if winners.get(start) == seq else moves.losers
            target[seq] = start
        for seq, layout, _, old in rows:
            if old is not None:
                self._withdraw(moves, seq, layout, old)
        moves.again |= mine
        left = {old for _, _, _, old in rows if old is not None}
        self._give_back(left - winners.keys(), mine, moves)
        taken = {start for _, start in moves.withdrawn}
        moves.again |= {seq for seq, _, _ in self._at(taken) if not self.wrong(self.table, seq)}
        return moves

    def _slot(self, layout: int, mono_ms: int) -> int:
        return self.state.contents.layouts[layout].slot_of(mono_ms + self.best.offset_ms)

    def _withdraw(self, moves: Moves, seq: int, layout: int, start: int) -> None:
        """The row went out, or may have gone out, under `start`."""
        if self.state.may_be_delivered(self.table, seq):
            moves.withdrawn.add((layout, start))

    def _give_back(self, free: set[int], mine: set[int], moves: Moves) -> None:
        """Slots that wrong rows had go back to those who had them before."""
        gone = mine | moves.losers.keys()
        held = {start for seq, start, _ in self._at(free) if seq not in gone}
        heirs = {
            start: seq  # in order: the latest of several
            for seq, start in self._read(YIELDED, free - held)
            if seq not in gone and not self.wrong(self.table, seq)
        }
        moves.starts |= {seq: start for start, seq in heirs.items()}
        moves.again |= set(heirs.values())

    def _at(self, starts: Iterable[int]) -> list[tuple[int, int, int]]:
        """Rows that have these slots: seq, start, layout."""
        return self._read(AT_STARTS, starts)

    def _read(self, sql: str, starts: Iterable[int]) -> list[Any]:
        return self.state.file.read(sql, (json.dumps(sorted(starts)), self.table.id))

    # -- to the file -------------------------------------------------------------------------

    def _statements(self, moves: Moves) -> list[Statement]:
        number, made = self.table.id, list[Statement]()
        for seq, start in moves.losers.items():
            made.append((MOVE, (None, 1, row_ids(number, seq, seq)[0])))
            made.append((YIELD, (number, seq, start)))
        for seq, start in moves.starts.items():
            made.append((MOVE, (start, 0, row_ids(number, seq, seq)[0])))
            made.append((TAKE_BACK, (number, seq)))
        return made
