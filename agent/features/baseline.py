"""A feature's frozen dependence on temperature, and what is left of it.

y = b0 + b1 (T - T0) + further regressors, by ridge regression over a training time. A baseline
is fitted once, named, and never changed: a new one is another version. Outside the temperatures
it was trained at it gives no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array

RIDGE = 1e-6  #: of the standardised regressors' own weight


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a feature is expected to be. Plain numbers: keep it as it is."""

    version: str
    rows: int  #: it was trained with
    offset: float  #: at the mean of every regressor
    means: tuple[float, ...]  #: of the regressors, the first is the temperature in Cel
    slopes: tuple[float, ...]  #: feature unit per unit of the regressor
    slope_error: float  #: standard error of the first slope
    residual: float  #: standard deviation of the training residuals
    low: float  #: trained temperatures, Cel
    high: float

    def expected(self, regressors: Sequence[float]) -> float | None:
        """The feature's expected value; None = no verdict, outside the trained temperatures."""
        if not self.low <= regressors[0] <= self.high:
            return None
        moved = zip(self.slopes, regressors, self.means, strict=True)
        return self.offset + sum(slope * (now - mean) for slope, now, mean in moved)

    def deviation(self, value: float, regressors: Sequence[float]) -> float | None:
        """Value less expectation, in its unit; None = no verdict."""
        expected = self.expected(regressors)
        return None if expected is None else value - expected


def fit(values: Array, regressors: Array, version: str) -> Baseline:
    """Baseline of `values`, shape (rows,), on `regressors`, shape (rows, k), temperature first.

    Rows with a NaN are left out. Raises ValueError for fewer than 3 rows per coefficient.
    """
    whole = np.isfinite(values) & np.isfinite(regressors).all(axis=1)
    y, x = values[whole], regressors[whole]
    rows, k = x.shape
    if rows < 3 * (k + 1):
        raise ValueError(f"{version}: {rows} rows are too few for {k + 1} coefficients")
    means, scales = x.mean(axis=0), x.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    standard = (x - means) / scales
    weight = standard.T @ standard + RIDGE * rows * np.eye(k)
    slopes = np.linalg.solve(weight, standard.T @ (y - y.mean()))
    left = y - y.mean() - standard @ slopes
    residual = float(np.sqrt(left @ left / (rows - k - 1)))
    error = residual * float(np.sqrt(np.linalg.inv(weight)[0, 0]) / scales[0])
    return Baseline(
        version,
        rows,
        float(y.mean()),
        tuple(float(mean) for mean in means),
        tuple(float(slope) for slope in slopes / scales),
        error,
        residual,
        float(x[:, 0].min()),
        float(x[:, 0].max()),
    )


def lagged(temperature: Array, rows: int) -> Array:
    """Temperature, shape (n,), as it was `rows` rows before; NaN where the record begins later."""
    return np.concatenate([np.full(min(rows, len(temperature)), np.nan), temperature])[
        : len(temperature)
    ]


def theil_sen(times: Array, values: Array) -> float | None:
    """Median of the slopes of all pairs, shape (n,) each: a drift that outliers do not move.

    Sen 1968 (J. Am. Stat. Assoc. 63, 1379-1389). For up to a few hundred daily means; None
    for fewer than two different times.
    """
    whole = np.isfinite(values)
    i, j = np.triu_indices(int(whole.sum()), 1)
    t, y = times[whole], values[whole]
    apart = t[j] != t[i]
    if not apart.any():
        return None
    return float(np.median((y[j] - y[i])[apart] / (t[j] - t[i])[apart]))


def slope_of_pairs(times: Sequence[float], values: Sequence[float]) -> float | None:
    """`theil_sen` of plain numbers."""
    return theil_sen(np.array(times, dtype=float), np.array(values))
