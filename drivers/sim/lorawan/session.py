"""What an end device remembers: nonces, keys, counters and what the network told it to use."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.sim.lorawan.crypto import session_keys
from drivers.sim.lorawan.frame import JoinAccept
from drivers.sim.lorawan.mac_codec import Command
from drivers.sim.lorawan.region import FASTEST, JOIN_CHANNELS, RX2_DR, RX2_HZ, SLOWEST, allowed


@dataclass
class Channel:
    """One uplink channel."""

    frequency_hz: int
    low: int = SLOWEST  #: data rates it may be used with
    high: int = FASTEST
    enabled: bool = True
    answer_hz: int = 0  #: where RX1 listens, if not on the same frequency


def join_channels() -> dict[int, Channel]:
    """The three every EU868 device has."""
    return {index: Channel(hz) for index, hz in enumerate(JOIN_CHANNELS)}


@dataclass
class Session:
    """One activation. Counters are 32 bits and never go back."""

    address: int
    net_id: int
    network_key: bytes
    application_key: bytes
    up: int = 0  #: counter of the next uplink
    down: int = -1  #: counter of the newest downlink
    rx1_offset: int = 0
    rx2_hz: int = RX2_HZ
    rx2_data_rate: int = RX2_DR
    delay_s: int = 1
    power: int = 0  #: index, 2 dB each below 16 dBm EIRP
    transmissions: int = 1  #: NbTrans
    channels: dict[int, Channel] = field(default_factory=join_channels)
    unheard: int = 0  #: uplinks since the last downlink, ADR_ACK_CNT
    ack_due: bool = False  #: a confirmed downlink waits for its acknowledgement
    answers: list[Command] = field(default_factory=list)  #: go out once
    sticky: dict[int, bytes] = field(default_factory=dict)  #: repeated until a downlink comes

    def rates(self) -> range:
        """Data rates the enabled channels offer."""
        open_ = [channel for channel in self.channels.values() if channel.enabled]
        return range(min(c.low for c in open_), max(c.high for c in open_) + 1)


@dataclass
class Memory:
    """What must survive a power cut."""

    dev_nonce: int = 0  #: the next one, 1.0.4
    join_nonce: int = -1  #: the newest seen
    data_rate: int = SLOWEST
    session: Session | None = None


def session_of(accept: JoinAccept, app_key: bytes, dev_nonce: int) -> Session:
    """The session a join accept opens."""
    keys = session_keys(app_key, accept.join_nonce, accept.net_id, dev_nonce)
    session = Session(accept.address, accept.net_id, *keys)
    session.rx1_offset, session.delay_s = accept.rx1_offset, accept.delay_s
    session.rx2_data_rate = accept.rx2_data_rate
    for index, hz in enumerate(accept.channels, start=len(JOIN_CHANNELS)):
        if allowed(hz):
            session.channels[index] = Channel(hz)
    return session
