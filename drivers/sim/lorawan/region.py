"""EU868: data rates, payload limits, channels, sub-bands. LoRa Alliance RP002-1.0.4, 2.4."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.time_on_air import airtime_s

JOIN_CHANNELS = (868_100_000, 868_300_000, 868_500_000)
RX2_HZ, RX2_DR = 869_525_000, 0
JOIN_DELAY_S = 5.0
SLOWEST, FASTEST = 0, 5

SPREADING = {0: 12, 1: 11, 2: 10, 3: 9, 4: 8, 5: 7, 6: 7}
WIDTH_HZ = {0: 125_000, 1: 125_000, 2: 125_000, 3: 125_000, 4: 125_000, 5: 125_000, 6: 250_000}
ROOM = {0: 51, 1: 51, 2: 51, 3: 115, 4: 242, 5: 242, 6: 242}  # N, table 8
ROOM_REPEATER = ROOM | {4: 222, 5: 222, 6: 222}  # table 7
LOWEST_SNR_DB = {12: -20.0, 11: -17.5, 10: -15.0, 9: -12.5, 8: -10.0, 7: -7.5}

BANDS = (  # ERC 70-03: from Hz, to Hz, share of the hour
    (863_000_000, 865_000_000, 0.001),
    (865_000_000, 868_000_000, 0.01),
    (868_000_000, 868_600_000, 0.01),
    (868_700_000, 869_200_000, 0.001),
    (869_400_000, 869_650_000, 0.1),
    (869_700_000, 870_000_000, 0.01),
)


@dataclass(frozen=True, slots=True)
class Radio:
    """What a transmitter and a receiver have to agree on."""

    frequency_hz: int
    data_rate: int

    @property
    def name(self) -> str:
        """As packet forwarders write it: SF7BW125."""
        return f"SF{SPREADING[self.data_rate]}BW{WIDTH_HZ[self.data_rate] // 1000}"

    def airtime_s(self, length: int, *, uplink: bool) -> float:
        """Seconds a PHY payload of `length` bytes takes; only uplinks have a checksum."""
        spreading, width = SPREADING[self.data_rate], WIDTH_HZ[self.data_rate]
        return airtime_s(length, spreading, width, crc=uplink)


def data_rate_named(name: str) -> int:
    """The data rate of a packet forwarder's name. Raises KeyError."""
    return {Radio(0, rate).name: rate for rate in SPREADING}[name]


def band_of(frequency_hz: int) -> int:
    """Index of the sub-band a frequency lies in. Raises ValueError outside EU868."""
    for index, (low, high, _) in enumerate(BANDS):
        if low <= frequency_hz <= high:
            return index
    raise ValueError(f"{frequency_hz} Hz is in no EU868 sub-band")


def allowed(frequency_hz: int) -> bool:
    """Whether a channel may be there."""
    return any(low <= frequency_hz <= high for low, high, _ in BANDS)
