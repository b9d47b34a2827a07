"""Brokers, and what stands before them, as they must not be: small ones on loopback.

Each counts who connects, and knows as much of MQTT as it needs to be in the way.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from io import BufferedIOBase

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
ACCEPTED = {4: b"\x20\x02\x00\x00", 5: b"\x20\x03\x00\x00\x00"}


class Hostile(socketserver.ThreadingTCPServer):
    """A broker that lets everybody in and acknowledges everything; others are made of it."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Conversation)
        self.began = time.monotonic()
        self.connects: list[float] = []  #: seconds since the start
        self.packets: list[tuple[int, bytes]] = []  #: kind, body; of all conversations
        self.taken: list[tuple[str, bytes]] = []  #: topic, payload; what was acknowledged
        self.talking: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *failure: object) -> None:
        self.shutdown()
        self.server_close()
        for one in self.talking:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def published(self) -> list[tuple[str, bytes]]:
        """Topic and payload of everything that came, the user property left out."""
        return [topic_and_payload(body, 5) for kind, body in self.packets if kind >> 4 == PUBLISH]

    # what a hostile one does otherwise; None ends the conversation

    def greet(self, version: int) -> bytes | None:
        """The answer to CONNECT."""
        return ACCEPTED[version]

    def subscribed(self, packet: bytes, version: int) -> bytes | None:
        """The answer to SUBSCRIBE."""
        return reply(0x90, packet + (b"\x00\x01" if version == 5 else b"\x01"))

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        """The answer to PUBLISH."""
        return reply(0x40, packet)


class Conversation(socketserver.BaseRequestHandler):
    """One connection."""

    server: Hostile

    def handle(self) -> None:
        self.server.connects.append(time.monotonic() - self.server.began)
        self.server.talking = [*(one for one in self.server.talking if one.fileno() >= 0)]
        self.server.talking.append(self.request)
        self.request.settimeout(60)
        version = 0
        with contextlib.suppress(OSError):
            for head, body in packets(self.request):
                if head >> 4 == CONNECT:
                    version = body[6]
                self.server.packets.append((head, body))
                answer = self._answer(head, body, version)
                if answer is None:
                    return
                self.request.sendall(answer)

    def _answer(self, head: int, body: bytes, version: int) -> bytes | None:
        kind, server = head >> 4, self.server
        if kind == CONNECT:
            return server.greet(version)
        if kind == SUBSCRIBE:
            return server.subscribed(body[:2], version)
        if kind == PUBLISH and head & 0x06:
            length = struct.unpack(">H", body[:2])[0]
            topic, packet = body[2 : 2 + length].decode(), body[2 + length : 4 + length]
            answer = server.acknowledge(topic, packet, version)
            if answer and answer.startswith(b"\x40\x02"):
                server.taken.append(topic_and_payload(body, version))
            return answer
        return b"\xd0\x00" if kind == PINGREQ else (None if kind == DISCONNECT else b"")


def reply(head: int, body: bytes) -> bytes:
    """A short packet."""
    return bytes([head, len(body)]) + body


def packets(request: socket.socket) -> Iterator[tuple[int, bytes]]:
    """First byte and body of each packet of a conversation."""
    with request.makefile("rb") as stream:
        while head := stream.read(1):
            length = shift = 0
            while True:
                one = stream.read(1)[0]
                length |= (one & 127) << shift
                shift += 7
                if not one & 128:
                    break
            yield head[0], stream.read(length)


def topic_and_payload(body: bytes, version: int) -> tuple[str, bytes]:
    """Of a PUBLISH with QoS 1."""
    length = struct.unpack(">H", body[:2])[0]
    rest = body[4 + length :]
    return body[2 : 2 + length].decode(), rest[1 + rest[0] :] if version == 5 else rest


# -- each a kind of the world ---------------------------------------------------------------------


class HangsUp(Hostile):
    """docker-proxy, nginx, haproxy, ssh -L before a broker that restarts."""

    def greet(self, version: int) -> bytes | None:
        return None


class ClosesAfterConnack(Hostile):
    """Azure, AWS: a client they do not know."""

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self.connects.append(time.monotonic() - self.began)
        with contextlib.suppress(OSError):
            version = next(packets(request))[1][6]
            request.sendall(ACCEPTED[version])
            time.sleep(0.05)
            request.shutdown(socket.SHUT_RDWR)


class CutsAt(Hostile):
    """A policy of topics: cuts the line where it does not like one."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = kinds

    def subscribed(self, packet: bytes, version: int) -> bytes | None:
        return None if "down" in self.kinds else super().subscribed(packet, version)

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        return None if topic.split("/")[2] in self.kinds else reply(0x40, packet)


class Refuses(Hostile):
    """CONNACK with a reason: not authorized, quota exceeded, banned."""

    def __init__(self, code: int = 0x87) -> None:
        super().__init__()
        self.code = code

    def greet(self, version: int) -> bytes | None:
        if version == 5:
            return bytes([0x20, 3, 0, self.code, 0])
        return b"\x20\x02\x00\x05"


class Denies(Hostile):
    """PUBACK 0x87 for some topics, SUBACK 0x87 for `down`."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = kinds

    def subscribed(self, packet: bytes, version: int) -> bytes | None:
        refused = b"\x00\x87" if version == 5 else b"\x80"
        return (
            reply(0x90, packet + refused)
            if "down" in self.kinds
            else super().subscribed(packet, version)
        )

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        denied = topic.split("/")[2] in self.kinds
        return reply(0x40, packet + (b"\x87\x00" if denied else b""))


