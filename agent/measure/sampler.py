"""One job per table: at each slot ask its instruments and put one row."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.codec import cells_to_bytes
from agent.codec.messages import event
from agent.measure.instrument import Instrument, Reading
from agent.model.alarm import Alarm
from agent.model.batch import Layout, Message, Row
from agent.model.schema import Cell, Missing
from agent.store import Store

log = logging.getLogger(__name__)

STEP_S = 2.0  #: a clock that moved by more than this was set, not drifting
RAW_LIMIT = 2**31  # WIRE.md section 5: |raw| < 2^31
NOT_AVAILABLE = Missing.NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class Source:
    """Where a column comes from. An instrument of None leaves the column not available."""

    instrument: Instrument | None
    quantity: str


@dataclass
class Due:
    """The slot a table waits for."""

    mono: float  #: monotonic seconds at which it starts
    start: int | None  #: unix second at which it starts, None while the clock is not trusted
    offset: float | None  #: unix - monotonic as it was when this was planned


@dataclass
class Sampler:
    """Measures one table. `step` is the job."""

    layout: Layout
    sources: Sequence[Source]
    store: Store
    clock: Clock
    alarms: list[Alarm] = field(default_factory=list)
    wake: threading.Event = field(default_factory=threading.Event)
    late: int = 0  #: slots missed because measuring or the disk took too long
    latest: Sequence[Cell] = ()  #: the newest row, for pictures and status
    _prepared: bool = False
    _next_layout: Layout | None = None
    _due: Due | None = None
    _last_start: int | None = None
    _instruments: list[tuple[int, Instrument]] = field(default_factory=list)  # with first column
    _streams: list[tuple[int, Instrument]] = field(default_factory=list)  # those among them
    _columns: list[tuple[int, str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        first: dict[int, tuple[int, Instrument]] = {}
        for index, source in enumerate(self.sources):
            if source.instrument is not None:
                first.setdefault(id(source.instrument), (index, source.instrument))
        # what others compensate with is asked first
        self._instruments = sorted(first.values(), key=lambda one: bool(one[1].inputs))
        self._streams = [one for one in self._instruments if one[1].streams]
        fields = self.layout.schema.fields
        self._columns = [
            (id(source.instrument), source.quantity, *field_.ratio())
            for source, field_ in zip(self.sources, fields, strict=True)
        ]

    def change(self, layout: Layout) -> None:
        """Go on with another interval, at its next slot. From any thread."""
        self._next_layout = layout
        self.wake.set()

    def set_limits(self, column: int, above: int | None, below: int | None) -> None:
        """Change a column's limits. From any thread."""
        alarm = next((one for one in self.alarms if one.column == column), None)
        if alarm is None:
            self.alarms.append(Alarm(column, above, below))
        else:
            alarm.above, alarm.below = above, below

    def step(self) -> float:
        """Measure if the slot has begun. Return the seconds until the next one."""
        if self._next_layout is not None:
            self.layout, self._next_layout, self._due = self._next_layout, None, None
            self._hold()
        if not self._prepared:
            self._prepared = True
            self._last_start = self.store.newest_start(self.layout.table)
            self._hold()
            for _, instrument in self._instruments:
                self.clock.beat()
                instrument.prepare()
        if self._due is None:
            self._due = self._plan()
        wait_s = self._due.mono - self.clock.monotonic()
        if wait_s > 0:
            return self._watch(wait_s)
        self._measure(self._due)
        before, self._due = self._due, self._plan()
        self.late += max(round((self._due.mono - before.mono) / self.layout.interval_s) - 1, 0)
        return self._watch(max(self._due.mono - self.clock.monotonic(), 0.0))

    def _hold(self) -> None:
        for _, instrument in self._instruments:
            instrument.hold(self.layout.interval_s)

    def _watch(self, wait_s: float) -> float:
        """Between rows: a stream that fails is told now, not when its row is due."""
        for column, instrument in self._streams:
            wait_s = min(wait_s, instrument.watch())
            for news in self._news(column, instrument):
                self.store.post(news)
        return wait_s

    def _plan(self) -> Due:
        """The first slot that starts after now and after the last one of this table."""
        now, interval = self.clock.monotonic(), self.layout.interval_s
        offset = self.clock.offset()
        if offset is None:
            return Due((math.floor(now / interval) + 1) * interval, None, None)
        start = (math.floor((now + offset) / interval) + 1) * interval
        if self._last_start is not None and start <= self._last_start <= start + interval:
            start = self._last_start + interval  # the clock was drawn back a little
        return Due(start - offset, start, offset)

    def _measure(self, due: Due) -> None:
        due = self._redated(due)
        values: dict[int, Mapping[str, Reading]] = {id(None): {}}
        slot = (due.mono, float(self.layout.interval_s), self.layout.table)
        for _, one in self._instruments:
            self.clock.beat()  # on a small Pi a window takes seconds
            values[id(one)] = one.ask(slot)
        cells: list[Cell] = []
        for instrument, quantity, up, down in self._columns:
            value = values[instrument].get(quantity, NOT_AVAILABLE)
            if isinstance(value, float):
                raw = round(value * up / down)
                fits = -RAW_LIMIT < raw < RAW_LIMIT
                cells.append(raw if fits else Missing.ABOVE if raw > 0 else Missing.BELOW)
            else:
                cells.append(value)
        row = Row(0, self.store.boot, round(due.mono * 1000), due.start, cells_to_bytes(cells))
        self.latest = cells
        events, settings = self._events(cells, row)
        for _, one in self._instruments:
            if (kept := one.carried(self.layout.table)) is not None:
                settings[state_key(one.name)] = kept
        self.store.put(self.layout, row, events, settings)
        self._last_start = due.start

    def _redated(self, due: Due) -> Due:
        """The slot in which the row was due, by the clock as it is now."""
        offset = self.clock.offset()
        if offset is None or (due.offset is not None and abs(offset - due.offset) <= STEP_S):
            return due
        return Due(due.mono, self.layout.slot_of(round((due.mono + offset) * 1000)), offset)

    def _events(self, cells: Sequence[Cell], row: Row) -> tuple[list[Message], dict[str, bytes]]:
        """Events of this row, and the alarm states that change with it."""
        events, settings = [], {}
        for alarm in self.alarms:
            cell = cells[alarm.column]
            code = alarm.check(cell, row.mono_ms / 1000)
            if code is not None:
                value = None if isinstance(cell, Missing) else cell
                events.append(self._event(alarm.column, code, value))
                settings[alarm_key(self.layout, alarm.column)] = str(code).encode()
        for index, instrument in self._instruments:
            events += self._news(index, instrument)
        return events, settings

    def _news(self, first: int, instrument: Instrument) -> list[Message]:
        """What is to be told of an instrument, on the column it is about or on its first one."""
        return [
            self._event(self._column(instrument, one.quantity, first), one.code, one.value)
            for one in instrument.news()
        ]

    def _column(self, instrument: Instrument, quantity: str, first: int) -> int:
        found = (
            index
            for index, source in enumerate(self.sources)
            if source.instrument is instrument and source.quantity == quantity
        )
        return next(found, first)

    def _event(self, column: int, code: int, value: int | None) -> Message:
        number = self.layout.schema.number
        return event(number, column, code, value, self.store.boot, self.clock)


def state_key(instrument: str) -> str:
    """Under which name the store keeps what a sensor carries from row to row."""
    return f"sensor/{instrument}"


def alarm_key(layout: Layout, column: int) -> str:
    """Under which name the store keeps the state of an alarm."""
    return f"alarm/{layout.table}/{layout.schema.fields[column].name}"
