"""What frames say once they are decoded, and when: decoder.py reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.codec.wire import SHORT_SLOTS, YOUNG_SLOTS
from agent.model.schema import Cell, Field

TimeItem = int | tuple[int, int]  #: slot, -1 - age, or (boot, tick)


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame. Without the schema `rows` is None and `body` is what to keep."""

    schema: int
    time: TimeItem
    step_s: int  #: seconds between rows
    body: bytes | tuple[Cell, ...]
    omit: int = 0
    columns: Sequence[int] = ()  #: which columns of the schema the rows hold
    rows: Sequence[Sequence[Cell]] | None = None  #: newest first

    def starts(self, received: float | None = None) -> list[int | None]:
        """Unix second of each row's slot, newest first; None where it cannot be known."""
        newest = slot_start(self.time, self.step_s, received)
        count = len(self.rows or ())
        if newest is None:
            return [None] * count
        return [newest - k * self.step_s for k in range(count)]


@dataclass(frozen=True, slots=True)
class Event:
    """An event frame."""

    schema: int
    time: TimeItem
    column: int | None
    code: int
    value: int | tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a schema."""

    schema: int
    wire: int
    total: int
    first: int
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a downlink."""

    token: int
    result: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a node is."""

    items: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """A chunk of a raw record; `data` are the bytes of the RFC 8746 array."""

    record: int
    chunk: int
    chunks: int
    start: int
    rate: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Slots whose rows were sent under a wrong time."""

    number: int  #: rises by one; one that is not above the highest applied has no effect
    schema: int
    step_s: int  #: seconds of a slot
    slot: int  #: the first, whole
    count: int

    def starts(self) -> range:
        """Unix second of each slot."""
        return range(self.slot * self.step_s, (self.slot + self.count) * self.step_s, self.step_s)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame kind of a later version: kept, never guessed."""

    kind: int


Frame = Data | Event | Slice | Ack | Hello | Raw | Withdrawn | Unknown


@dataclass(frozen=True, slots=True)
class Downlink:
    """A command from outside."""

    command: int
    token: int
    args: tuple[Any, ...]


def slot_start(time: TimeItem, step_s: int, received: float | None) -> int | None:
    """Unix second at which the newest slot began; None if that needs what is not known."""
    if isinstance(time, tuple):
        return None
    if time >= SHORT_SLOTS:
        return time * step_s
    if received is None:
        return None
    now = math.floor(received / step_s)
    return (now + 1 + time if time < 0 else nearest_slot(time, now)) * step_s


def nearest_slot(short: int, now: int) -> int:
    """The slot nearest to `now` that is `short` modulo 65536."""
    return now + (short - now + YOUNG_SLOTS) % SHORT_SLOTS - YOUNG_SLOTS
