"""The class of an event by the weight of a known vehicle, and the heaviest of many."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np


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
