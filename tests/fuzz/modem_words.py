"""What each modem answers when all is well: the lines the fuzzer damages."""

from __future__ import annotations

from tests.modem_kit import APP_KEY, DEV_EUI, JOIN_EUI

RAK = {
    "AT+VER=?": "RUI_4.2.0_RAK3172-E",
    "AT+NWM=?": "1",
    "AT+BAND=?": "4",
    "AT+NJM=?": "1",
    "AT+CLASS=?": "A",
    "AT+DCS=?": "1",
    "AT+ADR=?": "1",
    "AT+RETY=?": "2",
    "AT+CFM=?": "0",
    "AT+DEVEUI=?": DEV_EUI,
    "AT+APPEUI=?": JOIN_EUI,
    "AT+APPKEY=?": APP_KEY,
    "AT+NJS=?": "1",
    "AT+DR=?": "5",
    "AT+LTIME=?": "14h25m30s on 11/22/2026",
}
LA = {
    "AT+VER=?": "EU868 v1.3",
    "AT+NJM=?": "1",
    "AT+CLASS=?": "A",
    "AT+DCS=?": "1",
    "AT+ADR=?": "1",
    "AT+CFM=?": "0,2,0",
    "AT+DEUI=?": "70 B3 D5 7E D0 05 12 34",
    "AT+APPEUI=?": "01 02 03 04 05 06 07 08",
    "AT+APPKEY=?": "2B 7E 15 16 28 AE D2 A6 AB F7 15 88 09 CF 4F 3C",
    "AT+NJS=?": "1",
    "AT+DR=?": "5",
    "AT+RECVB=?": "20:8501",
    "AT+TIMESTAMP=?": "systime= 2026/10/22 14:25:30 (1795357530)",
}
RN = {
    "sys get ver": "RN2483 1.0.5 Oct 31 2018 15:06:52",
    "mac get deveui": DEV_EUI,
    "mac get appeui": JOIN_EUI,
    "mac get status": "00000810",
    "mac get devaddr": "26011234",
    "mac get upctr": "17",
    "mac get dr": "5",
    "mac get mrgn": "20",
    "mac get gwnb": "2",
    "radio get snr": "-7",
}


def rak3172(command: str) -> list[str]:
    """RUI3."""
    if command in RAK:
        return [f"{command[:-1]}{RAK[command]}", "OK"]
    if command.startswith("AT+SEND"):
        ends = ["+EVT:SEND_CONFIRMED_OK", "+EVT:TX_DONE"]  # whichever frame it was
        down = "+EVT:RX_1:-52:8:UNICAST:20:8501"
        return ["OK", *ends, down, "+EVT:LINKCHECK:0:16:1:-52:8", "+EVT:TIMEREQ_OK"]
    return ["OK", "+EVT:JOINED"] if command.startswith("AT+JOIN") else ["OK"]


def lora_e5(command: str) -> list[str]:
    """RisingHF."""
    name, _, value = command.removeprefix("AT+").partition("=")
    fixed = {
        "AT": ["+AT: OK"],
        "AT+VER": ["+VER: 4.0.11"],
        "AT+LW=LEN": ["+LW: LEN, 242"],
        "AT+DR": ["+DR: DR0 (ADR DR5)", "+DR: EU868 DR5  SF7  BW125K "],
        "AT+ID=DevEui": ["+ID: DevEui, 70:B3:D5:7E:D0:05:12:34"],
        "AT+ID=AppEui": ["+ID: AppEui, 01:02:03:04:05:06:07:08"],
        "AT+RTC=UTCMS": ["+RTC: 2026-11-22 14:25:30.125"],
    }
    if command in fixed:
        return fixed[command]
    if name == "JOIN":
        return [f"+JOIN: {t}" for t in ("Start", "NORMAL", "Network joined", "Done")]
    if name in ("MSGHEX", "CMSGHEX"):
        acked = ["Wait ACK", "ACK Received"] if name == "CMSGHEX" else []
        news = ['PORT: 20; RX: "8501"', "RXWIN1, RSSI -84, SNR 6.0", "Link 20, 1"]
        return [f"+{name}: {text}" for text in ("Start", *acked, *news, "Done")]
    return [f"+{name}: {value}"]


def rn2483(command: str) -> list[str]:
    """Microchip."""
    if command in RN:
        return [RN[command]]
    if command.startswith("mac tx"):
        return ["ok", "mac_rx 20 8501"]
    return ["ok", "accepted"] if command.startswith("mac join") else ["ok"]


def la66(command: str) -> list[str]:
    """Dragino."""
    if command in LA:
        return [LA[command], "OK"]
    if command.startswith(("AT+SENDB", "AT+DEVICETIMEREQ")):
        count, hint = "***** UpLinkCounter= 7 *****", "Run AT+RECVB=? to see detail"
        return [count, "OK", "txDone", "rxDone", "Rssi= -60", hint]
    return ["OK", "rxDone", "JOINED"] if command == "AT+JOIN" else ["OK"]
