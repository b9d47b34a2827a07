"""Microchip RN2483(A): LoRaWAN modem, 57600 Bd with auto-baud.

RN2483 LoRa Technology Module Command Reference, DS40001784G. What is peculiar:

- Join and send are answered twice: at once, and when it is over. `mac_rx` doubles as the
  acknowledgement of a confirmed frame; a missing one is `mac_err`.
- Session and counters are in RAM; `mac save` keeps them. After a power cut `mac join abp` takes a
  saved session up again (Microchip's FAQ on OTAA); its counter is then raised by what may have been
  sent since. DevNonces are random, as in LoRaWAN 1.0.2.
- No DeviceTimeReq: the time comes by TS003 (LoRa Alliance Application Layer Clock
  Synchronization 1.0.0) on port 202.
- Bit 4 of the 4-byte status says joined; in the 2-byte one of older firmware it is bit 0.
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
    ModemError,
)
from drivers.modems.eu868 import LIMIT_REPEATER, MAC_ANSWERS
from drivers.modems.plausibility import believable
from drivers.modems.serial_modem import BUSY_S, NO_CHANNEL_S, UNFINISHED_S, SerialModem
from drivers.sim.lorawan.microchip import RN2483Twin

SAVE_S = 3.0  # the EEPROM is slow
BREAK_S = 0.02
SAVE_EVERY = 32  # frames between two `mac save`
CLOCK_PORT = 202
GPS_EPOCH, LEAP_S = 315_964_800, 18
EUI = "[0-9A-Fa-f]{16}"
BANNER = re.compile(r"RN2483A? \d+\.\d+\.\d+ .*")
MAC_RX = re.compile(r"mac_rx (\d{1,3}) ((?:[0-9A-Fa-f]{2})+)")
REFUSALS = {
    "invalid_param": ("bad parameter", 0.0),
    "invalid_data_len": (TOO_LONG, 0.0),
    "not_joined": (NOT_JOINED, 0.0),
    "keys_not_init": ("keys missing", 0.0),
    "no_free_ch": (DUTY_CYCLE, NO_CHANNEL_S),
    "silent": ("silenced by the network", 0.0),
    "busy": (BUSY, BUSY_S),
    "mac_paused": (BUSY, 0.0),
}


class RN2483(SerialModem):
    """One module. `tries`: how often a confirmed frame is sent at most."""

    baudrate = 57600
    asks_by_uplink = True
    greeting = "sys get ver"
    hint = "is it an RN2483?"
    limits = LIMIT_REPEATER

    _unsaved = 0  # frames since `mac save`
    _token = 0
    _asked_link = False
    _heard = False  # a downlink came with the newest frame
    _gps_offset: float | None = None  # GPS time less the timer's

    def setup(self) -> None:
        """Wake, identify, take up a session or write the keys. Safe to call again."""
        self._wake()
        if all(self._foreign() for _ in range(2)):  # a garbled answer must not end a session
            self._configure()
        self._joined = self._status() or self._resume()
        for command in (f"adr {'on' if self.adr else 'off'}", f"retx {self.tries - 1}", "ar off"):
            self._do(f"mac set {command}")

    def join(self) -> None:
        """One attempt; returns when accepted."""
        self._do(f"mac set appkey {self.keys.app_key}")  # cannot be read
        self._do(f"mac set dr {self.join_rate}")
        self._joined = False
        self._do("mac join otaa")
        self._outcome("accepted", "denied")
        self._joined = True
        self._save()

    def data_rate(self) -> int:
        """The present data rate."""
        return int(self._get("mac get dr", "[0-6]"))

    def send(self, payload: bytes, *, port: int, confirmed: bool = False) -> None:
        """Send; returns when the modem says sent, or acknowledged."""
        super().send(payload, port=port, confirmed=confirmed)
        self._unsaved += 1
        if self._unsaved >= SAVE_EVERY:
            self._save()
        if self._heard:
            self.signal.heard += 1
            self.signal.snr_db, self._heard = float(self._get("radio get snr")), False
        if self._asked_link:
            self._read_link()

    def ask_link(self) -> None:
        """Let the next uplink ask how well it is heard."""
        self._do("mac set linkchk 1")
        self._asked_link = True

    def ask_time(self) -> None:
        """Ask for the time with an uplink of its own: AppTimeReq of TS003."""
        self._token = (self._token + 1) % 16
        mine = int(self.port.timer.monotonic())
        self._gps_offset = None
        request = b"\x01" + mine.to_bytes(4, "little") + bytes([0x10 | self._token])
        self.send(request, port=CLOCK_PORT)

    def time(self) -> float | None:
        """Unix time now, if the network has answered. Good to a second."""
        self.talk.settle()
        if self._gps_offset is None:
            return None
        return believable(self.port.timer.monotonic() + self._gps_offset + GPS_EPOCH - LEAP_S)

    def _nudge(self, attempt: int) -> None:
        if attempt:  # lets it find the baud rate
            self.port.send_break(BREAK_S)
            self.port.write(b"\x55\r\n")
            self.port.pause(0.1)

    def _greets(self, line: str) -> bool:
        return BANNER.fullmatch(line) is not None

    def _offer(self, payload: bytes, port: int, confirmed: bool) -> None:
        kind = "cnf" if confirmed else "uncnf"
        self._do(f"mac tx {kind} {port} {payload.hex()}")

    def _finish(self, confirmed: bool) -> None:
        for line in self.talk.until(self._patience_s(confirmed)):
            if line == "mac_tx_ok":
                return
            if MAC_RX.fullmatch(line):
                self._unasked(line)
                return
            if line == "mac_err":
                raise ModemError(NOT_ACKED, 0.0)
            self._refuse(line)
            self._unasked(line, sending=True)
        raise ModemError(UNFINISHED, UNFINISHED_S)

    def _learn(self, error: ModemError | None) -> None:
        reason = error.reason if error else ""
        if reason == TOO_LONG:
            self._answers = MAC_ANSWERS
        if reason in (NOT_JOINED, RESTARTED, REFUSALS["silent"][0]):
            self._joined = False
        if error and reason == BUSY and error.retry_s == 0.0:
            self.talk.say("mac resume")
        super()._learn(error)

    def _foreign(self) -> bool:
        """Whether it has another identity."""
        present = [self._get(f"mac get {name}", EUI).upper() for name in ("deveui", "appeui")]
        return present != [self.keys.dev_eui, self.keys.join_eui]

    def _configure(self) -> None:
        """New keys: everything from the beginning."""
        self._do("mac reset 868")
        self._do(f"mac set deveui {self.keys.dev_eui}")
        self._do(f"mac set appeui {self.keys.join_eui}")
        self._do(f"mac set appkey {self.keys.app_key}")
        self._do("mac set devaddr 00000000")  # no session to take up
        self._save()

    def _status(self) -> bool:
        """Whether the module says joined."""
        text = self._get("mac get status", "[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8}")
        return bool(int(text, 16) & (0x10 if len(text) == 8 else 1))

    def _resume(self) -> bool:
        """Take up a saved session, its counter raised by what may have been sent since."""
        if not int(self._get("mac get devaddr", "[0-9A-Fa-f]{8}"), 16):
            return False
        counter = int(self._get("mac get upctr", r"\d{1,10}"))
        self._do(f"mac set upctr {counter + SAVE_EVERY}")
        self._do("mac join abp")
        for line in self.talk.until(2.0):
            if line in ("accepted", "denied"):
                self._save()
                return line == "accepted"
            self._unasked(line)
        return False

    def _save(self) -> None:
        self._do("mac save", SAVE_S)
        self._unsaved = 0

    def _get(self, command: str, shape: str = r"-?\d{1,10}") -> str:
        """The answer to a question: the line that looks like one. Raises ModemError."""
        for line in self.talk.ask(command):
            if re.fullmatch(shape, line):
                return line
            if line in REFUSALS:
                raise ModemError(f"{command}: {REFUSALS[line][0]}", 0.0)
            self._unasked(line)
        raise AssertionError

    def _do(self, command: str, timeout_s: float = 2.0) -> None:
        """A command that answers `ok` or refuses. Raises ModemError."""
        for line in self.talk.ask(command, timeout_s):
            if line == "ok":
                return
            self._refuse(line)
            self._unasked(line)

    def _refuse(self, line: str) -> None:
        """Raise ModemError if a line says no."""
        if line.startswith("fram"):  # spelled in two ways: the counter is used up
            raise ModemError(NOT_JOINED, 0.0)
        if line in REFUSALS:
            raise ModemError(*REFUSALS[line])

    def _read_link(self) -> None:
        margin, gateways = self._get("mac get mrgn"), self._get("mac get gwnb")
        self._do("mac set linkchk 0")
        self._asked_link = False
        if int(margin) != 255:  # no answer yet
            self._margin(margin, gateways)

    def _unasked(self, line: str, *, sending: bool = False) -> None:
        if match := MAC_RX.fullmatch(line):
            self._heard = True
            self._take(line, *match.groups())
        elif BANNER.fullmatch(line):
            self._joined = False
            if sending:
                raise ModemError(RESTARTED, 0.0)
        else:
            self.talk.note(line)

    def _take(self, line: str, port: str, payload: str) -> None:
        """A downlink: the time, one for the application, or one of no port."""
        if int(port) == CLOCK_PORT:
            self._clock(bytes.fromhex(payload))
        elif not self._downlink(port, payload):
            self.talk.note(line)

    def _clock(self, answer: bytes) -> None:
        """AppTimeAns: correction of the time we said, in seconds, and the token."""
        if len(answer) >= 6 and answer[0] == 1 and answer[5] & 15 == self._token:
            self._gps_offset = float(int.from_bytes(answer[1:5], "little", signed=True))


DRIVER, TWIN = RN2483, RN2483Twin
