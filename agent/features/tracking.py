"""Modes of a window assigned to reference modes. A missed mode is a missed mode: never filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.modes import Mode, assurance

WIDTH = 0.05  #: relative, on either side
ASSURANCE = 0.8


@dataclass(frozen=True, slots=True)
class Reference:
    """A mode to follow; `frequency_hz` may come from a temperature model, with 3 sigma as width."""

    frequency_hz: float
    width_hz: float | None = None  #: largest deviation; default 5 % of the frequency
    shape: tuple[complex, ...] = ()  #: compared where both have one

    @property
    def reach_hz(self) -> float:
        """The largest deviation in Hz."""
        return WIDTH * self.frequency_hz if self.width_hz is None else self.width_hz


def track(modes: Sequence[Mode], references: Sequence[Reference]) -> list[Mode | None]:
    """For each reference its mode of this window, or None. No mode serves two references."""
    near = [
        (abs(mode.frequency_hz - reference.frequency_hz) / reference.reach_hz, k, m)
        for k, reference in enumerate(references)
        for m, mode in enumerate(modes)
        if _may_be(mode, reference)
    ]
    found: list[Mode | None] = [None] * len(references)
    used: set[int] = set()
    for _, k, m in sorted(near):
        if found[k] is None and m not in used:
            found[k] = modes[m]
            used.add(m)
    return found


def _may_be(mode: Mode, reference: Reference) -> bool:
    """Near enough, and of the same shape where shapes are known."""
    if abs(mode.frequency_hz - reference.frequency_hz) > reference.reach_hz:
        return False
    if not reference.shape or len(mode.shape) != len(reference.shape):
        return True
    return assurance(np.array(mode.shape), np.array(reference.shape)) >= ASSURANCE
