"""One job per stream: read the new samples, tell events at once, keep raw records of them.

An event is a frame with code 10 on the trigger's column, dated at its begin, with the value
[peak, duration, area, class],
the last of them left out where the frame would have more than 24 bytes (codec.frame):

    peak      steps of the column; of a vehicle with its sign; at most 65535 either way
    duration  1/100 s, at most 65535
    area      integral of the amount over time: steps of the column x s, at most 65535
    class     how many class limits the peak has reached: 0 is lighter than the first

A vehicle that parks makes a second event, code 3, dated at its end: its value is by how many steps
the level has moved and stayed. What is carried lies in memory: a restart may cut an event.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import codec
from agent.clock import Clock
from agent.codec.messages import FAST_CHANGE, VIBRATION, event
from agent.events.archive import Archive
from agent.events.detectors import Detector, Found, make_detector
from agent.events.recorder import Recorder
from agent.measure.instrument import Instrument
from agent.measure.stream import Stream
from agent.model.batch import EVENT, Message
from agent.plan.triggers import TriggerPlan
from agent.store import Store

if TYPE_CHECKING:
    from agent.features.sample_times import SampleTimes  # numpy: optional

log = logging.getLogger(__name__)

STEP_S = 0.5
SILENT_S = 5.0  #: without samples for so long a running event ends
DURATION_STEP_S = 0.01
MOST = 65_535  #: no figure is larger: three bytes each


@dataclass
class Watch:
    """One trigger of a stream."""

    plan: TriggerPlan
    detector: Detector
    limits: Sequence[float] = field(default_factory=tuple)  #: peaks at which a class begins

    @classmethod
    def of(cls, plan: TriggerPlan, rate_hz: float) -> Watch:
        """For samples at `rate_hz`."""
        config = plan.config
        limits: Sequence[float] = config.classes
        if config.known_peak is not None and config.known_t is not None:
            from agent.features.event import class_limits  # numpy: optional

            limits = class_limits(config.known_peak, config.known_t, config.classes_t)
        return cls(plan, make_detector(config, rate_hz), limits)

    def value(self, found: Found, rate_hz: float) -> list[int]:
        """What an event says: see the module."""
        from agent.features.event import heaviness  # numpy: optional

        step = self.plan.field.step
        peak = max(min(round(found.peak / step), MOST), -MOST)
        duration = min(round((found.end - found.begin) / rate_hz / DURATION_STEP_S), MOST)
        area = min(round(found.area / rate_hz / step), MOST)
        return [peak, duration, area, heaviness(found.peak, self.limits)]


class Trigger:
    """All triggers of one stream. `step` is the job."""

    def __init__(
        self,
        stream: Stream,
        plans: Sequence[TriggerPlan],
        store: Store,
        clock: Clock,
        archive: Archive | None = None,
        alone: Instrument | None = None,
    ) -> None:
        self.alone = alone  #: the stream's instrument, where no table would tell that it failed
        self.stream, self.store, self.clock = stream, store, clock
        self.watches = [Watch.of(plan, stream.fifo.rate_hz) for plan in plans]
        self.recorder = Recorder(stream, archive, clock, store) if archive else None
        self._next = 0  # number of the first sample that was not looked at
        self._fresh_at = clock.monotonic()

    def step(self) -> float:
        """Look at what is new. Return the seconds until the next look."""
        now = self.clock.monotonic()
        axes = len(self.stream.fifo.axes)
        for stretch in self.stream.ring.stretches(self._next):
            if stretch.gap or stretch.first > self._next:
                self._interrupt()
            for watch in self.watches:
                samples = stretch.samples[watch.plan.axis :: axes]
                self._tell(watch, watch.detector.feed(stretch.first, samples))
            self._next, self._fresh_at = stretch.end, now
        if now - self._fresh_at > SILENT_S:
            self._interrupt()
        if self.recorder:
            self.recorder.step()
        if self.alone:
            self._watch(self.alone)
        return STEP_S

    def _watch(self, instrument: Instrument) -> None:
        """Tell that the chip failed, or is back, on the column of its first trigger."""
        instrument.watch()
        plan, boot = self.watches[0].plan, self.store.boot
        for one in instrument.news():
            made = event(plan.schema, plan.column, one.code, one.value, boot, self.clock)
            self.store.post(made)

    def _interrupt(self) -> None:
        for watch in self.watches:
            self._tell(watch, watch.detector.interrupt())

    def _tell(self, watch: Watch, found: Sequence[Found]) -> None:
        """Post each event; want a record of it if the profile does."""
        line = self.stream.sample_times() if found else None
        for one in found:
            if line is None:
                continue
            plan, rate_hz = watch.plan, line.rate.hz
            value = watch.value(one, rate_hz)
            self._post(plan, line, one.begin, VIBRATION, value)
            if one.level_change:
                change = max(min(round(one.level_change / plan.field.step), MOST), -MOST)
                self._post(plan, line, one.end, FAST_CHANGE, change)
            if self.recorder and plan.config.record:
                self.recorder.want(plan, one, said(plan, one, value))

    def _post(
        self, plan: TriggerPlan, line: SampleTimes, number: int, code: int, value: int | list[int]
    ) -> None:
        at, offset = line.time(number), self.clock.offset()
        body = codec.event_body(plan.schema, plan.column, code, value)
        start = None if offset is None else math.floor(at + offset)
        self.store.post(Message(0, EVENT, self.store.boot, round(at * 1000), start, body))


def said(plan: TriggerPlan, found: Found, value: Sequence[int]) -> str:
    """An event in words, for its record."""
    peak = f"peak {found.peak:.4g} {plan.unit}".rstrip()
    return f"{plan.kind}: {peak}, {value[1] * DURATION_STEP_S:.2f} s, class {value[3]}"
