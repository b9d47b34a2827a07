"""Noise, half frames and mutated frames into every serial and 1-wire driver.

Nothing but a DeviceError may come out, in bounded time, and a value only where the twin, feeling
that value, would have sent bytes that stood in the stream. A new driver is fuzzed without a new
line: its twin has `frame()` (serial: one frame of what it feels now) or `scratchpad()` (1-wire).
"""

import random
from collections.abc import Mapping
from typing import Any

from agent.clock import VirtualClock
from agent.measure.driver_registry import find
from drivers.api import DeviceError
from drivers.bus.onewire import OneWire
from drivers.bus.port import Port
from drivers.sim.onewire import text
from drivers.sim.port import SimPort
from tests.driver_kit import names_with, rom, where

SLOWEST_S = 6.0  #: a reading, whatever is on the line


class Hurried(VirtualClock):
    """What the fuzzer says is there at once: who waits for more looks seldom, and in vain."""

    def sleep(self, seconds: float) -> None:
        """At least a tenth of a second."""
        super().sleep(max(seconds, 0.1))


class Babble:
    """A device that says what the fuzzer says, once its line was cleared."""

    truth: Mapping[str, float] = {}

    def __init__(self, twin: Any) -> None:
        self.twin, self.baudrate = twin, twin.baudrate
        self.said: list[bytes] | None = None  #: None: the twin speaks for itself

    def power_on(self, now: float) -> None:
        """The twin's matter."""
        self.twin.power_on(now)

    def receive(self, data: bytes, now: float) -> None:
        """Heard by the twin until the fuzzer speaks."""
        if self.said is None:
            self.twin.receive(data, now)

    def send(self, now: float) -> bytes:
        """The next piece."""
        if self.said is None:
            said: bytes = self.twin.send(now)
            return said
        return self.said.pop(0) if self.said else b""


class Said(OneWire):
    """A 1-wire folder whose only file says what the fuzzer says."""

    def __init__(self, rom: str) -> None:
        self.rom, self.said = rom, ""

    def devices(self, family: str = "28") -> list[str]:
        """The one."""
        return [self.rom]

    def read(self, name: str) -> str:
        """What the fuzzer says."""
        return self.said


class Line:
    """One serial driver, set up and warm, and its fuzzer."""

    def __init__(self, name: str) -> None:
        found, self.name, self.clock = find(name), name, Hurried()
        assert found.twin is not None
        self.twin: Any = found.twin()
        assert hasattr(self.twin, "frame"), (
            f"{where(name)}: give its twin `frame()`: the bytes of one frame of what it feels now"
        )
        self.babble = Babble(self.twin)
        port = Port("fuzz", self.twin.baudrate, self.clock, SimPort(self.clock, self.babble))
        options = {"frames": 1} if "frames" in found.options else {}
        self.driver: Any = found.make(port, options)
        self.driver.setup()
        self.clock.sleep(getattr(self.driver, "warm_up_s", 0.0))

    def attempt(self, chance: random.Random) -> None:
        """One stream into the driver."""
        said = b"".join(self._part(chance) for _ in range(chance.randrange(1, 5)))
        cut = len(said) // 2
        self.babble.said = [b"", said[:cut], said[cut:]]  # the first is lost: the line is cleared
        began = self.clock.monotonic()
        try:
            values = self.driver.read()
        except DeviceError:
            values = {}
        assert self.clock.monotonic() - began < SLOWEST_S, f"{where(self.name)}: took too long"
        told = {key: value for key, value in values.items() if value is not None}
        if told and self._feels(told):
            self.twin.truth = {**self.twin.truth, **told}
            assert self.twin.frame() in said, f"{where(self.name)}: {told} from {said.hex(' ')}"

    def _feels(self, told: Mapping[str, float]) -> bool:
        """Whether the twin could say so; beyond, a frame made by chance is as good as any."""
        feels = getattr(self.twin, "feels", {})
        ranges = {key: (one.low, one.high) for key, one in self.driver.quantities.items()} | feels
        return all(ranges[key][0] <= value <= ranges[key][1] for key, value in told.items())

    def _part(self, chance: random.Random) -> bytes:
        """A frame, whole or damaged, or noise."""
        self.twin.truth = {**self.twin.truth, **any_truth(self.driver, chance)}
        frame = bytearray(self.twin.frame())
        kind = chance.randrange(6)
        if kind == 0:
            return chance.randbytes(chance.randrange(60))
        if kind == 1:
            frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        elif kind == 2:
            frame = frame[: chance.randrange(len(frame))]
        elif kind == 3:
            frame = frame[chance.randrange(len(frame)) :]
        elif kind == 4:
            frame = frame[: chance.randrange(5)] + frame
        return bytes(frame)


class Wire:
    """One 1-wire driver and its fuzzer."""

    def __init__(self, name: str) -> None:
        found, self.name = find(name), name
        self.wire = Said(rom(found))
        assert found.twin is not None
        self.twin: Any = found.twin()
        self.twin.power_on(0.0)
        self.driver: Any = found.make(self.wire, {})
        self.wire.said = text(self.twin.scratchpad(0.0)[0])
        self.driver.setup()

    def attempt(self, chance: random.Random) -> None:
        """One text into the driver."""
        self.wire.said = said = self._words(chance)
        try:
            values = self.driver.read()
        except DeviceError:
            return
        self.twin.truth = {**self.twin.truth, **values}
        pad, _ = self.twin.scratchpad(0.0)
        assert said.startswith(pad.hex(" ")), f"{where(self.name)}: {values} from {said!r}"

    def _words(self, chance: random.Random) -> str:
        """What w1_slave says, mostly damaged."""
        self.twin.truth = {**self.twin.truth, **any_truth(self.driver, chance)}
        pad = bytearray(self.twin.scratchpad(0.0)[0])
        kind = chance.randrange(5)
        if kind == 0:
            pad[chance.randrange(len(pad))] ^= 1 << chance.randrange(8)
        said = text(bytes(pad))
        at = chance.randrange(len(said))
        if kind == 1:
            said = said[:at]
        elif kind == 2:
            said = said[:at] + chr(chance.randrange(32, 300)) + said[at + 1 :]
        elif kind == 3:
            said = "".join(chr(chance.randrange(0, 400)) for _ in range(chance.randrange(80)))
        return said


def any_truth(driver: Any, chance: random.Random) -> Mapping[str, float]:
    """Something in the range of each quantity."""
    return {key: chance.uniform(one.low, one.high) for key, one in driver.quantities.items()}


def fuzzer(name: str) -> Line | Wire | None:
    """Of a driver on a serial line or 1-wire; other buses have their faults in conformance."""
    kind = find(name).bus_kind
    return Line(name) if kind == "port" else Wire(name) if kind == "onewire" else None


def run(count: int, seed: int, names: list[str] | None = None) -> None:
    """`count` inputs, shared between the drivers. Raises AssertionError on a finding."""
    chance = random.Random(seed)
    fuzzers = [one for name in names or names_with("read") if (one := fuzzer(name))]
    for number in range(count):
        fuzzers[number % len(fuzzers)].attempt(chance)


if __name__ == "__main__":
    run(20_000, 1)
