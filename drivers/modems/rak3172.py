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
    NOT_ACKED,
    NOT_JOINED,
    RESTARTED,
    TOO_LONG,
    UNFINISHED,
    DataError,
    ModemError,
)
from drivers.modems.eu868 import MAC_ANSWERS
from drivers.modems.plausibility import moment, waiting
from drivers.modems.serial_modem import PLAIN_S, UNFINISHED_S
from drivers.modems.settings_modem import SettingsModem
from drivers.sim.lorawan.rui3 import RAK3172Twin

EU868 = "4"
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


class RAK3172(SettingsModem):
    """One module. `tries`: how often a confirmed frame is sent at most, 1..8."""

    baudrate = 115200
    hint = "is it a RAK3172, is it powered?"
    refusals = REFUSALS

    _wait_s = 0.0  # from the newest Restricted_Wait line
    _confirming: bool | None = None
    _timed = False  # the network has answered

    def setup(self) -> None:
        """Wake, identify, configure, compare the keys. Safe to call again."""
        self._wake()
        version = self._read("VER")
        if not version.startswith("RUI_"):
            raise DataError(f"{self.port.path}: firmware {version!r} is no RUI3: update it")
        for name, value in (("NWM", "1"), ("BAND", EU868)):
            if self._ensure(name, value):
                self._wake()  # the change restarts it
        self._configure()
        self._ensure("RETY", str(self.tries - 1))
        self._confirming = self._read("CFM") == "1"

    def join(self) -> None:
        """One attempt; returns when accepted."""
        self._take_keys()
        self._ensure("DR", str(self.join_rate))
        self._do("JOIN=1:0:8:0")
        self._outcome("+EVT:JOINED", "+EVT:JOIN_FAILED")
        self._rekeyed = False

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

    def _value(self, name: str, line: str) -> str | None:
        if line.startswith(f"AT+{name}="):
            return line.partition("=")[2]
        if name == "VER" and not line.startswith("+") and line != "OK":
            return line  # firmware before RUI3 wrote the bare value
        return None

    def _do(self, command: str) -> None:
        self._wait_s = 0.0
        super()._do(command)

    def _refusal(self, line: str) -> ModemError:
        if line == "AT_BUSY_ERROR" and self._wait_s:
            return ModemError(DUTY_CYCLE, self._wait_s)
        return super()._refusal(line)

    def _offer(self, payload: bytes, port: int, confirmed: bool) -> None:
        self._check(payload)
        if confirmed != self._confirming:
            self._ensure("CFM", str(int(confirmed)))
            self._confirming = confirmed
        try:
            self._do(f"SEND={port}:{payload.hex()}")
        except ModemError as error:
            if error.reason == REFUSALS["AT_PARAM_ERROR"]:
                self._empty_instead()
            raise

    def _finish(self, confirmed: bool) -> None:
        for line in self.talk.until(self._patience_s(confirmed)):
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
        if match := RESTRICTED.fullmatch(line):
            self._wait_s = waiting(match[1])
        elif (match := DOWN.fullmatch(line)) and self._downlink(match[3], match[4]):
            self._strength(match[1], match[2])
        elif match := LINK.fullmatch(line):
            self._margin(match[1], match[2])
        elif line == "+EVT:TIMEREQ_OK":
            self._timed = True
        elif line.startswith(BANNER) and sending:
            raise ModemError(RESTARTED, 0.0)
        else:
            self.talk.note(line)


DRIVER, TWIN = RAK3172, RAK3172Twin
