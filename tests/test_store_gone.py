"""A store that is removed or replaced under the running node: noticed, said, begun anew."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.store import LinkPolicy
from agent.store.reader import Reader
from tests.durable.kit import Kit, kit


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


def test_a_removed_store_is_begun_anew_with_the_rows_in_hand(
    node: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(5)
    node.drain()
    node.later()
    node.put(3)
    node.store.post(node.message(b"\x05\x05"))
    node.store.set_setting("state", b"kept")
    node.store.path.unlink()
    node.later()
    assert node.put() == [9]
    node.store.flush()
    assert "removed or replaced" in caplog.text
    assert node.kept() == [6, 7, 8, 9]
    counts = node.store.counts()
    assert (counts.owed["city"], counts.lost, counts.rows, counts.in_memory) == (4, 0, 4, 0)
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store.setting("state") == b"kept"
    assert again.store.boot == node.store.boot
    bodies = []
    while (batch := again.store.link("city").next()) is not None and batch.message:
        bodies.append(batch.message.body)
        again.ack(batch)
    assert bodies == [b"\x05\x05", bytes([11, 0])]
    assert sorted(seq for frame in again.drain() for seq in frame) == [6, 7, 8, 9]
    assert again.put() == [10]
    again.store.close()


def test_a_store_that_is_copied_over_is_set_aside_untouched(
    node: Kit, tmp_path: Path, clock: VirtualClock
) -> None:
    other = Kit(tmp_path / "other.db", clock)
    other.put(7)
    other.store.close()
    node.put(3)
    shutil.copy(tmp_path / "other.db", tmp_path / "new.db")
    (tmp_path / "new.db").rename(node.store.path)
    node.store.flush()
    (aside,) = tmp_path.glob("store.db.foreign-*")
    with closing(sqlite3.connect(aside)) as store:
        assert store.execute("SELECT count(*) FROM row").fetchone() == (7,)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert node.kept() == [1, 2, 3]
    node.later()
    assert node.put() == [4]


def test_a_store_moved_away_with_its_log_is_whole_where_it_is_now(
    node: Kit, tmp_path: Path
) -> None:
    node.put(3)
    away = tmp_path / "away"
    away.mkdir()
    for name in ("store.db", "store.db-wal"):
        (tmp_path / name).rename(away / name)
    node.store.flush()
    assert node.kept() == [1, 2, 3]
    with closing(sqlite3.connect(away / "store.db")) as store:
        assert store.execute("SELECT count(*) FROM row").fetchone() == (3,)


def test_while_a_removed_store_cannot_be_begun_anew_its_rows_wait(
    node: Kit, tmp_path: Path
) -> None:
    node.put(3)
    home, away = tmp_path / "home", tmp_path / "away"
    node.store.close()
    home.mkdir()
    other = Kit(home / "store.db", node.clock)
    other.store.links({"city": LinkPolicy()})
    other.put(3)
    home.rename(away)
    home.symlink_to("nowhere")
    other.store.flush()
    other.later()
    other.put(2)
    assert other.store.counts().in_memory == 5
    home.unlink()
    home.mkdir()
    other.store.flush()
    assert other.kept() == [1, 2, 3, 4, 5]
    assert other.store.counts().in_memory == 0
    other.store.close()


def test_a_file_in_place_is_left_alone(node: Kit, caplog: pytest.LogCaptureFixture) -> None:
    node.put(3)
    for _ in range(5):
        node.store.flush()
    assert not caplog.records


def test_a_store_copied_without_its_log_is_told_in_words(
    node: Kit, tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(3)
    copy = tmp_path / "copy" / "store.db"
    copy.parent.mkdir()
    shutil.copy(node.store.path, copy)
    for _ in range(2):  # the first to read makes an empty log
        with pytest.raises(OSError, match=r"its rows are in store\.db-wal: copy both"):
            list(Reader(copy).rows("air"))
    copied = Kit(copy, clock)
    assert "its rows are in store.db-wal: copy both" in caplog.text
    copied.put(1)
    copied.store.close()
    caplog.clear()
    whole = Kit(copy, clock)  # closed in order: there is no log, and none is missing
    assert whole.kept() == [1]
    whole.store.close()
    assert not caplog.records
