"""A registered device beside a network server, for the LoRaWAN tests."""

from __future__ import annotations

from typing import Any, TypeVar

from drivers.sim.lorawan.air import AirFaults, RoughAir
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.events import Event
from drivers.sim.lorawan.server import NetworkServer

DEV_EUI = bytes.fromhex("70b3d57ed0051234")
JOIN_EUI = bytes.fromhex("0102030405060708")
APP_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")

E = TypeVar("E")


class Field:
    """One device, one server, the air between, and time."""

    def __init__(self, data_rate: int = 5, *, random_nonce: bool = False) -> None:
        self.server = NetworkServer()
        self.known = self.server.register(DEV_EUI, JOIN_EUI, APP_KEY, random_nonce=random_nonce)
        self.faults = AirFaults()
        self.air = RoughAir(self.server, self.faults)
        self.device = Device(self.air)
        self.device.dev_eui, self.device.join_eui = DEV_EUI, JOIN_EUI
        self.device.app_key, self.device.memory.data_rate = APP_KEY, data_rate
        self.device.random_nonce = random_nonce
        self.events: list[tuple[float, Event]] = []
        self.device.tell = lambda event, at: self.events.append((at, event))
        self.now = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.device.advance(self.now)

    def join(self) -> None:
        """Join and rest until the duty cycle allows the next frame."""
        self.device.join(self.now)
        self.run(200)

    def send(self, payload: bytes = b"x", rest_s: float = 400.0, **how: Any) -> None:
        """Send one frame and rest."""
        self.device.send(payload, how.pop("port", 10), self.now, **how)
        self.run(rest_s)

    def seen(self, kind: type[E]) -> list[E]:
        """Events of one kind."""
        return [event for _, event in self.events if isinstance(event, kind)]
