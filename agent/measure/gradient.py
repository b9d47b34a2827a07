"""The temperature gradient of a section, from a probe at its top and one at its bottom.

A derived sensor: its inputs are temperatures of two other instruments, such as a pair of DS18B20.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.features.temperature import gradient
from drivers.api import Quantity


class Gradient:
    """The gradient over the depth of the section in K/m, positive when the top is warmer.

    With it the temperature in the middle, which frequencies follow: one probe alone follows sun or
    shade.
    """

    quantities = {
        "gradient": Quantity("gradient", 0.1, -500, 500),
        "difference": Quantity("temperature_difference", 0.1, -150, 150),
        "mean": Quantity("temperature", 0.1, -60, 100),
    }

    def __init__(self, depth_m: float) -> None:
        if depth_m <= 0:
            raise ValueError(f"depth_m is the distance of the two probes, not {depth_m:g}")
        self.depth_m = depth_m
        self.now: tuple[float | None, float | None] = (None, None)

    def setup(self) -> None:
        """Nothing to set up."""

    def compensate(self, top_cel: float | None = None, bottom_cel: float | None = None) -> None:
        """What the two probes have measured for this row."""
        self.now = (top_cel, bottom_cel)

    def read(self) -> Mapping[str, float | None]:
        """gradient K/m, difference K, mean Cel; absent where a probe is."""
        (top, bottom), self.now = self.now, (None, None)
        if top is None or bottom is None:
            return {}
        steepness = gradient(top, bottom, self.depth_m)
        return {"gradient": steepness, "difference": top - bottom, "mean": (top + bottom) / 2}


DRIVER, TWIN = Gradient, None
