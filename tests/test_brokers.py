"""The MQTT link before brokers as they must not be: what it counts, keeps and says."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTv5, MQTTv311

from agent.clock import Clock
from agent.codec import Style
from agent.config.sections import MqttConfig
from agent.demo.broker import Broker
from agent.model.batch import EVENT, Batch, Message
from agent.transport.airtime import Scratch
from agent.transport.links import LinkError, reconnect
from agent.transport.links import broker_line as line_module
from agent.transport.links import mqtt as module
from agent.transport.links.encoder import Encoder
from agent.transport.links.mqtt import MqttLink
from tests import hostile
from tests.hostile import Hostile

FRAME = bytes.fromhex("84011a01c1868501890a0a0a0a0a0a0a0a0a")
ROWS = Batch("live")
EVENTS = Batch("message", Message(0, EVENT, 0, 0, None, b""))
SPEED = 60  #: all pauses are so much shorter here
Make = Callable[..., MqttLink]


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is a second."""
    monkeypatch.setattr(reconnect, "IMPATIENT_S", 1 / SPEED)
    monkeypatch.setattr(reconnect, "FIRST_S", 1 / SPEED)
    monkeypatch.setattr(line_module, "SETTLE_S", 0.1)
    monkeypatch.setattr(line_module, "LOOP_S", 0.05)
    monkeypatch.setattr(module, "ACK_S", 0.3)


@pytest.fixture
def make() -> Iterator[Make]:
    """Builds links and closes them."""
    made: list[MqttLink] = []

    def build(url: str, memory: Scratch | None = None, **options: object) -> MqttLink:
        given: dict[str, object] = {"patient_s": 60 / SPEED, "max_back_off_s": 300 / SPEED}
        config = MqttConfig(name="city", url=url, **(given | options))  # type: ignore[arg-type]
        encoder, stop = Encoder(Clock(), Style(whole_slots=True)), threading.Event()
        wake = threading.Event()
        made.append(MqttLink(config, "ghs", Clock(), wake, encoder, stop, memory, "00" * 8))
        return made[-1]

    yield build
    for link in made:
        link.close()


def ask(link: MqttLink, batch: Batch = ROWS) -> str:
    """Send a frame; the reason where it is not taken."""
    try:
        link.room()
        link.send(FRAME, batch)
    except LinkError as error:
        return error.reason
    return ""


