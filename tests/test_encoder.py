"""What links of frames share: one batch, its frames, and the next made meanwhile."""

from collections.abc import Sequence

import pytest

from agent.clock import VirtualClock
from agent.codec import Style, cbor, cells_to_bytes, decoder
from agent.codec.wire import LONGEST_PACKED
from agent.model.batch import RAW, Batch, Delivered, Encoded, Layout, Message, Row
from agent.model.schema import Schema, registered_schemas
from agent.transport.links import LinkError, Undeliverable, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from tests.conftest import MONDAY

SCHOOL = registered_schemas()[1]
CELLS = [2145, 473, 10132, 820, 12, 400, 3, 2100, 77]


def rows(count: int, cells: Sequence[int] = CELLS, schema: Schema = SCHOOL, **how: object) -> Batch:
    """So many, a second apart, newest first."""
    kept = [
        Row(
            count - back,
            1,
            0,
            int(MONDAY) - back,
            cells_to_bytes([one + back % 7 for one in cells]),
        )
        for back in range(count)
    ]
    return Batch("backfill", layout=Layout(1, "air", schema, 1), rows=kept, boot=1, **how)  # type: ignore[arg-type]


class Air:
    """Takes frames; the one with number `fails` breaks off."""

    def __init__(self, fails: int = -1) -> None:
        self.frames: list[bytes] = []
        self.fails = fails

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        meanwhile()
        if len(self.frames) == self.fails:
            raise LinkError("broken off", 1.0)
        self.frames.append(frame)


@pytest.fixture
def encoder(clock: VirtualClock) -> Encoder:
    return Encoder(clock, Style(whole_slots=True))


def decoded(frame: bytes) -> decoder.Data:
    data = decoder.decode(frame, registered_schemas().get)
    assert isinstance(data, decoder.Data)
    return data


# -- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [51, 222, 4096, 12_000, 100_000])
@pytest.mark.parametrize("packed", [False, True])
def test_frames_keep_to_the_limit_and_a_packed_body_to_what_a_receiver_takes(
    encoder: Encoder, limit: int, packed: bool
) -> None:
    encoded = encoder.encode(rows(4000, packed=packed, in_order=True), limit)
    (frame,) = encoded.frames
    assert len(frame) <= limit
    body = decoded(frame).body
    assert isinstance(body, bytes) == packed
    assert not packed or len(body) <= LONGEST_PACKED == 4096
    assert len(decoded(frame).rows or ()) == len(encoded.rows)


def test_a_link_says_which_rows_went_and_how_many_would_have(encoder: Encoder) -> None:
    air, batch = Air(), rows(10)
    delivered = encoder.carry(encoder.encode(batch, 4096), 4096, air.send, nothing_follows)
    assert (delivered.batch, list(delivered.rows)) == (batch, list(batch.rows))
    assert list(delivered.bodies) == air.frames
    assert delivered.fits > 100  # so many rows would have filled it
    full = encoder.encode(rows(1000), 500)
    assert Delivered.of(full).fits == pytest.approx(len(full.rows), rel=0.05)


def test_a_row_in_several_frames_is_delivered_after_its_last(encoder: Encoder) -> None:
    encoded = encoder.encode(rows(1), 22)
    assert len(encoded.frames) > 1
    for fails in range(len(encoded.frames)):
        air = Air(fails)
        with pytest.raises(LinkError, match="broken off"):
            encoder.carry(encoded, 22, air.send, nothing_follows)
        assert len(air.frames) == fails
    assert len(encoder.carry(encoded, 22, Air().send, nothing_follows).rows) == 1


def test_what_cannot_be_written_is_undeliverable(encoder: Encoder) -> None:
    with pytest.raises(Undeliverable, match=r"row 1: "):
        encoder.encode(rows(1, [2**33] * 9), 4096)
    with pytest.raises(Undeliverable):
        encoder.encode(rows(1), 3)


def test_a_raw_record_where_none_are_kept_is_undeliverable(encoder: Encoder) -> None:
    raw = Batch("message", Message(1, RAW, 1, 0, None, cbor.dump([7])))
    with pytest.raises(Undeliverable, match="keeps no records any more"):
        encoder.encode(raw, 4096)


# -- the next one meanwhile -----------------------------------------------------------------------


class Counting(Encoder):
    """Counts how often a batch is encoded."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.made: list[Batch] = []

    def _encode(self, batch: Batch, limit: int) -> Encoded:
        self.made.append(batch)
        return super()._encode(batch, limit)


def test_a_batch_that_was_told_is_made_meanwhile_and_once(clock: VirtualClock) -> None:
    encoder, first, second = Counting(clock), rows(3), rows(4)
    encoder.carry(encoder.encode(first, 4096), 4096, Air().send, lambda _: second)
    assert encoder.made == [first, second]
    assert len(encoder.encode(second, 4096).rows) == 4
    assert len(encoder.made) == 2


def test_what_was_made_meanwhile_is_made_anew_for_a_smaller_limit(clock: VirtualClock) -> None:
    encoder, second = Counting(clock), rows(400)
    encoder.carry(encoder.encode(rows(3), 4096), 4096, Air().send, lambda _: second)
    assert len(encoder.encode(second, 100).frames[0]) <= 100


def test_another_batch_is_never_taken_for_the_one_made_meanwhile(clock: VirtualClock) -> None:
    encoder, second = Counting(clock), rows(4)
    encoder.carry(encoder.encode(rows(3), 4096), 4096, Air().send, lambda _: second)
    assert len(encoder.encode(rows(5), 4096).rows) == 5
    assert len(encoder.encode(second, 4096).rows) == 4
    assert len(encoder.made) == 3  # the one in between, for the first was made already


def test_what_cannot_be_written_ahead_does_not_hurt_what_is_on_its_way(encoder: Encoder) -> None:
    bad = rows(1, [2**33] * 9)
    delivered = encoder.carry(encoder.encode(rows(3), 4096), 4096, Air().send, lambda _: bad)
    assert len(delivered.rows) == 3
    with pytest.raises(Undeliverable):
        encoder.encode(bad, 4096)
