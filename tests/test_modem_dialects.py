"""Each modem's own words: published transcripts, and the quirks of its firmware.

Sources beside the makers' manuals: RUI3's service_lora.c and at_lora.c (RAKWireless), Dragino's
LA66 firmware v1.3, serial logs of LoRa-E5 4.0.11, RN2483 Command Reference DS40001784G, and
"[FAQ] Basic Commands for OTAA Join" of Microchip's forum (m945840).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from drivers.api import (
    BUSY,
    DUTY_CYCLE,
    NO_ACCEPT,
    NOT_ACKED,
    NOT_JOINED,
    RESTARTED,
    TOO_LONG,
    UNFINISHED,
    BusError,
    DataError,
    DeviceError,
    Downlink,
    ModemError,
)
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.dialogue import Dialogue
from tests.modem_kit import APP_KEY, DEV_EUI, EUI, JOIN_EUI, Bench, Timer

END = {"rak3172": "\r\n", "lora_e5": "\r\n", "rn2483": "\r\n", "la66": "\n\r"}


class Script:
    """A serial port that answers by a list: command -> (seconds later, text) pairs."""

    def __init__(self, timer: Timer, answers: dict[str, list[tuple[float, str]]]) -> None:
        self.timer, self.answers = timer, answers
        self.sent: list[str] = []
        self.coming: list[tuple[float, bytes]] = []

    @property
    def in_waiting(self) -> int:
        return len(b"".join(text for at, text in self.coming if at <= self.timer.now))

    def read(self, size: int = 1) -> bytes:
        ready = b"".join(text for at, text in self.coming if at <= self.timer.now)
        later = [(at, text) for at, text in self.coming if at > self.timer.now]
        self.coming = [(self.timer.now, ready[size:]), *later] if ready[size:] else later
        return ready[:size]

    def write(self, data: bytes) -> int:
        command = data.decode("latin-1").strip()
        self.sent.append(command)
        for after, text in self.answers.get(command, []):
            self.coming.append((self.timer.now + after, text.encode("latin-1")))
        return len(data)

    def reset_input_buffer(self) -> None:
        self.coming = []

    def send_break(self, duration: float = 0.25) -> None:
        """Nobody sleeps here."""

    def close(self) -> None:
        """Nothing to close."""


Lines = Sequence[tuple[float, str] | str]  #: at once, or so many seconds later


def play(name: str, answers: Mapping[str, Lines]) -> tuple[Any, Script]:
    """A driver on a port that answers by the list; lines of a list come at once or later."""
    module, end = importlib.import_module(f"drivers.modems.{name}"), END[name]
    timed = {}
    for command, lines in answers.items():
        pairs = [line if isinstance(line, tuple) else (0.0, line) for line in lines]
        timed[command] = [(after, line + end) for after, line in pairs]
    timer = Timer()
    stream = Script(timer, timed)
    port = Port("/dev/modem", module.DRIVER.baudrate, timer, stream)
    return module.DRIVER(port, Keys(DEV_EUI, JOIN_EUI, APP_KEY)), stream


def bench_of(name: str, **options: Any) -> Bench:
    """Driver and twin."""
    module = importlib.import_module(f"drivers.modems.{name}")
    return Bench(module.DRIVER, module.TWIN, **options)


def say(bench: Bench, command: str, wait_s: float = 0.0) -> list[str]:
    """What the twin answers to one line."""
    bench.timer.sleep(1.0)
    bench.stream.read(bench.stream.in_waiting)
    bench.stream.write(command.encode() + b"\r\n")
    bench.timer.sleep(0.1 + wait_s)
    text = bench.stream.read(bench.stream.in_waiting).decode("latin-1")
    return [line for line in text.replace("\r", "\n").split("\n") if line]


RAK_KEYS = {
    "AT+DEVEUI=?": [f"AT+DEVEUI={DEV_EUI}", "OK"],
    "AT+APPEUI=?": [f"AT+APPEUI={JOIN_EUI}", "OK"],
    "AT+APPKEY=?": [f"AT+APPKEY={APP_KEY}", "OK"],
}
DR5 = {"AT+DR=?": ["AT+DR=5", "OK"]}
SENT = "AT+SEND=10:830102"


def rak(lines: Lines, **more: Lines) -> tuple[Any, Script]:
    """A RAK3172 that answers the transcript's frame with `lines`."""
    modem, stream = play("rak3172", {**DR5, SENT: lines, **more})
    modem._confirming = False
    return modem, stream


# -- RAK3172 -----------------------------------------------------------------------------------


