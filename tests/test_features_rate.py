"""The fitted sample rate: within 2 ppm over ten minutes, whatever the chip's error."""

import numpy as np
import pytest

from agent.features.rate import fit_rate
from tests.features_kit import Array
from tests.sure import sure


def reads(rate_hz: float, late_s: Array, poll_s: float = 0.1) -> tuple[Array, Array]:
    """Samples a chip had produced at each read, and when the read was stamped."""
    true_s = np.arange(1, len(late_s) + 1) * poll_s
    return np.floor(true_s * rate_hz), 1000.0 + true_s + late_s


@pytest.mark.parametrize("nominal_hz", [125.0, 104.0, 250.0])
@pytest.mark.parametrize("error", [-0.03, -0.001, 0.0, 0.0123, 0.03])
def test_rate_is_within_2_ppm_with_5_ms_of_jitter(nominal_hz: float, error: float) -> None:
    rate_hz = nominal_hz * (1 + error)
    for seed in range(10):
        jitter = np.random.default_rng(seed).uniform(-0.005, 0.005, 6000)
        found = sure(fit_rate(*reads(rate_hz, jitter)))
        assert abs(found.ppm(rate_hz)) < 2
        assert found.start_s == pytest.approx(1000.0, abs=0.015)
        assert found.residual_s < 0.005


def test_stalls_of_50_ms_do_not_move_the_rate() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        late = rng.exponential(0.002, 6000) + 0.05 * (rng.random(6000) < 0.01)
        assert abs(sure(fit_rate(*reads(125.7, late))).ppm(125.7)) < 1


def test_few_reads_are_fitted_as_they_are() -> None:
    found = sure(fit_rate(np.array([10.0, 20.0, 30.0]), np.array([0.1, 0.2, 0.3])))
    assert found.hz == pytest.approx(100)
    assert found.reads == 3
    assert found.start_s == pytest.approx(0)


def test_reads_without_a_new_sample_do_not_count() -> None:
    found = sure(fit_rate(np.array([10.0, 10.0, 20.0]), np.array([0.1, 0.15, 0.2])))
    assert found.reads == 2
    assert found.hz == pytest.approx(100)


def test_one_read_has_no_rate() -> None:
    assert fit_rate(np.array([10.0]), np.array([0.1])) is None
    assert fit_rate(np.array([]), np.array([])) is None


def test_lost_samples_show_as_a_jump() -> None:
    samples, times = reads(125.0, np.zeros(6000))
    samples[3000:] -= 60
    assert abs(sure(fit_rate(samples, times)).ppm(125.0)) > 200
