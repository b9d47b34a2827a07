"""What can be wrong with one simulated device. Everything at its default = healthy."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Feeling(Protocol):
    """A twin of any bus."""

    truth: Mapping[str, float]  #: what it feels, in the driver's units


T = TypeVar("T", bound=Feeling)


@dataclass
class Faults:
    """Faults of one attached twin; a test or a timetable switches them on and off at any time."""

    unplugged: bool = False  #: nothing there: no acknowledge, no bytes, no 1-wire folder
    errno: int = 0  #: every exchange fails with this errno
    flip: float = 0.0  #: probability that one random bit of an answer is flipped
    frozen: bool = False  #: the chip repeats itself: truth, motion and noise stand still
    slow_s: float = 0.0  #: every exchange takes this much longer
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def spoil(self, answer: bytes) -> bytes:
        """The answer as it arrives: one bit flipped with probability `flip`."""
        if not answer or self.chance.random() >= self.flip:
            return answer
        spoiled = bytearray(answer)
        spoiled[self.chance.randrange(len(spoiled))] ^= 1 << self.chance.randrange(8)
        return bytes(spoiled)


@dataclass
class Plugged(Generic[T]):
    """A twin on its bus, and what is wrong with it."""

    twin: T
    faults: Faults
    live: Mapping[str, float] | None = None  #: the live truth while `frozen` replaces it

    def freeze(self) -> None:
        """Let the chip stand still, or go on, as the fault says."""
        if self.faults.frozen and self.live is None:
            self.live, self.twin.truth = self.twin.truth, dict(self.twin.truth)
        elif not self.faults.frozen and self.live is not None:
            self.twin.truth, self.live = self.live, None
        if hasattr(self.twin, "moves"):  # one that samples by itself
            self.twin.moves = not self.faults.frozen
