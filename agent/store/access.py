"""Lock, transactions and time of an open store: what its faces share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from agent.clock import Clock
from agent.store.database import File
from agent.store.selection import NEVER, Moment
from agent.store.state import State
from agent.store.writer import Writer

Answer = TypeVar("Answer")


class Access:
    """Whoever reads or changes `state` holds `lock`; `writer` alone writes to the file."""

    def __init__(self, file: File, clock: Clock) -> None:
        self.clock, self.lock = clock, threading.Lock()
        self.file = file
        self.state = State(self.file)
        self.writer = Writer(self.state, clock)
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
        """Date rows and messages of this boot once the clock is trusted. Returns how many rows."""
        if not self.state.contents.undated:  # the rule; asked before every frame
            return 0
        offset = self.clock.offset()
        if offset is None:
            return 0
        with self.lock:
            if not self.state.contents.undated or not self.writer.retry():
                return 0
            rows = self.writer.ask(lambda: self._date(round(offset * 1000))) or 0
        self.wake()
        return rows

    def _date(self, offset_ms: int) -> int:
        rows, statements = self.state.contents.dating(offset_ms)
        if not self.writer.attempt(statements):
            return 0
        self.state.contents.dated()
        return rows
