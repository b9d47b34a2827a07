"""The line to a broker: one connection at a time, ended before the next begins.

A thread of its own connects, serves paho's sockets, and waits between connections; the uplink's
thread only publishes. All seconds are real ones, also in simulated time: the broker is real.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.config.sections import MqttConfig
from agent.transport.links.allowance import Allowance
from agent.transport.links.ending import Connection, Endings
from agent.transport.links.inbox import Inbox
from agent.transport.links.login import connect, log_in, new_client
from agent.transport.links.one_connection import OneConnection
from agent.transport.links.reconnect import BackOff
from agent.transport.links.topics import Topics

log = logging.getLogger(__name__)

LOOP_S, READY_S = 0.25, 1.0  #: the longest look at the sockets: at first, later
CONNACK_S = 10.0  #: a broker that accepts the connection and says nothing
ANSWER_S = 20.0  #: one that does not answer what is said first
FILES_S = 30.0  #: until a file that cannot be used is looked at again
SETTLE_S = 1.0  #: of silence after CONNACK, where the last connection was cut at once
STOP_S, SOON_S = 1.0, 0.3
NO_MQTT = "the broker says what is no MQTT"


class BrokerLine:
    """Keeps a connection to one broker. `ready` is the one that may be published on."""

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        install: str,
        wake: Callable[[], None],
        version: MQTTProtocolVersion | None = None,
    ) -> None:
        self.config, self.node, self.install, self.wake = config, node, install, wake
        self.topics = Topics(config.topic, node)
        self.client_id = config.client_id or node
        self.proven = version  #: the version this broker is known to speak
        self.version = version or MQTTv5
        self.ready: Connection | None = None
        self.reason = "connecting"
        self.allowed = Allowance(config.limit_bytes, self.topics)
        self.reply = threading.Event()  #: something has changed: set for the uplink
        self.inbox = Inbox(config.name)
        self.connects = 0
        self.crash: BaseException | None = None
        self._current: Connection | None = None
        self._steps: list[Callable[[Connection], None]] = []  # what is still to be said first
        self._quiet_until = 0.0
        self._endings = Endings(self.client_id)
        self._back_off = BackOff(config.patient_s, config.max_back_off_s, time.monotonic())
        self._first_connect = True
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- asked by the uplink ----------------------------------------------------------------

    def start(self) -> bool:
        """Begin to connect; False where that has begun before."""
        if self._thread is not None:
            return False
        name = f"mqtt-{self.config.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        return True

    def publish(
        self, one: Connection, topic: str, payload: bytes, *, retain: bool = False
    ) -> int | None:
        """Packet id of what goes out now; None where the connection is lost."""
        one.ask(f"PUBLISH {topic}")
        info = one.client.publish(
            topic,
            payload,
            qos=self.config.qos,
            retain=retain and self.allowed.retain,
            properties=self._properties(one),
        )
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def give_up(self, one: Connection, reason: str) -> None:
        """End a connection, with whatever paho still has in its hands."""
        one.given_up = one.given_up or reason
        self._lost(one, reason)
        one.client.hang_up()

    def stop(self) -> None:
        """Leave in order: offline, DISCONNECT. A connection that is not up dies by itself."""
        self._stop.set()
        one, self.ready = self.ready, None
        if one is None:
            self._abandon()
        else:
            last = self.publish(one, self.topics.of("state"), self.state("offline"), retain=True)
            deadline = time.monotonic() + STOP_S
            while last not in one.acks and not one.over.is_set() and time.monotonic() < deadline:
                self.reply.wait(0.05)
                self.reply.clear()
            one.client.disconnect()
        if self._thread is not None:
            self._thread.join(STOP_S if one else SOON_S)
            self._abandon()

    def _abandon(self) -> None:
        """End the connection that is being made, whatever it is at."""
        one = self._current
        if one is not None:
            one.given_up = "stopped"
            one.client.hang_up()

    def state(self, word: str) -> bytes:
        """What is published on the topic `state`."""
        said = {"state": word, "node": self.node}
        return json.dumps(said | ({"id": self.install} if self.install else {})).encode()

    # -- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                one = self._connection()
                self._stop.wait(self._after(one))
        except BaseException as error:  # the uplink raises it: no thread dies unseen
            log.exception("link=%s state=crashed", self.config.name)
            self.crash = error
            self.reply.set()
            self.wake()

    def _connection(self) -> Connection:
        """From the first try to the end."""
        self.connects += 1
        deaf = self.allowed.left_out(self.topics.listening)
        client = new_client(self.config, self.client_id, self.version, clean=deaf)
        one = Connection(client, self.version)
        self._current = one
        try:
            self._prepare(client, one)
            connect(client, self.config, self.version, clean=deaf)
            one.opened_at = time.monotonic()
            self._serve(one)
        except (OSError, ValueError) as error:
            one.error = error
        finally:
            self._current = None
            client.end()
        return one

    def _prepare(self, client: OneConnection, one: Connection) -> None:
        """Files, callbacks, will. Raises OSError where a file cannot be used."""
        log_in(client, self.config)
        client.user_data_set(one)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_subscribe = self._on_publish, self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_register_write = nothing  # else others' threads write to the socket
        state = self.topics.of("state")
        qos = min(self.allowed.qos, self.config.qos)
        client.will_set(state, self.state("offline"), qos, retain=self.allowed.retain)

    def _serve(self, one: Connection) -> None:
        """Until it ends, or is given up."""
        while not one.given_up:
            try:
                code = one.client.loop(READY_S if one is self.ready else LOOP_S)
            except Exception as error:
                log.warning("link=%s state=unreadable", self.config.name, exc_info=True)
                one.given_up = f"{NO_MQTT}: {error}"
                return
            if code == MQTTErrorCode.MQTT_ERR_PROTOCOL and one.accepted:
                one.given_up = NO_MQTT
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            self._watch(one)

    def _watch(self, one: Connection) -> None:
        """Say the next of what is said first; give up a broker that does not answer."""
        now = time.monotonic()
        if one.code is None:
            if one.opened_at is not None and now - one.opened_at > CONNACK_S:
                one.given_up = "the broker accepts connections but does not answer"
        elif one is self.ready or not one.accepted or now < self._quiet_until:
            return
        elif one.unanswered:
            if now - one.asked_at > ANSWER_S:
                one.given_up = f"no answer to {one.unanswered} for {ANSWER_S:.0f} s"
        elif self._steps:
            self._steps.pop(0)(one)
        elif not self._stop.is_set():
            self.ready, self.reason = one, ""
            self.reply.set()
            self.wake()

    def _after(self, one: Connection) -> float:
        """What is learned from how it ended. Returns the seconds to the next."""
        now = time.monotonic()
        reason = self._endings.take(one)
        self._lost(one, reason)
        self.allowed.learn(one, self._endings, reason)
        if one.files:
            return FILES_S
        if self._version_after(one):
            return 0.0
        if one.carried and not self._endings.contested:
            self._back_off.carried(now)
        return self._back_off.pause_s(now, reached=one.reached)

    def _lost(self, one: Connection, reason: str) -> None:
        """It may not be published on any more."""
        if one is self.ready:
            self.ready = None
        self.reason = reason
        one.over.set()
        self.reply.set()

    def _version_after(self, one: Connection) -> bool:
        """Whether another version of MQTT is spoken next, at once.

        Only where the broker says so, or hangs up at the very first CONNECT there ever was.
        """
        if one.version_refused and self.version == MQTTv5:
            self.version = self.proven = MQTTv311
            return True
        if self.proven is not None or one.opened_at is None:
            return False
        first, self._first_connect = self._first_connect, False
        if first and one.hung_up_early:
            self.version = MQTTv311
            return True
        self.version = MQTTv5  # the older one did not help
        return False

    # -- what is said first -----------------------------------------------------------------

    def _subscribe(self, one: Connection) -> None:
        """Downlinks; in MQTT 5 a retained one keeps its mark also while we listen."""
        topic = self.topics.of("down")
        one.ask(self.topics.listening)
        if one.version == MQTTv5:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            one.client.subscribe(topic, options=options)
        else:
            one.client.subscribe(topic, qos=1)

    def _say_online(self, one: Connection) -> None:
        topic, body = self.topics.of("state"), self.state("online")
        if self.allowed.qos < self.config.qos:
            return
        if self.allowed.fits(len(body), topic):
            self.publish(one, topic, body, retain=True)

    # -- callbacks, in our thread while it serves -------------------------------------------

    def _on_connect(
        self,
        client: Client,
        one: Connection,
        flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        one.code = code
        if code.is_failure:
            return
        self.proven = one.version
        self.allowed.take(properties)
        now, ends = time.monotonic(), self._endings
        self._quiet_until = now + SETTLE_S if ends.doubtful else 0.0
        topics = self.topics
        steps = ((self._subscribe, topics.listening), (self._say_online, topics.telling))
        self._steps = [step for step, what in steps if not self.allowed.left_out(what)]

    def _properties(self, one: Connection) -> Properties | None:
        """The install id, for receivers of a name that two nodes use."""
        if one.version != MQTTv5 or not self.install:
            return None
        made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        made.UserProperty = ("id", self.install)
        return made

    def _on_disconnect(
        self,
        client: Client,
        one: Connection,
        flags: DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            one.farewell = code

    def _on_subscribe(
        self,
        client: Client,
        one: Connection,
        mid: int,
        codes: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        one.answer(mid, codes[0])
        self.allowed.judge(self.topics.of("down"), codes[0], "may not be subscribed")

    def _on_publish(
        self,
        client: Client,
        one: Connection,
        mid: int,
        code: ReasonCode,
        properties: Properties,
    ) -> None:
        if one is not self.ready:
            self.allowed.judge(self.topics.of("state"), code, "may not be written")
        one.answer(mid, code)
        one.acked += not code.is_failure
        self.reply.set()

    def _on_message(self, client: Client, one: Connection, message: MQTTMessage) -> None:
        if self.inbox.put(one, message):
            self.wake()


def nothing(client: Client, one: Connection, handle: object) -> None:
    """Sockets are written to by the thread that serves them."""
