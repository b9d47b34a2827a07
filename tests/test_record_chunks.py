"""Raw records on their way: chunks that resume, a budget, equal samples at the far side."""

import math
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.clock import SimClock, VirtualClock
from agent.codec import CodecError, Style, decoder
from agent.config.sections import MqttConfig
from agent.demo.broker import Broker
from agent.demo.farside import FarSide
from agent.events import chunks
from agent.events.records import (
    bytes_of,
    floats_of,
)
from agent.model.batch import Message
from agent.store import LinkPolicy, Store
from agent.transport.links.listen import Listener
from agent.transport.links.mqtt import MqttLink
from tests.conftest import MONDAY
from tests.record_kit import Node, decoder_of, message_framed, record
from tests.test_mqtt import until

# -- on the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [80, 222, 1000, 4096, 262_144])
def test_chunks_fill_their_frames_and_make_the_record_again(
    tmp_path: Path, clock: VirtualClock, limit: int
) -> None:
    node = Node(tmp_path, clock)
    one = node.keep(record(samples=200))
    node.link.limit = limit
    node.send()
    assert all(len(frame) <= limit for frame in node.link.frames)
    assert all(len(frame) > limit - 8 for frame in node.link.frames[:-1])
    got = node.far.records[1]
    assert got.data == one.data
    assert got.segments == list(one.head.segments)
    assert (got.schema, got.column, got.axis, got.axes) == (58_697, 3, 2, 3)
    assert (got.rate_hz, got.start) == (125.031, MONDAY + 0.25)
    assert floats_of(got.data) == one.floats()
    assert not node.far.refused


def test_chunks_arrive_in_any_order_and_twice() -> None:
    one = record()
    data = chunks.content(one, one.head.start)
    far = FarSide()
    parts = []
    for number in range(chunks.count(data, 100)):
        body = chunks.body(one.head, one.head.start, data, 100, number)
        parts.append(bytes([body[0] + 1, 0x24]) + body[1:])
    random.Random(1).shuffle(parts)
    for part in parts[1:]:
        far.take(part, MONDAY)
    assert not far.records
    for part in parts:
        far.take(part, MONDAY)
    assert far.records[1].data == one.data
    assert far.repeats == len(parts) - 1


@pytest.mark.parametrize(
    "numbers",
    [[], [6.0], [math.nan] * 8, [6, 0, 1, 1, 1, math.inf], [8, 0, 1, 1, 0, 1, 0, 3, 1.0]],
)
def test_a_head_that_cannot_be_is_refused(numbers: list[float]) -> None:
    far = FarSide()
    far._raw(decoder.Raw(1, 0, 1, 0, 62.5, bytes_of(numbers)))
    assert far.refused
    assert not far.records


# -- owed, in part, resumed -----------------------------------------------------------------------


def test_an_outage_and_a_restart_repeat_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    node = Node(tmp_path, clock)
    one, two = node.keep(record(1)), node.keep(record(2))
    node.link.left = 4
    node.send()
    assert (len(node.link.frames), node.far.records) == (4, {})
    node.uplink.step()
    node.link.left = 1
    node.send()
    assert decoder_of(node.link.frames[4]).chunk == 4
    node = node.restart()
    node.send()
    assert decoder_of(node.link.frames[0]).chunk == 5
    assert [node.far.records[n].data for n in (1, 2)] == [one.data, two.data]
    assert node.far.repeats == 0
    assert node.store.counts().messages == {"city": 0, "radio": 0}
    node.store.close()


def test_a_crash_repeats_only_what_was_not_written_yet(tmp_path: Path, clock: VirtualClock) -> None:
    node = Node(tmp_path, clock)
    one = node.keep(record())
    node.link.left = 3
    node.send()
    node.store.flush()
    node.link.left = 2
    node.send()
    node = node.restart(crash=True)
    node.send()
    assert node.far.records[1].data == one.data
    assert node.far.repeats == 2
    node.store.close()


