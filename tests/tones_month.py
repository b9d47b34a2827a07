"""The shipped bridge profile watches natural frequencies for weeks: window results in, events out.

Everything behind the window is the node's own: gradient, baselines, the drift table, its alarms.
What windows find is drawn: the true frequency of that hour, scattered three times as far as the
uncertainty law, which is the most that they may; now and then no mode, or another one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agent.clock import VirtualClock
from agent.codec import cbor
from agent.measure.health import HealthSource
from agent.measure.sampler import Sampler
from agent.measure.sampler import Source as ColumnSource
from agent.model.batch import Layout, Message, Row
from agent.model.schema import Missing
from agent.node import make_instruments
from agent.plan import make_plan, read_profile
from agent.resources import resource
from agent.simulate import SimBuses, make_world
from drivers.sim.bridge import DAMPINGS, FREQUENCIES, FREQUENCY_PER_K, REFERENCE_CEL, Bridge
from tests.features_kit import law

JANUARY, JUNE = 1_767_225_600.0, 1_780_272_000.0  # 2026
A_DAY = 144
SCATTER = 3.0  #: times the law
MISSED, WRONG = 0.02, 0.01  #: shares of windows without the mode, and with something beside it
PROBE_K = 1 / 16  #: step of a DS18B20


@dataclass
class Shelf:
    """Takes what a sampler puts, and keeps the messages: a disk would take longer than the test."""

    boot: int = 1
    messages: list[Message] = field(default_factory=list)

    def newest_start(self, table: str) -> int | None:
        """None: the table begins."""

    def put(
        self, layout: Layout, row: Row, events: list[Message], settings: Mapping[str, bytes]
    ) -> None:
        """Keep the events."""
        self.messages += events

    def post(self, message: Message) -> None:
        """Keep it."""
        self.messages.append(message)


@dataclass(frozen=True)
class Told:
    """An event of the drift table."""

    window: int  #: from 1, of this run
    column: str
    code: int


class Tones:
    """The drift table of hw/nodes/bridge.toml on a world's temperatures, from a date on."""

    def __init__(self, seed: int, begin: float) -> None:
        config, source = read_profile(resource("nodes/bridge.toml"))
        self.clock = VirtualClock(begin)
        buses = SimBuses(
            self.clock,
            self.clock.true_utc,
            make_world(config, source),
            {},
            HealthSource(self.clock),
        )
        made = make_plan(config, source, buses)
        self.instruments = make_instruments(made, self.clock)
        table = next(one for one in made.tables if one.name == "drift")
        self.names = [one.name for one in table.schema.fields]
        sources = [ColumnSource(self.instruments[one[0]], one[1]) for one in table.sources if one]
        self.shelf = Shelf()
        layout = Layout(1, table.name, table.schema, table.interval_s)
        alarms = made.alarms[table.name]
        self.sampler = Sampler(layout, sources, self.shelf, self.clock, alarms)  # type: ignore[arg-type]
        self.judged = 0  #: rows in which the first mode was held against its line
        self.climate, self.chance = Bridge(seed).climate, random.Random(seed)

    def run(
        self, days: float, drops: Mapping[int, float] | None = None, every: int = 1
    ) -> list[Told]:
        """What the alarms told in so many days, of which every `every`-th window is looked at.

        `drops`: the mode from 1, and the share of its frequency that it has lost.
        """
        first, began = len(self.shelf.messages), self.clock.monotonic()
        at = self.clock.true_utc() + 600.0 * every * np.arange(round(days * A_DAY / every))
        for top, bottom, mean in self._warmth(at):
            self._window(top, bottom, mean, drops or {})
            self.clock.sleep(600.0 * (every - 1))
        return [self._told(one, began) for one in self.shelf.messages[first:]]

    def _warmth(self, at: np.ndarray) -> list[list[float]]:
        """Top, bottom, mean of the section at unix times, straight between hours."""
        hours = np.arange(at[0], at[-1] + 7200, 3600.0)
        found = [self.climate.warmth(one) for one in hours]
        knots = np.array([(one.top(), one.bottom(), one.mean) for one in found])
        columns = [np.interp(at, hours, one).tolist() for one in knots.T]
        return [list(row) for row in zip(*columns, strict=True)]

    def _window(self, top: float, bottom: float, mean: float, drops: Mapping[int, float]) -> None:
        """One row: what the other tables have measured, then the drift table."""
        for name, celsius in (("t_m_top", top), ("t_m_bot", bottom)):
            self._found(name, "temperature", PROBE_K * round(celsius / PROBE_K))
        self.instruments["grad"].ask()
        for number, (hz, zeta) in enumerate(zip(FREQUENCIES, DAMPINGS, strict=True), 1):
            true = (
                hz * (1 + FREQUENCY_PER_K * (mean - REFERENCE_CEL)) * (1 - drops.get(number, 0.0))
            )
            if self.chance.random() >= MISSED:
                off = self.chance.gauss(0, SCATTER * law(hz, zeta, 600))
                wrong = self.chance.random() < WRONG
                self._found("acc", f"f{number}", true * (1 + (0.03 if wrong else off)))
            else:
                self.instruments["acc"].latest.pop(f"f{number}", None)
        self.clock.sleep(self.sampler.step())
        if self.sampler.latest:
            told = self.sampler.latest[self.names.index("f1_moved")]
            self.judged += not isinstance(told, Missing)

    def _found(self, instrument: str, quantity: str, value: float) -> None:
        self.instruments[instrument].latest[quantity] = (value, self.clock.monotonic())

    def _told(self, message: Message, began: float) -> Told:
        _, column, code, *_ = cbor.load(message.body)
        return Told(round((message.mono_ms / 1000 - began) / 600) + 1, self.names[column], code)
