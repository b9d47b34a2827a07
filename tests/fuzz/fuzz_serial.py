"""Noise, half frames and mutated frames into the serial and 1-wire drivers.

Nothing but a DeviceError may come out, in bounded time, and a value only where a well-formed frame
with the right checksum was in the stream.
"""

import random
from collections.abc import Callable

from agent.clock import VirtualClock
from drivers.api import DeviceError
from drivers.bus.onewire import OneWire
from drivers.bus.port import Port
from drivers.sensors.a02yyuw import A02YYUW
from drivers.sensors.ds18b20 import DS18B20, DS18B20Twin
from drivers.sensors.maxbotix import MaxBotix
from drivers.sensors.pms5003 import PMS5003, PMS5003Twin
from drivers.sim.onewire import maxim, text
from drivers.sim.port import SimPort


class Hurried(VirtualClock):
    """What the fuzzer says is there at once: who waits for more looks seldom, and in vain."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, 0.1))


class Babble(PMS5003Twin):
    """A sensor that answers every request with what the fuzzer says."""

    said = b""

    def receive(self, data: bytes, now: float) -> None:
        self.out = self.said


class Said(OneWire):
    """A 1-wire folder whose only file says what the fuzzer says."""

    said = ""

    def read(self, name: str) -> str:
        return self.said


class Chatter:
    """A gauge that says by itself what the fuzzer says, once its line was cleared."""

    baudrate = 9600
    truth: dict[str, float] = {}

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def power_on(self, now: float) -> None:
        self.said = []

    def receive(self, data: bytes, now: float) -> None:
        raise AssertionError("nothing is said to a gauge")

    def send(self, now: float) -> bytes:
        return self.said.pop(0) if self.said else b""


def run(count: int, seed: int) -> None:
    """`count` inputs, shared between the drivers. Raises AssertionError on a finding."""
    chance = random.Random(seed)
    clock, twin = Hurried(), Babble()
    dust = PMS5003(Port("fuzz", 9600, clock, SimPort(clock, twin)))
    twin.active = False
    wire = Said()
    warm = DS18B20(wire, "28-000000000000")
    chatter = Chatter()
    line = Port("fuzz", 9600, clock, SimPort(clock, chatter))
    water, river = A02YYUW(line, frames=1), MaxBotix(line, frames=1)
    for number in range(count):
        kind = number % 8
        if kind == 0:
            try_gauge(water, chatter, clock, echoes(chance, sum_frame), by_sum)
        elif kind == 1:
            try_gauge(river, chatter, clock, echoes(chance, digit_frame), by_digits)
        elif kind % 2:
            try_dust(dust, twin, clock, stream(chance, twin))
        else:
            try_warm(warm, wire, words(chance))


def try_dust(dust: PMS5003, twin: Babble, clock: VirtualClock, said: bytes) -> None:
    """One stream into the driver."""
    twin.said, dust.settled_at = said, 0.0
    began = clock.monotonic()
    try:
        values = dust.read()
    except DeviceError:
        values = {}
    assert clock.monotonic() - began < 6, "took too long"
    if values:
        found = [frame for frame in frames(said) if frame[10:16] == packed(values)]
        assert found, f"{values} from {said.hex()}"


def try_warm(warm: DS18B20, wire: Said, said: str) -> None:
    """One text into the driver."""
    wire.said = said
    try:
        value = warm.read()["temperature"]
    except DeviceError:
        return
    pad = bytes.fromhex(said[:26])
    assert maxim(pad[:8]) == pad[8], said
    assert value == int.from_bytes(pad[:2], "little", signed=True) / 16


def try_gauge(
    gauge: A02YYUW | MaxBotix,
    chatter: Chatter,
    clock: VirtualClock,
    said: bytes,
    by_maker: Callable[[bytes], set[int]],
) -> None:
    """One stream into a gauge: what it reads is a well-formed frame of it."""
    cut = len(said) // 2
    chatter.said = [b"", said[:cut], said[cut:]]  # the first is lost: the driver clears its line
    began = clock.monotonic()
    try:
        value = gauge.read()["distance"]
    except DeviceError:
        value = None
    assert clock.monotonic() - began < 2, "took too long"
    if value is not None:
        assert round(value * 1000) in by_maker(said), f"{value} from {said.hex()}"


def sum_frame(mm: int) -> bytes:
    """A02YYUW."""
    body = bytes([0xFF, mm >> 8, mm & 0xFF])
    return body + bytes([sum(body) & 0xFF])


def by_sum(said: bytes) -> set[int]:
    """Every distance that stands somewhere in the stream with its sum."""
    found = [said[at : at + 4] for at in range(len(said) - 3)]
    return {one[1] << 8 | one[2] for one in found if one[0] == 255 and sum(one[:3]) % 256 == one[3]}


def digit_frame(mm: int) -> bytes:
    """MaxBotix."""
    return f"R{mm:04d}\r".encode()


def by_digits(said: bytes) -> set[int]:
    """Every distance that stands somewhere in the stream between R and CR."""
    return {int(said[at + 1 : at + 5]) for at in range(len(said) - 5) if is_record(said[at:])}


def is_record(said: bytes) -> bool:
    """Whether it begins with a whole record."""
    return said[:1] == b"R" and said[1:5].isdigit() and said[5:6] == b"\r"


def echoes(chance: random.Random, frame: Callable[[int], bytes]) -> bytes:
    """Frames, whole and damaged, noise between them."""
    parts = []
    for _ in range(chance.randrange(1, 5)):
        one = bytearray(frame(chance.choice((0, 255, 511, 5000, chance.randrange(10_000)))))
        kind = chance.randrange(4)
        if kind == 0:
            one = bytearray(chance.randbytes(chance.randrange(20)))
        elif kind == 1:
            one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        elif kind == 2:
            one = one[chance.randrange(len(one)) :]
        parts.append(bytes(one))
    return b"".join(parts)


def stream(chance: random.Random, twin: Babble) -> bytes:
    """Noise, frames, frames with a changed byte, cut frames, several of them."""
    twin.truth = {name: float(chance.randrange(1000)) for name in ("pm1", "pm2_5", "pm10")}
    parts = []
    for _ in range(chance.randrange(1, 4)):
        frame = bytearray(twin._frame())
        kind = chance.randrange(5)
        if kind == 0:
            frame = bytearray(chance.randbytes(chance.randrange(60)))
        elif kind == 1:
            frame[chance.randrange(32)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            frame = frame[: chance.randrange(32)]
        elif kind == 3:
            frame = bytearray(b"BM\x00\x1c") + frame
        parts.append(bytes(frame))
    return b"".join(parts)


def frames(said: bytes) -> list[bytes]:
    """Well-formed frames in a stream."""
    found = [said[at : at + 32] for at in range(len(said) - 31)]
    return [
        one
        for one in found
        if one[:4] == b"BM\x00\x1c" and sum(one[:30]) == one[30] * 256 + one[31]
    ]


def packed(values: dict[str, float]) -> bytes:
    """The three ambient words of a frame."""
    return b"".join(int(values[name]).to_bytes(2, "big") for name in ("pm1", "pm2_5", "pm10"))


def words(chance: random.Random) -> str:
    """What w1_slave says, mostly damaged."""
    twin = DS18B20Twin()
    twin.truth = {"temperature": chance.uniform(-55, 125)}
    pad = bytearray(twin.scratchpad(0)[0])
    kind = chance.randrange(5)
    if kind == 0:
        pad[chance.randrange(9)] ^= 1 << chance.randrange(8)
    said = text(bytes(pad))
    if kind == 1:
        said = said[: chance.randrange(len(said))]
    elif kind == 2:
        at = chance.randrange(len(said))
        said = said[:at] + chr(chance.randrange(32, 300)) + said[at + 1 :]
    elif kind == 3:
        said = "".join(chr(chance.randrange(0, 400)) for _ in range(chance.randrange(80)))
    return said


if __name__ == "__main__":
    run(20_000, 1)
