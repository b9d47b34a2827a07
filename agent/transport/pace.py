"""How often: what a flood costs is bounded by the hour, not by who sends it."""

from __future__ import annotations

import math
from collections.abc import Callable


class Seldom:
    """Lets one through in `every_s` and counts those it held back."""

    def __init__(self, every_s: float, monotonic: Callable[[], float]) -> None:
        self.every_s, self.monotonic = every_s, monotonic
        self.held = 0  #: since the last one that passed
        self._again_at = float("-inf")

    def passes(self) -> bool:
        """Whether this one may; `held` is then what was held back before it."""
        now = self.monotonic()
        if now < self._again_at:
            self.held += 1
            return False
        self._again_at = now + self.every_s
        return True

    def take_held(self) -> int:
        """How many were held back; begins to count anew."""
        held, self.held = self.held, 0
        return held


class Pace:
    """Some at once, a second apart, and then only `per_hour`."""

    AT_ONCE = 20
    APART_S = 1.0

    def __init__(self, per_hour: float, monotonic: Callable[[], float]) -> None:
        self.per_second, self.monotonic = per_hour / 3600, monotonic
        self._left, self._at = float(self.AT_ONCE), monotonic()
        self._next_at = float("-inf")

    def wait_s(self) -> float:
        """Seconds until the next may go, in whole milliseconds; 0 for now."""
        now = self.monotonic()
        self._left = min(self._left + (now - self._at) * self.per_second, self.AT_ONCE)
        self._at = now
        short_s = (1 - self._left) / self.per_second
        return max(math.ceil(max(self._next_at - now, short_s) * 1000), 0) / 1000

    def took(self) -> None:
        """One has gone."""
        self._left -= 1
        self._next_at = self.monotonic() + self.APART_S
