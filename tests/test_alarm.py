"""Thresholds: hysteresis, hold time, missing values, limits that change."""

from collections.abc import Sequence

from agent.model.alarm import ABOVE, BELOW, CLEARED, Alarm
from agent.model.schema import Cell, Missing


def codes(alarm: Alarm, cells: Sequence[Cell], every_s: float = 1.0) -> list[int | None]:
    return [alarm.check(cell, index * every_s) for index, cell in enumerate(cells)]


def test_it_tells_once_when_the_limit_is_passed_and_once_when_it_is_over() -> None:
    alarm = Alarm(0, above=1500, hysteresis=100)
    assert codes(alarm, [1500, 1501, 1600, 1450, 1400, 1399]) == [
        None, ABOVE, None, None, CLEARED, None,
    ]  # fmt: skip


def test_below_is_the_mirror_of_above() -> None:
    alarm = Alarm(0, below=-50, hysteresis=10)
    assert codes(alarm, [-50, -51, -45, -40, -51]) == [None, BELOW, None, CLEARED, BELOW]


def test_a_condition_has_to_last_for_the_hold_time() -> None:
    alarm = Alarm(0, above=10, hold_s=2)
    assert codes(alarm, [11, 11, 9, 11, 11, 11, 9, 9, 9]) == [
        None, None, None, None, None, ABOVE, None, None, CLEARED,
    ]  # fmt: skip


def test_a_missing_value_changes_nothing() -> None:
    alarm = Alarm(0, above=10)
    assert codes(alarm, [11, Missing.FAILED, Missing.NOT_AVAILABLE, 9]) == [
        ABOVE, None, None, CLEARED,
    ]  # fmt: skip


def test_a_value_off_the_range_of_the_sensor_is_beyond_every_limit() -> None:
    assert Alarm(0, above=10).check(Missing.ABOVE, 0) == ABOVE
    assert Alarm(0, below=10).check(Missing.BELOW, 0) == BELOW
    assert Alarm(0, below=10).check(Missing.ABOVE, 0) is None


def test_from_above_straight_to_below() -> None:
    alarm = Alarm(0, above=10, below=0)
    assert codes(alarm, [11, -1, 5]) == [ABOVE, BELOW, CLEARED]


def test_a_limit_switched_off_clears() -> None:
    alarm = Alarm(0, above=10)
    assert alarm.check(11, 0) == ABOVE
    alarm.above = None
    assert alarm.check(11, 1) == CLEARED
