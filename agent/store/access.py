"""Lock, transactions and time of an open store: what its faces share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from agent.clock import Clock
from agent.store.database import File
from agent.store.dating import Dating
from agent.store.selection import NEVER, Moment
from agent.store.state import State
from agent.store.writer import Writer

STEPS = 20  #: of dating at a time
PAUSE_S = 0.002  #: between two of them

Answer = TypeVar("Answer")


class Access:
    """Whoever reads or changes `state` holds `lock`; `writer` alone writes to the file."""

    def __init__(self, file: File, clock: Clock) -> None:
        self.clock, self.lock = clock, threading.Lock()
        self.file = file
        self.state = State(self.file)
        self.writer = Writer(self.state, clock)
        self.dating = Dating(self.state)
        self.wakes: list[threading.Event] = []
        self.opened_at = 0.0  #: monotonic seconds

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """An answer out of the file, None where it gives none."""
        with self.lock:
            return self.writer.ask(question)

    def wake(self) -> None:
        """Wake every link: there is something new to send."""
        for wake in self.wakes:
            if not wake.is_set():  # else whoever clears it will look after that
                wake.set()

    def moment(self, trust_wait_s: float) -> Moment:
        """Now; undated rows are held back while the clock has so long to become trusted."""
        now, utc = self.clock.monotonic(), self.clock.utc()
        until = self.opened_at + trust_wait_s
        return Moment(now, utc, until if utc is None and now < until else -NEVER)

    def date(self) -> int:
        """Date rows and messages that have no date, or a wrong one, once the clock is trusted.

        As many as fit into some milliseconds under the lock. Returns how many rows.
        """
        known = self.clock.reckoning()
        if not self.dating.due(known):  # the rule; asked before every frame
            return 0
        with self.lock:
            if not self.writer.retry():
                return 0
            rows = self.writer.ask(lambda: self.dating.step(known, self.writer.attempt)) or 0
        self.clock.beat()
        if rows:
            self.wake()
        return rows

    def date_all(self) -> int:
        """The same step after step, up to `STEPS`; others get at the store in between."""
        total = 0
        for _ in range(STEPS):
            rows = self.date()
            total += rows
            if not rows or not self.dating.more:
                break
            self.clock.sleep(PAUSE_S)
        return total
