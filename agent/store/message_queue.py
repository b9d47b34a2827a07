"""The messages that are pending on a link, in the order in which they go."""

from __future__ import annotations

from collections.abc import Collection

from agent.model.batch import EVENT, RAW, WITHDRAWN, Message

FRESH_S = 3600.0  #: messages younger than this go before all rows


class MessageQueue:
    """By priority, each oldest first: number -> when it began, as monotonic seconds."""

    def __init__(self) -> None:
        self.alarms: dict[int, float] = {}
        self.others: dict[int, float] = {}
        self.older: dict[int, float] = {}
        self.withdrawn: dict[int, float] = {}  #: wrong times: never old, and before all rows
        self.raw: dict[int, float] = {}

    @property
    def _all(self) -> tuple[dict[int, float], ...]:
        return self.alarms, self.others, self.withdrawn, self.older, self.raw

    def add(self, message: Message, born: float) -> None:
        """One more, begun at monotonic seconds `born` (long ago: minus infinity)."""
        kinds = {EVENT: self.alarms, RAW: self.raw, WITHDRAWN: self.withdrawn}
        kinds.get(message.kind, self.others)[message.seq] = born

    def remove(self, seq: int) -> None:
        """It has gone; safe to call twice."""
        for part in self._all:
            part.pop(seq, None)

    def keep(self, seqs: Collection[int]) -> None:
        """No others than these any more."""
        for part in self._all:
            for seq in part.keys() - set(seqs):
                del part[seq]

    def age(self, now: float) -> None:
        """What is no longer fresh goes behind the rows."""
        for part in (self.alarms, self.others):
            while part:
                seq, born = next(iter(part.items()))
                if now - born < FRESH_S:
                    break
                self.older[seq] = part.pop(seq)

    def fresh(self) -> int | None:
        """The message that goes before all rows, if any."""
        first = self.alarms or self.others or self.withdrawn
        return next(iter(first)) if first else None

    def late(self) -> int | None:
        """The message that goes after all rows, if any."""
        first = self.older or self.raw
        return next(iter(first)) if first else None
