"""What the store holds: tables, layouts, rows, messages; the one reader of all that asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from agent.clock import Reckoning
from agent.model.batch import RAW, Layout, Message, Row
from agent.model.schema import Field, Schema
from agent.store.database import MOST_SEQ, SEQ_BITS, File, Statement
from agent.store.pending import FOREVER
from agent.store.spacing import Record
from agent.store.spans import Spans, spans_of
from agent.store.statements import (
    Resend,
    Table,
    put_boot,
    put_layout,
    put_message,
    put_table,
    row_ids,
)

INSERT_ROW = "INSERT INTO row (id, layout, boot, mono_ms, start, cells) VALUES (?, ?, ?, ?, ?, ?)"
YIELD_SLOT = """INSERT OR REPLACE INTO yielded (tbl, seq, start)
    SELECT tbl, seq, start FROM row WHERE tbl = ? AND start = ?"""
LOSE_SLOT = "UPDATE row SET start = NULL, lost = 1 WHERE tbl = ? AND start = ?"
SPANS = "SELECT first, boot, source, offset_ms FROM dated WHERE tbl = ? ORDER BY first"
SLACK_MS = 2000  #: so far a row may lie beside its slot by the clock that dated it
UPWARDS = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"""
DOWNWARDS = UPWARDS.replace("ORDER BY id", "ORDER BY id DESC")
MULTIPLES = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE tbl = ? AND start BETWEEN ? AND ? AND start % ? = 0 AND layout = ?
    ORDER BY start DESC LIMIT ?"""
NEWEST_BY_STEP = """SELECT min((r.start / :interval) & -(r.start / :interval), :most,
    json_extract(o.value, '$[2]')) AS step, max(r.start)
    FROM json_each(:ranges) AS o JOIN row AS r
    ON r.id BETWEEN json_extract(o.value, '$[0]') AND json_extract(o.value, '$[1]')
    WHERE r.layout = :layout AND r.start IS NOT NULL
    GROUP BY step ORDER BY step DESC"""
ISLANDS = """SELECT min(seq), max(seq) FROM (
    SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM row INDEXED BY row_start
    WHERE tbl = ? AND layout = ? AND start BETWEEN ? AND ?) GROUP BY island"""


class Contents:
    """Tables, layouts and numbers are in memory, rows and messages in the file.

    Not locked: the store's lock is. Every question may raise Refused, Damaged.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.boot = 0
        self.tables: dict[int, Table] = {}
        self.layouts: dict[int, Layout] = {}
        self.owners: dict[int, Table] = {}  #: by layout
        self.message_last = 0
        self.message_count = 0  #: raw chunks are not among them
        self.waiting_messages: dict[int, Message] = {}  #: for the disk
        self.undated = False  #: whether rows or messages of this boot may have no date
        self.spans: dict[int, Spans] = {}  #: by table: which clock dated which rows
        #: by table: rows that leave on no link before they have got their right date
        self.held: dict[int, list[tuple[int, int]]] = {}
        self._changed: set[int] = set()  # tables

    # -- at the start ------------------------------------------------------------------------

    def load(self) -> None:
        """Read what is needed all the time."""
        read = self.file.read
        for number, name, last, dropped, thinned in read(
            "SELECT id, name, last, dropped, thinned FROM tbl"
        ):
            self.tables[number] = Table(number, name, last, dropped, thinned)
        for table in self.tables.values():
            self.spans[table.id] = spans_of(table.id, read(SPANS, (table.id,)))
            self.load_ends(table)
        sql = "SELECT id, tbl, number, fields, interval_s FROM layout"
        for number, owner, schema, fields, interval_s in read(sql):
            made = Schema(schema, tuple(Field(**one) for one in json.loads(fields)))
            self.layouts[number] = Layout(number, self.tables[owner].name, made, interval_s)
            self.owners[number] = self.tables[owner]
        self.message_last = read("SELECT coalesce(max(seq), 0) FROM message")[0][0]
        self.message_count = read("SELECT count(*) FROM message WHERE kind <> ?", (RAW,))[0][0]

    def load_ends(self, table: Table) -> None:
        """Oldest and newest row, newest slot."""
        span = row_ids(table.id, 0, FOREVER)
        ids = "SELECT min(id) FROM row WHERE id BETWEEN ? AND ?"
        oldest = self.file.read(ids, span)[0][0]
        newest = self.file.read(ids.replace("min", "max"), span)[0][0]
        table.last = max(table.last, (newest or 0) & MOST_SEQ)
        self.spans[table.id].forget_before(table.last + 1 if oldest is None else oldest & MOST_SEQ)
        sql = "SELECT max(start) FROM row WHERE tbl = ? AND start IS NOT NULL"
        table.newest_start = self.file.read(sql, (table.id,))[0][0]

    def enter_boot(self, machine: str) -> list[Statement]:
        """Find this boot of the machine, or begin it."""
        known = self.file.read("SELECT id FROM boot WHERE machine = ?", (machine,))
        if known:
            self.boot = known[0][0]
            self.undated = self._any_undated()
            return []
        newest = self.file.read("SELECT max(id) FROM boot")[0][0]
        if newest is None:  # numbers of a store that was set aside must not come again
            newest = max(self.boot - 1, 1000 * self.file.set_aside_before())
        self.boot = newest + 1
        return [put_boot(self.boot, machine)]

    def _any_undated(self) -> bool:
        rows = "SELECT 1 FROM row WHERE boot = ? AND start IS NULL AND lost = 0 LIMIT 1"
        messages = "SELECT 1 FROM message WHERE boot = ? AND start IS NULL LIMIT 1"
        return any(self.file.read(sql, (self.boot,)) for sql in (rows, messages))

    # -- tables and layouts ------------------------------------------------------------------

    def table(self, name: str) -> Table | None:
        """The table of that name."""
        return next((one for one in self.tables.values() if one.name == name), None)

    def new_table(self, name: str) -> tuple[Table, Statement]:
        """Begin a table."""
        table = Table(max(self.tables, default=0) + 1, name)
        self.tables[table.id], self.spans[table.id] = table, Spans(table.id)
        return table, put_table(table)

    def find_layout(self, table: str, schema: Schema, interval_s: int) -> Layout | None:
        """The layout with exactly these columns and this interval."""
        wanted = (table, schema.number, tuple(schema.fields), interval_s)
        for one in self.layouts.values():
            if (one.table, one.schema.number, tuple(one.schema.fields), one.interval_s) == wanted:
                return one
        return None

    def new_layout(self, owner: Table, schema: Schema, interval_s: int) -> tuple[Layout, Statement]:
        """Open a layout of a table."""
        layout = Layout(max(self.layouts, default=0) + 1, owner.name, schema, interval_s)
        self.layouts[layout.id], self.owners[layout.id] = layout, owner
        return layout, put_layout(layout, owner)

    # -- in ----------------------------------------------------------------------------------

    def new_row(
        self, layout: Layout, row: Row, now: Reckoning | None
    ) -> tuple[Table, Sequence[Any], list[Statement]]:
        """Number a row: its table, its values from the number on, what writes it.

        `now` is what dates rows at this moment, None while nothing does.
        """
        table, start = self.owners[layout.id], row.start
        made: list[Statement] = []
        if start is None:
            self.undated = True
        elif table.newest_start is None or start > table.newest_start:
            table.newest_start = start
        else:  # the later row keeps the slot
            made += [(sql, (table.id, start)) for sql in (YIELD_SLOT, LOSE_SLOT)]
        table.last = seq = table.last + 1
        by = dated_by(layout, row, (now, self.spans[table.id].last_of(row.boot)))
        if self.spans[table.id].append(seq, row.boot, by):
            self.changed(table)
        values = (layout.id, row.boot, row.mono_ms, start, row.cells)
        made.append((INSERT_ROW, (table.id << SEQ_BITS | seq, *values)))
        return table, (seq, *values), made

    def new_message(self, message: Message, link: str | None) -> tuple[Message, Statement]:
        """Number a message, for `link` or for all."""
        self.message_last += 1
        made = message._replace(seq=self.message_last)
        self.undated = self.undated or made.start is None
        self.message_count += made.kind != RAW
        return made, put_message(made, link)

    # -- out ---------------------------------------------------------------------------------

    def upwards(self, table: Table, first: int, last: int, limit: int) -> list[Record]:
        """Rows first..last, oldest first, at most `limit`."""
        found = self.file.read(UPWARDS, (*row_ids(table.id, first, last), limit))
        if table.waiting and len(found) < limit:
            more = [one for seq, one in table.waiting.items() if first <= seq <= last]
            found += more[: limit - len(found)]
        return found

    def downwards(self, table: Table, first: int, last: int, limit: int) -> list[Record]:
        """Rows first..last, newest first, at most `limit`."""
        newest = [one for seq, one in reversed(table.waiting.items()) if first <= seq <= last]
        if len(newest) >= limit:
            return newest[:limit]
        left = limit - len(newest)
        return newest + self.file.read(DOWNWARDS, (*row_ids(table.id, first, last), left))

    def multiples(
        self, table: Table, layout: Layout, newest: int, spacing_s: int, limit: int
    ) -> list[Record]:
        """Rows whose starts are multiples of a spacing.

        From start `newest` down, at most `limit` spacings back.
        """
        oldest = newest - (limit - 1) * spacing_s
        values = (table.id, oldest, newest, spacing_s, layout.id, limit)
        return self.file.read(MULTIPLES, values)

    def newest_by_step(
        self, layout: Layout, most: int, ranges: Sequence[tuple[int, int, int]]
    ) -> list[tuple[int, int]]:
        """WIRE's m, and the newest start that is a multiple of m intervals; the largest m first.

        m is a power of two up to `most`; of rows in `ranges` (first id, last id, largest m).
        """
        values = {"ranges": json.dumps(ranges), "layout": layout.id}
        return self.file.read(
            NEWEST_BY_STEP, values | {"interval": layout.interval_s, "most": most}
        )

    def islands(self, wanted: Resend) -> list[tuple[Table, int, int]]:
        """The kept rows that are wanted, as ranges of neighbours."""
        last = wanted.first_start + (wanted.count - 1) * wanted.interval_s
        found = []
        for layout in self.layouts.values():
            if (layout.schema.number, layout.interval_s) == (wanted.number, wanted.interval_s):
                table = self.owners[layout.id]
                values = (table.id, layout.id, wanted.first_start, last)
                found += [(table, *span) for span in self.file.read(ISLANDS, values)]
        return found

    def message(self, seq: int) -> Message | None:
        """A message by its number."""
        if seq in self.waiting_messages:
            return self.waiting_messages[seq]
        sql = "SELECT seq, kind, boot, mono_ms, start, body FROM message WHERE seq = ?"
        found = self.file.read(sql, (seq,))
        return Message._make(found[0]) if found else None

    def raws(self) -> list[tuple[int, bytes]]:
        """Number and body of every message that stands for a raw record."""
        found = self.file.read("SELECT seq, body FROM message WHERE kind = ?", (RAW,))
        waiting = self.waiting_messages.values()
        return found + [(one.seq, one.body) for one in waiting if one.kind == RAW]

    # -- to the file -------------------------------------------------------------------------

    def changed(self, table: Table) -> None:
        """Note that what is kept of `table` itself has to be written."""
        self._changed.add(table.id)

    def changes(self) -> list[Statement]:
        """What is to be written with the next transaction."""
        made: list[Statement] = []
        for number in self._changed:
            made += [put_table(self.tables[number]), *self.spans[number].changes()]
        return made

    def written(self) -> None:
        """The changes are on disk."""
        for number in self._changed:
            self.spans[number].touched.clear()
        self._changed.clear()

    def everything(self, machine: str) -> list[Statement]:
        """For a new file: all that is still known; rows and messages are not."""
        made = [put_boot(self.boot, machine)] if self.boot else []
        made += [put_table(table) for table in self.tables.values()]
        for spans in self.spans.values():
            spans.everything()
            made += spans.changes()
        return made + [put_layout(one, self.owners[one.id]) for one in self.layouts.values()]


def dated_by(layout: Layout, row: Row, candidates: Iterable[Reckoning | None]) -> Reckoning | None:
    """Who dated a row that has just been measured: the first of these by whom it lies in its slot.

    None where nobody knows.
    """
    if row.start is None:
        return None
    for one in candidates:
        if one is not None:
            in_slot_ms = row.mono_ms + one.offset_ms - row.start * 1000
            if -SLACK_MS <= in_slot_ms <= layout.interval_s * 1000 + SLACK_MS:
                return one
    return None
