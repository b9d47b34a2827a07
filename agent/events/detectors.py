"""From samples of one axis to events: vibration (STA/LTA) and vehicles (level), block by block.

A detector is fed what came since the last time, without a gap inside; `interrupt` says that
samples are missing. Pure Python: it costs a few microseconds per sample, and no numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.config.sections import VehicleConfig, VibrationConfig
from agent.features import passage
from agent.features import sta_lta as trigger
from agent.features.filter import Memory, bandpass, resting, run


@dataclass(frozen=True, slots=True)
class Found:
    """An event that has ended. Samples are numbered as the ring numbers them."""

    begin: int  #: first sample
    end: int  #: the one after the last
    peak: float  #: of a passage with its sign; unit of the axis
    area: float  #: sum of the amounts: unit x samples
    level_change: float = 0.0  #: by how much the level moved and stayed: a lorry has parked


class Detector(Protocol):
    """Carries its own state."""

    def feed(self, first: int, samples: Sequence[float]) -> list[Found]:
        """Samples from number `first` on, which follow those of the last call."""
        ...

    def interrupt(self) -> list[Found]:
        """Samples are missing: an event that was running ends here."""
        ...


class Vibration:
    """Band-pass, then STA/LTA."""

    def __init__(self, config: VibrationConfig, rate_hz: float) -> None:
        self.floor = config.floor
        self.sections = bandpass(rate_hz, *config.band_hz)
        short = max(round(config.short_s * rate_hz), 1)
        self.settings = trigger.Settings(
            short=short,
            long=max(round(config.long_s * rate_hz), 1),
            on=config.on,
            off=config.off,
            floor=config.floor,
            longest=max(round(config.longest_s * rate_hz) - short, 1),
            rearm=round(config.rearm_s * rate_hz),
        )
        self._state = trigger.State()
        self._memory: list[Memory] = []
        self._zero = 0  # number of the sample that the trigger counts as its first
        self._from = 0  # from which sample on, in the trigger's count, an event is looked at
        self._values: list[float] = []  # filtered: the event's, else those of the last `short`

    @property
    def running(self) -> bool:
        """Whether an event has begun and not ended."""
        return self._state.since is not None

    def feed(self, first: int, samples: Sequence[float]) -> list[Found]:
        """Events that ended in these samples."""
        if not samples:
            return []
        before, short = self._state, self.settings.short
        if not self._memory:
            self._memory = resting(self.sections, sum(samples) / len(samples))
        filtered, self._memory = run(samples, self.sections, self._memory)
        _, edges, self._state = trigger.ratios(filtered, self.settings, before)
        self._zero = first - before.seen
        oldest = before.seen - len(self._values)
        values = self._values + filtered
        found = []
        for edge in edges:
            if edge.on:  # the short average lags: what made it rise belongs to the event
                self._from = max(edge.sample - short, oldest)
            else:
                found.append(self._found(values[self._from - oldest : edge.sample - oldest]))
        keep = self._from if self.running else max(self._state.seen - short, oldest)
        self._values = values[keep - oldest :]
        return found

    def interrupt(self) -> list[Found]:
        """A running event ends; the filter begins anew, the noise level is still known."""
        found = [self._found(self._values)] if self.running else []
        self._state = trigger.interrupted(self.settings, self._state)
        self._memory, self._values = [], []
        return found

    def _found(self, values: Sequence[float]) -> Found:
        """From the first to the last sample that reaches the floor: the averages lag."""
        amounts = list(map(abs, values))
        loud = [at for at, amount in enumerate(amounts) if amount >= self.floor]
        begin, end = (loud[0], loud[-1] + 1) if loud else (0, len(amounts))
        first = self._zero + self._from
        return Found(first + begin, first + end, max(amounts), sum(amounts[begin:end]))


class Vehicle:
    """Mean of half a second less the median of the last minute."""

    def __init__(self, config: VehicleConfig, rate_hz: float) -> None:
        self.config = config
        self.size = max(round(passage.BLOCK_S * rate_hz), 1)  #: samples of half a second
        blocks_hz = rate_hz / self.size
        self.longest = round(config.longest_s * blocks_hz)
        self.rearm = round(config.rearm_s * blocks_hz)
        self._state = passage.State()
        self._left: list[float] = []  # not a whole block yet
        self._zero = 0  # number of the first sample of block 0

    def feed(self, first: int, samples: Sequence[float]) -> list[Found]:
        """Passages that ended in these samples."""
        size = self.size
        values = [*self._left, *samples]
        self._zero = first - len(self._left) - self._state.seen * size
        whole = len(values) // size * size
        self._left = values[whole:]
        means = [sum(values[at : at + size]) / size for at in range(0, whole, size)]
        on, off = self.config.on, self.config.off
        found, self._state = passage.passages(
            means, on, off, self._state, longest=self.longest, rearm=self.rearm
        )
        return list(map(self._found, found))

    def interrupt(self) -> list[Found]:
        """A running passage ends; the level is still known."""
        one, self._state = passage.interrupted(self._state, self.rearm)
        self._left = []
        return [self._found(one)] if one else []

    def _found(self, one: passage.Passage) -> Found:
        begin = self._zero + one.begin * self.size
        area = one.area / passage.BLOCK_S * self.size
        end = begin + one.blocks * self.size
        return Found(begin, end, one.peak, area, one.level_change)


def make_detector(config: VibrationConfig | VehicleConfig, rate_hz: float) -> Detector:
    """The detector a profile wants, for samples at `rate_hz`."""
    if isinstance(config, VibrationConfig):
        return Vibration(config, rate_hz)
    return Vehicle(config, rate_hz)
