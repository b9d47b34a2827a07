"""MAC commands as (identifier, body) pairs. L2 1.0.4, chapter 5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LINK_CHECK, LINK_ADR, DUTY_CYCLE, RX_PARAM, DEV_STATUS = 0x02, 0x03, 0x04, 0x05, 0x06
NEW_CHANNEL, RX_TIMING, TX_PARAM, DL_CHANNEL, DEVICE_TIME = 0x07, 0x08, 0x09, 0x0A, 0x0D

TO_DEVICE = {
    LINK_CHECK: 2,
    LINK_ADR: 4,
    DUTY_CYCLE: 1,
    RX_PARAM: 4,
    DEV_STATUS: 0,
    NEW_CHANNEL: 5,
    RX_TIMING: 1,
    TX_PARAM: 1,
    DL_CHANNEL: 4,
    DEVICE_TIME: 5,
}
TO_NETWORK = {
    LINK_CHECK: 0,
    LINK_ADR: 1,
    DUTY_CYCLE: 0,
    RX_PARAM: 1,
    DEV_STATUS: 2,
    NEW_CHANNEL: 1,
    RX_TIMING: 0,
    TX_PARAM: 0,
    DL_CHANNEL: 1,
    DEVICE_TIME: 0,
}
GPS_EPOCH = 315_964_800  # 1980-01-06 in unix time
LEAP_S = 18  # GPS is ahead of UTC since 2017

Command = tuple[int, bytes]


def split(stream: bytes, lengths: dict[int, int]) -> Iterator[Command]:
    """The commands of a stream; an unknown or cut one ends it, its length is not known."""
    at = 0
    while at < len(stream) and stream[at] in lengths:
        end = at + 1 + lengths[stream[at]]
        if end > len(stream):
            return
        yield stream[at], stream[at + 1 : end]
        at = end


def join(commands: Iterable[Command], room: int = 15) -> bytes:
    """As many commands, in order, as `room` bytes take."""
    stream = b""
    for identifier, body in commands:
        if len(stream) + 1 + len(body) > room:
            break
        stream += bytes([identifier]) + body
    return stream


def device_time(unix: float) -> bytes:
    """Body of a DeviceTimeAns: GPS seconds and 1/256 s."""
    ticks = round((unix - GPS_EPOCH + LEAP_S) * 256)
    return (ticks // 256).to_bytes(4, "little") + bytes([ticks % 256])


def unix_time(body: bytes) -> float:
    """Unix seconds of a DeviceTimeAns."""
    return int.from_bytes(body[:4], "little") + body[4] / 256 + GPS_EPOCH - LEAP_S
