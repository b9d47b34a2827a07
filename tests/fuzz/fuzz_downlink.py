"""Downlinks nobody sent: refused with CodecError, or they encode to the same bytes."""

from random import Random

import cbor2

from agent.codec import CodecError, decoder
from tests.fuzz.frames import DOWNLINKS, damaged

LIMIT = 256


def run(count: int, seed: int) -> None:
    """`count` random and mutated downlinks."""
    random = Random(seed)
    for _ in range(count):
        one(damaged(DOWNLINKS, random))


def one(frame: bytes) -> bool:
    """Whether it was accepted."""
    try:
        said = decoder.parse_downlink(frame, LIMIT)
    except CodecError:
        return False
    assert len(frame) <= LIMIT
    items = [said.command, said.token, *said.args]
    assert cbor2.dumps(items, canonical=True) == frame, frame.hex()
    return True
