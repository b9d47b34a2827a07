"""When each sample was taken, by the fitted rate, and how many are missing at each gap.

A chip goes on counting by its own clock while nobody reads it: all stretches of one record lie on
one line, each a whole number of samples further. A read is late by up to one sample, never early,
so the earliest read of a stretch tells that number.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.rate import Rate, fit_rate
from agent.model.stretch import Read

LEAST_S = 1.0  #: a shorter record tells no rate
GROWN = 1.05  #: longer than the record last fitted: fit anew
SURE, SURER = 0.1, 0.05  #: of a sample; see `lag_of`


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch on the line."""

    first: int  #: number of its first delivered sample
    end: int  #: number of the first one after it
    missing: int  #: samples missing before it
    taken: int  #: samples the chip took since the record began, before `first`


@dataclass(frozen=True, slots=True)
class SampleTimes:
    """Maps numbers of delivered samples to monotonic seconds."""

    rate: Rate
    pieces: Sequence[Piece]

    def time(self, number: int) -> float:
        """Monotonic seconds at which sample `number` was taken."""
        at = bisect.bisect_right(self.pieces, number, key=lambda one: one.first) - 1
        piece = self.pieces[max(at, 0)]
        return self.rate.start_s + (piece.taken + number - piece.first + 1) / self.rate.hz

    def number(self, at: float) -> int:
        """The first delivered sample taken at `at` or later; one past the newest if none was."""
        for piece in self.pieces:
            if self.time(piece.end - 1) >= at:
                ahead = math.ceil((at - self.time(piece.first)) * self.rate.hz - 1e-6)
                return piece.first + max(ahead, 0)
        return self.pieces[-1].end


def sample_times(reads: Sequence[Read], nominal_hz: float) -> SampleTimes | None:
    """The sample times of a ring's reads, oldest first; None before there are two reads.

    Until a stretch holds a second of reads the nominal rate is believed.
    """
    stretches = split(reads)
    if sum(map(len, stretches)) < 2:
        return None
    rate, lags = laid(stretches, nominal_hz)
    first = stretches[0][0].end - stretches[0][0].size
    pieces: list[Piece] = []
    for stretch, lag in zip(stretches, lags, strict=True):
        begin = stretch[0].end - stretch[0].size
        pieces.append(piece(begin, stretch, begin - first + lag - lags[0], pieces))
    start = rate.start_s + (first + lags[0]) / rate.hz
    return SampleTimes(Rate(rate.hz, start, rate.residual_s, rate.reads), pieces)


def piece(begin: int, stretch: Sequence[Read], taken: int, before: Sequence[Piece]) -> Piece:
    """A stretch as the line has it, unless the chip itself told what is missing."""
    if not before:
        return Piece(begin, stretch[-1].end, 0, taken)
    least = before[-1].taken + before[-1].end - before[-1].first
    told = stretch[0].lost
    taken = least + told if told is not None else max(taken, least)
    return Piece(begin, stretch[-1].end, taken - least, taken)


def laid(stretches: Sequence[Sequence[Read]], nominal_hz: float) -> tuple[Rate, list[int]]:
    """All stretches laid on one line, from the longest on to its neighbours.

    Fitted anew whenever the record has grown by a twentieth: with a gap at every read that is 200
    fits, not thousands.

    The lag of a stretch is how many samples further it lies than its delivered count says.
    """
    lengths = [one[-1].at - one[0].at for one in stretches]
    low = high = lengths.index(max(lengths))
    lags = [0] * len(stretches)
    rate, known_s = fit_between(stretches, lags, low, high, nominal_hz), lengths[low]
    while high - low + 1 < len(stretches):
        before = high + 1 == len(stretches) or (
            low > 0
            and stretches[low][0].at - stretches[low - 1][-1].at
            < stretches[high + 1][0].at - stretches[high][-1].at
        )
        low, high = (low - 1, high) if before else (low, high + 1)
        found = low if before else high
        lags[found] = lag_of(stretches[found], rate)
        length_s = stretches[high][-1].at - stretches[low][0].at
        if length_s > GROWN * known_s or high - low + 1 == len(stretches):
            rate, known_s = fit_between(stretches, lags, low, high, nominal_hz), length_s
    return rate, lags


def fit_between(
    stretches: Sequence[Sequence[Read]], lags: Sequence[int], low: int, high: int, nominal_hz: float
) -> Rate:
    """The rate of the stretches from number `low` to `high`, moved by their lags."""
    chosen = range(low, high + 1)
    counts = [float(read.end + lags[number]) for number in chosen for read in stretches[number]]
    times = [read.at for number in chosen for read in stretches[number]]
    return fitted(counts, times, nominal_hz)


def split(reads: Sequence[Read]) -> list[list[Read]]:
    """Reads of each stretch."""
    stretches: list[list[Read]] = []
    for read in reads:
        if read.gap or not stretches:
            stretches.append([])
        stretches[-1].append(read)
    return stretches


def fitted(counts: Sequence[float], times: Sequence[float], nominal_hz: float) -> Rate:
    """The rate of reads, nominal while they are few.

    `start_s` belongs to count 0 by the earliest read.
    """
    found = None
    if times[-1] - times[0] >= LEAST_S:
        found = fit_rate(np.array(counts), np.array(times))
    hz, residual = (found.hz, found.residual_s) if found else (nominal_hz, 0.0)
    start = min(at - count / hz for count, at in zip(counts, times, strict=True))
    return Rate(hz, start, residual, found.reads if found else len(counts))


def lag_of(stretch: Sequence[Read], rate: Rate) -> int:
    """How many samples further on the line this stretch lies than the delivered count says.

    A single read may be late by anything up to a sample, the earliest of many is hardly late: the
    more there are the nearer comes rounding down to rounding.
    """
    late = min((one.at - rate.start_s) * rate.hz - one.end for one in stretch)
    return math.floor(late + min(SURE + SURER * len(stretch), 0.5))
