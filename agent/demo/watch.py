"""What a person sees of a window with modes: its spectrum of the last minute, its newest modes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.measure.sampler import Sampler, Source
from agent.measure.window import Window
from agent.model.schema import Missing
from agent.status import Node

T = TypeVar("T")
SPAN_S = 60.0  #: of the samples that are looked at
REFRESH_S = 1.0  #: real seconds: a spectrum costs CPU


@dataclass(frozen=True, slots=True)
class Marked:
    """A reference mode, and what the newest row found of it."""

    label: str  #: f1, f2 …
    reference_hz: float
    frequency_hz: float | None  #: None: missed
    damping_percent: float | None


@dataclass(frozen=True, slots=True)
class View:
    """One look."""

    instrument: str
    highest_hz: float
    resolution_hz: float = 1.0
    levels_db: Sequence[float] = ()  #: per bin from 0 Hz on; empty while there is too little
    modes: Sequence[Marked] = ()
    rows: bool = False  #: whether there has been a row with modes


class Watch:
    """Looks at the first window with modes of a node."""

    def __init__(self, node: Node) -> None:
        windows = {name: one.sensor for name, one in node.instruments.items()}
        self.window = next(
            (one for one in windows.values() if isinstance(one, Window) and one.options.modes), None
        )
        self.sampler = next((one for one in node.samplers if self._tells(one)), None)
        self._view: View | None = None
        self._at = 0.0

    def preview(self) -> View | None:
        """The newest look, at most once a second; None for a node without modes."""
        now = time.monotonic()
        if self.window is not None and (self._view is None or now - self._at >= REFRESH_S):
            self._at, self._view = now, self._looked(self.window)
        return self._view

    @property
    def instrument(self) -> str:
        """Its name."""
        return "" if self.window is None else self.window.name

    def named(self, cells: Mapping[str, T]) -> dict[str, T]:
        """Cells of the table with modes by quantity: {"f1": 2503, "d1": …}."""
        assert self.sampler is not None
        fields = self.sampler.layout.schema.fields
        return {
            source.quantity: cells[one.name]
            for one, source in zip(fields, self.sampler.sources, strict=True)
            if self._ours(source) and one.name in cells
        }

    def _tells(self, sampler: Sampler) -> bool:
        return any(self._ours(one) and one.quantity == "f1" for one in sampler.sources)

    def _ours(self, source: Source) -> bool:
        instrument = source.instrument
        return instrument is not None and instrument.sensor is self.window

    def _looked(self, window: Window) -> View:
        from agent.features.preview import levels  # numpy: optional

        how, stream = window.options, window.stream
        assert stream is not None, "a node opens its windows"
        rate_hz = stream.fifo.rate_hz
        since = stream.ring.end - round(SPAN_S * rate_hz)
        found = levels(stream.ring.stretches(since), len(window.axes), rate_hz, how.highest_hz)
        row = self._row()
        modes = [
            Marked(f"f{k}", hz, row.get(f"f{k}"), row.get(f"d{k}"))
            for k, hz in enumerate(how.modes, 1)
        ]
        resolution, decibels = found or (1.0, [])
        return View(window.name, how.highest_hz, resolution, decibels, modes, bool(row))

    def _row(self) -> dict[str, float | None]:
        """The newest row's modes in units; empty before there is one."""
        if self.sampler is None or not self.sampler.latest:
            return {}
        fields = self.sampler.layout.schema.fields
        cells = {
            one.name: None if isinstance(cell, Missing) else one.value(cell)
            for one, cell in zip(fields, self.sampler.latest, strict=True)
        }
        return dict(self.named(cells))
