"""What rows and messages share on the wire: cells, time items, intervals (WIRE.md 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.clock import Clock
from agent.codec import cbor
from agent.model.batch import Message, Row
from agent.model.schema import Cell, Missing

LONGEST_S = 14_400  #: longest interval of a frame
LONGEST_PACKED = 4096  #: bytes of a packed body
SHORT_SLOTS = 65_536
YOUNG_SLOTS = 32_768  #: a slot modulo 65536 names the nearest: half of that back
RAW_LIMIT = 2**31  #: |raw| stays below
WIRE_OF = {
    Missing.NOT_AVAILABLE: None,
    Missing.BELOW: False,
    Missing.ABOVE: True,
    Missing.FAILED: cbor.UNDEFINED,
}


class CodecError(Exception):
    """Not a frame of this format, or something that cannot be encoded; the message says why."""


@dataclass(frozen=True, slots=True)
class Style:
    """How frames are written for a link."""

    whole_slots: bool = False  #: dated rows with whole slot numbers (MQTT, files)
    ticks_always: bool = False  #: undated rows as [boot, tick] even of the running boot (files)
    fixed_length: bool = False  #: data frames padded to the limit, so that length tells nothing


def cells_to_bytes(cells: Sequence[Cell]) -> bytes:
    """CBOR array of integers and missing reasons, as the store keeps a row."""
    if Missing not in set(map(type, cells)):
        return cbor.dump(cells)
    return cbor.dump([WIRE_OF[cell] if isinstance(cell, Missing) else cell for cell in cells])


def bytes_to_cells(cells: bytes) -> list[Cell]:
    """The reverse."""
    return [cell_of(item) for item in cbor.load(cells)]


def cell_of(item: Any) -> Cell:
    """A cell from its CBOR item. Raises CodecError."""
    if type(item) is int:
        return item
    if item is None:
        return Missing.NOT_AVAILABLE
    if item is cbor.UNDEFINED:
        return Missing.FAILED
    if type(item) is bool:
        return Missing.ABOVE if item else Missing.BELOW
    raise CodecError(f"{item!r} is no cell")


def interval_item(step_s: int) -> int:
    """+n minutes, else -n seconds."""
    return step_s // 60 if step_s % 60 == 0 else -step_s


def time_of(
    what: Row | Message, step_s: int, boot: int, clock: Clock, style: Style
) -> int | list[int]:
    """The time item of the newest row, or of an event; `boot` is the running one."""
    now = clock.utc()
    if what.start is not None:
        slot = what.start // step_s
        young = now is not None and abs(now // step_s - slot) < YOUNG_SLOTS
        return slot % SHORT_SLOTS if young and not style.whole_slots else slot
    if style.ticks_always or what.boot != boot or now is not None:
        return [what.boot, what.mono_ms // 1000 // step_s]
    age = math.floor((clock.monotonic() - what.mono_ms / 1000) / step_s)
    return -1 - max(age, 0)
