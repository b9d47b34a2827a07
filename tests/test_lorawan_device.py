"""The simulated end device against the network server: joins, windows, counters, commands."""

from __future__ import annotations

import copy

import pytest

from drivers.sim.lorawan import mac_codec as mac
from drivers.sim.lorawan.device import Device
from drivers.sim.lorawan.events import (
    Joined,
    JoinFailed,
    LinkChecked,
    Received,
    Refused,
    Sending,
    Sent,
    TimeAnswered,
)
from drivers.sim.lorawan.frame import Data, FrameError, JoinAccept, JoinRequest, whole_counter
from drivers.sim.lorawan.region import Radio, band_of
from drivers.sim.lorawan.udp import PacketForwarder
from tests.lorawan_kit import APP_KEY, DEV_EUI, JOIN_EUI, Field
from tests.sure import sure


@pytest.fixture
def field() -> Field:
    made = Field()
    made.join()
    return made


def test_join_is_accepted_in_the_first_window_five_seconds_after_the_request() -> None:
    field = Field()
    field.device.join(0.0)
    field.run(5.0)
    assert not field.seen(Joined)
    field.run(0.2)
    assert field.seen(Joined)[0].net_id == 0x13


def test_join_accept_missed_in_the_first_window_is_heard_in_the_second() -> None:
    field = Field()
    field.faults.deaf = frozenset({1})
    field.join()
    assert field.seen(Joined)


def test_join_that_nobody_answers_fails_and_the_next_one_uses_another_nonce() -> None:
    field = Field()
    field.server.refuse_join = True
    field.join()
    assert field.seen(JoinFailed)
    field.server.refuse_join = False
    field.join()
    assert field.seen(Joined)
    assert field.known.nonces == {0, 1}


def test_nonce_survives_with_the_memory_and_a_forgotten_one_is_refused() -> None:
    field = Field()
    field.join()
    kept = copy.deepcopy(field.device.memory)
    field.device = Device(field.air)
    field.device.dev_eui, field.device.join_eui = DEV_EUI, JOIN_EUI
    field.device.app_key = APP_KEY
    field.join()
    assert field.server.refusals == ["join: DevNonce has already been used"]
    field.device.stop()
    field.device.memory = kept
    field.join()
    assert field.device.session is not None


def test_random_nonces_of_an_old_device_are_accepted_unless_repeated() -> None:
    field = Field(random_nonce=True)
    for _ in range(5):
        field.join()
    assert len(field.known.nonces) == 5
    assert max(field.known.nonces) > 5


def test_65536_joins_are_a_lifetime() -> None:
    field = Field()
    field.device.memory.dev_nonce = 65536
    with pytest.raises(Refused, match="used up"):
        field.device.join(0.0)


def test_join_without_keys_is_refused() -> None:
    field = Field()
    field.device.app_key = b""
    with pytest.raises(Refused, match="keys"):
        field.device.join(0.0)


def test_join_with_a_wrong_key_is_not_answered() -> None:
    field = Field()
    field.device.app_key = bytes(16)
    field.join()
    assert field.seen(JoinFailed)
    assert field.server.refusals == ["join: wrong MIC"]


def test_uplink_reaches_the_application_as_it_was_sent(field: Field) -> None:
    field.send(b"\x84\x01\x20", port=10)
    assert [(u.port, u.payload, u.counter) for u in field.server.uplinks] == [
        (10, b"\x84\x01\x20", 0)
    ]
    assert field.seen(Sent) == [Sent(confirmed=False, acked=False)]


def test_counters_go_up_by_one_and_are_never_reused(field: Field) -> None:
    for number in range(20):
        field.send(bytes([number]))
    assert [u.counter for u in field.server.uplinks] == list(range(20))


def test_confirmed_uplink_is_repeated_with_the_same_counter_until_acknowledged(
    field: Field,
) -> None:
    field.faults.deaf = frozenset({1, 2})
    field.device.send(b"alarm", 12, field.now, confirmed=True, tries=3)
    field.run(8.0)
    field.faults.deaf = frozenset()
    field.run(400.0)
    assert field.seen(Sent) == [Sent(confirmed=True, acked=True)]
    assert len(field.server.uplinks) == 1
    assert {sending.counter for sending in field.seen(Sending)} == {0}


