"""One frame finder for all serial sensors: it comes back after noise and loses no good frame."""

import random
from collections.abc import Mapping

import pytest

from agent.clock import VirtualClock
from drivers.bus.port import Port
from drivers.frames import FrameFinder
from drivers.sim.port import SimPort


def summed(body: bytes) -> bytes:
    return body + bytes([sum(body) & 0xFF])


def is_good(frame: bytes) -> bool:
    return sum(frame[:-1]) & 0xFF == frame[-1]


FINDER = FrameFinder(b"\xaa\xc0", 6, is_good)
FRAME = summed(bytes.fromhex("aac0 01 02 03"))


@pytest.mark.parametrize(
    "junk",
    ["", "00", "aa", "aa aa", "aa c0", "aa c0 aa", "aa c0 01 02", "c0", "aa c0 01 02 03 71"],
)
def test_a_good_frame_after_junk_is_never_lost(junk: str) -> None:
    before = bytes.fromhex(junk)
    for cut in range(len(before) + len(FRAME)):  # wherever the stream is torn into two reads
        whole = before + FRAME
        found, rest = FINDER.scan(whole[:cut])
        more, rest = FINDER.scan(rest + whole[cut:])
        assert found + more == [FRAME]
        assert rest == b""


def test_what_may_become_a_frame_is_kept_and_nothing_else() -> None:
    for heard, rest in (("00 aa", "aa"), ("aa c0 01", "aa c0 01"), ("aa c0 01 02 03 00 07", "")):
        assert FINDER.scan(bytes.fromhex(heard)) == ([], bytes.fromhex(rest))
    assert FINDER.scan(FRAME + b"\xaa") == ([FRAME], b"\xaa")


def test_every_frame_is_found_in_a_stream_of_frames_and_noise_read_in_pieces() -> None:
    chance = random.Random(8)
    for _ in range(300):
        frames = [summed(b"\xaa\xc0" + chance.randbytes(3)) for _ in range(5)]
        noise = [bytes(chance.choices(range(0x80), k=chance.randrange(9))) for _ in frames]
        stream = b"".join(part for pair in zip(noise, frames, strict=True) for part in pair)
        found, rest = list[bytes](), b""
        while stream:
            size = chance.randrange(1, 9)
            good, rest = FINDER.scan(rest + stream[:size])
            found, stream = found + good, stream[size:]
            assert len(rest) < FINDER.length
        assert found == frames


class Talker:
    """Says its pieces, one every tenth of a second."""

    baudrate = 9600
    truth: Mapping[str, float] = {}

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def power_on(self, now: float) -> None:
        self.next_at = now + 0.1

    def receive(self, data: bytes, now: float) -> None:
        raise AssertionError("nothing is said to it")

    def send(self, now: float) -> bytes:
        if now < self.next_at or not self.pieces:
            return b""
        self.next_at += 0.1
        return self.pieces.pop(0)


def port(*pieces: bytes) -> Port:
    clock = VirtualClock()
    return Port("/dev/x", 9600, clock, SimPort(clock, Talker(*pieces)))


def test_it_waits_for_as_many_frames_as_are_wanted_and_no_longer() -> None:
    line = port(FRAME[:4], FRAME[4:] + FRAME, FRAME)
    assert FINDER.hear(line, 2, 5.0).frames == [FRAME, FRAME]
    assert line.timer.monotonic() == pytest.approx(0.2, abs=0.05)


def test_noise_without_an_end_ends_in_time_and_is_quoted() -> None:
    line = port(*[b"\xaa\xc0\x00" * 20] * 100)
    heard = FINDER.hear(line, 1, 2.0)
    assert heard.frames == []
    assert heard.seen == (b"\xaa\xc0\x00" * 20)[:24]
    assert line.timer.monotonic() <= 2.1
    assert FINDER.hear(port(), 1, 0.5).seen == b""
