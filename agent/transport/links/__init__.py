"""Ways out of the node: what every link offers, and the errors it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from agent.model.batch import Batch, Delivered

#: asked while an acknowledgement is awaited: what is likely to be due once this has arrived
Following = Callable[[Delivered], Batch | None]


def nothing_follows(delivered: Delivered) -> None:
    """What follows where nobody knows."""


class LinkError(Exception):
    """A batch was not accepted and is still pending.

    `retry_s` is when to ask again. `refused` marks an answer that said no (a PUBACK reason, a
    modem's refusal): those back off on their own, doubling; a link that is merely down does not.
    `later` marks what is no fault at all: the air is not free yet.
    """

    def __init__(
        self, reason: str, retry_s: float = 0.0, *, refused: bool = False, later: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.retry_s, self.refused, self.later = reason, retry_s, refused, later


class Undeliverable(Exception):
    """A batch that this link can never take, however often it is tried: it is set aside."""


class Link(Protocol):
    """A way out. Called from its own uplink thread only."""

    silent: int  #: deliveries in a row after which nothing was heard; 0 where each is acknowledged

    def room(self, priority: str = "live") -> int:
        """What it takes now in one go: bytes of a frame, or rows. Raises LinkError for nothing.

        `priority` is "alarm", "message", "live" or "backfill": where the air is scarce, who may
        use how much of it.
        """
        ...

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        """Write the batch in the link's own format; return when the far side has it.

        Says what of it went: the rest stays pending. `following` may be asked while the
        acknowledgement is awaited, by a link that can write ahead; perhaps that batch is the next
        one here. Raises LinkError: nothing of the batch counts as delivered then; Undeliverable.
        """
        ...

    def received(self) -> Iterable[bytes]:
        """Downlinks since the last call; each carried out before the next is asked for."""
        ...

    def close(self) -> None:
        """Leave in order; safe to call twice."""
        ...