def test_confirmed_uplink_that_is_never_acknowledged_says_so(field: Field) -> None:
    field.faults.lose_up = 1.0
    field.send(b"alarm", confirmed=True, tries=2, rest_s=1000)
    assert field.seen(Sent) == [Sent(confirmed=True, acked=False)]
    assert field.server.uplinks == []


def test_two_gateways_hearing_one_frame_make_one_uplink(field: Field) -> None:
    field.faults.duplicate = 1.0
    field.send(b"once")
    assert len(field.server.uplinks) == 1


def test_downlink_comes_after_the_next_uplink_and_says_if_there_is_more(field: Field) -> None:
    field.server.enqueue(DEV_EUI, 20, b"one")
    field.server.enqueue(DEV_EUI, 20, b"two", confirmed=True)
    field.send()
    field.send()
    got = field.seen(Received)
    assert [(r.payload, r.wants_uplink) for r in got] == [(b"one", True), (b"two", True)]
    field.send()
    assert sure(field.device.session).ack_due is False


def test_downlink_with_a_wrong_mic_is_not_heard(field: Field) -> None:
    field.server.enqueue(DEV_EUI, 20, b"one")
    field.faults.spoil_mic = 1.0
    field.send()
    assert field.seen(Received) == []


def test_late_and_lost_downlinks_are_not_heard(field: Field) -> None:
    for fault in ({"late_s": 0.5}, {"lose_down": 1.0}):
        field.server.enqueue(DEV_EUI, 20, b"one")
        for name, value in fault.items():
            setattr(field.faults, name, value)
        field.send()
    assert field.seen(Received) == []


def test_replayed_downlink_counter_is_refused(field: Field) -> None:
    field.server.enqueue(DEV_EUI, 20, b"one")
    field.send()
    field.known.down = 0
    field.server.enqueue(DEV_EUI, 20, b"old counter")
    field.send()
    assert [r.payload for r in field.seen(Received)] == [b"one"]


def test_duty_cycle_refuses_with_the_time_to_wait() -> None:
    field = Field(data_rate=0)
    field.server.channels = (0, 0, 0, 0, 0)
    field.device.join(0.0)
    field.run(10.0)
    with pytest.raises(Refused, match="duty cycle") as refused:
        field.device.send(b"x" * 20, 10, field.now)
    assert refused.value.wait_s == pytest.approx(1.48275 * 100 - 10.0, abs=0.01)
    field.run(refused.value.wait_s)
    field.device.send(b"x" * 20, 10, field.now)


def test_duty_cycle_can_be_switched_off_and_is_then_no_obstacle() -> None:
    field = Field(data_rate=0)
    field.device.duty.on = False
    for _ in range(3):
        field.device.join(field.now)
        field.run(12.0)
    assert len(field.seen(Joined)) == 3


def test_aggregated_duty_cycle_of_the_network_is_kept(field: Field) -> None:
    field.server.order(DEV_EUI, mac.DUTY_CYCLE, bytes([7]))
    field.send(rest_s=60)
    field.send(rest_s=3.0)
    with pytest.raises(Refused, match="duty cycle"):
        field.device.send(b"x", 10, field.now)
    assert (mac.DUTY_CYCLE, b"") in field.known.answers


def test_busy_not_joined_and_too_long_are_refused(field: Field) -> None:
    with pytest.raises(Refused, match="length"):
        field.device.send(bytes(243), 10, field.now)
    field.device.send(b"x", 10, field.now)
    with pytest.raises(Refused, match="busy"):
        field.device.send(b"x", 10, field.now)
    with pytest.raises(Refused, match="not joined"):
        Field().device.send(b"x", 10, 0.0)


def test_link_check_and_time_are_answered_by_the_next_downlink(field: Field) -> None:
    field.device.requests = [mac.LINK_CHECK, mac.DEVICE_TIME]
    start = field.now
    field.send()
    assert field.seen(LinkChecked) == [LinkChecked(16, 1)]
    (answer,) = field.seen(TimeAnswered)
    assert answer.unix == pytest.approx(field.server.unix_at_zero + answer.at, abs=1 / 256)
    assert start < answer.at < start + 0.1


