"""The options of a demo's radio, as one parameter of the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from agent.demo.running import Radio
from agent.measure.driver_registry import MODEMS
from agent.simulate import PRACTICE_KEY

EUI = re.compile(r"[0-9A-Fa-f]{16}")


def hex_eui(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """An EUI-64, or nothing. Raises BadParameter."""
    if value and not EUI.fullmatch(value):
        raise click.BadParameter("16 hex digits wanted, such as AA555A0000000001")
    return value


OPTIONS = (
    click.option("--lorawan", is_flag=False, flag_value="inside", metavar="[udp://HOST:PORT]",
                 help="Through a LoRaWAN modem; to a real network server in real time."),
    click.option("--modem", type=click.Choice(MODEMS), default=None,
                 help="Which dialect is spoken; default: the profile's, else rak3172."),
    click.option("--dev-eui", default="70B3D57ED0051234", help="Of the simulated device."),
    click.option("--join-eui", default="0102030405060708", help="Of the simulated device."),
    click.option("--app-key", default="", help="Of the simulated device only: it stands in argv."),
    click.option("--gateway-eui", default="", metavar="16 HEX DIGITS", callback=hex_eui,
                 help="Of the simulated gateway; default: one of this machine's own."),
)  # fmt: skip


def radio_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """They become `radio`: a Radio, or None where none was asked for."""

    @wraps(command)
    def wrapped(
        lorawan: str | None,
        modem: str | None,
        dev_eui: str,
        join_eui: str,
        app_key: str,
        gateway_eui: str,
        **rest: Any,
    ) -> Any:
        if not lorawan:
            return command(radio=None, **rest)
        server = "" if lorawan == "inside" else lorawan
        key = app_key or PRACTICE_KEY
        radio = Radio(modem or "", server, dev_eui, join_eui, key, gateway_eui)
        return command(radio=radio, **rest)

    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped
