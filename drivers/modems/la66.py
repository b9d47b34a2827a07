"""Dragino LA66 (module, USB stick, HAT): LoRaWAN modem, 9600 Bd.

LA66 AT commands, firmware v1.3 as published by Dragino. What is peculiar:

- Lines end in CR LF, LF CR or CR; a value comes before an empty line and OK.
- While a command runs it drops what it hears.
- It joins by itself at start. Its data rate can be set only while ADR is off.
- A frame too long for the data rate is answered with a warning and OK: an empty frame was sent.
- No line says that a confirmed frame was acknowledged: only that something was received in time.
- The firmware acts on downlinks by their first byte, on any port (04 FF restarts it): send it
  CBOR arrays and maps only.
- It sends frames of its own on ports 2 and 4.
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
)
from drivers.modems.eu868 import MAC_ANSWERS
from drivers.modems.plausibility import believable
from drivers.modems.serial_modem import JOIN_S, UNFINISHED_S
from drivers.modems.settings_modem import SettingsModem
from drivers.sim.lorawan.dragino import LA66Twin

DUTY_S = 60.0
REFUSALS = {
    "AT_ERROR": "refused",
    "AT_PARAM_ERROR": "bad parameter",
    "AT_BUSY_ERROR": BUSY,
    "AT_NO_NET_JOINED": NOT_JOINED,
}
VERSION = re.compile(r"EU868 v\d+\.\d+.*")
OVERSIZE = "uplink payload oversize"
HINT = re.compile(r"(?:BuffSize:\d+,)?Run AT\+RECVB=\? to see detail")
DOWN = re.compile(r"(?:AT\+RECVB=)?(\d{1,3}):((?:[0-9a-fA-F]{2})*)")
STRENGTH = re.compile(r"Rssi= (-?\d+)")
CLOCK = re.compile(r"systime= ?\S+ \S+ \((\d+)\)")
BANNER = "Dragino LA66 Device"
WINDOWS_OVER = ("rxDone", "rxTimeout", "rxError")
HEX = "(?:[0-9A-Fa-f]{2} ?)+"
SHAPES = {  #: values come bare: a line that looks like one
    "VER": r"\w+ v\d+\.\d+.*",
    "CLASS": "[A-C]",
    "CFM": r"\d,\d,\d",
    "DR": "[0-7]",
    "DEUI": HEX,
    "APPEUI": HEX,
    "APPKEY": HEX,
    "RECVB": DOWN.pattern,
    "TIMESTAMP": CLOCK.pattern,
}


class LA66(SettingsModem):
    """One module. `tries`: how often a confirmed frame is sent at most, 1..8."""

    asks_by_uplink = True
    hint = "is it an LA66, is it powered?"
    refusals = REFUSALS
    identity = ("DEUI", "APPEUI", "APPKEY")

    _hinted = False  # a downlink lies in its buffer
    _asked_time = False

    def setup(self) -> None:
        """Wake, identify, configure, compare the keys. Safe to call again."""
        self._wake()
        version = self._read("VER")
        if not VERSION.fullmatch(version):
            raise DataError(f"{self.port.path}: {version!r}: is its firmware for EU868?")
        self._configure()
        self._ensure("CFM", f"0,{self.tries - 1},0")

    def join(self) -> None:
        """One attempt; returns when accepted, also by an attempt of the module's own."""
        self._take_keys()
        if self._differs("DR", str(self.join_rate)):
            self._ensure("ADR", "0")  # it takes a data rate only without ADR
            self._do(f"DR={self.join_rate}")
        refusal = ModemError(NO_ACCEPT, 0.0)
        try:
            self._do("JOIN")
        except ModemError as error:
            if error.reason != BUSY:
                raise
            refusal = error  # the duty cycle, or it is joining by itself just now
        for line in self.talk.until(JOIN_S):
            if line == "JOINED":
                self._rekeyed = False
                self._ensure("ADR", str(int(self.adr)))
                return
            self._unasked(line, sending=True)
        raise refusal

    def received(self) -> list[Downlink]:
        """Downlinks since the last call."""
        self.talk.settle()
        if self._hinted:
            self._hinted = False
            match = DOWN.fullmatch(self._read("RECVB"))
            if match and match[2]:
                self._downlink(match[1], match[2])
        return super().received()

    def ask_link(self) -> None:
        """It has no command for that: the strength of downlinks has to do."""

    def ask_time(self) -> None:
        """Ask for the time with a frame of the module's own, one byte on port 4."""
        self._asked_time = False
        self.talk.settle()
        self.talk.say("AT+DEVICETIMEREQ=1")
        self._finish(False)
        self._asked_time = True

    def time(self) -> float | None:
        """Unix time now, if the network has answered. Whole seconds."""
        self.talk.settle()
        if not self._asked_time:
            return None
        match = CLOCK.fullmatch(self._read("TIMESTAMP"))
        return believable(float(match[1])) if match else None

    def _value(self, name: str, line: str) -> str | None:
        return line if re.fullmatch(SHAPES.get(name, r"\d"), line) else None

    def _offer(self, payload: bytes, port: int, confirmed: bool) -> None:
        """Its OK may come after other words: `_finish` waits for it."""
        self._check(payload)
        sure = "01" if confirmed else "00"
        self.talk.settle()
        self.talk.say(f"AT+SENDB={sure},{port},{len(payload)},{payload.hex()}")

    def _finish(self, confirmed: bool) -> None:
        """Wait until accepted, transmitted and listened for; in whatever order it says so."""
        accepted = transmitted = heard = too_long = False
        wait_s = self._patience_s(confirmed)
        for line in self.talk.until(wait_s):
            if line in REFUSALS:
                raise self._sending_refusal(line)
            accepted = accepted or line == "OK"
            transmitted = transmitted or line == "txDone"
            too_long = too_long or line.startswith(OVERSIZE)
            if line in WINDOWS_OVER:
                heard = line == "rxDone"
                over = accepted and transmitted and (heard or not confirmed or too_long)
                if over and not too_long:
                    return
                if over:
                    break
            elif line not in ("OK", "txDone"):
                self._unasked(line, sending=True)
        if too_long:
            self._answers = MAC_ANSWERS
            raise ModemError(TOO_LONG, 0.0)
        if accepted and transmitted:
            if confirmed:
                raise ModemError(NOT_ACKED, 0.0)
            raise ModemError(UNFINISHED, UNFINISHED_S)
        raise BusError(f"{self.port.path}: frame neither accepted nor sent in {wait_s:g} s")

    def _sending_refusal(self, line: str) -> ModemError:
        if line == "AT_BUSY_ERROR":
            return ModemError(DUTY_CYCLE, DUTY_S)
        return self._refusal(line)

    def _unasked(self, line: str, *, sending: bool = False) -> None:
        if HINT.fullmatch(line):
            self._hinted = True
        elif match := STRENGTH.fullmatch(line):
            self.signal.heard += 1
            self.signal.rssi_dbm = float(match[1])
        elif line.startswith(BANNER):
            self._asked_time = False
            if sending:
                raise ModemError(RESTARTED, 0.0)
        else:
            self.talk.note(line)


DRIVER, TWIN = LA66, LA66Twin