class Silent(Hostile):
    """Lets in, and never acknowledges a row."""

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        return reply(0x40, packet) if topic.endswith("state") else b""


class Garbage(Hostile):
    """Answers the first publish with what is no MQTT."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__()
        self.answer = answer

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        return self.answer or os.urandom(300)


class TakesOver(Hostile):
    """Another client comes by the same name as soon as this one has published."""

    def acknowledge(self, topic: str, packet: bytes, version: int) -> bytes | None:
        answer = reply(0x40, packet)
        if topic.endswith("state"):
            return answer
        self.packets.append((0, b"taken over"))
        return answer + (b"\xe0\x02\x8e\x00" if version == 5 else b"")


class OneRowEach(Hostile):
    """Takes one row, then hangs up without a word: 3.1.1, where the name is used twice."""

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self.connects.append(time.monotonic() - self.began)
        talk = Conversation.__new__(Conversation)
        talk.server, talk.request, version = self, request, 0
        with contextlib.suppress(OSError):
            for head, body in packets(request):
                version = body[6] if head >> 4 == CONNECT else version
                request.sendall(talk._answer(head, body, version) or b"")
                if head >> 4 == PUBLISH and b"/up" in body[:40]:
                    time.sleep(0.05)
                    return


class Limits(Hostile):
    """CONNACK with properties: what it does not offer."""

    def __init__(self, properties: bytes) -> None:
        super().__init__()
        self.properties = properties

    def greet(self, version: int) -> bytes | None:
        made = self.properties
        return reply(0x20, b"\x00\x00" + bytes([len(made)]) + made)


class NoRetain(Limits):
    """AWS IoT of old, many gateways: a retained will is refused."""

    def __init__(self) -> None:
        super().__init__(b"\x25\x00")

    def greet(self, version: int) -> bytes | None:
        flags = self.packets[-1][1][7]
        return super().greet(version) if not flags & 0x20 else b"\x20\x03\x00\x9a\x00"


class QosZero(Limits):
    """Takes nothing that wants an acknowledgement: neither will nor row."""

    def __init__(self) -> None:
        super().__init__(b"\x24\x00")

    def greet(self, version: int) -> bytes | None:
        flags = self.packets[-1][1][7]
        return super().greet(version) if not flags & 0x18 else b"\x20\x03\x00\x9b\x00"


class Older(Hostile):
    """Speaks 3.1.1 only, and says so."""

    def greet(self, version: int) -> bytes | None:
        return ACCEPTED[4] if version == 4 else b"\x20\x02\x00\x01"


class Floods(Older):
    """Has a retained message of 120 MB for `down`."""

    def subscribed(self, packet: bytes, version: int) -> bytes | None:
        topic, left = b"stadtsinn/ghs/down", 120_000_000
        head = bytearray(b"\x33")
        while left:
            left, low = divmod(left, 128)
            head.append(low | (128 if left else 0))
        start = struct.pack(">H", len(topic)) + topic + b"\x00\x07"
        return reply(0x90, packet + b"\x01") + bytes(head) + start + bytes(1_000_000)


# -- ways to a good broker ------------------------------------------------------------------------


class Way(socketserver.ThreadingTCPServer):
    """Stands before a broker that listens on `port` of the loopback."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Leads)
        self.port, self.requests = port, list[str]()  #: head of each request
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *failure: object) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, request: str) -> bytes:
        raise NotImplementedError

    def to_broker(self, stream: BufferedIOBase) -> bytes:
        """What the client says next; nothing at its end."""
        return stream.read1(4096)

    def to_client(self, data: bytes) -> bytes:
        return data


class Leads(socketserver.StreamRequestHandler):
    """One connection through a way."""

    server: Way

    def handle(self) -> None:
        lines = iter(self.rfile.readline, b"\r\n")
        request = b"".join(lines).decode()
        self.server.requests.append(request)
        answer = self.server.answer(request)
        self.request.sendall(answer)
        if b" 200 " not in answer and b" 101 " not in answer:
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as broker:
            threading.Thread(target=self._back, args=(broker,), daemon=True).start()
            with contextlib.suppress(OSError, IndexError):
                while data := self.server.to_broker(self.rfile):
                    broker.sendall(data)

    def _back(self, broker: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := broker.recv(4096):
                self.request.sendall(self.server.to_client(data))
            self.request.shutdown(socket.SHUT_RDWR)


class Proxy(Way):
    """HTTP CONNECT (RFC 9110, 9.3.6)."""

    def answer(self, request: str) -> bytes:
        return b"HTTP/1.1 200 Connection established\r\n\r\n"


class Websocket(Way):
    """MQTT in binary frames (RFC 6455)."""

    def answer(self, request: str) -> bytes:
        key = next(
            line.split(": ")[1]
            for line in request.splitlines()
            if line.lower().startswith("sec-websocket-key")
        )
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        more = f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        return (head + more).encode()

    def to_broker(self, stream: BufferedIOBase) -> bytes:
        length = stream.read(2)[1] & 127
        if length == 126:
            length = struct.unpack(">H", stream.read(2))[0]
        mask, data = stream.read(4), stream.read(length)
        return bytes(one ^ mask[at % 4] for at, one in enumerate(data))

    def to_client(self, data: bytes) -> bytes:
        length = len(data)
        head = bytes([0x82, length]) if length < 126 else b"\x82\x7e" + struct.pack(">H", length)
        return head + data
