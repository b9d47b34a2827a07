"""What has to be done now and then: date rows, follow the clock, tidy the store, say hello."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.clock import Clock
from agent.codec.messages import CLOCK_CORRECTED, RESTART, node_event
from agent.measure.health import STARTS
from agent.measure.sampler import STEP_S
from agent.model.batch import Message
from agent.store import Store

log = logging.getLogger(__name__)

EVERY_S = 5.0
DATING_S = 0.01  #: between steps of dating: others want to get at the store
HELLO_S = 86_400.0
EVERYBODY_READS = 0o644


@dataclass
class Housekeeping:
    """Housekeeping; `step` is the job."""

    store: Store
    clock: Clock
    greet: Callable[[], None]  #: posts hello and schemas
    snapshot: Callable[[], object]  #: what `stadtsinn status` shows
    state_file: Path | None = None
    _offset: float | None = None
    _told: str = ""
    _look_at: float = 0.0
    _started: bool = False
    _greet_at: float = 0.0
    _retain_at: float = 0.0

    def step(self) -> float:
        """Do what is due. Return the seconds until the next look."""
        if not self._started:
            self._started = True
            starts = int(self.store.setting(STARTS) or 0) + 1
            self.store.set_setting(STARTS, str(starts).encode())
            self._post(node_event(RESTART, None, self.store.boot, self.clock))
        self.store.date()
        now = self.clock.monotonic()
        if self.store.dating and now < self._look_at:
            return DATING_S
        self._look_at = now + EVERY_S
        self._follow_clock()
        if now >= self._greet_at:
            self._greet_at = now + HELLO_S
            self.greet()
        if now >= self._retain_at:
            self._retain_at = now + self.store.retain()
        self.store.flush()
        self._write_state()
        return DATING_S if self.store.dating else EVERY_S

    def _follow_clock(self) -> None:
        """Tell who vouches for the clock, and of steps over 2 s."""
        before, self._offset = self._offset, self.clock.offset()
        told = self.clock.told()
        if told != self._told:
            self._told = told
            log.info("clock=%s reason='%s'", self.clock.trust or "untrusted", told)
        if self._offset is None or before is None:
            return
        moved = self._offset - before
        if abs(moved) > STEP_S:
            log.warning("clock=stepped seconds=%+.0f", moved)
            value = max(min(round(moved), 2**31 - 1), -(2**31) + 1)
            self._post(node_event(CLOCK_CORRECTED, value, self.store.boot, self.clock))
            self.clock.look_again()

    def _post(self, message: Message) -> None:
        self.store.post(message)

    def _write_state(self) -> None:
        """Renamed in, so that a reader never sees half of it."""
        if self.state_file is None:
            return
        part = self.state_file.with_suffix(".part")
        try:
            part.write_text(json.dumps(self.snapshot()))
            part.chmod(EVERYBODY_READS)  # the service's umask is its own; `status` is for people
            os.replace(part, self.state_file)
        except OSError as error:
            log.warning("state_file=%s reason='%s'", self.state_file, error.strerror)
            self.state_file = None
