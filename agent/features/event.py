"""Figures of one event, and its class by the weight of a known vehicle."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array


@dataclass(frozen=True, slots=True)
class Figures:
    """What leaves the node of an event."""

    peak: float  #: largest amount, unit of the signal
    duration_s: float
    area: float  #: integral of the amount over time, unit x s
    heaviness: int  #: number of class limits the peak has reached


def figures(x: Array | Sequence[float], rate_hz: float, limits: Sequence[float] = ()) -> Figures:
    """Of the event's samples x, shape (samples,), its rest level already taken off.

    `limits`: rising peaks at which a heavier class begins. Raises ValueError for no sample.
    """
    amount = abs(np.asarray(x, dtype=float))
    peak = float(amount.max())
    area = float(amount.sum()) / rate_hz
    return Figures(peak, len(x) / rate_hz, area, heaviness(peak, limits))


def heaviness(peak: float, limits: Sequence[float]) -> int:
    """The class of a peak: how many of the rising `limits` it reaches."""
    return bisect_right(limits, abs(peak))


def class_limits(known_peak: float, known_t: float, limits_t: Sequence[float]) -> list[float]:
    """Peaks that belong to weights `limits_t`, from one passage of a vehicle of `known_t`.

    A bridge answers in proportion: half the weight on the same lane, half the strain.
    """
    return sorted(known_peak * weight / known_t for weight in limits_t)


def heaviest(peaks: Sequence[float], most: int = 3) -> list[float]:
    """The largest peaks of an hour, largest first."""
    return [float(peak) for peak in np.sort(np.asarray(peaks, dtype=float))[::-1][:most]]
