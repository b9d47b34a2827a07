"""Is this one deterministic CBOR item of the kinds a frame may hold? (RFC 8949, 4.2.1)

Looks before cbor2 does: no tags but the typed array of a raw frame, nothing indefinite, nothing
longer than it must be, no depth that would cost a stack.
"""

from __future__ import annotations

DEEPEST = 5
TYPED_ARRAY = 85  # RFC 8746, float32 little endian


def check_canonical(data: bytes) -> None:
    """Return if `data` is exactly one such item. Raises ValueError."""
    end = _item(data, 0, DEEPEST)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the end")


def _item(data: bytes, at: int, depth: int) -> int:
    """Where the item that begins at `at` ends."""
    if depth == 0:
        raise ValueError("nested too deeply")
    major, info, argument, at = _head(data, at)
    if major in (2, 3):
        return _string(data, at, argument, text=major == 3)
    if major == 4:
        return _many(data, at, argument, depth)
    if major == 5:
        return _many(data, at, 2 * argument, depth)
    if major == 6:
        if argument != TYPED_ARRAY:
            raise ValueError(f"tag {argument} is not allowed")
        return _item(data, at, depth - 1)
    if major == 7 and info < 20:
        raise ValueError("an unassigned simple value")
    return at


def _head(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Major type, additional information, argument, where the content begins."""
    if at >= len(data):
        raise ValueError("cut off")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, info, at
    if info > 27:
        raise ValueError("an indefinite length")
    size = 1 << info - 24
    if at + size > len(data):
        raise ValueError("cut off")
    argument = int.from_bytes(data[at : at + size], "big")
    if major == 7:
        if info == 24:
            raise ValueError("an unassigned simple value")
    elif argument < (24 if size == 1 else 1 << 4 * size):
        raise ValueError("not written in the shortest form")
    return major, info, argument, at + size


def _string(data: bytes, at: int, length: int, *, text: bool) -> int:
    end = at + length
    if end > len(data):
        raise ValueError("cut off")
    if text:
        data[at:end].decode("utf-8")
    return end


def _many(data: bytes, at: int, count: int, depth: int) -> int:
    if count > len(data) - at:
        raise ValueError("cut off")
    for _ in range(count):
        at = _item(data, at, depth - 1)
    return at
