"""A simulated chip that samples by its own clock into a FIFO: made when it is looked at."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from drivers.sim.twin import RegisterTwin

G = 9.80665


class FifoTwin(RegisterTwin, ABC):
    """Registers and a FIFO of `deep` samples in m/s2 that drops its oldest when it is full."""

    axes: Sequence[str] = ("x", "y", "z")
    rates_hz: Sequence[int]  #: that its driver offers; the first is the default
    count_g: float  #: one count of acceleration in the default range
    count_cel: float  #: one count of its thermometer
    other_chip: Mapping[int, int]  #: register -> what another chip has there
    deep = 32  #: samples the FIFO holds
    noise_density = 0.0  #: ug/sqrt(Hz), white up to half the rate

    def __init__(self) -> None:
        self.truth: Mapping[str, float] = {**dict.fromkeys(self.axes, 0.0), "temperature": 25.0}
        self.motion: Callable[[float], Sequence[float]] | None = None  #: m/s2 per axis at a time
        self.noise = False
        self.moves = True  #: False: every sample is like the one before
        self.rate_error = 0.0  #: relative, of the chip's own clock
        self.self_test_g: Sequence[float] = (0.3, 0.3, 1.5)  #: what self-test adds; 0: broken
        self.produced = 0  #: samples since it was made, delivered or not
        self.chance = random.Random(1)
        self.stop()

    def power_on(self, now: float) -> None:
        """Registers at their reset values, nothing sampled."""
        super().power_on(now)
        self.stop()

    def stop(self) -> None:
        """Sample no more and forget what was sampled."""
        self.rate_hz, self.since, self.made = 0.0, 0.0, 0
        self.queue: deque[tuple[int, Sequence[float]]] = deque()  # number, m/s2
        self.overran, self.batching = False, True
        self.last: Sequence[float] = [0.0] * len(self.axes)  # the newest sample, m/s2

    def start(self, rate_hz: float, now: float, batching: bool = True) -> None:
        """Sample from now on: the first one after one interval; into the FIFO if `batching`."""
        self.stop()
        self.batching = batching
        self.rate_hz, self.since = rate_hz * (1 + self.rate_error), now

    def catch_up(self, now: float) -> None:
        """Make the samples due by now; those overwritten since are counted, not computed."""
        due = math.floor((now - self.since) * self.rate_hz + 1e-6)
        if due <= self.made:
            return
        self.produced += due - self.made
        if not self.batching:
            self.made, self.last = due, self._values(range(due - 1, due))[0]
            return
        numbers = range(max(self.made, due - self.deep), due)
        self.queue.extend(zip(numbers, self._values(numbers), strict=True))
        self.last = self.queue[-1][1]
        if len(self.queue) > self.deep or due - self.made > self.deep:
            self.overran = True
        while len(self.queue) > self.deep:
            self.queue.popleft()
        self.made = due

    def newest(self) -> Sequence[float]:
        """What its output registers hold, m/s2 per axis: the newest sample, read or not."""
        return self.last

    @abstractmethod
    def pushing(self) -> bool:
        """Whether its registers say self-test."""
        ...

    def _steady(self) -> Sequence[float]:
        """What all samples of one look have in common."""
        values = [self.truth[axis] for axis in self.axes]
        if self.pushing():
            values = [one + more * G for one, more in zip(values, self.self_test_g, strict=True)]
        return values

    def _values(self, numbers: range) -> list[Sequence[float]]:
        """Of these samples, m/s2; in one go: this is most of what a simulated bridge costs."""
        steady, motion = self._steady(), self.motion if self.moves else None
        if motion is None:
            values: list[Sequence[float]] = [steady] * len(numbers)
        else:
            times = [self.since + (number + 1) / self.rate_hz for number in numbers]
            values = [[a + b for a, b in zip(steady, motion(at), strict=False)] for at in times]
        if not (self.noise and self.moves):
            return values
        sigma = self.noise_density * 1e-6 * G * math.sqrt(self.rate_hz / 2)
        gauss = self.chance.gauss
        return [[one + gauss(0, sigma) for one in axes] for axes in values]


def counts(value: float, per_g: float, bits: int) -> int:
    """m/s2 as a chip's counts: rounded, limited to two's complement of `bits`."""
    top = 1 << bits - 1
    count = round(value / G * per_g)
    return count if -top <= count < top else min(max(count, -top), top - 1)
