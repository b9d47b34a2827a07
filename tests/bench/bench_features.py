"""What the features must reach, on simulated bridges: frequency, damping, drops, cost."""

import math
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections import defaultdict

import numpy as np
import rainflow as rainflow_package
from scipy.signal import welch as scipy_welch

from agent.features import fatigue, rainflow
from agent.features.modes import Settings, identify
from agent.features.rate import fit_rate
from agent.features.spectrum import band_levels, peaks, points_for, welch
from agent.features.sta_lta import Settings as TriggerSettings
from agent.features.sta_lta import ratios
from agent.features.statistics import completeness, summaries
from agent.features.tilt import tilt
from agent.features.tracking import Reference, track
from agent.features.velocity import peak_velocities
from tests.bench.healthy_month import DAMAGED, HEALTHY, TRAINING, outcome
from tests.bench.table import Line
from tests.bench.traffic_day import NOISE_UG, recorded, scatter
from tests.features_kit import MODES, G, bridge, burst, burst_acceleration, law
from tests.sure import sure
from tests.tones_month import JANUARY, JUNE, Tones

with warnings.catch_warnings():  # obspy reads entry points the old way
    warnings.simplefilter("ignore", DeprecationWarning)
    from obspy.signal.trigger import recursive_sta_lta_py

SEEDS = 40
RATE_HZ = 125.0
REFERENCES = [Reference(mode.frequency_hz) for mode in MODES]
LINES_HZ = (16.7, 25.0, 50.0)


def statistics(rms_g: float) -> list[Line]:
    """Bias and scatter over the seeds, worst of the four modes."""
    windows = [
        track(identify([bridge(seed, rms=rms_g * G)], RATE_HZ), REFERENCES) for seed in range(SEEDS)
    ]
    bias, scatter, damping_bias, damping_scatter, missed = [], [], [], [], 0
    for k, truth in enumerate(MODES):
        seen = [one for window in windows if (one := window[k])]
        missed += SEEDS - len(seen)
        frequency = np.array([mode.frequency_hz for mode in seen]) / truth.frequency_hz
        damping = np.array([mode.damping for mode in seen]) / truth.damping
        bias.append(abs(frequency.mean() - 1) * 100)
        scatter.append(frequency.std() / law(truth.frequency_hz, truth.damping, 600))
        damping_bias.append(abs(damping.mean() - 1) * 100)
        damping_scatter.append(damping.std() * 100)
    level = f"{rms_g * 1000:g} mg"
    return [
        Line(f"SSI at {level}: frequency bias", max(bias), "%", 0.05),
        Line(f"SSI at {level}: frequency scatter, times the law", max(scatter), "", 3),
        Line(f"SSI at {level}: damping bias", max(damping_bias), "%", 10),
        Line(f"SSI at {level}: damping scatter", max(damping_scatter), "%", 25),
        Line(f"SSI at {level}: modes missed, of {SEEDS * len(MODES)}", missed, ""),
    ]


def traffic() -> list[Line]:
    """The same on the world's bridge with its traffic, three windows per seed."""
    records = recorded(SEEDS)
    shown = []
    for noise in NOISE_UG:
        found, level = scatter(records, noise), f"SSI, traffic, {noise:g} ug/rtHz"
        shown += [
            Line(f"{level}: frequency bias", found.bias, "%", 0.05),
            Line(f"{level}: scatter, times the law", found.law, "", 3),
            Line(f"{level}: damping bias", found.damping_bias, "%", 10),
            Line(f"{level}: damping scatter", found.damping, "%", 25),
            Line(f"{level}: missed, of {len(records) * len(MODES)}", found.missed, ""),
        ]
    return shown


