"""Pending ranges against a set of numbers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.pending import FOREVER, PendingRanges, gaps, runs, union

TOP = 60
SPANS = st.tuples(st.integers(1, TOP), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))
ACTS = st.lists(st.tuples(st.booleans(), SPANS), max_size=40)
SEQS = st.sets(st.integers(1, TOP))


def numbers(pending: PendingRanges, top: int = 200) -> set[int]:
    return {n for first, last in pending for n in range(first, min(last, top) + 1)}


def check(pending: PendingRanges, model: set[int], top: int = 200) -> None:
    ranges = list(pending)
    assert numbers(pending, top) == model
    assert all(first <= last for first, last in ranges)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))
    assert list(reversed(pending)) == ranges[::-1]
    assert pending.count(top) == len(model)
    assert all((n in pending) == (n in model) for n in range(TOP + 20))
    for seq in range(0, top, 7):
        first, last = pending.after(seq)
        assert first == min((n for n in model if n > seq), default=FOREVER)
        assert last == FOREVER or (first <= last and last + 1 not in model)


@pytest.mark.no_cover
@given(ACTS, st.booleans())
def test_adding_and_subtracting_is_that_of_sets(
    acts: list[tuple[bool, tuple[int, int]]], endless: bool
) -> None:
    pending = PendingRanges([(30, FOREVER)] if endless else [])
    model = set(range(30, 201)) if endless else set()
    for more, (first, last) in acts:
        (pending.add if more else pending.subtract)(first, last)
        span = set(range(first, last + 1))
        model = model | span if more else model - span
        check(pending, model)


@pytest.mark.no_cover
@given(ACTS)
def test_what_is_touched_is_enough_to_follow_on_disk(
    acts: list[tuple[bool, tuple[int, int]]],
) -> None:
    pending, disk = PendingRanges([(1, FOREVER)]), {1: FOREVER}
    pending.touched.clear()
    for number, (more, span) in enumerate(acts):
        (pending.add if more else pending.subtract)(*span)
        if number % 3 == 0:
            for first in pending.touched:
                last = pending.last_of(first)
                if last is None:
                    disk.pop(first, None)
                else:
                    disk[first] = last
            pending.touched.clear()
            assert sorted(disk.items()) == list(pending)


@given(st.lists(st.integers(1, TOP), unique=True))
def test_runs_hold_exactly_their_numbers_in_any_order(seqs: list[int]) -> None:
    ranges = runs(seqs)
    assert {n for first, last in ranges for n in range(first, last + 1)} == set(seqs)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))


@pytest.mark.no_cover
@given(SEQS, SEQS)
def test_a_union_owes_what_one_of_both_owes(one: set[int], two: set[int]) -> None:
    both = union([PendingRanges(runs(sorted(one))), PendingRanges(runs(sorted(two)))])
    assert numbers(both) == one | two


@pytest.mark.no_cover
@given(SEQS, st.booleans())
def test_gaps_are_what_is_not_owed(seqs: set[int], endless: bool) -> None:
    pending = PendingRanges(runs(sorted(seqs)))
    if endless:
        pending.add(TOP + 1)
    found = {n for first, last in gaps(pending, TOP) for n in range(first, last + 1)}
    assert found == set(range(1, TOP + 1)) - seqs


@given(SEQS, SEQS)
def test_subtracting_each_is_subtracting_one_by_one(start: set[int], gone: set[int]) -> None:
    pending = PendingRanges(runs(sorted(start)))
    pending.subtract_each(sorted(gone, reverse=True))
    check(pending, start - gone)


def test_an_open_end_stays_open() -> None:
    pending = PendingRanges([(1, FOREVER)])
    pending.subtract(5, 5)
    assert list(pending) == [(1, 4), (6, FOREVER)]
    pending.subtract(1, 100)
    assert list(pending) == [(101, FOREVER)]
    assert pending.count(100) == 0
    assert pending.count(103) == 3
