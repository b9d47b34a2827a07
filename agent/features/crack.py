"""Crack width against temperature: how it breathes, what is left, where it goes.

w = w0 + k T: hourly means over at least two weeks make the baseline; then every hour is held
against it, and once in a while k is fitted anew to be compared, never to replace it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array
from agent.features.baseline import Baseline, fit, theil_sen

TRAINING_H = 14 * 24
DAYS_A_MONTH = 30.0


@dataclass(frozen=True, slots=True)
class Breathing:
    """A stretch of hours against the baseline. None = no verdict."""

    deviation_mm: float | None  #: mean of width less expectation, within the trained range
    drift_mm_month: float | None  #: Theil-Sen slope of the daily deviations
    slope_mm_k: float | None  #: fitted anew to this stretch, only to be compared
    slope_change: float | None  #: relative to the baseline's slope
    judged: int  #: hours that lay within the trained temperatures


def learn(width_mm: Array, temperature_cel: Array, version: str) -> Baseline:
    """Baseline from hourly means, shape (hours,) each. Raises ValueError below two weeks."""
    if len(width_mm) < TRAINING_H:
        raise ValueError(f"{version}: {len(width_mm)} h, a baseline needs {TRAINING_H} h")
    return fit(width_mm, temperature_cel[:, None], version)


def judge(width_mm: Array, temperature_cel: Array, baseline: Baseline) -> Breathing:
    """Hold hourly means, shape (hours,) each and in a row, against the baseline."""
    within = (temperature_cel >= baseline.low) & (temperature_cel <= baseline.high)
    within &= np.isfinite(width_mm)
    hours = np.flatnonzero(within)
    if not len(hours):
        return Breathing(None, None, None, None, 0)
    expected = baseline.offset + baseline.slopes[0] * (temperature_cel[hours] - baseline.means[0])
    left = width_mm[hours] - expected
    days = np.unique(hours // 24)
    daily = np.array([left[hours // 24 == day].mean() for day in days])
    drift = theil_sen(days.astype(float), daily)
    slope = _slope(width_mm[hours], temperature_cel[hours])
    return Breathing(
        float(left.mean()),
        None if drift is None else drift * DAYS_A_MONTH,
        slope,
        None if slope is None or not baseline.slopes[0] else slope / baseline.slopes[0] - 1,
        len(hours),
    )


def _slope(width_mm: Array, temperature_cel: Array) -> float | None:
    """Least squares of width on temperature; None where the temperature did not move."""
    moved = temperature_cel - temperature_cel.mean()
    weight = float(moved @ moved)
    return float(moved @ width_mm) / weight if weight > 1e-9 else None
