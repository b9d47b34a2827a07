"""Fatigue damage from counted cycles: S-N curves and the sum of Palmgren and Miner.

The engineer gives the detail category; the node sums. Stress ranges in MPa (N/mm2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.features.rainflow import Cycle

REFERENCE_CYCLES = 2e6  # EN 1993-1-9:2005, 7.1(2)
KNEE_CYCLES = 5e6
CUT_OFF_CYCLES = 1e8
STEEL_GPA = 210.0  # EN 1993-1-1, 3.2.6


@dataclass(frozen=True, slots=True)
class Curve:
    """Two slopes that meet at the knee; ranges at or below the cut-off do no harm."""

    knee_mpa: float
    knee_cycles: float
    slope: float  #: above the knee
    flat_slope: float  #: below it
    cut_off_mpa: float = 0.0

    def endurance(self, range_mpa: float) -> float:
        """Cycles of `range_mpa` until failure; infinite up to the cut-off."""
        if range_mpa <= self.cut_off_mpa or range_mpa <= 0:
            return float("inf")
        slope = self.slope if range_mpa >= self.knee_mpa else self.flat_slope
        return float(self.knee_cycles * (self.knee_mpa / range_mpa) ** slope)


def steel(category_mpa: float, partial_factor: float = 1.0) -> Curve:
    """Direct stress, EN 1993-1-9:2005 figure 7.1: m = 3 to 5e6, m = 5 to the cut-off at 1e8.

    `category_mpa`: detail category, range at 2e6 cycles; `partial_factor`: gamma_Mf, table 3.1.
    """
    knee = category_mpa / partial_factor * (REFERENCE_CYCLES / KNEE_CYCLES) ** (1 / 3)
    cut_off = knee * (KNEE_CYCLES / CUT_OFF_CYCLES) ** (1 / 5)
    return Curve(knee, KNEE_CYCLES, 3.0, 5.0, cut_off)


def stress(cycles: Sequence[Cycle], modulus_gpa: float = STEEL_GPA) -> list[Cycle]:
    """Cycles of strain in um/m as cycles of stress in MPa, one-axial."""
    return [(extent * modulus_gpa * 1e-3, weight) for extent, weight in cycles]


def damage(cycles: Sequence[Cycle], curve: Curve) -> float:
    """Miner sum of `cycles` (MPa): 1 is failure by the curve. Add it to what is carried."""
    return sum(weight / curve.endurance(extent) for extent, weight in cycles)
