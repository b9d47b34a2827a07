"""The MQTT link against a real mosquitto."""

import json
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTv311
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent import codec
from agent.clock import Clock
from agent.codec import Style, decoder
from agent.config.sections import MqttConfig
from agent.demo.broker import Broker, free_port
from agent.model.batch import EVENT, HELLO, SLICE, Batch, Layout, Message, Row
from agent.model.schema import Cell, Missing, registered_schemas
from agent.transport.links import LinkError, broker_line
from agent.transport.links import mqtt as module
from agent.transport.links.encoder import Encoder
from agent.transport.links.inbox import LONGEST_DOWNLINK
from agent.transport.links.json_bodies import json_bodies
from agent.transport.links.listen import Listener
from agent.transport.links.mqtt import MqttLink

FRAME = bytes.fromhex("84011a01c1868501890a0a0a0a0a0a0a0a0a")
ROWS = Batch("live")
NEWEST = 1_767_606_060  # 2026-01-05T09:41:00Z
PATIENCE_S = 60.0  #: of a wait that ends when it comes true; no test asserts how long it takes
Make = Callable[..., MqttLink]


def message(kind: int, body: bytes = b"") -> Batch:
    return Batch("message", Message(0, kind, 0, 0, None, body))


def school(*rows: Sequence[Cell]) -> Batch:
    """Rows of the school schema, a minute apart, newest first."""
    layout = Layout(1, "air", registered_schemas()[1], 60)
    kept = [
        Row(len(rows) - back, 1, 0, NEWEST - 60 * back, codec.cells_to_bytes(cells))
        for back, cells in enumerate(rows)
    ]
    return Batch("live", layout=layout, rows=kept, boot=1)


class Heard:
    """What a listener took down, by topic word."""

    def __init__(self, url: str) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.listener = Listener(url, "ghs", lambda *message: self.messages.append(message))
        self.listener.start()

    def wait_for(self, topic: str, seconds: float = PATIENCE_S) -> bytes:
        return until(lambda: next((p for t, p in self.messages if t == topic), None), seconds)


