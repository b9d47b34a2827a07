"""Frames nobody wrote: refused with CodecError, or they say the same again."""

from random import Random

import cbor2

from agent.codec import CodecError, decoder
from agent.codec.packed import pack, to_bytes
from agent.model.schema import registered, registered_schemas
from tests.fuzz.frames import damaged, valid_frames

LIMIT = 242


def run(count: int, seed: int) -> None:
    """`count` random and mutated frames."""
    random, valid = Random(seed), valid_frames()
    for _ in range(count):
        one(damaged(valid, random))


def one(frame: bytes) -> bool:
    """Whether it was accepted; what is, is canonical and means just these bytes."""
    try:
        said = decoder.decode(frame, registered_schemas().get, limit=LIMIT)
    except CodecError:
        return False
    assert len(frame) <= LIMIT
    assert cbor2.dumps(cbor2.loads(frame), canonical=True) == frame, frame.hex()
    if isinstance(said, decoder.Data) and isinstance(said.body, bytes) and said.rows:
        fields = [registered(said.schema).fields[column] for column in said.columns]
        again = "".join(pack(said.rows, fields))
        assert to_bytes(again)[: len(again) // 8] == said.body[: len(again) // 8], frame.hex()
    return True
