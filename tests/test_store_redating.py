"""A better clock contradicts a lesser: rows get their right time, wrong ones are withdrawn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import VirtualClock
from agent.codec import Style, cbor, frame
from agent.demo.farside import FarSide
from agent.model.batch import WITHDRAWN, Delivered
from agent.store import LinkPolicy
from tests.conftest import MONDAY
from tests.durable.kit import Kit, kit

DAYS_3 = 3 * 86_400
START = round(MONDAY)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Kit]:
    """Its clock chip is three days behind."""
    clock = VirtualClock(MONDAY, trust="rtc")
    clock.sleep(120)
    clock.jump_s = -DAYS_3
    with kit(tmp_path, clock) as made:
        yield made


def synchronise(node: Kit) -> None:
    """NTP speaks, and is right."""
    node.clock.jump_s, node.clock._source, node.clock._ask_at = 0.0, "ntp", 0.0


def starts(node: Kit) -> list[int | None]:
    return [None if one.start is None else one.start - START for _, one in node.store.rows("air")]


def sent(node: Kit) -> list[object]:
    """What goes out, frame by frame: starts of rows, items of withdrawals."""
    gone: list[object] = []
    while (batch := node.store.link("city").next()) is not None:
        if batch.message is not None:
            gone.append(cbor.load(batch.message.body) if batch.kind == WITHDRAWN else batch.kind)
        else:
            gone.append([(one.start or START) - START for one in batch.rows])
        node.ack(batch)
    return gone


def test_rows_get_their_right_time_when_a_better_clock_speaks(node: Kit) -> None:
    node.put(3)
    assert starts(node) == [120 - DAYS_3, 180 - DAYS_3, 240 - DAYS_3]
    synchronise(node)
    assert node.store.date() == 3
    assert starts(node) == [120, 180, 240]
    assert not node.store.dating
    assert node.store.newest_start("air") == START + 240


def test_what_did_not_go_out_is_not_withdrawn(node: Kit) -> None:
    node.put(3)
    synchronise(node)
    assert sent(node) == [[240, 180], [120]]


def test_what_went_out_is_withdrawn_first_and_goes_again(node: Kit) -> None:
    node.put(3)
    node.drain()
    synchronise(node)
    assert sent(node) == [[1, 1, 1, (START + 120 - DAYS_3) // 60, 3], [240, 180], [120]]


def test_a_clock_that_confirms_moves_no_row(node: Kit) -> None:
    node.clock.jump_s = 1.5
    node.put(3)
    node.drain()
    synchronise(node)
    assert node.store.date() == 0
    assert sent(node) == []


def test_what_was_confirmed_once_does_not_follow_a_later_step(node: Kit) -> None:
    node.clock.jump_s = 0.0
    node.put(3)
    synchronise(node)
    node.store.date()
    node.clock.jump_s = 3600.0
    node.later()
    node.put(1)
    node.store.date()
    assert starts(node) == [120, 180, 240, 300 + 3600]


def test_a_right_row_gets_back_the_slot_a_wrong_one_took(tmp_path: Path) -> None:
    with kit(tmp_path, VirtualClock(MONDAY)) as right:
        right.put(3)
        right.drain()
        late = VirtualClock(MONDAY + 3600, trust="rtc")
        late.jump_s = -3540.0
        wrong = right.crash(late)
        wrong.store.links({"city": LinkPolicy()})
        wrong.put(2)
        assert starts(wrong) == [0, None, None, 60, 120]
        wrong.drain()
        synchronise(wrong)
        assert sent(wrong) == [
            [1, 1, 1, START // 60 + 1, 2],
            [3660, 3600],
            [120, 60],
        ]
        assert starts(wrong) == [0, 60, 120, 3600, 3660]
        wrong.store.close()


def test_two_months_of_a_wandering_clock_chip_end_at_the_right_second(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY, trust="rtc")
    with kit(tmp_path, clock) as node:
        layout = node.store.layout("hourly", node.layout.schema, 3600)
        far = FarSide({1: node.layout.schema})
        for day in range(60):
            clock.jump_s = (-1) ** day * day * 437.0  # up to seven hours off
            node.put(24, layout)
            if day % 3:
                deliver(node, far)
            node.later(3600)
        assert far.rows.keys() != right_starts(node)
        clock.jump_s, clock._source, clock._ask_at = 0.0, "ntp", 0.0
        deliver(node, far)
        found = {row.start for _, row in node.store.rows("hourly")}
        assert found == {start for _, start in right_starts(node)}
        assert {key for key in far.rows if len(key) == 2} == right_starts(node)
        assert far.highest_withdrawal > 0
        assert far.refused == []


def right_starts(node: Kit) -> set[tuple[int, ...]]:
    """Schema and true start of every hourly row: it was due on the hour."""
    rows = [row for _, row in node.store.rows("hourly")]
    return {(1, START + row.mono_ms // 1000 // 3600 * 3600) for row in rows}


def deliver(node: Kit, far: FarSide) -> None:
    while (batch := node.store.link("city").next()) is not None:
        encoded = frame(batch, 4096, node.clock, Style(whole_slots=True))
        for made in encoded.frames:
            far.take(made, node.clock.true_utc())
        node.store.link("city").delivered(Delivered.of(encoded))


def test_a_backlog_of_undated_rows_is_dated_in_steps(tmp_path: Path) -> None:
    with kit(tmp_path, VirtualClock(MONDAY, trust="")) as node:
        node.put(700)
        node.store._access.dating.rows = 16
        node.clock._source, node.clock._ask_at = "ntp", 0.0
        assert 0 < node.store._access.date() <= 16
        assert node.store.dating
        first = [row for _, row in node.store.rows("air") if row.start is None]
        batch = node.store.link("city").next()
        assert batch is not None
        assert all(row.start is not None for row in batch.rows)  # what has no date yet waits
        while node.store.dating:
            node.store.date()
        assert first
        assert None not in starts(node)


def test_a_cut_between_two_steps_is_gone_on_from_by_the_next_boot(tmp_path: Path) -> None:
    with kit(tmp_path, VirtualClock(MONDAY, trust="")) as node:
        node.put(100)
        node.store._access.dating.rows = 16
        node.clock._source, node.clock._ask_at = "ntp", 0.0
        node.store._access.date()
        after = node.crash(VirtualClock(MONDAY + 86_400, trust=""))
        after.store.links({"city": LinkPolicy()})
        while after.store.dating:
            after.store.date()
        assert starts(after) == [60 * number for number in range(100)]
        after.store.close()
