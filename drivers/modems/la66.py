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
    Signal,
)
from drivers.bus.port import Port
from drivers.keys import Keys, bare
from drivers.modems.dialogue import Dialogue
from drivers.modems.eu868 import LIMIT, MAC_ANSWERS
from drivers.modems.plausibility import believable
from drivers.modems.reset import ResetPin
from drivers.sim.lorawan.dragino import LA66Twin

JOIN_S, PLAIN_S, CONFIRMED_S = 15.0, 30.0, 12.0  # cover SF12, 3 repetitions; per try if confirmed
BUSY_S, DUTY_S, UNFINISHED_S = 5.0, 60.0, 30.0
TRIES = 3
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


class LA66:
    """One module. `tries`: how often a confirmed frame is sent at most, 1..8."""

    baudrate = 9600
    asks_by_uplink = True

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
        self._answers = 0  # bytes the module's own answers may take off the next payload
        self._hinted = self._asked_time = False

    def setup(self) -> None:
        """Wake, identify, configure, compare the keys. Safe to call again."""
        self._wake()
        version = self._read("VER", r"\w+ v\d+\.\d+.*")
        if not VERSION.fullmatch(version):
            raise DataError(f"{self.port.path}: {version!r}: is its firmware for EU868?")
        for name, value in (("NJM", "1"), ("CLASS", "A"), ("DCS", "1")):
            self._ensure(name, value, r"[A-C]|\d")
        self._ensure("ADR", str(int(self.adr)), r"\d")
        self._ensure("CFM", f"0,{self.tries - 1},0", r"\d,\d,\d")
        self._rekeyed = any(self._differs(*one, HEX) for one in self._identity())

    def joined(self) -> bool:
        """Whether it holds a session of these keys."""
        return not self._rekeyed and self._read("NJS", "[01]") == "1"

    def join(self) -> None:
        """One attempt; returns when accepted, also by an attempt of the module's own."""
        for name, value in self._identity():
            self._ensure(name, value, HEX)
        if self._differs("DR", str(self.join_rate), "[0-7]"):
            self._ensure("ADR", "0", r"\d")  # it takes a data rate only without ADR
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
                self._ensure("ADR", str(int(self.adr)), r"\d")
                return
            self._unasked(line, sending=True)
        raise refusal

    def data_rate(self) -> int:
        """The present data rate."""
        return int(self._read("DR", "[0-6]"))

    def limit(self) -> int:
        """Bytes the next payload may have."""
        return LIMIT[self.data_rate()] - self._answers

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send; returns when the modem says sent, or has heard something in time if confirmed."""
        if not 0 < len(payload) <= self.limit():
            raise ModemError(TOO_LONG if payload else "empty payload", 0.0)
        sure = "01" if confirmed else "00"
        self.talk.settle()
        self.talk.say(f"AT+SENDB={sure},{port},{len(payload)},{payload.hex()}")
        self._sent(confirmed)
        self._answers = 0

    def received(self) -> list[Downlink]:
        """Downlinks since the last call."""
        self.talk.settle()
        if self._hinted:
            self._hinted = False
            match = DOWN.fullmatch(self._read("RECVB", DOWN.pattern))
            if match and match[2] and 0 < int(match[1]) < 256:
                self._downlinks.append(Downlink(int(match[1]), bytes.fromhex(match[2])))
        got, self._downlinks = self._downlinks, []
        return got

    def ask_link(self) -> None:
        """It has no command for that: the strength of downlinks has to do."""

    def ask_time(self) -> None:
        """Ask for the time with a frame of the module's own, one byte on port 4."""
        self._asked_time = False
        self.talk.settle()
        self.talk.say("AT+DEVICETIMEREQ=1")
        self._sent(False)
        self._asked_time = True

    def time(self) -> float | None:
        """Unix time now, if the network has answered. Whole seconds."""
        self.talk.settle()
        if not self._asked_time:
            return None
        match = CLOCK.fullmatch(self._read("TIMESTAMP", CLOCK.pattern))
        return believable(float(match[1])) if match else None

    def _wake(self) -> None:
        """Get in step with it; with the reset line if nothing else helps. Raises BusError."""
        if self._alive():
            return
        if self.reset is not None:
            self.reset.pulse()
            if self._alive():
                return
        raise BusError(f"{self.port.path}: no answer to AT: is it an LA66, is it powered?")

    def _alive(self) -> bool:
        for _ in range(3):
            self.port.write(b"\r\n")
            self.port.pause(0.05)
            self.talk.settle()
            self.talk.say("AT")
            if any(line == "OK" or line in REFUSALS for line in self.talk.until(0.5)):
                return True
        return False

    def _read(self, name: str, shape: str) -> str:
        """The value of a setting: a line that looks like one, then OK. Raises ModemError."""
        value = None
        for line in self.talk.ask(f"AT+{name}=?"):
            if line == "OK" and value is not None:
                return value
            if line in REFUSALS:
                raise ModemError(f"AT+{name}: {REFUSALS[line]}", BUSY_S)
            if re.fullmatch(shape, line):
                value = line
            elif line != "OK":
                self._unasked(line)
        raise AssertionError

    def _ensure(self, name: str, value: str, shape: str) -> bool:
        """Write a setting if it differs: each write wears the flash. True if written."""
        if not self._differs(name, value, shape):
            return False
        self._do(f"{name}={value}")
        return True

    def _differs(self, name: str, value: str, shape: str) -> bool:
        """Whether a setting is another; asked twice: a garbled answer must not end a session."""
        return all(bare(self._read(name, shape)) != value for _ in range(2))

    def _identity(self) -> tuple[tuple[str, str], ...]:
        """Written by `join` only, so that setup finds a session of other keys until then."""
        keys = self.keys
        return ("DEUI", keys.dev_eui), ("APPEUI", keys.join_eui), ("APPKEY", keys.app_key)

    def _do(self, command: str) -> None:
        """A command that answers with OK or a refusal. Raises ModemError."""
        for line in self.talk.ask(f"AT+{command}"):
            if line == "OK":
                return
            if line in REFUSALS:
                raise self._refusal(line)
            self._unasked(line)

    def _refusal(self, line: str) -> ModemError:
        """Busy is the duty cycle as well: it does not say which, nor for how long."""
        return ModemError(REFUSALS[line], BUSY_S if line == "AT_BUSY_ERROR" else 0.0)

    def _sent(self, confirmed: bool) -> None:
        """Wait until accepted, transmitted and listened for; in whatever order it says so."""
        accepted = transmitted = heard = too_long = False
        wait_s = CONFIRMED_S * self.tries if confirmed else PLAIN_S
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
        """A line nobody waited for. Raises ModemError if it means that a frame is lost."""
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
