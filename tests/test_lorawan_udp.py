"""The packet-forwarder protocol on loopback: a far side in front of the network server."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers.keys import Keys
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.events import Joined, Received
from drivers.sim.lorawan.kept_nonces import kept_memory
from drivers.sim.lorawan.network import SimNetwork
from drivers.sim.lorawan.region import Radio
from drivers.sim.lorawan.rui3 import RAK3172Twin
from drivers.sim.lorawan.server import NetworkServer
from drivers.sim.lorawan.udp import PacketForwarder, machine_eui
from tests.lorawan_kit import APP_KEY, DEV_EUI, JOIN_EUI
from tests.sure import sure


class FarSide:
    """A real socket on loopback that answers as Semtech's protocol says, from a NetworkServer."""

    def __init__(self) -> None:
        self.server = NetworkServer()
        self.server.register(DEV_EUI, JOIN_EUI, APP_KEY)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2)
        self.url = f"udp://127.0.0.1:{self.socket.getsockname()[1]}"
        self.pull = None
        self.acks: list[bytes] = []
        self.garble = False

    def serve(self, kinds: int) -> None:
        """Take so many datagrams."""
        for _ in range(kinds):
            datagram, sender = self.socket.recvfrom(65536)
            assert datagram[0] == 2
            if datagram[3] == 0:
                self.socket.sendto(datagram[:3] + b"\x01", sender)
                (received,) = json.loads(datagram[12:])["rxpk"]
                self.uplink(received)
            elif datagram[3] == 2:
                self.pull = sender
                self.socket.sendto(datagram[:3] + b"\x04", sender)
            elif datagram[3] == 5:
                self.acks.append(datagram)

    def uplink(self, received: dict[str, Any]) -> None:
        """Give it to the network server and send its answer for RX1 back."""
        frame = base64.b64decode(received["data"])
        assert received["size"] == len(frame)
        assert received["datr"] == "SF7BW125"
        assert received["codr"] == "4/5"
        end, hz = received["tmst"] / 1e6, round(received["freq"] * 1e6)
        self.server.transmit(frame, Radio(hz, 5), end)
        delay = 5 if frame[0] == 0 else 1
        heard = self.server.listen(Radio(hz, 5), end + delay)
        if heard is None:
            return
        sent = {
            "tmst": received["tmst"] + delay * 1_000_000,
            "freq": received["freq"],
            "rfch": 0,
            "powe": 14,
            "modu": "LORA",
            "datr": "SF7BW125",
            "codr": "4/5",
            "ipol": True,
            "size": len(heard.frame),
            "data": base64.b64encode(heard.frame).decode(),
        }
        if self.garble:
            for noise in (b"", b"\x01\0\0\x03", b"\x02\0\0\x03{", b'\x02\0\0\x03{"txpk": {}}'):
                self.socket.sendto(noise, sure(self.pull))
        text = json.dumps({"txpk": sent}).encode()
        self.socket.sendto(b"\x02\x12\x34\x03" + text, sure(self.pull))


@pytest.fixture
def far() -> Iterator[FarSide]:
    made = FarSide()
    yield made
    made.socket.close()


def test_device_joins_and_talks_through_the_packet_forwarder(far: FarSide) -> None:
    forwarder = PacketForwarder(far.url, gateway=bytes.fromhex("aa555a0000000101"))
    device, events = Device(forwarder), []
    device.dev_eui, device.join_eui, device.app_key = DEV_EUI, JOIN_EUI, APP_KEY
    device.memory.data_rate = 5
    device.tell = lambda event, at: events.append(event)
    device.join(0.0)
    device.advance(0.5)
    far.serve(3)
    device.advance(6.0)
    far.serve(1)
    assert any(isinstance(event, Joined) for event in events)
    assert far.acks[0][1:12] == b"\x12\x34\x05" + bytes.fromhex("aa555a0000000101")
    assert json.loads(far.acks[0][12:]) == {"txpk_ack": {"error": "NONE"}}

    far.garble = True
    far.server.enqueue(DEV_EUI, 20, b"down")
    device.send(b"up", 10, 20.0)
    device.advance(20.5)
    far.serve(2)
    device.advance(30.0)
    far.serve(1)
    assert far.server.uplinks[0].payload == b"up"
    assert [event.payload for event in events if isinstance(event, Received)] == [b"down"]
    assert forwarder.acknowledged == 5
    forwarder.close()


def test_nobody_at_the_other_end_is_silence_not_an_error(far: FarSide) -> None:
    url = far.url
    far.socket.close()
    forwarder = PacketForwarder(url)
    for second in range(3):
        forwarder.transmit(b"\0" * 23, Radio(868_100_000, 5), float(second))
        assert forwarder.listen(Radio(868_100_000, 5), second + 5.0) is None
    forwarder.close()


def test_nonces_survive_runs_and_a_torn_file_begins_anew(tmp_path: Path) -> None:
    for run in range(3):
        memory = kept_memory("70B3D57ED0051234", tmp_path)
        assert memory.dev_nonce == 2 * run
        memory.dev_nonce += 1  # a join
        memory.dev_nonce += 1  # and another
        memory.join_nonce = 10 + run
    assert kept_memory("70b3d57ed0051234", tmp_path).join_nonce == 12
    assert kept_memory("0000000000000001", tmp_path).dev_nonce == 0
    (tmp_path / "70b3d57ed0051234.nonces").write_text("[4")
    assert kept_memory("70B3D57ED0051234", tmp_path).dev_nonce == 0


def test_a_device_of_two_runs_uses_no_nonce_twice(tmp_path: Path) -> None:
    used = []
    for _ in range(2):
        network = SimNetwork(0.0, NetworkServer(), lambda eui: kept_memory(eui, tmp_path))
        keys = Keys(DEV_EUI.hex(), JOIN_EUI.hex(), APP_KEY.hex())
        device = network.modem(keys, RAK3172Twin).device
        device.dev_eui, device.join_eui, device.app_key = DEV_EUI, JOIN_EUI, APP_KEY
        device.join(0.0)
        used.append(device.memory.dev_nonce)
    assert used == [1, 2]


def test_the_gateway_is_one_of_this_machine_or_the_one_that_is_given(far: FarSide) -> None:
    with closing(PacketForwarder(far.url)) as one, closing(PacketForwarder(far.url)) as again:
        assert one.gateway == again.gateway == machine_eui()
    assert machine_eui()[0] & 0b10, "locally administered"
    with closing(PacketForwarder(far.url, bytes(range(8)))) as given:
        assert given.gateway == bytes(range(8))