def until(ask: Callable[[], object], seconds: float = PATIENCE_S) -> bytes:
    """The first true answer; fails the test if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer  # type: ignore[return-value]
        time.sleep(0.01)
    raise AssertionError("nothing came")


def connected(link: MqttLink, seconds: float = PATIENCE_S) -> MqttLink:
    def up() -> bool:
        try:
            return link.room() > 0
        except LinkError:
            return False

    until(up, seconds)
    return link


@pytest.fixture
def make() -> Iterator[Make]:
    """Builds links and closes them."""
    made: list[MqttLink] = []

    def build(url: str, **options: object) -> MqttLink:
        config = MqttConfig(name="city", url=url, **options)  # type: ignore[arg-type]
        encoder = Encoder(Clock(), Style(whole_slots=True))
        stopping = threading.Event()
        link = MqttLink(config, "ghs", Clock(), threading.Event(), encoder, stopping)
        made.append(link)
        return link

    yield build
    for link in made:
        link.close()


@pytest.fixture
def heard(broker: Broker) -> Iterator[Heard]:
    one = Heard(broker.url)
    yield one
    one.listener.stop()


def test_a_frame_is_acknowledged_and_arrives_on_its_topic(
    broker: Broker, heard: Heard, make: Make
) -> None:
    link = connected(make(broker.url))
    link.send(FRAME, ROWS)
    link.send(b"\x86\x20...", message(EVENT))
    link.send(b"hello", message(HELLO))
    assert heard.wait_for("up") == FRAME
    assert heard.wait_for("event") == b"\x86\x20..."
    assert heard.wait_for("hello") == b"hello"
    assert b'"online"' in heard.wait_for("state")


def test_a_schema_is_retained_under_its_number(broker: Broker, make: Make) -> None:
    link = connected(make(broker.url))
    schema = registered_schemas()[1]
    body = codec.slice_body(1, 9, 0, schema.fields)
    frame = codec.cbor.dump([SLICE, *codec.cbor.load(body)])
    link.send(frame, message(SLICE, body))
    late = Heard(broker.url)
    assert late.wait_for("schema/1") == frame
    late.listener.stop()


def test_rows_go_out_as_json_too_if_the_profile_wants_it(
    broker: Broker, heard: Heard, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(decoder, "decode")  # nothing decodes what was just encoded
    link = connected(make(broker.url, json=True))
    delivered = link.deliver(school([10] * 9))
    assert delivered.bodies == (FRAME,)
    assert heard.wait_for("json").startswith(b'{"time":"2026-01-05T09:41:00Z","temp":0.1,"hum":1.0')
    assert heard.wait_for("up") == FRAME


def test_json_rows_are_what_a_receiver_makes_of_the_frame() -> None:
    schema, gone = registered_schemas()[1], Missing.NOT_AVAILABLE
    rows = [
        [2145, 473, gone, 3, Missing.FAILED, 4, 5, 6, 7],
        [-1200, Missing.BELOW, gone, gone, Missing.ABOVE, 4, 5, 6, 7],
    ]
    for kept in ([*rows], rows[:1], [[gone] * 9]):
        encoded = Encoder(Clock(), Style(whole_slots=True)).encode(school(*kept), 4096)
        data = decoder.decode(encoded.frames[0], registered_schemas().get)
        assert isinstance(data, decoder.Data)
        made = [json.loads(one) for one in json_bodies(encoded)]
        assert made == decoder.json_rows(data, schema, None)
        assert len(made) == len(kept)


def test_a_closed_link_says_offline(broker: Broker, heard: Heard, make: Make) -> None:
    connected(make(broker.url)).close()
    until(lambda: any(b'"offline"' in payload for _, payload in heard.messages))


def test_an_absent_broker_is_one_clear_reason_and_the_link_comes_by_itself(
    tmp_path: Path, make: Make
) -> None:
    broker = Broker(tmp_path / "broker")
    link = make(broker.url)
    with pytest.raises(LinkError):
        link.room()
    until(lambda: link.line.reason == "the broker cannot be reached: connection refused")
    broker.start()
    woken = time.monotonic()
    assert link.wake.wait(PATIENCE_S)
    link.send(FRAME, ROWS)
    assert time.monotonic() - woken < 3
    broker.stop()


def test_a_lost_connection_is_noticed_and_mended(tmp_path: Path, make: Make) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    link = connected(make(broker.url))
    broker.kill()
    until(lambda: link.line.ready is None)
    with pytest.raises(LinkError, match=r"connection lost|cannot be reached"):
        link.send(FRAME, ROWS)
    broker.start()
    connected(link).send(FRAME, ROWS)
    broker.stop()


def test_a_silent_broker_is_given_up_and_the_frame_stays_owed(
    broker: Broker, heard: Heard, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACK_S", 0.5)
    link = connected(make(broker.url))
    broker.freeze()
    with pytest.raises(LinkError, match="no acknowledgement"):
        link.send(FRAME, ROWS)
    broker.thaw()
    connected(link).send(FRAME, ROWS)
    assert heard.wait_for("up") == FRAME


def test_a_broker_that_accepts_and_never_answers_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_line, "CONNACK_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = make(f"mqtt://127.0.0.1:{server.getsockname()[1]}")

        def named() -> bool:
            try:
                link.room()
            except LinkError as error:
                return "does not answer" in error.reason
            return False

        until(named)


def test_a_broker_whose_packets_are_too_small_costs_no_row(broker: Broker, make: Make) -> None:
    link = connected(make(broker.url))
    allowed = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    allowed.MaximumPacketSize = 60
    link.line.allowed.take(allowed)
    with pytest.raises(LinkError, match="packets of at most 60 bytes: too small") as caught:
        link.room()
    assert caught.value.retry_s > 0  # asked again at the next row: it costs nothing


def test_a_json_row_too_long_for_the_broker_does_not_hold_up_its_frame(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(tmp_path / "broker", extra="max_packet_size 150")
    broker.start()
    link, heard = connected(make(broker.url, json=True)), Heard(broker.url)
    for _ in range(3):
        link.deliver(school([10] * 9))
    assert heard.wait_for("up") == FRAME
    assert caplog.text.count("a row as JSON is longer than the broker takes") == 1
    heard.listener.stop()
    broker.stop()


class OldBroker(socketserver.ThreadingTCPServer):
    """Stands before a broker and refuses MQTT 5, with an answer or by hanging up."""

    daemon_threads = True

    def __init__(self, port: int, refusal: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Gate)
        self.port, self.refusal = port, refusal
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.server_address[1]}"


class Gate(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: OldBroker = self.server  # type: ignore[assignment]
        first = self.request.recv(4096)
        if first[first.index(b"MQTT") + 4] == 5:
            self.request.sendall(server.refusal)
            return
        with socket.create_connection(("127.0.0.1", server.port)) as behind:
            behind.sendall(first)
            back = threading.Thread(target=pour, args=(behind, self.request), daemon=True)
            back.start()
            pour(self.request, behind)


def pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b""], ids=["says so", "hangs up"])
def test_a_broker_of_the_older_version_is_spoken_to_in_it(
    broker: Broker, heard: Heard, make: Make, refusal: bytes
) -> None:
    with OldBroker(broker.port, refusal) as old:
        link = connected(make(old.url), 15)
        assert link.line.version == MQTTv311
        link.send(FRAME, ROWS)
        assert heard.wait_for("up") == FRAME
        link.close()
        old.shutdown()


def test_the_broker_limits_the_size_of_a_frame(tmp_path: Path, make: Make) -> None:
    broker = Broker(tmp_path / "broker", extra="max_packet_size 300")
    broker.start()
    link = connected(make(broker.url))
    assert 200 < link.room() < 300
    link.send(bytes(link.room()), ROWS)
    broker.stop()


def passwords(folder: Path) -> str:
    """A broker that wants user and password, and lets the node write only its own topics."""
    folder.mkdir()
    users, rules = folder / "users", folder / "acl"
    command = ["mosquitto_passwd", "-b", "-c", str(users), "ghs", "geheim"]
    subprocess.run(command, check=True, capture_output=True)
    rules.write_text("user ghs\ntopic readwrite stadtsinn/ghs/state\ntopic read stadtsinn/ghs/#\n")
    for path in (users, rules):
        path.chmod(0o600)
    return f"allow_anonymous false\npassword_file {users}\nacl_file {rules}"


def test_a_wrong_password_is_said_without_saying_it(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(tmp_path / "broker", extra=passwords(tmp_path / "auth"))
    broker.start()
    (tmp_path / "password").write_text("falsch\n")
    link = make(broker.url, user="ghs", password_file=str(tmp_path / "password"))
    with pytest.raises(LinkError):
        link.room()
    until(lambda: "Not authorized" in link.line.reason)
    assert "falsch" not in link.line.reason + caplog.text + repr(vars(link))
    broker.stop()


def test_a_refused_publish_is_a_refusal_not_a_delivery(tmp_path: Path, make: Make) -> None:
    broker = Broker(tmp_path / "broker", extra=passwords(tmp_path / "auth"))
    broker.start()
    (tmp_path / "password").write_text("geheim\n")
    link = make(broker.url, user="ghs", password_file=str(tmp_path / "password"))
    connected(link)
    with pytest.raises(LinkError, match="refuses stadtsinn/ghs/up: Not authorized") as caught:
        link.send(FRAME, ROWS)
    assert caught.value.refused
    broker.stop()


def test_a_password_file_that_cannot_be_read_is_named(broker: Broker, make: Make) -> None:
    link = make(broker.url, user="ghs", password_file="/nowhere/password")
    with pytest.raises(LinkError, match="/nowhere/password: No such file"):
        link.room()


def test_a_password_in_another_encoding_is_said_without_a_byte_of_it(
    broker: Broker, make: Make, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes("größe".encode("latin-1"))
    link = make(broker.url, user="ghs", password_file=str(tmp_path / "password"))
    with pytest.raises(LinkError, match=r"password: is not UTF-8 text$"):
        link.room()


def test_downlinks_arrive_and_harmful_ones_are_ignored(
    broker: Broker, heard: Heard, make: Make
) -> None:
    heard.listener.send(b"\x82\x05\x01", retain=True)
    link = connected(make(broker.url))
    heard.wait_for("state")  # said after the subscription, which is new at this broker
    heard.listener.send(b"\x82\x05\x03", retain=True)
    heard.listener.send(bytes(LONGEST_DOWNLINK + 1))
    largest = codec.encode_downlink(99, 7, bytes(LONGEST_DOWNLINK - 6))
    assert len(largest) == LONGEST_DOWNLINK
    heard.listener.send(largest)
    heard.listener.send(b"\x82\x05\x02")
    assert link.wake.wait(PATIENCE_S)
    received: list[bytes] = []
    until(lambda: bool(taken(received, link)) and len(received) >= 2)
    assert received == [largest, b"\x82\x05\x02"]


def taken(received: list[bytes], link: MqttLink) -> list[bytes]:
    """All that have come, those of now behind them."""
    received.extend(link.received())
    return received


def test_a_downlink_waits_at_the_broker_while_the_node_is_away(
    broker: Broker, heard: Heard, make: Make
) -> None:
    connected(make(broker.url)).close()
    heard.listener.send(b"\x82\x05\x03")
    link = connected(make(broker.url))
    received: list[bytes] = []
    until(lambda: bool(taken(received, link)))
    assert received == [b"\x82\x05\x03"]


def test_a_downlink_that_was_not_carried_out_comes_again(
    broker: Broker, heard: Heard, make: Make
) -> None:
    link = connected(make(broker.url))
    heard.wait_for("state")
    for token in (1, 2, 3):
        heard.listener.send(bytes([0x82, 0x05, token]))
    until(lambda: len(link.line.inbox) == 3)
    downlinks = iter(link.received())
    assert [next(downlinks), next(downlinks)] == [b"\x82\x05\x01", b"\x82\x05\x02"]
    assert link.line.ready is not None
    link.line.give_up(link.line.ready, "killed while it carried out the second")
    link = connected(make(broker.url))
    received: list[bytes] = []
    until(lambda: bool(taken(received, link)) and b"\x82\x05\x03" in received)
    assert received[-2:] == [b"\x82\x05\x02", b"\x82\x05\x03"]


def test_who_only_probes_leaves_downlinks_to_the_node(
    broker: Broker, heard: Heard, make: Make
) -> None:
    connected(make(broker.url)).close()
    heard.listener.send(b"\x82\x05\x04")
    probing = make(broker.url)
    connected(probing).send(FRAME, ROWS)
    probing.close()
    link = connected(make(broker.url))
    received: list[bytes] = []
    until(lambda: bool(taken(received, link)))
    assert received == [b"\x82\x05\x04"]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a server certificate for 127.0.0.1, a client certificate."""
    folder = tmp_path_factory.mktemp("tls")
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca = ["-CA", "ca.pem", "-CAkey", "ca.key"]
    constraint = "basicConstraints=critical,CA:TRUE"
    openssl(folder, *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA",
            "-addext", "keyUsage=critical,keyCertSign", "-addext", constraint)  # fmt: skip
    for name, alt in (("server", "IP:127.0.0.1"), ("client", "DNS:ghs")):
        openssl(folder, *new, *ca, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-subj", f"/CN={name}", "-addext", f"subjectAltName={alt}",
                "-addext", "basicConstraints=critical,CA:FALSE")  # fmt: skip
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def tls(folder: Path) -> str:
    return (
        f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
        "require_certificate true"
    )


