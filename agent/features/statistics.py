"""What one axis did in a window: mean, rms, peak, crest, kurtosis, completeness, clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array, Segments, detrend, fast_length, ramp

LOW_HZ = 0.5  #: vibration begins here, tilt and temperature end
NYQUIST_SHARE = 2.56  #: vibration ends at rate / 2.56, the custom of vibration analysers
LEAST_S = 2 / LOW_HZ  #: a shorter stretch holds no vibration worth the name


@dataclass(frozen=True, slots=True)
class Summary:
    """One axis of one window; None where no stretch is long enough."""

    mean: float | None  #: before any filter
    rms: float | None  #: the rest within LOW_HZ .. rate / 2.56
    peak: float | None
    crest: float | None  #: peak / rms
    kurtosis: float | None  #: fourth moment / rms^4 - 3: Gaussian 0, sine -1.5
    clipped: int  #: samples at the end of the range


def summaries(segments: Segments, rate_hz: float, full_scale: float) -> list[Summary]:
    """One per axis; `full_scale`: end of the range in the unit of the samples."""
    axes = segments[0].shape[1] if segments else 0
    return [
        _summary([one[:, axis] for one in segments], rate_hz, full_scale) for axis in range(axes)
    ]


def completeness(segments: Segments, rate_hz: float, window_s: float) -> float:
    """Share of the samples due in `window_s` that arrived, in %, at most 100."""
    arrived = sum(len(one) for one in segments)
    return min(100.0, 100 * arrived / (rate_hz * window_s))


def bandpass(x: Array, rate_hz: float, low_hz: float, high_hz: float) -> Array:
    """x, shape (samples,), from `low_hz` to `high_hz` without shift of phase, trend removed.

    Edges are raised cosines from half the low and up to 1.1 times the high frequency.
    """
    length = fast_length(len(x))
    spectrum = np.fft.rfft(detrend(x[:, None])[:, 0], length)
    frequency = np.arange(len(spectrum)) * rate_hz / length
    spectrum *= ramp(frequency, low_hz / 2, low_hz) * ramp(frequency, 1.1 * high_hz, high_hz)
    return np.asarray(np.fft.irfft(spectrum, length)[: len(x)])


def _summary(parts: list[Array], rate_hz: float, full_scale: float) -> Summary:
    """All stretches of one axis together."""
    count = sum(len(part) for part in parts)
    clipped = sum(int(np.count_nonzero(abs(part) >= full_scale)) for part in parts)
    if not count:
        return Summary(None, None, None, None, None, clipped)
    mean = sum(float(part.sum()) for part in parts) / count
    long = [part for part in parts if len(part) >= LEAST_S * rate_hz]
    if not long:
        return Summary(mean, None, None, None, None, clipped)
    high_hz = rate_hz / NYQUIST_SHARE
    shaken = np.concatenate([bandpass(part, rate_hz, LOW_HZ, high_hz) for part in long])
    square = shaken**2
    power, peak = float(square.mean()), float(np.sqrt(square.max()))
    if not power:
        return Summary(mean, 0.0, 0.0, None, None, clipped)
    rms = power**0.5
    kurtosis = float((square**2).mean()) / power**2 - 3
    return Summary(mean, rms, peak, peak / rms, kurtosis, clipped)
