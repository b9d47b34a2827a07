"""What every modem driver must do, through its twin, on the simulated network."""

from __future__ import annotations

import contextlib
import importlib
import logging
import random
import re
from typing import Any

import pytest

from agent.measure.driver_registry import MODEMS
from drivers.api import (
    BUSY,
    DUTY_CYCLE,
    NO_ACCEPT,
    NOT_ACKED,
    NOT_JOINED,
    TOO_LONG,
    UNFINISHED,
    BusError,
    DeviceError,
    Downlink,
    ModemError,
)
from drivers.keys import Keys, bare, masked
from drivers.sim.lorawan.events import Event
from tests.modem_kit import APP_KEY, DEV_EUI, EUI, JOIN_EUI, Bench


def bench_of(name: str, **options: Any) -> Bench:
    """A bench with the named modem."""
    module = importlib.import_module(f"drivers.modems.{name}")
    return Bench(module.DRIVER, module.TWIN, **options)


@pytest.fixture(params=MODEMS)
def fresh(request: pytest.FixtureRequest) -> Bench:
    """Never set up."""
    return bench_of(request.param)


@pytest.fixture
def bench(fresh: Bench) -> Bench:
    """Set up and joined."""
    return fresh.ready()


def test_sets_up_joins_and_its_frames_arrive_as_they_were_sent(bench: Bench) -> None:
    bench.send(b"\x84\x01\x20\x01\x4b", port=10)
    bench.send(b"\x86\x20", port=12)
    got = [(u.port, u.payload, u.confirmed) for u in bench.server.uplinks]
    assert got == [(10, b"\x84\x01\x20\x01\x4b", False), (12, b"\x86\x20", False)]


def test_first_row_is_there_ten_seconds_after_power_up(fresh: Bench) -> None:
    fresh.modem.setup()
    start = fresh.timer.now
    fresh.modem.join()
    while not fresh.heard():
        with contextlib.suppress(ModemError):
            fresh.modem.send(b"row", port=10)
        fresh.timer.sleep(0.5)
    assert fresh.server.uplinks[0].at - start < 10


def test_setup_twice_changes_nothing_and_keeps_the_session(bench: Bench) -> None:
    written = len(bench.twin.commands)
    bench.modem.setup()
    assert bench.modem.joined()
    keys = [c for c in bench.twin.commands[written:] if APP_KEY in c.upper()]
    assert len(keys) <= 1  # only a modem whose key cannot be read gets it again
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_other_keys_end_the_session(bench: Bench) -> None:
    other = Keys("70B3D57ED0059999", JOIN_EUI, APP_KEY)
    bench.modem.keys = other
    bench.modem.setup()
    assert not bench.modem.joined()


def test_other_keys_are_not_forgotten_by_a_restart_before_the_join(bench: Bench) -> None:
    """The modem must not go on with the session of the old keys."""
    again = type(bench.modem)(bench.port, Keys("70B3D57ED0059999", JOIN_EUI, APP_KEY))
    again.setup()
    third = type(bench.modem)(bench.port, Keys("70B3D57ED0059999", JOIN_EUI, APP_KEY))
    third.setup()
    assert not third.joined()


def test_one_garbled_answer_does_not_end_the_session(bench: Bench) -> None:
    garbled: list[str] = []

    def flip(line: str) -> list[str]:
        spoiled = "0B" in line.upper() or "70" in line
        if spoiled and not garbled:
            garbled.append(line)
            return [line.replace("70", "71", 1)]
        return [line]

    bench.twin.quirks.distort = flip
    bench.modem.setup()
    assert garbled
    assert bench.modem.joined()


def test_confirmed_frame_returns_when_acknowledged(bench: Bench) -> None:
    bench.send(confirmed=True)
    assert bench.server.uplinks[0].confirmed


def test_confirmed_frame_without_acknowledgement_says_so(bench: Bench) -> None:
    bench.faults.lose_down = 1.0
    with pytest.raises(ModemError) as refused:
        bench.send(confirmed=True)
    assert refused.value.reason == NOT_ACKED
    bench.faults.lose_down = 0.0
    bench.rest()
    bench.send()


