"""Peak particle velocity and its frequency, from acceleration.

DIN 45669-1: vibration velocity in the band 1..80 Hz, or as far up as the rate allows (rate / 2.1:
49 Hz at 104 Hz, 59 Hz at 125 Hz); the chip's own low pass is not undone. Velocity is the spectrum
of the acceleration over 2 pi i f; below the band a raised cosine ends at 0.5 Hz, so that no drift
is integrated.
The peak is looked for at four times the sample rate, else a burst at 40 Hz would slip through
between samples taken at 125 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array, Segments, detrend, fast_length, ramp, taper

BAND_HZ = (1.0, 80.0)
EDGE_HZ = 0.5  #: nothing passes below
FINER = 4
TAPER_S = 1.0
NEAR = 0.9  #: of the largest sample; half a sample beside a top at 59 Hz and 500 Hz is 0.93 of it


@dataclass(frozen=True, slots=True)
class PeakVelocity:
    """The largest velocity of one axis."""

    value: float  #: m/s for an acceleration in m/s2
    frequency_hz: float | None  #: from the zero crossings about the peak; None at a record's end


def peak_velocities(segments: Segments, rate_hz: float) -> list[PeakVelocity | None]:
    """One per axis over all stretches of shape (samples, axes); None without a stretch of 4 s."""
    long = [one for one in segments if len(one) >= 4 * TAPER_S * rate_hz]
    axes = segments[0].shape[1] if segments else 0
    found: list[PeakVelocity | None] = []
    for axis in range(axes):
        peaks = [_peak(velocity(one[:, axis], rate_hz), FINER * rate_hz) for one in long]
        found.append(max(peaks, key=lambda peak: peak.value, default=None))
    return found


def velocity(acceleration: Array, rate_hz: float) -> Array:
    """Velocity at `FINER` x `rate_hz`, shape (FINER x samples,), from acceleration (samples,).

    The first and last second fade in and out.
    """
    samples = len(acceleration)
    length = fast_length(samples + round(rate_hz / EDGE_HZ))
    quiet = detrend(acceleration[:, None])[:, 0] * taper(samples, round(TAPER_S * rate_hz))
    spectrum = np.fft.rfft(quiet, length)
    frequency = np.arange(len(spectrum)) * rate_hz / length
    high = min(BAND_HZ[1], rate_hz / 2.1)
    gain = ramp(frequency, EDGE_HZ, BAND_HZ[0]) * ramp(
        frequency, min(1.25 * high, rate_hz / 2), high
    )
    spectrum[1:] *= gain[1:] / (2j * np.pi * frequency[1:])
    spectrum[0] = 0
    return np.asarray(FINER * np.fft.irfft(spectrum, FINER * length)[: FINER * samples])


def _peak(v: Array, rate_hz: float) -> PeakVelocity:
    """Largest |v| by a parabola through three samples, half period between its zeros.

    Of all tops near the largest sample: a lower one may have been met by a sample more exactly.
    """
    size = abs(v)
    at = int(np.argmax(size))
    value = float(size[at])
    left, middle, right = size[:-2], size[1:-1], size[2:]
    tops = np.flatnonzero((middle >= NEAR * value) & (middle >= left) & (middle > right))
    if len(tops):
        bend = left[tops] - 2 * middle[tops] + right[tops]  # below 0: the middle is above the right
        height = middle[tops] - (right[tops] - left[tops]) ** 2 / (8 * bend)
        highest = int(np.argmax(height))
        if height[highest] >= value:  # else the record's end is larger
            at, value = int(tops[highest]) + 1, float(height[highest])
    return PeakVelocity(value, _frequency((np.sign(v[at]) or 1.0) * v, at, rate_hz))


def _frequency(v: Array, at: int, rate_hz: float) -> float | None:
    """Half a period is the time between the zeros on either side of the peak at index `at`."""
    before, after = np.flatnonzero(v[:at] <= 0), np.flatnonzero(v[at:] <= 0)
    if not len(before) or not len(after):
        return None
    i, j = int(before[-1]), at + int(after[0])
    start = i + v[i] / (v[i] - v[i + 1])
    end = j - v[j] / (v[j] - v[j - 1])
    return float(rate_hz / (2 * (end - start))) if end > start else None
