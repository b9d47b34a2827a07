"""Rainflow counting, ASTM E1049-85 (2017) section 5.4.4, carried on from window to window.

What is carried is a list of floats, oldest first: the reversals that still wait for their
partner, then the extreme of the branch the signal is on now. Counting in pieces gives the same
cycles as counting the whole series; half cycles of the residue are closed only in a report.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from agent.features.arrays import Array

Cycle = tuple[float, float]  #: range in the unit of the series, count 1.0 or 0.5
FULL, HALF = 1.0, 0.5


def count(
    series: Array, residue: Sequence[float] = (), gate: float = 0.0
) -> tuple[list[Cycle], list[float]]:
    """Cycles that closed in `series`, shape (samples,), and the residue to carry on with.

    A turn back of `gate` (unit of the series) or less is noise and no reversal. NaN is not allowed.
    """
    cycles: list[Cycle] = []
    points = list(residue)
    for value in turning_points(series):
        if not points:
            points.append(value)
            continue
        move = value - points[-1]
        if len(points) > 1 and move * (points[-1] - points[-2]) >= 0:
            points[-1] = value  # further the same way
        elif abs(move) > gate:
            _close(points, cycles)
            points.append(value)
    return cycles, points


def close(residue: Sequence[float]) -> list[Cycle]:
    """What the residue would count if the record ended here; for reports, carry on without it."""
    cycles: list[Cycle] = []
    points = list(residue)
    _close(points, cycles)
    halves = [(abs(b - a), HALF) for a, b in itertools.pairwise(points)]
    return cycles + halves


def turning_points(series: Array) -> list[float]:
    """First, last and every local extreme of `series`, shape (samples,)."""
    steps = np.diff(series)
    moved = np.flatnonzero(steps)
    turns = moved[1:][np.diff(np.sign(steps[moved])) != 0]
    return [float(value) for value in series[[0, *turns, -1]]] if len(series) else []


def _close(points: list[float], cycles: list[Cycle]) -> None:
    """Count what the newest reversal, the last of `points`, closes (E1049 steps 2 to 5)."""
    while len(points) >= 3:
        x, y = abs(points[-1] - points[-2]), abs(points[-2] - points[-3])
        if x < y:
            return
        if len(points) == 3:  # Y contains the starting point
            cycles.append((y, HALF))
            del points[0]
        else:
            cycles.append((y, FULL))
            del points[-3:-1]


def histogram(cycles: Sequence[Cycle], width: float, bins: int) -> list[int]:
    """Half cycles per bin of range [k width, (k + 1) width); the last bin has no upper end."""
    counts = [0] * bins
    for extent, weight in cycles:
        counts[min(int(extent / width), bins - 1)] += round(2 * weight)
    return counts
