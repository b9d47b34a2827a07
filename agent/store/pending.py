"""What is pending on a link of one table: disjoint ranges of sequence numbers, pure arithmetic."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

FOREVER = 2**63 - 1  #: the end of a range that takes in everything to come

Range = tuple[int, int]  #: first and last, both included


class PendingRanges:
    """Ascending disjoint ranges; the youngest may be open-ended (`FOREVER`).

    `touched` gathers the first numbers of ranges that came, went or changed, so that whoever
    keeps the ranges on disk writes only these.
    """

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._closed = 0  # how many numbers lie in ranges that have an end
        self.touched: set[int] = set()
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[Range]:
        return zip(self._firsts, self._lasts, strict=True)

    def __reversed__(self) -> Iterator[Range]:
        return zip(reversed(self._firsts), reversed(self._lasts), strict=True)

    def __contains__(self, seq: int) -> bool:
        place = bisect_left(self._lasts, seq)
        return place < len(self._firsts) and self._firsts[place] <= seq

    def add(self, first: int, last: int = FOREVER) -> None:
        """first..last are pending; neighbours grow together."""
        if not self._lasts or first > self._lasts[-1] + 1:  # the rule: behind all others
            self._append(first, last)
            return
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._replace(low, high, [(first, last)])

    def subtract(self, first: int, last: int) -> None:
        """Nothing of first..last is pending any more."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if low >= high:
            return
        left, right = (self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])
        self._replace(low, high, [piece for piece in (left, right) if piece[0] <= piece[1]])

    def subtract_each(self, seqs: Sequence[int]) -> None:
        """None of `seqs`, which are distinct, is pending any more."""
        for first, last in runs(seqs):
            self.subtract(first, last)

    def count(self, newest: int) -> int:
        """How many numbers up to `newest` are pending; no closed range may end later."""
        if self._lasts and self._lasts[-1] == FOREVER:
            return self._closed + max(newest - self._firsts[-1] + 1, 0)
        return self._closed

    def after(self, seq: int) -> Range:
        """The first range behind `seq`, or what is left of it; beyond all numbers for none."""
        place = bisect_right(self._lasts, seq)
        if place == len(self._firsts):
            return FOREVER, FOREVER
        return max(self._firsts[place], seq + 1), self._lasts[place]

    def last_of(self, first: int) -> int | None:
        """The end of the range that begins at `first`, None if there is no such range."""
        place = bisect_left(self._firsts, first)
        if place < len(self._firsts) and self._firsts[place] == first:
            return self._lasts[place]
        return None

    def _append(self, first: int, last: int) -> None:
        self._closed += last - first + 1 if last != FOREVER else 0
        self.touched.add(first)
        self._firsts.append(first)
        self._lasts.append(last)

    def _replace(self, low: int, high: int, pieces: Sequence[Range]) -> None:
        gone, firsts = self._firsts[low:high], [first for first, _ in pieces]
        self._closed += length(pieces) - length(zip(gone, self._lasts[low:high], strict=True))
        self.touched.update(gone, firsts)
        self._firsts[low:high] = firsts
        self._lasts[low:high] = [last for _, last in pieces]


def length(ranges: Iterable[Range]) -> int:
    """How many numbers lie in those of `ranges` that have an end."""
    count = 0
    for first, last in ranges:
        if last != FOREVER:
            count += last - first + 1
    return count


def runs(seqs: Sequence[int]) -> list[Range]:
    """Distinct sequence numbers, in any order, as ranges of neighbours."""
    if not seqs:
        return []
    low, high = min(seqs), max(seqs)
    if high - low + 1 == len(seqs):  # the rule: no gap
        return [(low, high)]
    found = PendingRanges()
    for seq in seqs:
        found.add(seq, seq)
    return list(found)


def union(many: Iterable[PendingRanges]) -> PendingRanges:
    """What is pending in at least one of `many`."""
    together = PendingRanges()
    for first, last in heapq.merge(*many):
        together.add(first, last)
    return together


def gaps(pending: PendingRanges, newest: int) -> Iterator[Range]:
    """The ranges up to `newest` that are not pending, oldest first."""
    after = 1
    for first, last in pending:
        if first > after:
            yield after, min(first - 1, newest)
        after = last + 1
        if after > newest:
            return
    if after <= newest:
        yield after, newest


def without(
    pending: Mapping[int, PendingRanges], held: Mapping[int, Iterable[Range]]
) -> dict[int, PendingRanges]:
    """What is pending by table, less what is held back."""
    left = dict(pending)
    for table, ranges in held.items():
        if table in left:
            left[table] = PendingRanges(left[table])
            for first, last in ranges:
                left[table].subtract(first, last)
    return left