def reasons(link: MqttLink, seconds: float) -> list[str]:
    """What it says as an uplink asks it again and again; "" is a frame that was taken."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(ask(link))
        time.sleep(0.01)
    return found


def said(link: MqttLink, words: str, seconds: float = 5.0) -> str:
    """The first reason with these words."""
    end = time.monotonic() + seconds
    seen = set()
    while time.monotonic() < end:
        reason = ask(link)
        if words in reason:
            return reason
        seen.add(reason)
        time.sleep(0.01)
    raise AssertionError(f"never said: {seen}")


def taken(link: MqttLink, seconds: float = 5.0) -> None:
    """Until a frame is acknowledged."""
    end = time.monotonic() + seconds
    while reason := ask(link):
        assert time.monotonic() < end, f"never taken: {reason}"
        time.sleep(0.01)


def mine() -> tuple[int, int]:
    """Threads of links, and descriptors of this process that are sockets."""
    threads = sum(one.name.startswith(("mqtt-", "paho")) for one in threading.enumerate())
    return threads, sum(is_socket(one) for one in Path("/proc/self/fd").iterdir())


def is_socket(path: Path) -> bool:
    try:
        return os.readlink(path).startswith("socket:")
    except OSError:
        return False


HOSTILE: dict[str, Callable[[], Hostile]] = {
    "hangs up": hostile.HangsUp,
    "closes after CONNACK": hostile.ClosesAfterConnack,
    "cuts at down, state, up": lambda: hostile.CutsAt("down", "state", "up"),
    "refuses": hostile.Refuses,
    "denies": lambda: hostile.Denies("down", "state", "up"),
    "silent": hostile.Silent,
    "garbage": hostile.Garbage,
    "takes over": hostile.TakesOver,
    "one row each": hostile.OneRowEach,
    "no retain": hostile.NoRetain,
    "QoS 0": hostile.QosZero,
    "floods": hostile.Floods,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_broker_is_besieged_and_nothing_is_left_behind(kind: str, make: Make) -> None:
    before = mine()
    with HOSTILE[kind]() as broker:
        link = make(broker.url)
        reasons(link, 1.5)  # ninety seconds
        assert 1 <= len(broker.connects) <= 20
        threads, sockets = mine()
        assert threads == before[0] + 1
        assert sockets <= before[1] + 6  # ours, its pair; the broker's: listener, one or two ends
        link.close()
    end = time.monotonic() + 5
    while mine() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert mine() <= before  # threads, then sockets; one of the broker before may have ended


def test_a_broker_that_comes_back_finds_one_client_and_no_takeover(make: Make) -> None:
    with hostile.HangsUp() as broker:
        port = broker.server_address[1]
        link = make(broker.url)
        reasons(link, 0.5)
    with Hostile(port) as broker:
        assert "" in reasons(link, 3.0)
        assert len(broker.connects) == 1


def test_a_broker_that_hangs_up_is_named_and_both_versions_were_tried_once(make: Make) -> None:
    with hostile.HangsUp() as broker:
        link = make(broker.url)
        assert "is this its MQTT port" in said(link, "hangs up before it answers")
        reasons(link, 1.0)
        versions = [body[6] for head, body in broker.packets if head >> 4 == hostile.CONNECT]
        assert versions[:2] == [5, 4]
        assert set(versions[2:]) == {5}


def test_the_version_that_helped_is_remembered_over_a_restart(make: Make) -> None:
    memory = Scratch()
    with hostile.Older() as broker:
        link = make(broker.url, memory)
        taken(link)
        reasons(link, 0.2)
        link.close()
        again = make(broker.url, memory)
        assert again.line.version == MQTTv311
        assert make("mqtt://elsewhere.example", memory).line.version == MQTTv5


def test_a_broker_that_closes_after_accepting_is_told_with_its_causes(make: Make) -> None:
    with hostile.ClosesAfterConnack() as broker:
        reason = said(make(broker.url), "closes after accepting")
        assert "another client" in reason
        assert "quota" in reason


@pytest.mark.parametrize("kind", ["down", "state"])
def test_a_topic_it_is_cut_at_is_named_and_done_without(kind: str, make: Make) -> None:
    with hostile.CutsAt(kind) as broker:
        link = make(broker.url)
        said(link, f"stadtsinn/ghs/{kind}")
        taken(link)
        assert any(f"stadtsinn/ghs/{kind}: left out" in note for note in link.notes)


def test_a_topic_of_rows_it_is_cut_at_is_named(make: Make) -> None:
    with hostile.CutsAt("up") as broker:
        assert "PUBLISH stadtsinn/ghs/up" in said(make(broker.url), "hangs up at")


def test_topics_the_broker_denies_are_noted_and_rows_go(make: Make) -> None:
    with hostile.Denies("down", "state") as broker:
        link = make(broker.url)
        taken(link)
        reasons(link, 0.3)
        assert ask(link) == ""
        assert link.notes == [
            "stadtsinn/ghs/down: may not be subscribed: Not authorized",
            "stadtsinn/ghs/state: may not be written: Not authorized",
        ]


def test_a_topic_of_rows_the_broker_denies_is_named_and_refused(make: Make) -> None:
    with hostile.Denies("up") as broker:
        link = make(broker.url)
        reason = said(link, "refuses")
        assert reason == "the broker refuses stadtsinn/ghs/up: Not authorized"
        assert ask(link, EVENTS) == ""


def test_a_will_is_not_retained_where_the_broker_retains_nothing(make: Make) -> None:
    with hostile.NoRetain() as broker:
        link = make(broker.url)
        taken(link)
        assert len(broker.connects) == 2


def test_a_broker_without_acknowledgements_is_refused_unless_the_profile_accepts_it(
    make: Make,
) -> None:
    with hostile.QosZero() as broker:
        link = make(broker.url)
        assert "qos = 0" in said(link, "QoS 0 only")
        link.close()
        free = make(broker.url, qos=0)
        taken(free)
        assert free.notes == ["qos = 0: nothing is acknowledged, rows may be lost"]


def test_a_name_that_another_client_uses_is_said_and_the_node_backs_off(make: Make) -> None:
    with hostile.TakesOver() as broker:
        link = make(broker.url)
        assert said(link, "another client") == "another client uses the name 'ghs'"
        reasons(link, 2.0)
        assert len(broker.connects) < 25


def test_on_the_older_version_three_cuts_in_a_row_are_another_client(make: Make) -> None:
    with hostile.OneRowEach() as broker:
        link = make(broker.url)
        link.line.version = link.line.proven = MQTTv311
        assert said(link, "another client") == "another client uses the name 'ghs'"


def test_a_packet_of_120_mb_is_cut_at_its_header_and_down_is_left_alone(make: Make) -> None:
    with hostile.Floods() as broker:
        link = make(broker.url)
        reason = said(link, "120000000")
        assert "announced a packet" in reason
        taken(link)
        assert any("stadtsinn/ghs/down: left out" in note for note in link.notes)


def test_a_broker_that_says_what_is_no_mqtt_is_told_so(make: Make) -> None:
    with hostile.Garbage(bytes(300)) as broker:
        assert said(make(broker.url), "no MQTT") == "the broker says what is no MQTT"


def test_the_connect_says_how_much_it_takes(make: Make) -> None:
    with Hostile() as broker:
        taken(make(broker.url))
        body = next(body for head, body in broker.packets if head >> 4 == hostile.CONNECT)
        assert b"\x21\x00\x14" in body  # Receive Maximum 20, MQTT 5, 3.1.2.11.3
        assert b"\x27\x00\x00\x20\x00" in body  # Maximum Packet Size 8192, 3.1.2.11.4


# -- ways and names -------------------------------------------------------------------------------


def test_a_link_goes_through_a_websocket_with_a_path(broker: Broker, make: Make) -> None:
    with hostile.Websocket(broker.port) as way:
        taken(make(f"ws://{way.place}/city/mqtt?token=1"))
        assert way.requests[0].startswith("GET /city/mqtt?token=1 HTTP/1.1")


def test_a_link_goes_through_a_proxy_and_names_itself_to_it(broker: Broker, make: Make) -> None:
    with hostile.Proxy(broker.port) as way:
        taken(make("mqtt://broker.example:1884", proxy=f"http://me:p%40ss@{way.place}"))
        assert way.requests[0].startswith("CONNECT broker.example:1884 HTTP/1.")
        assert "Proxy-Authorization: Basic bWU6cEBzcw==" in way.requests[0]


def test_a_proxy_that_does_not_want_to_is_named(make: Make, broker: Broker) -> None:
    class Closed(hostile.Proxy):
        def answer(self, request: str) -> bytes:
            return b"HTTP/1.1 403 Forbidden\r\n\r\n"

    with Closed(broker.port) as way:
        link = make("mqtt://broker.example:1884", proxy=f"http://{way.place}")
        assert "403 forbidden" in said(link, "tunnel connection failed")


@pytest.mark.parametrize("pattern", ["city/{node}/{kind}", "city/{node}", "city/{node}/"])
def test_topics_follow_the_pattern_of_the_profile(pattern: str, make: Make) -> None:
    with Hostile() as broker:
        link = make(broker.url, topic=pattern)
        taken(link)
        topics = {topic for topic, _ in broker.published()}
        assert topics == {"city/ghs/state", "city/ghs/up"}
        asked = next(body for head, body in broker.packets if head >> 4 == hostile.SUBSCRIBE)
        assert b"city/ghs/down" in asked


def test_the_install_id_goes_into_state_and_beside_each_frame(make: Make) -> None:
    with Hostile() as broker:
        taken(make(broker.url))
        told = dict(broker.published())
        assert json.loads(told["stadtsinn/ghs/state"])["id"] == "00" * 8
        frame = next(body for head, body in broker.packets if body.endswith(FRAME))
        assert b"\x26\x00\x02id\x00\x10" + b"0" * 16 in frame  # MQTT 5, 3.3.2.3.7


def test_a_password_that_was_mended_is_used_without_a_restart(
    broker: Broker, make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("old\n")
    with Hostile() as broker_of_ours:
        link = make(broker_of_ours.url, user="ghs", password_file=str(path))
        taken(link)
        path.write_text("new\n")
        assert link.line.ready is not None
        link.line.give_up(link.line.ready, "for the test")
        taken(link)
        said_hello = [b for h, b in broker_of_ours.packets if h >> 4 == hostile.CONNECT]
        assert [body.endswith(b"\x00\x03" + word) for body, word in
                zip(said_hello, (b"old", b"new"), strict=True)] == [True, True]  # fmt: skip
