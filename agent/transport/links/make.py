"""The link that a profile names, what it carries and how its frames are written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from agent.clock import Clock
from agent.codec import Style
from agent.config.sections import (
    FileConfig,
    LinkConfig,
    LorawanConfig,
    MqttConfig,
)
from agent.measure.buses import MachineBuses
from agent.measure.driver_registry import find_modem
from agent.plan import Plan
from agent.plan.links import EVENTS
from agent.plan.triggers import RECORDS
from agent.store import LinkPolicy
from agent.transport.airtime import Memory
from agent.transport.links import Link
from agent.transport.links.beating_timer import BeatingTimer
from agent.transport.links.encoder import Encoder, RawChunk, no_records
from agent.transport.links.file import FileLink
from agent.transport.links.lorawan import LorawanLink
from agent.transport.settings import Settings, fill_key, packed_key

LinkMaker = Callable[[Encoder], Link]


def make_link(
    config: LinkConfig,
    made: Plan,
    memory: Memory,
    clock: Clock,
    wake: threading.Event,
    stopping: threading.Event,
    raw_chunk: RawChunk = no_records,
    install: str = "",
) -> Link:
    """The way out that the profile names. Vendor libraries are imported here, when needed.

    Raises ConfigError.
    """
    encoder = Encoder(clock, style(config), raw_chunk)
    if isinstance(config, MqttConfig):
        from agent.transport.links.mqtt import MqttLink  # paho: only where there is such a link

        name = made.config.node.name
        return MqttLink(config, name, clock, wake, encoder, stopping, memory, install)
    if isinstance(config, FileConfig):
        return FileLink(Path(config.path), clock, encoder, config.limit_bytes)
    assert isinstance(config, LorawanConfig), type(config).__name__
    where = f"link[{made.config.link.index(config)}]"
    buses = made.buses or MachineBuses(clock)
    try:
        modem = buses.modem(config, find_modem(config.modem), BeatingTimer(clock))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise made.source.error(where, "app_key_file", reason.lower()) from error
    return LorawanLink(modem, config, clock, memory, encoder)


def fill_s(link: LinkConfig, made: Plan) -> float:
    """How long a live row waits for company: on LoRaWAN an hour or six intervals, else not."""
    if link.fill_s is not None or not isinstance(link, LorawanConfig):
        return link.fill_s or 0.0
    carried = [one for one in made.tables if link.carries is None or one.name in link.carries]
    return max([3600.0, *(6.0 * one.interval_s for one in carried)])


def policy(link: LinkConfig, settings: Settings) -> LinkPolicy:
    """What a link carries and how, as it stands now.

    Frames of fixed length leave at fixed times, and hold older rows before they hold padding.
    """
    carries = link.carries
    fixed = isinstance(link, LorawanConfig) and link.fixed_length
    return LinkPolicy(
        tables=None if carries is None else frozenset(carries) - {EVENTS, RECORDS},
        messages=carries is None or EVENTS in carries,
        raw=isinstance(link, MqttConfig) and (carries is None or RECORDS in carries),
        fill_s=cast(float, settings.get(fill_key(link.name))),
        packed=cast(bool, settings.get(packed_key(link.name))),
        trust_wait_s=link.trust_wait_s,
        coarse_first=isinstance(link, LorawanConfig),
        overlap=fixed or (isinstance(link, LorawanConfig) and link.overlap),
        punctual=fixed,
    )


def style(link: LinkConfig) -> Style:
    """How frames are written for a link."""
    if isinstance(link, LorawanConfig):
        return Style(fixed_length=link.fixed_length)
    return Style(whole_slots=True, ticks_always=isinstance(link, FileConfig))
