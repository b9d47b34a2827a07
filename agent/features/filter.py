"""A causal band-pass for the trigger, carried on from block to block.

Butterworth of second order on either side by the bilinear transform, in transposed direct form
(Oppenheim, Schafer, Discrete-Time Signal Processing, 3rd ed., sections 6.3 and 7.2.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Biquad:
    """One section of second order: b0, b1, b2 over 1, a1, a2 in powers of 1/z."""

    b: tuple[float, float, float]
    a: tuple[float, float]


Memory = tuple[float, float]  #: of one section


def bandpass(rate_hz: float, low_hz: float, high_hz: float) -> tuple[Biquad, Biquad]:
    """High pass at `low_hz`, low pass at `high_hz` (-3 dB each)."""
    return _section(rate_hz, low_hz, high=True), _section(rate_hz, high_hz, high=False)


def _section(rate_hz: float, corner_hz: float, *, high: bool) -> Biquad:
    k = math.tan(math.pi * corner_hz / rate_hz)
    scale = 1 / (1 + math.sqrt(2) * k + k * k)
    b = scale if high else k * k * scale
    middle = -2 * b if high else 2 * b
    return Biquad((b, middle, b), (2 * (k * k - 1) * scale, (1 - math.sqrt(2) * k + k * k) * scale))


def resting(sections: Sequence[Biquad], level: float) -> list[Memory]:
    """The memory of a filter that has seen nothing but `level` for long: gravity is no event."""
    memory = []
    for section in sections:
        (b0, b1, b2), (a1, a2) = section.b, section.a
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        memory.append((out - b0 * level, b2 * level - a2 * out))
        level = out
    return memory


def run(
    signal: Sequence[float], sections: Sequence[Biquad], memory: Sequence[Memory] = ()
) -> tuple[list[float], list[Memory]]:
    """Filtered signal, and the memory to carry on with; no memory = from rest."""
    out, left = list(signal), []
    for section, (m1, m2) in zip(sections, memory or [(0.0, 0.0)] * len(sections), strict=True):
        (b0, b1, b2), (a1, a2) = section.b, section.a
        for k, x in enumerate(out):
            y = b0 * x + m1
            m1 = b1 * x - a1 * y + m2
            m2 = b2 * x - a2 * y
            out[k] = y
        left.append((m1, m2))
    return out, left
