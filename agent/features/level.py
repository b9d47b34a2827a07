"""Loud stretches made quieter, so that a lorry does not outweigh the other nine minutes.

Correlations weigh every second by its power. Traffic makes a few seconds a hundred times as
powerful as the rest: the estimate then rests on those seconds alone, and scatters as if the
window were as short. So where the power about a sample exceeds `MOST` times the median it is
scaled down to that; where nothing is so loud, as under a steady load, nothing changes. The power
is a mean over `STRETCH_S`, longer than a mode takes to ring down: a gain that rises again during
the decay would make its damping look less.
"""

from __future__ import annotations

import numpy as np

from agent.features.arrays import Array, Segments, detrend

STRETCH_S = 12.0  #: about a sample
MOST = 2.0  #: times the median power


def levelled(segments: Segments, rate_hz: float) -> Segments:
    """The same without their trend, shape (samples, axes), loud stretches scaled down.

    All axes get one gain, so that shapes stay what they are. The median is of all segments.
    """
    still = [detrend(one) for one in segments]
    powers = [power_about(one, round(STRETCH_S * rate_hz)) for one in still]
    most = MOST * float(np.median(np.concatenate(powers))) if powers else 0.0
    if most <= 0:  # silent for the most part: nothing to go by
        return still
    return [
        one * np.sqrt(most / np.maximum(power, most))[:, None] if power.max() > most else one
        for one, power in zip(still, powers, strict=True)
    ]


def power_about(x: Array, samples: int) -> Array:
    """Mean square, of all axes together, of `samples` about each; fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", x, x))])
    at = np.arange(len(x))
    first = np.maximum(at - samples // 2, 0)
    last = np.minimum(at + samples // 2 + 1, len(x))
    return np.asarray((sums[last] - sums[first]) / (last - first))
