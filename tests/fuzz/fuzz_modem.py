"""Modem lines damaged in every way: no crash, no hang, no frame taken for sent that was not."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from drivers.api import DeviceError, Modem, ModemError
from drivers.keys import Keys
from drivers.modems.la66 import LA66
from drivers.modems.lora_e5 import LoRaE5
from drivers.modems.rak3172 import RAK3172
from drivers.modems.rn2483 import RN2483
from tests.fuzz import modem_words as words
from tests.modem_kit import APP_KEY, DEV_EUI, JOIN_EUI, Timer

PAYLOAD = bytes.fromhex("830102")
LONGEST_S = 400.0  # of any one call, in the modem's time
STRAY = (
    "OK",
    "ok",
    "+EVT:TX_DONE",
    "+EVT:SEND_CONFIRMED_OK",
    "mac_tx_ok",
    "mac_err",
    "busy",
    "txDone",
    "rxDone",
    "rxTimeout",
    "uplink payload oversize at current data rate",
    "+MSGHEX: Done",
    "+CMSGHEX: ACK Received",
    "+MSGHEX: Length error 51",
    "AT_BUSY_ERROR",
    "AT_PARAM_ERROR",
    "Restricted_Wait_118342_ms",
    "Current Work Mode: LoRaWAN.",
    "Dragino LA66 Device",
    "RN2483 1.0.5 Oct 31 2018 15:06:52",
    "+EVT:RX_1:-52:8:UNICAST:20:85",
    "",
    "\x00",
)
DIALECTS: tuple[tuple[type, Callable[[str], list[str]], bytes], ...] = (
    (RAK3172, words.rak3172, b"\r\n"),
    (LoRaE5, words.lora_e5, b"\r\n"),
    (RN2483, words.rn2483, b"\r\n"),
    (LA66, words.la66, b"\n\r"),
)


class Wire:
    """What of a Port the drivers use, with a modem behind it whose lines get damaged."""

    path = "fuzz"

    def __init__(self, answer: Callable[[str], list[str]], end: bytes, random: Random) -> None:
        self.answer, self.end, self.random = answer, end, random
        self.timer = Timer()
        self.damage = 0.0  #: probability per line
        self.damaged = 0
        self.coming = bytearray()
        self.seen = bytearray()  #: everything the modem said since the frame command

    def write(self, data: bytes) -> None:
        command = data.decode("latin-1").strip()
        if not command:
            return
        if command.startswith(("AT+SEND", "AT+MSGHEX", "AT+CMSGHEX", "mac tx")):
            self.seen.clear()
        lines = [line.encode("latin-1") + self.end for line in self.answer(command)]
        raw = b"".join(self._damaged(line) for line in lines)
        self.coming += raw
        self.seen += raw

    def read(self, length: int, timeout_s: float) -> bytes:
        if not self.coming:
            self.timer.now += timeout_s
            return b""
        got = bytes(self.coming[:length])
        del self.coming[:length]
        return got

    def pause(self, seconds: float) -> None:
        self.timer.sleep(seconds)

    def send_break(self, seconds: float) -> None:
        self.timer.sleep(seconds)

    def _damaged(self, line: bytes) -> bytes:
        random = self.random
        if random.random() >= self.damage:
            return line
        self.damaged += 1
        at = random.randrange(len(line))
        stray = random.choice(STRAY).encode("latin-1") + self.end
        return random.choice(
            (
                b"",
                line + line,
                line[:at],
                line[at:],
                line[:at] + bytes([line[at] ^ 1 << random.randrange(8)]) + line[at + 1 :],
                line[:at] + random.randbytes(random.randrange(4)) + line[at:],
                line[:at] + stray + line[at:],
                stray + line,
                line + stray,
                stray,
                line[:at] + b"\xa5" * random.choice((3,) * 9 + (2000,)) + line[at:],
            )
        )


def sent(dialect: type, said: bytes, confirmed: bool) -> bool:
    """Whether the modem's words, read strictly and by nothing of the driver's, say sent."""
    lines = [part.strip(b" \0\t") for part in re.split(rb"[\r\n]", said)]
    text = b"\n".join(line for line in lines if line) + b"\n"
    if dialect is RAK3172:
        end = rb"\+EVT:SEND_CONFIRMED_OK" if confirmed else rb"\+EVT:TX_DONE"
        return bool(re.search(rb"^OK\n(?:.*\n)*?" + end + rb"\n", text, re.MULTILINE))
    if dialect is LoRaE5:
        head = rb"^\+C?MSG(?:HEX)?: ?"
        middle = rb"(?:.*\n)*?" + (head + rb"ACK Received\n(?:.*\n)*?" if confirmed else b"")
        pattern = head + rb"Start\n" + middle + head + rb"Done\n"
        return bool(re.search(pattern, text, re.MULTILINE))
    if dialect is RN2483:
        end = rb"(?:mac_tx_ok|mac_rx \d{1,3} (?:[0-9A-Fa-f]{2})+)\n"
        return bool(re.search(rb"^ok\n(?:.*\n)*?" + end, text, re.MULTILINE))
    over = b"rxDone" if confirmed else rb"rx(?:Done|Timeout|Error)"
    words = [b"^OK$", b"^txDone$", b"^" + over + b"$"]
    return all(re.search(word, text, re.MULTILINE) for word in words)


def run(count: int, seed: int) -> None:
    """At least `count` damaged lines over the four dialects."""
    random, damaged = Random(seed), 0
    while damaged < count:
        damaged += one(*random.choice(DIALECTS), random)


def one(dialect: type, answer: Callable[[str], list[str]], end: bytes, random: Random) -> int:
    """One modem, set up or not, asked this and that; how many lines were damaged."""
    wire = Wire(answer, end, random)
    modem = dialect(wire, Keys(DEV_EUI, JOIN_EUI, APP_KEY))
    wire.damage = random.choice((0.1, 0.3, 0.6, 1.0))
    calls: list[Callable[[], None]] = [
        lambda: modem.setup(),
        lambda: modem.join(),
        lambda: frame(modem, wire, False),
        lambda: frame(modem, wire, False),
        lambda: frame(modem, wire, True),
        lambda: asked(modem),
        lambda: downlinks(modem),
    ]
    for _ in range(8):
        start = wire.timer.now
        call = random.choice(calls)
        try:
            call()
        except ModemError as error:
            refused(error)
        except DeviceError as error:
            refused(ModemError(str(error), 0.0))
        assert wire.timer.now - start < LONGEST_S
    return wire.damaged


def refused(error: ModemError) -> None:
    """A refusal names a reason, keeps the key to itself, silences nobody for over an hour."""
    assert error.reason
    assert APP_KEY not in str(error)
    assert 0 <= error.retry_s <= 3600


def frame(modem: Modem, wire: Wire, confirmed: bool) -> None:
    """A frame; taken for sent only if the modem said so."""
    wire.seen.clear()
    modem.send(PAYLOAD, port=10, confirmed=confirmed)
    assert sent(type(modem), bytes(wire.seen), confirmed), bytes(wire.seen[:500])


def asked(modem: Modem) -> None:
    """Numbers; believable ones only."""
    assert 0 <= modem.data_rate() <= 6
    assert 0 <= modem.limit() <= 242
    modem.ask_link()
    modem.ask_time()
    unix = modem.time()
    assert unix is None or 0 <= unix < 2**33
    assert modem.joined() in (True, False)


def downlinks(modem: Modem) -> None:
    """Ports and payloads as LoRaWAN has them."""
    for downlink in modem.received():
        assert 0 < downlink.port <= 255
        assert 0 < len(downlink.payload) <= 242
