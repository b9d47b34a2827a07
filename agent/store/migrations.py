"""The form of the store's file, and how an older one is brought to it, version by version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def _first(run: Callable[[str], Any]) -> None:
    """Version 0 -> 1: everything."""
    for statement in FIRST.split(";"):
        run(statement)


FIRST = """
CREATE TABLE boot (id INTEGER PRIMARY KEY, machine TEXT NOT NULL UNIQUE);
CREATE TABLE tbl (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL, dropped INTEGER NOT NULL, thinned INTEGER NOT NULL);
CREATE TABLE layout (id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, number INTEGER NOT NULL,
    fields TEXT NOT NULL, interval_s INTEGER NOT NULL);
CREATE TABLE row (id INTEGER PRIMARY KEY, layout INTEGER NOT NULL,
    boot INTEGER NOT NULL, mono_ms INTEGER NOT NULL, start INTEGER,
    lost INTEGER NOT NULL DEFAULT 0, cells BLOB NOT NULL,
    tbl INTEGER AS (id >> 40), seq INTEGER AS (id & 1099511627775));
CREATE INDEX row_start ON row (tbl, start) WHERE start IS NOT NULL;
CREATE INDEX row_undated ON row (boot, tbl) WHERE start IS NULL AND lost = 0;
CREATE TABLE message (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, link TEXT,
    boot INTEGER NOT NULL, mono_ms INTEGER NOT NULL, start INTEGER, body BLOB NOT NULL);
CREATE TABLE link (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE owed (link INTEGER NOT NULL, tbl INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER, PRIMARY KEY (link, tbl, first)) WITHOUT ROWID;
CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE token (id INTEGER PRIMARY KEY, link TEXT NOT NULL, token INTEGER NOT NULL,
    result INTEGER NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID
"""


def _downlink_bytes(run: Callable[[str], Any]) -> None:
    """Version 1 -> 2: a downlink is known by its bytes and for days, not by its token alone."""
    run("ALTER TABLE token ADD COLUMN digest BLOB NOT NULL DEFAULT x''")
    run("ALTER TABLE token ADD COLUMN at INTEGER NOT NULL DEFAULT 0")
    run("UPDATE token SET at = CAST(strftime('%s', 'now') AS INTEGER)")


def _dates(run: Callable[[str], Any]) -> None:
    """Version 2 -> 3: which clock dated which rows, and whose slot a later row has."""
    for statement in DATES.split(";"):
        run(statement)


DATES = """
CREATE TABLE dated (tbl INTEGER NOT NULL, first INTEGER NOT NULL, boot INTEGER NOT NULL,
    source TEXT, offset_ms INTEGER, PRIMARY KEY (tbl, first)) WITHOUT ROWID;
CREATE TABLE reckoning (boot INTEGER PRIMARY KEY, source TEXT NOT NULL,
    offset_ms INTEGER NOT NULL);
CREATE TABLE yielded (tbl INTEGER NOT NULL, seq INTEGER NOT NULL, start INTEGER NOT NULL,
    PRIMARY KEY (tbl, seq)) WITHOUT ROWID;
CREATE INDEX yielded_start ON yielded (tbl, start)
"""

#: from version 0 on; from now on they only add (tables, columns with a default, indices), so that
#: the release before can work with the file. Statements name their columns for the same reason.
MIGRATIONS: Sequence[Callable[[Callable[[str], Any]], None]] = [_first, _downlink_bytes, _dates]
READS_FROM = 1  #: user_version of the oldest software that can work with a file of today's form
