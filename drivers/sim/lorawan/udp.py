"""The Semtech UDP packet-forwarder protocol: one simulated gateway on any real network server.

Semtech, Lora-net/packet_forwarder PROTOCOL.TXT, version 2:

    02 | token 2 | kind 1 | gateway 8 (PUSH_DATA, PULL_DATA, TX_ACK) | JSON
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from drivers.sim.lorawan.air import Heard
from drivers.sim.lorawan.region import Radio, data_rate_named

VERSION = 2
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = range(6)
PORT = 1700
WRAP_US = 1 << 32
TOLERANCE_US = 20_000
KEPT = 16  # downlinks waiting for a window


def machine_eui() -> bytes:
    """An EUI-64 for a gateway that nobody else has: a network server takes two of one for one.

    From the machine's network address, so that it is the same in each run; the second lowest bit of
    its first byte says that no maker has given it (IEEE, guidelines for EUI).
    """
    return b"\xaa" + hashlib.sha256(b"stadtsinn%d" % uuid.getnode()).digest()[:7]


class PacketForwarder:
    """A gateway that hears exactly one device. Needs real time: the server answers by its clock."""

    def __init__(
        self,
        url: str,
        gateway: bytes | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        where = urlsplit(url)
        if where.scheme != "udp" or not where.hostname:
            raise ValueError(f"{url}: expected udp://host:port")
        self.gateway, self.utc = gateway or machine_eui(), now or time.time
        self.acknowledged = 0  #: PUSH_ACK and PULL_ACK received
        self._token = 0
        self._waiting: list[Mapping[str, Any]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((where.hostname, where.port or PORT))
        self._socket.setblocking(False)
        self._send(PULL_DATA)

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def transmit(self, frame: bytes, radio: Radio, end: float) -> None:
        """Forward an uplink; its counter is the end of the transmission in microseconds."""
        self._send(PULL_DATA)  # opens the way back
        received = {
            "tmst": round(end * 1e6) % WRAP_US,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(self.utc())),
            "freq": radio.frequency_hz / 1e6,
            "chan": 0,
            "rfch": 0,
            "stat": 1,
            "modu": "LORA",
            "datr": radio.name,
            "codr": "4/5",
            "rssi": -52,
            "lsnr": 8.0,
            "size": len(frame),
            "data": base64.b64encode(frame).decode(),
        }
        self._send(PUSH_DATA, {"rxpk": [received]})

    def listen(self, radio: Radio, at: float) -> Heard | None:
        """The downlink the server has sent for this moment, channel and data rate."""
        self._collect()
        moment = round(at * 1e6) % WRAP_US
        for one in self._waiting:
            if self._fits(one, radio, moment):
                self._waiting.remove(one)
                return Heard(base64.b64decode(one["data"]))
        return None

    def _fits(self, sent: Mapping[str, Any], radio: Radio, moment: int) -> bool:
        apart = (sent.get("tmst", -WRAP_US) - moment + WRAP_US // 2) % WRAP_US - WRAP_US // 2
        channel = round(sent["freq"] * 1e6), data_rate_named(sent["datr"])
        return abs(apart) < TOLERANCE_US and channel == (radio.frequency_hz, radio.data_rate)

    def _collect(self) -> None:
        """Take every datagram that has arrived."""
        while True:
            try:
                datagram = self._socket.recv(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if len(datagram) < 4 or datagram[0] != VERSION:
                continue
            if datagram[3] in (PUSH_ACK, PULL_ACK):
                self.acknowledged += 1
            elif datagram[3] == PULL_RESP:
                self._take(datagram)

    def _take(self, datagram: bytes) -> None:
        try:
            sent = json.loads(datagram[4:])["txpk"]
            data_rate_named(sent["datr"]), base64.b64decode(sent["data"]), float(sent["freq"])
        except (ValueError, KeyError, TypeError):
            return
        self._waiting = [*self._waiting, sent][-KEPT:]
        self._send(TX_ACK, {"txpk_ack": {"error": "NONE"}}, token=datagram[1:3])

    def _send(self, kind: int, body: object = None, token: bytes | None = None) -> None:
        if token is None:
            self._token = (self._token + 1) % 65536
            token = self._token.to_bytes(2, "big")
        text = json.dumps(body).encode() if body is not None else b""
        try:
            self._socket.send(bytes([VERSION]) + token + bytes([kind]) + self.gateway + text)
        except ConnectionRefusedError:
            return  # nobody listens there yet; the next frame tries again
