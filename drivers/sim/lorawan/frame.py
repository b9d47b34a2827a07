"""LoRaWAN 1.0 frames as values: join request, join accept, data. L2 1.0.4, sections 4 and 6.2.

MHDR 1 | JoinEUI 8 | DevEUI 8 | DevNonce 2 | MIC 4                               join request
MHDR 1 | encrypted: JoinNonce 3 | NetID 3 | DevAddr 4 | DL 1 | delay 1 | CFList  join accept
MHDR 1 | DevAddr 4 | FCtrl 1 | FCnt 2 | FOpts 0..15 | FPort, FRMPayload | MIC 4  data
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.sim.lorawan.crypto import (
    DOWN,
    UP,
    cmac,
    data_mic,
    decrypt,
    encrypt,
    payload_cipher,
)

JOIN_REQUEST, JOIN_ACCEPT = 0x00, 0x20
DATA_UP, DATA_DOWN, CONFIRMED_UP, CONFIRMED_DOWN = 0x40, 0x60, 0x80, 0xA0
ADR, ADR_ACK_REQ, ACK, PENDING = 0x80, 0x40, 0x20, 0x10


class FrameError(ValueError):
    """Bytes that are no frame, or whose integrity code is wrong."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """An end device asks for a session."""

    join_eui: bytes  #: most significant byte first, as printed on labels
    dev_eui: bytes
    dev_nonce: int

    def build(self, app_key: bytes) -> bytes:
        """The frame with its code."""
        body = bytes([JOIN_REQUEST]) + self.join_eui[::-1] + self.dev_eui[::-1]
        body += self.dev_nonce.to_bytes(2, "little")
        return body + cmac(app_key, body)

    @classmethod
    def parse(cls, frame: bytes) -> JoinRequest:
        """Read a frame; `authentic` checks its code once the key is known. Raises FrameError."""
        if len(frame) != 23 or frame[0] != JOIN_REQUEST:
            raise FrameError("no join request")
        nonce = int.from_bytes(frame[17:19], "little")
        return cls(frame[1:9][::-1], frame[9:17][::-1], nonce)


def authentic(frame: bytes, app_key: bytes) -> bool:
    """Whether a join request carries the right code."""
    return cmac(app_key, frame[:-4]) == frame[-4:]


@dataclass(frozen=True, slots=True)
class JoinAccept:
    """The network grants a session."""

    join_nonce: int
    net_id: int
    address: int
    rx1_offset: int = 0
    rx2_data_rate: int = 0
    delay_s: int = 1
    channels: tuple[int, ...] = ()  #: up to five frequencies in Hz, CFList type 0

    def build(self, app_key: bytes) -> bytes:
        """The frame. It is "encrypted" by AES decryption, so that devices need one direction."""
        body = self.join_nonce.to_bytes(3, "little") + self.net_id.to_bytes(3, "little")
        body += self.address.to_bytes(4, "little")
        body += bytes([self.rx1_offset << 4 | self.rx2_data_rate, self.delay_s])
        if self.channels:
            hundreds = [hz // 100 for hz in self.channels] + [0] * (5 - len(self.channels))
            body += b"".join(value.to_bytes(3, "little") for value in hundreds) + b"\0"
        head = bytes([JOIN_ACCEPT])
        return head + decrypt(app_key, body + cmac(app_key, head + body))

    @classmethod
    def parse(cls, frame: bytes, app_key: bytes) -> JoinAccept:
        """Decrypt and check a frame. Raises FrameError."""
        if len(frame) not in (17, 33) or frame[0] != JOIN_ACCEPT:
            raise FrameError("no join accept")
        clear = encrypt(app_key, frame[1:])
        body, code = clear[:-4], clear[-4:]
        if cmac(app_key, frame[:1] + body) != code:
            raise FrameError("join accept: wrong MIC")
        listed = body[12:27]
        channels = [int.from_bytes(listed[i : i + 3], "little") for i in range(0, len(listed), 3)]
        return cls(
            join_nonce=int.from_bytes(body[0:3], "little"),
            net_id=int.from_bytes(body[3:6], "little"),
            address=int.from_bytes(body[6:10], "little"),
            rx1_offset=body[10] >> 4 & 7,
            rx2_data_rate=body[10] & 15,
            delay_s=body[11] & 15 or 1,
            channels=tuple(100 * value for value in channels if value),
        )


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame in clear."""

    kind: int
    address: int
    counter: int  #: all 32 bits
    flags: int = 0
    options: bytes = b""  #: FOpts: MAC commands
    port: int | None = None
    payload: bytes = b""

    @property
    def confirmed(self) -> bool:
        """Whether the sender wants an acknowledgement."""
        return self.kind in (CONFIRMED_UP, CONFIRMED_DOWN)

    def build(self, network_key: bytes, application_key: bytes) -> bytes:
        """The frame, encrypted and with its code."""
        way = _way(self.kind)
        head = bytes([self.kind]) + self.address.to_bytes(4, "little")
        head += bytes([self.flags | len(self.options)])
        head += (self.counter & 0xFFFF).to_bytes(2, "little") + self.options
        if self.port is not None:
            key = application_key if self.port else network_key
            head += bytes([self.port])
            head += payload_cipher(key, way, self.address, self.counter, self.payload)
        return head + data_mic(network_key, way, self.address, self.counter, head)

    @classmethod
    def parse(cls, frame: bytes, network_key: bytes, application_key: bytes, last: int) -> Data:
        """Check and decrypt a frame; `last` is the newest counter known. Raises FrameError."""
        kind, address, low = head_of(frame)
        way, counter = _way(kind), whole_counter(low, last)
        body = frame[:-4]
        if data_mic(network_key, way, address, counter, body) != frame[-4:]:
            raise FrameError("wrong MIC")
        end = 8 + (frame[5] & 15)
        if end > len(body):
            raise FrameError("options longer than the frame")
        port = body[end] if len(body) > end else None
        key = application_key if port else network_key
        clear = payload_cipher(key, way, address, counter, body[end + 1 :])
        return cls(kind, address, counter, frame[5] & 0xF0, body[8:end], port, clear)


def head_of(frame: bytes) -> tuple[int, int, int]:
    """(kind, DevAddr, low 16 bits of the counter) of a data frame. Raises FrameError."""
    if len(frame) < 12 or frame[0] not in (DATA_UP, DATA_DOWN, CONFIRMED_UP, CONFIRMED_DOWN):
        raise FrameError("no data frame")
    return frame[0], int.from_bytes(frame[1:5], "little"), int.from_bytes(frame[6:8], "little")


def whole_counter(low: int, last: int) -> int:
    """The 32-bit counter with the low half `low`, nearest to `last` (-1: none seen yet)."""
    counter = (max(last, 0) & ~0xFFFF) | low
    return counter + 0x10000 if last - counter > 0x8000 else counter


def _way(kind: int) -> int:
    return UP if kind in (DATA_UP, CONFIRMED_UP) else DOWN
