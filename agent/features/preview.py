"""A spectrum to look at: the newest samples of a ring, all axes together, in dB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.features.arrays import segments
from agent.features.spectrum import welch
from agent.model.stretch import Stretch

PIECES = 5  #: half overlapping, as many as the samples allow: peaks stand still
MOST_POINTS, LEAST_POINTS = 2048, 256


def levels(
    stretches: Sequence[Stretch], axes: int, rate_hz: float, highest_hz: float
) -> tuple[float, list[float]] | None:
    """Bins' distance in Hz and 10 log10 of the density per bin from 0 to `highest_hz`.

    Unit of the samples squared per Hz, summed over the axes. None while no stretch is long enough.
    """
    parts = segments(stretches, axes)
    longest = max(map(len, parts), default=0)
    points = MOST_POINTS
    while points > LEAST_POINTS and longest < points * (PIECES + 1) / 2:
        points //= 2
    found = welch(parts, rate_hz, points)
    if found is None:
        return None
    density = found.density.sum(axis=1)[found.frequency_hz <= highest_hz]
    decibels = 10 * np.log10(np.maximum(density, np.finfo(float).tiny))
    return found.resolution_hz, [float(one) for one in decibels]
