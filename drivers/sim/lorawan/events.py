"""What an end device tells its host."""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """The device does not take a request: not joined, busy, duty cycle, too long, bad parameter."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.wait_s = reason, wait_s


@dataclass(frozen=True, slots=True)
class Joined:
    """A join request was accepted."""

    address: int
    net_id: int


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """Nobody answered a join request."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A transmission begins."""

    frequency_hz: int
    data_rate: int
    counter: int


@dataclass(frozen=True, slots=True)
class Received:
    """A downlink; `port` None or 0: nothing for the application."""

    port: int | None
    payload: bytes
    window: int  #: 1 or 2
    rssi_dbm: int
    snr_db: float
    ack: bool
    wants_uplink: bool  #: confirmed, or the network has more


@dataclass(frozen=True, slots=True)
class Sent:
    """An uplink is over, windows included."""

    confirmed: bool
    acked: bool


@dataclass(frozen=True, slots=True)
class LinkChecked:
    """Answer to a link check."""

    margin_db: int
    gateways: int


@dataclass(frozen=True, slots=True)
class TimeAnswered:
    """The network's time."""

    unix: float  #: at the moment `at`
    at: float  #: end of the uplink, device clock


Event = Joined | JoinFailed | Sending | Received | Sent | LinkChecked | TimeAnswered
