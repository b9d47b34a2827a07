"""The world's bridge under a day's traffic: three windows of ten minutes of each of many bridges.

The load is far from steady here: a lorry shakes the deck up to fifty times as hard as the wind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.features.modes import identify
from agent.features.tracking import Reference, track
from drivers.sim.bridge import DAMPINGS, FREQUENCIES, Bridge
from tests.features_kit import Array, G, law

MONDAY = 1_768_176_000.0  # 2026-01-12 00:00
DAY_S = 86_400
RATE_HZ = 125.0
SECONDS = 600
NOISE_UG = (15.0, 22.5)  #: per sqrt(Hz): IIS2ICLX, ADXL355


@dataclass(frozen=True)
class Scatter:
    """Worst of the four modes."""

    bias: float  #: of the frequency, %
    law: float  #: scatter of the frequency, times the uncertainty law
    damping_bias: float  #: %
    damping: float  #: scatter, %
    missed: int


Record = tuple[Array, Sequence[float]]


def recorded(seeds: int) -> list[Record]:
    """What moves at midspan, shape (samples, 3), and the true frequencies in the middle.

    Three windows eight hours apart per seed, so that all hours of the day are there.
    """
    begins = [MONDAY + one * DAY_S / seeds for one in range(seeds)]
    return [
        record(Bridge(seed), begin + third * DAY_S / 3)
        for seed, begin in enumerate(begins)
        for third in range(3)
    ]


def record(bridge: Bridge, begin: float) -> Record:
    """One window."""
    motion = bridge.motion("deck.midspan")
    samples = [motion(begin + n / RATE_HZ) for n in range(int(SECONDS * RATE_HZ))]
    return np.array(samples), bridge.frequencies(begin + SECONDS / 2)


def scatter(records: Sequence[Record], noise_ug: float) -> Scatter:
    """Of the records with a chip's noise on top."""
    references = [Reference(hz) for hz in FREQUENCIES]
    rms = noise_ug * 1e-6 * G * np.sqrt(RATE_HZ / 2)
    off, damped = [], []
    for seed, (x, truth) in enumerate(records):
        noisy = x + np.random.default_rng(seed).normal(scale=rms, size=x.shape)
        found = track(identify([noisy], RATE_HZ), references)
        hertz = np.array([np.nan if one is None else one.frequency_hz for one in found])
        damping = np.array([np.nan if one is None else one.damping for one in found])
        off.append(hertz / truth - 1)
        damped.append(damping / DAMPINGS)
    laws = [law(hz, zeta, SECONDS) for hz, zeta in zip(FREQUENCIES, DAMPINGS, strict=True)]
    return Scatter(
        100 * float(abs(np.nanmean(off, axis=0)).max()),
        float((np.nanstd(off, axis=0) / laws).max()),
        100 * float(abs(np.nanmean(damped, axis=0) - 1).max()),
        100 * float(np.nanstd(damped, axis=0).max()),
        int(np.isnan(np.array(off)).sum()),
    )
