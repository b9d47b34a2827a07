"""What links of frames share: a batch becomes frames, the next one while these are on their way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from agent import codec
from agent.clock import Clock
from agent.model.batch import RAW, Batch, Delivered, Encoded
from agent.transport.links import Following, Undeliverable

Meanwhile = Callable[[], None]
#: the frame with the next chunk of a raw record, of at most so many bytes; raises CodecError
RawChunk = Callable[[Batch, int, codec.Style], Encoded]


def nothing() -> None:
    """What there is to do meanwhile, as a rule."""


def no_records(batch: Batch, limit: int, style: codec.Style) -> Encoded:
    """Where raw records come from in a node that keeps none. Raises CodecError."""
    raise codec.CodecError("the profile keeps no records any more")


class Send(Protocol):
    """How a link sends one frame of a batch. Raises LinkError."""

    def __call__(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        """Return when the frame is acknowledged; `meanwhile` may be called before that."""
        ...


class Encoder:
    """Writes what is due on one link."""

    def __init__(
        self, clock: Clock, style: codec.Style | None = None, raw_chunk: RawChunk = no_records
    ) -> None:
        self.clock, self.style, self.raw_chunk = clock, style or codec.Style(), raw_chunk
        self._ahead: Encoded | None = None  # made while the frame before was on its way

    def encode(self, batch: Batch, limit: int) -> Encoded:
        """The batch in frames of at most `limit` bytes. Raises Undeliverable."""
        ahead = self._ahead
        if ahead is not None and ahead.batch is batch and fits(ahead, limit):
            self._ahead = None
            return ahead
        try:
            return self._encode(batch, limit)
        except codec.CodecError as error:
            raise Undeliverable(str(error)) from error

    def carry(self, encoded: Encoded, limit: int, send: Send, following: Following) -> Delivered:
        """Send frame after frame; make the next meanwhile. Raises LinkError."""
        delivered = Delivered.of(encoded)
        meanwhile = partial(self._prepare, delivered, limit, following)
        for frame in encoded.frames:
            send(frame, encoded.batch, meanwhile)
        return delivered

    def _encode(self, batch: Batch, limit: int) -> Encoded:
        if batch.kind == RAW:
            return self.raw_chunk(batch, limit, self.style)
        return codec.frame(batch, limit, self.clock, self.style)

    def _prepare(self, delivered: Delivered, limit: int, following: Following) -> None:
        """Make the frame that follows those that are on their way."""
        batch = following(delivered)
        if batch is not None:
            try:
                self._ahead = self._encode(batch, limit)
            except codec.CodecError:  # met again when it is its turn
                self._ahead = None


def fits(encoded: Encoded, limit: int) -> bool:
    """Whether none of the frames is longer than `limit` bytes."""
    return all(len(frame) <= limit for frame in encoded.frames)
