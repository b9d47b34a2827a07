"""What the store knows without asking its file: tables, layouts, links, settings, counters."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

from agent.model.batch import RAW, Cut, Layout, Message
from agent.model.schema import Field, Schema
from agent.store import statements as lines
from agent.store.database import MOST_SEQ, File, Statement
from agent.store.lanes import LONGEST_S, LinkPolicy, LinkState, Record
from agent.store.owed import FOREVER, Owed, runs, union
from agent.store.statements import Resend, Table

log = logging.getLogger(__name__)

MESSAGES = 0  #: stands for the messages where ranges name a table
LONG_AGO = float("-inf")
TOKENS = 100  #: how many downlinks of a link are remembered
MOST_MESSAGES = 10_000  #: kept messages, raw chunks not among them
SLACK = 100  #: so many more go at once when there are too many

UPWARDS = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"""
UNDATED = """SELECT tbl, count(*), min(mono_ms), max(mono_ms) FROM row
    WHERE boot = ? AND start IS NULL AND lost = 0 GROUP BY tbl"""
DATE_ROWS = """UPDATE row SET start = (mono_ms + ?1) / 1000
    - (mono_ms + ?1) / 1000 % (SELECT interval_s FROM layout WHERE layout.id = row.layout)
    WHERE boot = ?2 AND start IS NULL AND lost = 0"""
DATE_MESSAGES = "UPDATE message SET start = (mono_ms + ?) / 1000 WHERE boot = ? AND start IS NULL"
KEEP_LATER = """UPDATE row SET start = NULL, lost = 1 WHERE tbl = ? AND start BETWEEN ? AND ?
    AND EXISTS (SELECT 1 FROM row AS later WHERE later.tbl = row.tbl
    AND later.start = row.start AND later.id > row.id)"""
ISLANDS = """SELECT min(seq), max(seq) FROM (
    SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM row INDEXED BY row_start
    WHERE tbl = ? AND layout = ? AND start BETWEEN ? AND ?) GROUP BY island"""
DOWNWARDS = UPWARDS.replace("ORDER BY id", "ORDER BY id DESC")