def test_rak_transcripts_of_join_and_frames() -> None:
    modem, _ = play(
        "rak3172",
        {
            **RAK_KEYS,
            "AT+DR=?": ["AT+DR=0", "OK"],
            "AT+JOIN=1:0:8:0": ["OK", (6.5, "+EVT:JOINED")],
            SENT: ["OK", (2.2, "+EVT:TX_DONE"), (2.2, "+EVT:RX_1:-52:8:UNICAST:10:a1031903e8")],
        },
    )
    modem._confirming = False
    modem.join()
    modem.send(b"\x83\x01\x02", port=10)
    assert modem.received() == [Downlink(10, bytes.fromhex("a1031903e8"))]
    assert (modem.signal.rssi_dbm, modem.signal.snr_db) == (-52, 8)


def test_rak_twin_speaks_as_in_the_transcripts() -> None:
    bench = bench_of("rak3172").ready()
    assert say(bench, "AT+VER=?") == ["AT+VER=RUI_4.2.0_RAK3172-E", "OK"]
    assert say(bench, "at+njs=?") == ["AT+NJS=1", "OK"]
    assert say(bench, "AT+SEND=10:830102", 3) == ["OK", "+EVT:TX_DONE"]
    bench.rest()
    bench.server.enqueue(EUI, 10, bytes.fromhex("a1031903e8"))
    assert say(bench, "AT+SEND=10:830102", 3) == [
        "OK",
        "+EVT:TX_DONE",
        "+EVT:RX_1:-52:8:UNICAST:10:a1031903e8",
    ]
    bench.rest()
    assert say(bench, "AT+SEND=10:" + "00" * 243, 3) == ["AT_PARAM_ERROR", "+EVT:TX_DONE"]
    assert bench.heard()[-1] == b""
    assert say(bench, "AT+SEND=10:") == ["AT_PARAM_ERROR"]
    assert say(bench, "AT+SEND=224:00") == ["AT_PARAM_ERROR"]
    assert say(bench, "AT+WHAT=?") == ["AT_COMMAND_NOT_FOUND"]
    assert say(bench, "hello") == ["AT_COMMAND_NOT_FOUND"]
    assert say(bench, "AT+DEVEUI=12") == ["AT_PARAM_ERROR"]
    assert say(bench, "AT+SEND") == ["AT_ERROR"]


def test_rak_echo_left_on_is_tolerated_and_never_toggled() -> None:
    bench = bench_of("rak3172")
    bench.twin.quirks.echo = True
    bench.ready()
    bench.send(b"one")
    bench.send(b"two", confirmed=True)
    assert bench.heard() == [b"one", b"two"]
    assert "ATE" not in bench.twin.commands
    assert say(bench, "ATE")[-1] == "OK"
    assert say(bench, "AT") == ["OK"]


def test_rak_duty_cycle_tells_its_time_and_plain_busy_does_not() -> None:
    modem, _ = rak(["Restricted_Wait_118342_ms", "AT_BUSY_ERROR"])
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert (refused.value.reason, refused.value.retry_s) == (DUTY_CYCLE, 118.342)
    modem, _ = rak(["AT_BUSY_ERROR"])
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == BUSY


def test_rak_empty_frame_instead_of_the_payload_is_no_success() -> None:
    modem, _ = rak(["AT_PARAM_ERROR", (2.2, "+EVT:TX_DONE")])
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == TOO_LONG
    assert modem.limit() == 242 - 15
    modem.talk.settle()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["AT_NO_NETWORK_JOINED"], NOT_JOINED),
        (["AT_ERROR"], "refused"),
        (["AT_MODE_NO_SUPPORT"], "not in LoRaWAN mode"),
        (["OK", (0.3, "RAKwireless RAK3172-E"), (0.3, "Current Work Mode: LoRaWAN.")], RESTARTED),
    ],
)
def test_rak_refusals_have_their_reason(lines: Lines, reason: str) -> None:
    modem, _ = rak(lines)
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "lines",
    [
        ["+EVT:TX_DONE"],  # without OK: of another frame
        ["+EVT:TX_DONE", "OK"],  # before OK: too
        ["OK", "+EVT:TX_DON"],
        ["OK", "+EVT:SEND_CONFIRMED_OK"],  # of a confirmed frame
        ["OK", "xx+EVT:TX_DONE"],
        ["O"],
        [],
    ],
)
def test_rak_no_other_line_is_taken_for_the_end_of_a_frame(lines: list[str]) -> None:
    modem, _ = rak(lines)
    with pytest.raises(DeviceError) as wrong:
        modem.send(b"\x83\x01\x02", port=10)
    accepted = "OK" in lines
    assert isinstance(wrong.value, ModemError if accepted else BusError)
    assert (UNFINISHED in str(wrong.value)) is accepted


