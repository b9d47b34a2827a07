"""Covariance-driven stochastic subspace identification: output correlations to poles.

Peeters and De Roeck, Reference-based stochastic subspace identification for output-only modal
analysis, Mech. Syst. Signal Process. 13 (1999) 855-878, with every output as reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.features.arrays import Array, Complex, Segments, detrend, fast_length, ramp

OVERSAMPLING = 2.6  #: samples per period of the highest frequency of interest, at least
HIGH_PASS_HZ = 0.3


@dataclass(frozen=True, slots=True)
class Poles:
    """What one model order holds: one entry per pair of conjugate poles."""

    order: int
    frequency_hz: Array  #: shape (poles,), undamped
    damping: Array  #: shape (poles,), share of critical
    shapes: Complex  #: shape (axes, poles), largest component 1


def decimation(rate_hz: float, highest_hz: float) -> int:
    """The whole factor that leaves at least `OVERSAMPLING` samples per period."""
    return max(1, int(rate_hz / (OVERSAMPLING * highest_hz)))


def correlations(segments: Segments, rate_hz: float, factor: int, lags: int) -> Array:
    """Unbiased output correlations R_k at lags of k x `factor` samples, k = 0..`lags`.

    Shape (lags + 1, axes, axes), R_k[i, j] = mean of x_i(t + k) x_j(t), in the unit of the
    samples squared. Decimation and correlation are one step: the cross spectrum is cut above the
    new Nyquist frequency and transformed back. Segments, shape (samples, axes), are pooled, none
    is bridged; those shorter than four times the longest lag are left out.
    """
    axes = segments[0].shape[1]
    total = np.zeros((lags + 1, axes, axes))
    weight = np.zeros(lags + 1)
    for one in segments:
        if len(one) > 4 * lags * factor:
            total += _products(one, rate_hz, factor, lags)
            weight += len(one) - np.arange(lags + 1) * factor
    return np.asarray(total / np.maximum(weight, 1)[:, None, None])


def _products(x: Array, rate_hz: float, factor: int, lags: int) -> Array:
    """Sums of products at lags of `factor` samples, shape (lags + 1, axes, axes)."""
    short = fast_length(-(-len(x) // factor) + lags)
    nyquist_hz = rate_hz / factor / 2
    frequency = np.arange(short // 2 + 1) * rate_hz / (short * factor)
    gain = ramp(frequency, HIGH_PASS_HZ / 2, HIGH_PASS_HZ)
    if factor > 1:
        gain *= ramp(frequency, nyquist_hz, 0.9 * nyquist_hz)
    spectrum = np.fft.rfft(detrend(x), short * factor, axis=0)[: len(gain)] * gain[:, None]
    axes = x.shape[1]
    found = np.empty((lags + 1, axes, axes))
    for i in range(axes):
        for j in range(axes):
            cross = spectrum[:, i] * spectrum[:, j].conj()
            found[:, i, j] = np.fft.irfft(cross, short)[: lags + 1] / factor
    return found


def poles(correlation: Array, rate_hz: float, block_rows: int, highest_order: int) -> list[Poles]:
    """Poles of the models of order 2, 4 .. `highest_order`.

    `correlation`: as from `correlations`, at least 2 x `block_rows` lags, at `rate_hz`.
    """
    axes = correlation.shape[1]
    rows = np.arange(block_rows)
    blocks = correlation[block_rows + rows[:, None] - rows[None, :]]
    toeplitz = blocks.transpose(0, 2, 1, 3).reshape(block_rows * axes, block_rows * axes)
    left, singular, _ = np.linalg.svd(toeplitz)
    highest_order = min(highest_order, len(singular) - axes)
    observability = left[:, :highest_order] * np.sqrt(singular[:highest_order])
    orthogonal, triangle = np.linalg.qr(observability[:-axes])
    shifted = orthogonal.T @ observability[axes:]
    return [
        _of_order(order, triangle, shifted, observability[:axes], rate_hz)
        for order in range(2, highest_order + 1, 2)
    ]


def _of_order(order: int, triangle: Array, shifted: Array, outputs: Array, rate_hz: float) -> Poles:
    """State matrix of one order from the common QR factors, and its poles."""
    state = np.linalg.solve(triangle[:order, :order], shifted[:order, :order])
    values, vectors = np.linalg.eig(state)
    values = values.astype(complex)
    upper = np.flatnonzero(values.imag > 0)
    rates = np.log(values[upper]) * rate_hz
    shapes = outputs[:, :order] @ vectors[:, upper]
    largest = np.take_along_axis(shapes, np.argmax(abs(shapes), axis=0)[None, :], axis=0)
    size = abs(rates)
    return Poles(order, size / (2 * np.pi), -rates.real / size, shapes / largest)
