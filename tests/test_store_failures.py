"""Damaged files, full disks, disks that take nothing: what the user sees; rows are kept."""

import logging
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.store import LinkPolicy, Resend
from agent.store.database import Damaged, Full, Refused, meaning
from agent.store.retention import make_room
from tests.conftest import MONDAY
from tests.durable.disk import Pages, Tmpfs, small_disk
from tests.durable.kit import AIR, Kit, kit
from tests.sure import sure


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [one.getMessage() for one in caplog.records if word in one.getMessage()]


def damage(node: Kit) -> None:
    """Overwrite everything behind the first page, as a dying card does."""
    file = node.store._file
    file.read("PRAGMA wal_checkpoint(TRUNCATE)")
    file.read("PRAGMA shrink_memory")
    size = node.store.path.stat().st_size
    with node.store.path.open("r+b") as raw:
        raw.seek(1024)
        raw.write(b"\xa5" * (size - 1024))


def aside(node: Kit) -> list[str]:
    names = (one.name for one in node.store.path.parent.glob("*.damaged-*"))
    return sorted(name for name in names if not name.endswith("-wal"))


# -- damage ---------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_set_aside_at_the_start(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store.db").write_bytes(b"\x17" * 5000)
    with kit(tmp_path, clock) as node:
        node.put(2)
        node.store.flush()
        assert aside(node) == ["store.db.damaged-20260105T080000Z"]
        assert node.kept() == [1, 2]
        assert lines(caplog, "state=damaged") == [
            f"store={node.store.path} state=damaged reason='file is not a database' "
            f"kept_as={node.store.path}.damaged-20260105T080000Z"
        ]
        batch = node.due()
        assert sure(batch.message).body == bytes([11, 0])


def test_boot_numbers_of_a_lost_file_do_not_come_again(tmp_path: Path, clock: VirtualClock) -> None:
    (tmp_path / "store.db").write_bytes(b"\x17" * 5000)
    with kit(tmp_path, clock) as node:
        assert node.store.boot == 1001


