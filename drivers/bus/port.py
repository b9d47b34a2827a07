"""Serial ports (pyserial): opened at first use, opened anew after every error.

Its simulated counterpart is drivers/sim/port.py.
"""

from __future__ import annotations

import errno
from typing import Protocol

import serial

from drivers.api import BusError, Timer

SLICE_S = 0.02  #: how often waiting bytes are looked for
ADVICE = {
    errno.ENOENT: "not there: is it plugged in, is the serial port enabled? (Pi 5: /dev/ttyAMA0)",
    errno.EACCES: "no permission: add this user to the group dialout",
    errno.EBUSY: "in use by another program",
    errno.EWOULDBLOCK: "in use by another program: sudo systemctl stop stadtsinn",
}


class Stream(Protocol):
    """What of `serial.Serial` the agent uses; `drivers.sim.port.SimPort` has it too."""

    @property
    def in_waiting(self) -> int:
        """Bytes that wait to be read."""
        ...

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """All of `data`."""
        ...

    def reset_input_buffer(self) -> None:
        """Forget what waits."""
        ...

    def send_break(self, duration: float = 0.25, /) -> None:
        """Hold the line low."""
        ...

    def close(self) -> None:
        """Close."""
        ...


class Port:
    """One serial port. `open_stream` is handed in where there is no real port."""

    def __init__(
        self, path: str, baudrate: int, timer: Timer, stream: Stream | None = None
    ) -> None:
        self.path, self.baudrate, self.timer = path, baudrate, timer
        self.tape: list[str] | None = None  #: a list takes down what goes over the line
        self._given = stream
        self._stream = stream
        self._rest = bytearray()  # has come, and nobody has asked for it yet

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises BusError."""
        try:
            self._open().write(data)
            self._note("w", data)
        except (OSError, serial.SerialException) as error:
            raise self._broken(error) from error

    def read(self, length: int, timeout_s: float) -> bytes:
        """Up to `length` bytes: fewer if they did not come in time. Raises BusError."""
        end = self.timer.monotonic() + timeout_s
        data = self._take(length)
        while len(data) < length:
            left = end - self.timer.monotonic()
            if left <= 0:
                break
            self.timer.sleep(min(left, SLICE_S))
            data += self._take(length - len(data))
        return data

    def read_line(self, timeout_s: float, limit: int = 512) -> bytes:
        """A line without its end (CR, LF or both); b"" if none came in time or it is empty.

        A line over `limit` bytes is cut there: noise without line ends does not fill the memory.
        Raises BusError.
        """
        end = self.timer.monotonic() + timeout_s
        line = b""
        while len(line) < limit:
            byte = self.read(1, max(end - self.timer.monotonic(), 0))
            if byte in (b"\r", b"\n", b""):
                if line or not byte:
                    return line
                continue
            line += byte
        return line

    def discard(self) -> None:
        """Forget what has come so far. Raises BusError."""
        try:
            self._rest.clear()
            self._open().reset_input_buffer()
        except (OSError, serial.SerialException) as error:
            raise self._broken(error) from error

    def send_break(self, seconds: float) -> None:
        """Hold the line low: wakes a modem that measures the baud rate. Raises BusError."""
        try:
            self._open().send_break(seconds)
        except (OSError, serial.SerialException) as error:
            raise self._broken(error) from error

    def pause(self, seconds: float) -> None:
        """Let the other side work."""
        self.timer.sleep(seconds)

    def close(self) -> None:
        """Close; the next use opens it again."""
        stream, self._stream = self._stream, None
        self._rest.clear()
        if stream is not None:
            stream.close()

    def _take(self, length: int) -> bytes:
        """What waits, up to `length` bytes; the line is asked only for what is not here yet."""
        if len(self._rest) < length:
            self._rest += self._come()
        data = bytes(self._rest[:length])
        del self._rest[:length]
        return data

    def _come(self) -> bytes:
        """All that waits on the line."""
        try:
            stream = self._open()
            waiting = stream.in_waiting
            data = bytes(stream.read(waiting)) if waiting else b""
            self._note("r", data)
            return data
        except (OSError, serial.SerialException) as error:
            raise self._broken(error) from error

    def _note(self, way: str, data: bytes) -> None:
        if self.tape is not None and data:
            self.tape.append(f"{way} {data.hex(' ')}")

    def _open(self) -> Stream:
        if self._stream is None:
            self._stream = self._given or serial.Serial(
                self.path, self.baudrate, timeout=0, write_timeout=5, exclusive=True
            )
        return self._stream

    def _broken(self, error: Exception) -> BusError:
        """Close, so that the next use opens anew."""
        self._rest.clear()
        if self._given is None:
            stream, self._stream = self._stream, None
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                stream = None
        number = getattr(error, "errno", None) or 0
        return BusError(f"{self.path}: {ADVICE.get(number, str(error))}")
