"""How long a LoRa frame is on the air. Semtech AN1200.13 (LoRa Modem Designer's Guide), 4."""

from __future__ import annotations

from math import ceil

PREAMBLE_TAIL = 4.25  # sync word and start of frame, in symbols, after the programmed preamble
SLOW_SYMBOL_S = 0.016  # from this symbol time on the low data rate optimisation is on
FRAME_OVERHEAD = 13  # MHDR 1, DevAddr 4, FCtrl 1, FCnt 2, FPort 1, MIC 4 (LoRaWAN L2 1.0.4, 4)


def airtime_s(
    length: int,
    spreading: int,
    bandwidth_hz: int = 125_000,
    *,
    crc: bool = True,
    coding: int = 1,
    preamble: int = 8,
) -> float:
    """Seconds on the air of `length` bytes with explicit header; `coding` 1..4 is 4/5..4/8.

    Uplinks carry a payload checksum, downlinks do not (`crc=False`).
    """
    symbol_s = (1 << spreading) / bandwidth_hz
    slow = 2 if symbol_s >= SLOW_SYMBOL_S else 0
    bits = 8 * length - 4 * spreading + 28 + (16 if crc else 0)
    symbols = 8 + max(ceil(bits / (4 * (spreading - slow))) * (coding + 4), 0)
    return (preamble + PREAMBLE_TAIL + symbols) * symbol_s


def uplink_s(
    payload: int, spreading: int, bandwidth_hz: int = 125_000, *, options: int = 0
) -> float:
    """Seconds on the air of a LoRaWAN uplink with `payload` bytes and `options` bytes of FOpts."""
    return airtime_s(FRAME_OVERHEAD + payload + options, spreading, bandwidth_hz)