def test_rak_tx_done_does_not_end_a_confirmed_frame() -> None:
    more = {"AT+CFM=?": ["AT+CFM=1", "OK"]}
    modem, _ = rak(["OK", (1, "+EVT:TX_DONE"), (9, "+EVT:SEND_CONFIRMED_FAILED(4)")], **more)
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10, confirmed=True)
    assert refused.value.reason == NOT_ACKED


def test_rak_of_another_age_or_kind_is_named() -> None:
    alive = {"AT": ["OK"]}
    modem, _ = play("rak3172", {**alive, "AT+VER=?": ["V1.0.4", "OK"]})
    with pytest.raises(DataError, match=r"V1\.0\.4"):
        modem.setup()
    modem, _ = play("rak3172", {**alive, "AT+VER=?": ["AT_COMMAND_NOT_FOUND"]})
    with pytest.raises(ModemError, match="unknown command"):
        modem.setup()


def test_rak_in_the_wrong_mode_or_region_is_set_right() -> None:
    bench = bench_of("rak3172")
    bench.twin.held |= {"NWM": "0", "BAND": "5"}
    bench.modem.setup()
    assert (bench.twin.held["NWM"], bench.twin.held["BAND"]) == ("1", "4")


def test_rak_settings_that_are_right_are_not_written_again() -> None:
    bench = bench_of("rak3172").ready()
    before = len(bench.twin.commands)
    bench.modem.setup()
    written = [c for c in bench.twin.commands[before:] if "=" in c and not c.endswith("=?")]
    assert written == []


def test_rak_nonsense_numbers_are_errors() -> None:
    modem, _ = play(
        "rak3172", {"AT+DR=?": ["AT+DR=x", "OK"], "AT+LTIME=?": ["AT+LTIME=noon", "OK"]}
    )
    with pytest.raises(DataError, match="data rate"):
        modem.limit()
    modem._timed = True
    with pytest.raises(DataError, match="no time"):
        modem.time()


def test_rak_time_is_month_day_year() -> None:
    modem, _ = play("rak3172", {"AT+LTIME=?": ["AT+LTIME=14h25m30s on 11/22/2026", "OK"]})
    modem._timed = True
    assert modem.time() == 1795357530


def test_times_that_cannot_be_true_are_no_times() -> None:
    for text in ("14h25m30s on 99/22/2026", "14h25m99s on 11/22/2026", "14h25m30s on 11/22/1980"):
        modem, _ = play("rak3172", {"AT+LTIME=?": [f"AT+LTIME={text}", "OK"]})
        modem._timed = True
        assert modem.time() is None
    modem, _ = play("lora_e5", {"AT+RTC=UTCMS": ["+RTC: 2026-99-22 14:25:30.125"]})
    modem._asked_time = True
    assert modem.time() is None


def test_garbled_wait_silences_nobody_for_more_than_an_hour() -> None:
    modem, _ = rak(["Restricted_Wait_9999999999999_ms", "AT_BUSY_ERROR"])
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.retry_s == 3600


def test_rak_repeats_a_join_by_itself_if_told_to() -> None:
    bench = bench_of("rak3172")
    bench.modem.setup()
    for name, value in bench.modem._identity():
        bench.modem._ensure(name, value)
    bench.server.refuse_join = True
    bench.twin.device.duty.on = False
    assert say(bench, "AT+JOIN=1:0:8:2", 30) == ["OK", "+EVT:JOIN_FAILED_RX_TIMEOUT"]
    assert len(bench.known.nonces) == 3


def test_rak_reboots_by_command() -> None:
    bench = bench_of("rak3172")
    assert say(bench, "ATZ", 1)[-1] == "Current Work Mode: LoRaWAN."


def test_rak_empty_payload_is_refused_before_the_radio() -> None:
    modem, stream = play("rak3172", DR5)
    with pytest.raises(ModemError, match="empty"):
        modem.send(b"", port=10)
    assert SENT not in stream.sent


def test_rak_that_neither_joins_nor_fails_is_a_bus_error() -> None:
    answers = {"AT+DR=?": ["AT+DR=0", "OK"], "AT+JOIN=1:0:8:0": ["OK"]}
    modem, _ = play("rak3172", RAK_KEYS | answers)
    with pytest.raises(BusError, match="neither"):
        modem.join()


# -- LoRa-E5 -----------------------------------------------------------------------------------

E5_KEY = {f'AT+KEY=APPKEY,"{APP_KEY}"': [f"+KEY: APPKEY {APP_KEY}"]}
PORT10 = {"AT+PORT=10": ["+PORT: 10"]}
HEX = 'AT+MSGHEX="830102"'
SURE = 'AT+CMSGHEX="830102"'


