"""What a chip's self-test has to show: its own push moves every axis, and not too far."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.api import DataError


def moved(
    address: int,
    still: Sequence[float],
    pushed: Sequence[float],
    limits_g: Sequence[tuple[float, float]],
) -> list[float]:
    """How far each axis moved, in g. Raises DataError with the figures."""
    far = [abs(one - zero) for one, zero in zip(pushed, still, strict=True)]
    if not all(low <= one <= high for one, (low, high) in zip(far, limits_g, strict=True)):
        figures = ", ".join(
            f"{axis} {one:.3f} g ({low:g} to {high:g})"
            for axis, one, (low, high) in zip("xyz"[: len(far)], far, limits_g, strict=True)
        )
        raise DataError(f"0x{address:02x}: self-test moved {figures}: shaken meanwhile, or broken")
    return far
