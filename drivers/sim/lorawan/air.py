"""The way between end device and network: who transmits, who listens, and what gets lost."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Protocol

from drivers.sim.lorawan.region import Radio


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame in a receive window."""

    frame: bytes
    rssi_dbm: int = -52
    snr_db: float = 8.0


class Air(Protocol):
    """What an end device sees of the network. Times are seconds of the device's clock."""

    def transmit(self, frame: bytes, radio: Radio, end: float) -> None:
        """An uplink was on the air until `end`."""
        ...

    def listen(self, radio: Radio, at: float) -> Heard | None:
        """The downlink that begins at `at`, if the network sends one there."""
        ...


@dataclass
class AirFaults:
    """What can go wrong on the way. Everything at its default = a perfect channel."""

    lose_up: float = 0.0  #: probability that an uplink is not heard
    lose_down: float = 0.0  #: probability that a downlink is not heard
    duplicate: float = 0.0  #: probability that a second gateway hears an uplink too
    spoil_mic: float = 0.0  #: probability that a downlink arrives with a wrong code
    late_s: float = 0.0  #: the network answers so much too late: the window is missed
    deaf: frozenset[int] = frozenset()  #: windows (1, 2 of each uplink) the device does not hear
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def strike(self, probability: float) -> bool:
        """Whether it happens this time."""
        return probability > 0 and self.chance.random() < probability


class RoughAir:
    """Any `Air` with faults on demand."""

    def __init__(self, air: Air, faults: AirFaults | None = None) -> None:
        self.air, self.faults = air, faults or AirFaults()
        self.log: list[tuple[float, Radio, bytes]] = []  #: every uplink, heard or not
        self._windows = 0

    def transmit(self, frame: bytes, radio: Radio, end: float) -> None:
        """An uplink was on the air until `end`."""
        self.log.append((end, radio, frame))
        self._windows = 0
        if self.faults.strike(self.faults.lose_up):
            return
        self.air.transmit(frame, radio, end)
        if self.faults.strike(self.faults.duplicate):
            self.air.transmit(frame, radio, end)

    def listen(self, radio: Radio, at: float) -> Heard | None:
        """The downlink that begins at `at`, unless something is in the way."""
        self._windows += 1
        heard = self.air.listen(radio, at - self.faults.late_s)
        if heard is None or self._windows in self.faults.deaf:
            return None
        if self.faults.strike(self.faults.lose_down):
            return None
        if self.faults.strike(self.faults.spoil_mic):
            spoiled = heard.frame[:-1] + bytes([heard.frame[-1] ^ 1])
            return Heard(spoiled, heard.rssi_dbm, heard.snr_db)
        return heard
