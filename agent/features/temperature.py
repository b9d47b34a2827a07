"""The gradient between a pair of probes, above and below the deck."""

from __future__ import annotations


def gradient(top_cel: float | None, bottom_cel: float | None, depth_m: float) -> float | None:
    """K/m from the bottom to the top probe, positive when the top is warmer; None if one is."""
    if top_cel is None or bottom_cel is None:
        return None
    return (top_cel - bottom_cel) / depth_m
