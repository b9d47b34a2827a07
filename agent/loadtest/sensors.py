"""What a load test records: which sensors feel the bridge, how often they are asked, in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.clock import Clock
from agent.measure.instrument import Instrument
from agent.measure.stream import Stream
from agent.model.schema import Missing, quantity_kinds

FAST = {"strain", "crack", "tilt", "distance", "acceleration", "velocity", "rotation_rate"}
SLOW = {"temperature"}  #: changes slowly, and a probe takes 0.75 s
FASTEST_S, FAST_S, SLOW_S = 0.1, 1.0, 10.0
ASLEEP_S = 3600.0
LINE_BYTES = 100  #: one answer in the log, about

Take = Callable[[str, float, Mapping[str, float | None], str], bool]


class Asker:
    """Asks sensors in turn, each as often as is sensible; `step` is the job, `wake` begins.

    `take` gets name, monotonic seconds, values and fault; it says whether a test runs at all.
    """

    def __init__(self, instruments: Sequence[Instrument], clock: Clock, take: Take) -> None:
        self.instruments, self.clock, self.take = instruments, clock, take
        self.wake = threading.Event()
        self._due: dict[str, float] = {}
        self._tests = 0  # begun so far
        self._lock = threading.Lock()  # of both

    def begin(self) -> None:
        """All are due now."""
        with self._lock:
            self._tests += 1
            now = self.clock.monotonic()
            self._due = dict.fromkeys((one.name for one in self.instruments), now)
        self.wake.set()

    def step(self) -> float:
        """Ask the one that has waited longest. Return the seconds until the next is due."""
        if not self._due:
            return ASLEEP_S
        test = self._tests
        one = min(self.instruments, key=lambda one: self._due[one.name])
        now = self.clock.monotonic()
        if self._due[one.name] > now:
            return self._due[one.name] - now
        answer, known = one.ask(), structural(one)
        values = {name: number(value) for name, value in answer.items() if name in known}
        after = self.clock.monotonic()
        if not self.take(one.name, after, values, "" if one.state == "ok" else one.reason):
            with self._lock:
                if test == self._tests:  # none has begun meanwhile
                    self._due = {}
            return ASLEEP_S
        self._due[one.name] = max(self._due[one.name] + every_s(one), after)
        left: float = min(self._due.values()) - after
        return max(left, 0.0)


def number(value: float | Missing) -> float | None:
    """A good value, or nothing."""
    return None if isinstance(value, Missing) else value


def structural(instrument: Instrument) -> Mapping[str, str]:
    """Quantities that feel a bridge, and their kinds."""
    known = FAST | SLOW
    return {name: q.kind for name, q in instrument.quantities.items() if q.kind in known}


def quick(instrument: Instrument) -> bool:
    """Whether all it measures may change while a vehicle drives on."""
    return {quantity.kind for quantity in instrument.quantities.values()} <= FAST


def bridge(instrument: Instrument) -> bool:
    """Whether it is a chip that feels the bridge.

    What the agent itself makes, of the node or of other sensors, is asked by tables alone: some of
    it learns from each answer.
    """
    made_here = type(instrument.sensor).__module__.startswith("agent.")
    return bool(structural(instrument)) and not made_here


def every_s(instrument: Instrument) -> float:
    """How often it is asked: a chip that converts at its rate as fast, but 10 Hz at most."""
    if not quick(instrument):
        return SLOW_S
    rate_hz = getattr(instrument.sensor, "rate_hz", None)
    return min(max(1 / rate_hz, FASTEST_S), FAST_S) if rate_hz else FAST_S


def by_rate(instruments: Sequence[Instrument]) -> list[list[Instrument]]:
    """Which are asked in turn.

    A chip that converts at its rate never waits for another, as a water level listens for half a
    second; the rest by how fast it may change.
    """
    alone = [[one] for one in instruments if every_s(one) < FAST_S]
    fast = [one for one in instruments if every_s(one) == FAST_S]
    slow = [one for one in instruments if every_s(one) == SLOW_S]
    return [*alone, *(some for some in (fast, slow) if some)]


def described(one: Instrument) -> dict[str, Any]:
    """A sensor that is asked, for the first line of the log."""
    found = structural(one)
    return {
        "instrument": one.name,
        "axes": list(found),
        "units": [quantity_kinds()[kind].unit for kind in found.values()],
        "steps": [one.quantities[name].step for name in found],
        "every_s": every_s(one),
    }


def stream_described(name: str, stream: Stream, instrument: Instrument | None) -> dict[str, Any]:
    """A stream, for the first line of the log.

    Its samples are written as calibrated by axis, before a calibration of the axis' mean.
    """
    fifo, axes = stream.fifo, list(stream.fifo.axes)
    quantities: Mapping[str, Any] = getattr(fifo, "quantities", {})
    calibrate = instrument.calibrate if instrument else {}
    scales = [calibrate.get(f"mean_{axis}") for axis in axes]
    return {
        "instrument": name,
        "axes": axes,
        "units": [fifo.unit or quantity_kinds()[quantities[axis].kind].unit for axis in axes],
        "steps": [quantities[axis].step if axis in quantities else None for axis in axes],
        "rate_hz": fifo.rate_hz,
        "calibrate": [[one.gain, one.offset] if one else [1.0, 0.0] for one in scales],
    }


def bytes_per_s(channels: Sequence[Mapping[str, Any]]) -> float:
    """About how fast a test grows."""
    total: float = sum(
        8.4 * one["rate_hz"] * len(one["axes"]) if "rate_hz" in one else LINE_BYTES / one["every_s"]
        for one in channels
    )
    return total
