"""Temperature models, drift, change detection, tilt: against the truth put in."""

import numpy as np
import pytest
from scipy.stats import theilslopes

from agent.features.baseline import Baseline, theil_sen
from agent.features.change import Change, follow
from agent.features.regression import Sums
from agent.features.temperature import gradient
from agent.features.tilt import STANDARD_GRAVITY, compensated, inclination, tilt
from tests.bench.healthy_month import A_DAY, outcome
from tests.features_kit import ADXL355_NOISE, MODES, bridge, law

RATE = 125.0
HOURS = np.arange(40 * 24)
AIR = 15 + 6 * np.sin(2 * np.pi * HOURS / 24) + 4 * np.sin(2 * np.pi * HOURS / 24 / 9)


def noise(seed: int, scale: float, samples: int = len(HOURS)) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=samples)


def line(values: np.ndarray, temperatures: np.ndarray = AIR) -> Baseline:
    sums = Sums()
    for value, celsius in zip(values, temperatures, strict=True):
        sums = sums.add(float(celsius), float(value))
    return sums.frozen("f1 2026-01")


def test_baseline_finds_slope_and_residual() -> None:
    found = line(5.0 - 0.01 * AIR + noise(1, 0.02))
    assert found.slope == pytest.approx(-0.01, abs=3 * found.slope_error)
    assert found.residual == pytest.approx(0.02, rel=0.1)
    assert (found.version, found.rows) == ("f1 2026-01", len(AIR))
    assert found.expected(15.0) == pytest.approx(5.0 - 0.15, abs=0.005)
    assert found.deviation(6.0, 15.0) == pytest.approx(1.15, abs=0.005)


def test_outside_its_temperatures_a_baseline_gives_no_verdict() -> None:
    found = line(2 * AIR)
    assert found.expected(AIR.max() + 0.1) is None
    assert found.deviation(30.0, AIR.min() - 0.1) is None
    assert found.deviation(2 * 15.0, 15.0) == pytest.approx(0, abs=1e-3)


@pytest.mark.no_cover
def test_slope_error_is_honest() -> None:
    slopes = [line(noise(seed, 1.0)) for seed in range(100)]
    spread = np.std([found.slope for found in slopes])
    assert np.mean([found.slope_error for found in slopes]) == pytest.approx(spread, rel=0.25)


def test_a_temperature_that_never_moves_gets_no_slope() -> None:
    assert line(2 * AIR, np.full(len(AIR), 3.0)).slope == 0


def test_too_few_rows_make_no_baseline() -> None:
    with pytest.raises(ValueError, match="too few"):
        line(np.ones(5), np.ones(5))


def test_theil_sen_equals_scipy_and_bears_outliers() -> None:
    days = np.arange(30.0)
    y = 0.5 * days + noise(3, 0.1, 30)
    y[4] = 100
    y[7] = np.nan
    whole = np.isfinite(y)
    assert theil_sen(days, y) == pytest.approx(theilslopes(y[whole], days[whole])[0])
    assert theil_sen(days, y) == pytest.approx(0.5, abs=0.02)
    assert theil_sen(days[:1], y[:1]) is None


def alarms(deviations: np.ndarray, sigma: float) -> list[bool]:
    out, state = [], Change()
    for deviation in deviations:
        state = follow(state, float(deviation), sigma)
        out.append(state.alarm)
    return out


def test_one_per_cent_drop_is_seen_within_a_day_and_a_healthy_month_stays_silent() -> None:
    for seed in range(20):
        mode = MODES[seed % len(MODES)]
        sigma = 3 * law(mode.frequency_hz, mode.damping, 600)
        healthy = noise(seed, sigma, 30 * 144)
        healthy[::97] += 0.04  # a wrong assignment now and then
        assert not any(alarms(healthy, sigma))
        assert any(alarms(noise(seed + 100, sigma, 144) - 0.01, sigma))


@pytest.mark.no_cover
@pytest.mark.no_cover
def test_a_simulated_bridge_is_watched_from_vibration_to_alarm() -> None:
    """Few windows of the bench's month, spread over the same weeks."""
    found = outcome(range(0, 14 * A_DAY, 101), range(14 * A_DAY, 44 * A_DAY, 600), range(20))
    assert found.false_alarms == 0
    assert found.slowest <= 20


def test_a_missed_mode_changes_nothing_and_an_alarm_ends_low() -> None:
    state = Change()
    assert follow(state, None, 1.0) is state
    for _ in range(30):
        state = follow(state, 5.0, 1.0)
    assert state.alarm
    assert follow(state, 0.0, 1.0).alarm
    for _ in range(30):
        state = follow(state, 0.0, 1.0)
    assert not state.alarm


def test_tilt_of_ten_seconds_is_within_half_a_millidegree_rms() -> None:
    true_deg = np.array([0.7, -1.3])
    gravity = np.sin(np.radians(true_deg))
    down = np.sqrt(1 - gravity @ gravity)
    errors = []
    for seed in range(40):
        x = bridge(seed, seconds=10, rms=0.0, noise=ADXL355_NOISE)
        x += STANDARD_GRAVITY * np.array([*gravity, down])
        errors += [
            np.array(tilt([x], RATE)) - true_deg,
            np.array(tilt([x[:, :2]], RATE)) - true_deg,
        ]
    rms = float(np.sqrt(np.mean(np.square(errors))))
    assert rms < 0.0005
    assert rms == pytest.approx(np.degrees(22.5e-6 / np.sqrt(2 * 10)), rel=0.2)


def test_traffic_does_not_count_and_gaps_do_not_hurt() -> None:
    x = np.zeros((7500, 2)) + STANDARD_GRAVITY * np.sin(np.radians([1.0, 2.0]))
    x[1250:2500] += 1.0
    assert tilt([x[:3000], x[3100:]], RATE) == pytest.approx([1.0, 2.0])
    assert tilt([x[:100]], RATE) is None
    assert tilt([], RATE) is None


def test_three_axes_do_not_need_the_local_gravity() -> None:
    lean = inclination(np.array([0.0, 9.5, 9.5]))
    assert list(lean) == pytest.approx([0.0, 45.0])
    assert inclination(np.array([20.0, 0.0]))[0] == 90


def test_compensation_takes_the_sensor_back_to_its_reference() -> None:
    assert compensated(0.0586, 30.0, 0.00086, 20.0) == pytest.approx(0.05)


def test_a_pair_gives_a_gradient_or_nothing() -> None:
    assert gradient(25.0, 19.0, 1.5) == 4.0
    assert gradient(None, 19.0, 1.5) is None
    assert gradient(25.0, None, 1.5) is None
