"""The I2C bus (smbus2): every exchange is one smbus2 `i2c_rdwr`, every OSError a BusError.

Its simulated counterpart is drivers/sim/i2c.py.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from smbus2 import SMBus, i2c_msg

from drivers.api import BusError, Timer


class Bus(Protocol):
    """The one method of `smbus2.SMBus` the agent uses; `drivers.sim.i2c.SimI2C` has it too."""

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """Carry out the messages as one combined transaction."""
        ...


READ = 1  # I2C_M_RD
NOBODY = {errno.ENXIO, errno.EREMOTEIO}  #: no chip acknowledged: the bus itself is well
SWITCHED_OFF = "is I2C switched on? sudo raspi-config, Interface Options, I2C"
ADVICE = {
    errno.EACCES: "no permission: add this user to the group i2c",
    errno.EWOULDBLOCK: "in use by another program: sudo systemctl stop stadtsinn",
}


class KernelBus:
    """/dev/i2c-N, opened at its first use, for this process alone.

    Opened anew after every error of the bus itself: an adapter that was plugged in again, or a
    switch bound anew, leaves a handle that is dead for ever. `devices` is where the buses lie.
    """

    def __init__(
        self, name: str, devices: Path = Path("/dev"), make: Callable[[str], SMBus] = SMBus
    ) -> None:
        self.path, self._make = devices / name, make
        self._bus: SMBus | None = None

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """One combined transaction. Raises OSError; with advice where opening fails."""
        if self._bus is None:
            self._bus = self._open()
        try:
            self._bus.i2c_rdwr(*messages)
        except OSError as error:
            if error.errno not in NOBODY:
                self._drop()
            raise

    def _open(self) -> SMBus:
        try:
            bus = self._make(str(self.path))
            assert bus.fd is not None
            fcntl.flock(bus.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OSError(f"{self.path}: {self._advice(error.errno or 0)}") from error
        return bus

    def _drop(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            with contextlib.suppress(OSError):
                bus.close()

    def _advice(self, number: int) -> str:
        """What to do about it; where there are other buses, which."""
        if number != errno.ENOENT:
            return ADVICE.get(number, os.strerror(number))
        there = sorted(path.name for path in self.path.parent.glob("i2c-*"))
        return f"is not there; there is {', '.join(there)}" if there else SWITCHED_OFF


class I2C:
    """One I2C bus, shared by its chips. A lock makes each transaction whole.

    Who has waited is next: a long burst in several transactions lets others in between.
    """

    def __init__(self, bus: Bus, timer: Timer) -> None:
        self.bus, self.timer = bus, timer
        self.lock, self.turn = threading.Lock(), threading.Lock()
        self.tape: list[str] | None = None  #: a list takes down what goes over the bus

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
            with self.turn:  # a Lock alone would go to who has just let go of it
                self.lock.acquire()
            try:
                self.bus.i2c_rdwr(*messages)
            finally:
                self.lock.release()
            if self.tape is not None:
                self.tape += map(noted, messages)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BusError(f"0x{address:02x}: {reason}") from error


def noted(message: i2c_msg) -> str:
    """A message as a line: `w 44 fd`, `r 44 66 66 93 80 00 a2`."""
    return f"{'r' if message.flags & READ else 'w'} {message.addr:02x} {bytes(message).hex(' ')}"
