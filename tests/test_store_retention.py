"""What goes when there is too much, in which order, and who is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import Layout, Row
from agent.store import LinkPolicy
from agent.store.retention import make_room, thinned
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS, DECK, Kit, kit
from tests.sure import sure

DAY = 86_400
BIG = CELLS + bytes(400)


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock, max_bytes=2_000_000, max_days=10) as made:
        yield made


def fill(
    node: Kit, count: int, cells: bytes = BIG, every_s: int = 60, layout: Layout | None = None
) -> None:
    for _ in range(count):
        node.store.put(layout or node.layout, node.row(layout, cells))
        node.clock.sleep(every_s)


def starts(node: Kit, table: str = "air") -> list[int]:
    return [sure(row.start) for _, row in node.store.rows(table)]


def retain(node: Kit) -> None:
    while node.store.retain() == 0:
        pass


def test_a_store_within_its_limits_drops_nothing(node: Kit) -> None:
    fill(node, 100)
    assert node.store.retain() == 60
    assert node.store.counts().rows == 100


def test_full_store_drops_the_oldest_delivered_rows(node: Kit) -> None:
    fill(node, 1900)
    node.drain()
    fill(node, 100)
    retain(node)
    counts = node.store.counts()
    assert (counts.lost, counts.owed["city"]) == (0, 100)
    assert counts.dropped == 2000 - counts.rows > 0
    assert node.kept() == list(range(counts.dropped + 1, 2001))
    assert node.store._file.used_bytes() <= 1_000_000


def test_delivered_means_delivered_by_every_link(node: Kit) -> None:
    node.store.links({"city": LinkPolicy(), "file": LinkPolicy()})
    fill(node, 500)
    node.later(600)
    node.drain("city")
    node.send("file", most=100)
    assert sure(make_room(node.store._state)).seqs == list(range(1, 101))


def test_the_oldest_delivered_rows_of_all_tables_go_first(node: Kit) -> None:
    deck = node.store.layout("deck", DECK, 60)
    fill(node, 10, layout=deck)
    fill(node, 10)
    node.drain()
    assert sure(make_room(node.store._state)).table.name == "deck"


def test_undelivered_rows_of_the_oldest_day_are_thinned_odd_slots_first(node: Kit) -> None:
    fill(node, 2 * 144, every_s=600, layout=node.store.layout("deck", DECK, 600))
    state = node.store._state
    deck = sure(state.contents.table("deck"))
    day = round(MONDAY) // DAY
    first = [s for s in starts(node, "deck") if s // DAY == day]
    for step in (2, 4, 8, 16):
        drop = thinned(state)
        gone = {seq for seq in sure(drop).seqs}
        node.store._writer.drop(sure(drop))
        left = [s for s in starts(node, "deck") if s // DAY == day]
        assert left == [s for s in first if s // 600 % step == 0]
        assert not any(seq in gone for seq in node.kept("deck"))
    drop = thinned(state)
    assert sure(drop).seqs[0] > deck.thinned > 0  # the next day's turn
    assert node.store.counts().lost == len(first) - len(left)


def test_thinned_rows_leave_the_owed_ranges(node: Kit) -> None:
    fill(node, 100)
    node.store._writer.drop(sure(thinned(node.store._state)))
    counts = node.store.counts()
    assert counts.owed["city"] == counts.rows == 50
    node.store.new_event = None
    node.store.flush()
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    assert again.store.counts().owed["city"] == again.store.counts().rows == 50
    batch = again.due()
    again.ack(batch)
    batch = sure(again.store.link("city").next()) if batch.priority == "live" else batch
    assert batch.step == 2
    again.drain()
    assert again.store.counts().owed["city"] == 0
    again.store.close()


def test_undated_rows_are_thinned_by_number(tmp_path: Path) -> None:
    with kit(tmp_path, VirtualClock(MONDAY, trust="")) as node:
        node.put(10)
        state = node.store._state
        dropped = []
        while (drop := thinned(state)) is not None:
            dropped.append(sure(drop).seqs)
            node.store._writer.drop(sure(drop))
        assert dropped == [[1, 3, 5, 7, 9], [2, 6, 10], [4], [8]]


def test_a_day_ends_where_the_layout_changes(node: Kit) -> None:
    fill(node, 3)
    faster = node.store.layout("air", AIR, 10)
    fill(node, 4, every_s=10, layout=faster)
    state = node.store._state
    assert all(seq <= 3 for seq in sure(thinned(state)).seqs)


def test_when_all_is_thin_the_oldest_go(node: Kit) -> None:
    for number in range(300):
        start = (round(MONDAY) // 7680 + number) * 7680  # 128 slots apart
        node.store.put(node.layout, Row(0, 1, number, start, CELLS))
    drop = make_room(node.store._state)
    assert sure(drop).seqs == list(range(1, 101))


def test_an_empty_store_has_nothing_to_drop(node: Kit) -> None:
    assert make_room(node.store._state) is None


def test_a_full_store_of_undelivered_rows_stays_below_its_limit(node: Kit) -> None:
    fill(node, 2900, every_s=120)
    retain(node)
    counts = node.store.counts()
    assert node.store._file.used_bytes() <= 1_000_000
    assert counts.lost == 2900 - counts.rows > 0
    assert counts.owed["city"] == counts.rows
    newest = starts(node)[-200:]
    assert newest == list(range(newest[0], newest[0] + 200 * 120, 120))
    sent = [seq for frame in node.drain() for seq in frame]
    assert sorted(sent) == node.kept()


def test_delivered_rows_older_than_the_limit_go(node: Kit) -> None:
    fill(node, 5, CELLS)
    node.drain()
    node.later(10 * DAY)
    fill(node, 5, CELLS)
    node.drain()
    retain(node)
    assert node.kept() == [6, 7, 8, 9, 10]
    assert node.store.counts().dropped == 5
    assert node.store.counts().lost == 0


def test_age_alone_never_costs_a_row_that_is_still_owed(node: Kit) -> None:
    fill(node, 5, CELLS)
    node.later(100 * DAY)
    retain(node)
    assert node.store.counts().rows == 5


def test_the_age_limit_moves_on_by_a_day_an_hour_at_most(node: Kit) -> None:
    fill(node, 5 * 24, CELLS, every_s=3600)
    node.drain()
    node.later(1000 * DAY)
    retain(node)
    assert node.store.counts().dropped == 24
    node.later(3600)
    retain(node)
    assert node.store.counts().dropped == 48


def test_undated_rows_go_with_the_dated_ones_after_them(tmp_path: Path) -> None:
    with kit(tmp_path, VirtualClock(MONDAY, trust=""), max_days=10) as before:
        before.put(3)
        before.store.links({})
        node = before.crash(VirtualClock(MONDAY), max_days=10)
        fill(node, 1, CELLS)
        node.later(11 * DAY)
        retain(node)
        assert node.kept() == []
        fill(node, 1, CELLS)
        assert node.kept() == [5]
        again = node.crash()
        assert again.store.counts().rows == 1
        again.store.close()


def test_numbers_are_never_used_again_even_when_all_rows_are_gone(node: Kit) -> None:
    fill(node, 3, CELLS)
    node.drain()
    node.later(11 * DAY)
    retain(node)
    again = node.crash()
    assert again.put() == [4]
    again.store.close()


def test_lost_rows_are_told_once_a_day(node: Kit) -> None:
    fill(node, 100, CELLS)
    node.drain()
    state = node.store._state

    def lose() -> int:
        fill(node, 20, CELLS)
        while (drop := make_room(state)) and not any(
            seq in state.outboxes["city"].pending[1] for seq in sure(drop).seqs
        ):
            node.store._writer.drop(sure(drop))
        node.store._writer.drop(sure(drop))
        node.store.flush()
        return len(sure(drop).seqs)

    told = lose()
    batch = node.due()
    assert sure(batch.message).body == bytes([8, told])
    node.ack(batch)
    more = lose()
    assert node.due().message is None
    node.later(DAY)
    node.store.retain()
    batch = node.due()
    assert sure(batch.message).body == bytes([8, more])


def test_after_a_step_of_years_nothing_is_too_old_until_the_clock_has_stood_by_it_for_a_day(
    node: Kit,
) -> None:
    fill(node, 5, CELLS)
    node.drain()
    retain(node)
    node.clock.jump_s = 20 * 365.0 * DAY
    for _ in range(24):
        retain(node)
        node.later(3600)
    assert node.store.counts().rows == 5
    for _ in range(3):
        retain(node)
        node.later(3600)
    assert node.store.counts().rows == 0


def test_a_lesser_clock_is_never_believed_against_the_better_that_spoke_before(
    tmp_path: Path,
) -> None:
    with kit(tmp_path, VirtualClock(MONDAY), max_days=10) as before:
        fill(before, 5, CELLS)
        before.drain()
        retain(before)
        ahead = before.crash(VirtualClock(MONDAY + 20 * 365 * DAY, trust="rtc"), max_days=10)
        ahead.store.links({"city": LinkPolicy()})
        for _ in range(60):
            retain(ahead)
            ahead.later(3600)
        assert ahead.store.counts().rows == 5
        ahead.store.close()
