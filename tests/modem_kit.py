"""A modem driver on a simulated port, with its twin on a simulated LoRaWAN."""

from __future__ import annotations

from typing import Any

from drivers.api import NOT_JOINED, ModemError
from drivers.bus.pins import Pins
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.reset import ResetPin
from drivers.sim.lorawan.air import AirFaults, RoughAir
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.server import NetworkServer
from drivers.sim.port import SimPort

DEV_EUI, JOIN_EUI = "70B3D57ED0051234", "0102030405060708"
APP_KEY = "2B7E151628AED2A6ABF7158809CF4F3C"
EUI = bytes.fromhex(DEV_EUI)


class Timer:
    """Time that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ResetLine:
    """What of RPi.GPIO the reset pin needs: a rising edge resets the twin."""

    BCM, OUT, IN, HIGH, LOW, PUD_UP, PUD_DOWN = 11, 0, 1, 1, 0, 22, 21

    def __init__(self, twin: Any, timer: Timer) -> None:
        self.twin, self.timer, self.level, self.resets = twin, timer, 1, 0

    def setwarnings(self, flag: bool) -> None:
        """As the real one."""

    def setmode(self, mode: int) -> None:
        """As the real one."""

    def setup(self, pin: int, direction: int, **how: int) -> None:
        """As the real one."""

    def output(self, pin: int, level: int) -> None:
        if level and not self.level:
            self.resets += 1
            self.twin.reset(self.timer.now)
        self.level = level


class Bench:
    """Driver, twin, server and time together."""

    def __init__(self, driver: Any, twin: Any, *, data_rate: int = 5, **options: Any) -> None:
        self.timer = Timer()
        self.server = NetworkServer()
        self.known = self.server.register(
            EUI, bytes.fromhex(JOIN_EUI), bytes.fromhex(APP_KEY), random_nonce=twin.random_nonce
        )
        self.faults = AirFaults()
        self.air = RoughAir(self.server, self.faults)
        self.twin = twin(Device(self.air))
        self.stream = SimPort(self.timer, self.twin)
        self.port = Port("/dev/modem", driver.baudrate, self.timer, self.stream)
        self.line = ResetLine(self.twin, self.timer)
        self.reset = ResetPin(Pins(self.line), 17, self.timer)
        self.keys = Keys(DEV_EUI, JOIN_EUI, APP_KEY)
        self.modem = driver(self.port, self.keys, data_rate=data_rate, reset=self.reset, **options)

    def ready(self) -> Bench:
        """Set up, joined, rested."""
        self.modem.setup()
        self.modem.join()
        self.timer.sleep(300)
        return self

    def send(
        self, payload: bytes = b"\x83\x01\x02", port: int = 10, confirmed: bool = False
    ) -> None:
        """Send and rest."""
        try:
            self.modem.send(payload, port=port, confirmed=confirmed)
        finally:
            self.rest()

    def sure(self, payload: bytes) -> None:
        """Send as a link would: set up, and join if it has to."""
        self.modem.setup()
        if self.modem.joined():
            try:
                self.send(payload)
                return
            except ModemError as error:
                if error.reason != NOT_JOINED:
                    raise
        self.modem.join()
        self.rest()
        self.send(payload)

    def rest(self, seconds: float = 400.0) -> None:
        """Let the duty cycle recover."""
        self.timer.sleep(seconds)

    @property
    def resets(self) -> int:
        """How often the reset line was pulled."""
        return self.line.resets

    def heard(self) -> list[bytes]:
        """Payloads the application got, empty frames included."""
        return [uplink.payload for uplink in self.server.uplinks]