def test_any_outages_and_restarts_bring_every_chunk(tmp_path: Path, clock: VirtualClock) -> None:
    chance = random.Random(4)
    node = Node(tmp_path, clock)
    kept = {}
    for number in range(1, 7):
        kept[number] = node.keep(record(number, samples=chance.randrange(2, 300))).data
        node.link.left = chance.randrange(12)
        node.send()
        node.uplink.step()
        if chance.random() < 0.6:
            node = node.restart(crash=chance.random() < 0.5)
    node.link.left = 10**9
    node.send()
    assert {number: one.data for number, one in node.far.records.items()} == kept
    assert not node.far.refused
    node.store.close()


def test_a_link_may_carry_records_and_nothing_else(tmp_path: Path, clock: VirtualClock) -> None:
    node = Node(tmp_path, clock)
    node.store.links({"city": LinkPolicy(frozenset(), messages=False), "all": LinkPolicy()})
    node.store.post(Message(0, -4, 1, 0, int(MONDAY), b"\x81\xa0"))
    one = node.keep(record())
    assert node.store.counts().messages == {"city": 1, "all": 2}
    node.store.close()
    node.store = Store(tmp_path / "store.db", clock)
    node.store.open()
    node.store.links({"city": LinkPolicy(frozenset(), messages=False), "all": LinkPolicy()})
    node.uplink.store = node.archive.store = node.store
    node.send()
    assert node.far.records[1].data == one.data
    assert node.far.others == []
    assert node.store.counts().messages == {"city": 0, "all": 2}
    node.store.close()


def test_a_limit_that_shrinks_cuts_the_record_anew(tmp_path: Path, clock: VirtualClock) -> None:
    node = Node(tmp_path, clock)
    one = node.keep(record())
    node.link.left = 3
    node.send()
    node.link.left, node.link.limit = 10**9, 500
    node.send()
    assert node.far.records[1].data == one.data
    assert all(len(frame) <= 500 for frame in node.link.frames[3:])
    node.store.close()


def test_records_go_after_everything_else_and_never_over_the_radio(
    tmp_path: Path, clock: VirtualClock
) -> None:
    node = Node(tmp_path, clock)
    node.keep(record())
    hello = Message(0, -4, 1, 0, int(MONDAY), b"\x81\xa0")
    node.store.post(hello)
    batch = node.store.link("radio").next()
    assert batch is not None
    assert batch.kind == -4
    assert node.store.counts().messages == {"city": 2, "radio": 1}
    node.send()
    assert [frame[1] for frame in node.link.frames[:2]] == [0x23, 0x24]
    node.store.close()


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_record_whose_file_is_bad_is_settled_and_counted(
    tmp_path: Path, clock: VirtualClock, how: str
) -> None:
    node = Node(tmp_path, clock)
    node.keep(record(1))
    two = node.keep(record(2))
    node.link.left = 2
    node.send()
    if how == "gone":
        node.records.path(1).unlink()
    else:
        node.records.path(1).write_bytes(b"")
        node.records._newest = None
    node.link.left = 10**9
    node.send()
    assert node.far.records.keys() == {2}
    assert node.far.records[2].data == two.data
    assert node.tally("set_aside") == 1
    assert not node.store.owes(1)
    node.store.close()


def test_a_frame_too_short_for_one_number_is_refused(tmp_path: Path, clock: VirtualClock) -> None:
    node = Node(tmp_path, clock)
    node.keep(record())
    batch = node.store.link("city").next()
    assert batch is not None
    with pytest.raises(CodecError, match="does not fit into 20 bytes"):
        node.archive.frame(batch, 20, Style())
    node.store.close()


