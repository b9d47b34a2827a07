"""The lines of the store's file that are written now and then, and what makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from agent.model.batch import Layout, Message
from agent.store.database import MOST_SEQ, SEQ_BITS, Statement
from agent.store.pending import FOREVER, PendingRanges
from agent.store.spacing import Record

# columns by name, and lines changed in place: newer software may have added columns of its own
TABLE = """INSERT INTO tbl (id, name, last, dropped, thinned) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
    last = excluded.last, dropped = excluded.dropped, thinned = excluded.thinned"""
LAYOUT = """INSERT OR IGNORE INTO layout (id, tbl, number, fields, interval_s)
    VALUES (?, ?, ?, ?, ?)"""
MESSAGE = """INSERT INTO message (seq, kind, link, boot, mono_ms, start, body)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
RANGE = """INSERT INTO owed (link, tbl, first, last) VALUES (?, ?, ?, ?)
    ON CONFLICT (link, tbl, first) DO UPDATE SET last = excluded.last"""
SETTING = """INSERT INTO setting (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
TOKEN = "INSERT INTO token (link, token, digest, result, at) VALUES (?, ?, ?, ?, ?)"
TALLY = """INSERT INTO tally (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""


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


def put_table(one: Table) -> Statement:
    """Write a table's own line."""
    values = (one.id, one.name, one.last, one.dropped, one.thinned)
    return TABLE, values


def put_layout(one: Layout, owner: Table) -> Statement:
    """Write a layout."""
    fields = json.dumps([asdict(field) for field in one.schema.fields])
    values = (one.id, owner.id, one.schema.number, fields, one.interval_s)
    return LAYOUT, values


def put_setting(key: str, value: bytes) -> Statement:
    """Write a setting."""
    return SETTING, (key, value)


def put_token(link: str, number: int, digest: bytes, result: int, at: int) -> Statement:
    """Write what came of a downlink at unix second `at`."""
    return TOKEN, (link, number, digest, result, at)


def delete_token(link: str, number: int, digest: bytes) -> Statement:
    """Forget a downlink."""
    sql = "DELETE FROM token WHERE link = ? AND token = ? AND digest = ?"
    return sql, (link, number, digest)


def put_ranges(link: int, table: int, ranges: PendingRanges) -> Sequence[Statement]:
    """Write those ranges that changed."""
    statements: list[Statement] = []
    for first in ranges.touched:
        last = ranges.last_of(first)
        if last is None:
            sql = "DELETE FROM owed WHERE link = ? AND tbl = ? AND first = ?"
            statements.append((sql, (link, table, first)))
        else:
            end = None if last == FOREVER else last
            statements.append((RANGE, (link, table, first, end)))
    return statements


def delete_link(number: int) -> list[Statement]:
    """Delete a link and all that is pending there."""
    return [
        ("DELETE FROM owed WHERE link = ?", (number,)),
        ("DELETE FROM link WHERE id = ?", (number,)),
    ]


def put_link(number: int, name: str) -> Statement:
    """Write a link."""
    return "INSERT OR IGNORE INTO link (id, name) VALUES (?, ?)", (number, name)


def put_boot(number: int, machine: str) -> Statement:
    """Write a start of the machine."""
    return "INSERT OR IGNORE INTO boot (id, machine) VALUES (?, ?)", (number, machine)


def put_message(one: Message, to: str | None) -> Statement:
    """Write a message for one link or for all."""
    seq, kind, at_boot, mono_ms, start, body = one
    values = (seq, kind, to, at_boot, mono_ms, start, body)
    return MESSAGE, values


def put_tally(name: str, value: int) -> Statement:
    """Write a counter."""
    return TALLY, (name, value)
