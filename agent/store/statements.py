"""The lines of the store's file that are written now and then, and what makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from agent.model.batch import Layout, Message
from agent.store.database import MOST_SEQ, SEQ_BITS, Statement
from agent.store.pending import FOREVER, PendingRanges
from agent.store.spacing import Record


@dataclass(slots=True)
class Table:
    """One table of the node."""

    id: int
    name: str
    last: int = 0  #: sequence number of its newest row
    dropped: int = 0  #: rows that were kept once and are no more
    thinned: int = 0  #: rows up to here are as thin as they get
    newest_start: int | None = None
    waiting: dict[int, Record] = field(default_factory=dict)  #: rows that wait for the disk

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return self.last - self.dropped


@dataclass(frozen=True, slots=True)
class Resend:
    """Rows that are wanted once more: `count` slots from the one that began at `first_start`."""

    number: int  #: schema
    interval_s: int
    first_start: int
    count: int


def row_ids(table: int, first: int, last: int) -> tuple[int, int]:
    """Between which ids the rows first..last of a table lie."""
    return table << SEQ_BITS | max(first, 0), table << SEQ_BITS | min(last, MOST_SEQ)


def table(one: Table) -> Statement:
    """Write a table's own line."""
    values = (one.id, one.name, one.last, one.dropped, one.thinned)
    return "INSERT OR REPLACE INTO tbl VALUES (?, ?, ?, ?, ?)", values


def layout(one: Layout, owner: Table) -> Statement:
    """Write a layout."""
    fields = json.dumps([asdict(field) for field in one.schema.fields])
    values = (one.id, owner.id, one.schema.number, fields, one.interval_s)
    return "INSERT OR IGNORE INTO layout VALUES (?, ?, ?, ?, ?)", values


def setting(key: str, value: bytes) -> Statement:
    """Write a setting."""
    return "INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value)


def token(link: str, number: int, result: int) -> Statement:
    """Write what came of a downlink."""
    return "INSERT INTO token (link, token, result) VALUES (?, ?, ?)", (link, number, result)


def owed(link: int, table: int, ranges: PendingRanges) -> Sequence[Statement]:
    """Write those ranges that changed."""
    statements: list[Statement] = []
    for first in ranges.touched:
        last = ranges.last_of(first)
        if last is None:
            sql = "DELETE FROM owed WHERE link = ? AND tbl = ? AND first = ?"
            statements.append((sql, (link, table, first)))
        else:
            end = None if last == FOREVER else last
            sql = "INSERT OR REPLACE INTO owed VALUES (?, ?, ?, ?)"
            statements.append((sql, (link, table, first, end)))
    return statements


def no_link(number: int) -> list[Statement]:
    """Delete a link and all that is pending there."""
    return [
        ("DELETE FROM owed WHERE link = ?", (number,)),
        ("DELETE FROM link WHERE id = ?", (number,)),
    ]


def link(number: int, name: str) -> Statement:
    """Write a link."""
    return "INSERT OR IGNORE INTO link VALUES (?, ?)", (number, name)


def boot(number: int, machine: str) -> Statement:
    """Write a start of the machine."""
    return "INSERT OR IGNORE INTO boot VALUES (?, ?)", (number, machine)


def message(one: Message, to: str | None) -> Statement:
    """Write a message for one link or for all."""
    seq, kind, at_boot, mono_ms, start, body = one
    values = (seq, kind, to, at_boot, mono_ms, start, body)
    return "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", values


def tally(name: str, value: int) -> Statement:
    """Write a counter."""
    return "INSERT OR REPLACE INTO tally VALUES (?, ?)", (name, value)