def ppv_errors() -> tuple[float, float]:
    """Worst error of PPV and of its frequency, in %: bursts of 2 to 40 Hz, any phase and time."""
    chance = np.random.default_rng(45669)
    at = np.arange(int(20 * RATE_HZ)) / RATE_HZ
    worst = [0.0, 0.0]
    for hz in np.linspace(2, 40, 200):
        middle, phase, width = chance.uniform(8, 12), chance.uniform(0, 2 * np.pi), 3 / hz
        peak = abs(burst(np.linspace(-width, width, 20_001), hz, width, phase)).max()
        (found,) = peak_velocities(
            [burst_acceleration(at - middle, hz, width, phase)[:, None]], RATE_HZ
        )
        assert found
        assert found.frequency_hz
        errors = found.value / peak - 1, found.frequency_hz / hz - 1
        worst = [max(one, 100 * abs(error)) for one, error in zip(worst, errors, strict=True)]
    return worst[0], worst[1]


def lines_as_modes() -> list[Line]:
    """Modes and peaks within 2 % of a machine line, over seeds, amplitudes and bands."""
    modes = tops = 0
    t = np.arange(int(600 * RATE_HZ)) / RATE_HZ
    for seed in range(SEEDS):
        amplitude = 10.0 ** (-4 + seed % 5 / 2) * G
        x = bridge(seed, rms=0.0005 * G)
        for k, line in enumerate(LINES_HZ):
            x += amplitude * np.outer(np.sin(2 * np.pi * line * t + seed), [1, 0.7 - k, 0.4])
        found = identify([x], RATE_HZ, Settings(highest_hz=15.0 if seed % 2 else 50.0))
        modes += sum(near_line(mode.frequency_hz) for mode in found)
        spectrum = sure(welch([x], RATE_HZ, points_for(RATE_HZ)))
        found_tops = peaks(spectrum.frequency_hz, spectrum.density[:, 2])
        tops += sum(near_line(peak.frequency_hz) for peak in found_tops)
    return [
        Line("lines at 16.7, 25, 50 Hz reported as modes", modes, "", 0),
        Line("lines at 16.7, 25, 50 Hz reported as peaks", tops, "", 0),
    ]


def near_line(frequency_hz: float) -> bool:
    """Within 2 % of a line, far more than what is rejected: no true mode is there."""
    return any(abs(frequency_hz / line - 1) < 0.02 for line in LINES_HZ)


def month() -> list[Line]:
    """A healthy month, then a drop of 1 %."""
    found = outcome(TRAINING, HEALTHY, DAMAGED)
    return [
        Line("healthy month: windows with a false alarm", found.false_alarms, "", 0),
        Line("1 % drop of one mode: windows until seen (worst)", found.slowest, "", 144),
    ]


def shipped_month() -> list[Line]:
    """The bridge profile's own baselines and alarms, learning from a date on."""
    shown, drops = [], dict.fromkeys(range(1, len(MODES) + 1), 0.01)
    for name, begin in (("January", JANUARY), ("June", JUNE)):
        tones = Tones(1, begin)
        false = len(tones.run(28 + 30))
        first = {one.column: one.window for one in reversed(tones.run(1, drops))}
        slowest = max(first.values()) if len(first) == len(MODES) else math.inf
        shown += [
            Line(f"bridge.toml from {name}, 58 healthy days: alarms", false, "", 0),
            Line("the same: windows until 1 % less is told (worst)", slowest, "", 144),
        ]
    return shown


def worst_rate_ppm() -> float:
    """Largest error over rates, chip errors and seeds; reads every 0.1 s, +-5 ms."""
    worst = 0.0
    for error in np.linspace(-0.03, 0.03, 13):
        for seed in range(20):
            hz = RATE_HZ * (1 + error)
            at = np.linspace(0.1, 600.0, 6000)
            late = np.random.default_rng(seed).uniform(-0.005, 0.005, 6000)
            found = fit_rate(np.floor(at * hz), at + late)
            assert found
            worst = max(worst, abs(found.ppm(hz)))
    return worst


def welch_error() -> float:
    """Largest relative difference to scipy."""
    x = bridge(1)
    found = welch([x], RATE_HZ, 8192)
    assert found
    _, wanted = scipy_welch(x, RATE_HZ, nperseg=8192, axis=0)
    return float((abs(found.density - wanted) / wanted).max())


