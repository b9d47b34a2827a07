"""Reading rows beside the running node: an own read-only connection, short transactions."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.model.batch import Layout, Row
from agent.model.schema import Field, Schema
from agent.store.database import MOST_SEQ
from agent.store.on_disk import LACKS_LOG, lacks_log
from agent.store.statements import row_ids

ROWS = 1000  #: per transaction

DATED = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE tbl = ? AND (start, id) > (?, ?) AND start <= ? ORDER BY start, id LIMIT ?"""
ALL = """SELECT seq, boot, mono_ms, start, cells, layout FROM row
    WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"""


class Reader:
    """The rows of a store file. Opens it for each question; raises OSError if it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def layouts(self) -> dict[int, Layout]:
        """Every layout the store has known, by its number."""
        sql = """SELECT layout.id, tbl.name, number, fields, interval_s
            FROM layout JOIN tbl ON tbl.id = layout.tbl ORDER BY layout.id"""
        return {
            number: Layout(number, table, schema_of(schema, fields), interval_s)
            for number, table, schema, fields, interval_s in self._read(sql)
        }

    def rows(
        self, table: str, first_start: int | None = None, last_start: int | None = None
    ) -> Iterator[tuple[Layout, Row]]:
        """Rows of a table whose slots began between both unix seconds, in order of time.

        Without both: all rows, undated ones too, in the order in which they came.
        """
        layouts = self.layouts()
        owner = self._read("SELECT id FROM tbl WHERE name = ?", table)
        if not owner:
            return
        everything = first_start is None and last_start is None
        first, newest = row_ids(owner[0][0], 0, MOST_SEQ)
        start, after = (first_start or 0) - 1, first if everything else newest
        last = 2**62 if last_start is None else last_start
        while True:
            if everything:
                found = self._read(ALL, after, newest, ROWS)
            else:
                found = self._read(DATED, owner[0][0], start, after, last, ROWS)
            for record in found:
                yield layouts[record[5]], Row._make(record[:5])
            if len(found) < ROWS:
                return
            after, start = row_ids(owner[0][0], found[-1][0], MOST_SEQ)[0], found[-1][3]

    def _read(self, sql: str, *values: Any) -> list[Any]:
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise OSError(errno.EIO, words(error, self.path), str(self.path)) from error


def words(error: sqlite3.Error, path: Path) -> str:
    """What is wrong with the file, for people."""
    if lacks_log(path):
        return LACKS_LOG.format(path.name)
    if "no such table" in str(error) or "not a database" in str(error):
        return "is no store of a node"
    return f"cannot be read: {error}"


def schema_of(number: int, fields: str) -> Schema:
    """A schema as the store keeps it."""
    return Schema(number, tuple(Field(**one) for one in json.loads(fields)))
