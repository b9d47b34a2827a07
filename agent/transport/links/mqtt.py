"""MQTT through paho: MQTT 5, or 3.1.1 where the broker refuses it; acknowledged means PUBACK.

One frame at a time is in paho's hands. Whenever a frame was not acknowledged the client is thrown
away, so that paho never repeats anything of its own; the store does. Deadlines are real seconds,
also in simulated time: the broker is real.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.clock import Clock
from agent.codec import cbor, decoder
from agent.config.sections import MqttConfig
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE
from agent.model.schema import Schema
from agent.transport.links import LinkError, Meanwhile, nothing

log = logging.getLogger(__name__)

TOPICS = {0: "up", EVENT: "event", SLICE: "schema", ACK: "ack", HELLO: "hello", RAW: "raw"}
PORTS = {"mqtt": 1883, "mqtts": 8883}
ACK_S = 10.0  #: no PUBACK after so long, and what the frame takes: the link is silent
SLOWEST = 1000.0  #: bytes per second, of the slowest mobile network
WRITE_S = 0.0001  #: paho's thread gets the interpreter for so long, to write
CONNECT_S = 5.0
FIRST_LOOK_S = 1.0
CONNACK_S = 10.0  #: a broker that accepts the connection and says nothing
PATIENT_S = 60.0  #: reconnect every second for so long, then doubling to 30 s
SLOWEST_S = 28  #: so that the first frame is there within 30 s of the broker's return
RETRY_S = 30.0  #: on_connect wakes the uplink earlier
SESSION_S = 7 * 86_400  #: how long the broker keeps downlinks for us
LONGEST_DOWNLINK = 256
LEAST_ROOM = 51  #: bytes; less is no link that rows could go by (WIRE.md section 4)
WAITING_DOWNLINKS = 100
HEADER = 1 + 4 + 2 + 2 + 1  # fixed header, length, topic length, packet id, no properties (3.3)


class MqttLink:
    """A broker. Raises LinkError where a frame could not be delivered."""

    silent = 0

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        clock: Clock,
        wake: threading.Event,
        schema_of: Callable[[int], Schema | None],
        stopping: threading.Event,
    ) -> None:
        self.config, self.node, self.clock, self.wake = config, node, clock, wake
        self.schema_of, self.stopping = schema_of, stopping
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
        self._inbox: deque[tuple[Client, MQTTMessage]] = deque(maxlen=WAITING_DOWNLINKS)

    # -- Link -------------------------------------------------------------------------------

    def limit(self, lane: str = "live") -> int:
        """Longest frame the profile and the broker allow, in bytes."""
        self._up()
        if self._limit < LEAST_ROOM:
            reason = f"the broker takes packets of at most {self._packet} bytes: too small"
            raise LinkError(reason, refused=True)
        return self._limit

    def send(
        self, frame: bytes, *, kind: int, lane: str = "live", meanwhile: Meanwhile = nothing
    ) -> None:
        """Publish with QoS 1 and return at its PUBACK with a reason below 128."""
        client = self._up()
        if kind == 0 and self.config.json:
            self._send_json(client, frame)
        retain = kind == SLICE and self._retain
        topic = self._topic(frame, kind)
        self._publish(client, topic, frame, retain=retain, meanwhile=meanwhile)

    def received(self) -> Iterator[bytes]:
        """Downlinks since the last call, oldest first.

        Each is acknowledged when the next is asked for: one that was not carried out comes again.
        """
        while self._inbox:
            client, message = self._inbox.popleft()
            yield bytes(message.payload)
            if client is self._client:
                client.ack(message.mid, message.qos)

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
        """A new client with our callbacks, connecting in paho's thread."""
        config = self.config
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id or self.node,
            protocol=self.version,
            clean_session=None if self.version == MQTTv5 else False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.reconnect_delay_set(1, 1)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        client.on_message, client.on_socket_open = self._on_message, self._on_socket_open
        client.will_set(f"{self.base}/state", self._state("offline"), 1, retain=True)
        self._credentials(client)
        url = urlsplit(config.url)
        port = url.port or PORTS[url.scheme]
        session: dict[str, Any] = {}
        if self.version == MQTTv5:
            session = {"clean_start": False, "properties": session_properties()}
        client.connect_async(url.hostname or "", port, config.keepalive_s, **session)
        self._reply.clear()
        self._client = client  # before its thread calls back
        client.loop_start()

    def _credentials(self, client: Client) -> None:
        """User, password, TLS. Raises LinkError naming the file that cannot be used."""
        config = self.config
        try:
            if config.user:
                password = None
                if config.password_file:
                    password = Path(config.password_file).read_text("utf-8").rstrip("\r\n")
                client.username_pw_set(config.user, password)
            if config.url.startswith("mqtts:"):
                client.tls_set(
                    config.ca_file or None,
                    config.certificate_file or None,
                    config.key_file or None,
                    tls_version=ssl.PROTOCOL_TLS_CLIENT,
                )
        except (OSError, ValueError) as error:
            raise LinkError(self._tls_words(error), RETRY_S) from error

    def _tls_words(self, error: Exception) -> str:
        files = (self.config.password_file, self.config.ca_file, self.config.certificate_file)
        if isinstance(error, UnicodeDecodeError):  # its own words show a byte of the password
            return f"{self.config.password_file}: is not UTF-8 text"
        name = getattr(error, "filename", None) or " ".join(filter(None, files))
        hint = ": it must belong to the agent's user" if isinstance(error, PermissionError) else ""
        return f"{name}: {getattr(error, 'strerror', None) or error}{hint}"

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

    def _send_json(self, client: Client, frame: bytes) -> None:
        """The rows of a frame as JSON; one that the broker does not take is left out."""
        topic = f"{self.base}/json"
        for row in self._json_rows(frame):
            if self._packet is None or len(row) <= room(self._packet, topic):
                self._publish(client, topic, row, retain=False)
            elif not self._json_told:
                self._json_told = True
                log.warning(
                    "link=%s json=left-out reason='a row as JSON is longer than the broker takes:"
                    " packets of %d bytes'",
                    self.config.name,
                    self._packet,
                )

    def _topic(self, frame: bytes, kind: int) -> str:
        if kind != SLICE:
            return f"{self.base}/{TOPICS[kind]}"
        return f"{self.base}/schema/{cbor.load(frame)[1]}"

    def _json_rows(self, frame: bytes) -> list[bytes]:
        data = decoder.decode(frame, self.schema_of)
        if not isinstance(data, decoder.Data):
            return []
        schema = self.schema_of(data.schema)
        if schema is None:
            return []
        rows = decoder.json_rows(data, schema, self.clock.utc())
        return [json.dumps(row, separators=(",", ":")).encode() for row in rows]

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
            self._begin_at = time.monotonic() + self._pause()
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
            self._limit = min(self._limit, room(packet, f"{self.base}/schema/65535"))

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
        pause_s = self._pause()
        client.reconnect_delay_set(pause_s, pause_s)

    def _pause(self) -> int:
        """Seconds to the next try: 1 for the first minute, then doubling, jittered downwards."""
        beyond_s = time.monotonic() - self._down_since - PATIENT_S
        if beyond_s < 0:
            return 1
        longest_s = min(max(int(beyond_s), 2), SLOWEST_S)  # as long again as it has lasted
        return random.randint(-(-longest_s * 2 // 3), longest_s)

    def _on_publish(
        self, client: Client, userdata: object, mid: int, code: ReasonCode, properties: Properties
    ) -> None:
        if client is self._client:
            self._acks[mid] = code
            self._reply.set()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if message.retain or len(message.payload) > LONGEST_DOWNLINK:
            why = "retained" if message.retain else f"{len(message.payload)} bytes"
            log.warning("link=%s downlink=ignored reason='%s'", self.config.name, why)
            client.ack(message.mid, message.qos)
            return
        self._inbox.append((client, message))
        self.wake.set()


def session_properties() -> Properties:
    """The broker keeps our downlinks while we are away (MQTT 5, 3.1.2.11.2)."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    return properties


def room(packet: int, topic: str) -> int:
    """How long a payload may be in a packet of so many bytes."""
    return packet - HEADER - len(topic)


def plain(error: BaseException | None) -> str:
    """A connection error in few words a person can act on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "; is the clock right?" if "not yet valid" in error.verify_message else ""
        return f"TLS: {error.verify_message}{hint}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "the broker's name cannot be resolved"
    if isinstance(error, TimeoutError):
        return "the broker cannot be reached: timed out"
    if isinstance(error, OSError):
        return f"the broker cannot be reached: {(error.strerror or str(error)).lower()}"
    return str(error)