def test_damage_while_running_costs_what_was_kept_but_no_new_row(
    node: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(500)
    node.drain(most=400)
    node.put(1)
    node.store.set_setting("state", b"kept")
    node.store.link("city").command(5, 0, b"ack")
    damage(node)
    node.later()
    assert node.put(3) == [502, 503, 504]
    assert node.kept() == [502, 503, 504]
    assert len(aside(node)) == 1
    assert len(lines(caplog, "state=damaged")) == 1
    counts = node.store.counts()
    assert (counts.rows, counts.owed["city"]) == (3, 3)
    again = node.crash()
    assert again.store.boot == node.store.boot
    assert again.store.setting("state") == b"kept"
    assert again.store.link("city").result_of(5) == 0
    again.store.links({"city": LinkPolicy()})
    assert again.drain() == [[504, 503, 502]]
    assert again.store.counts().owed == {"city": 0}
    again.later()
    assert again.put() == [505]
    again.store.close()


def test_damage_that_a_link_meets_first_is_no_end_either(node: Kit) -> None:
    node.put(500)
    node.store.post(node.message())
    damage(node)
    assert node.store.link("city").next() is None
    node.later()
    assert node.put(1) == [501]
    assert node.drain() == [[501]]


def test_damage_met_by_housekeeping_or_at_the_start_is_no_end_either(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.put(500)
    damage(node)
    node.store.retain()
    node.store.flush()
    assert len(aside(node)) in (0, 1)
    node.put(1)
    for act in (
        lambda: node.store.links({"city": LinkPolicy()}),
        lambda: node.store.link("city").resend(Resend(AIR.number, 60, round(MONDAY), 10)),
    ):
        node.later()
        node.put(500)
        damage(node)
        act()
        node.later()
        seq = node.put(1)[0]
        assert seq in node.kept()


def test_a_second_damage_gets_a_second_name(node: Kit) -> None:
    for _ in range(2):
        node.put(300)
        damage(node)
        node.put(1)
    names = aside(node)
    assert len(names) == 2


def test_a_file_that_can_not_be_set_aside_is_said_and_rows_wait(
    node: Kit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(300)

    def no(*_: object) -> Path:
        raise OSError(30, "Read-only file system")

    damage(node)
    monkeypatch.setattr(node.store._file, "set_aside", no)
    node.later()
    node.put(3)
    assert node.store.counts().in_memory == 3
    assert len(lines(caplog, "state=refused")) == 1
    monkeypatch.undo()
    node.later()
    node.put(1)
    assert node.kept() == [301, 302, 303, 304]


def test_a_new_file_that_can_not_be_made_yet_is_made_later(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.put(300)
    damage(node)

    def no() -> None:
        raise Refused("unable to open database file")

    monkeypatch.setattr(node.store._file, "open", no)
    node.later()
    node.put(3)
    assert node.store.counts().in_memory == 3
    assert node.store.link("city").next() is None
    monkeypatch.undo()
    node.later()
    node.put(1)
    assert node.kept() == [301, 302, 303, 304]


def test_errors_mean_what_sqlite_says() -> None:
    def error(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
        made = kind("text")
        made.sqlite_errorcode = code
        return made

    assert isinstance(meaning(error(sqlite3.SQLITE_FULL)), Full)
    assert isinstance(meaning(error(sqlite3.SQLITE_IOERR_FSYNC)), Refused)
    assert isinstance(meaning(error(sqlite3.SQLITE_READONLY)), Refused)
    assert isinstance(meaning(error(sqlite3.SQLITE_CORRUPT, sqlite3.DatabaseError)), Damaged)
    assert isinstance(meaning(error(sqlite3.SQLITE_NOTADB, sqlite3.DatabaseError)), Damaged)
    mistake = sqlite3.ProgrammingError("a mistake of ours")
    assert meaning(mistake) is mistake


# -- full -----------------------------------------------------------------------------------------


@pytest.fixture(params=["tmpfs", "pages"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tmpfs | Pages]:
    with small_disk(tmp_path, tmpfs=request.param == "tmpfs") as made:
        if made is None:
            pytest.skip("a tmpfs cannot be mounted here: needs root")
        yield made


def test_a_full_disk_takes_new_rows_in_place_of_the_oldest_delivered(
    disk: Tmpfs | Pages, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with kit(disk.path, clock) as node:
        assert node.store._file.reserve.stat().st_size == 1_000_000
        node.put(3000)
        node.drain()
        disk.fill(node.store)
        node.later()
        node.put(2000)
        counts = node.store.counts()
        assert (counts.in_memory, counts.lost, counts.owed["city"]) == (0, 0, 2000)
        assert counts.dropped > 0
        assert node.kept() == list(range(counts.dropped + 1, 5001))
        assert not node.store._file.reserve.exists()
        assert not lines(caplog, "state=refused")
        frames = node.drain(most=400)
        assert sorted(seq for frame in frames for seq in frame) == list(range(3001, 5001))


def test_on_a_full_disk_rows_wait_in_memory_go_out_and_are_written_in_order_later(
    disk: Tmpfs | Pages, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with kit(disk.path, clock) as node:
        node.put(100)
        disk.fill(node.store)
        node.later()
        node.put(2000)
        node.store.post(node.message(b"alarm"))
        waiting = node.store.counts().in_memory
        assert waiting > 100
        assert len(lines(caplog, "state=refused")) == 1
        assert "rows_kept_in_memory=10000" in lines(caplog, "state=refused")[0]
        assert sure(node.due().message).body == b"alarm"
        frames = node.drain(most=500)
        assert sorted(seq for frame in frames for seq in frame) == list(range(1, 2101))
        disk.free(node.store)
        node.later()
        node.put(1)
        assert node.store.counts().in_memory == 0
        assert node.store.counts().lost == 0
        assert lines(caplog, "state=ok") == [f"store={node.store.path} state=ok"]
        kept = node.kept()
        assert kept == list(range(kept[0], 2102))
        again = node.crash()
        again.store.links({"city": LinkPolicy()})
        assert again.drain() == [[2101]]
        again.store.close()


@pytest.mark.no_cover
def test_when_memory_is_half_full_too_the_oldest_undelivered_rows_go(
    disk: Tmpfs | Pages, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.writer.IN_MEMORY", 1000)
    with kit(disk.path, clock) as node:
        node.put(2000)
        disk.fill(node.store)
        node.later()
        node.put(3000)
        counts = node.store.counts()
        assert counts.in_memory <= 500
        assert counts.lost > 0
        assert node.kept() == list(range(counts.lost + 1, 5001 - counts.in_memory))


def test_the_reserve_comes_back_where_there_is_room(node: Kit) -> None:
    node.store._file.reserve.unlink()
    node.store.retain()
    assert node.store._file.reserve.stat().st_size == 1_000_000


def test_a_store_opens_on_a_full_disk(clock: VirtualClock, tmp_path: Path) -> None:
    with small_disk(tmp_path, tmpfs=True) as disk:
        if not isinstance(disk, Tmpfs):
            pytest.skip("a tmpfs cannot be mounted here: needs root")
        with kit(tmp_path, clock) as node:
            node.put(100)
            node.drain()
            node.store.close()
            disk.fill(node.store)
            again = Kit(node.store.path, VirtualClock(clock.system_utc()))
            again.store.links({"city": LinkPolicy()})
            again.later()
            again.put(100)
            counts = again.store.counts()
            assert (counts.lost, counts.owed["city"]) == (0, 100)
            again.store.close()


# -- a disk that takes nothing --------------------------------------------------------------------


def test_a_disk_that_turns_read_only_stops_nothing(
    node: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(5)
    node.store._file.read("PRAGMA query_only = ON")
    node.later()
    assert node.put(5) == [6, 7, 8, 9, 10]
    node.store.flush()
    node.store.retain()
    assert node.store.date() == 0
    assert len(lines(caplog, "state=refused")) == 1
    assert node.store.counts().in_memory == 5
    frames = node.drain()
    assert sorted(seq for frame in frames for seq in frame) == list(range(1, 11))
    node.store._file.read("PRAGMA query_only = OFF")
    node.store.flush()
    assert node.kept() == list(range(1, 11))
    assert node.store.counts().in_memory == 0


def test_write_errors_stop_nothing(node: Kit, caplog: pytest.LogCaptureFixture) -> None:
    node.put(5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        node.later()
        node.put(5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert node.store.counts().in_memory == 5
    assert lines(caplog, "reason='disk I/O error'")
    node.later()
    node.put(1)
    assert node.kept() == list(range(1, 12))


def test_memory_has_a_bound_and_the_oldest_rows_go_first(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.writer.IN_MEMORY", 10)
    node.put(2)
    node.store._file.read("PRAGMA query_only = ON")
    node.store.new_event = None
    layout = node.store.layout("deck", AIR, 600)
    for _ in range(15):
        node.later()
        node.store.put(node.layout, node.row(), [node.message(b"alarm")])
    node.store.put(layout, node.row(layout))
    counts = node.store.counts()
    assert (counts.in_memory, counts.lost, counts.rows) == (9, 7, 11)
    node.store._file.read("PRAGMA query_only = OFF")
    node.store.flush()
    assert node.kept() == [1, 2, *range(10, 18)]
    assert len(node.kept("deck")) == 1
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store.counts().rows == 11
    assert again.store.counts().lost == 7
    assert again.store.counts().messages == {"city": 8}
    again.store.close()


def test_settings_and_layouts_are_written_when_the_disk_is_back(node: Kit) -> None:
    node.store._file.read("PRAGMA query_only = ON")
    deck = node.store.layout("deck", AIR, 600)
    node.store.set_setting("key", b"value")
    node.put(1, deck)
    assert node.store.setting("key") == b"value"
    node.store._file.read("PRAGMA query_only = OFF")
    node.store.flush()
    again = node.crash()
    assert again.store.setting("key") == b"value"
    assert [layout for layout, _ in again.store.rows("deck")] == [deck]
    again.store.close()


def test_what_was_acknowledged_out_of_memory_and_then_lost_hides_no_new_row(node: Kit) -> None:
    node.put(3)
    node.store._file.read("PRAGMA query_only = ON")
    node.later()
    node.put(3)
    node.drain()
    owed = node.store._state.outboxes["city"].pending[1]
    assert next(iter(owed))[0] == 7
    node.store._file.read("PRAGMA query_only = OFF")
    node.store._file.write([("UPDATE owed SET first = 7 WHERE tbl = 1", ())])
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    again.later()
    assert again.put(1) == [4]
    assert again.drain() == [[4]]
    again.store.close()


def test_a_failed_drop_is_taken_back(node: Kit) -> None:
    node.put(5)
    node.later(86_400)
    node.ack(node.due(), most=2)
    node.store._file.read("PRAGMA query_only = ON")
    before = node.store.counts()
    with pytest.raises(Refused):
        node.store._writer.drop(sure(make_room(node.store._state)))
    assert node.store.counts() == before


def test_everything_is_quiet_while_all_is_well(node: Kit, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        node.put(3)
        node.drain()
        node.store.flush()
        node.store.retain()
    assert caplog.records == []
