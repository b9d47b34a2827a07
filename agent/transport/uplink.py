"""One job per link: what next, frame, send, acknowledge; back off when refused."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from agent import codec
from agent.clock import Clock
from agent.model.batch import RAW, Batch, Encoded
from agent.store import Store
from agent.transport.commands import Commands
from agent.transport.links import Link, LinkError

if TYPE_CHECKING:
    from agent.events.archive import Archive

log = logging.getLogger(__name__)

IDLE_S = 60.0  #: ended early by a wake
FIRST_BACK_OFF_S = 5.0
LONGEST_BACK_OFF_S = 900.0


@dataclass
class Uplink:
    """Carries what one link owes. `step` is the job; `wake` ends its wait early."""

    name: str
    link: Link
    store: Store
    clock: Clock
    commands: Commands
    style: codec.Style = field(default_factory=codec.Style)
    wake: threading.Event = field(default_factory=threading.Event)
    archive: Archive | None = None  #: where raw records lie
    state: str = "new"  #: new, ok, later, refused
    reason: str = ""  #: why the link does not take frames
    frames: int = 0  #: sent and acknowledged since the start
    size: int = 0  #: bytes in those frames
    last_frame: bytes = b""
    acked_at: float | None = None  #: monotonic seconds of the last acknowledgement
    next_try_at: float = 0.0  #: monotonic seconds
    _refusals: int = 0
    _hold_until: float = 0.0
    _backfill_at: float = 0.0  # monotonic seconds: no airtime for back-fill before
    _ahead: Encoded | None = None  # back-fill, made while the frame before was on its way

    def step(self) -> float:
        """Send what is due first. Return the seconds to wait before the next."""
        for downlink in self.link.received():
            self.commands.do(downlink, self.name)
        hold_s = self._hold_until - self.clock.monotonic()
        if hold_s > 0:  # refused: a new row does not make it ask again
            return hold_s
        backfill = self.clock.monotonic() >= self._backfill_at
        batch = self._due(backfill=backfill)
        if batch is None:
            return self._idle_s(backfill=backfill)
        try:
            limit = self.link.limit(batch.urgency)
            encoded = self._frame(batch, limit)
            meanwhile = partial(self._prepare, encoded, limit)
            for frame in encoded.frames:
                self.link.send(frame, kind=batch.kind, lane=batch.urgency, meanwhile=meanwhile)
        except codec.CodecError as error:
            log.error("link=%s state=set-aside reason='%s'", self.name, error)
            self.store.set_aside(batch, self.name)
            return 0.0
        except LinkError as error:
            self._ahead = None
            if error.later and batch.lane == "backfill":
                self._backfill_at = self.clock.monotonic() + error.retry_s
            return self._back_off(error)
        self.store.ack(self.name, encoded)
        self._accepted(encoded.frames)
        self.commands.sent(self.name, self.link.silent)
        return 0.0

    def _due(self, *, backfill: bool) -> Batch | None:
        """What is to go now; back-fill that was made ahead gives way to all that goes before."""
        ahead = self._ahead
        batch = self.store.next(self.name, backfill=backfill and ahead is None)
        return ahead.batch if batch is None and ahead is not None else batch

    def _idle_s(self, *, backfill: bool) -> float:
        """Seconds until there may be something to send."""
        wait_s = min(self.store.when(self.name, backfill=backfill), IDLE_S)
        return wait_s if backfill else min(wait_s, self._backfill_at - self.clock.monotonic())

    def _frame(self, batch: Batch, limit: int) -> Encoded:
        """Raises CodecError."""
        if self._ahead is not None and self._ahead.batch is batch:
            ahead, self._ahead = self._ahead, None
            return ahead
        if batch.kind != RAW:
            return codec.frame(batch, limit, self.clock, self.style)
        if self.archive is None:
            raise codec.CodecError("the profile keeps no records any more")
        return self.archive.frame(batch, limit, self.style)

    def _prepare(self, encoded: Encoded, limit: int) -> None:
        """Make the frame that follows this one, which is on its way."""
        batch = self.store.following(self.name, encoded)
        if batch is not None:
            with contextlib.suppress(codec.CodecError):  # met again when it is its turn
                self._ahead = self._frame(batch, limit)

    def _accepted(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self.frames += 1
            self.size += len(frame)
            self.last_frame = frame
        self.acked_at = self.clock.monotonic()
        self._refusals, self._backfill_at = 0, 0.0  # what was heard may have changed much
        self._become("ok", "")

    def _back_off(self, error: LinkError) -> float:
        """Seconds until the next try: what the link says, else 5 s doubling to 15 min."""
        self._become("later" if error.later else "refused", error.reason)
        wait_s = error.retry_s
        if error.refused:
            self._refusals += 1
            doubled = min(FIRST_BACK_OFF_S * 2 ** min(self._refusals - 1, 10), LONGEST_BACK_OFF_S)
            wait_s = max(error.retry_s, doubled * random.uniform(0.75, 1.0))
            self._hold_until = self.clock.monotonic() + wait_s
        self.next_try_at = self.clock.monotonic() + wait_s
        return wait_s

    def _become(self, state: str, reason: str) -> None:
        if (state, reason) != (self.state, self.reason):
            quoted = f" reason='{reason}'" if reason else ""
            level = logging.WARNING if state == "refused" else logging.INFO
            log.log(level, "link=%s state=%s%s", self.name, state, quoted)
        self.state, self.reason = state, reason