def all_features(x: np.ndarray, rate_hz: float) -> None:
    """Everything a window becomes."""
    at = np.linspace(0.1, 600.0, 6000)
    fit_rate(np.floor(at * rate_hz), at)
    completeness([x], rate_hz, 600)
    summaries([x], rate_hz, 2 * G)
    peak_velocities([x], rate_hz)
    spectrum = welch([x], rate_hz, points_for(rate_hz))
    assert spectrum
    band_levels(spectrum)
    for axis in range(x.shape[1]):
        peaks(spectrum.frequency_hz, spectrum.density[:, axis])
    track(identify([x], rate_hz), REFERENCES)
    tilt([x], rate_hz)
    cycles, _ = rainflow.count(x[::4, 0] * 1000, gate=1.0)
    rainflow.histogram(cycles, 5.0, 16)
    fatigue.damage(fatigue.stress(cycles), fatigue.steel(71.0))


def rainflow_differences() -> int:
    """Series out of 1,000 that the package counts otherwise."""
    rng = np.random.default_rng(1049)
    different = 0
    for _ in range(1000):
        series = rng.integers(-50, 50, rng.integers(3, 200)).astype(float)
        cycles, residue = rainflow.count(series)
        found: defaultdict[float, float] = defaultdict(float)
        for extent, weight in cycles + rainflow.close(residue):
            found[extent] += weight
        different += sorted(found.items()) != rainflow_package.count_cycles(series.tolist())
    return different


def trigger_error() -> float:
    """Largest difference of the unfrozen ratio to obspy's."""
    x = np.random.default_rng(1).normal(size=75_000)
    x[0] = 0  # obspy leaves the first sample out
    found, _, _ = ratios(x.tolist(), TriggerSettings(62, 2500, freeze=False))
    return float(abs(np.array(found) - recursive_sta_lta_py(x, 62, 2500)).max())


def tilt_error_mdeg() -> float:
    """Rms error of 10-s means at the noise of the ADXL355."""
    still = [bridge(seed, seconds=10, rms=0.0) + np.array([0, 0, G]) for seed in range(SEEDS)]
    return float(np.sqrt(np.mean([np.square(tilt([x], RATE_HZ) or []) for x in still])) * 1000)


def cost() -> list[Line]:
    """CPU and memory of one window of both streams, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_features", "cost"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [
        Line("all features, 125 Hz x 3 and 104 Hz x 2, 10 min: CPU", float(out[0]), "s", 0.5),
        Line("the same: most memory on top of the samples", float(out[1]), "MB"),
    ]


def measure_cost() -> tuple[float, float]:
    """CPU seconds, least of five; most memory allocated on top of the samples, in MB."""
    both = [(bridge(1), 125.0), (bridge(2, rate_hz=104.0)[:, :2], 104.0)]
    seconds = []
    for _ in range(5):
        start = time.process_time()
        for x, rate_hz in both:
            all_features(x, rate_hz)
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    for x, rate_hz in both:
        all_features(x, rate_hz)
    return min(seconds), tracemalloc.get_traced_memory()[1] / 1e6


def lines() -> list[Line]:
    """The table."""
    ppv, ppv_hz = ppv_errors()
    return [
        Line("Welch, relative difference to scipy", welch_error(), "", 1e-9),
        Line("fitted rate, worst error", worst_rate_ppm(), "ppm", 2),
        Line("rainflow: random series counted otherwise, of 1,000", rainflow_differences(), "", 0),
        Line("STA/LTA, difference to obspy", trigger_error(), "", 1e-9),
        Line("tilt, rms error of 10-s means", tilt_error_mdeg(), "mdeg", 0.5),
        Line("PPV of synthetic bursts, 2 to 40 Hz: worst error", ppv, "%", 1),
        Line("the same: its frequency", ppv_hz, "%"),
        *statistics(0.001),
        *statistics(0.0001),
        *traffic(),
        *lines_as_modes(),
        *cost(),
        *month(),
        *shipped_month(),
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["cost"]:
        print(*measure_cost())
    else:
        for line in lines():
            print(line.text())