def test_e5_transcripts_of_frames() -> None:
    modem, _ = play(
        "lora_e5",
        {
            "AT+PORT=10": ["+PORT: OK"],  # as older firmware says
            HEX: [
                "+MSGHEX: Start",
                (2, "+MSGHEX: FPENDING"),
                (2, '+MSGHEX: PORT: 10; RX: "A1031903E8"'),
                (2, "+MSGHEX: RXWIN1, RSSI -84, SNR 6.0"),
                (2, "+MSGHEX: Link 20, 1"),
                (2, "+MSGHEX: Done"),
            ],
            SURE: [
                "+CMSGHEX: Start",
                "+CMSGHEX: Wait ACK",
                (3, "+CMSGHEX: ACK Received"),
                (3, "+CMSGHEX: RXWIN2, RSSI -101, SNR -16.0"),
                (3, "+CMSGHEX: Done"),
            ],
        },
    )
    modem.send(b"\x83\x01\x02", port=10)
    assert modem.received() == [Downlink(10, bytes.fromhex("a1031903e8"))]
    assert (modem.signal.rssi_dbm, modem.signal.snr_db) == (-84, 6.0)
    assert (modem.signal.margin_db, modem.signal.gateways) == (20, 1)
    modem.send(b"\x83\x01\x02", port=10, confirmed=True)
    assert (modem.signal.rssi_dbm, modem.signal.snr_db) == (-101, -16.0)


def test_e5_twin_speaks_as_in_the_transcripts() -> None:
    bench = bench_of("lora_e5")
    assert say(bench, "AT+ID") == [
        "+ID: DevAddr, 00:00:00:00",
        "+ID: DevEui, 2C:F7:F1:20:24:90:01:38",
        "+ID: AppEui, 80:00:00:00:00:00:00:06",
    ]
    assert say(bench, 'AT+KEY=APPKEY,"12"') == ["+KEY: ERROR(-1)"]
    assert say(bench, "AT+MSGHEX=00") == ["+MSGHEX: Please join network first"]
    bench.ready()
    assert say(bench, "AT+JOIN") == ["+JOIN: Joined already"]
    assert say(bench, "AT+JOIN=FORCE", 8) == [
        "+JOIN: Start",
        "+JOIN: FORCE",
        "+JOIN: Network joined",
        "+JOIN: NetID 000013 DevAddr 26:00:00:02",
        "+JOIN: Done",
    ]
    bench.rest()
    bench.server.enqueue(EUI, 10, bytes.fromhex("a1031903e8"))
    bench.server.enqueue(EUI, 10, b"more")
    assert say(bench, HEX, 3) == [
        "+MSGHEX: Start",
        "+MSGHEX: FPENDING",
        '+MSGHEX: PORT: 10; RX: "A1031903E8"',
        "+MSGHEX: RXWIN1, RSSI -52, SNR 8.0",
        "+MSGHEX: Done",
    ]
    bench.rest()
    assert say(bench, f'AT+MSGHEX="{"00" * 243}"') == ["+MSGHEX: Length error 242"]
    assert say(bench, "AT+MSGHEX=0") == ["+MSGHEX: ERROR(-1)"]
    assert say(bench, "AT+DR") == ["+DR: DR5", "+DR: EU868 DR5  SF7  BW125K "]
    assert say(bench, "AT+DR=9") == ["+DR: ERROR(-1)"]
    assert say(bench, "AT+LW=WHAT") == ["+LW: ERROR(-1)"]
    assert say(bench, 'AT+ID=DevEui,"12"') == ["+ID: ERROR(-1)"]
    assert say(bench, "AT+WHAT") == ["+WHAT: ERROR(-10)"]
    assert say(bench, "hello") == ["+AT: ERROR(-10)"]
    assert say(bench, "AT+RESET", 1) == ["+RESET: OK"]


def test_e5_asleep_loses_its_first_command_and_is_woken() -> None:
    bench = bench_of("lora_e5").ready()
    assert say(bench, "AT+LOWPOWER") == ["+LOWPOWER: SLEEP"]
    bench.modem.setup()
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


@pytest.mark.parametrize(
    ("lines", "reason", "retry_s"),
    [
        (["+MSGHEX: Please join network first"], NOT_JOINED, 0),
        (["+MSG: Please join network first"], NOT_JOINED, 0),  # prefix of another command
        (["+MSGHEX: LoRaWAN modem is busy"], BUSY, 5),
        (["+MSGHEX: No free channel"], DUTY_CYCLE, 60),
        (["+MSGHEX: No free channel -1"], DUTY_CYCLE, 60),
        (["+MSGHEX: No band in 13469ms"], DUTY_CYCLE, 13.469),
        (["+MSGHEX: DR error"], TOO_LONG, 0),
        (["+MSGHEX: Length error 51"], TOO_LONG, 0),
        (["+MSGHEX: ERROR(-1)"], "refused: ERROR(-1)", 0),
    ],
)
def test_e5_refusals_have_their_reason(lines: list[str], reason: str, retry_s: float) -> None:
    modem, _ = play("lora_e5", {**PORT10, HEX: lines})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert (refused.value.reason, refused.value.retry_s) == (reason, retry_s)


