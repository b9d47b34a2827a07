"""Modes of a simulated bridge against the modes it has. The 40-seed figures are in the bench."""

from collections.abc import Sequence

import numpy as np
import pytest

from agent.features.modes import Mode, Settings, assurance, identify
from agent.features.ssi import correlations, decimation
from agent.features.tracking import Reference, track
from drivers.sim.modal import Mode as TrueMode
from drivers.sim.modal import Resonator
from tests.features_kit import ADXL355_NOISE, MODES, G, bridge, law, response
from tests.sure import sure

RATE = 125.0
REFERENCES = [Reference(mode.frequency_hz) for mode in MODES]
SEEDS = 6


def found_modes(rms: float) -> list[Sequence[Mode | None]]:
    return [track(identify([bridge(seed, rms=rms)], RATE), REFERENCES) for seed in range(SEEDS)]


@pytest.mark.parametrize("rms_g", [0.001, 0.0001])
def test_frequency_and_damping_come_back(rms_g: float) -> None:
    windows = found_modes(rms_g * G)
    for k, truth in enumerate(MODES):
        seen = [one for window in windows if (one := window[k])]
        assert len(seen) >= SEEDS - 1
        ratio = np.array([mode.frequency_hz for mode in seen]) / truth.frequency_hz
        damping = np.array([mode.damping for mode in seen]) / truth.damping
        least = law(truth.frequency_hz, truth.damping, 600)
        assert abs(ratio.mean() - 1) < 0.0005 + 3 * least / SEEDS**0.5
        assert ratio.std() < 3 * least
        assert abs(damping.mean() - 1) < 0.2
        assert damping.std() < 0.25
        assert all(0.4 < mode.quality <= 1 for mode in seen)


def test_shapes_come_back() -> None:
    window = track(identify([bridge(1)], RATE), REFERENCES)
    for mode, truth in zip(window, MODES, strict=True):
        assert assurance(np.array(sure(mode).shape), np.array(truth.shape)) > 0.98


def test_lines_are_never_modes() -> None:
    time = np.arange(75_000) / RATE
    for seed, amplitude in enumerate((1e-4, 1e-3, 1e-2)):
        x = bridge(seed, rms=0.0005 * G)
        for line in (8.3, 16.7, 25.0, 50.0):
            x += amplitude * G * np.outer(np.sin(2 * np.pi * line * time), [1, 0.7, 0.4])
        for highest_hz in (20.0, 45.0):
            for mode in identify([x], RATE, Settings(highest_hz=highest_hz)):
                assert min(abs(mode.frequency_hz / f - 1) for f in (8.3, 16.7, 25, 50)) > 0.02


def test_a_known_line_is_refused_even_where_it_looks_like_a_mode() -> None:
    x = bridge(1, modes=(TrueMode(25.0, 0.01, (1.0, 0.5)),))
    assert identify([x], RATE, Settings(highest_hz=45.0, lines_hz=()))
    assert identify([x], RATE, Settings(highest_hz=45.0)) == []


def test_a_pole_that_splits_off_is_no_mode_of_its_own() -> None:
    for seed in range(4):
        x = bridge(seed, modes=(TrueMode(12.0, 0.01, (1.0, 0.5)),), rms=0.003 * G)
        found = identify([x], RATE, Settings(highest_hz=45.0))
        assert [mode.frequency_hz for mode in found if 11.7 < mode.frequency_hz < 12.3] == [
            pytest.approx(12.0, rel=0.005)
        ]


def test_a_gap_costs_samples_and_moves_nothing() -> None:
    x = bridge(3)
    window = track(identify([x[:30_000], x[31_000:]], RATE), REFERENCES)
    for mode, truth in zip(window, MODES, strict=True):
        assert sure(mode).frequency_hz == pytest.approx(truth.frequency_hz, rel=0.01)


def test_too_little_gives_no_modes() -> None:
    assert identify([], RATE) == []
    assert identify([bridge(1, seconds=2)], RATE) == []
    assert identify([np.zeros((75_000, 2))], RATE) == []
    assert identify([np.zeros((0, 2))], RATE) == []


