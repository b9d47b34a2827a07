"""Downlinks that have come by MQTT and wait to be carried out."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

from paho.mqtt.client import MQTTMessage

from agent.transport.links.ending import Connection
from agent.transport.pace import Seldom

log = logging.getLogger(__name__)

LONGEST_DOWNLINK = 256
WAITING_DOWNLINKS = 100
LOG_EVERY_S = 60.0  #: a line on those that are ignored


class Inbox:
    """Filled by the broker line's thread, emptied by the uplink's."""

    def __init__(self, link: str) -> None:
        self.link = link
        self.ignored = 0  #: retained, too long, or too many at once
        self._waiting: deque[tuple[Connection, MQTTMessage]] = deque()
        self._lines = Seldom(LOG_EVERY_S, time.monotonic)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Connection, message: MQTTMessage) -> bool:
        """Keep a downlink. Whether somebody has to be told: not where others wait already.

        One that is retained or too long is taken and ignored, and where too many wait the oldest.
        """
        if message.retain or len(message.payload) > LONGEST_DOWNLINK:
            why = "retained" if message.retain else f"{len(message.payload)} bytes"
            self._ignore(one, message, why)
            return False
        if len(self._waiting) >= WAITING_DOWNLINKS:
            self._ignore(*self._waiting.popleft(), f"{WAITING_DOWNLINKS} wait")
        self._waiting.append((one, message))
        return len(self._waiting) == 1

    def empty(self, connected: Callable[[], Connection | None]) -> Iterator[bytes]:
        """Each, oldest first; acknowledged when the next is asked for, where it came from."""
        while self._waiting:
            one, message = self._waiting.popleft()
            yield bytes(message.payload)
            if one is connected():
                one.client.ack(message.mid, message.qos)

    def _ignore(self, one: Connection, message: MQTTMessage, why: str) -> None:
        self.ignored += 1
        if self._lines.passes():
            more = self._lines.take_held()
            log.warning("link=%s downlink=ignored reason='%s' before=%d", self.link, why, more)
        one.client.ack(message.mid, message.qos)
