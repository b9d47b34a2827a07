"""Has a feature left its baseline? A two-sided EWMA of clipped, standardised deviations.

Roberts 1959 (Technometrics 1, 239-250) with each deviation clipped at 3 sigma, so that single
outliers, and the mode of a passing lorry, raise nothing: about ten windows in a row have to agree.
"""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT = 0.1  #: of the newest deviation
LIMIT = 7.0  #: in standard deviations of the EWMA itself, sqrt(WEIGHT / (2 - WEIGHT)) sigma
CLIP = 3.0  #: in sigma


@dataclass(frozen=True, slots=True)
class Change:
    """What is carried from window to window."""

    level: float = 0.0  #: EWMA of the deviation, in sigma
    alarm: bool = False


def follow(state: Change, deviation: float | None, sigma: float) -> Change:
    """Take one more deviation, in the unit of `sigma` (> 0); None (missed, no verdict) waits.

    An alarm ends when the level is back below half the limit.
    """
    if deviation is None:
        return state
    clipped = max(-CLIP, min(CLIP, deviation / sigma))
    level = (1 - WEIGHT) * state.level + WEIGHT * clipped
    limit = LIMIT * (WEIGHT / (2 - WEIGHT)) ** 0.5
    alarm = abs(level) > (limit / 2 if state.alarm else limit)
    return Change(level, alarm)
