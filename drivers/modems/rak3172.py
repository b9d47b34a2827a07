"""RAKwireless RAK3172 (and RAK4630, RAK3272): LoRaWAN modem, RUI3 AT commands, 115200 Bd.

RUI3 AT Command Manual, firmware 4.x. The module keeps nonces, session and counters in its flash.
What is peculiar, seen in RUI3's source:

- A frame too long for the data rate is answered with AT_PARAM_ERROR, but an empty frame has been
  sent instead and its +EVT:TX_DONE follows.
- AT_BUSY_ERROR means duty cycle only after a Restricted_Wait line.
- +CFM is a mode, kept in flash, not a part of the send command.
- A confirmed downlink, or one with more to come, makes it send an empty frame on port 1 by itself.
"""

from __future__ import annotations

import re

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
    Downlink,
    ModemError,
    Signal,
)
from drivers.bus.port import Port
from drivers.keys import Keys
from drivers.modems.dialogue import Dialogue
from drivers.modems.eu868 import LIMIT, MAC_ANSWERS
from drivers.modems.plausibility import moment, waiting
from drivers.modems.reset import ResetPin
from drivers.sim.lorawan.rui3 import RAK3172Twin

EU868 = "4"
JOIN_S, PLAIN_S, CONFIRMED_S = 15.0, 30.0, 12.0  # cover SF12, 3 repetitions; per try if confirmed
BUSY_S, UNFINISHED_S = 5.0, 30.0
TRIES = 3
REFUSALS = {
    "AT_ERROR": "refused",
    "AT_PARAM_ERROR": "bad parameter",
    "AT_BUSY_ERROR": BUSY,
    "AT_TEST_PARAM_OVERFLOW": "parameter too long",
    "AT_NO_CLASSB_ENABLE": "class B is off",
    "AT_NO_NETWORK_JOINED": NOT_JOINED,
    "AT_RX_ERROR": "receive error",
    "AT_MODE_NO_SUPPORT": "not in LoRaWAN mode",
    "AT_COMMAND_NOT_FOUND": "unknown command",
    "AT_UNSUPPORTED_BAND": "firmware without EU868",
}
RESTRICTED = re.compile(r"Restricted_Wait_(\d+)_ms")
DOWN = re.compile(
    r"\+EVT:RX_[12BC]:(-?\d+):(-?\d+):(?:UNI|MULTI)CAST:(\d{1,3}):((?:[0-9a-fA-F]{2})+)"
)
LINK = re.compile(r"\+EVT:LINKCHECK:0:(\d+):(\d+):(-?\d+):(-?\d+)")
LOCAL_TIME = re.compile(r"(\d+)h(\d+)m(\d+)s on (\d+)/(\d+)/(\d+)")
BANNER = "Current Work Mode"


