"""Frames of the simulated MAC and server, read by an implementation nobody here wrote.

npm `lora-packet` (anthonykirby/lora-packet), run with node.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from drivers.sim.lorawan import mac_codec as mac
from drivers.sim.lorawan.air import Heard
from drivers.sim.lorawan.crypto import session_keys
from drivers.sim.lorawan.region import Radio
from tests.lorawan_kit import APP_KEY, DEV_EUI, JOIN_EUI, Field
from tests.sure import sure

MODULES = Path(__file__).parents[1] / ".node" / "node_modules"
READ = """
const lora = require(process.argv[1] + '/lora-packet');
const hex = text => Buffer.from(text, 'hex');
const jobs = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const out = jobs.map(job => {
  const packet = lora.fromWire(hex(job.frame));
  const fields = { type: packet.getMType() };
  if (job.appKey && job.accept) {
    const clear = lora.decryptJoinAccept(packet, hex(job.appKey));
    const accept = lora.fromWire(clear);
    fields.mic = lora.verifyMIC(accept, null, hex(job.appKey));
    fields.address = accept.DevAddr.toString('hex');
    fields.netId = accept.NetID.toString('hex');
    fields.joinNonce = accept.AppNonce.toString('hex');
    fields.delay = accept.RxDelay[0];
    fields.channels = accept.CFList.toString('hex');
  } else if (job.appKey) {
    fields.mic = lora.verifyMIC(packet, null, hex(job.appKey));
    fields.joinEui = packet.AppEUI.toString('hex');
    fields.devEui = packet.DevEUI.toString('hex');
    fields.nonce = packet.DevNonce.readUInt16BE();
  } else {
    const nwk = hex(job.nwk), app = hex(job.app), high = Buffer.alloc(2);
    high.writeUInt16LE(job.high || 0);
    fields.mic = lora.verifyMIC(packet, nwk, app, high);
    fields.address = packet.DevAddr.toString('hex');
    fields.count = packet.getFCnt();
    fields.port = packet.getFPort();
    fields.ack = packet.getFCtrlACK();
    fields.adr = packet.getFCtrlADR();
    fields.pending = packet.getFCtrlFPending();
    fields.options = packet.FOpts ? packet.FOpts.toString('hex') : '';
    const payload = lora.decrypt(packet, app, nwk, high);
    fields.payload = payload ? payload.toString('hex') : '';
  }
  return fields;
});
console.log(JSON.stringify(out));
"""


def node() -> str:
    """The interpreter, or a skipped test that says why."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    if not (MODULES / "lora-packet").is_dir():
        pytest.skip("lora-packet is not installed under .node")
    return found


def read_by_lora_packet(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What lora-packet makes of each frame."""
    command = [node(), "-e", READ, str(MODULES)]
    done = subprocess.run(
        command, input=json.dumps(jobs), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    said: list[dict[str, Any]] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def session() -> tuple[Field, list[bytes]]:
    """A joined device that has sent and received a bit of everything; and all downlinks."""
    field, downlinks = Field(), list[bytes]()
    hear = field.server.listen

    def listen(radio: Radio, at: float) -> Heard | None:
        heard = hear(radio, at)
        if heard:
            downlinks.append(heard.frame)
        return heard

    field.server.listen = listen  # type: ignore[method-assign]
    field.join()
    field.send(bytes(range(40)), port=10)
    field.server.enqueue(DEV_EUI, 20, b"\x85\x01\x18\x2a\x01\x01\x05", confirmed=True)
    field.server.enqueue(DEV_EUI, 20, b"more")
    field.device.requests = [mac.LINK_CHECK, mac.DEVICE_TIME]
    field.send(b"alarm", port=12, confirmed=True, tries=2)
    field.send(b"", port=1)
    sure(field.device.session).up = field.known.up = 70_000
    field.send(b"beyond sixteen bits", port=11)
    return field, downlinks


def keys(field: Field) -> dict[str, str]:
    """Session keys as the reader wants them."""
    held = sure(field.device.session)
    return {"nwk": held.network_key.hex(), "app": held.application_key.hex()}


def test_join_request_and_accept_are_read(session: tuple[Field, list[bytes]]) -> None:
    field, downlinks = session
    request, accept = read_by_lora_packet(
        [
            {"frame": field.air.log[0][2].hex(), "appKey": APP_KEY.hex()},
            {"frame": downlinks[0].hex(), "appKey": APP_KEY.hex(), "accept": True},
        ]
    )
    assert request["mic"] is True
    assert (request["joinEui"], request["devEui"]) == (JOIN_EUI.hex(), DEV_EUI.hex())
    assert request["nonce"] == 0
    assert accept["mic"] is True
    assert int(accept["address"], 16) == sure(field.device.session).address
    assert (accept["netId"], accept["joinNonce"], accept["delay"]) == ("000013", "000001", 1)
    assert len(accept["channels"]) == 32


def test_uplinks_are_read(session: tuple[Field, list[bytes]]) -> None:
    field, _ = session
    frames = [frame for _, _, frame in field.air.log[1:]]
    jobs: list[dict[str, Any]] = [{"frame": frame.hex(), **keys(field)} for frame in frames]
    jobs[-1]["high"] = 1
    first, alarm, empty, far = read_by_lora_packet(jobs)
    assert all(one["mic"] is True and one["adr"] is True for one in (first, alarm, empty, far))
    assert (first["type"], first["port"]) == ("Unconfirmed Data Up", 10)
    assert first["payload"] == bytes(range(40)).hex()
    assert (alarm["type"], alarm["payload"]) == ("Confirmed Data Up", b"alarm".hex())
    assert alarm["options"] == "020d"
    assert (empty["port"], empty["ack"], empty["payload"]) == (1, True, "")
    assert far["payload"] == b"beyond sixteen bits".hex()


def test_downlinks_are_read(session: tuple[Field, list[bytes]]) -> None:
    field, downlinks = session
    jobs = [{"frame": frame.hex(), **keys(field)} for frame in downlinks[1:]]
    ack, more = read_by_lora_packet(jobs)
    assert ack["mic"] is True
    assert more["mic"] is True
    assert (ack["type"], ack["ack"], ack["pending"]) == ("Confirmed Data Down", True, True)
    assert (ack["port"], ack["payload"]) == (20, "8501182a010105")
    assert ack["options"].startswith("021001")
    assert (more["type"], more["payload"]) == ("Unconfirmed Data Down", b"more".hex())


def test_session_keys_are_those_of_lora_packet() -> None:
    script = """
    const lora = require(process.argv[1] + '/lora-packet');
    const hex = text => Buffer.from(text, 'hex');
    const made = lora.generateSessionKeys10(
      hex('2b7e151628aed2a6abf7158809cf4f3c'), hex('000013'), hex('00abcd'), hex('0102'));
    console.log(made.NwkSKey.toString('hex'), made.AppSKey.toString('hex'));
    """
    done = subprocess.run(
        [node(), "-e", script, str(MODULES)], capture_output=True, text=True, timeout=30, check=True
    )
    ours = session_keys(APP_KEY, 0x00ABCD, 0x13, 0x0102)
    assert done.stdout.split() == [key.hex() for key in ours]
