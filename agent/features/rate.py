"""The real sample rate of a chip, fitted against the monotonic clock.

Each read gives (samples so far, time after the level register was read). Reads are late, never
early, so the earliest read of each block is the one to believe: line through all reads, then
through the earliest of each block (Mills, RFC 5905 section 10, has the same idea: the sample of
least delay carries the least error).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array

BLOCK = 20  #: reads of which the earliest counts
LEAST_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """A fitted sample rate."""

    hz: float
    start_s: float  #: monotonic time of sample 0
    residual_s: float  #: rms of the reads that counted about the line
    reads: int  #: how many counted

    def ppm(self, nominal_hz: float) -> float:
        """Deviation from `nominal_hz` in parts per million."""
        return (self.hz / nominal_hz - 1) * 1e6


def fit_rate(samples: Array, times_s: Array) -> Rate | None:
    """The rate of one gapless stretch; None for fewer than two different reads.

    `samples`: cumulative sample count at each read, shape (reads,); `times_s`: monotonic time of
    that read in s, same shape.
    """
    keep = np.flatnonzero(np.diff(samples, prepend=samples[:1] - 1) > 0)
    samples, times_s = samples[keep], times_s[keep]
    if len(samples) < 2:
        return None
    period, start = _line(samples, times_s)
    early = _earliest(times_s - start - period * samples)
    if len(early) >= LEAST_BLOCKS:
        samples, times_s = samples[early], times_s[early]
        period, start = _line(samples, times_s)
    residual = times_s - start - period * samples
    return Rate(1 / period, start, float(np.sqrt(np.mean(residual**2))), len(samples))


def _earliest(late_s: Array) -> list[int]:
    """Index of the least late read of each whole block."""
    blocks = len(late_s) // BLOCK
    return [k * BLOCK + int(np.argmin(late_s[k * BLOCK : (k + 1) * BLOCK])) for k in range(blocks)]


def _line(samples: Array, times_s: Array) -> tuple[float, float]:
    """Least squares: seconds per sample, time of sample 0."""
    mean_n, mean_t = samples.mean(), times_s.mean()
    n = samples - mean_n
    period = float(n @ (times_s - mean_t) / (n @ n))
    return period, float(mean_t - period * mean_n)
