"""Downlinks that have come by MQTT and wait to be carried out."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator

from paho.mqtt.client import Client, MQTTMessage

from agent.transport.links.ending import Connection

log = logging.getLogger(__name__)

LONGEST_DOWNLINK = 256
WAITING_DOWNLINKS = 100


class Inbox:
    """Filled by the broker line's thread, emptied by the uplink's."""

    def __init__(self, link: str) -> None:
        self.link = link
        self._waiting: deque[tuple[Connection, MQTTMessage]] = deque(maxlen=WAITING_DOWNLINKS)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Connection, client: Client, message: MQTTMessage) -> bool:
        """Keep a downlink. False for one that is retained or too long: it is taken and ignored."""
        if message.retain or len(message.payload) > LONGEST_DOWNLINK:
            why = "retained" if message.retain else f"{len(message.payload)} bytes"
            log.warning("link=%s downlink=ignored reason='%s'", self.link, why)
            client.ack(message.mid, message.qos)
            return False
        self._waiting.append((one, message))
        return True

    def empty(self, connected: Callable[[], Connection | None]) -> Iterator[bytes]:
        """Each, oldest first; acknowledged when the next is asked for, where it came from."""
        while self._waiting:
            one, message = self._waiting.popleft()
            yield bytes(message.payload)
            if one is connected():
                one.client.ack(message.mid, message.qos)
