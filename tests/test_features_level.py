"""Loud stretches are held to the level of the rest; what is steady stays as it is."""

import numpy as np
import pytest

from agent.features.arrays import detrend
from agent.features.level import MOST, levelled, power_about
from agent.features.modes import identify
from agent.features.tracking import Reference, track
from tests.features_kit import MODES, Array, G, bridge, law

RATE = 125.0
SAMPLES = 75_000
LORRY = slice(30_000, 30_500)  # four seconds


def noise(seed: int = 1, samples: int = SAMPLES) -> Array:
    return np.random.default_rng(seed).normal(size=(samples, 3))


def test_under_a_steady_load_only_the_trend_goes() -> None:
    x = noise() + np.linspace(0, 5, SAMPLES)[:, None]
    (found,) = levelled([x], RATE)
    assert np.array_equal(found, detrend(x))


def test_a_loud_stretch_counts_twice_the_others_at_most() -> None:
    x = detrend(noise())
    x[LORRY] *= 30
    (found,) = levelled([x], RATE)
    about = slice(30_250 - 750, 30_250 + 750)  # the twelve seconds about it
    assert (found[about] ** 2).mean() == pytest.approx(MOST, rel=0.05)
    assert np.array_equal(found[:29_000], detrend(x)[:29_000])
    assert np.array_equal(found[32_000:], detrend(x)[32_000:])


def test_all_axes_are_scaled_alike() -> None:
    x = detrend(noise())
    x[LORRY] *= [5, 10, 20]
    (found,) = levelled([x], RATE)
    gain = found[LORRY] / detrend(x)[LORRY]
    assert np.allclose(gain, gain[:, :1])


def test_a_segment_that_is_loud_as_a_whole_is_held_as_well() -> None:
    quiet, loud = levelled([noise(1, 60_000), 30 * noise(2, 1000)], RATE)
    assert loud.std() ** 2 == pytest.approx(MOST, rel=0.1)
    assert quiet.std() == pytest.approx(1, rel=0.01)


def test_silence_and_nothing_stay_what_they_are() -> None:
    assert levelled([], RATE) == []
    (found,) = levelled([np.zeros((SAMPLES, 2))], RATE)
    assert not found.any()
    knock = np.zeros((SAMPLES, 2))
    knock[5000] = 1.0  # silent for the most part
    (found,) = levelled([knock], RATE)
    assert np.isfinite(found).all()


def test_power_is_the_mean_square_about_each_sample() -> None:
    x = noise(samples=9)
    square = (x**2).sum(axis=1)
    wanted = [square[max(n - 2, 0) : n + 3].mean() for n in range(9)]
    assert power_about(x, 4) == pytest.approx(wanted)


def lorries(seed: int) -> Array:
    """Strength of a load: four passages of 2.5 s in ten minutes, 5 to 15 times the rest."""
    chance = np.random.default_rng(seed)
    strength = np.ones(SAMPLES)
    for start in chance.integers(0, SAMPLES, 4):
        strength[start : start + 312] = chance.uniform(5, 15)
    return strength


def test_four_lorries_do_not_outweigh_ten_minutes() -> None:
    references = [Reference(mode.frequency_hz) for mode in MODES]
    errors = []
    for seed in range(8):
        x = bridge(seed, rms=0.0002 * G, strength=lorries(seed))
        for mode, one in zip(MODES, track(identify([x], RATE), references), strict=True):
            assert one is not None
            least = law(mode.frequency_hz, mode.damping, 600)
            errors.append((one.frequency_hz / mode.frequency_hz - 1) / least)
    assert np.std(errors) < 2  # 4.0 where each second weighs its power
