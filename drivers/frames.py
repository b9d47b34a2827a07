"""Frames in a serial stream: found by start bytes, length and checksum, whatever lies between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.api import BusError, DataError
from drivers.bus.port import Port

SHOWN = 24  #: bytes of noise that are kept for an error message


@dataclass(frozen=True, slots=True)
class Heard:
    """What came over a line."""

    frames: list[bytes]  #: the good ones, oldest first
    seen: bytes  #: the first bytes, good or not


@dataclass(frozen=True, slots=True)
class FrameFinder:
    """How a frame looks. Start bytes may occur inside of it: every place is tried.

    start ... checksum      `length` bytes in all, `is_good` looks at all of them
    """

    start: bytes
    length: int  #: bytes of a whole frame, start and checksum included
    is_good: Callable[[bytes], bool]  #: whether a candidate's checksum, or form, is right

    def scan(self, heard: bytes) -> tuple[list[bytes], bytes]:
        """The good frames among the bytes, and the rest: what may still become one."""
        found, at, end = [], 0, 0
        while 0 <= (at := heard.find(self.start, at)) <= len(heard) - self.length:
            frame = heard[at : at + self.length]
            if good := self.is_good(frame):
                found.append(frame)
            at = end = at + (self.length if good else 1)
        return found, heard[at:] if at >= 0 else self._begun(heard[end:])

    def next(self, port: Port, within_s: float) -> bytes:
        """The next good frame. Raises BusError (nothing came), DataError (no good frame)."""
        heard = self.hear(port, 1, within_s)
        if heard.frames:
            return heard.frames[0]
        if not heard.seen:
            raise BusError(f"{port.path}: no answer")
        raise DataError(f"{port.path}: no good frame in {heard.seen.hex(' ')}")

    def hear(self, port: Port, wanted: int, within_s: float) -> Heard:
        """The next `wanted` good frames; fewer if `within_s` is over. Raises BusError."""
        end = port.timer.monotonic() + within_s
        frames: list[bytes] = []
        rest = seen = b""
        while len(frames) < wanted and (left := end - port.timer.monotonic()) > 0:
            more = port.read(self.length - len(rest), left)
            seen = (seen + more)[:SHOWN]
            good, rest = self.scan(rest + more)
            frames += good
        return Heard(frames, seen)

    def _begun(self, tail: bytes) -> bytes:
        """The end of `tail` that is the beginning of a start."""
        for kept in range(min(len(self.start) - 1, len(tail)), 0, -1):
            if self.start.startswith(tail[-kept:]):
                return tail[-kept:]
        return b""
