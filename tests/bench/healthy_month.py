"""A simulated bridge watched for weeks: identified, tracked, held against its frozen baseline.

Every ten minutes one window of bridge vibration at the temperature of that hour; the modes soften
as concrete does. Two weeks train, a month is healthy, then one mode drops by 1 %.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from agent.features.baseline import Baseline
from agent.features.change import Change, follow
from agent.features.modes import Settings, identify
from agent.features.regression import Sums
from agent.features.tracking import Reference, track
from tests.features_kit import MODES, G, bridge

RATE_HZ = 62.5
A_DAY = 144
SOFTENING = -0.002  #: per K, concrete
THERMOMETER_K = 0.1  #: noise of the probe
TRAINING = range(14 * A_DAY)
HEALTHY = range(14 * A_DAY, 44 * A_DAY)
DAMAGED = range(44 * A_DAY, 45 * A_DAY)


def temperature(day: float) -> float:
    """Structure temperature in Cel: a daily swing and weather of nine days."""
    return 15 + 5 * math.sin(2 * math.pi * day) + 4 * math.sin(2 * math.pi * day / 9)


def window(number: int, drop: float = 0.0, damaged: int = 0) -> tuple[float, list[float | None]]:
    """Measured temperature, and the tracked frequency of each mode, of window `number`."""
    true = temperature(number / A_DAY)
    stiff = 1 + SOFTENING * (true - 15)
    modes = tuple(
        replace(mode, frequency_hz=mode.frequency_hz * stiff * (1 - drop * (k == damaged)))
        for k, mode in enumerate(MODES)
    )
    x = bridge(number, modes=modes, rate_hz=RATE_HZ, rms=0.0003 * G)
    found = track(identify([x], RATE_HZ, Settings()), [Reference(m.frequency_hz) for m in MODES])
    read = true + np.random.default_rng(number).normal(scale=THERMOMETER_K)
    return float(read), [mode.frequency_hz if mode else None for mode in found]


def learn(numbers: range) -> list[Baseline]:
    """One baseline per mode, from the windows `numbers`."""
    sums = [Sums() for _ in MODES]
    for number in numbers:
        read, tracked = window(number)
        sums = [
            one if hz is None else one.add(read, hz) for one, hz in zip(sums, tracked, strict=True)
        ]
    return [one.frozen(f"mode {k}") for k, one in enumerate(sums, 1)]


def watch(
    numbers: range, baselines: list[Baseline], drop: float = 0.0, damaged: int = 0
) -> Iterator[list[bool]]:
    """Alarm per mode for each window, from a state of rest."""
    states = [Change() for _ in MODES]
    for number in numbers:
        read, tracked = window(number, drop, damaged)
        for k, (frequency, baseline) in enumerate(zip(tracked, baselines, strict=True)):
            deviation = None if frequency is None else baseline.deviation(frequency, read)
            states[k] = follow(states[k], deviation, baseline.residual)
        yield [state.alarm for state in states]


@dataclass(frozen=True)
class Outcome:
    """What the watch came to."""

    false_alarms: int  #: healthy windows with any alarm
    slowest: float  #: windows until the drop was seen, worst of the modes; inf = never


def outcome(training: range, healthy: range, damaged: range) -> Outcome:
    """Train, watch the healthy windows, then drop each mode in turn by 1 %."""
    baselines = learn(training)
    false = sum(map(any, watch(healthy, baselines)))
    slowest = 0.0
    for k in range(len(MODES)):
        alarms = (row[k] for row in watch(damaged, baselines, 0.01, k))
        slowest = max(slowest, next((n for n, alarm in enumerate(alarms, 1) if alarm), math.inf))
    return Outcome(false, slowest)
