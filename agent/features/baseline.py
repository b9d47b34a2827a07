"""A feature's frozen dependence on temperature, and what is left of it.

y = offset + slope (T - mean), by least squares over a training time (regression.py). A baseline is
made once, named, and never changed: a new one is another version. Outside the temperatures it was
trained at it gives no verdict.

The instrument that learns and applies it is agent/measure/baseline.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a feature is expected to be. Plain numbers: keep it as it is."""

    version: str
    rows: int  #: it was trained with
    offset: float  #: at the mean temperature, feature unit
    mean: float  #: of the trained temperatures, Cel
    slope: float  #: feature unit per K
    slope_error: float  #: its standard error
    residual: float  #: standard deviation of the training residuals
    low: float  #: trained temperatures, Cel
    high: float

    def expected(self, celsius: float) -> float | None:
        """The feature's expected value; None = no verdict, outside the trained temperatures."""
        if not self.low <= celsius <= self.high:
            return None
        return self.offset + self.slope * (celsius - self.mean)

    def deviation(self, value: float, celsius: float) -> float | None:
        """Value less expectation, in its unit; None = no verdict."""
        expected = self.expected(celsius)
        return None if expected is None else value - expected


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
