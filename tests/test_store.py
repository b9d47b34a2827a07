"""The store: rows, layouts, links, messages, settings, downlinks, export, restarts."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import ACK, HELLO, Delivered, Layout, Row
from agent.store import LinkPolicy, Resend, Store
from agent.store.database import Statement
from agent.store.migrations import MIGRATIONS
from agent.store.reader import Reader
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS, DECK, Kit, kit
from tests.sure import sure


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


# -- the file -------------------------------------------------------------------------------------


def test_the_file_is_made_for_power_cuts_and_cards(node: Kit) -> None:
    asked = {
        name: node.store._file.read(f"PRAGMA {name}")[0][0]
        for name in ("journal_mode", "synchronous", "page_size", "journal_size_limit")
    }
    assert asked == {
        "journal_mode": "wal",
        "synchronous": 2,
        "page_size": 1024,
        "journal_size_limit": 4_000_000,
    }
    assert node.store._file.read("PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_a_file_of_a_newer_version_is_refused_and_left_alone(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(OSError, match="version 99 is newer than this software"):
        Store(path, clock).open()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["store.db", "store.db.lock"]


def test_a_place_that_cannot_be_written_is_said_at_the_start(clock: VirtualClock) -> None:
    with pytest.raises(OSError, match=r"store\.db: unable to open"):
        Store(Path("/proc/self/store.db"), clock).open()


def test_constructing_a_store_touches_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    Store(tmp_path / "sub" / "store.db", clock)
    assert not list(tmp_path.iterdir())


def test_closing_twice_does_no_harm(node: Kit) -> None:
    node.store.close()
    node.store.close()


# -- rows and layouts -----------------------------------------------------------------------------


def test_rows_are_numbered_from_one_and_come_back_as_they_were(node: Kit) -> None:
    row = node.row()
    assert node.store.put(node.layout, row) == 1
    assert list(node.store.rows("air")) == [(node.layout, row._replace(seq=1))]


def test_numbers_go_on_after_a_restart(node: Kit) -> None:
    assert node.put(3) == [1, 2, 3]
    again = node.crash()
    again.later()
    assert again.put() == [4]
    again.store.close()


def test_each_table_counts_for_itself(node: Kit) -> None:
    deck = node.store.layout("deck", DECK, 600)
    assert node.put(2) == [1, 2]
    assert node.put(2, deck) == [1, 2]


def test_the_same_columns_and_interval_are_one_layout(node: Kit) -> None:
    assert node.store.layout("air", AIR, 60) is node.layout
    other = node.store.layout("air", AIR, 10)
    assert other.id != node.layout.id
    again = node.crash()
    assert again.store.layout("air", AIR, 10) == other
    assert again.layout == node.layout
    again.store.close()


def test_old_rows_keep_their_layout(node: Kit) -> None:
    node.put()
    faster = node.store.layout("air", AIR, 10)
    node.later()
    node.put(1, faster)
    assert [layout for layout, _ in node.store.rows("air")] == [node.layout, faster]


def test_state_is_written_with_its_row(node: Kit) -> None:
    node.store.put(node.layout, node.row(), settings={"rainflow/deck": b"\x01\x02"})
    node.store.set_setting("other", b"x")
    again = node.crash()
    assert again.store.setting("rainflow/deck") == b"\x01\x02"
    assert again.store.setting("other") == b"x"
    assert again.store.setting("nothing") is None
    again.store.close()


def test_the_newest_start_of_a_table_is_known(node: Kit) -> None:
    assert node.store.newest_start("air") is None
    assert node.store.newest_start("nothing") is None
    node.put(3)
    assert node.store.newest_start("air") == MONDAY + 120
    again = node.crash()
    assert again.store.newest_start("air") == MONDAY + 120
    again.store.close()


# -- boots ----------------------------------------------------------------------------------------


def test_a_restarted_process_goes_on_with_the_boot(node: Kit, clock: VirtualClock) -> None:
    assert node.store.boot == 1
    again = node.crash()
    assert again.store.boot == 1
    after_power_cut = again.crash(VirtualClock(MONDAY + 3600))
    assert after_power_cut.store.boot == 2
    after_power_cut.store.close()


# -- links ----------------------------------------------------------------------------------------


def test_a_new_link_owes_from_now_on(node: Kit) -> None:
    node.put(3)
    node.store.post(node.message())
    node.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    assert node.store.counts().owed == {"city": 3, "file": 0}
    assert node.store.counts().messages == {"city": 1, "file": 0}
    node.later()
    node.put()
    assert node.store.counts().owed == {"city": 4, "file": 1}


def test_ranges_of_a_removed_link_are_deleted_and_that_is_logged(
    node: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(3)
    again = node.crash()
    again.store.links({"file": LinkPolicy()})
    assert "link=city state=removed" in caplog.text
    assert again.store._file.read("SELECT DISTINCT link FROM owed") == [(2,)]
    again.store.links({"city": LinkPolicy()})
    assert again.store.counts().owed == {"city": 0}
    again.store.close()


def test_a_link_carries_only_its_tables(node: Kit) -> None:
    deck = node.store.layout("deck", DECK, 600)
    node.store.links({"city": LinkPolicy(tables=frozenset({"deck"}), messages=False)})
    node.put(2)
    node.put(1, deck)
    node.store.post(node.message())
    assert node.store.counts().owed_rows == {("city", "deck"): 1}
    assert node.store.counts().messages == {"city": 0}


def test_a_table_that_is_carried_no_longer_is_not_owed(
    node: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    node.put(3)
    node.store.links({"city": LinkPolicy(tables=frozenset())})
    assert node.store.counts().owed == {"city": 0}
    assert "link=city table=air state=removed" in caplog.text
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    again.later()
    again.put()
    assert again.store.counts().owed == {"city": 1}
    again.store.close()


def test_a_table_that_comes_later_is_owed_from_its_first_row(node: Kit) -> None:
    deck = node.store.layout("deck", DECK, 600)
    node.put(1, deck)
    assert node.store.counts().owed_rows == {("city", "air"): 0, ("city", "deck"): 1}


def test_what_is_acknowledged_survives_a_restart_once_flushed(node: Kit) -> None:
    node.put(3)
    assert node.send() == [3, 2, 1]
    node.store.flush()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store.link("city").next() is None
    again.store.close()


def test_a_crash_before_the_flush_only_repeats(node: Kit) -> None:
    node.put(3)
    node.send()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.send() == [3, 2, 1]
    again.store.close()


def test_the_next_row_takes_acknowledgements_with_it(node: Kit) -> None:
    node.put(3)
    node.send()
    node.later()
    node.put()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.send() == [4]
    again.store.close()


def test_closing_takes_acknowledgements_with_it(node: Kit) -> None:
    node.put()
    node.send()
    node.store.close()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store.link("city").next() is None
    again.store.close()


def test_a_row_is_written_and_nothing_else(node: Kit) -> None:
    node.put(2)
    written: list[Statement] = []
    node.store._file.write = written.extend  # type: ignore[method-assign,assignment]
    node.later()
    node.put()
    assert [sql.split()[2] for sql, _ in written] == ["row"]


def test_new_rows_wake_the_links(node: Kit) -> None:
    wake = threading.Event()
    node.store.wakes.append(wake)
    node.put()
    assert wake.is_set()
    wake.clear()
    node.store.post(node.message())
    assert wake.is_set()


# -- messages -------------------------------------------------------------------------------------


def test_a_message_is_owed_until_it_is_acknowledged(node: Kit) -> None:
    message = node.message(b"hello", HELLO)
    seq = node.store.post(message)
    batch = node.due()
    assert batch is not None
    assert batch.message == message._replace(seq=seq)
    assert (batch.priority, batch.kind, batch.boot) == ("message", HELLO, 1)
    node.ack(batch)
    assert node.store.link("city").next() is None


def test_messages_survive_a_restart(node: Kit) -> None:
    node.store.post(node.message(b"one"))
    node.store.post(node.message(b"two"))
    node.send()
    node.store.flush()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    batch = again.due()
    assert batch is not None
    assert batch.message is not None
    assert batch.message.body == b"two"
    again.store.close()


def test_events_are_written_with_their_row(node: Kit) -> None:
    node.store.put(node.layout, node.row(), [node.message(b"alarm")])
    batch = node.due()
    assert batch is not None
    assert batch.priority == "alarm"


def test_a_message_for_one_link_is_owed_by_that_one(node: Kit) -> None:
    node.store.links({"a": LinkPolicy(), "b": LinkPolicy(), "c": LinkPolicy(messages=False)})
    node.store.post(node.message(), "a")
    node.store.post(node.message(), "c")
    assert node.store.counts().messages == {"a": 1, "b": 0, "c": 1}
    again = node.crash()
    again.store.links({"a": LinkPolicy(), "b": LinkPolicy(), "c": LinkPolicy(messages=False)})
    assert again.store.counts().messages == {"a": 1, "b": 0, "c": 1}
    assert again.send("a") == [1]
    assert again.send("b") == []
    assert again.send("c") == [2]
    again.store.close()


def test_ten_thousand_messages_are_kept_delivered_ones_go_first(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.retention.MOST_MESSAGES", 20)
    monkeypatch.setattr("agent.store.retention.SLACK", 2)
    for _ in range(8):
        node.store.post(node.message())
    for _ in range(5):
        node.send()
    for _ in range(15):
        node.store.post(node.message())
    node.store.retain()
    kept = [seq for (seq,) in node.store._file.read("SELECT seq FROM message")]
    assert kept == list(range(6, 24))
    for _ in range(10):
        node.store.post(node.message())
    node.store.retain()
    kept = [seq for (seq,) in node.store._file.read("SELECT seq FROM message")]
    assert kept == list(range(16, 34))
    assert node.store._state.ledger.tally["lost_messages"] == 10
    assert node.send() == [16]


# -- downlinks ------------------------------------------------------------------------------------


def test_a_downlink_leaves_effect_result_and_acknowledgement_in_one_transaction(
    node: Kit,
) -> None:
    writes: list[list[Statement]] = []
    write = node.store._file.write

    def spy(statements: Sequence[Statement]) -> None:
        made = list(statements)
        writes.append(made)
        write(made)

    node.put(3)
    node.drain()
    node.store._file.write = spy  # type: ignore[method-assign]
    again = Resend(AIR.number, 60, round(MONDAY), 2)
    node.store.link("city").command(7, 0, b"ack", {"k": b"v"}, [node.message(b"", HELLO)], again)
    assert len(writes) == 1
    assert node.store.link("city").result_of(7) == 0
    assert node.store.setting("k") == b"v"
    assert node.store.counts().owed == {"city": 2}
    kinds = [sure(node.store._state.contents.message(seq)).kind for seq in (1, 2)]
    assert kinds == [ACK, HELLO]


def test_a_repeat_only_gets_its_acknowledgement_and_other_bytes_are_another_downlink(
    node: Kit,
) -> None:
    link, hello = node.store.link("city"), [node.message(b"", HELLO)]
    link.command(7, 0, b"ack", {"k": b"first"}, digest=b"one")
    link.command(7, 0, b"ack", {"k": b"second"}, hello, digest=b"one")
    assert node.store.setting("k") == b"first"
    assert node.store.counts().messages == {"city": 2}
    assert link.result_of(7, b"other") is None
    link.command(7, 2, b"ack", digest=b"other")
    assert (link.result_of(7, b"one"), link.result_of(7, b"other")) == (0, 2)


def test_acknowledgements_go_to_the_asking_link_only(node: Kit) -> None:
    node.store.links({"a": LinkPolicy(), "b": LinkPolicy(messages=False)})
    node.store.link("b").command(1, 3, b"ack")
    assert node.store.counts().messages == {"a": 0, "b": 1}
    assert node.store.link("a").result_of(1) is None


DAY_S = 86_400


def test_results_are_kept_for_a_week_and_at_least_the_last_hundred(node: Kit) -> None:
    node.store.links({"a": LinkPolicy(), "b": LinkPolicy()})
    node.store.link("b").command(0, 2, b"", digest=b"old")
    for token in range(150):
        node.store.link("a").command(token, 0, b"", digest=b"old")
    node.later(6.9 * DAY_S)
    node.store.link("a").command(0, 0, b"", digest=b"6 days later")
    assert node.store.link("a").result_of(0, b"old") == 0
    node.later(0.2 * DAY_S)
    for token in range(20):
        node.store.link("a").command(token, 0, b"", digest=b"a week later")
    again = node.crash()
    kept = [token for token in range(150) if again.store.link("a").result_of(token, b"old") == 0]
    assert kept == list(range(71, 150))
    assert again.store.link("a").result_of(0, b"6 days later") == 0
    assert again.store.link("b").result_of(0, b"old") == 2
    assert again.store._file.read("SELECT count(*) FROM token") == [(101,)]
    again.store.close()


def test_refused_downlinks_push_no_others_out(node: Kit) -> None:
    link = node.store.link("city")
    link.command(7, 0, b"", digest=b"done")
    for token in range(300):
        link.command(token, 1, b"", digest=b"refused")
    again = node.crash()
    link = again.store.link("city")
    assert link.result_of(7, b"done") == 0
    assert (link.result_of(199, b"refused"), link.result_of(200, b"refused")) == (None, 1)
    assert again.store._file.read("SELECT count(*) FROM token") == [(101,)]
    again.store.close()


def test_a_thousand_downlinks_in_a_day_are_all_known_and_no_more_than_the_most_are_kept(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = node.store.link("city")
    for token in range(1000):
        link.command(token, 0, b"", digest=b"x")
    assert all(link.result_of(token, b"x") == 0 for token in range(1000))
    monkeypatch.setattr("agent.store.ledger.MOST", 990)
    for token in range(5):
        link.command(token, 0, b"", digest=b"y")
    assert node.store._file.read("SELECT count(*) FROM token") == [(990,)]
    assert link.result_of(14, b"x") is None
    assert link.result_of(15, b"x") == 0


def test_resend_owes_the_rows_that_exist(node: Kit) -> None:
    node.put(10)
    node.drain()
    start = round(MONDAY)
    assert node.store.link("city").resend(Resend(AIR.number, 60, start + 8 * 60, 100)) == 2
    assert node.store.link("city").resend(Resend(AIR.number, 60, start - 600, 12)) == 2
    assert node.store.link("city").resend(Resend(AIR.number, 10, start, 12)) == 0
    assert node.store.link("city").resend(Resend(9, 60, start, 12)) == 0
    assert node.drain() == [[10, 9], [2, 1]]


# -- counting -------------------------------------------------------------------------------------


def test_a_table_that_begins_later_is_pending_where_it_is_carried(node: Kit) -> None:
    node.store.links({"city": LinkPolicy(tables=frozenset({"air"})), "file": LinkPolicy()})
    node.put(1, layout=node.store.layout("deck", DECK, 60))
    assert node.store.counts().owed == {"city": 0, "file": 1}


def test_a_restart_writes_no_range_that_has_not_changed(node: Kit) -> None:
    node.put(9)
    node.store.link("city").delivered(Delivered(node.due(), ()))
    node.store._state.outboxes["city"].give_up(1, [2, 5, 7])
    node.store.flush()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store._state.outboxes["city"].changes() == []
    assert again.store.counts().owed == {"city": 6}
    again.store.close()


def test_counts_tell_what_is_kept_and_owed(node: Kit) -> None:
    node.put(5)
    node.ack(node.due(), most=2)
    counts = node.store.counts()
    assert (counts.rows, counts.owed, counts.waiting) == (5, {"city": 3}, 3)
    assert (counts.lost, counts.dropped, counts.set_aside, counts.in_memory) == (0, 0, 0, 0)
    assert counts.bytes > 5000


def test_a_row_that_cannot_be_framed_is_counted_and_owed_no_longer(node: Kit) -> None:
    node.put(3)
    node.store.link("city").set_aside(node.due())
    assert node.store.counts().set_aside == 1
    assert node.drain() == [[2, 1]]
    node.store.post(node.message())
    node.store.link("city").set_aside(node.due())
    again = node.crash()
    assert node.store.counts().set_aside == 2
    again.store.close()


# -- export ---------------------------------------------------------------------------------------


def test_export_reads_a_span_of_time_in_many_short_transactions(
    node: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.reader.ROWS", 3)
    node.put(10)
    start = round(MONDAY)
    found = [row.seq for _, row in node.store.rows("air", start + 60, start + 8 * 60)]
    assert found == list(range(2, 10))
    assert [row.seq for _, row in node.store.rows("air")] == list(range(1, 11))
    assert [row.seq for _, row in node.store.rows("air", first_start=start + 540)] == [10]
    assert list(node.store.rows("nothing")) == []


def test_export_goes_on_while_rows_come_in(node: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.store.reader.ROWS", 2)
    node.put(4)
    rows = node.store.rows("air")
    first = next(rows)
    node.later()
    node.put()
    assert [first[1].seq] + [row.seq for _, row in rows] == [1, 2, 3, 4, 5]


def test_export_of_what_is_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no\.db"):
        Reader(tmp_path / "no.db").layouts()


# -- threads --------------------------------------------------------------------------------------


def test_many_threads_put_while_another_drains(tmp_path: Path, clock: VirtualClock) -> None:
    store = Store(tmp_path / "store.db", clock)
    store.open()
    names = [f"t{n}" for n in range(4)]
    layouts = [store.layout(name, AIR, 60) for name in names]
    store.links({"city": LinkPolicy()})
    start = round(MONDAY)

    def fill(layout: Layout) -> None:
        for n in range(100):
            store.put(layout, Row(0, 1, n * 60_000, start + n * 60, CELLS))

    fillers = [threading.Thread(target=fill, args=(layout,)) for layout in layouts]
    for one in fillers:
        one.start()
    got: dict[str, list[int]] = {name: [] for name in names}
    helper = Kit.__new__(Kit)
    helper.store = store
    while any(one.is_alive() for one in fillers) or store.counts().owed["city"]:
        batch = store.link("city").next()
        if batch is not None and batch.layout is not None:
            got[batch.layout.table] += helper.ack(batch)
    for one in fillers:
        one.join()
    assert all(sorted(seqs) == list(range(1, 101)) for seqs in got.values())
    store.close()
