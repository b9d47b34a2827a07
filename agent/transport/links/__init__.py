"""Ways out of the node: what every link offers, and the one error it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

Meanwhile = Callable[[], None]


def nothing() -> None:
    """What there is to do meanwhile, as a rule."""


class LinkError(Exception):
    """A frame was not accepted and is still owed.

    `retry_s` is when to ask again. `refused` marks an answer that said no (a PUBACK reason, a
    modem's refusal): those back off on their own, doubling; a link that is merely down does not.
    `later` marks what is no fault at all: the air is not free yet.
    """

    def __init__(
        self, reason: str, retry_s: float = 0.0, *, refused: bool = False, later: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.retry_s, self.refused, self.later = reason, retry_s, refused, later


class Link(Protocol):
    """A way out. Called from its own uplink thread only."""

    silent: int  #: frames in a row after which nothing was heard; 0 where each is acknowledged

    def limit(self, lane: str = "live") -> int:
        """Longest frame it takes now in this lane, in bytes. Raises LinkError."""
        ...

    def send(
        self, frame: bytes, *, kind: int, lane: str = "live", meanwhile: Meanwhile = nothing
    ) -> None:
        """Return when the frame is acknowledged. kind 0 = data, else WIRE's negative number.

        `lane` is "alarm", "message", "live" or "backfill": where the air is scarce, who may use
        how much of it. `meanwhile` may be called while the acknowledgement is awaited. Raises
        LinkError.
        """
        ...

    def received(self) -> Iterable[bytes]:
        """Downlinks since the last call; each carried out before the next is asked for."""
        ...

    def close(self) -> None:
        """Leave in order; safe to call twice."""
        ...
