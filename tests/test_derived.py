"""Sensors made of other sensors' values: gradient, and baselines of cracks, tilt, frequency."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from agent.clock import VirtualClock
from agent.features.regression import Sums
from agent.measure.baseline import Baseline
from agent.measure.gradient import Gradient
from agent.measure.health import HealthSource

HOUR_S = 3600.0


def air(hour: float) -> float:
    return 15 + 6 * math.sin(math.pi * hour / 12) + 4 * math.sin(math.pi * hour / 108)


Values = dict[str, float | None]


class Watch:
    """A crack that breathes 5 um/K, looked at every hour."""

    def __init__(self, **options: Any) -> None:
        self.clock = VirtualClock()
        self.baseline = self.made(**options)
        self.chance = random.Random(1)

    def made(self, **options: Any) -> Baseline:
        return Baseline(HealthSource(self.clock), **{"train_days": 14.0, **options})

    def days(
        self, days: float, k: float = 0.005, drift: float = 0.0, warmer: float = 0.0
    ) -> Values:
        found: Values = {}
        for hour in range(round(24 * days)):
            self.clock.sleep(HOUR_S)
            celsius = air(self.clock.monotonic() / HOUR_S)
            width = 0.2 + k * (celsius - 15) + drift * hour / 720 + self.chance.gauss(0, 0.003)
            self.baseline.compensate(value=width, temperature_cel=celsius + warmer)
            found = dict(self.baseline.read())
        return found


def test_it_learns_then_a_crack_that_only_breathes_shows_nothing() -> None:
    watch = Watch()
    found = watch.days(7)
    assert list(found) == ["trained"]
    assert found["trained"] == pytest.approx(50, abs=8)
    found = watch.days(27)
    assert found["deviation"] == pytest.approx(0, abs=0.012)
    assert found["residual"] == pytest.approx(0.003, rel=0.15)
    assert found["drift"] == pytest.approx(0, abs=0.004)
    assert found["slope"] == pytest.approx(0.005, abs=0.0002)
    assert found["changed"] == 0


def test_a_crack_that_opens_shows_its_drift_and_its_new_slope() -> None:
    watch = Watch()
    watch.days(15)
    found = watch.days(20, k=0.007, drift=0.06)
    assert found["drift"] == pytest.approx(0.06, abs=0.012)
    assert found["slope"] == pytest.approx(0.007, abs=0.0003)
    assert found["changed"] == 1


def test_no_verdict_at_temperatures_never_seen() -> None:
    watch = Watch()
    watch.days(15)
    found = watch.days(1, warmer=25.0)
    assert "deviation" not in found
    assert "changed" not in found
    assert found["trained"] == 100


def test_days_without_a_row_teach_nothing() -> None:
    watch = Watch()
    watch.days(2)
    watch.clock.sleep(20 * 24 * HOUR_S)
    found = watch.days(1)
    assert list(found) == ["trained"]
    assert found["trained"] == pytest.approx(25, abs=8)
    watch.days(12)
    assert watch.baseline.line is not None


def test_it_goes_on_after_a_restart_and_a_new_version_learns_anew() -> None:
    watch = Watch()
    watch.days(16)
    kept = watch.baseline.state()
    assert kept is not None
    assert watch.baseline.state() is None
    line = watch.baseline.line
    watch.baseline = watch.made()
    watch.baseline.restore(kept)
    assert watch.baseline.line == line
    assert "deviation" in watch.days(1)
    assert watch.baseline.line == line
    watch.baseline = watch.made(version="2")
    watch.baseline.restore(kept)
    assert list(watch.days(1)) == ["trained"]


def test_without_an_input_or_a_clock_there_is_nothing_to_tell() -> None:
    watch = Watch()
    watch.baseline.compensate(value=0.2)
    assert watch.baseline.read() == {}
    watch.clock.unset(True)
    watch.baseline.compensate(value=0.2, temperature_cel=15.0)
    assert watch.baseline.read() == {}
    assert watch.baseline.state() is None


def test_two_months_of_days_are_few_bytes_with_each_row_and_come_back_exactly() -> None:
    watch = Watch()
    watch.days(90)
    kept = watch.baseline.state() or b""
    assert len(kept) < 3000
    found = watch.made()
    found.restore(kept)
    assert len(found.days) == 60
    assert found.days == watch.baseline.days
    assert (found.learned, found.line) == (watch.baseline.learned, watch.baseline.line)


def test_training_time_has_to_be_a_day_at_least() -> None:
    with pytest.raises(ValueError, match="train_days"):
        Baseline(HealthSource(VirtualClock()), train_days=0.5)


def test_sums_are_least_squares_and_can_be_merged() -> None:
    chance = random.Random(2)
    rows = [(x := chance.uniform(-5, 30), 0.3 * x + chance.gauss(0, 1)) for _ in range(400)]
    whole, first, second = Sums(), Sums(), Sums()
    for number, (x, y) in enumerate(rows):
        whole = whole.add(x, y)
        first, second = (first.add(x, y), second) if number < 150 else (first, second.add(x, y))
    merged = first.merge(second)
    import numpy as np

    given, wanted = np.array(rows).T
    slope, offset = np.polyfit(given, wanted, 1)
    for found in (whole.frozen("a"), merged.frozen("a")):
        assert found.slope == pytest.approx(slope, rel=1e-9)
        assert found.expected(0.0) == pytest.approx(offset, rel=1e-6) or found.low > 0
        assert found.residual == pytest.approx(1.0, rel=0.1)
        assert (found.low, found.high) == (min(rows)[0], max(rows)[0])
    with pytest.raises(ValueError, match="too few"):
        Sums().add(1, 1).frozen("a")
    assert Sums().merge(whole) == whole == whole.merge(Sums())


def test_a_pair_of_probes_gives_a_gradient() -> None:
    pair = Gradient(depth_m=1.5)
    pair.setup()
    pair.compensate(top_cel=25.0, bottom_cel=19.0)
    assert pair.read() == {"gradient": 4.0, "difference": 6.0, "mean": 22.0}
    assert pair.read() == {}
    pair.compensate(top_cel=25.0)
    assert pair.read() == {}
    with pytest.raises(ValueError, match="depth_m"):
        Gradient(depth_m=0)
