"""The newest samples of one chip, with what is needed to tell their time and what is missing.

Samples are numbered as they are delivered, from 0; a gap begins a new stretch and nothing is ever
put into it. One writer, any reader; no numpy, no disk: the drain thread is the writer.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from itertools import chain

from agent.model.stretch import Read, Stretch
from drivers.api import Samples

NUMBER_BYTES = 8  #: of one axis of a sample


class Reads(Sequence[Read]):
    """Reads, oldest first, by columns: an hour of a chip that is asked ten times a second."""

    NOT_TOLD = -1
    SPARE = 4096  #: dropped reads that may take room

    def __init__(self) -> None:
        self._ends, self._sizes, self._ats = array("q"), array("i"), array("d")
        self._gaps, self._losts = array("b"), array("q")
        self._first = 0  # those before are dropped

    def append(self, read: Read) -> None:
        """A new one."""
        for column, item in zip(self._columns(), read, strict=True):
            column.append(self.NOT_TOLD if item is None else item)  # type: ignore[arg-type]

    def drop(self, first: int) -> None:
        """Those of which nothing is left when sample `first` is the oldest."""
        while self._ends[self._first] <= first:
            self._first += 1
        if self._first > self.SPARE:
            for column in self._columns():
                del column[: self._first]
            self._first = 0

    def _columns(self) -> tuple[array[int] | array[float], ...]:
        return self._ends, self._sizes, self._ats, self._gaps, self._losts

    def __len__(self) -> int:
        return len(self._ends) - self._first

    def __getitem__(self, at: int) -> Read:  # type: ignore[override]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        at += self._first if at >= 0 else len(self._ends)
        lost = self._losts[at]
        gap, told = bool(self._gaps[at]), None if lost == self.NOT_TOLD else lost
        return Read(self._ends[at], self._sizes[at], self._ats[at], gap, told)


class Ring:
    """Holds `capacity` samples of `axes` numbers each; the oldest go."""

    def __init__(self, axes: int, capacity: int) -> None:
        self.axes, self.capacity = axes, capacity
        self.end = 0  #: samples delivered since the start
        self.gaps = 0  #: stretches begun after the first
        self._floor = 0  # nothing before this sample was kept when the ring grew
        self._buffer = array("d", bytes(NUMBER_BYTES * axes * capacity))
        self._reads = Reads()
        self._lock = threading.Lock()

    @property
    def first(self) -> int:
        """Number of the oldest sample that is still here."""
        return max(self.end - self.capacity, self._floor)

    def append(self, drained: Samples, at: float) -> None:
        """Take what a drain brought; `at` is used where the drain does not say when."""
        samples = drained.samples[-self.capacity :]
        if not samples:
            return
        with self._lock:
            gap = drained.gap and self.end > 0
            self.gaps += gap
            self._put(self.end, array("d", chain.from_iterable(samples)))
            self.end += len(samples)
            when = at if drained.at is None else drained.at
            self._reads.append(Read(self.end, len(samples), when, gap, drained.lost))
            self._reads.drop(self.first)

    def grow(self, capacity: int) -> None:
        """Hold `capacity` samples from now on, if that is more; what is here stays."""
        with self._lock:
            if capacity <= self.capacity:
                return
            self._floor = self.first
            kept = self._taken(self._floor, self.end)
            self._buffer = array("d", bytes(NUMBER_BYTES * self.axes * capacity))
            self.capacity = capacity
            self._put(self._floor, kept)

    def _put(self, first: int, numbers: array[float]) -> None:
        """Into the buffer from sample `first` on, round its end; not longer than it is."""
        place, size = first % self.capacity * self.axes, len(self._buffer)
        room = min(size - place, len(numbers))
        self._buffer[place : place + room] = numbers[:room]
        self._buffer[: len(numbers) - room] = numbers[room:]

    def stretches(self, since: int = 0, until: int | None = None) -> list[Stretch]:
        """Copies of the samples from number `since` to before `until`, split at gaps."""
        with self._lock:
            last = self.end if until is None else min(until, self.end)
            start = max(since, self.first)
            found: list[list[Read]] = []
            for read in self._between(start, last):
                if read.gap or not found:
                    found.append([])
                found[-1].append(read)
            return [self._stretch(reads, start, last) for reads in found]

    def _between(self, start: int, last: int) -> list[Read]:
        """The reads that brought these samples; found from the young end, where most look."""
        found: list[Read] = []
        for read in reversed(self._reads):
            if read.end <= start:
                break
            if read.end - read.size < last:
                found.append(read)
        return found[::-1]

    def _stretch(self, reads: list[Read], start: int, last: int) -> Stretch:
        """What these reads brought between both."""
        first, stop = max(reads[0].end - reads[0].size, start), min(reads[-1].end, last)
        gap = reads[0].gap and first == reads[0].end - reads[0].size
        return Stretch(first, stop, self._taken(first, stop), reads, gap)

    def _taken(self, first: int, stop: int) -> array[float]:
        """A copy out of the buffer, which turns."""
        if first == stop:
            return array("d")
        a, b = first % self.capacity, (stop - 1) % self.capacity + 1
        if a < b:
            return self._buffer[a * self.axes : b * self.axes]
        return self._buffer[a * self.axes :] + self._buffer[: b * self.axes]

    def reads(self) -> list[Read]:
        """Every read whose samples are still here, oldest first."""
        with self._lock:
            return list(self._reads)
