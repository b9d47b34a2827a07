"""Payload limits of EU868. LoRa Alliance RP002-1.0.4, tables 7 and 8."""

from __future__ import annotations

from drivers.time_on_air import uplink_s

LIMIT = (51, 51, 51, 115, 242, 242, 242)  #: bytes by data rate
LIMIT_REPEATER = (51, 51, 51, 115, 222, 222, 222)  #: with room for a repeater's header
MAC_ANSWERS = 15  #: most bytes the modem's own answers can take off
RATES = (*((spreading, 125_000) for spreading in (12, 11, 10, 9, 8, 7)), (7, 250_000))


def airtime_s(payload: int, data_rate: int) -> float:
    """Seconds an uplink with so many bytes is on the air at a data rate."""
    return uplink_s(payload, *RATES[data_rate])
