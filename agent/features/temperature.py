"""What the structure's temperature does that is not the structure: strain and the pair."""

from __future__ import annotations

CONCRETE_PER_K = 10e-6  #: EN 1992-1-1, 3.1.3(5)
STEEL_PER_K = 12e-6  #: EN 1993-1-1, 3.2.6


def gradient(top_cel: float | None, bottom_cel: float | None, depth_m: float) -> float | None:
    """K/m from the bottom to the top probe, positive when the top is warmer; None if one is."""
    if top_cel is None or bottom_cel is None:
        return None
    return (top_cel - bottom_cel) / depth_m


def mechanical_strain(
    strain: float, change_k: float, structure_per_k: float, gauge_per_k: float
) -> float:
    """Measured strain in um/m less the difference of free expansion over `change_k`."""
    return strain - (structure_per_k - gauge_per_k) * change_k * 1e6
