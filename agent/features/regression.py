"""A straight line through values and temperatures that come one by one, in constant memory.

Means and centred sums are updated per row (Welford 1962, Technometrics 4, 419-420), so a training
time of weeks is eight numbers that go with each row.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.features.baseline import Baseline

LEAST_SPREAD = 1e-9  #: K2; a temperature that never moved tells no slope


@dataclass(frozen=True, slots=True)
class Sums:
    """What is known of the rows so far; x: temperature in Cel, y: the value."""

    rows: int = 0
    x: float = 0.0  #: means
    y: float = 0.0
    xx: float = 0.0  #: sums of centred products
    xy: float = 0.0
    yy: float = 0.0
    low: float = 0.0  #: least and largest x
    high: float = 0.0

    def add(self, x: float, y: float) -> Sums:
        """With one more row."""
        rows = self.rows + 1
        dx, dy = x - self.x, y - self.y
        mean_x, mean_y = self.x + dx / rows, self.y + dy / rows
        return Sums(
            rows,
            mean_x,
            mean_y,
            self.xx + dx * (x - mean_x),
            self.xy + dx * (y - mean_y),
            self.yy + dy * (y - mean_y),
            min(self.low, x) if self.rows else x,
            max(self.high, x) if self.rows else x,
        )

    def merge(self, other: Sums) -> Sums:
        """Rows of both (Chan, Golub, LeVeque 1979)."""
        if not self.rows or not other.rows:
            return self if self.rows else other
        rows = self.rows + other.rows
        dx, dy = other.x - self.x, other.y - self.y
        weight = self.rows * other.rows / rows
        return Sums(
            rows,
            self.x + dx * other.rows / rows,
            self.y + dy * other.rows / rows,
            self.xx + other.xx + dx * dx * weight,
            self.xy + other.xy + dx * dy * weight,
            self.yy + other.yy + dy * dy * weight,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def slope(self) -> float | None:
        """Least squares, unit of y per K; None where x never moved."""
        return self.xy / self.xx if self.xx > LEAST_SPREAD else None

    def frozen(self, version: str) -> Baseline:
        """The line as a baseline. Raises ValueError for fewer than 9 rows."""
        if self.rows < 9:
            raise ValueError(f"{version}: {self.rows} rows are too few for a line")
        slope = self.slope or 0.0
        residual = (max(self.yy - slope * self.xy, 0.0) / (self.rows - 2)) ** 0.5
        error = residual / self.xx**0.5 if self.slope is not None else 0.0
        return Baseline(
            version, self.rows, self.y, self.x, slope, error, residual, self.low, self.high
        )
