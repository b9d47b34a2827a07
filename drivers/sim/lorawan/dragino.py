"""The twin of an LA66: Dragino's AT commands over the simulated LoRaWAN.

Written after Dragino's published firmware, v1.3.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from drivers.sim.lorawan.events import (
    Event,
    Joined,
    JoinFailed,
    Received,
    Refused,
    Sending,
    Sent,
    TimeAnswered,
)
from drivers.sim.lorawan.modem_twin import ModemTwin

KEPT = re.compile(r"[A-Za-z0-9?+:= ,-]")
REJOIN_S = 8.0


class LA66Twin(ModemTwin):
    """Firmware v1.3 on a simulated LoRaWAN."""

    baudrate = 9600
    random_nonce = True
    command_s = 0.01  #: what is heard while a command runs is lost

    def boot(self, now: float) -> None:
        """Settings are in flash, the session is not: it joins again by itself."""
        if not hasattr(self, "held"):
            self.held = {"NJM": "1", "CLASS": "A", "CFM": "0,7,0", "TXP": "0", "VER": "EU868 v1.3"}
            self.held |= {"DEUI": "00" * 8, "APPEUI": "00" * 8, "APPKEY": "00" * 16}
            self.device.duty.on = False
            self.joins_itself = True
        self.device.memory.session = None
        self.waiting = ""  # the downlink RECVB will show
        self.strength = (0, 0.0)
        self.clock = (0.0, now)
        self._busy_until = now
        self.restarts = False  # a downlink said so
        self.heard = False  # in the windows of the newest frame
        self.say("Dragino LA66 Device", now)
        self.say("Image Version: v1.3", now)
        if self.joins_itself and any(self._key("APPKEY")):
            self._start_join(now)

    def receive(self, data: bytes, now: float) -> None:
        """It hears nothing while a command runs, and only some characters at any time."""
        if now < self._busy_until:
            return
        super().receive(bytes(b for b in data if b in b"\r\n" or KEPT.match(chr(b))), now)

    def command(self, line: str, now: float) -> None:
        """Do what a line says."""
        self._busy_until = now = now + self.command_s
        name, _, value = line.partition("=")
        if name == "AT":
            self.say("OK", now)
        elif name == "ATZ":
            self.reset(now)
        elif not name.startswith("AT+"):
            self.say("AT_ERROR", now)
        elif value == "?":
            self._answer(name[3:], now)
        else:
            self._act(name[3:], value, now)

    def _answer(self, name: str, now: float) -> None:
        special: dict[str, Callable[[], str]] = {
            "NJS": lambda: str(int(self.device.session is not None)),
            "DR": lambda: str(self.device.memory.data_rate),
            "ADR": lambda: str(int(self.device.adr)),
            "DCS": lambda: str(int(self.device.duty.on)),
            "RSSI": lambda: str(self.strength[0]),
            "SNR": lambda: f"{self.strength[1]:.0f}",
            "RECVB": self._shown,
            "TIMESTAMP": lambda: self._timestamp(now),
        }
        if name not in special and name not in self.held:
            self.say("AT_ERROR", now)
            return
        value = special[name]() if name in special else self.held[name]
        if name in ("DEUI", "APPEUI", "APPKEY"):
            value = " ".join(re.findall("..", value))
        self.say(value, now)
        self.say("", now)
        self.say("OK", now)

    def _shown(self) -> str:
        waiting, self.waiting = self.waiting, ""
        return waiting or "0:"

    def _timestamp(self, now: float) -> str:
        unix = int(self.clock[0] + now - self.clock[1])
        moment = time.gmtime(unix)  # the firmware prints months from 0
        text = f"{moment.tm_year}/{moment.tm_mon - 1}/{moment.tm_mday}"
        return f"systime= {text} {moment.tm_hour}:{moment.tm_min}:{moment.tm_sec} ({unix})"

    def _key(self, name: str) -> bytes:
        return bytes.fromhex(self.held[name])

    def _act(self, name: str, value: str, now: float) -> None:
        if name == "JOIN":
            if self._start_join(now):
                self.say("OK", now)
        elif name == "SENDB":
            self._sendb(value, now)
        elif name == "DEVICETIMEREQ":
            self.device.requests = [0x0D]
            if self._try(lambda: self.device.send(b"\0", 4, now), now):
                self.say("OK", now)
        else:
            self.say("OK" if self._set(name, value) else "AT_PARAM_ERROR", now)

    def _set(self, name: str, value: str) -> bool:
        sizes = {"DEUI": 16, "APPEUI": 16, "APPKEY": 32}
        if name in sizes:
            digits = value.replace(" ", "")
            if not re.fullmatch(f"[0-9A-Fa-f]{{{sizes[name]}}}", digits):
                return False
            self.held[name] = digits.upper()
        elif name == "DR" and value in "012345":
            if not self.device.adr:
                self.device.memory.data_rate = int(value)
        elif name == "ADR" and value in "01":
            self.device.adr = value == "1"
        elif name == "DCS" and value in "01":
            self.device.duty.on = value == "1"
        elif name in self.held and name != "VER":
            self.held[name] = value
        else:
            return False
        return True

    def _start_join(self, now: float) -> bool:
        device = self.device
        device.dev_eui, device.join_eui = self._key("DEUI"), self._key("APPEUI")
        device.app_key = self._key("APPKEY")
        return self._try(lambda: device.join(now), now)

    def _sendb(self, value: str, now: float) -> None:
        match = re.fullmatch(r"(0?[01]),(\d{1,3}),(\d{1,3}),((?:[0-9A-Fa-f]{2})+)", value)
        if not match or int(match[3]) * 2 != len(match[4]) or not 1 <= int(match[2]) <= 223:
            self.say("AT_PARAM_ERROR", now)
            return
        payload, port, sure = bytes.fromhex(match[4]), int(match[2]), int(match[1]) == 1
        if self.device.session is not None and len(payload) > self.device.room():
            self.say("uplink payload oversize at current data rate", now, b"\n\r")
            payload = b""
        tries = 1 + int(self.held["CFM"].split(",")[1])
        device = self.device
        if self._try(lambda: device.send(payload, port, now, confirmed=sure, tries=tries), now):
            self.say("OK", now)

    def _try(self, act: Callable[[], None], now: float) -> bool:
        try:
            act()
        except Refused as refused:
            joined = refused.reason != "not joined"
            self.say("AT_BUSY_ERROR" if joined else "AT_NO_NET_JOINED", now)
            return False
        return True

    def news(self, event: Event, at: float) -> None:
        """Tell the host what happened on the air."""
        if isinstance(event, Sending):
            megahertz = event.frequency_hz / 1e6
            self.say("", at, b"\n\r")
            self.say(f"***** UpLinkCounter= {event.counter} *****", at, b"\n\r")
            self.say(f"TX on freq {megahertz:.3f} MHz at DR {event.data_rate}", at, b"\n\r")
            self.say("txDone", at + 0.05, b"\n\r")
        elif isinstance(event, Joined):
            self.say("rxDone", at, b"\n\r")
            self.say("JOINED", at, b"\n\r")
        elif isinstance(event, JoinFailed):
            self.say("rxTimeout", at, b"\n\r")
        elif isinstance(event, TimeAnswered):
            self.clock = (event.unix, event.at)
        elif isinstance(event, Received):
            self._received(event, at)
        elif isinstance(event, Sent):
            self._over(at)
        self.heard = isinstance(event, Received)

    def _over(self, at: float) -> None:
        if not self.heard:
            self.say("rxTimeout", at, b"\n\r")
        if self.restarts:
            self.reset(at)

    def _received(self, event: Received, at: float) -> None:
        self.strength = (event.rssi_dbm, event.snr_db)
        self.say("rxDone", at, b"\n\r")
        self.say(f"Rssi= {event.rssi_dbm}", at, b"\r")
        if not event.payload:
            return
        self.waiting = f"{event.port}:{event.payload.hex()}"
        self.say("Run AT+RECVB=? to see detail", at)
        if event.payload[:2] in (b"\x04\xff", b"\x04\xfe"):
            self.restarts = True
        elif event.payload[0] == 0x22 and len(event.payload) >= 3:
            self.device.adr = event.payload[1] == 1
            self.device.memory.data_rate = event.payload[2] % 6