class Stock:
    """The store's state in memory. Not locked: the store's lock is."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.boot = 0
        self.tables: dict[int, Table] = {}
        self.layouts: dict[int, Layout] = {}
        self.owners: dict[int, Table] = {}  #: by layout
        self.links: dict[str, LinkState] = {}
        self.settings: dict[str, bytes] = {}
        self.tokens: dict[str, dict[int, int]] = {}  #: link -> token -> result
        self.tally: dict[str, int] = {}
        self.message_last = 0
        self.message_count = 0  #: raw chunks are not among them
        self.waiting_messages: dict[int, Message] = {}
        self.undated = False  #: whether rows or messages of this boot may have no date
        self._changed_tables: set[int] = set()
        self._changed_tallies: set[str] = set()
        self._changed_settings: set[str] = set()

    # -- from the file -----------------------------------------------------------------------

    def load(self) -> None:
        """Read what is needed all the time. Raises Refused, Damaged."""
        read = self.file.read
        for number, name, last, dropped, thinned in read("SELECT * FROM tbl"):
            self.tables[number] = Table(number, name, last, dropped, thinned)
        for table in self.tables.values():
            self._load_ends(table)
        for number, owner, schema, fields, interval_s in read("SELECT * FROM layout"):
            made = Schema(schema, tuple(Field(**one) for one in json.loads(fields)))
            self.layouts[number] = Layout(number, self.tables[owner].name, made, interval_s)
            self.owners[number] = self.tables[owner]
        self.settings = dict(read("SELECT key, value FROM setting"))
        self.tally = dict(read("SELECT name, value FROM tally"))
        for link, token, result in read("SELECT link, token, result FROM token ORDER BY id"):
            self.tokens.setdefault(link, {})[token] = result
        newest = read("SELECT coalesce(max(seq), 0) FROM message")
        self.message_last = newest[0][0]
        self.message_count = read("SELECT count(*) FROM message WHERE kind <> ?", (RAW,))[0][0]

    def _load_ends(self, table: Table) -> None:
        sql = "SELECT max(id) FROM row WHERE id BETWEEN ? AND ?"
        newest = self.file.read(sql, lines.row_ids(table.id, 0, FOREVER))[0][0]
        table.last = max(table.last, (newest or 0) & MOST_SEQ)
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
        return [lines.boot(self.boot, machine)]

    def _any_undated(self) -> bool:
        rows = "SELECT 1 FROM row WHERE boot = ? AND start IS NULL AND lost = 0 LIMIT 1"
        messages = "SELECT 1 FROM message WHERE boot = ? AND start IS NULL LIMIT 1"
        return any(self.file.read(sql, (self.boot,)) for sql in (rows, messages))

    # -- tables and layouts ------------------------------------------------------------------

    def table(self, name: str) -> Table | None:
        """The table of that name."""
        return next((one for one in self.tables.values() if one.name == name), None)

    def new_table(self, name: str) -> tuple[Table, list[Statement]]:
        """Begin a table; every link that carries it owes it from its first row on."""
        table = Table(max(self.tables, default=0) + 1, name)
        self.tables[table.id] = table
        for link in self.links.values():
            if link.policy.carries(name):
                link.owed[table.id] = Owed([(1, FOREVER)])
        return table, [lines.table(table)]

    def find_layout(self, table: str, schema: Schema, interval_s: int) -> Layout | None:
        """The layout with exactly these columns and this interval."""
        wanted = (table, schema.number, tuple(schema.fields), interval_s)
        for one in self.layouts.values():
            if (one.table, one.schema.number, tuple(one.schema.fields), one.interval_s) == wanted:
                return one
        return None

    def new_layout(
        self, table: str, schema: Schema, interval_s: int
    ) -> tuple[Layout, list[Statement]]:
        """Open a layout, and its table if that is new."""
        owner = self.table(table)
        statements: list[Statement] = []
        if owner is None:
            owner, statements = self.new_table(table)
        layout = Layout(max(self.layouts, default=0) + 1, table, schema, interval_s)
        self.layouts[layout.id], self.owners[layout.id] = layout, owner
        return layout, [*statements, lines.layout(layout, owner)]

    # -- rows and messages -------------------------------------------------------------------

    def upwards(self, table: Table, first: int, last: int, limit: int) -> list[Record]:
        """Rows first..last, oldest first, at most `limit`."""
        found = self.file.read(UPWARDS, (*lines.row_ids(table.id, first, last), limit))
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
        return newest + self.file.read(DOWNWARDS, (*lines.row_ids(table.id, first, last), left))

    def message(self, seq: int) -> Message | None:
        """A message by its number."""
        if seq in self.waiting_messages:
            return self.waiting_messages[seq]
        sql = "SELECT seq, kind, boot, mono_ms, start, body FROM message WHERE seq = ?"
        found = self.file.read(sql, (seq,))
        return Message._make(found[0]) if found else None

    def new_message(
        self, message: Message, link: str | None, statements: list[Statement]
    ) -> Message:
        """Number a message and owe it: to `link`, or to all that carry messages."""
        self.message_last += 1
        made = message._replace(seq=self.message_last)
        statements.append(lines.message(made, link))
        self.undated = self.undated or made.start is None
        self.message_count += made.kind != RAW
        for state in self.links.values():
            carries = state.policy.raw if made.kind == RAW else state.policy.messages
            if link is None and carries and state.policy.messages:
                state.lanes.add(made, made.mono_ms / 1000)
            elif link == state.name or (link is None and carries):
                state.owed[MESSAGES].add(made.seq, made.seq)
                state.lanes.add(made, made.mono_ms / 1000)
            else:
                state.owed[MESSAGES].subtract(made.seq, made.seq)
        return made

    def settle_message(self, link: LinkState, seq: int) -> None:
        """A link owes a message no longer."""
        link.owed[MESSAGES].subtract(seq, seq)
        link.lanes.remove(seq)

    def sent_chunk(self, link: LinkState, seq: int, cut: Cut) -> None:
        """A link owes this chunk of a raw record, message `seq`, no longer, nor those before."""
        last = cut.chunk + 1 == cut.chunks
        link.cut = None if last else cut._replace(chunk=cut.chunk + 1)
        if last:
            self.settle_message(link, seq)
        self.settings[cut_key(link.name)] = json.dumps(link.cut).encode()
        self._changed_settings.add(cut_key(link.name))

    def raws(self) -> list[tuple[int, bytes]]:
        """Number and body of every message that stands for a raw record."""
        found = self.file.read("SELECT seq, body FROM message WHERE kind = ?", (RAW,))
        waiting = self.waiting_messages.values()
        return found + [(one.seq, one.body) for one in waiting if one.kind == RAW]

    def owes(self, seq: int) -> bool:
        """Whether any link owes a message."""
        return any(seq in link.owed[MESSAGES] for link in self.links.values())

    def forget(self, seqs: Sequence[int]) -> list[Statement]:
        """Raw records are no more: nobody owes them. Counts those that were owed."""
        self.count("lost_records", sum(map(self.owes, seqs)))
        for link in self.links.values():
            for seq in seqs:
                self.settle_message(link, seq)
        return [("DELETE FROM message WHERE seq = ?", (seq,)) for seq in seqs]

    def trim_messages(self) -> list[Statement]:
        """Delete the oldest messages over the limit, delivered ones first."""
        over = self.message_count - MOST_MESSAGES
        if over <= 0:
            return []
        sql = "SELECT seq FROM message WHERE kind <> ? ORDER BY seq"
        seqs = [seq for (seq,) in self.file.read(sql, (RAW,))]
        owed = union(link.owed[MESSAGES] for link in self.links.values())
        gone = sorted(seqs, key=lambda seq: seq in owed)[: over + SLACK]
        self.message_count -= len(gone)
        self.count("lost_messages", sum(seq in owed for seq in gone))
        for seq in gone:
            for link in self.links.values():
                self.settle_message(link, seq)
        spans = runs(sorted(gone))
        return [("DELETE FROM message WHERE seq BETWEEN ? AND ?", span) for span in spans]

    def remember(self, link: str, token: int, result: int) -> list[Statement]:
        """Keep what came of a downlink, with the 99 before."""
        tokens = self.tokens.setdefault(link, {})
        tokens[token] = result
        statements = [lines.token(link, token, result)]
        if len(tokens) > TOKENS:
            oldest = next(iter(tokens))
            del tokens[oldest]
            sql = "DELETE FROM token WHERE link = ? AND token = ?"
            statements.append((sql, (link, oldest)))
        return statements

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

    # -- dates -------------------------------------------------------------------------------

    def dating(self, offset_ms: int) -> tuple[int, list[Statement]]:
        """How many rows of this boot have no date, and what dates them and its messages.

        Where that makes two rows of one slot the later keeps it.
        """
        statements: list[Statement] = [
            (DATE_ROWS, (offset_ms, self.boot)),
            (DATE_MESSAGES, (offset_ms, self.boot)),
        ]
        count = 0
        for table, rows, oldest, newest in self.file.read(UNDATED, (self.boot,)):
            count += rows
            span = ((oldest + offset_ms) // 1000 - LONGEST_S, (newest + offset_ms) // 1000)
            statements.append((KEEP_LATER, (table, *span)))
        return count, statements

    def dated(self) -> None:
        """Rows and messages of this boot have their dates now."""
        self.undated = False
        for table in self.tables.values():
            self._load_ends(table)

    # -- links -------------------------------------------------------------------------------

    def set_links(
        self, policies: Mapping[str, LinkPolicy], now: float, utc: float | None
    ) -> list[Statement]:
        """Exactly these links: new ones owe from now on, removed ones owe nothing."""
        read = self.file.read
        known = {name: number for number, name in read("SELECT id, name FROM link")}
        self.links = {}
        statements: list[Statement] = []
        for name in known.keys() - policies.keys():
            log.warning("link=%s state=removed reason='not in the profile any more'", name)
            statements += lines.no_link(known[name])
        for name, policy in policies.items():
            number = known.setdefault(name, max(known.values(), default=0) + 1)
            statements.append(lines.link(number, name))
            self.links[name] = LinkState(number, name, policy)
            statements += self._load_owed(self.links[name])
            self._load_lanes(self.links[name], now, utc)
            kept = json.loads(self.settings.get(cut_key(name), b"null"))
            self.links[name].cut = Cut(*kept) if kept else None
        return statements

    def _load_owed(self, link: LinkState) -> list[Statement]:
        ends = {table.id: table.last for table in self.tables.values()}
        carried = {one.id for one in self.tables.values() if link.policy.carries(one.name)}
        ends[MESSAGES] = self.message_last
        if link.policy.messages:
            carried.add(MESSAGES)
        sql = "SELECT tbl, first, ifnull(last, ?) FROM owed WHERE link = ?"
        for table, first, last in self.file.read(sql, (FOREVER, link.id)):
            link.owed.setdefault(table, Owed()).add(first, last)
        for owed in link.owed.values():
            owed.touched.clear()
        for table in carried:
            # also where a range is open already: what was acknowledged and then lost with the
            # memory it waited in must not let the next rows pass as delivered
            link.owed.setdefault(table, Owed()).add(ends[table] + 1)
        gone = link.owed.keys() - carried - {MESSAGES}
        for table in gone:
            name = self.tables[table].name
            log.warning("link=%s table=%s state=removed reason='not carried'", link.name, name)
            del link.owed[table]
        if not link.policy.messages:  # what was addressed to this link stays
            link.owed.setdefault(MESSAGES, Owed()).subtract(self.message_last + 1, FOREVER)
        sql = "DELETE FROM owed WHERE link = ? AND tbl = ?"
        return [(sql, (link.id, table)) for table in gone]

    def _load_lanes(self, link: LinkState, now: float, utc: float | None) -> None:
        sql = "SELECT seq, kind, boot, mono_ms, start, x'' FROM message WHERE seq BETWEEN ? AND ?"
        for first, last in link.owed[MESSAGES]:
            for found in self.file.read(sql, (first, last)):
                message = Message._make(found)
                link.lanes.add(message, self.born(message, now, utc))

    def born(self, message: Message, now: float, utc: float | None) -> float:
        """When a message began, as monotonic time of this boot."""
        if message.boot == self.boot:
            return message.mono_ms / 1000
        if message.start is None or utc is None:
            return LONG_AGO
        return now - (utc - message.start)

    # -- to the file -------------------------------------------------------------------------

    def count(self, name: str, more: int) -> None:
        """Add to a counter that outlives restarts."""
        self.tally[name] = self.tally.get(name, 0) + more
        self._changed_tallies.add(name)

    def changed(self, table: Table) -> None:
        """Note that what is kept of `table` itself has to be written."""
        self._changed_tables.add(table.id)

    def pending(self) -> list[Statement]:
        """What has changed here since it was written last."""
        statements: list[Statement] = []
        for link in self.links.values():
            for table, owed in link.owed.items():
                if owed.touched:
                    statements += lines.owed(link.id, table, owed)
        statements += [lines.table(self.tables[one]) for one in self._changed_tables]
        statements += [lines.tally(name, self.tally[name]) for name in self._changed_tallies]
        statements += [lines.setting(key, self.settings[key]) for key in self._changed_settings]
        return statements

    def settled(self) -> None:
        """What was pending is on disk."""
        for link in self.links.values():
            for owed in link.owed.values():
                owed.touched.clear()
        self._changed_tables.clear()
        self._changed_tallies.clear()
        self._changed_settings.clear()

    def everything(self, machine: str) -> list[Statement]:
        """For a new file: all that is still known. Owed ranges and counters become pending."""
        statements = [lines.boot(self.boot, machine)] if self.boot else []
        for table in self.tables.values():
            statements.append(lines.table(table))
        for layout in self.layouts.values():
            statements.append(lines.layout(layout, self.owners[layout.id]))
        for link in self.links.values():
            statements.append(lines.link(link.id, link.name))
        statements += [lines.setting(*item) for item in self.settings.items()]
        for name, tokens in self.tokens.items():
            statements += [lines.token(name, *item) for item in tokens.items()]
        for link in self.links.values():
            for owed in link.owed.values():
                owed.touched.update(first for first, _ in owed)
        self._changed_tallies.update(self.tally)
        return statements


def cut_key(link: str) -> str:
    """Where it is kept how far a link is with a raw record."""
    return f"raw.{link}"
