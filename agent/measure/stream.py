"""One job per chip that samples by itself: empty it in time into a ring; never touch the store.

A bus that does not answer is asked again and the chip left as it is, so that what it missed shows
as one gap; a chip that says it lost its settings is set up anew.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.config.sections import Calibration
from agent.measure.instrument import FAULTS, let_go
from agent.measure.ring import Ring
from drivers.api import (
    BusError,
    DataError,
    DeviceError,
    Fifo,
    Quantity,
    Samples,
    Sensor,
    WarmingUp,
)

if TYPE_CHECKING:
    from agent.features.sample_times import SampleTimes  # numpy: optional

log = logging.getLogger(__name__)

POLLS_PER_DEPTH = 3  #: a stall of two thirds of the FIFO's depth loses nothing
LATE_DEPTHS = 0.45  #: of the depth after a drain the next one is late
LONGEST_POLL_S = 0.25  #: triggers look twice a second
LONGEST_BACK_OFF_S = 10.0
SILENT_S = 5.0  #: a chip that brings no sample for so long is set up anew
REFRESH_S = 60.0  #: figures for people are no older
SPAN_S = 660.0  #: a window of ten minutes and what the slowest reader may be behind


class Stream:
    """Samples of one chip as they come. `step` is the job; `wake` asks for a drain now."""

    def __init__(
        self,
        name: str,
        fifo: Fifo,
        clock: Clock,
        span_s: float = SPAN_S,
        scales: Sequence[Calibration] = (),
    ) -> None:
        self.name, self.fifo, self.clock = name, fifo, clock
        self.scales = scales  #: of each axis; none: samples are as the chip tells them
        self.ring = Ring(len(fifo.axes), max(int(span_s * fifo.rate_hz), 1))
        self.wake = threading.Event()
        self.error: BaseException | None = None  #: why it brings nothing now
        self.failures = 0  #: in a row
        self.due_by: float | None = None  #: monotonic seconds; after that it may lose samples
        self.answering: int | None = None  #: thread in which a fast sensor is asked right now
        self.fitted_hz: float | None = None  #: as the newest sample times have it
        self._fitted_at = -math.inf
        self._gaps: dict[int, int] = {}  # in the ring: first sample after it -> missing there
        self._settled = (0, 0)  # before this sample so many are missing: it has left the ring
        self._counting = threading.Lock()
        self._ready = False
        self._fresh_at = 0.0  # monotonic seconds of the last samples, or of the set-up
        self._lock = threading.Lock()

    @property
    def reason(self) -> str:
        """Why it brings nothing now, in words; empty while it does."""
        return "" if self.error is None else said(self.error)

    @property
    def poll_s(self) -> float:
        """Seconds from one drain to the next."""
        return min(self.fifo.depth_s / POLLS_PER_DEPTH, LONGEST_POLL_S)

    def step(self) -> float:
        """Drain once. Return the seconds until the next."""
        with self._lock:
            try:
                self._drain()
            except FAULTS as error:
                let_go(error)
                return self._failed(error)
            self._succeeded()
            return self.fifo.due_s() if isinstance(self.fifo, Polled) else self.poll_s

    def hold(self, span_s: float) -> None:
        """Keep samples for so long from now on, if that is longer."""
        self.ring.grow(int(span_s * self.fifo.rate_hz))

    def catch_up(self) -> None:
        """Drain now what waits in the chip, unless it is failing."""
        if self.error is None and self._ready:
            self.step()

    def ask(self, question: Callable[[], float]) -> float:
        """Something else the chip can tell, such as its temperature, between two drains."""
        with self._lock:
            return question()

    def sample_times(self) -> SampleTimes | None:
        """When the samples in the ring were taken, and how many are missing at each gap."""
        from agent.features.sample_times import sample_times  # numpy: optional

        found = sample_times(self.ring.reads(), self.fifo.rate_hz)
        if found is not None:
            self._count(found)
            self.fitted_hz, self._fitted_at = found.rate.hz, self.clock.monotonic()
        return found

    def refresh(self) -> None:
        """Count and fit anew, if that was long ago: on a small Pi it takes a tenth of a second."""
        if self.clock.monotonic() - self._fitted_at > REFRESH_S:
            self.sample_times()

    @property
    def missing(self) -> int:
        """Samples missing in gaps, as far as `sample_times` has seen them."""
        with self._counting:
            return self._settled[1] + sum(self._gaps.values())

    def _count(self, line: SampleTimes) -> None:
        """A gap may be counted anew while it is in the ring: what follows tells more of it."""
        with self._counting:
            settled, before = self._settled
            seen = {one.first: one.missing for one in line.pieces[1:] if one.first >= settled}
            known, oldest = {**self._gaps, **seen}, max(line.pieces[0].end, settled)
            before += sum(missing for first, missing in known.items() if first < oldest)
            self._gaps = {first: missing for first, missing in known.items() if first >= oldest}
            self._settled = oldest, before

    def _drain(self) -> None:
        now = self.clock.monotonic()
        if not self._ready:
            self.due_by = None
            self.fifo.setup()
            self._ready, self._fresh_at = True, self.clock.monotonic()
            now = self.due_by = self._fresh_at
        late = now + LATE_DEPTHS * self.fifo.depth_s
        if isinstance(self.fifo, Polled):
            late = self.fifo.late(now)
            self.answering = threading.get_ident()
        drained = self.fifo.drain()
        self.due_by, self.answering = late, None
        self.ring.append(self._calibrated(drained), self.clock.monotonic())
        silent_s = max(SILENT_S, self.fifo.depth_s)
        if drained.samples:
            self._fresh_at = now
        elif now - self._fresh_at > silent_s:
            raise DataError(f"samples nothing for {silent_s:g} s")

    def _calibrated(self, drained: Samples) -> Samples:
        """Here, so that everything made of the samples agrees: features, triggers, records."""
        if not self.scales:
            return drained
        samples = [
            [
                value * scale.gain + scale.offset
                for value, scale in zip(one, self.scales, strict=True)
            ]
            for one in drained.samples
        ]
        return replace(drained, samples=samples)

    def _succeeded(self) -> None:
        if self.error is not None:
            log.info("stream=%s state=ok", self.name)
        self.error, self.failures = None, 0

    def _failed(self, error: BaseException) -> float:
        """Note it once; seconds until the next try. Whatever a driver raises is its fault."""
        self.due_by, self.answering = None, None
        if not isinstance(error, BusError | WarmingUp):  # another setup would begin it anew
            self._ready = False
        reason = said(error)
        if self.error is None:
            log.warning("stream=%s state=fault reason='%s'", self.name, reason)
            if not isinstance(error, DeviceError):
                log.error("stream=%s", self.name, exc_info=error)
        self.error = error
        self.failures += 1
        wait_s: float = min(self.poll_s * 2 ** min(self.failures - 1, 10), LONGEST_BACK_OFF_S)
        return wait_s


def said(error: BaseException) -> str:
    """An error in words."""
    return str(error) or type(error).__name__


class Polled:
    """A fast sensor as a `Fifo`: asked `rate_hz` times a second, one sample per answer."""

    unit = ""

    def __init__(self, sensor: Sensor, rate_hz: float, clock: Clock) -> None:
        self.sensor, self.rate_hz, self.clock = sensor, rate_hz, clock
        self.quantities: Mapping[str, Quantity] = sensor.quantities
        self.axes: Sequence[str] = tuple(self.quantities)
        self.depth_s = POLLS_PER_DEPTH / rate_hz
        self._newest: int | None = None  # number of the tick last answered

    def due_s(self) -> float:
        """Seconds until the next tick."""
        now = self.clock.monotonic()
        newest = int(now * self.rate_hz) if self._newest is None else self._newest
        return max((newest + 1) / self.rate_hz - now, 0.0)

    def late(self, now: float) -> float:
        """Until when the tick after this one can be asked for."""
        return (int(now * self.rate_hz + 0.5) + 1.45) / self.rate_hz

    def setup(self) -> None:
        """Set the sensor up. Raises DeviceError."""
        self.sensor.setup()

    def drain(self) -> Samples:
        """One sample per tick of the clock; a tick without one is missing. Raises DeviceError."""
        at = self.clock.monotonic()
        tick = int(at * self.rate_hz + 0.5)
        if tick == self._newest:
            return Samples([])
        sample = [self._believed(axis, value) for axis, value in self._read()]
        lost = 0 if self._newest is None else tick - self._newest - 1
        self._newest = tick
        return Samples([sample], lost > 0, lost, at)

    def _read(self) -> list[tuple[str, float | None]]:
        values = self.sensor.read()
        return [(axis, values.get(axis)) for axis in self.axes]

    def _believed(self, axis: str, value: float | None) -> float:
        """A loose wire must not become a cycle that is carried for good. Raises DataError."""
        kind = self.quantities[axis]
        if value is None or not kind.low <= value <= kind.high:
            said = (
                "no value" if value is None else f"{value:g} is beyond {kind.low:g}..{kind.high:g}"
            )
            raise DataError(f"{axis}: {said}")
        return value
