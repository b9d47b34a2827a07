"""GPIO pins: RPi.GPIO, or rpi-lgpio under the same name; imported at first use.

Pins are read and written by number (BCM); no edge callbacks: they fail on kernels from 6.6 on.

Its simulated counterpart is drivers/sim/pins.py.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from drivers.api import BusError

SUDO = "" if os.access(sys.prefix, os.W_OK) else "sudo "
#: into the very environment that runs: on a node that is not the system's own Python
INSTALL = f"Please type:  {SUDO}{sys.executable} -m pip install 'stadtsinn[pi]'"


class Pins:
    """Digital pins of the header. `library` is handed in where there are no pins."""

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._ready = False

    def write(self, pin: int, high: bool) -> None:
        """Drive an output. Raises BusError."""
        gpio = self._gpio()
        try:
            gpio.setup(pin, gpio.OUT, initial=gpio.HIGH if high else gpio.LOW)
            gpio.output(pin, gpio.HIGH if high else gpio.LOW)
        except (RuntimeError, ValueError, OSError) as error:
            raise BusError(f"pin {pin}: {error}") from error

    def read(self, pin: int, pull_up: bool = True) -> bool:
        """The level of an input. Raises BusError."""
        gpio = self._gpio()
        try:
            gpio.setup(pin, gpio.IN, pull_up_down=gpio.PUD_UP if pull_up else gpio.PUD_DOWN)
            return bool(gpio.input(pin))
        except (RuntimeError, ValueError, OSError) as error:
            raise BusError(f"pin {pin}: {error}") from error

    def _gpio(self) -> Any:
        """The library, imported once. Raises BusError with what to install."""
        if self._library is None:
            self._library = load()
        if not self._ready:
            self._library.setwarnings(False)
            self._library.setmode(self._library.BCM)
            self._ready = True
        return self._library


def load() -> ModuleType:
    """RPi.GPIO. Raises BusError: it is missing off a Pi, and unusable on a Pi 5 in its old form."""
    try:
        import RPi.GPIO  # optional: only on a Pi
    except ImportError as error:
        raise BusError(f"no GPIO library. {INSTALL}") from error
    except RuntimeError as error:
        raise BusError(f"{error}; on a Pi 5 install rpi-lgpio. {INSTALL}") from error
    module: ModuleType = RPi.GPIO
    return module
