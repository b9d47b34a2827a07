"""Machine lines: known frequencies that are never modes, and a test for a sine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.features.arrays import Array, detrend, fast_length, taper

#: railway supply (50/3 Hz by origin, 16.7 Hz today), machines at 25 and 33 1/3 Hz, mains
LINES_HZ = (50 / 3, 25.0, 100 / 3, 50.0)
TOLERANCE = 0.005  #: mains 50 +- 0.2 Hz in normal operation (ENTSO-E), the others follow it
SINE_KURTOSIS = -1.2  #: excess kurtosis: sine -1.5, random 0


def on_line(
    frequency_hz: float,
    resolution_hz: float,
    rate_hz: float,
    lines_hz: Sequence[float] = LINES_HZ,
) -> bool:
    """Whether a peak is nearer to a known line than resolution and mains tolerance allow.

    Lines above half of `rate_hz`, the rate of the chip, are looked for where they fold back to.
    """
    return any(
        abs(frequency_hz - abs(line - round(line / rate_hz) * rate_hz))
        <= max(resolution_hz, TOLERANCE * line)
        for line in lines_hz
    )


def sine_like(x: Array, rate_hz: float, frequency_hz: float, width_hz: float) -> bool:
    """Whether x, shape (samples,), within `frequency_hz` +- `width_hz` is a steady sine.

    Excess kurtosis of the band: -1.5 for a sine, 0 for a mode driven at random (Brincker,
    Andersen, Moller 2000, An indicator for separation of structural and harmonic modes). In a
    narrow band it follows from the envelope A alone: 1.5 E[A^4] / E[A^2]^2 - 3.
    """
    length = fast_length(len(x))
    spectrum = np.fft.rfft(detrend(x[:, None])[:, 0], length)
    first, last = (max(0, round((frequency_hz + k * width_hz) * length / rate_hz)) for k in (-1, 1))
    band = spectrum[first : last + 1]
    envelope = np.fft.ifft(band * taper(len(band), len(band) // 4))
    square = abs(envelope[: max(1, len(envelope) * len(x) // length)]) ** 2
    power = float(square.mean())
    return power > 0 and 1.5 * float((square**2).mean()) / power**2 - 3 < SINE_KURTOSIS
