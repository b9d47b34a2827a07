"""CBOR by cbor2: deterministic out, strict in (RFC 8949, 4.2.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import cbor2

UNDEFINED = cbor2.undefined
Tag = cbor2.CBORTag
DEEPEST = 5
ARRAY = 4  # major type
FLOATS = {2: "e", 4: "f", 8: "d"}  # struct letters
TYPED_ARRAY = 85  # RFC 8746, float32 little endian: the only tag a frame may hold


def dump(item: Any) -> bytes:
    """Deterministic CBOR."""
    return cbor2.dumps(item, canonical=True)


class _Encoded(dict[int, bytes]):
    """The encoding of each integer; small ones are remembered."""

    def __missing__(self, item: int) -> bytes:
        made = cbor2.dumps(item)
        if -256 <= item < 256:
            self[item] = made
        return made


_ENCODED = _Encoded()


def dump_numbers(items: Sequence[int]) -> list[bytes]:
    """The encoding of each integer; three times as fast as one call each."""
    return list(map(_ENCODED.__getitem__, items))


def dump_each(items: Sequence[Any]) -> list[bytes]:
    """The encoding of each cell, a number or a missing one."""
    return [_ENCODED[item] if type(item) is int else cbor2.dumps(item) for item in items]


def array_head(count: int) -> bytes:
    """What stands before the items of an array."""
    if count < 24:
        return bytes([0x80 | count])
    size = 1 if count < 1 << 8 else 2 if count < 1 << 16 else 4
    return bytes([0x97 + (1, 2, 4).index(size) + 1]) + count.to_bytes(size, "big")


def load(data: bytes) -> Any:
    """CBOR that we wrote ourselves. Raises ValueError where a disk has changed it."""
    try:
        return cbor2.loads(data)
    except cbor2.CBORError as error:
        raise ValueError(str(error)) from error


def load_strictly(data: bytes, *, tagged: bool = False) -> Any:
    """CBOR from outside: exactly one deterministic item. Raises ValueError.

    Looks before cbor2 does: shortest heads and floats, definite lengths, map keys in ascending
    bytewise order, no great depth, no tag but, where `tagged`, the typed array.
    """
    end = _Walk(data, tagged).item(0, DEEPEST)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the end")
    try:
        return cbor2.loads(data)
    except (TypeError, cbor2.CBORError) as error:
        raise ValueError(str(error)) from error


def whole_arrays(data: bytes) -> int:
    """How many bytes at the beginning are whole arrays: what follows is torn, or was never ours."""
    walk, end = _Walk(data, True), 0
    try:
        while end < len(data) and data[end] >> 5 == ARRAY:
            end = walk.item(end, DEEPEST)
    except ValueError:
        pass
    return end


class _Walk:
    """Once through the bytes of one item."""

    def __init__(self, data: bytes, tagged: bool) -> None:
        self.data, self.tagged = data, tagged

    def item(self, at: int, depth: int) -> int:
        """Where the item that begins at `at` ends. Raises ValueError."""
        if depth == 0:
            raise ValueError("nested too deeply")
        major, argument, at = self._head(at)
        if major in (2, 3):
            return self._string(at, argument, text=major == 3)
        if major == 4:
            return self._array(at, argument, depth)
        if major == 5:
            return self._map(at, argument, depth)
        if major == 6:
            if argument != TYPED_ARRAY or not self.tagged:
                raise ValueError(f"tag {argument} is not allowed")
            return self.item(at, depth - 1)
        return at

    def _head(self, at: int) -> tuple[int, int, int]:
        """Major type, argument, where the content begins."""
        if at >= len(self.data):
            raise ValueError("cut off")
        major, info = self.data[at] >> 5, self.data[at] & 31
        at += 1
        if info < 24:
            if major == 7 and info < 20:
                raise ValueError("an unassigned simple value")
            return major, info, at
        if info > 27:
            raise ValueError("an indefinite length")
        size = 1 << info - 24
        if at + size > len(self.data):
            raise ValueError("cut off")
        if major == 7:
            _check_float(self.data[at : at + size])
            return major, info, at + size
        argument = int.from_bytes(self.data[at : at + size], "big")
        if argument < (24 if size == 1 else 1 << 4 * size):
            raise ValueError("not written in the shortest form")
        return major, argument, at + size

    def _string(self, at: int, length: int, *, text: bool) -> int:
        end = at + length
        if end > len(self.data):
            raise ValueError("cut off")
        if text:
            self.data[at:end].decode("utf-8")
        return end

    def _array(self, at: int, count: int, depth: int) -> int:
        if count > len(self.data) - at:
            raise ValueError("cut off")
        for _ in range(count):
            at = self.item(at, depth - 1)
        return at

    def _map(self, at: int, count: int, depth: int) -> int:
        before = b""
        for _ in range(count):
            end = self.item(at, depth - 1)
            key = self.data[at:end]
            if key <= before:
                raise ValueError("map keys are not in order")
            before, at = key, self.item(end, depth - 1)
        return at


def _check_float(packed: bytes) -> None:
    """Raise ValueError unless this is the shortest form of its value (RFC 8949, 4.2.2)."""
    if len(packed) == 1:
        raise ValueError("an unassigned simple value")
    value = struct.unpack(f">{FLOATS[len(packed)]}", packed)[0]
    if value != value:
        short = packed == b"\x7e\x00"
    else:
        short = len(packed) == 2 or not _is_exact(value, FLOATS[len(packed) // 2])
    if not short:
        raise ValueError("not written in the shortest form")


def _is_exact(value: float, size: str) -> bool:
    try:
        return bool(struct.unpack(f">{size}", struct.pack(f">{size}", value))[0] == value)
    except OverflowError:
        return False
