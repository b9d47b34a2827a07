"""A simulated serial port: stands where serial.Serial stands, with a twin at the other end.

Counterpart of drivers/bus/port.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from serial import PortNotOpenError, SerialBase, SerialException

from drivers.api import Timer
from drivers.sim.faults import Faults, Plugged

LOOK_S = 0.01  #: how often a blocking read looks again, in the timer's seconds
BITS_PER_BYTE = 10  # start, 8 data, stop


class PortTwin(Protocol):
    """A device on a serial line. `now` is the port's monotonic time in seconds."""

    truth: Mapping[str, float]
    baudrate: int

    def power_on(self, now: float) -> None:
        """Supply came (back)."""
        ...

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        ...

    def send(self, now: float) -> bytes:
        """Bytes it has sent since the last call."""
        ...


class SimPort(SerialBase):
    """A drop-in for `serial.Serial`: pyserial's own base class over a twin."""

    def __init__(self, timer: Timer, twin: PortTwin, **settings: Any) -> None:
        self.timer = timer
        self.plugged = Plugged(twin, Faults())
        self.noise = b""  #: put before the next bytes that arrive
        self._waiting = bytearray()
        twin.power_on(timer.monotonic())
        super().__init__(port="sim", **({"baudrate": twin.baudrate} | settings))

    @property
    def faults(self) -> Faults:
        """What is wrong with the device."""
        return self.plugged.faults

    # -- what SerialBase wants -----------------------------------------------------------------

    def open(self) -> None:
        """Open; what came before is lost. Raises SerialException where it is open."""
        if self.is_open:
            raise SerialException("Port is already open.")
        self.is_open = True
        self.reset_input_buffer()

    def close(self) -> None:
        """Close."""
        self.is_open = False

    def _reconfigure_port(self, force_update: bool = False) -> None:
        """Another baud rate holds from the next byte on."""

    @property
    def in_waiting(self) -> int:
        """Bytes that wait to be read."""
        self._arrive()
        return len(self._waiting)

    @property
    def out_waiting(self) -> int:
        """Everything leaves at once."""
        self._check()
        return 0

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes, waiting for `timeout`; None waits for all of them."""
        waited = 0.0
        while self.in_waiting < size:
            if self.timeout is not None and waited >= self.timeout:
                break
            self.timer.sleep(LOOK_S)
            waited += LOOK_S
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def write(self, data: Any) -> int:
        """Send; takes the time of its bits."""
        self._arrive()
        sent = bytes(data)
        self.timer.sleep(len(sent) * BITS_PER_BYTE / self.baudrate)
        if not self.faults.unplugged:
            now = self.timer.monotonic()
            self.plugged.twin.receive(self._as_heard(sent), now)
        return len(sent)

    def flush(self) -> None:
        """Everything left already."""
        self._check()

    def reset_input_buffer(self) -> None:
        """Forget what waits."""
        self._arrive()
        self._waiting.clear()

    def reset_output_buffer(self) -> None:
        """Nothing waits there."""
        self._check()

    def send_break(self, duration: float = 0.25) -> None:
        """A break of `duration` seconds; most twins do not mind."""
        self._check()
        self.timer.sleep(duration)
        mind = getattr(self.plugged.twin, "line_break", None)
        if mind is not None:
            mind(self.timer.monotonic())

    def cancel_read(self) -> None:
        """Nobody waits in `read` while time stands still."""

    def cancel_write(self) -> None:
        """Nor in `write`."""

    def nonblocking(self) -> None:
        """A matter of the system's file: there is none."""

    def set_input_flow_control(self, enable: bool = True) -> None:
        """The twin never has too much to say."""

    def set_output_flow_control(self, enable: bool = True) -> None:
        """Nor too little room."""

    def set_low_latency_mode(self, low_latency_settings: bool) -> None:
        """It always is."""

    def _update_rts_state(self) -> None:
        """Lines that no twin has."""

    def _update_dtr_state(self) -> None:
        """Lines that no twin has."""

    def _update_break_state(self) -> None:
        """Lines that no twin has."""

    cts = dsr = ri = cd = property(lambda self: False)

    # -- the simulation's own side -------------------------------------------------------------

    def _check(self) -> None:
        """Raises SerialException as pyserial does where the port is closed or gone."""
        if not self.is_open:
            raise PortNotOpenError()
        if self.faults.errno:
            number = self.faults.errno
            raise SerialException(number, f"read failed: {os.strerror(number)}")

    def _arrive(self) -> None:
        self._check()
        self.plugged.freeze()
        came = self.plugged.twin.send(self.timer.monotonic())
        if not came and not self.noise:
            return
        came, self.noise = self.noise + self._as_heard(came), b""
        if not self.faults.unplugged:
            self._waiting += self.faults.spoil(came)

    def _as_heard(self, data: bytes) -> bytes:
        """Garbage, where the two sides do not agree on the baud rate."""
        if self.baudrate == self.plugged.twin.baudrate:
            return data
        return bytes(~byte & 0xF8 for byte in data)
