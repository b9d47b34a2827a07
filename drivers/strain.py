"""Strain from a Wheatstone bridge of foil gauges, as a 24-bit converter counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.api import Quantity

Wiring = Literal["quarter", "half", "full"]
Gain = Literal[1, 2, 4, 8, 16, 32, 64, 128]
ACTIVE_ARMS = {"quarter": 1, "half": 2, "full": 4}  # output / excitation = arms x GF x strain / 4
FULL_SCALE = 1 << 23  # counts at excitation / gain
USABLE = 0x7F0000  # counts, 99.2 %: beyond, the input is at its end (less a converter's own offset)


@dataclass(frozen=True, slots=True)
class Bridge:
    """How the gauges are wired and amplified. ValueError for a gauge factor of 0 or less."""

    gauge_factor: float
    wiring: Wiring
    gain: Gain

    def __post_init__(self) -> None:
        if self.gauge_factor <= 0:
            raise ValueError("gauge_factor is the number on the gauge's packet, about 2")

    def strain(self, counts: int) -> float:
        """Strain in um/m; the reference is the excitation, so the supply cancels."""
        ratio = counts / FULL_SCALE / self.gain
        return ratio * 4 / ACTIVE_ARMS[self.wiring] / self.gauge_factor * 1e6

    def quantity(self) -> Quantity:
        """Strain over the range that the converter has at this gain."""
        limit = self.strain(USABLE)
        return Quantity("strain", 0.1, -limit, limit)

    def overload(self, counts: int) -> str:
        """What the user should look at, if the input is at the end of its range; else nothing."""
        if abs(counts) <= USABLE:
            return ""
        end = f"input at the end of its range ({counts & 0xFFFFFF:06x})"
        limit = f"{self.strain(USABLE):.0f} um/m"
        return f"{end}: a wire of the gauge is open, or the bridge is unbalanced beyond {limit}"
