"""Natural frequencies and damping of one window: SSI-COV, stabilisation, clustering.

Poles that stay where they are while the model order grows are physical (Peeters and De Roeck
2001, Stochastic system identification for operational modal analysis, J. Dyn. Syst. Meas.
Control 123, 659-667, section 4). A mode is a cluster of them; the median is reported, the
spread and the share of orders it was seen in say how good it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array, Complex, Segments
from agent.features.level import levelled
from agent.features.machine_tones import LINES_HZ, on_line, sine_like
from agent.features.ssi import Poles, correlations, decimation, poles

LEAST_ROWS = 20  #: block rows of the Toeplitz matrix
SPLIT = 0.02  #: relative; nearer modes of one shape cannot be told apart in a window
SINE_WIDTH = 0.01  #: relative half width of the band that is tested for a sine


@dataclass(frozen=True, slots=True)
class Settings:
    """How modes are looked for; the defaults suit road bridges."""

    highest_hz: float = 15.0
    lowest_hz: float = 0.5
    lag_s: float = 1.5  #: span of the correlations: three or more periods of the first mode
    highest_order: int = 40
    frequency_step: float = 0.01  #: largest relative change from one order to the next
    damping_step: float = 0.2  #: same for damping
    assurance: float = 0.95  #: least MAC between the shapes of two orders
    least_damping: float = 0.001
    most_damping: float = 0.08
    least_orders: int = 8  #: stable orders that make a mode
    lines_hz: tuple[float, ...] = LINES_HZ


@dataclass(frozen=True, slots=True)
class Mode:
    """One identified mode."""

    frequency_hz: float
    damping: float  #: share of critical
    frequency_spread_hz: float  #: standard deviation over the orders
    damping_spread: float
    quality: float  #: 0..1, share of model orders in which it was stable
    shape: tuple[complex, ...] = ()  #: one per axis, largest 1


@dataclass(frozen=True, slots=True)
class _Stable:
    order: int
    frequency_hz: float
    damping: float
    shape: Complex


def identify(segments: Segments, rate_hz: float, settings: Settings | None = None) -> list[Mode]:
    """Modes of one window by rising frequency; empty if no segment is long enough.

    `segments`: gapless stretches of shape (samples, axes), any unit, at `rate_hz`.
    """
    how = settings or Settings()
    usable = [one for one in segments if len(one)]
    if not usable:
        return []
    factor = decimation(rate_hz, how.highest_hz)
    rows = max(LEAST_ROWS, round(how.lag_s * rate_hz / factor / 2))
    found = correlations(levelled(usable, rate_hz), rate_hz, factor, 2 * rows)
    if not found[0].trace() > 0:
        return []
    diagram = poles(found, rate_hz / factor, rows, how.highest_order)
    clusters = _clusters(_stable(diagram, how), how)
    modes = _whole([_mode(cluster, len(diagram)) for cluster in clusters], how)
    longest = max(usable, key=len)
    return [mode for mode in modes if not _machine(mode, longest, rate_hz, how)]


def assurance(one: Complex, other: Complex) -> float:
    """MAC of two shapes (axes,): 1 = same, 0 = orthogonal (Allemang 2003)."""
    scale = np.vdot(one, one).real * np.vdot(other, other).real
    return float(abs(np.vdot(one, other)) ** 2 / scale) if scale else 0.0


def _whole(modes: Sequence[Mode], how: Settings) -> list[Mode]:
    """Without poles that split off: near a mode of more stable orders and of the same shape."""
    kept: list[Mode] = []
    for mode in sorted(modes, key=lambda one: -one.quality):
        if not any(_split(mode, better, how) for better in kept):
            kept.append(mode)
    return sorted(kept, key=lambda one: one.frequency_hz)


def _split(mode: Mode, better: Mode, how: Settings) -> bool:
    apart = abs(mode.frequency_hz - better.frequency_hz)
    alike = assurance(np.array(mode.shape), np.array(better.shape)) >= how.assurance
    return alike and apart <= SPLIT * better.frequency_hz


def _machine(mode: Mode, x: Array, rate_hz: float, how: Settings) -> bool:
    """Whether a mode is a known line, or a steady sine on the axis where it is largest."""
    if on_line(mode.frequency_hz, rate_hz / len(x), rate_hz, how.lines_hz):
        return True
    axis = int(np.argmax(np.abs(mode.shape)))
    return sine_like(x[:, axis], rate_hz, mode.frequency_hz, SINE_WIDTH * mode.frequency_hz)


def _stable(diagram: Sequence[Poles], how: Settings) -> list[_Stable]:
    """Poles that the next lower order has as well."""
    kept = []
    for before, now in itertools.pairwise(diagram):
        for k, (frequency, damping) in enumerate(zip(now.frequency_hz, now.damping, strict=True)):
            if not how.lowest_hz <= frequency <= how.highest_hz:
                continue
            if how.least_damping <= damping <= how.most_damping and _seen(before, now, k, how):
                kept.append(_Stable(now.order, float(frequency), float(damping), now.shapes[:, k]))
    return kept


def _seen(before: Poles, now: Poles, k: int, how: Settings) -> bool:
    """Whether pole `k` of `now` has a partner in `before`."""
    if not len(before.frequency_hz):
        return False
    frequency, damping = now.frequency_hz[k], now.damping[k]
    near = int(np.argmin(abs(before.frequency_hz - frequency)))
    return bool(
        abs(before.frequency_hz[near] - frequency) <= how.frequency_step * frequency
        and abs(before.damping[near] - damping) <= how.damping_step * damping
        and assurance(before.shapes[:, near], now.shapes[:, k]) >= how.assurance
    )


def _clusters(stable: Sequence[_Stable], how: Settings) -> list[list[_Stable]]:
    """Neighbours in frequency, split where the gap exceeds half the allowed step."""
    groups: list[list[_Stable]] = []
    for one in sorted(stable, key=lambda pole: pole.frequency_hz):
        last = groups[-1][-1].frequency_hz if groups else 0.0
        if one.frequency_hz - last > how.frequency_step / 2 * one.frequency_hz:
            groups.append([])
        groups[-1].append(one)
    unique = [_one_per_order(group) for group in groups]
    return [group for group in unique if len(group) >= how.least_orders]


def _one_per_order(group: Sequence[_Stable]) -> list[_Stable]:
    """Of the poles of one order the one nearest to the median of all."""
    middle = float(np.median([pole.frequency_hz for pole in group]))
    nearest: dict[int, _Stable] = {}
    for pole in sorted(group, key=lambda pole: -abs(pole.frequency_hz - middle)):
        nearest[pole.order] = pole
    return list(nearest.values())


def _mode(cluster: Sequence[_Stable], orders: int) -> Mode:
    """Median and spread of a cluster."""
    frequency = np.array([pole.frequency_hz for pole in cluster])
    damping = np.array([pole.damping for pole in cluster])
    typical = cluster[int(np.argmin(abs(frequency - np.median(frequency))))]
    return Mode(
        float(np.median(frequency)),
        float(np.median(damping)),
        float(frequency.std()),
        float(damping.std()),
        len(cluster) / orders,
        tuple(complex(value) for value in typical.shape),
    )
