"""Spectra, peaks, bands, statistics and velocity against scipy and against what was put in."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import welch as scipy_welch

from agent.features.arrays import fast_length
from agent.features.machine_tones import on_line, sine_like
from agent.features.spectrum import Spectrum, band_levels, peaks, points_for, welch
from agent.features.statistics import completeness, summaries
from agent.features.velocity import peak_velocities
from tests.features_kit import MODES, Array, bridge, burst, burst_acceleration
from tests.sure import sure

RATE = 125.0
TIME = np.arange(75_000) / RATE


def noise(seed: int, samples: int = 75_000, axes: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=(samples, axes))


@pytest.mark.parametrize(("rate_hz", "points"), [(125.0, 8192), (104.0, 1000), (62.5, 777)])
def test_welch_equals_scipy(rate_hz: float, points: int) -> None:
    x = noise(1, axes=3) + 5 + np.sin(TIME)[:, None]
    found = sure(welch([x], rate_hz, points))
    frequency, density = scipy_welch(x, rate_hz, nperseg=points, axis=0)
    assert found.pieces > 10
    np.testing.assert_allclose(found.frequency_hz, frequency, rtol=1e-12)
    np.testing.assert_allclose(found.density, density, rtol=1e-9)


def test_welch_pools_stretches_and_never_bridges_a_gap() -> None:
    x = noise(2)
    first, second = x[:20_000], x[30_000:40_000]
    pooled, one, other = (
        sure(welch(parts, RATE, 1024)) for parts in ([first, second], [first], [second])
    )
    assert pooled.pieces == one.pieces + other.pieces
    mean = (one.density * one.pieces + other.density * other.pieces) / pooled.pieces
    np.testing.assert_allclose(pooled.density, mean)


def test_no_stretch_that_is_long_enough_gives_no_spectrum() -> None:
    assert welch([noise(3, 100)], RATE, 1024) is None
    assert welch([], RATE, 1024) is None


def test_default_resolution_tells_a_mode_at_3_hz_to_half_a_per_cent() -> None:
    assert points_for(62.5) == 4096
    assert points_for(125.0) == 8192
    assert points_for(104.0) == 8192


def test_peaks_are_the_modes_and_not_the_lines() -> None:
    x = bridge(4)
    for line in (50 / 3, 16.7, 25.0, 50.0):
        x += 0.002 * np.sin(2 * np.pi * line * TIME)[:, None]
    spectrum = sure(welch([x], RATE, points_for(RATE)))
    found = [peak.frequency_hz for peak in peaks(spectrum.frequency_hz, spectrum.density[:, 2])]
    for mode in MODES:
        assert min(abs(f / mode.frequency_hz - 1) for f in found) < 0.012
    assert not [f for f in found if 16 < f < 17.5 or 24 < f < 26 or 49 < f < 51]


def test_noise_alone_has_no_peaks() -> None:
    for seed in range(5):
        spectrum = sure(welch([noise(seed)], RATE, points_for(RATE)))
        assert peaks(spectrum.frequency_hz, spectrum.density[:, 0]) == []


def test_a_line_above_nyquist_is_looked_for_where_it_folds_back() -> None:
    assert on_line(12.5, 0.01, 62.5, (50.0,))
    assert not on_line(12.5, 0.01, 125.0, (50.0,))
    assert on_line(16.7, 0.01, 125.0)
    assert not on_line(17.16, 0.01, 125.0)


def test_a_sine_in_noise_is_told_from_a_mode() -> None:
    x = bridge(5)[:, 2]
    assert not any(sine_like(x, RATE, mode.frequency_hz, 0.05) for mode in MODES)
    assert sine_like(x + 0.01 * np.sin(2 * np.pi * 8.3 * TIME), RATE, 8.3, 0.05)
    assert not sine_like(np.zeros(1000), RATE, 8.3, 0.05)


def test_band_levels_hold_the_power_of_each_band() -> None:
    x = 0.01 * np.sqrt(2) * np.sin(2 * np.pi * 4.0 * TIME)[:, None]
    levels = band_levels(sure(welch([x], RATE, 8192)))
    assert levels.shape == (16, 1)
    assert levels[6, 0] == pytest.approx(80, abs=0.01)  # 10^0.6 = 3.98 Hz; 0.01 m/s2 = 80 dB
    white = band_levels(sure(welch([noise(6)], RATE, 8192)))[:, 0]
    widths = [10 ** (k / 10) * (10**0.05 - 10**-0.05) for k in range(16)]
    expected = 120 + 10 * np.log10(np.array(widths) * 2 / RATE)
    np.testing.assert_allclose(white[3:], expected[3:], atol=1.0)


def test_a_bin_belongs_to_the_bands_that_it_reaches_into() -> None:
    """A bin stands for half a step to either side: an edge through its middle halves it."""
    low, edge, high = 10**-0.05, 10**0.05, 10**0.15  # the bands about 1 Hz and 1.26 Hz
    density = np.zeros((6, 1))
    density[1] = 1e-6  # from half of `edge` to one and a half
    levels = band_levels(Spectrum(np.linspace(0, 5 * edge, 6), density, 1), 0, 2)[:, 0]
    assert levels == pytest.approx([60 + 10 * np.log10(w) for w in (edge - low, high - edge)])


def test_bands_beyond_the_spectrum_are_not_a_number() -> None:
    levels = band_levels(sure(welch([noise(7, 4000)], 25.0, 1024)))
    assert np.isnan(levels[11:]).all()
    assert np.isfinite(levels[:10]).all()


def test_statistics_of_a_sine() -> None:
    x = np.stack([0.3 + 0.1 * np.sin(2 * np.pi * 5 * TIME), np.zeros(len(TIME))], axis=1)
    sine, silent = summaries([x], RATE, full_scale=20.0)
    assert sine.mean == pytest.approx(0.3)
    assert sine.rms == pytest.approx(0.1 / 2**0.5, rel=1e-3)
    assert sine.peak == pytest.approx(0.1, rel=0.02)
    assert sine.crest == pytest.approx(2**0.5, rel=0.02)
    assert sine.kurtosis == pytest.approx(-1.5, abs=0.01)
    assert sine.clipped == 0
    assert (silent.rms, silent.peak, silent.crest) == (0.0, 0.0, None)


def test_statistics_of_noise_leave_out_what_is_below_half_a_hertz() -> None:
    x = noise(8) + 3 * np.sin(2 * np.pi * 0.05 * TIME)[:, None]
    (one,) = summaries([x], RATE, full_scale=3.0)
    assert one.rms == pytest.approx((2 / 2.56) ** 0.5, rel=0.05)
    assert one.kurtosis == pytest.approx(0, abs=0.1)
    assert one.clipped > 100


def test_stretches_count_together_and_short_ones_have_no_vibration() -> None:
    x = noise(9, 2000) + 7
    (whole,) = summaries([x[:1000], x[1000:1100], x[1100:]], RATE, 100.0)
    assert whole.mean == pytest.approx(x.mean())
    (short,) = summaries([x[:100]], RATE, 100.0)
    assert short.mean == pytest.approx(x[:100].mean())
    assert short.rms is None
    (empty,) = summaries([x[:0]], RATE, 100.0)
    assert empty.mean is None
    assert summaries([], RATE, 100.0) == []


def test_completeness_is_what_arrived_of_what_was_due() -> None:
    assert completeness([noise(0, 37_500)], RATE, 600) == pytest.approx(50)
    assert completeness([noise(0, 75_100)], RATE, 600) == 100
    assert completeness([], RATE, 600) == 0


@pytest.mark.parametrize("rate_hz", [104.0, 125.0, 250.0])
@pytest.mark.parametrize("frequency_hz", [2.0, 5.5, 12.3, 25.0, 40.0])
def test_ppv_of_a_burst_is_within_one_per_cent(rate_hz: float, frequency_hz: float) -> None:
    time = np.arange(int(120 * rate_hz)) / rate_hz
    width = 3 / frequency_hz
    for phase in (0.0, 0.7, 1.4):
        fine = np.arange(-10_000, 10_000) / 10_000 * 3 * width
        shape = burst(fine, frequency_hz, width, phase)
        acceleration = burst_acceleration(time - 60.003, frequency_hz, width, phase) + 0.05
        (found,) = peak_velocities([acceleration[:, None]], rate_hz)
        assert sure(found).value == pytest.approx(abs(shape).max(), rel=0.01)
        assert sure(found).frequency_hz == pytest.approx(frequency_hz, rel=0.05)


def test_ppv_of_two_tops_alike_is_that_of_the_higher_one_wherever_samples_fall() -> None:
    time, hz, width = np.arange(2500) / RATE, 38.1, 3 / 38.1
    for step in range(20):
        phase = step * np.pi / 20
        shape = burst(np.linspace(-width, width, 20_001), hz, width, phase)
        acceleration = burst_acceleration(time - 10 - step / 20 / RATE, hz, width, phase)
        (found,) = peak_velocities([acceleration[:, None]], RATE)
        assert sure(found).value == pytest.approx(abs(shape).max(), rel=0.003)


def test_ppv_is_the_largest_of_all_stretches_per_axis() -> None:
    quiet, loud = noise(1, 2000, 2), noise(2, 2000, 2)
    loud[:, 1] *= 0.1
    both = peak_velocities([quiet, loud * 2], RATE)
    apart = [peak_velocities([part], RATE) for part in (quiet, loud * 2)]
    assert [sure(peak).value for peak in both] == [
        max(sure(one[axis]).value for one in apart) for axis in range(2)
    ]
    assert peak_velocities([quiet[:100]], RATE) == [None, None]
    assert peak_velocities([], RATE) == []


def test_silence_has_no_ppv_frequency() -> None:
    (found,) = peak_velocities([np.zeros((2000, 1))], RATE)
    assert (sure(found).value, sure(found).frequency_hz) == (0.0, None)


def test_fast_lengths_are_five_smooth_and_least() -> None:
    smooth = sorted(2**a * 3**b * 5**c for a in range(12) for b in range(8) for c in range(6))
    for least in range(1, 2000):
        assert fast_length(least) == next(n for n in smooth if n >= least)


def test_features_never_import_scipy() -> None:
    code = (
        "import importlib, pkgutil, sys, agent.features as f\n"
        "for one in pkgutil.iter_modules(f.__path__, 'agent.features.'):\n"
        "    importlib.import_module(one.name)\n"
        "assert 'numpy' in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
