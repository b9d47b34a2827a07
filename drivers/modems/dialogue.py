"""Whole lines to and from a modem: nothing cut, nothing glued together, nothing secret logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from drivers.api import BusError
from drivers.bus.port import Port
from drivers.keys import masked

log = logging.getLogger(__name__)

LONGEST = 1200  # bytes; a longer line is noise
HALF_LINE_S = 0.05


class Dialogue:
    """Sends command lines; hands out complete answer lines. `other` gets what nobody waits for."""

    def __init__(self, port: Port, other: Callable[[str], None], end: bytes = b"\r\n") -> None:
        self.port, self.other, self.end = port, other, end
        self._half = b""  # a line whose end has not come yet

    def ask(self, command: str, timeout_s: float = 2.0) -> Iterator[str]:
        """Send a command and yield what comes, line by line; the caller stops at the final one.

        An echo of the command is left out. Raises BusError when the time is up.
        """
        self.settle()
        self.say(command)
        for line in self.until(timeout_s):
            if line != command:
                yield line
        raise BusError(f"{self.port.path}: no answer to {masked(command)} in {timeout_s:g} s")

    def say(self, command: str) -> None:
        """Send a line. Raises BusError."""
        log.debug("modem=%s sent=%r", self.port.path, masked(command))
        self.port.write(command.encode() + self.end)

    def until(self, timeout_s: float) -> Iterator[str]:
        """Lines as they come, until the time is up."""
        end = self.port.timer.monotonic() + timeout_s
        while (line := self.line(end - self.port.timer.monotonic())) is not None:
            yield line

    def note(self, line: str) -> None:
        """A line that means nothing here: an event for the log, never an error."""
        log.info("modem=%s event=%r", self.port.path, masked(line))

    def settle(self) -> None:
        """Give what has come unasked to `other`; a line that does not end is dropped."""
        while (line := self.line(0.0)) is not None:
            self.other(line)
        if self._half:
            line = self.line(HALF_LINE_S)
            if line is not None:
                self.other(line)
            self._half = b""

    def line(self, timeout_s: float) -> str | None:
        """The next complete line, without blanks and NULs around it; None if none came in time."""
        end = self.port.timer.monotonic() + timeout_s
        while True:
            byte = self.port.read(1, max(end - self.port.timer.monotonic(), 0.0))
            if not byte:
                return None
            if byte not in b"\r\n":
                self._half = (self._half + byte)[-LONGEST:]
                continue
            text = self._half.decode("ascii", "backslashreplace").strip(" \0\t")
            self._half = b""
            if text:
                log.debug("modem=%s got=%r", self.port.path, masked(text))
                return text