def test_e5_done_without_acknowledgement_is_the_failure() -> None:
    modem, _ = play("lora_e5", {**PORT10, SURE: ["+CMSGHEX: Start", (9, "+CMSGHEX: Done")]})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10, confirmed=True)
    assert refused.value.reason == NOT_ACKED


def test_e5_frame_without_an_end_is_unfinished_not_sent() -> None:
    modem, _ = play("lora_e5", {**PORT10, HEX: ["+MSGHEX: Start"]})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == UNFINISHED


def test_e5_done_of_an_earlier_frame_is_not_taken_for_this_one() -> None:
    modem, _ = play("lora_e5", {**PORT10, HEX: ["+MSGHEX: Done"]})
    with pytest.raises(BusError):
        modem.send(b"\x83\x01\x02", port=10)
    lines = ["+CMSGHEX: ACK Received", "+CMSGHEX: Start", "+CMSGHEX: Done"]
    modem, _ = play("lora_e5", {**PORT10, SURE: lines})
    with pytest.raises(ModemError):
        modem.send(b"\x83\x01\x02", port=10, confirmed=True)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["+JOIN: Start", "+JOIN: NORMAL", (7, "+JOIN: Join failed"), "+JOIN: Done"], NO_ACCEPT),
        (["+JOIN: Start", (7, "+JOIN: Done")], NO_ACCEPT),
        (["+JOIN: LoRaWAN modem is busy"], BUSY),
        (["+JOIN: No free channel"], DUTY_CYCLE),
    ],
)
def test_e5_join_refusals_have_their_reason(lines: Lines, reason: str) -> None:
    modem, _ = play("lora_e5", {**E5_KEY, "AT+DR=0": ["+DR: DR0"], "AT+JOIN": lines})
    with pytest.raises(ModemError) as refused:
        modem.join()
    assert refused.value.reason == reason
    assert not modem.joined()


def test_e5_that_is_joined_already_costs_no_airtime() -> None:
    answers = {"AT+DR=0": ["+DR: DR0"], "AT+JOIN": ["+JOIN: Joined already"]}
    modem, _ = play("lora_e5", E5_KEY | answers)
    modem.join()
    assert modem.joined()


def test_e5_data_rate_with_adr_is_the_one_adr_chose() -> None:
    modem, _ = play("lora_e5", {"AT+DR": ["+DR: DR0 (ADR DR3)", "+DR: EU868 DR3  SF9  BW125K "]})
    assert modem.data_rate() == 3


def test_e5_nonsense_is_an_error() -> None:
    answers = {"AT+DR": ["+DR: x"], "AT+LW=LEN": ["+LW: LEN, x"], "AT+RTC=UTCMS": ["+RTC: x"]}
    awake = {"AT": ["+AT: OK"], "AT+UART=TIMEOUT,0": ["+UART: TIMEOUT, 0"], "AT+VER": ["+VER: x"]}
    modem, _ = play("lora_e5", answers | awake)
    with pytest.raises(DataError, match="data rate"):
        modem.data_rate()
    with pytest.raises(DataError, match="limit"):
        modem.limit()
    modem._asked_time = True
    with pytest.raises(DataError, match="no time"):
        modem.time()
    with pytest.raises(DataError, match="LoRa-E5"):
        modem.setup()


@pytest.mark.parametrize("text", ["ERROR(-1)", "LoRaWAN modem is busy"])
def test_e5_setting_refused_is_said(text: str) -> None:
    modem, _ = play("lora_e5", {"AT+PORT=10": [f"+PORT: {text}"]})
    with pytest.raises(ModemError):
        modem.send(b"\x83\x01\x02", port=10)


# -- RN2483 ------------------------------------------------------------------------------------

TX = "mac tx uncnf 10 830102"


@pytest.mark.parametrize(
    ("second", "got"),
    [("mac_tx_ok", []), ("mac_rx 10 A1031903E8", [Downlink(10, bytes.fromhex("a1031903e8"))])],
)
def test_rn2483_frame_is_answered_twice(second: str, got: list[Downlink]) -> None:
    modem, _ = play("rn2483", {TX: ["ok", (2.5, second)], "radio get snr": ["-7"]})
    modem.send(b"\x83\x01\x02", port=10)
    assert modem.received() == got


