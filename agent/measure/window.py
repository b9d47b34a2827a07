"""A chip that samples by itself, or a fast sensor, as an ordinary sensor: features per interval.

The stream beside it empties the chip; `read` makes features of the interval that ended at the slot
it is asked for. Only what a table's column, an input or a trigger wants is computed.

Its arithmetic is agent/features/window.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.clock import Clock
from agent.config.errors import near
from agent.config.sections import Calibration, WindowConfig
from agent.measure.ring import NUMBER_BYTES
from agent.measure.stream import SPAN_S, Polled, Stream
from agent.measure.window_quantities import quantities_of
from drivers.api import DataError, DeviceError, Fifo, Sensor

if TYPE_CHECKING:
    from agent.features.arrays import Segments  # numpy: optional
    from agent.features.sample_times import SampleTimes  # numpy: optional

ACCELERATION = "m/s2"
COUNTED = ("cycles", "damage", "passages", "top")  #: each sample counts once
SUMS = {"damage"}  #: of what is carried, figures that are told as they are
LEVEL_S = 60.0  #: older, the level before a vehicle tells nothing
PREVIEW_S = 1.0  #: what `preview` listens for
HELD = 1.1  #: of an interval is kept: the slowest reader may be behind
SAME_S = 0.1  #: ends of one interval by two readings of the clock


class Done(NamedTuple):
    """An interval that has been looked at."""

    cut: tuple[float, float]  #: monotonic end, length
    values: Mapping[str, float | None]
    last: int  #: number of the first sample after it
    rate_hz: float  #: fitted


class Window:
    """Features of a stream's interval. Satisfies `Sensor`; `cut` says which interval."""

    extra = "bridge"  #: numpy (agent/plan/optional.py)

    def __init__(
        self,
        name: str,
        source: Fifo | Sensor,
        options: WindowConfig,
        calibrate: Mapping[str, Calibration] = MappingProxyType({}),
    ) -> None:
        self.name, self.source, self.options = name, source, options
        self.fifo = hasattr(source, "drain")
        if not self.fifo and options.rate_hz is None:
            raise ValueError("window.rate_hz is missing: how often a second it is to be read")
        if self.fifo and options.rate_hz is not None:
            raise ValueError("window.rate_hz: it samples by itself: give its own rate_hz")
        self.axes: Sequence[str] = getattr(source, "axes", None) or tuple(source.quantities)  # type: ignore[union-attr]
        self.vibration = getattr(source, "unit", "") == ACCELERATION
        #: per axis, of its samples and so of all made of them; empty: as the chip tells them
        self.scales: Sequence[Calibration] = (
            [calibrate.get(axis, Calibration()) for axis in self.axes]
            if calibrate.keys() & set(self.axes)
            else ()
        )
        tilting = self.axes[:2] if self.vibration else ()
        for axis in options.tilt_slope:
            if axis not in tilting:
                raise ValueError(f"window.tilt_slope: it has no tilt '{axis}'{near(axis, tilting)}")
        kinds = {} if self.vibration else source.quantities  # type: ignore[union-attr]
        self.quantities = quantities_of(self.axes, kinds, options)
        self.wanted: set[str] = set()  #: names of quantities that somebody wants
        self.counts_for = ""  #: the table whose rows tell what is counted; others do not count
        self.stream: Stream | None = None
        self._cut: tuple[float, float] | None = None  # monotonic end, length
        self._table = ""
        self._done: Done | None = None
        self._counted = 0  # samples that went into what is carried
        self._ended: float | None = None  # monotonic seconds of the newest of them
        self._until: float | None = None  # unix time of the newest before this start
        self._carried: dict[str, Any] = {}
        self._changed = False

    def want(self, names: Iterable[str]) -> None:
        """Compute these too."""
        self.wanted |= set(names) & set(self.quantities)

    def open(self, clock: Clock) -> Stream:
        """The stream; its job has to run."""
        source = self.source
        if not self.fifo:
            assert self.options.rate_hz is not None, "checked when made"
            source = Polled(source, self.options.rate_hz, clock)  # type: ignore[arg-type]
        self.stream = Stream(self.name, source, clock, scales=self.scales)  # type: ignore[arg-type]
        return self.stream

    def hold(self, length_s: float) -> None:
        """Keep samples of intervals of `length_s`, and what the slowest reader may be behind."""
        self._stream().hold(HELD * length_s)

    def memory_bytes(self, length_s: float) -> float:
        """What the samples of intervals of `length_s` take; when each was read comes on top."""
        source: Any = self.source if self.fifo else self.options
        return HELD * length_s * float(source.rate_hz) * len(self.axes) * NUMBER_BYTES

    def trouble(self) -> BaseException | None:
        """Why the stream brings nothing now."""
        stream = self._stream()
        if stream.error is None and not stream.ring.end:
            return DataError("has brought no samples yet")
        return stream.error

    def setup(self) -> None:
        """Nothing: the stream sets the chip up."""

    def cut(self, end: float, length_s: float, table: str = "") -> None:
        """Which interval of which table the next `read` is about.

        Monotonic seconds of its end, and its length.
        """
        self._cut, self._table = (end, length_s), table

    def read(self) -> Mapping[str, float | None]:
        """Features of the interval; what it is too short for is None.

        Raises DeviceError where the chip brought nothing.
        """
        stream = self._stream()
        cut = self._cut or (stream.clock.monotonic(), SPAN_S)
        found = self._done
        if found is None or not alike(found.cut, cut):
            stream.catch_up()
            found = self._done = self._features(stream, *cut)
        if self._table != self.counts_for:
            return found.values
        return self._named({**found.values, **self._counts(stream, found)})

    def preview(self) -> Mapping[str, float | None]:
        """The mean of each axis over a second, and the chip's temperature.

        The chip is set up for it. Raises DeviceError; DataError where it brings nothing.
        """
        stream = self._stream()
        stream.step()
        if stream.error is not None:
            raise stream.error
        stream.clock.sleep(PREVIEW_S)
        stream.step()
        if stream.error is not None:
            raise stream.error
        found = stream.ring.stretches()
        if not found:
            raise DataError(f"no sample in {PREVIEW_S:g} s")
        values = [one for stretch in found for one in stretch.samples]
        axes = len(self.axes)
        means: dict[str, float | None] = {
            f"mean_{axis}": sum(values[k::axes]) / len(values[k::axes])
            for k, axis in enumerate(self.axes)
        }
        return means | self._temperature(stream)

    def state(self, table: str = "") -> bytes | None:
        """What is carried to the next interval, if it has changed.

        Goes with the row it counts for and no other: both are on disk, or neither.
        """
        if not self._changed or table != self.counts_for:
            return None
        self._changed = False
        offset = self._stream().clock.offset()
        until = None if offset is None or self._ended is None else self._ended + offset
        kept = {"until": until, "axes": self._carried, "scales": self._scales()}
        return json.dumps(kept).encode()

    def restore(self, kept: bytes) -> None:
        """Go on where `state` was; of another calibration only sums.

        Raises ValueError, TypeError, KeyError.
        """
        found = json.loads(kept)
        self._carried, self._until = dict(found["axes"]), found["until"]
        if found.get("scales", []) != self._scales():  # what has begun would end in a false cycle
            self._carried = {
                axis: {key: one[key] for key in SUMS & one.keys()}
                for axis, one in self._carried.items()
            }

    def _scales(self) -> list[list[float]]:
        return [[one.gain, one.offset] for one in self.scales]

    def _stream(self) -> Stream:
        assert self.stream is not None, f"{self.name}: open() comes first"
        return self.stream

    def _features(self, stream: Stream, end: float, length_s: float) -> Done:
        from agent.features.arrays import segments  # numpy: optional

        line = stream.sample_times()
        if line is None:
            raise stream.error or DataError("has brought no samples yet")
        first, last = line.number(end - length_s), line.number(end)
        parts = segments(stream.ring.stretches(first, last), len(self.axes))
        if not parts:
            raise stream.error or DataError("brought no samples in this interval")
        values = self._general(stream, line, parts, first, last, length_s)
        if self.vibration:
            values |= self._vibration(parts, line.rate.hz, values.get("temperature"))
        else:
            values |= self._levels(parts)
        named = self._named(values)
        if stream.error is not None and all(one is None for one in named.values()):
            raise stream.error
        return Done((end, length_s), named, last, line.rate.hz)

    def _named(self, values: Mapping[str, float | None]) -> dict[str, float | None]:
        """Those that somebody wants: what nobody reads cannot fail."""
        wanted = self.wanted or self.quantities
        return {name: value for name, value in values.items() if name in wanted}

    def _general(
        self,
        stream: Stream,
        line: SampleTimes,
        parts: Segments,
        first: int,
        last: int,
        length_s: float,
    ) -> dict[str, float | None]:
        from agent.features.statistics import completeness  # numpy: optional

        values: dict[str, float | None] = {
            "completeness": completeness(parts, line.rate.hz, length_s),
            "missing": sum(one.missing for one in line.pieces if first <= one.first < last),
            "rate": line.rate.hz,
        }
        if self._wants("temperature", "tilt"):
            values |= self._temperature(stream)
        return values

    def _temperature(self, stream: Stream) -> dict[str, float | None]:
        """Of the chip, where it can tell; None if it does not answer now: the samples are good."""
        if not hasattr(self.source, "temperature"):
            return {}
        try:
            return {"temperature": stream.ask(self.source.temperature)}
        except DeviceError:
            return {"temperature": None}

    def _vibration(
        self, parts: Segments, rate_hz: float, temperature: float | None
    ) -> dict[str, float | None]:
        from agent.features import window  # numpy: optional

        full_scale = getattr(self.source, "full_scale", math.inf)
        if self.scales:  # the nearest end: rather one sample too many is told as clipped
            full_scale = min(abs(one.gain) * full_scale - abs(one.offset) for one in self.scales)
        beat = self._stream().clock.beat
        asked = window.Asked(self.axes, rate_hz, full_scale, self.options, self.wanted, beat)
        return window.vibration(parts, asked, temperature)

    def _levels(self, parts: Segments) -> dict[str, float | None]:
        from agent.features import window  # numpy: optional

        values: dict[str, float | None] = {}
        for column, axis in enumerate(self.axes):
            values |= window.levels([one[:, column] for one in parts], axis)
        return values

    def _counts(self, stream: Stream, done: Done) -> dict[str, float | None]:
        """Of the samples that nobody has counted yet, up to the interval's end."""
        from agent.features import window  # numpy: optional
        from agent.features.arrays import segments  # numpy: optional

        if self.vibration or not self._wants(*COUNTED):
            return {}
        since = max(self._counted, stream.ring.first)
        fresh = segments(stream.ring.stretches(since, done.last), len(self.axes))
        self._counted = max(done.last, self._counted)
        begin = done.cut[0] - sum(map(len, fresh)) / done.rate_hz
        if self._away_s(stream, begin) > LEVEL_S:
            for one in self._carried.values():
                one.pop("passage", None)
        self._ended = done.cut[0]
        values: dict[str, float | None] = {}
        for column, axis in enumerate(self.axes):
            asked = window.Asked((axis,), done.rate_hz, 0.0, self.options, self.wanted)
            new = [one[:, column] for one in fresh]
            more, carried = window.counted(new, asked, self._carried.get(axis, {}))
            values |= more
            self._carried[axis], self._changed = carried, True
        return values

    def _away_s(self, stream: Stream, begin: float) -> float:
        """How long nothing was counted before monotonic time `begin`, perhaps over a restart."""
        if self._ended is not None:
            return begin - self._ended
        offset = stream.clock.offset()
        if offset is None or self._until is None:
            return math.inf
        return begin + offset - self._until

    def _wants(self, *words: str) -> bool:
        return any(name.startswith(words) for name in self.wanted)


def alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two tables mean the same interval: each reads the clock by itself."""
    return one[1] == other[1] and abs(one[0] - other[0]) < SAME_S
