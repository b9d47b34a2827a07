"""What the modem twins share: lines in, lines out at their time, and what can go wrong."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.sim.lorawan.events import Event

if TYPE_CHECKING:  # drivers name their twins; only a simulation needs its cryptography
    from drivers.sim.lorawan.device import Device

PIECE_S = 0.015


@dataclass
class Quirks:
    """Faults of a modem's firmware and wire. Everything at its default = well-behaved."""

    echo: bool = False  #: it repeats what it hears
    dead: bool = False  #: hears nothing, says nothing, until reset
    split: bool = False  #: lines arrive in pieces
    delay_s: float = 0.0  #: every line comes so much later
    lost_first: int = 0  #: so many bytes of what comes next are lost: it slept
    distort: Callable[[str], Iterable[str]] | None = None  #: what becomes of each line it says
    chance: random.Random = field(default_factory=lambda: random.Random(1))


class ModemTwin(ABC):
    """A modem on a SimPort. Subclasses speak a dialect: `command` in, `say` out, `news` between."""

    baudrate = 9600
    end = b"\r\n"
    boot_s = 0.2
    random_nonce = False  #: its firmware is older than 1.0.4

    def __init__(self, device: Device) -> None:
        self.truth: Mapping[str, float] = {}
        self.device, self.quirks = device, Quirks()
        self.commands: list[str] = []  #: every line it understood as one
        device.tell = self.news
        device.random_nonce = self.random_nonce
        self._line = bytearray()
        self._out: list[tuple[float, bytes]] = []
        self._listens_at = self._free_at = 0.0

    # -- the dialect ---------------------------------------------------------------------------

    @abstractmethod
    def boot(self, now: float) -> None:
        """Settings as after power-up; says its banner."""

    @abstractmethod
    def command(self, line: str, now: float) -> None:
        """Do what a line says."""

    @abstractmethod
    def news(self, event: Event, at: float) -> None:
        """Tell the host what happened on the air."""

    # -- the wire ------------------------------------------------------------------------------

    def power_on(self, now: float) -> None:
        """Supply came (back)."""
        self.reset(now)

    def reset(self, now: float) -> None:
        """The reset line, or a restart of its own."""
        self.device.advance(now)
        self.device.stop()
        self._line.clear()
        self._out = [entry for entry in self._out if entry[0] <= now]
        self._free_at = now
        self.quirks.dead = False
        self._listens_at = now + self.boot_s
        self.boot(self._listens_at)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self.device.advance(now)
        lost, self.quirks.lost_first = data[: self.quirks.lost_first], 0
        if self.quirks.dead or now < self._listens_at:
            return
        if self.quirks.echo:
            self._out.append((now, data))
        for byte in data[len(lost) :]:
            self._hear(byte, now)

    def send(self, now: float) -> bytes:
        """Bytes it has sent since the last call."""
        self.device.advance(now)
        due = [piece for at, piece in self._out if at <= now]
        self._out = [entry for entry in self._out if entry[0] > now]
        return b"" if self.quirks.dead else b"".join(due)

    def say(self, line: str, at: float, end: bytes | None = None) -> None:
        """Send a line."""
        lines = [line] if self.quirks.distort is None else self.quirks.distort(line)
        for one in lines:
            raw = one.encode("latin-1") + (self.end if end is None else end)
            self._later(raw, at + self.quirks.delay_s)

    def _hear(self, byte: int, now: float) -> None:
        if byte not in b"\r\n":
            self._line.append(byte)
            return
        line = self._line.decode("latin-1")
        self._line.clear()
        if line:
            self.commands.append(line)
            self.command(line, now)

    def _later(self, raw: bytes, at: float) -> None:
        """Bytes leave in the order they were said, not before `at`."""
        at = max(at, self._free_at)
        while raw:
            cut = self.quirks.chance.randint(1, len(raw)) if self.quirks.split else len(raw)
            self._out.append((at, raw[:cut]))
            raw, at = raw[cut:], at + (PIECE_S if self.quirks.split else 0.0)
        self._free_at = at