class RAK3172:
    """One module. `tries`: how often a confirmed frame is sent at most, 1..8."""

    baudrate = 115200
    asks_by_uplink = False

    def __init__(
        self,
        port: Port,
        keys: Keys,
        *,
        adr: bool = True,
        data_rate: int = 0,
        tries: int = TRIES,
        reset: ResetPin | None = None,
    ) -> None:
        self.port, self.keys, self.reset = port, keys, reset
        self.adr, self.join_rate, self.tries = adr, data_rate, tries
        self.signal = Signal()
        self.talk = Dialogue(port, self._unasked)
        self._downlinks: list[Downlink] = []
        self._rekeyed = False  # the session belongs to other keys
        self._answers = 0  # bytes the modem's own answers may take off the next payload
        self._wait_s = 0.0  # from the newest Restricted_Wait line
        self._confirming: bool | None = None
        self._timed = False

    def setup(self) -> None:
        """Wake, identify, configure, compare the keys. Safe to call again."""
        self._wake()
        version = self._read("VER")
        if not version.startswith("RUI_"):
            raise DataError(f"{self.port.path}: firmware {version!r} is no RUI3: update it")
        for name, value in (("NWM", "1"), ("BAND", EU868)):
            if self._ensure(name, value):
                self._wake()  # the change restarts it
        for name, value in (("NJM", "1"), ("CLASS", "A"), ("DCS", "1")):
            self._ensure(name, value)
        self._ensure("ADR", str(int(self.adr)))
        self._ensure("RETY", str(self.tries - 1))
        self._confirming = self._read("CFM") == "1"
        self._rekeyed = any(self._differs(name, value) for name, value in self._identity())

    def joined(self) -> bool:
        """Whether it holds a session of these keys."""
        return not self._rekeyed and self._read("NJS") == "1"

    def join(self) -> None:
        """One attempt; returns when accepted."""
        for name, value in self._identity():
            self._ensure(name, value)
        self._ensure("DR", str(self.join_rate))
        self._do("JOIN=1:0:8:0")
        for line in self.talk.until(JOIN_S):
            if line == "+EVT:JOINED":
                self._rekeyed = False
                return
            if line.startswith("+EVT:JOIN_FAILED"):
                raise ModemError(NO_ACCEPT, 0.0)
            self._unasked(line, sending=True)
        raise BusError(f"{self.port.path}: join: neither joined nor failed in {JOIN_S:g} s")

    def data_rate(self) -> int:
        """The present data rate."""
        text = self._read("DR")
        if text not in "0123456" or not text:
            raise DataError(f"{self.port.path}: data rate {text!r}")
        return int(text)

    def limit(self) -> int:
        """Bytes the next payload may have."""
        return LIMIT[self.data_rate()] - self._answers

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send; returns when the modem says sent, or acknowledged."""
        if not 0 < len(payload) <= self.limit():
            raise ModemError(TOO_LONG if payload else "empty payload", 0.0)
        if confirmed != self._confirming:
            self._ensure("CFM", str(int(confirmed)))
            self._confirming = confirmed
        try:
            self._do(f"SEND={port}:{payload.hex()}")
        except ModemError as error:
            if error.reason == REFUSALS["AT_PARAM_ERROR"]:
                self._empty_instead()
            if error.reason == BUSY and self.reset is not None:
                self.reset.busy()
            raise
        if self.reset is not None:
            self.reset.calm()
        self._sent(confirmed)
        self._answers = 0

    def received(self) -> list[Downlink]:
        """Downlinks since the last call."""
        self.talk.settle()
        got, self._downlinks = self._downlinks, []
        return got

    def ask_link(self) -> None:
        """Let the next uplink ask how well it is heard."""
        self._do("LINKCHECK=1")

    def ask_time(self) -> None:
        """Let the next uplink ask for the time."""
        self._timed = False
        self._do("TIMEREQ=1")

    def time(self) -> float | None:
        """Unix time now, if the network has answered. Whole seconds."""
        self.talk.settle()
        if not self._timed:
            return None
        match = LOCAL_TIME.fullmatch(self._read("LTIME"))
        if match is None:
            raise DataError(f"{self.port.path}: no time in the answer to AT+LTIME")
        hour, minute, second, month, day, year = map(int, match.groups())
        return moment((year, month, day, hour, minute, second))

    def _wake(self) -> None:
        """Get in step with it; with the reset line if nothing else helps. Raises BusError."""
        if self._alive():
            return
        if self.reset is not None:
            self.reset.pulse()
            if self._alive():
                return
        raise BusError(f"{self.port.path}: no answer to AT: is it a RAK3172, is it powered?")

    def _alive(self) -> bool:
        for _ in range(3):
            self.port.write(b"\r\n")
            self.port.pause(0.05)
            self.talk.settle()
            self.talk.say("AT")
            if any(line == "OK" or line in REFUSALS for line in self.talk.until(0.5)):
                return True
        return False

    def _read(self, name: str) -> str:
        """The value of a setting."""
        value = ""
        for line in self.talk.ask(f"AT+{name}=?"):
            if line == "OK" and value:
                return value
            if line in REFUSALS:
                raise ModemError(f"AT+{name}: {REFUSALS[line]}", 0.0)
            if line.startswith(f"AT+{name}="):
                value = line.partition("=")[2]
            elif name == "VER" and not line.startswith("+") and line != "OK":
                value = line  # firmware before RUI3 wrote the bare value
            elif line != "OK":
                self._unasked(line)
        raise AssertionError

    def _ensure(self, name: str, value: str) -> bool:
        """Write a setting if it differs: each write wears the flash. True if written."""
        if not self._differs(name, value):
            return False
        self._do(f"{name}={value}")
        return True

    def _differs(self, name: str, value: str) -> bool:
        """Whether a setting is another; asked twice: a garbled answer must not end a session."""
        return all(self._read(name).upper() != value for _ in range(2))

    def _identity(self) -> tuple[tuple[str, str], ...]:
        """Written by `join` only, so that setup finds a session of other keys until then."""
        keys = self.keys
        return ("DEVEUI", keys.dev_eui), ("APPEUI", keys.join_eui), ("APPKEY", keys.app_key)

    def _do(self, command: str) -> None:
        """A command that answers with one word. Raises ModemError with the module's reason."""
        self._wait_s = 0.0
        for line in self.talk.ask(f"AT+{command}"):
            if line == "OK":
                return
            if line in REFUSALS:
                raise self._refusal(line)
            self._unasked(line)

    def _refusal(self, line: str) -> ModemError:
        if line == "AT_BUSY_ERROR" and self._wait_s:
            return ModemError(DUTY_CYCLE, self._wait_s)
        return ModemError(REFUSALS[line], BUSY_S if line == "AT_BUSY_ERROR" else 0.0)

    def _sent(self, confirmed: bool) -> None:
        """Wait for the end of the frame just accepted."""
        wait_s = CONFIRMED_S * self.tries if confirmed else PLAIN_S
        for line in self.talk.until(wait_s):
            if line == ("+EVT:SEND_CONFIRMED_OK" if confirmed else "+EVT:TX_DONE"):
                return
            if confirmed and line.startswith("+EVT:SEND_CONFIRMED_FAILED"):
                raise ModemError(NOT_ACKED, 0.0)
            self._unasked(line, sending=True)
        raise ModemError(UNFINISHED, UNFINISHED_S)

    def _empty_instead(self) -> None:
        """It sent an empty frame to get rid of its own answers: wait until that is over."""
        self._answers = MAC_ANSWERS
        for line in self.talk.until(PLAIN_S):
            if line == "+EVT:TX_DONE" or line.startswith("+EVT:SEND_CONFIRMED"):
                break
            self._unasked(line)
        raise ModemError(TOO_LONG, 0.0)

    def _unasked(self, line: str, *, sending: bool = False) -> None:
        """A line nobody waited for. Raises ModemError if it means that a frame is lost."""
        if match := RESTRICTED.fullmatch(line):
            self._wait_s = waiting(match[1])
        elif (match := DOWN.fullmatch(line)) and 0 < int(match[3]) < 256:
            self.signal.heard += 1
            self.signal.rssi_dbm, self.signal.snr_db = float(match[1]), float(match[2])
            self._downlinks.append(Downlink(int(match[3]), bytes.fromhex(match[4])))
        elif match := LINK.fullmatch(line):
            self.signal.heard += 1
            self.signal.margin_db, self.signal.gateways = int(match[1]), int(match[2])
        elif line == "+EVT:TIMEREQ_OK":
            self._timed = True
        elif line.startswith(BANNER) and sending:
            raise ModemError(RESTARTED, 0.0)
        else:
            self.talk.note(line)


DRIVER, TWIN = RAK3172, RAK3172Twin
