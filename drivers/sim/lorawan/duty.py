"""Duty cycle of one transmitter: after a frame its sub-band rests. ETSI EN 300 220-2, annex B."""

from __future__ import annotations

from drivers.sim.lorawan.region import BANDS, band_of


class DutyCycle:
    """Rest times per sub-band and, on the network's demand, over all of them."""

    def __init__(self) -> None:
        self.on = True
        self.aggregate = 1.0  #: share of the time over all bands, DutyCycleReq
        self._free_at: dict[int, float] = {}
        self._all_free_at = 0.0

    def wait_s(self, frequency_hz: int, now: float) -> float:
        """Seconds until this channel may be used."""
        if not self.on:
            return 0.0
        free_at = max(self._free_at.get(band_of(frequency_hz), 0.0), self._all_free_at)
        return max(free_at - now, 0.0)

    def used(self, frequency_hz: int, airtime_s: float, end: float) -> None:
        """Account for a frame of `airtime_s` seconds that ended at `end`."""
        band = band_of(frequency_hz)
        self._free_at[band] = end + airtime_s * (1 / BANDS[band][2] - 1)
        self._all_free_at = end + airtime_s * (1 / self.aggregate - 1)
