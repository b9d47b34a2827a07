"""Seeed LoRa-E5 / Wio-E5 (RisingHF AT firmware): LoRaWAN modem, 9600 Bd.

LoRa-E5 AT Command Specification V1.0, firmware 4.0.11. Every answer is `+NAME: text`; a frame runs
from Start to Done. What is peculiar:

- A confirmed frame that nobody acknowledges ends with Done as well: the missing line
  "ACK Received" is the failure.
- Refusals may carry another frame command's name than the one sent.
- The session is lost with a reset, keys and settings are kept.
- After sleep the first command only wakes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from drivers.api import (
    BUSY,
    DUTY_CYCLE,
    NO_ACCEPT,
    NOT_ACKED,
    NOT_JOINED,
    TOO_LONG,
    UNFINISHED,
    DataError,
    ModemError,
)
from drivers.keys import bare
from drivers.modems.plausibility import moment, waiting
from drivers.modems.serial_modem import BUSY_S, NO_CHANNEL_S, UNFINISHED_S, SerialModem
from drivers.sim.lorawan.risinghf import LoRaE5Twin

JOIN_S = 20.0
LONGEST = 242  # bytes, at any data rate
LINE = re.compile(r"\+(\w+): ?(.*)")
ERROR = re.compile(r"ERROR\((-?\d+)\)")
NO_BAND = re.compile(r"No band in (\d+)ms")
DOWN = re.compile(r'PORT: (\d{1,3}); RX: "((?:[0-9A-Fa-f]{2})+)"')
WINDOW = re.compile(r"RXWIN[12], RSSI (-?\d+), SNR (-?\d+(?:\.\d+)?)")
LINK = re.compile(r"Link (\d+), (\d+)")
CLOCK = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?")
FRAMES = ("MSG", "CMSG", "MSGHEX", "CMSGHEX")


class LoRaE5(SerialModem):
    """One module. `tries`: how often a confirmed frame is sent at most."""

    hint = "is it a LoRa-E5, is it powered?"

    _asked_time = False
    _fport = 0  # as last set; 0: not known

    def setup(self) -> None:
        """Wake, identify, configure, compare the identifiers. Safe to call again."""
        self._wake()
        self._ask("UART=TIMEOUT,0")  # a slow line is no error
        version = self._ask("VER")
        if not re.match(r"\d+\.\d+", version):
            raise DataError(f"{self.port.path}: version {version!r}: is it a LoRa-E5?")
        for command in ("MODE=LWOTAA", "DR=EU868", "CH=NUM,0-2", "CLASS=A", "LW=DC,ON"):
            self._ask(command)
        self._ask(f"ADR={'ON' if self.adr else 'OFF'}")
        self._ask(f"RETRY={self.tries}")
        self._rekeyed = any(self._differs(name, value) for name, value in self._identity())
        self._joined = self._joined and not self._rekeyed
        self._fport = 0

    def join(self) -> None:
        """One attempt; returns when accepted, at once if it still holds a session."""
        if not self._joined:
            self._ask(f"DR={self.join_rate}")
        if self._rekeyed:
            for name, value in self._identity():
                self._ask(f'ID={name},"{value}"')
        self._ask(f'KEY=APPKEY,"{self.keys.app_key}"')  # cannot be read
        joined = False
        for text in self._run("JOIN=FORCE" if self._rekeyed else "JOIN", JOIN_S, ("JOIN",)):
            if text in ("Network joined", "Joined already"):
                joined = True
            if text == "Joined already" or (text == "Done" and joined):
                self._joined, self._rekeyed = True, False
                return
            if text in ("Done", "Join failed"):
                break
            self._refused(text)
        self._joined = False
        self._drain("JOIN")
        raise ModemError(NO_ACCEPT, 0.0)

    def data_rate(self) -> int:
        """The present data rate."""
        text = self._ask("DR")
        match = re.fullmatch(r"DR([0-6])(?: \(ADR DR([0-6])\))?", text)
        if match is None:
            raise DataError(f"{self.port.path}: data rate {text!r}")
        return int(match[2] or match[1])

    def limit(self) -> int:
        """Bytes the next payload may have, as the module itself says."""
        text = self._ask("LW=LEN")
        match = re.fullmatch(r"LEN, (\d{1,3})", text)
        if match is None or int(match[1]) > LONGEST:
            raise DataError(f"{self.port.path}: payload limit {text!r}")
        return int(match[1])

    def ask_link(self) -> None:
        """Let the next uplink ask how well it is heard."""
        self._ask("LW=LCR")

    def ask_time(self) -> None:
        """Let the next uplink ask for the time."""
        self._ask("LW=DTR")
        self._asked_time = True

    def time(self) -> float | None:
        """Unix time now, if the network has set the module's clock: that starts in 2020."""
        if not self._asked_time:
            return None
        match = CLOCK.fullmatch(self._ask("RTC=UTCMS"))
        if match is None:
            raise DataError(f"{self.port.path}: no time in the answer to AT+RTC")
        numbers = [int(match[group]) for group in range(1, 7)]
        second = moment(numbers)
        return None if second is None else second + float(match[7] or 0)

    def _greets(self, line: str) -> bool:
        return line == "+AT: OK"

    def _offer(self, payload: bytes, port: int, confirmed: bool) -> None:
        if port != self._fport:
            self._ask(f"PORT={port}")
            self._fport = port
        command = f'{"C" if confirmed else ""}MSGHEX="{payload.hex().upper()}"'
        for text in self._run(command, self._patience_s(confirmed), FRAMES):
            if text == "Start":
                return
            self._refused(text)

    def _finish(self, confirmed: bool) -> None:
        acked = not confirmed
        for text in self._texts(self.talk.until(self._patience_s(confirmed)), FRAMES):
            if text == "Done":
                break
            acked = acked or text == "ACK Received"
            self._refused(text)
        else:
            raise ModemError(UNFINISHED, UNFINISHED_S)
        if not acked:
            raise ModemError(NOT_ACKED, 0.0)

    def _differs(self, name: str, value: str) -> bool:
        """Whether an identifier is another; asked twice: garbled answers must not end a session."""
        return all(bare(self._ask(f"ID={name}").rpartition(",")[2]) != value for _ in range(2))

    def _identity(self) -> tuple[tuple[str, str], ...]:
        """Written by `join` only, so that setup finds a session of other keys until then."""
        return ("DevEui", self.keys.dev_eui), ("AppEui", self.keys.join_eui)

    def _ask(self, command: str) -> str:
        """A command with a one-line answer: its text. Raises ModemError."""
        name = re.split(r"[=+]", command)[0]
        for text in self._run(command, 2.0, (name,)):
            if ERROR.fullmatch(text):
                raise ModemError(f"AT+{name}: {text}", 0.0)
            if text == "LoRaWAN modem is busy":
                raise ModemError(BUSY, BUSY_S)
            return text
        raise AssertionError

    def _run(self, command: str, timeout_s: float, names: tuple[str, ...]) -> Iterator[str]:
        """Texts of the lines of a command's answer."""
        return self._texts(self.talk.ask(f"AT+{command}", timeout_s), names)

    def _texts(self, lines: Iterable[str], names: tuple[str, ...]) -> Iterator[str]:
        """Texts of the lines with these names; the others are taken care of."""
        for line in lines:
            match = LINE.fullmatch(line)
            if match and match[1] in names and not self._news(match[2]):
                yield match[2]
            elif not match or match[1] not in names:
                self._unasked(line)

    def _drain(self, name: str) -> None:
        """Let the answer come to its end."""
        for line in self.talk.until(1.0):
            if line == f"+{name}: Done":
                return

    def _refused(self, text: str) -> None:
        """Raise ModemError if a line of a join or frame says no."""
        if text == "Please join network first":
            self._joined = False
            raise ModemError(NOT_JOINED, 0.0)
        if text == "LoRaWAN modem is busy":
            raise ModemError(BUSY, BUSY_S)
        if match := NO_BAND.fullmatch(text):
            raise ModemError(DUTY_CYCLE, waiting(match[1]))
        if text.startswith("No free channel"):
            raise ModemError(DUTY_CYCLE, NO_CHANNEL_S)
        if text.startswith("Length error") or text == "DR error":
            raise ModemError(TOO_LONG, 0.0)
        if ERROR.fullmatch(text):
            raise ModemError(f"refused: {text}", 0.0)

    def _news(self, text: str) -> bool:
        """Take a downlink, its strength or a link check out of a line. False: none of them."""
        if match := DOWN.fullmatch(text):
            return self._downlink(match[1], match[2])
        if match := WINDOW.fullmatch(text):
            self._strength(match[1], match[2])
        elif match := LINK.fullmatch(text):
            self._margin(match[1], match[2])
        return match is not None

    def _unasked(self, line: str, *, sending: bool = False) -> None:
        match = LINE.fullmatch(line)
        if not (match and match[1] in FRAMES and self._news(match[2])):
            self.talk.note(line)


DRIVER, TWIN = LoRaE5, LoRaE5Twin
