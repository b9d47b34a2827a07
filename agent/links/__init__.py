"""Ways out of the node: what every link offers, and the one error it raises."""

from __future__ import annotations

from typing import Protocol


class LinkError(Exception):
    """A frame was not accepted; it is still owed. Try again after `retry_s` seconds at the earliest."""

    def __init__(self, reason: str, retry_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.retry_s = reason, retry_s


class Link(Protocol):
    """A way out. Called from its own uplink thread only."""

    def limit(self) -> int:
        """Longest frame it takes now, in bytes. Raises LinkError."""
        ...

    def send(self, frame: bytes, *, kind: int, urgent: bool) -> None:
        """Return when the frame is acknowledged. kind 0 = data, else WIRE's negative number.

        Raises LinkError.
        """
        ...

    def received(self) -> list[bytes]:
        """Downlinks since the last call."""
        ...