def test_one_axis_is_enough() -> None:
    window = track(identify([bridge(2)[:, 2:]], RATE), REFERENCES)
    for mode, truth in zip(window, MODES, strict=True):
        assert sure(mode).frequency_hz == pytest.approx(truth.frequency_hz, rel=0.01)


def test_correlations_are_the_plain_sums() -> None:
    x = np.random.default_rng(0).normal(size=(4000, 2))
    x = x[1:] + x[:-1]
    found = correlations([x], 50.0, 1, 20)
    y = x - x.mean(axis=0)
    for lag in (0, 3, 20):
        plain = y[lag:].T @ y[: len(y) - lag] / (len(y) - lag)
        np.testing.assert_allclose(found[lag], plain, atol=0.15)


def test_decimation_keeps_enough_samples_per_period() -> None:
    assert [decimation(125.0, 15.0), decimation(104.0, 15.0), decimation(20.0, 15.0)] == [3, 2, 1]


def mode(frequency_hz: float, *shape: complex) -> Mode:
    return Mode(frequency_hz, 0.01, 0.0, 0.0, 1.0, shape)


def test_a_missed_mode_stays_missed() -> None:
    assert track([mode(4.31)], [Reference(2.5), Reference(4.3)]) == [None, mode(4.31)]
    assert track([], [Reference(2.5)]) == [None]


def test_one_mode_never_serves_two_references() -> None:
    near = [Reference(4.3), Reference(4.4)]
    assert track([mode(4.38)], near) == [None, mode(4.38)]
    assert track([mode(4.38), mode(4.42)], near) == [mode(4.38), mode(4.42)] or track(
        [mode(4.38), mode(4.42)], near
    ) == [mode(4.42), mode(4.38)]


def test_a_mode_of_another_shape_is_another_mode() -> None:
    reference = Reference(4.3, shape=(1, 0.5, 0))
    assert track([mode(4.3, 0, 0.1, 1)], [reference]) == [None]
    assert track([mode(4.3, 1, 0.45, 0.1)], [reference]) != [None]
    assert track([mode(4.3)], [reference]) == [mode(4.3)]


def test_a_narrow_reference_is_kept_narrow() -> None:
    assert track([mode(4.35)], [Reference(4.3, width_hz=0.03)]) == [None]


def test_shape_of_nothing_is_like_nothing() -> None:
    assert assurance(np.zeros(2, complex), np.ones(2, complex)) == 0


def test_resonator_and_its_filter_are_one() -> None:
    from scipy.signal import lfilter

    truth = TrueMode(4.0, 0.02)
    force = np.random.default_rng(1).normal(size=500)
    stepped = [Resonator.step(one, f) for one in [Resonator(truth, 0.008)] for f in force]
    b, a = Resonator(truth, 0.008).filter()
    np.testing.assert_allclose(stepped, lfilter(b, a, force), atol=1e-9)


def test_resonator_rings_at_its_frequency_and_damping() -> None:
    one = Resonator(TrueMode(4.0, 0.02), 0.01)
    one.step(1.0)
    free = np.array([one.step(0.0) for _ in range(2000)])
    poles = np.roots([1, *-np.linalg.lstsq(np.stack([free[1:-1], free[:-2]], 1), free[2:])[0]])
    rate = np.log(poles[0].astype(complex)) * 100
    assert abs(rate) / (2 * np.pi) == pytest.approx(4.0, rel=1e-9)
    assert -rate.real / abs(rate) == pytest.approx(0.02, rel=1e-9)


def test_kit_gives_modes_of_unit_rms_and_noise_of_the_data_sheet() -> None:
    rng = np.random.default_rng(0)
    assert response(MODES[2], 600_000, RATE, rng).std() == pytest.approx(1, rel=0.05)
    assert bridge(0, rms=0).std() == pytest.approx(ADXL355_NOISE * (RATE / 2) ** 0.5, rel=0.01)
