"""A second decoder, from the text of agent/codec/WIRE.md alone: it shares no line with the agent.

It trusts its input to be a frame; what has to be refused is the agent's business.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNDEFINED = "undefined"  #: no frame of version 1 holds this text
REASONS = ("not available", "below", "above", "failed")  #: by the two bits after an escape
SIMPLE = {20: False, 21: True, 22: None, 23: UNDEFINED}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}
ARRAY, MAP, TAG = 4, 5, 6

Cell = int | str
Column = tuple[int, int, int]  #: nominal, first order, next order


@dataclass
class Tagged:
    """A tag and what it is about."""

    tag: int
    content: Any


def head(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Major type, low five bits, argument, where the head ends (section 7)."""
    major, low = data[at] >> 5, data[at] & 31
    if low < 24:
        return major, low, low, at + 1
    end = at + 1 + 2 ** (low - 24)
    return major, low, int.from_bytes(data[at + 1 : end], "big"), end


def item(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The item that begins at `at`, and where it ends."""
    major, low, argument, end = head(data, at)
    if major == 0:
        return argument, end
    if major == 1:
        return -1 - argument, end
    if major in (2, 3):
        text = data[end : end + argument]
        return text if major == 2 else text.decode(), end + argument
    if major == ARRAY:
        return several(data, end, argument)
    if major == MAP:
        flat, end = several(data, end, 2 * argument)
        return dict(zip(flat[::2], flat[1::2], strict=True)), end
    if major == TAG:
        content, end = item(data, end)
        return Tagged(argument, content), end
    if low in FLOATS:
        return struct.unpack(FLOATS[low], data[at + 1 : end])[0], end
    return SIMPLE[low], end


def several(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    """`count` items in a row."""
    found = []
    for _ in range(count):
        one, at = item(data, at)
        found.append(one)
    return found, at


def frame(data: bytes) -> list[Any]:
    """The items of a frame."""
    found, end = item(data)
    assert isinstance(found, list)
    assert end == len(data)
    return found


def rows(data: bytes, table: Sequence[Column]) -> dict[int, list[Cell]]:
    """The cells of a data frame (sections 1 and 3): column -> its cells, newest first."""
    _, _, _, body, *more = frame(data)
    omit = more[0] if more else 0
    columns = [at for at in range(len(table)) if not omit >> at & 1]
    if isinstance(body, bytes):
        return packed(body, {at: table[at] for at in columns})
    return {at: plain(body[k :: len(columns)]) for k, at in enumerate(columns)}


def plain(cells: Sequence[Any]) -> list[Cell]:
    """One column: the first number as it is, each later one a difference."""
    last, found = 0, list[Cell]()
    for one in cells:
        if type(one) is int:
            last += one
            found.append(last)
        else:
            found.append({None: REASONS[0], False: REASONS[1], True: REASONS[2]}.get(one, "failed"))
    return found


def packed(body: bytes, table: dict[int, Column]) -> dict[int, list[Cell]]:
    """Complete rows only: the bits after the last of them are padding, or were cut."""
    bits = "".join(f"{byte:08b}" for byte in body)
    found: dict[int, list[Cell]] = {at: [] for at in table}
    state = {at: [nominal, first] for at, (nominal, first, _) in table.items()}
    seen: set[int] = set()
    at, whole = 0, 0
    while True:
        for column in table:
            zeros = len(bits[at:]) - len(bits[at:].lstrip("0"))
            if zeros >= 16:
                end = at + 18
                if end > len(bits):
                    return {k: cells[:whole] for k, cells in found.items()}
                found[column].append(REASONS[int(bits[at + 16 : end], 2)])
                at = end
                continue
            last, order = state[column]
            end = at + 2 * zeros + 1 + order
            if end > len(bits):
                return {k: cells[:whole] for k, cells in found.items()}
            u = int(bits[at + zeros : end], 2) - 2**order
            last += u // 2 if u % 2 == 0 else -(u + 1) // 2
            if column not in seen:
                order = table[column][2]
            elif u >= 3 * 2**order:
                order += 1
            elif u < 2**order // 2:
                order -= 1
            seen.add(column)
            state[column] = [last, order]
            found[column].append(last)
            at = end
        whole += 1


def newest(time: Any, interval: int, received: float) -> int | None:
    """Unix second at which the newest row's slot began (section 2); `interval` as in the frame."""
    seconds = 60 * interval if interval > 0 else -interval
    now = received // seconds
    if isinstance(time, list):
        return None
    if time < 0:
        return int(now - (-1 - time)) * seconds
    if time < 65536:
        time = now - 32768 + (time - (now - 32768)) % 65536
    return int(time) * seconds