def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path, make: Make) -> None:
    broker = Broker(tmp_path / "broker", listener=tls(certificates))
    broker.start()
    link = make(
        broker.url.replace("mqtt:", "mqtts:"),
        ca_file=str(certificates / "ca.pem"),
        certificate_file=str(certificates / "client.pem"),
        key_file=str(certificates / "client.key"),
    )
    connected(link).send(FRAME, ROWS)
    broker.stop()


def test_a_certificate_nobody_vouches_for_is_refused_in_words(
    tmp_path: Path, certificates: Path, make: Make
) -> None:
    broker = Broker(tmp_path / "broker", listener=tls(certificates))
    broker.start()
    link = make(broker.url.replace("mqtt:", "mqtts:"))
    with pytest.raises(LinkError):
        link.room()
    until(lambda: link.line.reason.startswith("TLS: "))
    assert "certificate" in link.line.reason
    broker.stop()


def test_a_name_that_cannot_be_resolved_is_said(make: Make) -> None:
    link = make("mqtt://no.such.host.invalid")
    with pytest.raises(LinkError):
        link.room()
    until(lambda: link.line.reason == "the broker's name cannot be resolved", 10)


def test_closing_without_a_broker_takes_no_time(make: Make) -> None:
    link = make(f"mqtt://127.0.0.1:{free_port()}")
    with pytest.raises(LinkError):
        link.room()
    began = time.monotonic()
    link.close()
    link.close()
    assert time.monotonic() - began < 1


def test_the_test_machine_has_what_the_tests_speak_to() -> None:
    assert shutil.which("openssl")
