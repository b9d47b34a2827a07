"""The door to I2C: every exchange is one smbus2 `i2c_rdwr`, every OSError a BusError."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from smbus2 import i2c_msg

from drivers.api import BusError, Timer


class Bus(Protocol):
    """The one method of `smbus2.SMBus` the agent uses; `drivers.sim.i2c.SimI2C` has it too."""

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """Carry out the messages as one combined transaction."""
        ...


class I2C:
    """One I2C bus, shared by its chips. A lock makes each transaction whole."""

    def __init__(self, bus: Bus, timer: Timer) -> None:
        self.bus, self.timer = bus, timer
        self.lock = threading.Lock()

    def write(self, address: int, data: bytes) -> None:
        """Write `data` to the chip at the 7-bit `address`. Raises BusError."""
        self._transfer(address, i2c_msg.write(address, data))

    def read(self, address: int, length: int) -> bytes:
        """Read `length` bytes. Raises BusError."""
        answer = i2c_msg.read(address, length)
        self._transfer(address, answer)
        return bytes(answer)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        """Write, repeated start, read, as one transaction. Raises BusError."""
        answer = i2c_msg.read(address, length)
        self._transfer(address, i2c_msg.write(address, data), answer)
        return bytes(answer)

    def pause(self, seconds: float) -> None:
        """Let the chip work."""
        self.timer.sleep(seconds)

    def _transfer(self, address: int, *messages: i2c_msg) -> None:
        try:
            with self.lock:
                self.bus.i2c_rdwr(*messages)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BusError(f"0x{address:02x}: {reason}") from error
