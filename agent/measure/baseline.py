"""A value held against its own frozen dependence on temperature: crack width, tilt, frequency.

A derived sensor: it takes a value and a temperature of other instruments and tells what is left.
It learns on `train_days` days, those without a row not counted; then the line is frozen under a
version and never changed: another `version` in the profile begins a new one. Outside the
temperatures it has learned at, and while it learns, it gives no verdict. What it reports are
figures, not a judgement of the structure.

Its arithmetic is agent/features/baseline.py.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

from agent.codec import cbor
from agent.measure.health import HealthSource
from drivers.api import Quantity

if TYPE_CHECKING:
    from agent.features.baseline import Baseline as Line  # numpy: optional
    from agent.features.regression import Sums  # numpy: optional

DAY_S = 86_400
DAYS_KEPT = 60  #: of daily figures, for drift and the present slope
LEAST_DRIFT_DAYS = 7
DAYS_A_MONTH = 30.0
KINDS = {  # kind of the value -> its step, kinds and steps of drift and slope
    "crack": (0.001, "crack_drift", 0.001, "crack_slope", 0.0001),
    "tilt": (0.001, "tilt_drift", 0.001, "tilt_slope", 0.0001),
    "frequency": (0.001, "frequency_drift", 0.001, "frequency_slope", 0.0001),
}


class Baseline:
    """Deviation, drift per 30 days, present slope per K, whether it has changed."""

    extra = "bridge"  #: numpy (agent/plan/optional.py)

    def __init__(
        self,
        node: HealthSource,
        kind: Literal["crack", "tilt", "frequency"] = "crack",
        train_days: float = 28.0,
        version: str = "1",
    ) -> None:
        if train_days < 1:
            raise ValueError(f"train_days is 1 or more, not {train_days:g}")
        self.node, self.train_days, self.version = node, train_days, version
        step, drift, drift_step, slope, slope_step = KINDS[kind]
        self.quantities = {
            "deviation": Quantity(kind, step, -1000, 1000),
            "residual": Quantity(kind, step / 10, 0, 1000),
            "drift": Quantity(drift, drift_step, -1000, 1000),
            "slope": Quantity(slope, slope_step, -1000, 1000),
            "changed": Quantity("flag", 1, 0, 1),
            "trained": Quantity("percentage", 1, 0, 100),
        }
        self.now: tuple[float | None, float | None] = (None, None)  # value, temperature
        self.learned_days = 0  #: on which there was a row to learn
        self.day: int | None = None  #: unix day of the newest row learned
        self.learned: Sums | None = None
        self.line: Line | None = None  #: frozen
        self.days: dict[int, Sums] = {}  #: unix day -> temperature against deviation
        self.level, self.alarm = 0.0, False
        self._changed = False

    @property
    def still_s(self) -> Mapping[str, float]:
        """Its line may stand still for ever: the sensor that it is of is judged itself."""
        return dict.fromkeys(self.quantities, 0.0)

    def setup(self) -> None:
        """Nothing to set up."""

    def compensate(self, value: float | None = None, temperature_cel: float | None = None) -> None:
        """What the other instruments have measured for this row."""
        self.now = (value, temperature_cel)

    def read(self) -> Mapping[str, float | None]:
        """Figures of this row; what cannot be told yet is absent."""
        (value, celsius), self.now = self.now, (None, None)
        utc = self.node.clock.utc()
        if value is None or celsius is None or utc is None:
            return {}
        self._changed = True
        day = int(utc // DAY_S)
        if self.line is None:
            return self._learn(value, celsius, day)
        return self._judge(self.line, value, celsius, day)

    def state(self, table: str = "") -> bytes | None:
        """What has been learned, if it has changed; goes with the row."""
        if not self._changed:
            return None
        self._changed = False
        learned, line = self.learned and numbers(self.learned), self.line and numbers(self.line)
        days = {day: numbers(sums) for day, sums in self.days.items()}
        change = [self.level, self.alarm]
        return cbor.dump([self.version, self.learned_days, self.day, learned, line, days, change])

    def restore(self, kept: bytes) -> None:
        """Go on where `state` was; another version begins anew."""
        from agent.features.baseline import Baseline as Line  # numpy: optional
        from agent.features.regression import Sums  # numpy: optional

        version, learned_days, day, learned, line, days, (level, alarm) = cbor.load(kept)
        if version != self.version:
            return
        self.learned_days, self.day = learned_days, day
        self.learned = learned and Sums(*learned)
        self.line = line and Line(*line)
        self.days = {day: Sums(*sums) for day, sums in days.items()}
        self.level, self.alarm = level, alarm

    def _learn(self, value: float, celsius: float, day: int) -> dict[str, float | None]:
        from agent.features.regression import Sums  # numpy: optional

        if day != self.day:
            if self.learned_days >= self.train_days and self.learned and self.learned.rows >= 9:
                self.line = self.learned.frozen(f"{self.version} of day {day}")
                return self._judge(self.line, value, celsius, day)
            self.day, self.learned_days = day, self.learned_days + 1
        self.learned = (self.learned or Sums()).add(celsius, value)
        return {"trained": min(100 * (self.learned_days - 1) / self.train_days, 100.0)}

    def _judge(self, line: Line, value: float, celsius: float, day: int) -> dict[str, float | None]:
        from agent.features.change import Change, follow  # numpy: optional
        from agent.features.regression import Sums  # numpy: optional

        values: dict[str, float | None] = {"trained": 100.0, "residual": line.residual}
        deviation = line.deviation(value, celsius)
        if deviation is not None:
            values["deviation"] = deviation
            if day not in self.days and self.days:
                last = max(self.days)
                self.days[last] = rounded(self.days[last])
            self.days[day] = self.days.get(day, Sums()).add(celsius, deviation)
            while len(self.days) > DAYS_KEPT:
                del self.days[min(self.days)]
            found = follow(Change(self.level, self.alarm), deviation, max(line.residual, 1e-12))
            self.level, self.alarm = found.level, found.alarm
            values["changed"] = float(self.alarm)
        return values | self._trend(line)

    def _trend(self, line: Line) -> dict[str, float | None]:
        """Drift of the daily deviations, and the slope as it is now."""
        from agent.features.baseline import slope_of_pairs  # numpy: optional
        from agent.features.regression import Sums  # numpy: optional

        values: dict[str, float | None] = {}
        if len(self.days) >= LEAST_DRIFT_DAYS:
            drift = slope_of_pairs(list(self.days), [one.y for one in self.days.values()])
            values["drift"] = None if drift is None else drift * DAYS_A_MONTH
        together = Sums()
        for one in self.days.values():
            together = together.merge(one)
        if together.slope is not None and len(self.days) >= LEAST_DRIFT_DAYS:
            values["slope"] = line.slope + together.slope
        return values


def numbers(found: Sums | Line) -> list[Any]:
    """What it holds; astuple copies each deeply, which for sixty days takes milliseconds."""
    return [getattr(found, one.name) for one in fields(found)]


def rounded(day: Sums) -> Sums:
    """A day that is over, in numbers of 24 bits: it is written with each row for two months."""
    rows, *rest = numbers(day)
    form = f"{len(rest)}f"
    return type(day)(rows, *struct.unpack(form, struct.pack(form, *rest)))


DRIVER, TWIN = Baseline, None
