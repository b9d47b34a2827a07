"""MQTT through paho: MQTT 5, or 3.1.1 where the broker refuses it; acknowledged means PUBACK.

One frame at a time is in paho's hands. Whenever a frame was not acknowledged the client is thrown
away, so that paho never repeats anything of its own; the store does. Deadlines are real seconds,
also in simulated time: the broker is real.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.clock import Clock
from agent.config.sections import MqttConfig
from agent.model.batch import SLICE, Batch, Delivered, Encoded
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from agent.transport.links.inbox import Inbox
from agent.transport.links.json_bodies import json_bodies
from agent.transport.links.login import connect, log_in, new_client, plain
from agent.transport.links.reconnect import pause_s
from agent.transport.links.topics import payload_room, topic_of

log = logging.getLogger(__name__)

ACK_S = 10.0  #: no PUBACK after so long, and what the frame takes: the link is silent
SLOWEST = 1000.0  #: bytes per second, of the slowest mobile network
WRITE_S = 0.0001  #: paho's thread gets the interpreter for so long, to write
FIRST_LOOK_S = 1.0
CONNACK_S = 10.0  #: a broker that accepts the connection and says nothing
RETRY_S = 30.0  #: on_connect wakes the uplink earlier
LEAST_ROOM = 51  #: bytes; less is no link that rows could go by (WIRE.md section 4)


class MqttLink:
    """A broker. Raises LinkError where a frame could not be delivered."""

    silent = 0

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        clock: Clock,
        wake: threading.Event,
        encoder: Encoder,
        stopping: threading.Event,
    ) -> None:
        self.config, self.node, self.clock, self.wake = config, node, clock, wake
        self.encoder, self.stopping = encoder, stopping
        self.base = f"stadtsinn/{node}"
        self.version = MQTTv5
        self._client: Client | None = None
        self._connected = False
        self._reason = "connecting"
        self._down_since = time.monotonic()
        self._opened_at: float | None = None  # the socket is open, CONNACK is awaited
        self._begin_at = 0.0  # no new client before
        self._limit = config.limit_bytes
        self._packet: int | None = None  # longest packet the broker takes
        self._json_told = False
        self._retain = True
        self._acks: dict[int, ReasonCode] = {}
        self._reply = threading.Event()
        self._inbox = Inbox(config.name)

    # -- Link -------------------------------------------------------------------------------

    def room(self, priority: str = "live") -> int:
        """Longest frame the profile and the broker allow, in bytes. Raises LinkError."""
        self._up()
        if self._limit < LEAST_ROOM:
            reason = f"the broker takes packets of at most {self._packet} bytes: too small"
            raise LinkError(reason, refused=True)
        return self._limit

    def deliver(self, batch: Batch, following: Following = nothing_follows) -> Delivered:
        """Publish the batch's frames, before them its rows as JSON if the profile wants that.

        Raises LinkError, Undeliverable.
        """
        limit = self.room()
        encoded = self.encoder.encode(batch, limit)
        if self.config.json and encoded.rows:
            self._send_json(encoded)
        return self.encoder.carry(encoded, limit, self.send, following)

    def send(self, frame: bytes, batch: Batch, meanwhile: Meanwhile = nothing) -> None:
        """Return at the PUBACK (QoS 1) with a reason below 128. Raises LinkError."""
        client = self._up()
        retain = batch.kind == SLICE and self._retain
        topic = topic_of(self.base, batch)
        self._publish(client, topic, frame, retain=retain, meanwhile=meanwhile)

    def received(self) -> Iterator[bytes]:
        """Downlinks since the last call, oldest first.

        Each is acknowledged when the next is asked for: one that was not carried out comes again.
        """
        return self._inbox.empty(lambda: self._client)

    @property
    def ignored(self) -> int:
        """Downlinks that were taken and not read."""
        return self._inbox.ignored

    def close(self) -> None:
        """Say offline and leave; a client that is not connected is left to die by itself."""
        client, self._client = self._client, None
        if client is None:
            return
        if self._connected:
            last = client.publish(f"{self.base}/state", self._state("offline"), 1, retain=True)
            deadline = time.monotonic() + 1.0
            while not last.is_published() and time.monotonic() < deadline:
                self._reply.wait(0.05)
                self._reply.clear()
        client.disconnect()
        if self._connected:
            client.loop_stop()
        self._connected = False

    # -- connection -------------------------------------------------------------------------

    def _up(self) -> Client:
        """The connected client. Raises LinkError while there is none."""
        if self._client is None:
            wait_s = self._begin_at - time.monotonic()
            if wait_s > 0:
                raise LinkError(self._reason, wait_s)
            self._begin()
            self._reply.wait(FIRST_LOOK_S)  # a broker nearby answers at once
        opened_at = self._opened_at
        if opened_at is not None and time.monotonic() - opened_at > CONNACK_S:
            self._drop("the broker accepts connections but does not answer")
        if self._client is None or not self._connected:
            raise LinkError(self._reason, RETRY_S)
        return self._client

    def _begin(self) -> None:
        """A new client with our callbacks, connecting in paho's thread. Raises LinkError."""
        config = self.config
        client = new_client(config.client_id or self.node, self.version)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        client.on_message, client.on_socket_open = self._on_message, self._on_socket_open
        client.will_set(f"{self.base}/state", self._state("offline"), 1, retain=True)
        log_in(client, config)
        connect(client, config, self.version)
        self._reply.clear()
        self._client = client  # before its thread calls back
        client.loop_start()

    def _drop(self, reason: str) -> None:
        """Throw the client away, with whatever it still has in its hands."""
        client, self._client = self._client, None
        if self._connected:
            self._down_since = time.monotonic()
        self._connected, self._opened_at, self._reason = False, None, reason
        if client is None:
            return
        handle = client.socket()
        if isinstance(handle, socket.socket):
            try:  # ends the read of paho's thread; the broker sends our will
                handle.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                log.debug("link=%s shutdown: %s", self.config.name, error)
        client.loop_stop()

    # -- sending ----------------------------------------------------------------------------

    def _publish(
        self,
        client: Client,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        meanwhile: Meanwhile = nothing,
    ) -> None:
        self._reply.clear()
        self._acks.clear()
        info = client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._drop("connection lost")
            raise LinkError(self._reason, 1.0)
        self._reply.wait(WRITE_S)
        meanwhile()
        code = self._await(info.mid, ACK_S + len(payload) / SLOWEST)
        if code.is_failure:
            raise LinkError(f"the broker refuses {topic}: {code}", refused=True)

    def _await(self, mid: int, patience_s: float) -> ReasonCode:
        """The PUBACK of `mid`. Raises LinkError when the link breaks or stays silent."""
        deadline = time.monotonic() + patience_s
        while mid not in self._acks:
            self.clock.beat()
            if self.stopping.is_set():
                raise LinkError("stopping", later=True)  # no fault of the link
            left = deadline - time.monotonic()
            if left <= 0 or not self._connected:
                silent = f"no acknowledgement for {patience_s:.0f} s"
                self._drop(silent if left <= 0 else self._reason)
                raise LinkError(self._reason, 1.0)
            self._reply.wait(min(left, 0.5))
            self._reply.clear()
        return self._acks.pop(mid)

    def _send_json(self, encoded: Encoded) -> None:
        """Rows that go as a frame next, as JSON; one the broker does not take is left out."""
        client, topic = self._up(), f"{self.base}/json"
        for body in json_bodies(encoded):
            if self._packet is None or len(body) <= payload_room(self._packet, topic):
                self._publish(client, topic, body, retain=False)
            elif not self._json_told:
                self._json_told = True
                log.warning(
                    "link=%s json=left-out reason='a row as JSON is longer than the broker takes:"
                    " packets of %d bytes'",
                    self.config.name,
                    self._packet,
                )

    def _state(self, word: str) -> bytes:
        return json.dumps({"state": word, "node": self.node}).encode()

    # -- callbacks, in paho's thread: set a field and an event, take no lock -----------------

    def _on_socket_open(self, client: Client, userdata: object, handle: object) -> None:
        if client is self._client:
            self._opened_at = time.monotonic()

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if client is not self._client:
            return
        self._opened_at = None
        if code.is_failure:
            self._refused(client, code)
            return
        self._take_limits(properties)
        self._subscribe(client)
        client.publish(f"{self.base}/state", self._state("online"), 1, retain=self._retain)
        self._connected, self._reason = True, ""
        self._reply.set()
        self.wake.set()

    def _subscribe(self, client: Client) -> None:
        """Downlinks; in MQTT 5 a retained one keeps its mark also while we listen."""
        if self.version == MQTTv5:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            client.subscribe(f"{self.base}/down", options=options)
        else:
            client.subscribe(f"{self.base}/down", qos=1)

    def _refused(self, client: Client, code: ReasonCode) -> None:
        if self.version == MQTTv5 and "protocol version" in str(code).lower():
            self._fall_back("the broker does not speak MQTT 5")
            return
        self._reason = f"refused by the broker: {code}"
        self._pace(client)

    def _fall_back(self, reason: str) -> None:
        """The next client speaks the other version; made by the uplink, not in this thread.

        The older version is tried at once; where it does not help either, at the usual pace.
        """
        if self.version == MQTTv311:
            self._begin_at = time.monotonic() + self._pause_s()
        self.version = MQTTv311 if self.version == MQTTv5 else MQTTv5
        self._reason = reason
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
        self._reply.set()
        self.wake.set()

    def _take_limits(self, properties: Properties | None) -> None:
        """What the broker allows (MQTT 5, 3.2.2.3)."""
        self._packet = packet = getattr(properties, "MaximumPacketSize", None)
        self._retain = getattr(properties, "RetainAvailable", 1) == 1
        self._limit = self.config.limit_bytes
        if packet is not None:
            self._limit = min(self._limit, payload_room(packet, f"{self.base}/schema/65535"))

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        if client is self._client:
            self._reason = plain(sys.exc_info()[1])
            self._reply.set()
            self._pace(client)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if client is not self._client:
            return
        unanswered = self._opened_at is not None
        self._opened_at = None
        if self._connected:
            self._connected, self._down_since = False, time.monotonic()
            self._reason = "connection lost"
            if code != "Unspecified error":  # what paho says where nobody told it why
                self._reason += f": {code}"
        elif unanswered:  # closed before CONNACK: perhaps it does not know our version
            self._fall_back("the broker hangs up before it answers: is this its MQTT port, TLS?")
            return
        self._reply.set()
        self._pace(client)

    def _pace(self, client: Client) -> None:
        """How long paho waits now: its own doubling begins anew each time this is set."""
        wait_s = self._pause_s()
        client.reconnect_delay_set(wait_s, wait_s)

    def _pause_s(self) -> int:
        return pause_s(time.monotonic() - self._down_since)

    def _on_publish(
        self, client: Client, userdata: object, mid: int, code: ReasonCode, properties: Properties
    ) -> None:
        if client is self._client:
            self._acks[mid] = code
            self._reply.set()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if self._inbox.put(client, message):
            self.wake.set()
