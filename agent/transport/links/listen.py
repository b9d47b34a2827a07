"""The other end of the MQTT link: hands on what a node publishes, and sends it downlinks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

CONNECT_S = 10.0


class Listener:
    """Subscribes to everything a node says. `take(topic word, payload)` runs in paho's thread.

    With a `session` name the broker keeps what comes while the listener is away.
    """

    def __init__(
        self, url: str, node: str, take: Callable[[str, bytes], None], session: str = ""
    ) -> None:
        self.url, self.base, self.take = url, f"stadtsinn/{node}", take
        self.session = session
        self._client: Client | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Connect and subscribe; from here on nothing is missed. Raises OSError."""
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=self.session, clean_session=not self.session
        )
        client.on_connect = lambda one, *_: one.subscribe(f"{self.base}/#", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        where = urlsplit(self.url)
        client.connect(where.hostname or "", where.port or 1883)
        client.loop_start()
        self._client = client
        if not self._ready.wait(CONNECT_S):
            raise TimeoutError(f"no subscription at {self.url}")

    def send(self, downlink: bytes, *, retain: bool = False) -> None:
        """A downlink to the node."""
        assert self._client is not None
        self._client.publish(f"{self.base}/down", downlink, qos=1, retain=retain)

    def stop(self) -> None:
        """Leave."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self.take(message.topic.removeprefix(self.base + "/"), bytes(message.payload))