@pytest.mark.parametrize("name", MODEMS)
def test_modem_that_waits_for_the_duty_cycle_to_repeat_a_frame_is_not_taken_for_dead(
    name: str,
) -> None:
    bench = bench_of(name, data_rate=0, adr=False).ready()
    bench.server.channels = (0, 0, 0, 0, 0)
    bench.faults.lose_down = 1.0
    with pytest.raises(ModemError) as refused:
        bench.modem.send(bytes(51), port=10, confirmed=True)
    assert refused.value.reason in (UNFINISHED, NOT_ACKED)
    bench.rest(2000)
    bench.faults.lose_down = 0.0
    bench.send(b"after")
    assert bench.heard()[-1] == b"after"


def test_join_that_nobody_answers_says_so_and_the_next_uses_another_nonce(fresh: Bench) -> None:
    fresh.server.refuse_join = True
    fresh.modem.setup()
    for _ in range(2):
        with pytest.raises(ModemError) as refused:
            fresh.modem.join()
        assert refused.value.reason == NO_ACCEPT
        fresh.rest()
    assert not fresh.modem.joined()
    fresh.server.refuse_join = False
    fresh.modem.join()
    assert fresh.modem.joined()
    assert len(fresh.known.nonces) == 3


def test_frame_before_joining_is_refused(fresh: Bench) -> None:
    fresh.modem.setup()
    with pytest.raises(ModemError) as refused:
        fresh.modem.send(b"early", port=10)
    assert refused.value.reason == NOT_JOINED


def test_payload_limit_is_exact(bench: Bench) -> None:
    limit = bench.modem.limit()
    assert limit in (222, 242)
    bench.send(bytes(limit))
    with pytest.raises(ModemError) as refused:
        bench.modem.send(bytes(limit + 1), port=10)
    assert refused.value.reason == TOO_LONG
    assert [len(payload) for payload in bench.heard()] == [limit]


@pytest.mark.parametrize("name", MODEMS)
def test_slowest_data_rate_takes_51_bytes_and_its_deadlines_hold(name: str) -> None:
    bench = bench_of(name, data_rate=0, adr=False).ready()
    assert (bench.modem.data_rate(), bench.modem.limit()) == (0, 51)
    bench.send(bytes(51))
    bench.rest(1000)
    bench.send(bytes(51), confirmed=True)
    assert len(bench.heard()) == 2


def test_network_changes_the_data_rate_and_the_limit_follows(bench: Bench) -> None:
    bench.server.set_data_rate(EUI, 3)
    bench.send()
    assert bench.modem.data_rate() == 3
    assert bench.modem.limit() <= 115


