"""The reset line of a modem, where it is wired."""

from __future__ import annotations

from drivers.api import Timer
from drivers.bus.pins import Pins

PULSE_S = 0.05  # RAK forum 10235: shorter pulses are missed by a RAK3172
BOOT_S = 0.5


class ResetPin:
    """Active low, as all four modems have it."""

    def __init__(self, pins: Pins, pin: int, timer: Timer) -> None:
        self.pins, self.pin, self.timer = pins, pin, timer

    def pulse(self) -> None:
        """Reset and wait until the modem listens again. Raises BusError."""
        self.pins.write(self.pin, False)
        self.timer.sleep(PULSE_S)
        self.pins.write(self.pin, True)
        self.timer.sleep(BOOT_S)
