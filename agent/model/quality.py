"""What is known about a value beside the value: does it stand still, for how long is it not good.

Nothing here changes a cell. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.model.schema import quantity_kinds

FEWEST = 10  #: answers alike before one speaks of standing still: two in six hours say nothing


class Ranged(Protocol):
    """What is looked at of a quantity (drivers.api.Quantity)."""

    @property
    def kind(self) -> str:
        """A line of hw/schemas/quantities.toml."""
        ...

    @property
    def low(self) -> float:
        """Lower end of its believable range."""
        ...


@dataclass(slots=True)
class Repeat:
    """The newest answer of one quantity, and since when it has been the same."""

    seen: Hashable
    since: float
    answers: int = 1


@dataclass
class Stillness:
    """How long each quantity of one sensor repeats itself to the last bit.

    A zero of a quantity that has nothing below zero is no sign: a lux sensor in the dark, clean
    air. Where a driver tells the counts that a value was made of, these are judged, zero or not.
    """

    may_s: Mapping[str, float]  #: by quantity: for so long it may repeat; absent or 0: for ever
    zeros: frozenset[str] = frozenset()  #: quantities that have nothing below zero
    whole: bool = False  #: judge all values of an answer as one: those of a window
    still: dict[str, float] = field(default_factory=dict)  #: quantity -> seconds so far
    _repeats: dict[str, Repeat] = field(default_factory=dict)

    def look(
        self, values: Mapping[str, float | None], counts: Mapping[str, Hashable], now: float
    ) -> None:
        """Take note of one answer of the driver, as it is before calibration and rounding."""
        if self.whole:
            self._look_whole(values, now)
            return
        for name, value in values.items():
            may_s = self.may_s.get(name)
            if not may_s or value is None:
                continue
            innocent = value == 0 and name in self.zeros and name not in counts
            self._note(name, counts.get(name, value), may_s, now, innocent)

    def _look_whole(self, values: Mapping[str, float | None], now: float) -> None:
        told = {name: value for name, value in values.items() if self.may_s.get(name)}
        told = {name: value for name, value in told.items() if value is not None}
        if told:
            may_s = min(self.may_s[name] for name in told)
            innocent = not any(told.values())
            self._note(next(iter(told)), tuple(told.items()), may_s, now, innocent)

    def _note(self, name: str, seen: Hashable, may_s: float, now: float, innocent: bool) -> None:
        one = self._repeats.get(name)
        if one is None or innocent or one.seen != seen:
            self._repeats[name] = Repeat(seen, now)
            self.still.pop(name, None)
            return
        one.answers += 1
        if one.answers >= FEWEST and now - one.since >= may_s:
            self.still[name] = now - one.since


@dataclass
class Doubts:
    """Since when each quantity has had no believable value."""

    patience_s: float
    _since: dict[str, float] = field(default_factory=dict)

    def look(self, bad: Mapping[str, bool], now: float) -> None:
        """Take note of one answer: which of its values are not good."""
        for name, doubtful in bad.items():
            if doubtful:
                self._since.setdefault(name, now)
            else:
                self._since.pop(name, None)

    def lasting(self, now: float) -> list[tuple[str, float]]:
        """Quantities that have been bad for longer than one is patient, and for how long."""
        return [
            (name, now - since)
            for name, since in self._since.items()
            if now - since >= self.patience_s
        ]


class Quality:
    """What is known about the values of one sensor."""

    def __init__(
        self,
        quantities: Mapping[str, Ranged],
        still_s: Mapping[str, float],
        patience_s: float,
        whole: bool = False,
    ) -> None:
        kinds = quantity_kinds()
        known = {n: kinds[one.kind].still_s for n, one in quantities.items() if one.kind in kinds}
        self.may_s = known | dict(still_s)
        self.zeros = frozenset(name for name, one in quantities.items() if one.low >= 0)
        self.whole = whole
        self.doubts = Doubts(patience_s)
        self._stillness: dict[str, Stillness] = {}  # of windows: by table

    def look(
        self,
        values: Mapping[str, float | None],
        counts: Mapping[str, Hashable],
        bad: Mapping[str, bool],
        now: float,
        table: str = "",
    ) -> None:
        """Take note of one answer: as the driver gave it, and which of it is not good."""
        if table not in self._stillness:
            self._stillness[table] = Stillness(self.may_s, self.zeros, self.whole)
        self._stillness[table].look(values, counts, now)
        self.doubts.look(bad, now)

    def standing(self) -> dict[str, int]:
        """Quantities that stand still, and for how many seconds so far."""
        found: dict[str, int] = {}
        for one in self._stillness.values():
            found |= {name: round(seconds) for name, seconds in one.still.items()}
        return found

    def state(self, now: float) -> tuple[str, str]:
        """Of a sensor that answers: ok, degraded or still; and why, in one line."""
        if lasting := self.doubts.lasting(now):
            words = (f"{name}: no good value for {spoken(past_s)}" for name, past_s in lasting)
            return "degraded", ", ".join(words)
        if standing := self.standing():
            names, longest = ", ".join(standing), spoken(max(standing.values()))
            return "still", f"{names}: the same to the last bit for {longest}"
        return "ok", ""


def spoken(seconds: float) -> str:
    """A time as people say it: "90 s", "25 min", "6.0 h", "3.2 days"."""
    for size, unit in ((86_400, "days"), (3600, "h")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
