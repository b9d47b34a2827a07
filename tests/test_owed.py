"""Owed ranges against a set of numbers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.owed import FOREVER, Owed, gaps, runs, union

TOP = 60
SPANS = st.tuples(st.integers(1, TOP), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))
ACTS = st.lists(st.tuples(st.booleans(), SPANS), max_size=40)
SEQS = st.sets(st.integers(1, TOP))


def numbers(owed: Owed, top: int = 200) -> set[int]:
    return {n for first, last in owed for n in range(first, min(last, top) + 1)}


def check(owed: Owed, model: set[int], top: int = 200) -> None:
    ranges = list(owed)
    assert numbers(owed, top) == model
    assert all(first <= last for first, last in ranges)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))
    assert list(reversed(owed)) == ranges[::-1]
    assert owed.count(top) == len(model)
    assert all((n in owed) == (n in model) for n in range(TOP + 20))
    for seq in range(0, top, 7):
        first, last = owed.after(seq)
        assert first == min((n for n in model if n > seq), default=FOREVER)
        assert last == FOREVER or (first <= last and last + 1 not in model)


@pytest.mark.no_cover
@given(ACTS, st.booleans())
def test_adding_and_subtracting_is_that_of_sets(acts: list, endless: bool) -> None:
    owed = Owed([(30, FOREVER)] if endless else [])
    model = set(range(30, 201)) if endless else set()
    for more, (first, last) in acts:
        (owed.add if more else owed.subtract)(first, last)
        span = set(range(first, last + 1))
        model = model | span if more else model - span
        check(owed, model)


@pytest.mark.no_cover
@given(ACTS)
def test_what_is_touched_is_enough_to_follow_on_disk(acts: list) -> None:
    owed, disk = Owed([(1, FOREVER)]), {1: FOREVER}
    owed.touched.clear()
    for number, (more, span) in enumerate(acts):
        (owed.add if more else owed.subtract)(*span)
        if number % 3 == 0:
            for first in owed.touched:
                last = owed.last_of(first)
                if last is None:
                    disk.pop(first, None)
                else:
                    disk[first] = last
            owed.touched.clear()
            assert sorted(disk.items()) == list(owed)


@given(st.lists(st.integers(1, TOP), unique=True))
def test_runs_hold_exactly_their_numbers_in_any_order(seqs: list) -> None:
    ranges = runs(seqs)
    assert {n for first, last in ranges for n in range(first, last + 1)} == set(seqs)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))


@pytest.mark.no_cover
@given(SEQS, SEQS)
def test_a_union_owes_what_one_of_both_owes(one: set, two: set) -> None:
    both = union([Owed(runs(sorted(one))), Owed(runs(sorted(two)))])
    assert numbers(both) == one | two


@pytest.mark.no_cover
@given(SEQS, st.booleans())
def test_gaps_are_what_is_not_owed(seqs: set, endless: bool) -> None:
    owed = Owed(runs(sorted(seqs)))
    if endless:
        owed.add(TOP + 1)
    found = {n for first, last in gaps(owed, TOP) for n in range(first, last + 1)}
    assert found == set(range(1, TOP + 1)) - seqs


@given(SEQS, SEQS)
def test_subtracting_each_is_subtracting_one_by_one(start: set, gone: set) -> None:
    owed = Owed(runs(sorted(start)))
    owed.subtract_each(sorted(gone, reverse=True))
    check(owed, start - gone)


def test_an_open_end_stays_open() -> None:
    owed = Owed([(1, FOREVER)])
    owed.subtract(5, 5)
    assert list(owed) == [(1, 4), (6, FOREVER)]
    owed.subtract(1, 100)
    assert list(owed) == [(101, FOREVER)]
    assert owed.count(100) == 0
    assert owed.count(103) == 3
