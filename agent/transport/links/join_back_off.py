"""How often to ask a LoRaWAN network to join: less and less (LoRaWAN L2 1.0.4, section 7)."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable

from agent.clock import Clock
from agent.transport.airtime import Memory

JOIN_SHARES = ((3600.0, 0.01), (11 * 3600.0, 0.001), (math.inf, 0.0001))  # L2 1.0.4, section 7
SHORTEST_JOIN_S = 15.0
JITTER = (1.0, 1.3)  #: times the wait: many nodes that lost their network do not ask in step


class JoinBackOff:
    """When to try to join again: by the share of airtime that tries may take, jittered.

    LoRaWAN L2 1.0.4, section 7: 1 % in the first hour, 0.1 % in the next ten, then 0.01 %; and
    from the first hour on no more than half of the day's budget.
    Kept on disk, so that a restart does not begin again at 1 %.
    """

    def __init__(
        self,
        memory: Memory,
        clock: Clock,
        link: str,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.memory, self.clock, self.key, self.draw = memory, clock, f"join/{link}", draw
        kept = json.loads(memory.setting(self.key) or b"{}")
        self.tries = int(kept.get("tries", 0))
        self._since_s, self._wait_s = kept.get("since_s", 0.0), kept.get("wait_s", 0.0)
        self._at = kept.get("at", 0.0)
        if kept.get("boot") != clock.boot_id():  # nobody knows how long it was off
            self._at = clock.monotonic()
            if self.tries:
                self._keep()

    def wait_s(self) -> float:
        """Seconds until the next try."""
        return float(max(self._at + self._wait_s - self.clock.monotonic(), 0.0))

    def tried(self, seconds: float, most: float = 1.0) -> None:
        """A try of `seconds` on the air begins; `most`: share after the first hour, if lower."""
        now = self.clock.monotonic()
        if self.tries:
            self._since_s += max(now - self._at, 0.0)
        share = next(share for end, share in JOIN_SHARES if self._since_s < end)
        share = share if self._since_s < JOIN_SHARES[0][0] else min(share, most)
        gap_s = max(seconds / share, SHORTEST_JOIN_S)
        self.tries, self._at = self.tries + 1, now
        self._wait_s = gap_s * self.draw(*JITTER)
        self._keep()

    def done(self) -> None:
        """Joined."""
        self.memory.set_setting(self.key, b"{}")

    def _keep(self) -> None:
        kept = {
            "tries": self.tries,
            "since_s": self._since_s,
            "wait_s": self._wait_s,
            "at": self._at,
            "boot": self.clock.boot_id(),
        }
        self.memory.set_setting(self.key, json.dumps(kept).encode())
