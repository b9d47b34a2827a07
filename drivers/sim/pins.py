"""Simulated GPIO: stands where the module RPi.GPIO stands.

Counterpart of drivers/bus/pins.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


class SimPins:
    """The functions and constants of RPi.GPIO that read and write pins."""

    BCM, BOARD = 11, 10
    IN, OUT = 1, 0
    LOW, HIGH = 0, 1
    PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self.watchers: dict[int, Callable[[int], None]] = {}  #: told of what is written to a pin

    def setmode(self, mode: int) -> None:
        """Numbers are BCM or BOARD numbers."""
        self.mode = mode

    def getmode(self) -> int | None:
        """What setmode said."""
        return getattr(self, "mode", None)

    def setwarnings(self, flag: bool) -> None:
        """The simulation never warns."""

    def setup(
        self,
        channel: int | Sequence[int],
        direction: int,
        pull_up_down: int = 20,
        initial: int | None = None,
    ) -> None:
        """Make pins inputs or outputs. Raises RuntimeError before setmode."""
        if self.getmode() is None:
            raise RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BCM)")
        for pin in many(channel):
            self.modes[pin] = direction
            if direction == self.OUT and initial is not None:
                self.output(pin, initial)
            elif direction == self.IN:
                self.levels.setdefault(pin, int(pull_up_down == self.PUD_UP))

    def output(self, channel: int | Sequence[int], value: int) -> None:
        """Drive outputs. Raises RuntimeError for a pin that is none."""
        for pin in many(channel):
            if self.modes.get(pin) != self.OUT:
                raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
            self.levels[pin] = int(value)
            if pin in self.watchers:
                self.watchers[pin](int(value))

    def input(self, channel: int) -> int:
        """The level of a pin. Raises RuntimeError for a pin that was not set up."""
        if channel not in self.modes:
            raise RuntimeError("You must setup() the GPIO channel first")
        return self.levels.get(channel, self.LOW)

    def cleanup(self, channel: int | Sequence[int] | None = None) -> None:
        """Forget pins."""
        for pin in list(self.modes) if channel is None else many(channel):
            self.modes.pop(pin, None)


def many(channel: int | Sequence[int]) -> Sequence[int]:
    """One pin or several."""
    return [channel] if isinstance(channel, int) else channel
