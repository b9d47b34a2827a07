"""Figures and pictures' points of a load test's channels. Times in s since its begin."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array
from agent.features.sample_times import sample_times
from agent.features.tilt import inclination
from agent.model.stretch import Read, Stretch

BLOCK_S = 600.0  #: so long a chip's clock is taken as steady
LONGEST_AFTER_S = 60.0
GUARD_S = 1.0  #: a mark may come so much late
GAP_S = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """Samples without a gap inside, at least one."""

    time: Array  #: shape (samples,), rising
    values: Array  #: shape (samples, axes)
    missing: int = 0  #: samples missing before it, where that can be told


@dataclass(frozen=True, slots=True)
class Figures:
    """One channel, in its unit; None where there are no samples to tell it from."""

    before: float | None  #: mean of the quiet time
    noise: float | None  #: standard deviation in the quiet time
    peak: float | None  #: largest deviation from `before` after the quiet time, with its sign
    peak_at: float | None  #: when
    after: float | None  #: mean of the end
    residual: float | None  #: after less before


def phases(marks: Sequence[float], end: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Quiet time and end, of marks that are set by hand.

    Up to a second before the first mark; the last half of what follows the last mark, a minute at
    most. Without marks the first and the last tenth.
    """
    first, last = (marks[0], marks[-1]) if marks else (end / 10, end * 0.8)
    return (0.0, first - min(GUARD_S, first / 10)), (
        end - min((end - last) / 2, LONGEST_AFTER_S),
        end,
    )


def figures(
    parts: Sequence[Part], axis: int, quiet: tuple[float, float], final: tuple[float, float]
) -> Figures:
    """Of one axis. `quiet`, `final`: begin and end in s, the end not included in the first."""
    time = joined([one.time for one in parts])
    values = joined([one.values[:, axis] for one in parts])
    before, after = values[time < quiet[1]], values[time >= final[0]]
    if not len(before):
        return Figures(None, None, None, None, mean(after), None)
    level = float(before.mean())
    noise = float(before.std(ddof=1)) if len(before) > 2 else None
    late = time >= quiet[1]
    peak = peak_at = None
    if late.any():
        deviation = values[late] - level
        at = int(abs(deviation).argmax())
        peak, peak_at = float(deviation[at]), float(time[late][at])
    rest = mean(after)
    return Figures(level, noise, peak, peak_at, rest, None if rest is None else rest - level)


def phase_means(
    parts: Sequence[Part], axis: int, bounds: Sequence[float], level: float
) -> list[float | None]:
    """Mean of each phase less `level`; `bounds`: begin of each phase in s, and the end."""
    time = joined([one.time for one in parts])
    values = joined([one.values[:, axis] for one in parts]) - level
    return [
        mean(values[(time >= begin) & (time < end)]) for begin, end in itertools.pairwise(bounds)
    ]


def mean(values: Array) -> float | None:
    """None of nothing."""
    return float(values.mean()) if len(values) else None


def joined(arrays: Sequence[Array]) -> Array:
    """One after the other; empty of nothing."""
    return np.concatenate(arrays) if arrays else np.empty(0)


def parts_of(stretches: Sequence[Stretch], axes: int, rate_hz: float, begin: float) -> list[Part]:
    """A stream's stretches, oldest first, each sample at its time by the fitted rate.

    `begin`: monotonic s that become 0. Split at gaps; nothing is put into them.
    """
    if not stretches:
        return []
    samples = np.concatenate([np.frombuffer(one.samples) for one in stretches]).reshape(-1, axes)
    numbers = np.concatenate([np.arange(one.first, one.end) for one in stretches])
    reads = [read for one in stretches for read in one.reads]
    found: list[Part] = []
    for block in blocks(reads):
        line = sample_times(block, rate_hz)
        if line is None:  # a single read: too little to tell its time
            continue
        for piece in line.pieces:
            low, high = np.searchsorted(numbers, [piece.first, piece.end])
            taken = piece.taken + numbers[low:high] - piece.first + 1
            time = line.rate.start_s + taken / line.rate.hz - begin
            inside = time >= 0
            part = Part(time[inside], samples[low:high][inside], piece.missing)
            if found and piece is line.pieces[0] and not block[0].gap:
                found[-1] = glued(found[-1], part)
            elif len(part.time):
                found.append(part)
    return found


def glued(one: Part, two: Part) -> Part:
    """Two that follow each other without a gap."""
    time, values = np.concatenate([one.time, two.time]), np.concatenate([one.values, two.values])
    return Part(time, values, one.missing)


def blocks(reads: Sequence[Read]) -> list[Sequence[Read]]:
    """Reads in equal runs of about BLOCK_S."""
    if not reads:
        return []
    count = max(round((reads[-1].at - reads[0].at) / BLOCK_S), 1)
    bounds = [len(reads) * number // count for number in range(count + 1)]
    return [reads[a:b] for a, b in itertools.pairwise(bounds)]


def part_of(times: Sequence[float], values: Sequence[float], every_s: float) -> list[Part]:
    """Answers of a sensor that is asked every `every_s`, or slower.

    Three missing make a gap, but not less than GAP_S: who asks may have been busy.
    """
    if not times:
        return []
    time, column = np.array(times), np.array(values).reshape(-1, 1)
    apart = np.diff(time)
    usual = max(every_s, float(np.median(apart))) if len(apart) else every_s
    cuts = np.flatnonzero(apart > max(3.5 * usual, GAP_S)) + 1
    pairs = zip(np.split(time, cuts), np.split(column, cuts), strict=True)
    return [Part(when, what) for when, what in pairs]


def scaled(parts: Sequence[Part], scales: Sequence[tuple[float, float]]) -> list[Part]:
    """Calibrated: gain and offset per axis."""
    gains, offsets = np.array(scales, dtype=float).T
    return [Part(one.time, one.values * gains + offsets, one.missing) for one in parts]


def samples(part: Part, axis: int) -> Iterator[tuple[float, float]]:
    """Time and value, one by one; not all of them in memory as objects."""
    for start in range(0, len(part.time), 10_000):
        chosen = slice(start, start + 10_000)
        yield from zip(part.time[chosen].tolist(), part.values[chosen, axis].tolist(), strict=True)


def tilts(parts: Sequence[Part], block_s: float = 1.0) -> list[Part]:
    """Tilt in deg of the first two axes of an accelerometer in m/s2, of means over `block_s`."""
    found = []
    for part in parts:
        span = part.time[-1] - part.time[0]
        size = max(round(block_s * (len(part.time) - 1) / span), 1) if span > 0 else len(part.time)
        count = len(part.time) // size
        if not count:
            continue
        time = part.time[: count * size].reshape(count, size).mean(axis=1)
        means = part.values[: count * size].reshape(count, size, -1).mean(axis=1)
        found.append(Part(time, np.array([inclination(one) for one in means])))
    return found


def envelope(part: Part, axis: int, end: float, columns: int) -> tuple[list[float], list[float]]:
    """Points of a line over `end` s that looks the same on `columns` pixels.

    All of them, or of each column the lowest and the highest, in the order of its ends.
    """
    time, values = part.time, part.values[:, axis]
    if len(time) <= 4 + 2 * columns * (time[-1] - time[0]) / end:
        return time.tolist(), values.tolist()
    column = np.floor(time * (columns / end)).astype(int)
    starts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    rising = values[starts] <= values[np.append(starts[1:], len(values)) - 1]
    middle = time[starts]
    first, second = np.where(rising, lows, highs), np.where(rising, highs, lows)
    points = np.column_stack([first, second]).ravel()
    return np.repeat(middle, 2).tolist(), points.tolist()
