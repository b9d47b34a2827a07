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
from collections.abc import Iterator

from drivers.api import (
    BUSY,
    DUTY_CYCLE,
    NO_ACCEPT,
    NOT_ACKED,
    NOT_JOINED,
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
from drivers.modems.plausibility import moment, waiting
from drivers.modems.reset import ResetPin
from drivers.sim.lorawan.risinghf import LoRaE5Twin

JOIN_S, PLAIN_S, CONFIRMED_S = 20.0, 30.0, 12.0  # cover SF12, 3 repetitions; per try if confirmed
BUSY_S, NO_CHANNEL_S, UNFINISHED_S = 5.0, 60.0, 30.0
TRIES = 3
LONGEST = 242  # bytes, at any data rate
LINE = re.compile(r"\+(\w+): ?(.*)")
ERROR = re.compile(r"ERROR\((-?\d+)\)")
NO_BAND = re.compile(r"No band in (\d+)ms")
DOWN = re.compile(r'PORT: (\d{1,3}); RX: "((?:[0-9A-Fa-f]{2})+)"')
WINDOW = re.compile(r"RXWIN[12], RSSI (-?\d+), SNR (-?\d+(?:\.\d+)?)")
LINK = re.compile(r"Link (\d+), (\d+)")
CLOCK = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?")
FRAMES = ("MSG", "CMSG", "MSGHEX", "CMSGHEX")


class LoRaE5:
    """One module. `tries`: how often a confirmed frame is sent at most."""

    baudrate = 9600
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
        self._joined = self._rekeyed = self._asked_time = False
        self._fport = 0  # as last set; 0: not known

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

    def joined(self) -> bool:
        """Whether it holds a session of these keys, as far as it has told."""
        return self._joined

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
        self._finish("JOIN")
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

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send; returns when the modem says sent, or acknowledged."""
        if port != self._fport:
            self._ask(f"PORT={port}")
            self._fport = port
        command = f'{"C" if confirmed else ""}MSGHEX="{payload.hex().upper()}"'
        self._frame(command, confirmed)

    def _frame(self, command: str, confirmed: bool) -> None:
        """Send a frame and wait for its end."""
        started = acked = False
        wait_s = CONFIRMED_S * self.tries if confirmed else PLAIN_S
        try:
            for text in self._run(command, wait_s, FRAMES):
                if text == "Done" and started:
                    break
                started = started or text == "Start"
                acked = acked or (started and text == "ACK Received")
                self._refused(text)
        except BusError as error:
            if started:
                raise ModemError(UNFINISHED, UNFINISHED_S) from error
            raise
        except ModemError as error:
            if error.reason == BUSY and self.reset is not None and self.reset.busy():
                self._joined = False
            raise
        if self.reset is not None:
            self.reset.calm()
        if confirmed and not acked:
            raise ModemError(NOT_ACKED, 0.0)

    def received(self) -> list[Downlink]:
        """Downlinks since the last call."""
        self.talk.settle()
        got, self._downlinks = self._downlinks, []
        return got

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

    def _wake(self) -> None:
        """Get in step with it; with the reset line if nothing else helps. Raises BusError."""
        if self._alive():
            return
        if self.reset is not None:
            self.reset.pulse()
            self._joined = False
            if self._alive():
                return
        raise BusError(f"{self.port.path}: no answer to AT: is it a LoRa-E5, is it powered?")

    def _alive(self) -> bool:
        """The first line may only wake it."""
        for _ in range(4):
            self.talk.settle()
            self.talk.say("AT")
            if any(line == "+AT: OK" for line in self.talk.until(0.5)):
                return True
        return False

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
        """Texts of the answer's lines; lines of other names are taken care of."""
        for line in self.talk.ask(f"AT+{command}", timeout_s):
            match = LINE.fullmatch(line)
            if match and match[1] in names and not self._news(match[2]):
                yield match[2]
            elif not match or match[1] not in names:
                self._unasked(line)

    def _finish(self, name: str) -> None:
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
        if (match := DOWN.fullmatch(text)) and 0 < int(match[1]) < 256:
            self._downlinks.append(Downlink(int(match[1]), bytes.fromhex(match[2])))
        elif match := WINDOW.fullmatch(text):
            self.signal.heard += 1
            self.signal.rssi_dbm, self.signal.snr_db = float(match[1]), float(match[2])
        elif match := LINK.fullmatch(text):
            self.signal.heard += 1
            self.signal.margin_db, self.signal.gateways = int(match[1]), int(match[2])
        else:
            return False
        return True

    def _unasked(self, line: str) -> None:
        """A line nobody waited for."""
        match = LINE.fullmatch(line)
        if not (match and match[1] in FRAMES and self._news(match[2])):
            self.talk.note(line)


DRIVER, TWIN = LoRaE5, LoRaE5Twin