def test_the_budget_takes_delivered_records_first_then_the_oldest(
    tmp_path: Path, clock: VirtualClock
) -> None:
    size = len(record().data) + 1000
    node = Node(tmp_path, clock, max_bytes=3 * size)
    for number in (1, 2, 3):
        node.keep(record(number))
    assert node.records.numbers() == [1, 2, 3]
    node.keep(record(4))
    assert node.records.numbers() == [2, 3, 4]
    assert node.tally("lost_records") == 1
    node.store.link("city").delivered(message_framed(node, 4))
    node.keep(record(5))
    assert node.records.numbers() == [2, 3, 5]
    assert node.tally("lost_records") == 1
    node.send()
    assert sorted(node.far.records) == [2, 3, 5]
    assert len(node.store.raws()) == 3
    node.store.close()


def test_what_was_written_but_not_owed_at_a_power_cut_is_owed_at_the_start(
    tmp_path: Path, clock: VirtualClock
) -> None:
    node = Node(tmp_path, clock)
    node.keep(record(1))
    node.records.save(record(2))
    node.records.path(1).unlink()
    (tmp_path / "records" / "00000003.record.part").write_bytes(b"half")
    node.records.path(4).write_bytes(b"damaged")
    node = node.restart()
    assert not list((tmp_path / "records").glob("*.part"))
    node.send()
    assert sorted(node.far.records) == [2]
    assert node.tally("lost_records") == 1
    assert node.archive.new_number() == 5
    node = node.restart()
    assert node.archive.new_number() == 6
    assert node.store.link("city").next() is None
    node.store.close()


def test_a_record_without_a_date_waits_for_the_clock_a_while(tmp_path: Path) -> None:
    clock = VirtualClock(MONDAY, trust="")
    node = Node(tmp_path, clock)
    node.keep(record(1, start=None))
    assert node.store.link("city").next() is None
    assert node.store.link("city").when() == 600
    clock.sleep(601)
    node.link.left = 1
    node.send()
    assert decoder_of(node.link.frames[0]).start == 0
    clock.unset(False)
    node.link.left = 10**9
    node.send()
    assert node.far.records[1].start == int(MONDAY + 0.25)
    node.store.close()


# -- a real broker --------------------------------------------------------------------------------


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(tmp_path / "broker")
    one.start()
    yield one
    one.stop()


def test_all_chunks_arrive_though_the_broker_dies_in_the_middle(
    tmp_path: Path, mosquitto: Broker
) -> None:
    clock = SimClock(MONDAY)
    node = Node(tmp_path, clock)
    kept = [node.keep(record(number, samples=3000)) for number in (1, 2)]
    config = MqttConfig(name="city", url=mosquitto.url, limit_bytes=1000)
    wake = threading.Event()
    link = MqttLink(config, "ghs", clock, wake, node.encoder, threading.Event())
    node.uplink.link, node.uplink.wake = link, wake
    far, heard = FarSide(), []

    def listen(topic: str, frame: bytes) -> None:
        if topic == "raw":
            heard.append(frame)
            far.take(frame, None)

    listener = Listener(mosquitto.url, "ghs", listen)
    listener.start()
    step_until(node, lambda: node.uplink.frames == 30)
    until(lambda: len(heard) == 30)
    mosquitto.kill()
    until(lambda: link.line.ready is None)
    node.uplink.step()
    assert node.uplink.state == "refused"
    mosquitto.start()
    listener.stop()
    listener = Listener(mosquitto.url, "ghs", listen)
    listener.start()
    step_until(node, lambda: node.store.link("city").next() is None)
    until(lambda: len(far.records) == 2)
    assert [far.records[n].data for n in (1, 2)] == [one.data for one in kept]
    assert far.refused == []
    sent = {(part.record, part.chunk) for part in map(decoder_of, heard)}
    assert len(sent) == sum(one.chunks for one in far.arriving.values())
    assert len(heard) - len(sent) <= 1  # the one in flight when the broker died
    listener.stop()
    link.close()
    node.store.close()


def step_until(node: Node, done: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if done():
            return
        if node.uplink.step() > 0:
            node.uplink.wake.wait(0.05)
            node.uplink.wake.clear()
    raise AssertionError("not done")