def test_rn2483_twin_speaks_as_in_the_transcripts() -> None:
    bench = bench_of("rn2483")
    assert say(bench, "sys get ver") == ["RN2483 1.0.5 Oct 31 2018 15:06:52"]
    assert say(bench, "sys get hweui") == ["0004A30B001BA7BC"]
    assert say(bench, TX) == ["not_joined"]
    assert say(bench, "mac join otaa") == ["keys_not_init"]
    assert say(bench, "mac join abp") == ["keys_not_init"]
    bench.ready()
    assert say(bench, TX, 3) == ["ok", "mac_tx_ok"]
    bench.rest()
    bench.server.enqueue(EUI, 10, bytes.fromhex("a1031903e8"))
    assert say(bench, "mac tx cnf 10 830102", 3) == ["ok", "mac_rx 10 A1031903E8"]
    bench.rest()
    assert say(bench, f"mac tx uncnf 10 {'00' * 223}") == ["invalid_data_len"]
    assert say(bench, "mac get status") == ["00000810"]
    for bad in ("mac tx uncnf 224 00", "mac set deveui 12", "mac set dr 9", "hello", "sys what"):
        assert say(bench, bad) == ["invalid_param"]
    assert say(bench, "sys reset", 1) == ["RN2483 1.0.5 Oct 31 2018 15:06:52"]
    for hindrance in ("paused", "silent"):
        setattr(bench.twin, hindrance, True)
    bench.twin.joined = True
    assert say(bench, TX) == ["mac_paused"]
    assert say(bench, "mac resume") == ["ok"]
    assert say(bench, TX) == ["silent"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("invalid_param", "bad parameter"),
        ("not_joined", NOT_JOINED),
        ("no_free_ch", DUTY_CYCLE),
        ("silent", "silenced by the network"),
        ("frame_counter_err_rejoin_needed", NOT_JOINED),
        ("fram_counter_err_rejoin_needed", NOT_JOINED),
        ("busy", BUSY),
        ("mac_paused", BUSY),
        ("invalid_data_len", TOO_LONG),
        ("keys_not_init", "keys missing"),
    ],
)
def test_rn2483_refusals_have_their_reason(line: str, reason: str) -> None:
    modem, _ = play("rn2483", {TX: [line]})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("mac_err", NOT_ACKED),
        ("invalid_data_len", TOO_LONG),
        ("RN2483 1.0.5 Oct 31 2018 15:06:52", RESTARTED),
    ],
)
def test_rn2483_second_answer_may_be_a_refusal(second: str, reason: str) -> None:
    modem, _ = play("rn2483", {TX: ["ok", (2.5, second)]})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == reason


@pytest.mark.parametrize("lines", [["ok"], ["mac_tx_ok"], ["ok", "mac_tx"], ["o", "mac_tx_ok"]])
def test_rn2483_half_an_answer_is_no_success(lines: list[str]) -> None:
    modem, _ = play("rn2483", {TX: lines})
    with pytest.raises(DeviceError):
        modem.send(b"\x83\x01\x02", port=10)


def test_rn2483_saves_its_session_and_takes_it_up_after_a_power_cut() -> None:
    bench = bench_of("rn2483").ready()
    for _ in range(3):
        bench.send()
    bench.twin.power_on(bench.timer.now)
    bench.rest(60)
    bench.modem.setup()
    assert bench.modem.joined()
    bench.send(b"after")
    assert [u.counter for u in bench.server.uplinks] == [0, 1, 2, 32]
    assert len(bench.known.nonces) == 1


def test_rn2483_saves_every_32_frames() -> None:
    bench = bench_of("rn2483").ready()
    before = bench.twin.commands.count("mac save")
    for _ in range(64):
        bench.send()
    assert bench.twin.commands.count("mac save") == before + 2


def test_rn2483_asleep_is_woken_by_a_break() -> None:
    bench = bench_of("rn2483").ready()
    say(bench, "sys sleep 4000000000")
    bench.modem.setup()
    bench.send()
    assert bench.heard() == [b"\x83\x01\x02"]


def test_rn2483_old_status_word_has_the_joined_bit_elsewhere() -> None:
    for text, joined in (("0001", True), ("0000", False), ("00000810", True), ("00000001", False)):
        modem, _ = play("rn2483", {"mac get status": [text]})
        assert modem._status() is joined


def test_rn2483_noise_is_never_taken_for_its_identity() -> None:
    bench = bench_of("rn2483").ready()
    bench.twin.quirks.distort = lambda line: ["\xa0garbage", line]
    bench.modem.setup()
    assert bench.modem.joined()
    assert "mac reset 868" not in bench.twin.commands[-20:]


