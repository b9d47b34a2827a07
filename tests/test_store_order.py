"""In which order a link gets what it owes."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.model.batch import ACK, HELLO, RAW, Batch, Delivered, Encoded, Layout, Row
from agent.store import LinkPolicy
from agent.store.coarse import stretched
from agent.store.spacing import equally_spaced, most_step, suggested_step
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS, DECK, Kit, kit
from tests.sure import sure

HOUR = 3600


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


def links(node: Kit, **policy: Any) -> None:
    node.store.links({"city": LinkPolicy(**policy)})


def fill(node: Kit, starts: range, layout: Layout | None = None) -> None:
    """Dated rows of long ago, while the clock stands still."""
    for start in starts:
        age_ms = round((MONDAY - start) * 1000)
        node.store.put(layout or node.layout, Row(0, 1, -age_ms, start, CELLS))


def order(node: Kit) -> list[str]:
    found = []
    while (batch := node.store.link("city").next()) is not None:
        found.append(batch.priority if batch.message is None else f"message {batch.message.kind}")
        node.ack(batch)
    return found


def starts(batch: Batch | None) -> list[int]:
    return [sure(row.start) - round(MONDAY) for row in batch.rows] if batch else []


# -- order ----------------------------------------------------------------------------------------


def test_fresh_messages_then_live_then_backfill_then_old_messages_then_raw(node: Kit) -> None:
    node.store.post(node.message(b"old", HELLO))
    node.store.post(node.message(b"raw", RAW))
    node.put(10)
    node.later(2 * HOUR)
    node.put(1)
    node.store.post(node.message(b"", ACK))
    node.store.post(node.message(b"alarm"))
    assert order(node) == [
        "message -1", "message -3", "live", "backfill", "message -4", "message -5",
    ]  # fmt: skip


def test_alarms_overtake_other_messages_oldest_first(node: Kit) -> None:
    node.store.post(node.message(b"hello", HELLO))
    for body in (b"one", b"two"):
        node.store.post(node.message(body))
    bodies = []
    while (batch := node.store.link("city").next()) is not None:
        bodies.append(sure(batch.message).body)
        node.ack(batch)
    assert bodies == [b"one", b"two", b"hello"]


def test_messages_older_than_an_hour_wait_for_all_rows(node: Kit) -> None:
    node.store.post(node.message())
    node.later(HOUR - 1)
    assert node.due().priority == "alarm"
    node.later(1)
    node.put(1)
    assert order(node) == ["live", "message -1"]


def test_messages_of_an_earlier_boot_have_their_age_by_date(node: Kit) -> None:
    node.store.post(node.message(b"half an hour"))
    later = node.crash(VirtualClock(MONDAY + HOUR / 2))
    links(later)
    later.put(1)
    assert order(later) == ["message -1", "live"]
    later.store.post(later.message(b"two hours"))
    trusted = later.crash(VirtualClock(MONDAY + 2.5 * HOUR))
    links(trusted)
    trusted.put(1)
    assert order(trusted) == ["live", "message -1"]
    later = trusted
    later.store.post(later.message(b"half an hour"))
    untrusted = later.crash(VirtualClock(MONDAY + 3 * HOUR, trust=""))
    links(untrusted, trust_wait_s=0)
    untrusted.put(1)
    assert order(untrusted) == ["live", "message -1"]
    untrusted.store.close()


def test_raw_chunks_go_last_even_when_fresh(node: Kit) -> None:
    node.store.post(node.message(b"", RAW))
    node.put(1)
    assert order(node) == ["live", "message -5"]


# -- live -----------------------------------------------------------------------------------------


def test_live_rows_go_at_once_newest_first(node: Kit) -> None:
    node.put(2)
    batch = node.due()
    assert (batch.priority, batch.layout, batch.step) == ("live", node.layout, 1)
    assert starts(batch) == [60, 0]
    assert not batch.in_order


def test_live_is_not_older_than_two_intervals(node: Kit) -> None:
    node.put(10)
    batch = node.due()
    assert starts(batch) == [540, 480, 420]
    node.ack(batch)
    assert node.due().priority == "backfill"


def test_without_backfill_only_fresh_messages_and_live_rows_go(node: Kit) -> None:
    fill(node, range(round(MONDAY) - 86_400, round(MONDAY) - 86_000, 60))
    node.store.post(node.message(b"old", HELLO))
    node.later(2 * HOUR)
    node.store.post(node.message(b"alarm"))
    node.put(1)
    for priority in ("alarm", "live"):
        batch = node.store.link("city").next(backfill=False)
        assert sure(batch).priority == priority
        node.ack(sure(batch))
    assert node.store.link("city").next(backfill=False) is None
    assert node.store.link("city").when(backfill=False) > 0
    assert order(node) == ["backfill", "message -4"]


def test_live_ends_at_the_first_hole(node: Kit) -> None:
    node.put(2)
    node.drain()
    node.later()
    node.put(1)
    assert node.send() == [3]


def test_a_missed_slot_ends_the_frame(node: Kit) -> None:
    links(node, fill_s=600)
    node.put(3)
    node.later(180)
    node.put(2)
    node.later(545)
    assert starts(node.store.link("city").next()) == [360, 300]


def test_asking_twice_gives_the_same(node: Kit) -> None:
    node.put(10)
    assert node.store.link("city").next() == node.store.link("city").next()


def test_a_live_frame_waits_until_its_oldest_row_has_waited(node: Kit) -> None:
    links(node, fill_s=600)
    node.put(1)
    assert node.store.link("city").next() is None
    assert node.store.link("city").when() == 605  # and a grace for the row that is being measured
    node.later(60)
    node.put(9)  # the tenth row, after 540 s more
    assert node.store.link("city").when() == 65
    node.later(64)
    assert node.store.link("city").next() is None
    node.later(1)
    assert node.store.link("city").when() == 0
    batch = node.due()
    assert batch.priority == "live"
    assert len(batch.rows) == 10


def test_a_frame_that_was_asked_for_a_little_late_still_takes_its_oldest_row(node: Kit) -> None:
    links(node, fill_s=600)
    node.put(11)
    node.later(20)
    assert len(node.due().rows) == 11


def test_a_live_frame_goes_when_it_is_full(node: Kit) -> None:
    links(node, fill_s=3600)
    node.put(61)
    batch = node.due()
    assert len(batch.rows) == 61
    node.ack(batch, most=7)  # that is what a frame took
    assert node.due().priority == "backfill"
    node.drain()
    node.later()
    node.put(6)
    assert node.store.link("city").next() is None
    node.later()
    node.put(1)
    assert node.due().priority == "live"
    assert len(node.due().rows) == 7


def test_a_frame_with_room_left_says_that_more_rows_fit_now(node: Kit) -> None:
    links(node, fill_s=3600)
    node.put(61)
    node.ack(node.due(), most=7)  # slow: 51 bytes
    node.drain()
    node.later()
    node.put(7)
    batch = node.due()
    node.store.link("city").delivered(
        Delivered.of(Encoded((bytes(50),), batch, batch.rows, limit=200))
    )  # fast again
    node.later()
    node.put(27)
    assert node.store.link("city").next() is None
    node.later()
    node.put(1)
    assert len(node.due().rows) == 28


def test_a_punctual_frame_waits_its_time_even_if_it_is_full(node: Kit) -> None:
    links(node, fill_s=3600, punctual=True)
    node.put(61)
    node.ack(node.due(), most=7)  # no more than that fits
    node.drain()
    node.later()
    node.put(60)
    assert node.store.link("city").next() is None
    node.later()
    node.put(1)
    assert node.due().priority == "live"


def test_rows_that_wait_for_company_are_not_backfill(node: Kit) -> None:
    fill(node, range(round(MONDAY) - 86_400, round(MONDAY) - 86_000, 60))
    links(node, fill_s=600)
    node.put(3)
    backfill = node.due()
    assert backfill.priority == "backfill"
    assert len(backfill.rows) == 7
    node.ack(backfill)
    assert node.store.link("city").next() is None


def test_when_is_endless_while_nothing_is_owed(node: Kit) -> None:
    assert node.store.link("city").when() == float("inf")


def test_fill_and_packing_can_be_changed(node: Kit) -> None:
    node.put(1)
    assert not node.due().packed
    node.store.link("city").set_packed(True)
    assert node.due().packed
    node.store.link("city").set_fill(600)
    assert node.store.link("city").next() is None


def test_tables_take_turns(node: Kit) -> None:
    deck = node.store.layout("deck", DECK, 60)
    node.put(300)
    node.put(300, deck)
    tables = []
    while (batch := node.store.link("city").next()) is not None:
        tables.append(sure(batch.layout).table)
        node.ack(batch, most=100)
    assert all(one != two for one, two in itertools.pairwise(tables[:6]))


def test_overlap_goes_on_into_older_rows_owed_or_not(node: Kit) -> None:
    links(node, overlap=True)
    node.put(5)
    node.drain()
    node.later()
    node.put(1)
    batch = node.due()
    assert starts(batch) == [300, 240, 180, 120, 60, 0]
    node.ack(batch, most=2)
    assert node.store.link("city").next() is None


# -- back-fill ------------------------------------------------------------------------------------


def test_no_more_rows_are_looked_at_than_fitted_last(node: Kit) -> None:
    start = round(MONDAY) - 864_000
    fill(node, range(start, start + 5000 * 60, 60))
    found = []
    for most in (1000, 100, 100, 1000, 1000):
        batch = node.due()
        found.append(len(batch.rows))
        node.ack(batch, most=most)
    assert found == [1536, 1035, 107, 107, 1536]  # a 32nd and four more; all went: as many as ever


def test_backfill_goes_oldest_first_and_in_order(node: Kit) -> None:
    start = round(MONDAY) - 86_400
    fill(node, range(start, start + 1200 * 60, 60))
    batch = node.due()
    assert (batch.priority, batch.in_order, len(batch.rows)) == ("backfill", True, 1200)
    assert [batch.rows[0].seq, batch.rows[-1].seq] == [1200, 1]
    frames = node.drain(most=100)
    assert [one for frame in frames for one in reversed(frame)] == list(range(1, 1201))
    assert len(frames) == 12


def test_a_live_row_overtakes_the_backfill_between_two_frames(node: Kit) -> None:
    fill(node, range(round(MONDAY) - 60_000, round(MONDAY), 60))
    order = [node.send(most=100)[0]]
    node.put(1)
    order.append(node.send()[0])
    order.append(node.send(most=100)[0])
    assert order == [1000, 1001, 100]  # live until 08:00, live again, the oldest hundred


def test_a_frame_holds_one_layout(node: Kit) -> None:
    faster = node.store.layout("air", AIR, 10)
    start = round(MONDAY) - 86_400
    fill(node, range(start, start + 180, 60))
    fill(node, range(start + 180, start + 210, 10), faster)
    frames = node.drain()
    assert frames == [[3, 2, 1], [6, 5, 4]]


def test_a_missed_slot_starts_a_new_frame(node: Kit) -> None:
    start = round(MONDAY) - 86_400
    fill(node, range(start, start + 180, 60))
    fill(node, range(start + 360, start + 540, 60))
    assert node.drain() == [[3, 2, 1], [6, 5, 4]]


def test_every_second_row_goes_as_one_frame_with_step_two(node: Kit) -> None:
    start = round(MONDAY) - 86_400
    fill(node, range(start, start + 1200, 120))
    batch = node.due()
    assert (batch.step, len(batch.rows)) == (2, 10)


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [
        (0, 60, 1),
        (0, 120, 2),
        (60, 180, 1),  # slot 1 is not divisible by 2
        (240, 480, 4),
        (0, 180, 1),  # 3 is no power of two
        (0, 90, 1),
        (0, 128 * 60, 128),
        (0, 256 * 60, 1),  # more than four hours
        (120, 0, 2),
    ],
)
def test_steps_are_those_of_the_wire(first: int, second: int, step: int) -> None:
    assert suggested_step([first, second], 60) == step


def test_the_largest_step_spans_four_hours_at_most() -> None:
    assert [most_step(one) for one in (1, 10, 60, 600, 14_400)] == [8192, 1024, 128, 16, 1]


def test_equal_spacing_is_counted_from_the_beginning() -> None:
    assert equally_spaced([10, 20, 30], 10) == 3
    assert equally_spaced([10, 20, 31], 10) == 2
    assert equally_spaced([10], 10) == 1


# -- scarce airtime -------------------------------------------------------------------------------


def test_scarce_airtime_goes_from_coarse_to_fine(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 86_400, 600))  # layout of 60 s: every tenth slot is there
    ten = node.store.layout("deck", DECK, 600)
    node.store.links({"city": LinkPolicy(tables=frozenset({"deck"}), coarse_first=True)})
    fill(node, range(day, day + 86_400, 600), ten)
    seen: list[int] = []
    steps = []
    while (batch := node.store.link("city").next()) is not None:
        assert (batch.priority, batch.in_order) == ("backfill", False)
        slots = [sure(row.start) // 600 for row in batch.rows]
        assert all(one - two == batch.step for one, two in itertools.pairwise(slots))
        assert slots[0] % batch.step == 0
        steps.append(batch.step)
        seen += slots
        node.ack(batch, most=10)
    assert steps[0] == 16
    assert steps == sorted(steps, reverse=True)
    assert set(seen) == set(range(day // 600, day // 600 + 144))
    assert node.store.counts().owed["city"] == 0


def test_scarce_airtime_gives_the_newest_of_a_step_first(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 66_000, 60))
    batch = node.due()
    assert batch.step == 128
    wanted = [start for start in range(day, day + 66_000, 60) if start // 60 % 128 == 0]
    assert [row.start for row in batch.rows] == wanted[::-1]


def test_a_step_with_few_rows_waits_for_a_finer_one_that_has_them_too(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 30_000, 60))
    batch = node.due()
    assert batch.step == 64  # three rows of step 128, eight of step 64
    wanted = [start for start in range(day, day + 30_000, 60) if start // 60 % 64 == 0]
    assert [row.start for row in batch.rows] == wanted[::-1]


def test_the_last_few_rows_of_a_long_hole_go_together(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 30_000, 60))
    owed = node.store._state.outboxes["city"].pending[1]
    for first in range(1, 500, 2):
        owed.subtract(first, first)
    owed.subtract(1, 490)
    batch = node.due()
    assert (batch.step, len(batch.rows)) == (1, 9)
    assert [row.seq for row in batch.rows if row.seq in owed] == [500, 498, 496, 494, 492]


def test_a_small_hole_is_filled_at_once(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 200 * 60, 60))
    owed = node.store._state.outboxes["city"].pending[1]
    owed.subtract(1, 100)
    owed.subtract(145, 200)
    batch = node.due()
    assert (batch.step, len(batch.rows)) == (1, 44)  # as one lost frame leaves it
    assert batch.rows[0].seq == 144


def test_what_coarse_frames_leave_behind_is_one_hole() -> None:
    assert stretched([(1, 3), (5, 7), (9, 9), (20, 21)]) == [
        *((1, 3, 9), (5, 7, 9), (9, 9, 9)),
        (20, 21, 2),
    ]
    assert stretched([]) == []


def test_a_single_row_left_goes_alone(node: Kit) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    fill(node, range(day, day + 600, 60))
    owed = node.store._state.outboxes["city"].pending[1]
    owed.subtract(1, 3)
    owed.subtract(5, 10)
    batch = node.due()
    assert [row.seq for row in batch.rows] == [4]


def test_rows_that_came_in_another_order_than_their_slots_are_settled_one_by_one(
    node: Kit,
) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    for slot in (2, 4, 0):  # a clock that was drawn back: rows 1, 2, 3
        node.store.put(node.layout, Row(0, 1, slot - 10**8, day + slot * 60, CELLS))
    links(node, coarse_first=True)
    sent = [row.seq for row in node.due().rows]
    node.send()
    assert node.store.counts().owed["city"] == 3 - len(sent)


@pytest.mark.parametrize("sent", [1, 2])
def test_of_two_rows_of_one_slot_the_owed_one_goes(node: Kit, sent: int) -> None:
    links(node, coarse_first=True)
    day = round(MONDAY) // 86_400 * 86_400 - 86_400
    for tick in (1, 2):  # a clock that was put back
        node.store.put(node.layout, Row(0, 1, tick - 10**8, day, CELLS))
    node.store._state.outboxes["city"].pending[1].subtract(sent, sent)
    assert node.send() == [3 - sent]
    assert node.store.link("city").next() is None


def test_scarce_airtime_gives_undated_rows_in_order(node: Kit) -> None:
    before = node.crash(VirtualClock(MONDAY, trust=""))
    before.store.links({"city": LinkPolicy()})
    before.put(4)
    after = before.crash(VirtualClock(MONDAY))
    links(after, coarse_first=True)
    batch = after.due()
    assert (batch.step, batch.in_order, len(batch.rows)) == (1, True, 4)
    after.store.close()
