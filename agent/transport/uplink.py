"""One job per link: what next, deliver, acknowledge; back off when refused."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.model.batch import Batch, Delivered
from agent.store import Store
from agent.transport.commands import Commands
from agent.transport.links import Link, LinkError, Undeliverable

log = logging.getLogger(__name__)

MOST_DOWNLINKS = 20  #: in one step: after them rows come first again
IDLE_S = 60.0  #: ended early by a wake
FIRST_BACK_OFF_S = 5.0
LONGEST_BACK_OFF_S = 900.0
JITTER = (0.75, 1.0)  #: share of a back-off that is waited: nodes of one city do not ask in step


@dataclass
class Uplink:
    """Carries what is pending for one link. `step` is the job; `wake` ends its wait early."""

    name: str
    link: Link
    store: Store
    clock: Clock
    commands: Commands
    wake: threading.Event = field(default_factory=threading.Event)
    state: str = "new"  #: new, ok, later, refused
    reason: str = ""  #: why the link does not take anything
    frames: int = 0  #: sent and acknowledged since the start
    size: int = 0  #: bytes in those frames
    last_frame: bytes = b""
    acked_at: float | None = None  #: monotonic seconds of the last acknowledgement
    next_try_at: float = 0.0  #: monotonic seconds
    draw: Callable[[float, float], float] = random.uniform  #: a number between two
    _refusals: int = 0
    _hold_until: float = 0.0
    _backfill_at: float = 0.0  # monotonic seconds: no airtime for back-fill before
    _ahead: Batch | None = None  # back-fill that the link may have made meanwhile
    _downlinks: Iterator[bytes] | None = None  # that have come
    _in_hand: bytes | None = None  # the downlink that waits for its turn

    def step(self) -> float:
        """Deliver what is due first, then carry out some downlinks.

        Return the seconds to wait before the next.
        """
        trial_s = self.commands.look(self.name)
        wait_s = self._up()
        return min(wait_s, trial_s, self._down())

    def _down(self) -> float:
        """Seconds until the next downlink may be carried out."""
        for _ in range(MOST_DOWNLINKS):
            downlink = self._in_hand or self._next_downlink()
            if downlink is None:
                return math.inf
            wait_s = self.commands.do(downlink, self.name)
            self._in_hand = downlink if wait_s else None
            if wait_s:
                return wait_s
        return 0.0

    def _next_downlink(self) -> bytes | None:
        """The next one that has come; the link takes the one before as carried out."""
        if self._downlinks is None:
            self._downlinks = iter(self.link.received())
        downlink = next(self._downlinks, None)
        if downlink is None:
            self._downlinks = None  # next time it is asked for what has come meanwhile
        return downlink

    def _up(self) -> float:
        """Deliver what is due first. Seconds to wait before the next."""
        hold_s = self._hold_until - self.clock.monotonic()
        if hold_s > 0:  # refused: a new row does not make it ask again
            return hold_s
        backfill = self.clock.monotonic() >= self._backfill_at
        batch = self._due(backfill=backfill)
        if batch is None:
            return self._idle_s(backfill=backfill)
        return self._deliver(batch)

    def _deliver(self, batch: Batch) -> float:
        """Seconds to wait before the next."""
        try:
            delivered = self.link.deliver(batch, self._following)
        except Undeliverable as error:
            log.error("link=%s state=set-aside reason='%s'", self.name, error)
            self.store.link(self.name).set_aside(batch)
            return 0.0
        except LinkError as error:
            self._ahead = None
            if error.later and batch.priority == "backfill":
                self._backfill_at = self.clock.monotonic() + error.retry_s
            return self._back_off(error)
        self.store.link(self.name).delivered(delivered)
        self._accepted(delivered)
        self.commands.sent(self.name, self.link.silent)
        return 0.0

    def _due(self, *, backfill: bool) -> Batch | None:
        """What is to go now; back-fill that was made ahead gives way to all that goes before."""
        ahead = self._ahead
        batch = self.store.link(self.name).next(backfill=backfill and ahead is None)
        if batch is None and ahead is not None:
            self._ahead = None
            batch = ahead if self.store.link(self.name).take_up(ahead) else self._due(backfill=True)
        return batch

    def _idle_s(self, *, backfill: bool) -> float:
        """Seconds until there may be something to send."""
        wait_s = min(self.store.link(self.name).when(backfill=backfill), IDLE_S)
        return wait_s if backfill else min(wait_s, self._backfill_at - self.clock.monotonic())

    def _following(self, delivered: Delivered) -> Batch | None:
        """What comes after this one, which is on its way."""
        batch = self.store.link(self.name).following(delivered)
        self._ahead = batch or self._ahead
        return batch

    def _accepted(self, delivered: Delivered) -> None:
        for body in delivered.bodies:
            self.frames += 1
            self.size += len(body)
            self.last_frame = body
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
            wait_s = max(error.retry_s, doubled * self.draw(*JITTER))
            self._hold_until = self.clock.monotonic() + wait_s
        self.next_try_at = self.clock.monotonic() + wait_s
        return wait_s

    def _become(self, state: str, reason: str) -> None:
        if (state, reason) != (self.state, self.reason):
            quoted = f" reason='{reason}'" if reason else ""
            level = logging.WARNING if state == "refused" else logging.INFO
            log.log(level, "link=%s state=%s%s", self.name, state, quoted)
        self.state, self.reason = state, reason
