"""Dates: trusted late, never, twice the same slot, clocks that jump."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.model.batch import Row
from agent.store import LinkPolicy
from tests.conftest import MONDAY
from tests.durable.kit import AIR, CELLS, DECK, Kit, kit

YEARS = 20 * 365 * 86_400


@pytest.fixture
def clock() -> VirtualClock:
    """Not trusted, 100 s after the machine's start."""
    made = VirtualClock(MONDAY, trust="")
    made.sleep(120)
    return made


@pytest.fixture
def node(tmp_path: Path, clock: VirtualClock) -> Iterator[Kit]:
    with kit(tmp_path, clock) as made:
        yield made


def trust(node: Kit) -> None:
    node.clock.set_utc(node.clock.system_utc(), "lorawan")


def starts(node: Kit) -> list[int | None]:
    return [
        None if row.start is None else row.start - round(MONDAY)
        for _, row in node.store.rows("air")
    ]


def test_rows_of_this_boot_are_dated_when_the_clock_becomes_trusted(node: Kit) -> None:
    node.put(3)
    assert starts(node) == [None, None, None]
    trust(node)
    assert node.store.date() == 3
    assert starts(node) == [120, 180, 240]
    assert node.store.newest_start("air") == MONDAY + 240
    assert node.store.date() == 0


def test_a_row_gets_the_slot_in_which_it_was_due(node: Kit) -> None:
    node.later(17.5)
    node.put(1)
    trust(node)
    node.store.date()
    assert starts(node) == [120]


def test_nothing_is_dated_without_trust(node: Kit) -> None:
    node.put(1)
    assert node.store.date() == 0


def test_messages_are_dated_to_the_second(node: Kit) -> None:
    node.later(0.75)
    node.store.post(node.message(b"event"))
    trust(node)
    node.store.date()
    message = node.due().message
    assert message is not None
    assert message.start == MONDAY + 120


def test_asking_for_the_next_frame_dates_what_can_be_dated(node: Kit) -> None:
    node.put(1)
    trust(node)
    assert node.due().rows[0].start == MONDAY + 120


def test_dating_wakes_the_links(node: Kit) -> None:
    node.put(1)
    wake = threading.Event()
    node.store.wakes.append(wake)
    trust(node)
    node.store.date()
    assert wake.is_set()


def test_undated_rows_wait_for_a_clock_before_they_go_with_an_age(node: Kit) -> None:
    node.put(3)
    assert node.store.link("city").next() is None
    assert node.store.link("city").when() == 600 - 120
    node.later(479)
    assert node.store.link("city").next() is None
    node.later(1)
    batch = node.due()
    assert [row.start for row in batch.rows] == [None, None, None]
    assert batch.boot == batch.rows[0].boot


def test_events_go_at_once_without_a_clock(node: Kit) -> None:
    node.put(1)
    node.store.post(node.message(b"event"))
    message = node.due().message
    assert message is not None
    assert message.start is None


def test_a_row_that_went_with_an_age_is_dated_but_not_owed_again(node: Kit) -> None:
    node.store.links({"city": LinkPolicy(trust_wait_s=0)})
    node.put(2)
    node.drain()
    trust(node)
    assert node.store.date() == 2
    assert starts(node) == [120, 180]
    assert node.store.link("city").next() is None


def test_undated_rows_of_an_earlier_boot_stay_so_and_go_at_once(node: Kit) -> None:
    node.put(3)
    after = node.crash(VirtualClock(MONDAY + 3600))
    after.store.links({"city": LinkPolicy()})
    batch = after.due()
    assert (batch.priority, batch.boot) == ("backfill", 2)
    assert [(row.boot, row.start) for row in batch.rows] == [(1, None)] * 3
    after.put(1)
    assert after.store.date() == 0
    assert starts(after) == [None, None, None, 3600]
    after.store.close()


def test_a_frame_of_undated_rows_holds_one_boot(node: Kit) -> None:
    node.put(2)
    second = node.crash(VirtualClock(MONDAY, trust=""))
    second.put(2)
    third = second.crash(VirtualClock(MONDAY, trust=""))
    third.store.links({"city": LinkPolicy()})
    assert third.drain() == [[2, 1], [4, 3]]
    third.store.close()