def test_data_rate_change_shrinks_the_room_and_its_answer_shrinks_it_once_more(
    field: Field,
) -> None:
    assert field.device.room() == 242
    field.server.set_data_rate(DEV_EUI, 3)
    field.send()
    assert field.device.room() == 115 - 2
    field.send()
    assert field.device.room() == 115
    assert field.known.answers == [(mac.LINK_ADR, b"\x07")]


def test_repeater_compatible_limit_is_twenty_bytes_less(field: Field) -> None:
    field.device.repeater = True
    assert field.device.room() == 222


def test_data_rate_is_the_devices_own_while_adr_is_off(field: Field) -> None:
    field.device.adr = False
    field.server.set_data_rate(DEV_EUI, 3)
    field.send()
    assert field.device.memory.data_rate == 5


def test_unknown_channels_data_rates_and_powers_are_refused_one_by_one(field: Field) -> None:
    for body, status in (
        (bytes([0x50, 0, 0xF0, 0x01]), 4),  # channels 12..15 do not exist
        (bytes([0x70, 0xFF, 0, 0x01]), 5),
        (bytes([0x5A, 0xFF, 0, 0x01]), 3),
        (bytes([0xFF, 0xFF, 0, 0x01]), 7),
    ):
        field.known.answers.clear()
        field.server.order(DEV_EUI, mac.LINK_ADR, body)
        field.send()
        field.send()
        assert field.known.answers == [(mac.LINK_ADR, bytes([status]))]


def test_frames_are_repeated_as_often_as_the_network_says(field: Field) -> None:
    field.server.set_data_rate(DEV_EUI, 5, repeats=3)
    field.send()
    field.events.clear()
    field.send()
    assert len(field.seen(Sending)) == 3
    assert len(field.server.uplinks) == 2


def test_server_raises_the_data_rate_of_a_device_it_hears_well() -> None:
    field = Field(data_rate=0)
    field.server.adr = True
    field.join()
    for _ in range(8):
        field.send()
    assert field.device.memory.data_rate > 0


def test_device_that_hears_nothing_asks_for_an_answer_and_then_slows_down(field: Field) -> None:
    field.faults.lose_up = 1.0
    for _ in range(64):
        field.send(rest_s=10)
    assert field.device.memory.data_rate == 5
    asked = field.device._flags(sure(field.device.session)) & 0x40
    assert asked
    for _ in range(32):
        field.send(rest_s=10)
    assert field.device.memory.data_rate == 4
    field.device.memory.data_rate = 0
    for _ in range(32):
        field.send(rest_s=300)
    assert field.device.memory.data_rate == 0
    field.faults.lose_up = 0.0
    field.send()
    assert not field.device._flags(sure(field.device.session)) & 0x40


