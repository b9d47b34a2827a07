"""The features of one interval by the names that columns have, and what is carried to the next.

The instrument that asks for them is agent/measure/window.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agent.config.sections import WindowConfig
from agent.features import fatigue, passage, rainflow, tilt, velocity
from agent.features.arrays import Array, Segments
from agent.features.event import heaviest
from agent.features.modes import Settings, identify
from agent.features.spectrum import Spectrum, band_levels, peaks, points_for, welch
from agent.features.statistics import summaries
from agent.features.tracking import Reference, track

Values = dict[str, float | None]
PERIODS = 3  #: of the lowest mode, at least, in the correlations
BLOCK_S = 0.5  #: passages are looked for in means of half a second


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of an interval."""

    axes: Sequence[str]
    rate_hz: float  #: fitted
    full_scale: float  #: end of the range, unit of the samples
    options: WindowConfig
    wanted: Set[str]
    beat: Callable[[], None] = lambda: None  #: called between features: on a small Pi each is slow

    def any(self, *words: str) -> bool:
        """Whether a quantity that begins with one of the words is wanted."""
        return any(name.startswith(words) for name in self.wanted)


def vibration(parts: Segments, asked: Asked, temperature: float | None) -> Values:
    """Of accelerations in m/s2; `temperature`: of the chip, Cel."""
    values: Values = {}
    if asked.any("mean", "rms", "peak", "crest", "kurtosis", "clipped"):
        values |= statistics(parts, asked)
    if asked.any("ppv"):
        asked.beat()
        values |= peak_velocity(parts, asked)
    if asked.any("level"):
        asked.beat()
        values |= levels_by_band(parts, asked)
    if asked.any("tilt"):
        asked.beat()
        values |= tilts(parts, asked, temperature)
    if any(re.match(r"[fdq]\d", name) for name in asked.wanted):
        asked.beat()
        values |= modes(parts, asked)
    if any(re.match(r"p\d", name) for name in asked.wanted):
        asked.beat()
        values |= welch_peaks(parts, asked)
    asked.beat()
    return values


def statistics(parts: Segments, asked: Asked) -> Values:
    """Mean, rms, peak, crest, kurtosis per axis; clipped samples of all axes."""
    found = summaries(parts, asked.rate_hz, asked.full_scale)
    values: Values = {"clipped": sum(one.clipped for one in found)}
    for axis, one in zip(asked.axes, found, strict=True):
        values |= {
            f"mean_{axis}": one.mean,
            f"rms_{axis}": one.rms,
            f"peak_{axis}": one.peak,
            f"crest_{axis}": one.crest,
            f"kurtosis_{axis}": one.kurtosis,
        }
    return values


def peak_velocity(parts: Segments, asked: Asked) -> Values:
    """PPV in mm/s and its frequency in Hz per axis."""
    values: Values = {}
    found = velocity.peak_velocities(parts, asked.rate_hz)
    for axis, one in zip(asked.axes, found, strict=True):
        values[f"ppv_{axis}"] = None if one is None else one.value * 1000
        values[f"ppv_frequency_{axis}"] = None if one is None else one.frequency_hz
    return values


def spectrum(parts: Segments, rate_hz: float) -> Spectrum | None:
    """Power spectral density, (m/s2)^2/Hz."""
    return welch(parts, rate_hz, points_for(rate_hz))


def levels_by_band(parts: Segments, asked: Asked) -> Values:
    """Third-octave levels in dB re 1e-6 m/s2 per axis."""
    found = spectrum(parts, asked.rate_hz)
    if found is None:
        return {name: None for name in asked.wanted if name.startswith("level")}
    levels = band_levels(found)
    return {
        f"level_{axis}_{band}": float(levels[band, column])
        for column, axis in enumerate(asked.axes)
        for band in range(len(levels))
        if np.isfinite(levels[band, column])
    }


def tilts(parts: Segments, asked: Asked, temperature: float | None) -> Values:
    """Degrees per axis, as they would read at the reference temperature where a slope is known."""
    found = tilt.tilt(parts, asked.rate_hz)
    how = asked.options
    values: Values = {}
    for column, axis in enumerate(asked.axes[:2]):
        angle = None if found is None else found[column]
        slope = how.tilt_slope.get(axis)
        if angle is not None and slope is not None:
            angle = (
                None
                if temperature is None
                else tilt.compensated(angle, temperature, slope, how.reference_cel)
            )
        values[f"tilt_{axis}"] = angle
    return values


