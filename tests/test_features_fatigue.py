"""Rainflow against ASTM E1049 and the rainflow package; S-N curves against the standard."""

import json
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import rainflow as package
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.features.fatigue import damage, steel, stress
from agent.features.rainflow import close, count, histogram

ASTM = [-2.0, 1.0, -3.0, 5.0, -1.0, 3.0, -4.0, 4.0, -2.0]  # E1049-85, figure 6


def counted(*parts: Sequence[float], gate: float = 0.0) -> dict[float, float]:
    """Range -> cycles of a series given in parts, the state as text in between."""
    total: defaultdict[float, float] = defaultdict(float)
    state = "[]"
    for part in parts:
        cycles, residue = count(np.array(part, float), json.loads(state), gate)
        state = json.dumps(residue)
        for extent, weight in cycles:
            total[extent] += weight
    for extent, weight in close(json.loads(state)):
        total[extent] += weight
    return dict(total)


def test_example_of_the_standard() -> None:
    assert counted(ASTM) == {3: 0.5, 4: 1.5, 6: 0.5, 8: 1.0, 9: 0.5}


def test_any_cut_of_the_example_counts_the_same() -> None:
    for cut in range(len(ASTM) + 1):
        assert counted(ASTM[:cut], ASTM[cut:]) == counted(ASTM)


@pytest.mark.no_cover
def test_a_thousand_random_series_equal_the_package() -> None:
    rng = np.random.default_rng(1049)
    for _ in range(1000):
        series = [float(value) for value in rng.integers(-50, 50, rng.integers(3, 200))]
        if len(set(series)) > 1:
            assert counted(series) == dict(package.count_cycles(series))


def test_random_walks_cut_anywhere_equal_the_package() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        series = [float(value) for value in np.cumsum(rng.normal(size=300))]
        a, b = sorted(rng.integers(0, 300, 2))
        found = counted(series[:a], series[a:b], series[b:])
        wanted = dict(package.count_cycles(series))
        assert sorted(found) == sorted(wanted)
        assert found == wanted


@pytest.mark.no_cover
@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=3, max_size=40), st.integers(0, 40))
def test_windows_never_change_the_count(series: list[int], cut: int) -> None:
    assert counted(series[:cut], series[cut:]) == counted(series)


@pytest.mark.no_cover
@settings(deadline=None)
@given(st.lists(st.floats(-9, 9, allow_subnormal=False), min_size=1, max_size=40))
def test_gate_lets_no_small_cycle_through(series: list[float]) -> None:
    cycles, _ = count(np.array(series), gate=1.0)
    assert all(extent > 1.0 for extent, _ in cycles)


def test_noise_below_the_gate_makes_no_cycles() -> None:
    time = np.arange(6000)
    rng = np.random.default_rng(3)
    slow = 40 * np.sin(2 * np.pi * time / 1000)
    noisy = slow + rng.uniform(-0.4, 0.4, 6000)
    assert sum(counted(list(noisy)).values()) > 500
    gated = counted(list(noisy), gate=0.9)
    assert sum(gated.values()) == sum(counted(list(slow)).values())


def test_silence_and_nothing_count_nothing() -> None:
    assert counted([1.0, 1.0, 1.0]) == {}
    assert counted([]) == {}
    assert count(np.array([])) == ([], [])
    assert count(np.array([5.0])) == ([], [5.0])


@pytest.mark.no_cover
def test_residue_stays_short() -> None:
    residue: list[float] = []
    rng = np.random.default_rng(5)
    for _ in range(200):
        _, residue = count(rng.normal(size=1000), residue)
    assert len(residue) < 60


def test_histogram_counts_half_cycles_and_loses_none() -> None:
    cycles = [(0.5, 1.0), (9.9, 0.5), (10.0, 1.0), (1e9, 0.5)]
    assert histogram(cycles, 10.0, 4) == [3, 2, 0, 1]


def test_steel_curve_is_that_of_the_standard() -> None:
    curve = steel(71.0)
    assert curve.endurance(71.0) == pytest.approx(2e6)
    assert curve.endurance(142.0) == pytest.approx(2e6 / 8)
    assert curve.knee_mpa == pytest.approx(0.737 * 71, rel=1e-3)
    assert curve.cut_off_mpa == pytest.approx(0.549 * curve.knee_mpa, rel=1e-3)
    assert curve.endurance(curve.knee_mpa) == pytest.approx(5e6)
    assert curve.endurance(curve.cut_off_mpa * 1.000001) == pytest.approx(1e8, rel=1e-4)
    assert curve.endurance(curve.cut_off_mpa) == float("inf")
    assert curve.endurance(40.0) == pytest.approx(5e6 * (curve.knee_mpa / 40) ** 5)


def test_partial_factor_lowers_the_curve() -> None:
    assert steel(71.0, 1.35).endurance(71 / 1.35) == pytest.approx(2e6)


def test_damage_adds_up() -> None:
    curve = steel(71.0)
    assert damage([(71.0, 1.0)] * 2000, curve) == pytest.approx(1e-3)
    assert damage([(71.0, 0.5), (10.0, 1e6)], curve) == pytest.approx(0.25e-6)
    assert damage([], curve) == 0


def test_strain_becomes_stress() -> None:
    assert stress([(100.0, 0.5)])[0] == pytest.approx((21.0, 0.5))
    assert stress([(100.0, 1.0)], 33.0)[0] == pytest.approx((3.3, 1.0))