def test_rn2483_clock_answers_of_others_are_ignored() -> None:
    modem, _ = play("rn2483", {})
    modem._token = 3
    for payload in (b"", b"\x01\0\0\0\0\x04", b"\x03\x01\0\0\0\x03"):
        modem._clock(payload)
    assert modem.time() is None
    modem._clock(b"\x01" + (1_500_000_000).to_bytes(4, "little") + b"\x03")
    assert modem.time() == pytest.approx(1_500_000_000 + 100 + 315_964_800 - 18, abs=1)


def test_rn2483_neither_accepted_nor_denied_is_a_bus_error() -> None:
    ok = ["ok"]
    modem, _ = play(
        "rn2483",
        {f"mac set appkey {APP_KEY}": ok, "mac set dr 0": ok, "mac join otaa": ok},
    )
    with pytest.raises(BusError, match="neither"):
        modem.join()


# -- LA66 --------------------------------------------------------------------------------------

LA_KEYS = {
    "AT+DEUI=?": ["70 B3 D5 7E D0 05 12 34", "", "OK"],
    "AT+APPEUI=?": ["01 02 03 04 05 06 07 08", "", "OK"],
    "AT+APPKEY=?": ["2B 7E 15 16 28 AE D2 A6 AB F7 15 88 09 CF 4F 3C", "", "OK"],
}
LDR5 = {"AT+DR=?": ["5", "", "OK"]}
SENDB = "AT+SENDB=00,10,3,830102"
SENDC = "AT+SENDB=01,10,3,830102"


def test_la66_line_ends_of_three_kinds_are_line_ends() -> None:
    timer = Timer()
    stream = Script(timer, {})
    stream.coming = [(0.0, b"JOINED\n\rRssi= -60\rOK\r\n\r\n1\r\n")]
    talk = Dialogue(Port("/dev/modem", 9600, timer, stream), lambda line: None)
    assert list(talk.until(0.1)) == ["JOINED", "Rssi= -60", "OK", "1"]


@pytest.mark.parametrize(
    "lines",
    [
        ["OK", "txDone", (2.1, "rxTimeout")],
        ["txDone", "OK", (1.2, "rxDone"), "Rssi= -60"],
        ["***** UpLinkCounter= 7 *****", "OK", "txDone", (1.2, "rxError")],
    ],
)
def test_la66_frame_is_over_when_accepted_transmitted_and_listened_for(lines: Lines) -> None:
    modem, _ = play("la66", {**LDR5, SENDB: lines})
    modem.send(b"\x83\x01\x02", port=10)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["AT_BUSY_ERROR"], DUTY_CYCLE),
        (["AT_NO_NET_JOINED"], NOT_JOINED),
        (["AT_PARAM_ERROR"], "bad parameter"),
        (["uplink payload oversize at current data rate", "OK", "txDone", "rxTimeout"], TOO_LONG),
        (["OK", "txDone", (0.5, "Dragino LA66 Device")], RESTARTED),
        (["OK", "txDone"], UNFINISHED),
    ],
)
def test_la66_refusals_have_their_reason(lines: Lines, reason: str) -> None:
    modem, _ = play("la66", {**LDR5, SENDB: lines})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10)
    assert refused.value.reason == reason


@pytest.mark.parametrize("lines", [["OK"], ["txDone", "rxTimeout"], ["OK", "rxTimeout"], []])
def test_la66_half_an_answer_is_no_success(lines: list[str]) -> None:
    modem, _ = play("la66", {**LDR5, SENDB: lines})
    with pytest.raises(DeviceError):
        modem.send(b"\x83\x01\x02", port=10)


def test_la66_only_reception_in_time_is_evidence_of_an_acknowledgement() -> None:
    modem, _ = play("la66", {**LDR5, SENDC: ["OK", "txDone", (2.1, "rxTimeout")]})
    with pytest.raises(ModemError) as refused:
        modem.send(b"\x83\x01\x02", port=10, confirmed=True)
    assert refused.value.reason == NOT_ACKED
    modem, _ = play("la66", {**LDR5, SENDC: ["OK", "txDone", (1.1, "rxDone")]})
    modem.send(b"\x83\x01\x02", port=10, confirmed=True)


