"""A store file outlives releases: an old one opens, a newer one too where it says so."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import HELLO
from agent.store import LinkPolicy
from agent.store.migrations import FIRST, MIGRATIONS, READS_FROM
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS, Kit, kit

#: as 0.1 shipped it, word for word: what it wrote must open for ever
RELEASED = {
    "0.1": """
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
}
START = int(MONDAY) - 3600


def written_by_0_1(path: Path) -> None:
    """Ten rows, of which `city` owes the last seven; a message, a setting, a token, a counter."""
    fields = json.dumps([asdict(one) for one in AIR.fields])
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("PRAGMA page_size = 1024")
        base.executescript(RELEASED["0.1"])
        base.execute("PRAGMA user_version = 1")
        base.execute("INSERT INTO boot VALUES (1, 'before')")
        base.execute("INSERT INTO tbl VALUES (1, 'air', 10, 0, 0)")
        base.execute("INSERT INTO layout VALUES (1, 1, 1, ?, 60)", (fields,))
        rows = [
            (1 << 40 | seq, 1, 1, 60_000 * seq, START + 60 * seq, CELLS) for seq in range(1, 11)
        ]
        sql = "INSERT INTO row (id, layout, boot, mono_ms, start, cells) VALUES (?, ?, ?, ?, ?, ?)"
        base.executemany(sql, rows)
        base.execute("INSERT INTO message VALUES (1, -4, NULL, 1, 1000, ?, x'81a0')", (START,))
        base.execute("INSERT INTO link VALUES (1, 'city')")
        base.executemany("INSERT INTO owed VALUES (1, ?, ?, NULL)", [(0, 1), (1, 4)])
        base.execute("INSERT INTO setting VALUES ('fill/city', x'3630')")
        base.execute("INSERT INTO token (link, token, result) VALUES ('city', 7, 0)")
        base.execute("INSERT INTO tally VALUES ('lost', 3)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def newer(path: Path, clock: VirtualClock) -> Path:
    """A store to which a release that is yet to come has added whatever migrations may add."""
    with kit(path.parent, clock) as node:
        node.put(3)
        node.store.set_setting("before", b"1")
    with closing(sqlite3.connect(path)) as base, base:
        for table in ("boot", "tbl", "layout", "message", "link", "owed", "setting", "token"):
            base.execute(f"ALTER TABLE {table} ADD COLUMN later TEXT NOT NULL DEFAULT 'as made'")
        base.execute("ALTER TABLE row ADD COLUMN later BLOB")
        base.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
        base.execute("UPDATE tbl SET later = 'mine'")
        base.execute("UPDATE setting SET later = 'mine'")
        base.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    return path


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute(sql).fetchall()


def columns(base: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Table, column and type of everything."""
    sql = """SELECT m.name, c.name, c.type FROM sqlite_master AS m
        JOIN pragma_table_xinfo(m.name) AS c WHERE m.type = 'table'"""
    return set(base.execute(sql))


def test_a_store_of_0_1_opens_and_what_it_owes_goes_out(path: Path, clock: VirtualClock) -> None:
    written_by_0_1(path)
    node = Kit(path, clock)
    node.store.links({"city": LinkPolicy()})
    assert node.layout.id == 1
    assert [row.seq for _, row in node.store.rows("air")] == list(range(1, 11))
    assert node.store.counts().owed == {"city": 7}
    assert node.store.counts().lost == 3
    assert (node.store.boot, node.store.setting("fill/city")) == (2, b"60")
    assert node.store.link("city").result_of(7) == 0
    assert node.put() == [11]
    assert node.due().rows[0].seq == 11
    assert sorted(seq for frame in node.drain() for seq in frame) == list(range(4, 12))
    node.store.close()


def test_what_0_1_made_says_from_now_on_who_can_read_it(path: Path, clock: VirtualClock) -> None:
    written_by_0_1(path)
    Kit(path, clock).store.close()
    assert asked(path, "SELECT value FROM setting WHERE key = 'reads_from'") == [(b"1",)]
    assert asked(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_a_message_of_0_1_goes_out(path: Path, clock: VirtualClock) -> None:
    written_by_0_1(path)
    node = Kit(path, clock)
    node.store.links({"city": LinkPolicy(tables=frozenset())})
    message = node.due().message
    assert message is not None
    assert (message.kind, message.body) == (HELLO, b"\x81\xa0")
    node.store.close()


def test_the_first_migration_is_still_the_one_that_was_shipped() -> None:
    assert FIRST.split() == RELEASED["0.1"].split()


def test_migrations_only_add() -> None:
    with closing(sqlite3.connect(":memory:")) as base:
        for migrate in MIGRATIONS:
            before = columns(base)
            migrate(base.execute)
            assert before <= columns(base)
    assert 1 <= READS_FROM <= len(MIGRATIONS)


def test_the_release_before_works_with_a_newer_store_that_allows_it(
    newer: Path, clock: VirtualClock
) -> None:
    node = Kit(newer, clock)
    node.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    assert node.store.counts().owed == {"city": 3, "file": 0}
    node.later()
    assert node.put(2) == [4, 5]
    node.store.post(node.message())
    node.store.link("city").command(9, 0, b"\x82\x09\x00", settings={"before": b"2"})
    node.store.layout("deck", AIR, 60)
    assert sorted(seq for frame in node.drain() for seq in frame) == [1, 2, 3, 4, 5]
    node.store.retain()
    again = node.crash()
    again.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    assert again.kept() == [1, 2, 3, 4, 5]
    assert again.store.setting("before") == b"2"
    again.store.close()
    assert asked(newer, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


def test_what_a_newer_release_has_added_is_left_as_it_is(newer: Path, clock: VirtualClock) -> None:
    node = Kit(newer, clock)
    node.store.links({"city": LinkPolicy()})
    node.drain()
    node.store.set_setting("before", b"2")
    node.store._state.contents.changed(node.store._state.contents.tables[1])
    node.store.close()
    assert asked(newer, "SELECT later FROM tbl WHERE name = 'air'") == [("mine",)]
    assert asked(newer, "SELECT value, later FROM setting WHERE key = 'before'") == [(b"2", "mine")]


@pytest.mark.parametrize("readers", [None, b"%d" % (len(MIGRATIONS) + 1), b"many"])
def test_a_newer_store_that_does_not_allow_it_is_refused(
    newer: Path, clock: VirtualClock, readers: bytes | None
) -> None:
    with closing(sqlite3.connect(newer)) as base, base:
        base.execute("DELETE FROM setting WHERE key = 'reads_from'")
        if readers is not None:
            base.execute("INSERT INTO setting VALUES ('reads_from', ?, '')", (readers,))
    before = newer.read_bytes()
    with pytest.raises(OSError, match=f"version {len(MIGRATIONS) + 1} is newer than this software"):
        Kit(newer, clock)
    assert newer.read_bytes() == before
