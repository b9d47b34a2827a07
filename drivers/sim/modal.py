"""Modal response in exact discrete time: a mode under a force that is held over each step.

State-space solution of q'' + 2 zeta omega q' + omega^2 q = f for piecewise constant f (Franklin,
Powell, Workman, Digital Control of Dynamic Systems, 3rd ed., section 4.3.3): the poles are those
of the continuous mode to the last digit, whatever the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """One natural mode of a structure."""

    frequency_hz: float
    damping: float  #: share of critical, 0 < damping < 1
    shape: tuple[float, ...] = (1.0,)  #: acceleration per modal acceleration, one per channel


class Resonator:
    """One mode, stepped from sample to sample."""

    def __init__(self, mode: Mode, step_s: float) -> None:
        self.mode = mode
        self.omega = 2 * math.pi * mode.frequency_hz
        damped = self.omega * math.sqrt(1 - mode.damping**2)
        decay = math.exp(-mode.damping * self.omega * step_s)
        cos, sin = decay * math.cos(damped * step_s), decay * math.sin(damped * step_s)
        lean = mode.damping * self.omega / damped * sin
        self.phi = ((cos + lean, sin / damped), (-(self.omega**2) * sin / damped, cos - lean))
        self.gamma = ((1 - self.phi[0][0]) / self.omega**2, self.phi[0][1])
        self.displacement = self.velocity = 0.0

    def step(self, force: float) -> float:
        """Modal acceleration now (unit of `force`), then `force` acts for one step."""
        q, v = self.displacement, self.velocity
        (a, b), (c, d) = self.phi
        self.displacement = a * q + b * v + self.gamma[0] * force
        self.velocity = c * q + d * v + self.gamma[1] * force
        return force - self.omega**2 * q - 2 * self.mode.damping * self.omega * v

    def filter(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """The same as numerator and denominator in powers of 1/z, from force to acceleration."""
        (a, b), (c, d) = self.phi
        g, h = self.gamma
        stiff, damp = -(self.omega**2), -2 * self.mode.damping * self.omega
        trace, determinant = a + d, a * d - b * c
        first = stiff * g + damp * h - trace
        second = stiff * (b * h - d * g) + damp * (c * g - a * h) + determinant
        return (1.0, first, second), (1.0, -trace, determinant)
