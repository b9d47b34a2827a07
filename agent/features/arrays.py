"""What the feature modules share: the array type, segments, lengths that transform fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.model.stretch import Stretch

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
#: Samples without a gap inside, each of shape (samples, axes); a gap begins a new one.
Segments = Sequence[Array]


def fast_length(least: int) -> int:
    """The smallest 2^a 3^b 5^c that is not below `least` (>= 1): quick for an FFT."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best


def ramp(x: Array, zero: float, one: float) -> Array:
    """Raised cosine from 0 at `zero` to 1 at `one`, constant outside; zero > one falls."""
    share = np.clip((x - zero) / (one - zero), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * share))


def taper(length: int, edge: int) -> Array:
    """Ones of shape (length,) with raised-cosine ends of `edge` samples each."""
    edge = min(edge, length // 2)
    position = np.arange(length) + 0.5
    return ramp(np.minimum(position, length - position), 0, max(edge, 1))


def detrend(x: Array) -> Array:
    """x, shape (samples, axes), less its least-squares line per axis."""
    time = np.arange(len(x)) - (len(x) - 1) / 2
    slope = time @ x / max(float(time @ time), 1)
    return np.asarray(x - x.mean(axis=0) - np.outer(time, slope))


def segments(stretches: Sequence[Stretch], axes: int) -> Segments:
    """A ring's stretches as arrays of shape (samples, axes)."""
    return [np.frombuffer(one.samples).reshape(-1, axes) for one in stretches]
