"""A recording as a world: per channel what was recorded when, kept on disk while it plays."""

from __future__ import annotations

import heapq
import math
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import IO

RUN = 65_536  #: records sorted in memory at a time
BLOCK = 4096  #: records read at a time
WIDTH = 3  #: doubles per record: time, value, whether it was recorded there
INSTANT_S = 0.001  #: what is so much before a slot is in it
FIRST = 2000  #: steps between records that the usual step is taken from
EVEN = 0.02  #: a step that differs by less, as a share, is the usual one


class ReplayError(Exception):
    """The recording cannot be used; the message says which line or column."""


class Track:
    """One channel: `add` in any order, `finish`, then ask. Memory does not grow with its length.

    A value of NaN says that nothing was measured then. Two records of one second: the later counts.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.records = 0  #: with a value or without
        self.count = 0  #: values
        self.gaps = 0  #: steps of more than one and a half times the usual
        self.first = self.last = math.nan  #: unix seconds, of the earliest and the latest record
        self.step_s = math.nan  #: the usual one
        self.even = True  #: whether most steps are the usual one
        self.holds = False  #: a value stands until the next one, however late that comes
        self._folder, self._file = folder, self._open(folder)
        self._runs: list[tuple[int, int]] = []  # offset and number of records
        self._times, self._values, self._early = array("d"), array("d"), array("d")
        self._index = array("d")  # time of each block's first record
        self._block: tuple[int, array[float]] = (-1, array("d"))
        self._start = 0.0

    def _open(self, folder: Path | None) -> IO[bytes]:
        """A file without a name that lives as long as this track."""
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, file.close)
        return file

    def add(self, unix: float, value: float) -> None:
        """A record."""
        self._times.append(unix)
        self._values.append(value)
        self.records += 1
        self.count += value == value
        if len(self._early) <= FIRST:
            self._early.append(unix)
        if len(self._times) >= RUN:
            self._spill()

    def finish(self) -> None:
        """No more of them; sort, and know step and ends."""
        self._spill()
        early = sorted(self._early)
        steps = [b - a for a, b in pairwise(early) if b > a]
        if steps:
            often, times = Counter(map(round, steps)).most_common(1)[0]
            alike = [one for one in steps if round(one) == often]
            self.step_s = median_low(alike if times >= 0.3 * len(steps) else steps)
            usual = sum(abs(one - self.step_s) <= EVEN * self.step_s for one in steps)
            self.even = usual >= 0.5 * len(steps)
        file = self._file
        merged = heapq.merge(*(run(file, *one) for one in self._runs), key=lambda one: one[0])
        self._file = self._open(self._folder)
        self._write(merged)
        file.close()

    def at(self, unix: float) -> tuple[float, float, bool]:
        """Time of the newest record before `unix`, newest value up to it, whether it is of there.

        Before the first record: its time and the first value, not of there.
        """
        block = max(bisect_right(self._index, unix - 1e-6) - 1, 0)
        records = self._read(block)
        times = records[::WIDTH]
        n = bisect_right(times, unix - 1e-6) - 1
        if n < 0:
            return times[0], self._start, False
        _, value, recorded = records[n * WIDTH : n * WIDTH + WIDTH]
        return times[n], value, bool(recorded)

    def _spill(self) -> None:
        if not self._times:
            return
        order = sorted(range(len(self._times)), key=self._times.__getitem__)
        records = array("d")
        for n in order:
            records.append(self._times[n])
            records.append(self._values[n])
        self._runs.append((self._file.tell(), len(order)))
        records.tofile(self._file)
        self._times, self._values = array("d"), array("d")

    def _write(self, merged: Iterator[tuple[float, float]]) -> None:
        """Sorted records to disk, each with the newest value up to it."""
        known, records = math.nan, array("d")
        for unix, value in merged:
            if value == value:
                if known != known:
                    self._start = value
                known = value
            if self.first != self.first:
                self.first = unix
            self.gaps += unix - self.last > 1.5 * self.step_s and not self.holds
            self.last = unix
            if not len(records) % (BLOCK * WIDTH):
                records.tofile(self._file)
                records = array("d")
                self._index.append(unix)
            records.extend((unix, self._start if known != known else known, value == value))
        records.tofile(self._file)

    def _read(self, block: int) -> array[float]:
        if block != self._block[0]:
            records = array("d")
            self._file.seek(block * BLOCK * WIDTH * 8)
            records.frombytes(self._file.read(BLOCK * WIDTH * 8))
            self._block = block, records
        return self._block[1]


def run(file: IO[bytes], offset: int, left: int) -> Iterator[tuple[float, float]]:
    """The records of one sorted run: time and value."""
    while left:
        many = min(left, BLOCK)
        file.seek(offset)
        part = array("d", file.read(16 * many))
        yield from zip(part[::2], part[1::2], strict=True)
        offset, left = offset + 16 * many, left - many


class Replay:
    """Tracks by channel, played in slots of `interval_s` from `start` to `end` (unix seconds).

    Within a slot the newest record counts that lies before its end, so that all that is read of a
    slot is one truth. A record stands until the next, less than its track's usual step for long:
    what comes after that was not measured, and chips go on feeling the value before.
    """

    def __init__(
        self, tracks: Mapping[str, Track], *, start: float, end: float, interval_s: float
    ) -> None:
        self.tracks, self.start, self.end, self.interval_s = tracks, start, end, interval_s
        self._slot: dict[str, tuple[int, float, bool]] = {}

    @property
    def channels(self) -> Sequence[str]:
        """What the recording holds."""
        return list(self.tracks)

    def truth(self, channel: str, unix: float) -> float:
        """The recorded value of that slot. Raises KeyError for a channel it does not have."""
        return self._at(channel, unix)[1]

    def recorded(self, channel: str, unix: float) -> bool:
        """Whether the slot has a value of its own. Raises KeyError."""
        return self._at(channel, unix)[2]

    def _at(self, channel: str, unix: float) -> tuple[int, float, bool]:
        slot = math.floor((unix - self.start + INSTANT_S) / self.interval_s)
        found = self._slot.get(channel)
        if found is None or found[0] != slot:
            track, begin = self.tracks[channel], self.start + slot * self.interval_s
            when, value, recorded = track.at(begin + self.interval_s)
            young = track.holds or begin - when < max(track.step_s, 1e-3) or when >= begin
            found = self._slot[channel] = slot, value, recorded and young and slot >= 0
        return found