def test_receive_settings_are_changed_and_answered_until_heard(field: Field) -> None:
    frequency = (868_700_000 // 100).to_bytes(3, "little")
    field.server.order(DEV_EUI, mac.RX_PARAM, bytes([0x23]) + frequency)
    field.server.order(DEV_EUI, mac.RX_TIMING, bytes([5]))
    field.send()
    session = sure(field.device.session)
    assert (session.rx1_offset, session.rx2_data_rate, session.rx2_hz) == (2, 3, 868_700_000)
    assert session.delay_s == 5
    assert field.device.room() == 242 - 3
    field.send()
    assert field.device.room() == 242 - 3  # the network has not been heard since
    field.server.enqueue(DEV_EUI, 20, b"heard")
    field.send()
    assert field.seen(Received)[-1].payload == b"heard"
    assert field.device.room() == 242


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (bytes([8]) + (867_100_000 // 100).to_bytes(3, "little") + b"\x50", 3),
        (bytes([8]) + (900_000_000 // 100).to_bytes(3, "little") + b"\x50", 2),
        (bytes([8]) + (867_100_000 // 100).to_bytes(3, "little") + b"\x05", 1),
        (bytes([1]) + (867_100_000 // 100).to_bytes(3, "little") + b"\x50", 0),
        (bytes([3, 0, 0, 0, 0x50]), 3),
    ],
)
def test_new_channel_is_checked_for_place_frequency_and_rates(
    field: Field, body: bytes, status: int
) -> None:
    field.server.order(DEV_EUI, mac.NEW_CHANNEL, body)
    field.send()
    field.send()
    assert field.known.answers == [(mac.NEW_CHANNEL, bytes([status]))]


def test_downlink_channel_moves_the_first_window(field: Field) -> None:
    for index in range(8):
        hz = (869_525_000 // 100).to_bytes(3, "little")
        field.server.order(DEV_EUI, mac.DL_CHANNEL, bytes([index]) + hz)
        field.send()
    channels = sure(field.device.session).channels
    assert {channel.answer_hz for channel in channels.values()} == {869_525_000}


def test_device_status_tells_the_margin(field: Field) -> None:
    field.server.order(DEV_EUI, mac.DEV_STATUS)
    field.send()
    field.send()
    assert field.known.answers == [(mac.DEV_STATUS, bytes([255, 8]))]


def test_commands_on_port_zero_are_obeyed_too(field: Field) -> None:
    field.server.enqueue(DEV_EUI, 0, bytes([mac.RX_TIMING, 3]))
    field.send()
    assert sure(field.device.session).delay_s == 3
    assert field.seen(Received)[-1].payload == b""


def test_unknown_command_ends_the_stream_and_breaks_nothing() -> None:
    assert list(mac.split(b"\x06\x55\x06", mac.TO_DEVICE)) == [(mac.DEV_STATUS, b"")]
    assert list(mac.split(b"\x03\x00", mac.TO_DEVICE)) == []


def test_extra_channels_of_the_accept_are_used(field: Field) -> None:
    for _ in range(30):
        field.send()
    bands = {band_of(sending.frequency_hz) for sending in field.seen(Sending)}
    assert bands == {1, 2}


def test_server_drops_strangers_replays_and_noise(field: Field) -> None:
    field.send(b"one")
    _, radio, old = field.air.log[-1]
    field.send(b"two")
    field.server.transmit(old, radio, field.now)
    field.server.transmit(b"\x40" + bytes(11), radio, field.now)
    field.server.transmit(b"\xe0noise", radio, field.now)
    field.server.transmit(JoinRequest(bytes(8), bytes(8), 1).build(APP_KEY), radio, field.now)
    field.server.transmit(old[:-1] + b"\0", radio, field.now)
    assert field.server.refusals == [
        "counter 0 already used",
        "unknown address 00000000",
        "no data frame",
        "join: unknown device",
        "wrong MIC",
    ]


def test_counter_is_completed_to_32_bits_across_the_wrap() -> None:
    assert whole_counter(0x0001, 0xFFFE) == 0x10001
    assert whole_counter(0xFFFF, 0x1FFFE) == 0x1FFFF
    assert whole_counter(5, -1) == 5
    assert whole_counter(3, 5) == 3


def test_session_goes_on_beyond_65536_frames(field: Field) -> None:
    sure(field.device.session).up = 65534
    field.known.up = 65533
    for _ in range(4):
        field.send(rest_s=30)
    assert [u.counter for u in field.server.uplinks] == [65534, 65535, 65536, 65537]


def test_answers_that_are_no_join_accepts_are_refused() -> None:
    for bad in (b"", bytes(17), b"\x20" + bytes(16)):
        with pytest.raises(FrameError):
            JoinAccept.parse(bad, APP_KEY)


def test_options_longer_than_the_frame_are_refused() -> None:
    keys = (bytes(16), bytes(16))
    frame = bytearray(Data(0x60, 1, 0, 0, b"").build(*keys))
    with pytest.raises(FrameError):
        Data.parse(bytes(frame[:5]), *keys, -1)


def test_stopped_device_forgets_the_frame_on_its_way(field: Field) -> None:
    field.device.send(b"x", 10, field.now)
    field.device.stop()
    field.run(20)
    assert not field.device.busy
    assert field.device.due is None
    assert field.server.uplinks == []


def test_radio_names_are_those_of_packet_forwarders() -> None:
    assert Radio(868_100_000, 5).name == "SF7BW125"
    assert Radio(868_300_000, 6).name == "SF7BW250"
    with pytest.raises(ValueError, match="no EU868"):
        band_of(915_000_000)


def test_packet_forwarder_wants_an_udp_address() -> None:
    with pytest.raises(ValueError, match="udp://"):
        PacketForwarder("http://127.0.0.1:1700")