def test_mac_answers_shrink_the_room_and_the_payload_is_not_taken_as_sent(bench: Bench) -> None:
    frequency = (869_525_000 // 100).to_bytes(3, "little")
    bench.server.set_data_rate(EUI, 2)
    bench.server.order(EUI, 0x05, b"\x00" + frequency)
    bench.send()
    with pytest.raises(ModemError) as refused:
        bench.send(bytes(51))
    assert refused.value.reason == TOO_LONG
    assert bytes(51) not in bench.heard()
    limit = bench.modem.limit()
    assert limit < 51
    bench.send(bytes(limit))
    assert bench.heard()[-1] == bytes(limit)


def test_duty_cycle_is_a_refusal_with_a_time_to_wait(fresh: Bench) -> None:
    fresh.modem.setup()
    fresh.server.channels = (0, 0, 0, 0, 0)
    fresh.modem.join()
    fresh.timer.sleep(20)
    fresh.modem.send(bytes(200), port=10)
    with pytest.raises(ModemError) as refused:
        fresh.modem.send(bytes(200), port=10)
    assert refused.value.reason == DUTY_CYCLE
    assert 5 < refused.value.retry_s <= 60
    assert len(fresh.heard()) == 1


def test_downlinks_are_handed_out_once(bench: Bench) -> None:
    bench.server.enqueue(EUI, 20, b"\x85\x01\x18\x2a\x01\x01\x05")
    bench.send()
    assert bench.modem.received() == [Downlink(20, b"\x85\x01\x18\x2a\x01\x01\x05")]
    assert bench.modem.received() == []
    assert bench.modem.signal != type(bench.modem.signal)()


def test_confirmed_downlink_is_acknowledged_and_the_next_frame_is_not_disturbed(
    bench: Bench,
) -> None:
    bench.server.enqueue(EUI, 20, b"\x81\x05", confirmed=True)
    bench.send(b"one")
    bench.send(b"two")
    assert bench.modem.received() == [Downlink(20, b"\x81\x05")]
    assert [payload for payload in bench.heard() if payload] == [b"one", b"two"]


def test_time_comes_from_the_network(bench: Bench) -> None:
    assert bench.modem.time() is None
    bench.modem.ask_time()
    bench.rest()
    bench.send()
    bench.rest()
    assert bench.modem.time() == pytest.approx(bench.server.unix_at_zero + bench.timer.now, abs=2)


def test_unanswered_time_stays_unknown(bench: Bench) -> None:
    bench.faults.lose_down = 1.0
    bench.modem.ask_time()
    bench.rest()
    bench.send()
    assert bench.modem.time() is None


@pytest.mark.parametrize("name", ["rak3172", "lora_e5", "rn2483"])
def test_link_check_tells_margin_and_gateways(name: str) -> None:
    bench = bench_of(name).ready()
    bench.modem.ask_link()
    bench.send()
    bench.modem.received()
    assert (bench.modem.signal.margin_db, bench.modem.signal.gateways) == (16, 1)


@pytest.mark.parametrize("name", ["rak3172", "lora_e5", "rn2483"])
def test_unanswered_link_check_leaves_the_signal_alone(name: str) -> None:
    bench = bench_of(name).ready()
    bench.faults.lose_down = 1.0
    bench.modem.ask_link()
    bench.send()
    bench.modem.received()
    assert bench.modem.signal.margin_db is None


def test_lines_in_pieces_make_no_difference(fresh: Bench) -> None:
    fresh.twin.quirks.split = True
    fresh.ready()
    fresh.server.enqueue(EUI, 20, b"\x81\x05")
    fresh.send()
    assert fresh.modem.received() == [Downlink(20, b"\x81\x05")]


def test_every_line_twice_makes_no_difference(bench: Bench) -> None:
    bench.twin.quirks.distort = lambda line: [line, line]
    bench.modem.setup()
    bench.send(b"one")
    bench.send(b"two", confirmed=True)
    assert bench.heard() == [b"one", b"two"]


def test_lines_nobody_knows_are_events_not_errors(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.twin.quirks.distort = lambda line: ["+FOO: bar", line, "\xff\x00noise"]
    with caplog.at_level(logging.INFO):
        bench.send(b"one")
    assert bench.heard() == [b"one"]
    assert "noise" in caplog.text


def test_lost_first_bytes_after_sleep_only_cost_a_repetition(bench: Bench) -> None:
    bench.twin.quirks.lost_first = 3
    bench.modem.setup()
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_noise_without_a_line_end_is_dropped(bench: Bench) -> None:
    bench.stream.noise = b"\xa5" * 10_000
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_half_a_line_before_a_command_is_not_glued_to_its_answer(bench: Bench) -> None:
    bench.stream.noise = b"+EVT:TX_D"
    bench.send()
    bench.stream.noise = b"O"
    bench.modem.setup()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_dead_modem_is_a_bus_error_in_bounded_time(bench: Bench) -> None:
    bench.twin.quirks.dead = True
    start = bench.timer.now
    with pytest.raises(BusError, match="/dev/modem"):
        bench.modem.send(b"lost", port=10)
    assert bench.timer.now - start < 40


def test_dead_modem_is_brought_back_by_the_reset_line(bench: Bench) -> None:
    bench.twin.quirks.dead = True
    bench.sure(b"again")
    assert bench.heard() == [b"again"]


@pytest.mark.parametrize(
    ("name", "yes", "busy"),
    [
        ("rak3172", "OK", "AT_BUSY_ERROR"),
        ("lora_e5", "+MSGHEX: Start", "+MSGHEX: LoRaWAN modem is busy"),
        ("rn2483", "ok", "busy"),
    ],
)
def test_modem_that_stays_busy_is_reset(name: str, yes: str, busy: str) -> None:
    bench = bench_of(name).ready()
    sending = ("AT+SEND", "AT+MSGHEX", "mac tx")

    def stuck(line: str) -> list[str]:
        return [busy if line == yes and bench.twin.commands[-1].startswith(sending) else line]

    bench.twin.quirks.distort = stuck
    for _ in range(10):
        with pytest.raises(ModemError) as refused:
            bench.send()
        assert refused.value.reason == BUSY
    bench.twin.quirks.distort = None
    bench.sure(b"fresh")
    assert bench.heard()[-1] == b"fresh"
    assert bench.resets == 1


@pytest.mark.no_cover
def test_whatever_happens_to_the_lines_what_counts_as_sent_was_sent(bench: Bench) -> None:
    chance = random.Random(7)

    def damage(line: str) -> list[str]:
        if chance.random() > 0.03:
            return [line]
        at = chance.randrange(len(line) + 1)
        return chance.choice(([], [line, line], [line[:at]], [line[at:]], [line[:at], line[at:]]))

    bench.twin.quirks.distort = damage
    sent = []
    for number in range(60):
        payload = number.to_bytes(2, "big")
        with contextlib.suppress(DeviceError):
            bench.sure(payload)
            sent.append(payload)
        bench.rest()
    assert len(sent) > 10
    assert set(sent) <= set(bench.heard())


def test_without_a_reset_line_a_dead_modem_stays_a_bus_error(bench: Bench) -> None:
    bench.modem.reset = None
    bench.twin.quirks.dead = True
    with pytest.raises(BusError, match="no answer"):
        bench.modem.setup()


def test_unplugged_adapter_is_an_error_and_plugging_in_again_helps(bench: Bench) -> None:
    bench.stream.faults.errno = 5
    with pytest.raises(BusError):
        bench.modem.send(b"lost", port=10)
    bench.stream.faults.errno = 0
    bench.modem.setup()
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_power_cut_reuses_neither_nonce_nor_counter(bench: Bench) -> None:
    for cut in range(4):
        bench.sure(bytes([cut]))
        bench.twin.power_on(bench.timer.now)
        bench.rest(60)
    bench.sure(b"last")
    assert bench.heard() == [b"\0", b"\1", b"\2", b"\3", b"last"]
    assert bench.server.refusals == []


def test_restart_in_mid_frame_is_not_success(bench: Bench) -> None:
    bench.twin.quirks.delay_s = 0.5
    original = bench.twin.news

    def restart(event: Event, at: float) -> None:
        if type(event).__name__ == "Sent":
            bench.twin.reset(at)
        else:
            original(event, at)

    bench.twin.device.tell = restart
    with pytest.raises(DeviceError):
        bench.modem.send(b"lost", port=10)


def test_key_is_nowhere_in_logs_or_errors(fresh: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fresh.twin.quirks.distort = lambda line: [line, line[:-3]]
        fresh.ready()
        fresh.send()
        fresh.twin.quirks.distort = lambda line: []
        with pytest.raises(BusError) as silent:
            fresh.modem.join()
    shown = bare(caplog.text + str(silent.value))
    assert "MODEM=" in shown
    for start in range(0, 32 - 23, 2):
        assert APP_KEY[start : start + 24] not in shown
    assert APP_KEY not in repr(fresh.keys)


def test_keys_say_what_is_wrong_with_them() -> None:
    assert Keys("70:b3:d5:7e:d0:05:12:34", JOIN_EUI.lower(), APP_KEY).dev_eui == DEV_EUI
    for keys, message in (
        ((DEV_EUI[1:], JOIN_EUI, APP_KEY), "dev_eui: 16 hex digits wanted, 15 given"),
        ((DEV_EUI, JOIN_EUI, APP_KEY + "00"), "app_key: 32 hex digits wanted, 34 given"),
        ((DEV_EUI, "0102030405060G08", APP_KEY), "join_eui: only the hex digits"),
    ):
        with pytest.raises(ValueError, match=message) as wrong:
            Keys(*keys)
        assert APP_KEY not in str(wrong.value)


def test_masking_hides_long_hex_in_every_spelling() -> None:
    spaced = " ".join(re.findall("..", APP_KEY))
    for text in (APP_KEY, APP_KEY.lower(), spaced, spaced.replace(" ", ":"), APP_KEY[:26]):
        assert masked(f"KEY={text}").startswith("KEY=***")
    assert masked("DEVEUI=70B3D57ED0051234") == "DEVEUI=70B3D57ED0051234"
