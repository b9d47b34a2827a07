"""The clock as a modem's port needs it: a long wait is no silence for the watchdog."""

from __future__ import annotations

from agent.clock import Clock


class BeatingTimer:
    """Waits on a clock and beats."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.monotonic = clock, clock.monotonic

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        self.clock.beat()
        self.clock.sleep(seconds)