def test_a_restarted_process_still_dates_the_rows_of_its_boot(node: Kit) -> None:
    node.put(2)
    node.store.post(node.message(b"event"))
    again = node.crash()
    again.store.links({"city": LinkPolicy()})
    trust(again)
    assert again.store.date() == 2
    again.store.close()


def test_the_later_row_keeps_a_slot_that_is_taken(node: Kit) -> None:
    trust(node)
    start = round(MONDAY) + 120
    for number in range(2):
        node.store.put(node.layout, Row(0, 1, 120_000 + number, start, CELLS))
    assert starts(node) == [None, 120]
    other = node.store.layout("deck", DECK, 60)
    node.store.put(other, Row(0, 1, 120_000, start, CELLS))
    assert starts(node) == [None, 120]


def test_a_row_that_lost_its_slot_is_not_dated_again(node: Kit) -> None:
    trust(node)
    start = round(MONDAY) + 120
    for number in range(2):
        node.store.put(node.layout, Row(0, 1, 120_000 + number, start, CELLS))
    node.store.put(node.layout, Row(0, 1, 180_000, None, CELLS))
    assert node.store.date() == 1
    assert starts(node) == [None, 120, 180]


def test_a_row_that_lost_its_slot_goes_by_boot_and_tick(node: Kit) -> None:
    trust(node)
    start = round(MONDAY) + 120
    for number in range(2):
        node.store.put(node.layout, Row(0, 1, 120_000 + number, start, CELLS))
    node.later(600)
    assert [[row.start for row in node.due().rows]] == [[None]]
    assert node.drain() == [[1], [2]]


def test_dating_leaves_every_slot_to_one_row(node: Kit) -> None:
    faster = node.store.layout("air", AIR, 10)
    node.put(1)
    node.put(2, faster)  # due at 120 s and 130 s: the first slot is the one of the row before
    trust(node)
    node.store.date()
    assert starts(node) == [None, 120, 130]


def test_a_clock_that_jumps_twenty_years_ahead_and_back_costs_no_row(node: Kit) -> None:
    trust(node)
    node.put(3)
    node.clock.set_utc(node.utc() + YEARS, "lorawan")
    node.later()
    node.put(3)
    node.clock.set_utc(node.utc() - YEARS, "lorawan")
    node.later()
    node.put(3)
    assert starts(node) == [
        120, 180, 240, 300 + YEARS, 360 + YEARS, 420 + YEARS, 480, 540, 600,
    ]  # fmt: skip
    for _ in range(30):
        node.store.retain()
        node.later(3600)
    frames = node.drain()
    assert sorted(seq for frame in frames for seq in frame) == list(range(1, 10))
    assert node.store.counts().lost == 0


def test_rows_of_an_earlier_boot_whose_clock_was_ahead_go_at_once(node: Kit) -> None:
    trust(node)
    node.put(3)
    back = node.crash(VirtualClock(MONDAY - 86_400))
    back.store.links({"city": LinkPolicy(fill_s=600)})
    assert back.due().priority == "backfill"
    assert back.drain() == [[3, 2, 1]]
    back.store.close()


def test_rows_after_a_jump_back_into_taken_slots_keep_them(node: Kit) -> None:
    trust(node)
    node.put(3)
    node.clock.set_utc(node.utc() - 60, "lorawan")
    node.later()
    node.put(2)
    assert starts(node) == [120, 180, None, 240, 300]


@pytest.mark.parametrize("slewed_s", [-0.9, -0.01, 0.0, 0.9])
def test_a_clock_slewed_while_nobody_vouched_costs_no_row_its_slot(
    node: Kit, slewed_s: float
) -> None:
    trust(node)
    node.put(2)
    utc = node.utc()
    node.clock.trust, node.clock._offset = "", None
    node.put(2)
    node.clock.set_utc(utc + 120 + slewed_s, "lorawan")
    node.store.date()
    assert starts(node) == [120, 180, 240, 300]
    assert node.store.counts().lost == 0
