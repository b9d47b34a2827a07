"""The twin of an RN2483: Microchip's mac and sys commands over the simulated LoRaWAN.

Written after the RN2483 Command Reference, DS40001784G.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

from drivers.sim.lorawan.events import (
    Event,
    Joined,
    JoinFailed,
    LinkChecked,
    Received,
    Refused,
    Sent,
)
from drivers.sim.lorawan.modem_twin import ModemTwin


class RN2483Twin(ModemTwin):
    """Firmware 1.0.5 on a simulated LoRaWAN."""

    baudrate = 57600
    random_nonce = True
    banner = "RN2483 1.0.5 Oct 31 2018 15:06:52"

    def boot(self, now: float) -> None:
        """RAM holds what the EEPROM held: settings, and the session as it was saved."""
        if not hasattr(self, "eeprom"):
            blank = {"deveui": "0" * 16, "appeui": "0" * 16, "appkey": "", "retx": "7"}
            self.eeprom = (blank, copy.deepcopy(self.device.memory))
        held, memory = copy.deepcopy(self.eeprom)
        self.held, self.device.memory = held, memory
        self.device.repeater = True
        self.joined = self.paused = self.silent = self.asleep = self.linkchk = False
        self.link = (255, 0)
        self.got: Received | None = None
        self.say(self.banner, now)

    def line_break(self, now: float) -> None:
        """A break, then 0x55: it measures the baud rate and wakes."""
        self.device.advance(now)
        if self.asleep:
            self.asleep = False
            self.say("ok", now)

    def command(self, line: str, now: float) -> None:
        """Do what a line says."""
        if self.asleep or line == "\x55":
            return
        words = line.split(" ")
        known: dict[str, Callable[[list[str], float], None]] = {
            "sys": self._sys,
            "mac": self._mac,
            "radio": lambda words, now: self.say("8", now),
        }
        known.get(words[0], self._bad)(words[1:], now)

    def _bad(self, words: list[str], now: float) -> None:
        self.say("invalid_param", now)

    def _sys(self, words: list[str], now: float) -> None:
        if words == ["get", "ver"]:
            self.say(self.banner, now)
        elif words == ["get", "hweui"]:
            self.say("0004A30B001BA7BC", now)
        elif words == ["reset"]:
            self.reset(now)
        elif words[:1] == ["sleep"]:
            self.asleep = True
        else:
            self._bad(words, now)

    def _mac(self, words: list[str], now: float) -> None:
        known: dict[str, Callable[[list[str], float], None]] = {
            "get": self._get,
            "set": self._set,
            "join": self._join,
            "tx": self._tx,
            "reset": self._forget,
            "save": self._save,
            "resume": self._resume,
        }
        known.get(words[0] if words else "", self._bad)(words[1:], now)

    def _forget(self, words: list[str], now: float) -> None:
        blank = {"deveui": self.held["deveui"], "appeui": "0" * 16, "appkey": "", "retx": "7"}
        self.held, self.joined = blank, False
        self.device.memory.session = None
        self.say("ok", now)

    def _save(self, words: list[str], now: float) -> None:
        self.eeprom = copy.deepcopy((self.held, self.device.memory))
        self.say("ok", now + 1.5)

    def _resume(self, words: list[str], now: float) -> None:
        self.paused = False
        self.say("ok", now)

    def _get(self, words: list[str], now: float) -> None:
        session = self.device.session
        values = {
            "dr": str(self.device.memory.data_rate),
            "status": f"{0x0810 if self.joined else 0:08X}",
            "devaddr": f"{session.address if session else 0:08X}",
            "upctr": str(session.up if session else 0),
            "mrgn": str(self.link[0]),
            "gwnb": str(self.link[1]),
        }
        shown = {key: value for key, value in self.held.items() if key != "appkey"}
        self.say((shown | values).get(" ".join(words), "invalid_param"), now)

    def _set(self, words: list[str], now: float) -> None:
        name, value = words[0], words[-1]
        self.say("ok" if self._accept(name, value) else "invalid_param", now)

    def _accept(self, name: str, value: str) -> bool:
        sizes = {"deveui": 16, "appeui": 16, "appkey": 32, "devaddr": 8}
        if name in sizes:
            if not re.fullmatch(f"[0-9A-Fa-f]{{{sizes[name]}}}", value):
                return False
            if name == "devaddr":
                self.device.memory.session = None
            else:
                self.held[name] = value.upper()
        elif name == "dr":
            if value not in "01234567":
                return False
            self.device.memory.data_rate = int(value)
        elif name == "adr":
            self.device.adr = value == "on"
        elif name == "upctr" and self.device.session:
            self.device.session.up = int(value)
        elif name == "linkchk":
            self.linkchk = value != "0"
        elif name == "retx":
            self.held["retx"] = value
        else:
            return name in ("ar", "class", "pwridx", "rx2")
        return True

    def _join(self, words: list[str], now: float) -> None:
        device = self.device
        if words == ["abp"]:
            self.joined = device.session is not None
            self.say("ok" if self.joined else "keys_not_init", now)
            if self.joined:
                self.say("accepted", now)
            return
        device.dev_eui = bytes.fromhex(self.held["deveui"])
        device.join_eui = bytes.fromhex(self.held["appeui"])
        device.app_key = bytes.fromhex(self.held["appkey"])
        self._try(lambda: device.join(now), now)

    def _tx(self, words: list[str], now: float) -> None:
        text = " ".join(words)
        match = re.fullmatch(r"(cnf|uncnf) (\d{1,3}) ((?:[0-9A-Fa-f]{2})+)", text)
        if not match or not 1 <= int(match[2]) <= 223:
            self._bad(words, now)
            return
        if not self.joined:
            self.say("not_joined", now)
            return
        payload, port, sure = bytes.fromhex(match[3]), int(match[2]), match[1] == "cnf"
        if self.linkchk:
            self.device.requests = [0x02]
        tries = 1 + int(self.held["retx"])
        self._try(lambda: self.device.send(payload, port, now, confirmed=sure, tries=tries), now)

    def _try(self, act: Callable[[], None], now: float) -> None:
        for hindrance in ("mac_paused", "silent"):
            if getattr(self, hindrance.removeprefix("mac_")):
                self.say(hindrance, now)
                return
        try:
            act()
        except Refused as refused:
            words = {
                "not joined": "not_joined",
                "busy": "busy",
                "length": "invalid_data_len",
                "keys": "keys_not_init",
            }
            self.say(words.get(refused.reason, "no_free_ch"), now)
        else:
            self.say("ok", now)

    def news(self, event: Event, at: float) -> None:
        """Tell the host what happened on the air."""
        if isinstance(event, Joined):
            self.joined = True
            self.say("accepted", at)
        elif isinstance(event, JoinFailed):
            self.joined = False
            self.say("denied", at)
        elif isinstance(event, LinkChecked):
            self.link = (event.margin_db, event.gateways)
        elif isinstance(event, Received):
            self.got = event
        elif isinstance(event, Sent):
            self._over(event, at)

    def _over(self, event: Sent, at: float) -> None:
        got, self.got = self.got, None
        if event.confirmed and not event.acked:
            self.say("mac_err", at)
        elif got is not None and got.payload:
            self.say(f"mac_rx {got.port} {got.payload.hex().upper()}", at)
        else:
            self.say("mac_tx_ok", at)
