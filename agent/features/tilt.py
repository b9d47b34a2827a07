"""Tilt from acceleration, in degrees, less what the sensor's own temperature does to it."""

from __future__ import annotations

import numpy as np

from agent.features.arrays import Array, Segments

STANDARD_GRAVITY = 9.80665  #: m/s2, CGPM 1901
BLOCK_S = 10.0


def tilt(
    segments: Segments, rate_hz: float, gravity: float = STANDARD_GRAVITY
) -> list[float] | None:
    """Median over means of 10 s, so that traffic does not count; None without a whole block.

    `segments`: stretches of shape (samples, axes) in the unit of `gravity`. Two axes: asin(a / g)
    of each. Three: each of the first two against the other two, independent of g.
    """
    size = round(BLOCK_S * rate_hz)
    blocks = [
        one[start : start + size].mean(axis=0)
        for one in segments
        for start in range(0, len(one) - size + 1, size)
    ]
    if not blocks:
        return None
    angles = np.array([inclination(block, gravity) for block in blocks])
    return [float(angle) for angle in np.median(angles, axis=0)]


def inclination(mean: Array, gravity: float = STANDARD_GRAVITY) -> Array:
    """Degrees of the X and the Y axis against the horizontal, shape (2,); `mean`: (2,) or (3,)."""
    if len(mean) == 2:
        return np.asarray(np.degrees(np.arcsin(np.clip(mean / gravity, -1, 1))))
    x, y, z = mean
    angles = np.array([np.arctan2(x, np.hypot(y, z)), np.arctan2(y, np.hypot(x, z))])
    return np.asarray(np.degrees(angles))


def compensated(tilt_deg: float, sensor_cel: float, slope: float, reference_cel: float) -> float:
    """Tilt as it would read at `reference_cel`; `slope` in deg/K from bench or first week."""
    return tilt_deg - slope * (sensor_cel - reference_cel)