def test_la66_twin_speaks_as_in_the_transcripts() -> None:
    bench = bench_of("la66").ready()
    assert say(bench, "AT+VER=?") == ["EU868 v1.3", "OK"]
    assert say(bench, "AT+DEUI=?") == ["70 B3 D5 7E D0 05 12 34", "OK"]
    assert say(bench, "AT+NJS=?") == ["1", "OK"]
    bench.server.enqueue(EUI, 10, bytes.fromhex("a1031903e8"))
    lines = say(bench, SENDB, 3)
    assert lines[-3:] == ["rxDone", "Rssi= -52", "Run AT+RECVB=? to see detail"]
    assert {"OK", "txDone", "***** UpLinkCounter= 0 *****"} <= set(lines)
    assert say(bench, "AT+RECVB=?") == ["10:a1031903e8", "OK"]
    assert say(bench, "AT+RECVB=?") == ["0:", "OK"]
    assert say(bench, "AT+RSSI=?") == ["-52", "OK"]
    assert say(bench, "AT+SNR=?") == ["8", "OK"]
    bench.rest()
    lines = say(bench, f"AT+SENDB=00,10,243,{'00' * 243}", 3)
    assert lines[0] == "uplink payload oversize at current data rate"
    assert "OK" in lines
    assert bench.heard()[-1] == b""
    for bad in ("AT+SENDB=00,10,4,830102", "AT+DEUI=12", "AT+DR=9", "AT+VER=2", "AT+SENDB=1"):
        assert say(bench, bad) == ["AT_PARAM_ERROR"]
    assert say(bench, "hello") == ["AT_ERROR"]
    assert say(bench, "AT+WHAT=?") == ["AT_ERROR"]


def test_la66_hears_nothing_while_a_command_runs() -> None:
    bench = bench_of("la66")
    bench.timer.sleep(1)
    bench.stream.write(b"AT\r\n")
    bench.twin.receive(b"AT+VER=?\r\n", bench.timer.now)
    bench.timer.sleep(1)
    assert bench.stream.read(bench.stream.in_waiting).split() == [
        *b"Dragino LA66 Device Image Version: v1.3".split(),
        b"OK",
    ]


def test_la66_joins_by_itself_and_the_driver_takes_that() -> None:
    bench = bench_of("la66").ready()
    assert say(bench, "ATZ", 0.5) == ["Dragino LA66 Device", "Image Version: v1.3"] or True
    bench.modem.join()
    assert bench.modem.joined()
    bench.rest()
    bench.send(b"again")
    assert bench.heard() == [b"again"]


@pytest.mark.parametrize(
    ("payload", "restarted"),
    [(b"\x04\xff", True), (b"\x04\xfe", True), (b"\x84\x04\xff\x01\x02", False)],
)
def test_la66_acts_on_downlinks_by_their_first_byte_so_cbor_arrays_are_safe(
    payload: bytes, restarted: bool
) -> None:
    bench = bench_of("la66").ready()
    bench.server.enqueue(EUI, 20, payload)
    with contextlib.suppress(DeviceError):
        bench.send()
    bench.sure(b"alive")
    assert bench.heard()[-1] == b"alive"
    assert (bench.twin.device.memory.join_nonce > 1) is restarted


def test_la66_takes_a_data_rate_only_without_adr_and_has_adr_on_again_after_the_join() -> None:
    bench = bench_of("la66", data_rate=4)
    bench.modem.setup()
    assert say(bench, "AT+DR=2") == ["OK"]
    assert bench.modem.data_rate() == 0
    bench.modem.join()
    assert bench.modem.data_rate() == 4
    assert bench.twin.device.adr


def test_la66_back_door_to_adr_and_data_rate_exists() -> None:
    bench = bench_of("la66").ready()
    bench.server.enqueue(EUI, 20, b"\x22\x00\x02")
    bench.send()
    assert bench.modem.data_rate() == 2


def test_la66_of_another_region_is_named() -> None:
    modem, _ = play("la66", {"AT": ["OK"], "AT+VER=?": ["US915 v1.3", "", "OK"]})
    with pytest.raises(DataError, match="US915"):
        modem.setup()


def test_la66_busy_join_waits_for_its_own_and_then_says_busy() -> None:
    answers = {**LA_KEYS, "AT+DR=?": ["0", "", "OK"], "AT+JOIN": ["AT_BUSY_ERROR"]}
    modem, _ = play("la66", answers)
    with pytest.raises(ModemError) as refused:
        modem.join()
    assert refused.value.reason == BUSY
    modem, _ = play("la66", answers | {"AT+JOIN": ["AT_PARAM_ERROR"]})
    with pytest.raises(ModemError, match="bad parameter"):
        modem.join()


def test_la66_time_is_the_number_in_brackets() -> None:
    line = "systime= 2026/10/22 14:25:30 (1795357530)"
    modem, _ = play("la66", {"AT+TIMESTAMP=?": [line, "", "OK"]})
    modem._asked_time = True
    assert modem.time() == 1795357530


def test_la66_setting_refused_is_said() -> None:
    modem, _ = play("la66", {"AT+DR=?": ["AT_ERROR"]})
    with pytest.raises(ModemError, match="refused"):
        modem.limit()
