"""Power spectral density by Welch's method, its peaks, and levels in third-octave bands.

Welch 1967 (IEEE Trans. Audio Electroacoust. 15, 70-73): Hann window, half overlap, mean of each
piece removed; one-sided density. Pieces never reach across a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array, Segments
from agent.features.machine_tones import LINES_HZ, on_line

RESOLUTION_HZ = 0.016  #: default: a mode at 3 Hz can be told to f / 200
PROMINENCE_DB = 6.0
REFERENCE = 1e-6  #: m/s2, 0 dB of acceleration levels (ISO 1683)
FIRST_BAND = 0  #: 10^(0/10) Hz = 1 Hz
BANDS = 16  #: to 31.6 Hz


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One-sided power spectral density."""

    frequency_hz: Array  #: shape (bins,)
    density: Array  #: shape (bins, axes), unit of the samples squared per Hz
    pieces: int  #: how many were averaged

    @property
    def resolution_hz(self) -> float:
        """Distance of two bins."""
        return float(self.frequency_hz[1])


@dataclass(frozen=True, slots=True)
class Peak:
    """A local maximum of a spectrum."""

    frequency_hz: float
    level_db: float  #: 10 log10 of the density
    prominence_db: float


def points_for(rate_hz: float, resolution_hz: float = RESOLUTION_HZ) -> int:
    """The least power of two that resolves `resolution_hz`."""
    return 1 << int(np.ceil(np.log2(rate_hz / resolution_hz)))


def welch(segments: Segments, rate_hz: float, points: int) -> Spectrum | None:
    """Mean over all pieces of `points` samples; None if no stretch holds one.

    `segments`: stretches of shape (samples, axes). Agrees with scipy.signal.welch of its defaults.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(points) / points)
    axes = segments[0].shape[1] if segments else 0
    total = np.zeros((points // 2 + 1, axes))
    pieces = 0
    for one in segments:
        for start in range(0, len(one) - points + 1, points - points // 2):
            piece = one[start : start + points]
            spectrum = np.fft.rfft((piece - piece.mean(axis=0)) * window[:, None], axis=0)
            total += spectrum.real**2 + spectrum.imag**2
            pieces += 1
    if not pieces:
        return None
    total *= 2 / (rate_hz * float(window @ window) * pieces)
    total[0] /= 2
    if points % 2 == 0:
        total[-1] /= 2
    return Spectrum(np.arange(points // 2 + 1) * rate_hz / points, total, pieces)


def peaks(
    frequency_hz: Array,
    density: Array,
    prominence_db: float = PROMINENCE_DB,
    lines_hz: Sequence[float] = LINES_HZ,
) -> list[Peak]:
    """Peaks of a density (bins,) by rising frequency, machine lines left out.

    A peak stands `prominence_db` above the higher of the two valleys beside it and above the
    median of the octave around it (with few averages noise alone has the first). Its frequency
    is the top of the parabola through three logarithmic bins.
    """
    level = 10 * np.log10(np.maximum(density, np.finfo(float).tiny))
    step = float(frequency_hz[1] - frequency_hz[0])
    found = []
    for at, prominence in _prominences(level, prominence_db):
        surroundings = level[int(at / 2**0.5) : int(at * 2**0.5) + 2]
        offset = _top(level[at - 1 : at + 2])
        frequency = float(frequency_hz[at]) + offset * step
        stands = level[at] - np.median(surroundings) >= prominence_db
        if stands and not on_line(frequency, step, 2 * float(frequency_hz[-1]), lines_hz):
            found.append(Peak(frequency, float(level[at]), prominence))
    return found


def _top(three: Array) -> float:
    """Where the parabola through three points has its top, in bins from the middle."""
    bend = three[0] - 2 * three[1] + three[2]
    return float((three[0] - three[2]) / (2 * bend)) if bend else 0.0


def _prominences(level: Array, least: float) -> list[tuple[int, float]]:
    """Index and prominence of the local maxima that reach `least`."""
    found = []
    inner = level[1:-1]
    for at in np.flatnonzero((inner > level[:-2]) & (inner >= level[2:])) + 1:
        left = _valley(level[at - 1 :: -1], level[at])
        right = _valley(level[at + 1 :], level[at])
        prominence = float(level[at] - max(left, right))
        if prominence >= least:
            found.append((int(at), prominence))
    return found


def _valley(way: Array, top: float) -> float:
    """Lowest level on the way from a peak until something higher."""
    reach = 64
    while reach < len(way) and not (way[:reach] > top).any():
        reach *= 2
    higher = np.flatnonzero(way[:reach] > top)
    return float(way[: higher[0] if len(higher) else len(way)].min())


def band_levels(spectrum: Spectrum, first: int = FIRST_BAND, count: int = BANDS) -> Array:
    """Levels in dB re 1e-6 m/s2, shape (count, axes), third-octave bands of base ten.

    Band k has its middle at 10^(k / 10) Hz (IEC 61260-1, 5.2); bins on an edge count in part.
    Bands beyond the spectrum are NaN.
    """
    edges = 10 ** ((np.arange(first, first + count + 1) - 0.5) / 10)
    bins = np.append(spectrum.frequency_hz, spectrum.frequency_hz[-1] + spectrum.resolution_hz)
    bins -= spectrum.resolution_hz / 2
    levels = np.full((count, spectrum.density.shape[1]), np.nan)
    for axis in range(levels.shape[1]):
        energy = np.append(0, np.cumsum(spectrum.density[:, axis])) * spectrum.resolution_hz
        power = np.diff(np.interp(edges, bins, energy))
        levels[:, axis] = 10 * np.log10(np.maximum(power, 1e-30) / REFERENCE**2)
    levels[edges[1:] > spectrum.frequency_hz[-1]] = np.nan
    return levels