def modes(parts: Segments, asked: Asked) -> Values:
    """Frequency Hz, damping %, quality % of each reference mode; a missed mode is left out."""
    how = asked.options
    lag_s = max(Settings().lag_s, PERIODS / min(how.modes))
    settings = Settings(highest_hz=how.highest_hz, lines_hz=tuple(how.lines_hz), lag_s=lag_s)
    references = [Reference(one, how.mode_width * one) for one in how.modes]
    values: Values = {}
    found = track(identify(parts, asked.rate_hz, settings), references)
    for number, mode in enumerate(found, 1):
        if mode is not None:
            values[f"f{number}"] = mode.frequency_hz
            values[f"d{number}"] = 100 * mode.damping
            values[f"q{number}"] = 100 * mode.quality
    return values


def welch_peaks(parts: Segments, asked: Asked) -> Values:
    """Hz of the highest Welch peak near each reference mode, all axes; machine lines are none.

    Cheaper than `modes` and without damping; a mode without a peak is left out. A peak belongs to
    the reference it is nearest to: it fills no other's place where their widths overlap.
    """
    how = asked.options
    found = spectrum(parts, asked.rate_hz)
    if found is None:
        return {}
    tops = peaks(found.frequency_hz, found.density.sum(axis=1), lines_hz=how.lines_hz)
    values: Values = {}
    for number, one in enumerate(how.modes, 1):
        near = [
            top
            for top in tops
            if abs(top.frequency_hz - one) <= how.mode_width * one
            and one == min(how.modes, key=lambda mode: abs(top.frequency_hz / mode - 1))
        ]
        if near:
            highest = max(near, key=lambda top: top.level_db)
            values[f"p{number}"] = highest.frequency_hz
    return values


def levels(parts: Sequence[Array], axis: str) -> Values:
    """Mean, least and largest of one axis, unit of the samples."""
    whole = np.concatenate(parts)
    return {
        f"mean_{axis}": float(whole.mean()),
        f"min_{axis}": float(whole.min()),
        f"max_{axis}": float(whole.max()),
    }


def counted(
    parts: Sequence[Array], asked: Asked, carried: Mapping[str, Any]
) -> tuple[Values, dict[str, Any]]:
    """Cycles, damage and passages of samples that were not counted before; what to carry on with.

    `carried` is plain numbers and lists, as JSON has them.
    """
    axis, how = asked.axes[0], asked.options
    values: Values = {}
    after = dict(carried)
    if asked.any("cycles", "damage"):
        cycles, after["residue"] = count_cycles(parts, carried.get("residue", ()), how.gate)
        found = rainflow.histogram(cycles, how.bin_width, how.bins)
        values |= {f"cycles_{axis}_{k}": float(count) for k, count in enumerate(found)}
        if how.detail_category is not None:
            curve = fatigue.steel(how.detail_category)
            more = fatigue.damage(fatigue.stress(cycles, how.modulus_gpa), curve)
            after["damage"] = carried.get("damage", 0.0) + more
            values[f"damage_{axis}"] = after["damage"]
    if asked.any("passages", "top"):
        state = passage.State(
            **{key: _tuple(one) for key, one in carried.get("passage", {}).items()}
        )
        seen, state = passage.passages(blocks(parts, asked.rate_hz), how.on, how.off, state)
        after["passage"] = asdict(state)
        values[f"passages_{axis}"] = float(len(seen))
        for k, peak in enumerate(heaviest([abs(one.peak) for one in seen]), 1):
            values[f"top_{axis}_{k}"] = peak
    return values, after


def count_cycles(
    parts: Sequence[Array], residue: Sequence[float], gate: float
) -> tuple[list[rainflow.Cycle], list[float]]:
    """Rainflow over stretches one after the other."""
    cycles: list[rainflow.Cycle] = []
    left = list(residue)
    for part in parts:
        more, left = rainflow.count(part, left, gate)
        cycles += more
    return cycles, left


def blocks(parts: Sequence[Array], rate_hz: float) -> list[float]:
    """Means of half a second."""
    size = max(round(BLOCK_S * rate_hz), 1)
    return [
        float(part[start : start + size].mean())
        for part in parts
        for start in range(0, len(part) - size + 1, size)
    ]


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
