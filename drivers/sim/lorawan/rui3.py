"""The twin of a RAK3172: RUI3's AT commands over the simulated LoRaWAN.

Written after RUI3's source (RAKWireless/RAK-STM32-RUI, service_lora.c and the AT command files).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress

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


class RAK3172Twin(ModemTwin):
    """RUI_4.2.0 on a simulated LoRaWAN."""

    baudrate = 115200

    def boot(self, now: float) -> None:
        """Settings are in flash: they stay."""
        if not hasattr(self, "held"):
            self.held = {"NJM": "1", "CLASS": "A", "CFM": "0", "RETY": "0", "NWM": "1", "BAND": "4"}
            self.held |= {"DEVEUI": "0" * 16, "APPEUI": "0" * 16, "APPKEY": "0" * 32}
            self.version = "RUI_4.2.0_RAK3172-E"
        self.more = 0  # joins to try after a failed one
        self.late: list[tuple[str, bool]] = []  # downlink, wants an uplink
        self.asked: set[str] = set()
        self.clock: tuple[float, float] | None = None
        for line in ("RAKwireless RAK3172-E Example", "-" * 54, "Current Work Mode: LoRaWAN."):
            self.say(line, now)

    def command(self, line: str, now: float) -> None:
        """Do what a line says."""
        if self.quirks.echo:
            self._later(b"\n\r", now)
        name, equals, value = line.partition("=")
        name = name.upper()
        if name in ("AT", "ATZ", "ATE"):
            self._plain(name, now)
        elif not name.startswith("AT+"):
            self.say("AT_COMMAND_NOT_FOUND", now)
        elif value == "?":
            self._answer(name[3:], now)
        elif equals:
            self._act(name[3:], value, now)
        else:
            self.say("AT_ERROR", now)

    def _plain(self, name: str, now: float) -> None:
        if name == "ATZ":
            self.reset(now)
            return
        if name == "ATE":
            self.quirks.echo = not self.quirks.echo
        self.say("OK", now)

    def _answer(self, name: str, now: float) -> None:
        device = self.device
        special: dict[str, Callable[[], str]] = {
            "VER": lambda: self.version,
            "NJS": lambda: str(int(device.session is not None)),
            "DR": lambda: str(device.memory.data_rate),
            "ADR": lambda: str(int(device.adr)),
            "DCS": lambda: str(int(device.duty.on)),
            "LTIME": lambda: self._local_time(now),
        }
        if name not in self.held and name not in special:
            self.say("AT_COMMAND_NOT_FOUND", now)
            return
        value = special[name]() if name in special else self.held[name]
        self.say(f"AT+{name}={value}", now)
        self.say("OK", now)

    def _local_time(self, now: float) -> str:
        unix, at = self.clock or (0.0, 0.0)
        return time.strftime("%Hh%Mm%Ss on %m/%d/%Y", time.gmtime(unix + now - at))

    def _act(self, name: str, value: str, now: float) -> None:
        if name == "SEND":
            self._send(value, now)
        elif name == "JOIN":
            self._join(value, now)
        elif name in ("LINKCHECK", "TIMEREQ"):
            self.device.requests.append(0x02 if name == "LINKCHECK" else 0x0D)
            self.asked.add(name)
            self.say("OK", now)
        else:
            self.say("OK" if self._set(name, value) else "AT_PARAM_ERROR", now)
            if name in ("NWM", "BAND"):
                self.reset(now)

    def _set(self, name: str, value: str) -> bool:
        hexes = {"DEVEUI": 16, "APPEUI": 16, "APPKEY": 32}
        if name in hexes:
            if not re.fullmatch(f"[0-9A-Fa-f]{{{hexes[name]}}}", value):
                return False
            self.held[name] = value.upper()
        elif name == "DR" and value in "012345":
            self.device.memory.data_rate = int(value)
        elif name == "ADR" and value in "01":
            self.device.adr = value == "1"
        elif name == "DCS" and value in "01":
            self.device.duty.on = value == "1"
        elif name in self.held:
            self.held[name] = value
        else:
            return False
        return True

    def _join(self, value: str, now: float) -> None:
        start, _, _, more = (int(part) for part in value.split(":"))
        self.device.dev_eui = bytes.fromhex(self.held["DEVEUI"])
        self.device.join_eui = bytes.fromhex(self.held["APPEUI"])
        self.device.app_key = bytes.fromhex(self.held["APPKEY"])
        self.more = more if start else 0
        if self._try(lambda: self.device.join(now), now):
            self.say("OK", now)

    def _send(self, value: str, now: float) -> None:
        match = re.fullmatch(r"(\d{1,3}):((?:[0-9A-Fa-f]{2})+)", value)
        if not match or not 1 <= int(match[1]) <= 223:
            self.say("AT_PARAM_ERROR", now)
            return
        payload, port = bytes.fromhex(match[2]), int(match[1])
        confirmed, tries = self.held["CFM"] == "1", 1 + int(self.held["RETY"])
        device = self.device
        if self._try(
            lambda: device.send(payload, port, now, confirmed=confirmed, tries=tries), now
        ):
            self.say("OK", now)

    def _try(self, act: Callable[[], None], now: float) -> bool:
        try:
            act()
        except Refused as refused:
            if refused.reason == "length":
                with suppress(Refused):
                    self.device.send(b"", 1, now)
                self.say("AT_PARAM_ERROR", now)
            elif refused.reason == "not joined":
                self.say("AT_NO_NETWORK_JOINED", now)
            else:
                if refused.reason == "duty cycle":
                    self.say(f"Restricted_Wait_{round(refused.wait_s * 1000)}_ms", now)
                self.say("AT_BUSY_ERROR", now)
            return False
        return True

    def news(self, event: Event, at: float) -> None:
        """Tell the host what happened on the air."""
        if isinstance(event, Joined):
            self.say("+EVT:JOINED", at)
        elif isinstance(event, JoinFailed):
            self._join_failed(at)
        elif isinstance(event, Received):
            text = f"+EVT:RX_{event.window}:{event.rssi_dbm}:{event.snr_db:.0f}:UNICAST"
            text = f"{text}:{event.port}:{event.payload.hex()}" if event.payload else ""
            self.late.append((text, event.wants_uplink))
        elif isinstance(event, LinkChecked):
            self.asked.discard("LINKCHECK")
            self.say(f"+EVT:LINKCHECK:0:{event.margin_db}:{event.gateways}:-52:8", at)
        elif isinstance(event, TimeAnswered):
            self.asked.discard("TIMEREQ")
            self.clock = (event.unix, event.at)
            self.say("+EVT:TIMEREQ_OK", at)
        elif isinstance(event, Sent):
            self._over(event, at)

    def _join_failed(self, at: float) -> None:
        if self.more:
            self.more -= 1
            self._try(lambda: self.device.join(at), at)
        else:
            self.say("+EVT:JOIN_FAILED_RX_TIMEOUT", at)

    def _over(self, event: Sent, at: float) -> None:
        outcome = "OK" if event.acked else "FAILED(4)"
        self.say(f"+EVT:SEND_CONFIRMED_{outcome}" if event.confirmed else "+EVT:TX_DONE", at)
        late, self.late = self.late, []
        for text, _ in late:
            if text:
                self.say(text, at)
        if "LINKCHECK" in self.asked:
            self.say("+EVT:LINKCHECK:1:0:0:0:0", at)
        if "TIMEREQ" in self.asked:
            self.say("+EVT:TIMEREQ_FAILED", at)
        self.asked.clear()
        if any(wants for _, wants in late):
            self._try(lambda: self.device.send(b"", 1, at), at)
