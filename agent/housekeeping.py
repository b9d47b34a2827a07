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
        self._follow_clock()
        now = self.clock.monotonic()
        if now >= self._greet_at:
            self._greet_at = now + HELLO_S
            self.greet()
        if now >= self._retain_at:
            self._retain_at = now + self.store.retain()
        self.store.flush()
        self._write_state()
        return EVERY_S

    def _follow_clock(self) -> None:
        """Date what was measured before the clock was trusted; tell of steps over 2 s."""
        before, self._offset = self._offset, self.clock.offset()
        if self._offset is None or before == self._offset:
            return
        if before is None:
            dated = self.store.date()
            if dated:
                log.info("clock=trusted source=%s dated_rows=%d", self.clock.trust, dated)
            return
        moved = self._offset - before
        if abs(moved) > STEP_S:
            log.warning("clock=stepped seconds=%+.0f", moved)
            value = max(min(round(moved), 2**31 - 1), -(2**31) + 1)
            self._post(node_event(CLOCK_CORRECTED, value, self.store.boot, self.clock))
            self.store.date()

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
