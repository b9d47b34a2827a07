"""The clock of a demo: waits for chips with a FIFO, so that a busy machine makes no gaps.

At ten times real time a FIFO of a quarter of a second is full after 26 ms, which no thread of a
busy machine can promise. So simulated time stands still while a stream is late; a demo that cannot
keep up gets slower and loses nothing. Nor does a driver that waits for a conversion sleep longer
than it wanted.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from agent.clock import SimClock

PATIENCE_S = 2.0  #: real seconds; a stream that is late for longer is not waited for
SPAN_S = 3.0  #: real seconds over which the speed is told
NAP_S = 0.0002
OVERSLEPT_S = 0.001  #: simulated


class Due(Protocol):
    """Somebody who must not be kept waiting."""

    due_by: float | None  #: monotonic seconds; None while nothing is lost by waiting
    answering: int | None  #: thread whose driver sleeps between question and answer


#: what the clock may not run past (simulated monotonic seconds), given when each sleeper wakes
Leash = Callable[[Mapping[int, float]], float]


class PacedClock(SimClock):
    """Runs `speed` times as fast, never past what `leash` says."""

    def __init__(self, start: float, speed: float = 1.0) -> None:
        super().__init__(start, speed)
        self.patience_s = PATIENCE_S  #: real seconds
        self.leash: Leash = lambda asleep: math.inf
        self._real, self._simulated = self._zero, 0.0
        self._late_for: tuple[float, float] = (math.inf, 0.0)  # leash, real time it was reached
        self._seen: list[tuple[float, float]] = []  # real, simulated
        self._asleep: dict[int, float] = {}  # thread -> until when, simulated
        self._turn = threading.Lock()

    def monotonic(self) -> float:
        """Simulated seconds since this clock was made."""
        with self._turn:
            now = time.monotonic()
            ahead = self._simulated + (now - self._real) * self.speed
            self._real = now
            self._simulated = max(min(ahead, self._limit(ahead, now)), self._simulated)
            return self._simulated

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of simulated time."""
        end = self.monotonic() + seconds
        thread = threading.get_ident()
        with self._turn:
            self._asleep[thread] = end
        while (left := end - self.monotonic()) > 0:
            time.sleep(max(left / self.speed, NAP_S))
        with self._turn:
            del self._asleep[thread]

    def pace(self) -> float:
        """Simulated seconds per second as reached lately; ask it now and then."""
        simulated, now = self.monotonic(), time.monotonic()
        self._seen = [one for one in self._seen if one[0] >= now - SPAN_S]
        self._seen.append((now, simulated))
        since, before = self._seen[0]
        return (simulated - before) / (now - since) if now - since >= SPAN_S / 2 else self.speed

    def _limit(self, ahead: float, now: float) -> float:
        waking = min(self._asleep.values(), default=math.inf)
        limit = min(self.leash(self._asleep), waking + OVERSLEPT_S)
        if ahead <= limit:
            return limit
        if limit != self._late_for[0]:
            self._late_for = (limit, now)
        return limit if now - self._late_for[1] < self.patience_s else math.inf


def leash(streams: Iterable[Due]) -> Leash:
    """Of these streams: none of them loses samples."""
    known = list(streams)

    def limit(asleep: Mapping[int, float]) -> float:
        found = math.inf
        for one in known:
            if (due := one.due_by) is not None:  # who sleeps has to wake up before it can answer
                wakes = asleep.get(one.answering or 0, due)
                found = min(found, max(due, wakes))
        return found

    return limit
