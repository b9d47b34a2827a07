"""Raw records of a stream's events: which samples, and when they are all there."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.events.archive import Archive
from agent.events.detectors import Found
from agent.events.records import Head, Note, Record, Segment, bytes_of
from agent.measure.stream import Stream
from agent.model.stretch import Stretch
from agent.plan.triggers import TriggerPlan
from agent.store import Store

if TYPE_CHECKING:
    from agent.features.sample_times import SampleTimes  # numpy: optional

log = logging.getLogger(__name__)

PATIENT_S = 10.0  #: a stream that brings nothing more ends a record so much later


@dataclass(frozen=True, slots=True)
class Span:
    """The samples one record is to have, numbered as the ring numbers them."""

    plan: TriggerPlan  #: of its first event
    first: int
    end: int
    due_at: float  #: monotonic seconds: later nothing is waited for
    events: tuple[tuple[int, str], ...]  #: first sample of each, and what is told of it


class Recorder:
    """Waits for the samples after an event, then keeps the record."""

    def __init__(self, stream: Stream, archive: Archive, clock: Clock, store: Store) -> None:
        self.stream, self.archive, self.clock, self.store = stream, archive, clock, store
        self._spans: list[Span] = []
        self._trouble = False

    def want(self, plan: TriggerPlan, found: Found, words: str) -> None:
        """Keep a record of this event; two that overlap become one, up to the longest."""
        config, rate_hz = plan.config, self.stream.fifo.rate_hz
        first = max(found.begin - round(config.before_s * rate_hz), 0)
        most = round(config.longest_s * rate_hz)
        end = min(found.end + round(config.after_s * rate_hz), first + most)
        due_at = self.clock.monotonic() + config.after_s + PATIENT_S
        span = Span(plan, first, end, due_at, ((found.begin, words),))
        last = self._spans[-1] if self._spans else None
        if last and last.end >= first and max(end, last.end) - min(first, last.first) <= most:
            self._spans.pop()
            first, end = min(first, last.first), max(end, last.end)
            span = replace(last, first=first, end=end, due_at=due_at)
            span = replace(span, events=(*last.events, (found.begin, words)))
        self._spans.append(span)

    def step(self) -> None:
        """Keep what is complete."""
        now = self.clock.monotonic()
        for span in list(self._spans):
            if self.stream.ring.end >= span.end or now >= span.due_at:
                self._spans.remove(span)
                self._keep(span)
        self._on_disk(self.archive.date)

    def _keep(self, span: Span) -> None:
        line = self.stream.sample_times()
        stretches = self.stream.ring.stretches(span.first, span.end)
        if line is None or not stretches:
            return
        record = self._record(span, line, stretches)
        if self._on_disk(lambda: self.archive.keep(record), "lost"):
            self._trouble = False

    def _on_disk(self, write: Callable[[], None], what: str = "undated") -> bool:
        """Whether the disk took it; a refusal is said once."""
        try:
            write()
        except OSError as error:
            if not self._trouble:
                log.error("stream=%s record=%s reason='%s'", self.stream.name, what, error)
            self._trouble = True
            return False
        return True

    def _record(self, span: Span, line: SampleTimes, stretches: Sequence[Stretch]) -> Record:
        fifo, plan, offset = self.stream.fifo, span.plan, self.clock.offset()
        missing = {one.first: one.missing for one in line.pieces}
        samples = array("d")
        for stretch in stretches:
            samples.extend(stretch.samples)
        at = line.time(stretches[0].first)
        head = Head(
            number=self.archive.new_number(),
            stream=self.stream.name,
            axes=tuple(fifo.axes),
            units=tuple(plan.units),
            rate_hz=line.rate.hz,
            segments=tuple(
                Segment(missing.get(one.first, 0) if number else 0, one.end - one.first)
                for number, one in enumerate(stretches)
            ),
            start=None if offset is None else at + offset,
            boot=self.store.boot,
            mono_s=at,
            notes=tuple(Note(round(line.time(n) - at, 3), words) for n, words in span.events),
            schema=plan.schema,
            column=plan.column,
            axis=plan.axis,
        )
        return Record(head, bytes_of(samples))
