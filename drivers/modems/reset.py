"""The reset line of a modem, where it is wired."""

from __future__ import annotations

from drivers.api import Timer
from drivers.bus.pins import Pins

PULSE_S = 0.05  # RAK forum 10235: shorter pulses are missed by a RAK3172
BOOT_S = 0.5
BUSY_LIMIT = 10  # it will not recover by itself


class ResetPin:
    """Active low, as all four modems have it."""

    def __init__(self, pins: Pins, pin: int, timer: Timer) -> None:
        self.pins, self.pin, self.timer = pins, pin, timer
        self._busy = 0  # refusals in a row

    def busy(self) -> bool:
        """The modem says busy; at the tenth time in a row it is reset. True if it was."""
        self._busy += 1
        if self._busy < BUSY_LIMIT:
            return False
        self.pulse()
        return True

    def calm(self) -> None:
        """It took a frame."""
        self._busy = 0

    def pulse(self) -> None:
        """Reset and wait until the modem listens again. Raises BusError."""
        self._busy = 0
        self.pins.write(self.pin, False)
        self.timer.sleep(PULSE_S)
        self.pins.write(self.pin, True)
        self.timer.sleep(BOOT_S)
