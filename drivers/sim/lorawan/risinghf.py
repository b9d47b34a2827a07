"""The twin of a LoRa-E5 / Wio-E5: RisingHF's AT commands over the simulated LoRaWAN.

Written after LoRa-E5 AT Command Specification V1.0 and published serial logs of firmware 4.0.11.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from drivers.sim.lorawan.events import (
    Event,
    Joined,
    JoinFailed,
    LinkChecked,
    Received,
    Refused,
    Sent,
    TimeAnswered,
)
from drivers.sim.lorawan.modem_twin import ModemTwin

CLOCK_AT_BOOT = 1_577_836_800.0  # 2020-01-01


class LoRaE5Twin(ModemTwin):
    """Firmware 4.0.11 on a simulated LoRaWAN."""

    baudrate = 9600
    random_nonce = True

    def boot(self, now: float) -> None:
        """Keys and settings are kept, the session is not. Says nothing."""
        if not hasattr(self, "ids"):
            self.ids = {"DevAddr": "00:00:00:00", "DevEui": "2C:F7:F1:20:24:90:01:38"}
            self.ids["AppEui"] = "80:00:00:00:00:00:00:06"
            self.held = {"PORT": "8", "RETRY": "2", "MODE": "LWOTAA", "CLASS": "A"}
        self.device.memory.session = None
        self.clock = (CLOCK_AT_BOOT, now)
        self.running = ""  # the frame command whose Done is still to come
        self.asleep = False

    def command(self, line: str, now: float) -> None:
        """Do what a line says."""
        if self.asleep:
            self.asleep = False
            self.say("+LOWPOWER: WAKEUP", now)
            return
        if line.upper() == "AT":
            self.say("+AT: OK", now)
            return
        match = re.fullmatch(r"AT\+(\w+)(?:=(.*))?", line, re.IGNORECASE)
        if match is None:
            self.say("+AT: ERROR(-10)", now)
            return
        name, value = match[1].upper(), match[2] or ""
        known: dict[str, Callable[[str, str, float], None]] = {
            "ID": self._id,
            "KEY": self._key,
            "DR": self._data_rate,
            "ADR": self._adr,
            "LW": self._lorawan,
            "RTC": self._rtc,
            "JOIN": self._join,
            "MSGHEX": self._message,
            "CMSGHEX": self._message,
            "RESET": self._reset,
            "LOWPOWER": self._sleep,
        }
        known.get(name, self._setting)(name, value, now)

    def _setting(self, name: str, value: str, now: float) -> None:
        if name == "VER":
            value = "4.0.11"
        elif name == "CH" and value.startswith("NUM,"):
            value = value.replace(",", ", ", 1)
        elif name in self.held:
            self.held[name] = value = value or self.held[name]
        elif name != "UART":
            self.say(f"+{name}: ERROR(-10)", now)
            return
        self.say(f"+{name}: {value}", now)

    def _id(self, name: str, value: str, now: float) -> None:
        which, _, given = value.partition(",")
        if given:
            digits = re.sub(r'["\s]', "", given)
            if not re.fullmatch(r"[0-9A-Fa-f]{16}", digits):
                self.say("+ID: ERROR(-1)", now)
                return
            self.ids[which] = ":".join(re.findall("..", digits.upper()))
        for key in [which] if which else list(self.ids):
            self.say(f"+ID: {key}, {self.ids[key]}", now)

    def _key(self, name: str, value: str, now: float) -> None:
        match = re.fullmatch(r'APPKEY,"?([0-9A-Fa-f ]+)"?', value)
        digits = match[1].replace(" ", "") if match else ""
        if len(digits) != 32:
            self.say("+KEY: ERROR(-1)", now)
            return
        self.device.app_key = bytes.fromhex(digits)
        self.say(f"+KEY: APPKEY {digits.upper()}", now)

    def _data_rate(self, name: str, value: str, now: float) -> None:
        if value == "EU868":
            self.say("+DR: EU868", now)
            return
        rate = value.upper().removeprefix("DR")
        if rate:
            if rate not in "012345":
                self.say("+DR: ERROR(-1)", now)
                return
            self.device.memory.data_rate = int(rate)
        present = self.device.memory.data_rate
        self.say(f"+DR: DR{present}", now)
        self.say(f"+DR: EU868 DR{present}  SF{12 - present:<2} BW125K ", now)

    def _adr(self, name: str, value: str, now: float) -> None:
        self.device.adr = value == "ON"
        self.say(f"+ADR: {value}", now)

    def _lorawan(self, name: str, value: str, now: float) -> None:
        if value == "LEN":
            self.say(f"+LW: LEN, {self.device.room()}", now)
        elif value in ("LCR", "DTR"):
            self.device.requests.append(0x02 if value == "LCR" else 0x0D)
            self.say(f"+LW: {value}", now)
        elif value.startswith("DC,"):
            self.device.duty.on = value == "DC,ON"
            self.say(f"+LW: {value.replace(',', ', ')}", now)
        else:
            self.say("+LW: ERROR(-1)", now)

    def _rtc(self, name: str, value: str, now: float) -> None:
        unix, at = self.clock
        moment = unix + now - at
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))
        self.say(f"+RTC: {text}.{int(moment % 1 * 1000):03d}", now)

    def _reset(self, name: str, value: str, now: float) -> None:
        self.say("+RESET: OK", now)
        self.reset(now)

    def _sleep(self, name: str, value: str, now: float) -> None:
        self.asleep = True
        self.say("+LOWPOWER: SLEEP", now)

    def _join(self, name: str, value: str, now: float) -> None:
        device = self.device
        if device.session is not None and value != "FORCE":
            self.say("+JOIN: Joined already", now)
            return
        device.dev_eui = bytes.fromhex(self.ids["DevEui"].replace(":", ""))
        device.join_eui = bytes.fromhex(self.ids["AppEui"].replace(":", ""))
        if self._try("JOIN", lambda: device.join(now), now):
            self.say("+JOIN: Start", now)
            self.say("+JOIN: FORCE" if value == "FORCE" else "+JOIN: NORMAL", now)

    def _message(self, name: str, value: str, now: float) -> None:
        digits = re.sub(r'["\s]', "", value)
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", digits):
            self.say(f"+{name}: ERROR(-1)", now)
            return
        payload, port, tries = bytes.fromhex(digits), int(self.held["PORT"]), self.held["RETRY"]
        sure = name == "CMSGHEX"
        device = self.device
        if self._try(
            name,
            lambda: device.send(payload, port, now, confirmed=sure, tries=int(tries)),
            now,
        ):
            self.running = name
            self.say(f"+{name}: Start", now)
            if sure:
                self.say(f"+{name}: Wait ACK", now)

    def _try(self, name: str, act: Callable[[], None], now: float) -> bool:
        try:
            act()
        except Refused as refused:
            words = {
                "not joined": "Please join network first",
                "busy": "LoRaWAN modem is busy",
                "length": f"Length error {self.device.room()}",
                "duty cycle": f"No band in {round(refused.wait_s * 1000)}ms",
            }
            self.say(f"+{name}: {words.get(refused.reason, 'No free channel')}", now)
            return False
        return True

    def news(self, event: Event, at: float) -> None:
        """Tell the host what happened on the air."""
        if isinstance(event, Joined):
            address = ":".join(re.findall("..", f"{event.address:08X}"))
            self.say("+JOIN: Network joined", at)
            self.say(f"+JOIN: NetID {event.net_id:06X} DevAddr {address}", at)
            self.say("+JOIN: Done", at)
        elif isinstance(event, JoinFailed):
            self.say("+JOIN: Join failed", at)
            self.say("+JOIN: Done", at)
        elif isinstance(event, LinkChecked):
            self.say(f"+{self.running}: Link {event.margin_db}, {event.gateways}", at)
        elif isinstance(event, TimeAnswered):
            self.clock = (event.unix, event.at)
        elif isinstance(event, Received):
            self._received(event, at)
        elif isinstance(event, Sent):
            self.say(f"+{self.running}: Done", at)

    def _received(self, event: Received, at: float) -> None:
        if event.wants_uplink:
            self.say(f"+{self.running}: FPENDING", at)
        if event.ack:
            self.say(f"+{self.running}: ACK Received", at)
        if event.payload:
            payload = event.payload.hex().upper()
            self.say(f'+{self.running}: PORT: {event.port}; RX: "{payload}"', at)
        strength = f"RSSI {event.rssi_dbm}, SNR {event.snr_db:.1f}"
        self.say(f"+{self.running}: RXWIN{event.window}, {strength}", at)
