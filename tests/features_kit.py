"""A simulated bridge as arrays: the world's exact recursion, quick enough for statistics."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from drivers.sim.modal import Mode, Resonator

Array = NDArray[np.float64]

G = 9.80665
MODES = (
    Mode(2.5, 0.010, (0.3, 0.2, 1.0)),
    Mode(4.3, 0.010, (0.8, -0.3, 0.6)),
    Mode(7.1, 0.012, (0.2, 0.9, -0.7)),
    Mode(11.0, 0.010, (-0.5, 0.6, 0.8)),
)
ADXL355_NOISE = 22.5e-6 * G  # m/s2 per sqrt(Hz), data sheet table 1
SETTLE_S = 60.0


def response(
    mode: Mode,
    samples: int,
    rate_hz: float,
    rng: np.random.Generator,
    strength: Array | float = 1.0,
) -> Array:
    """Modal acceleration of unit rms under a white force, shape (samples,), stationary.

    `strength`, shape (samples,), times the force makes it a load that comes and goes.
    """
    settle = int(SETTLE_S * rate_hz)
    b, a = Resonator(mode, 1 / rate_hz).filter()
    force = rng.normal(size=samples + settle)
    force[settle:] *= strength
    raw = lfilter(b, a, force)[settle:]
    return np.asarray(raw / np.sqrt(sensitivity(mode, rate_hz)))


def sensitivity(mode: Mode, rate_hz: float) -> float:
    """Expected variance of the acceleration under a unit white force, by its spectrum."""
    b, a = Resonator(mode, 1 / rate_hz).filter()
    z = np.exp(-1j * np.linspace(0, np.pi, 20001))
    return float(np.mean(abs(np.polyval(b[::-1], z) / np.polyval(a[::-1], z)) ** 2))


def bridge(
    seed: int,
    *,
    modes: tuple[Mode, ...] = MODES,
    seconds: float = 600.0,
    rate_hz: float = 125.0,
    rms: float = 0.001 * G,
    noise: float = ADXL355_NOISE,
    strength: Array | float = 1.0,
) -> Array:
    """Acceleration in m/s2, shape (samples, axes): every mode of `rms`, white sensor `noise`."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * rate_hz)
    out = rng.normal(scale=noise * np.sqrt(rate_hz / 2), size=(samples, len(modes[0].shape)))
    for mode in modes:
        out += np.outer(rms * response(mode, samples, rate_hz, rng, strength), mode.shape)
    return out


def law(frequency_hz: float, damping: float, seconds: float) -> float:
    """Least relative scatter of a frequency from ambient vibration (Au 2014)."""
    return float(np.sqrt(damping / (2 * np.pi * frequency_hz * seconds)))


def burst(t: Array, hz: float, width_s: float, phase: float) -> Array:
    """Velocity in m/s of a wave under a bell, at times about its middle."""
    return np.asarray(0.005 * np.exp(-((t / width_s) ** 2)) * np.sin(2 * np.pi * hz * t + phase))


def burst_acceleration(t: Array, hz: float, width_s: float, phase: float) -> Array:
    """Its acceleration in m/s2."""
    angle = 2 * np.pi * hz * t + phase
    turn = 2 * np.pi * hz * np.cos(angle) - 2 * t / width_s**2 * np.sin(angle)
    return np.asarray(0.005 * np.exp(-((t / width_s) ** 2)) * turn)
