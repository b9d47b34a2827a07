"""MQTT: MQTT 5, or 3.1.1 where the broker refuses it; acknowledged means PUBACK.

One frame at a time is in paho's hands. Whenever a frame was not acknowledged the connection is
given up, so that paho never repeats anything of its own; the store does.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator

from paho.mqtt.client import MQTTv5, MQTTv311
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.clock import Clock
from agent.config.sections import MqttConfig
from agent.model.batch import SLICE, Batch, Delivered, Encoded
from agent.transport.airtime import Memory, Scratch
from agent.transport.links import Following, LinkError, nothing_follows
from agent.transport.links.broker_line import BrokerLine
from agent.transport.links.encoder import Encoder, Meanwhile, nothing
from agent.transport.links.ending import Connection
from agent.transport.links.json_bodies import json_bodies

log = logging.getLogger(__name__)

ACK_S = 10.0  #: no PUBACK after so long, and what the frame takes: the link is silent
SLOWEST = 1000.0  #: bytes per second, of the slowest mobile network
WRITE_S = 0.0001  #: the line's thread gets the interpreter for so long, to write
FIRST_LOOK_S = 1.0
RETRY_S = 30.0  #: the line wakes the uplink earlier
LEAST_ROOM = 51  #: bytes; less is no link that rows could go by (WIRE.md section 4)
VERSIONS = {"5": MQTTv5, "3.1.1": MQTTv311}


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
        memory: Memory | None = None,
        install: str = "",
    ) -> None:
        self.config, self.clock, self.wake = config, clock, wake
        self.encoder, self.stopping = encoder, stopping
        self.memory, self.key = memory or Scratch(), f"mqtt/{config.name}"
        self._remembered = self._recall()
        self.line = BrokerLine(config, node, install, wake.set, self._remembered)
        self._json_told = False

    # -- Link -------------------------------------------------------------------------------

    def room(self, priority: str = "live") -> int:
        """Longest frame the profile and the broker allow, in bytes. Raises LinkError."""
        self._up()
        allowed = self.line.allowed
        if allowed.limit() < LEAST_ROOM:
            reason = f"the broker takes packets of at most {allowed.packet} bytes: too small"
            raise LinkError(reason, RETRY_S)  # no back-off: nothing goes out to ask again
        if allowed.qos < self.config.qos:
            reason = "the broker acknowledges nothing (QoS 0 only): qos = 0 in the profile accepts"
            raise LinkError(f"{reason} that rows may be lost", RETRY_S)
        return allowed.limit()

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
        topic = self.line.topics.of_batch(batch)
        self._publish(topic, frame, retain=batch.kind == SLICE, meanwhile=meanwhile)

    def received(self) -> Iterator[bytes]:
        """Downlinks since the last call, oldest first.

        Each is acknowledged when the next is asked for: one that was not carried out comes again.
        """
        return self.line.inbox.empty(lambda: self.line.ready)

    @property
    def notes(self) -> list[str]:
        """What goes on without, and why: for `status` and `probe`."""
        unsure = ["qos = 0: nothing is acknowledged, rows may be lost"]
        noted = [f"{topic}: {words}" for topic, words in sorted(self.line.allowed.notes.items())]
        return noted + (unsure if self.config.qos == 0 else [])

    @property
    def ignored(self) -> int:
        """Downlinks that were taken and not read."""
        return self.line.inbox.ignored

    def close(self) -> None:
        """Say offline and leave; a connection that is not up is left to die by itself."""
        self.line.stop()

    # -- sending ----------------------------------------------------------------------------

    def _up(self) -> Connection:
        """The connection that is ready. Raises LinkError while there is none."""
        if self.line.start():
            self.line.reply.wait(FIRST_LOOK_S)  # a broker nearby answers at once
        if self.line.crash is not None:
            raise self.line.crash
        one = self.line.ready
        if one is None:
            raise LinkError(self.line.reason, RETRY_S)
        self._remember()
        return one

    def _publish(
        self, topic: str, payload: bytes, *, retain: bool, meanwhile: Meanwhile = nothing
    ) -> None:
        one = self._up()
        self.line.reply.clear()
        one.acks.clear()
        packet = self.line.publish(one, topic, payload, retain=retain)
        if packet is None:
            self.line.give_up(one, "connection lost")
            raise LinkError(self.line.reason, 1.0)
        self.line.reply.wait(WRITE_S)
        meanwhile()
        code = self._await(one, packet, ACK_S + len(payload) / SLOWEST)
        if code.is_failure:
            raise LinkError(f"the broker refuses {topic}: {code}", refused=True)
        one.carried += 1

    def _await(self, one: Connection, packet: int, patience_s: float) -> ReasonCode:
        """The PUBACK of a packet. Raises LinkError when the link breaks or stays silent."""
        deadline = time.monotonic() + patience_s
        while packet not in one.acks:
            self.clock.beat()
            if self.stopping.is_set():
                raise LinkError("stopping", later=True)  # no fault of the link
            left = deadline - time.monotonic()
            if left <= 0:
                self.line.give_up(one, f"no acknowledgement for {patience_s:.0f} s")
            if one.over.is_set():
                raise LinkError(self.line.reason, 1.0)
            self.line.reply.wait(min(left, 0.5))
            self.line.reply.clear()
        return one.acks.pop(packet)

    def _send_json(self, encoded: Encoded) -> None:
        """Rows that go as a frame next, as JSON; one the broker does not take is left out."""
        topic, allowed = self.line.topics.of("json"), self.line.allowed
        for body in json_bodies(encoded):
            if allowed.fits(len(body), topic):
                self._publish(topic, body, retain=False)
            elif not self._json_told:
                self._json_told = True
                log.warning(
                    "link=%s json=left-out reason='a row as JSON is longer than the broker takes:"
                    " packets of %d bytes'",
                    self.config.name,
                    allowed.packet,
                )

    # -- the version this broker speaks, kept over a restart ---------------------------------

    def _recall(self) -> MQTTProtocolVersion | None:
        kept = json.loads(self.memory.setting(self.key) or b"{}")
        return VERSIONS.get(kept.get("version", "")) if kept.get("url") == self.config.url else None

    def _remember(self) -> None:
        if self.line.proven == self._remembered:
            return
        self._remembered = self.line.proven
        word = next(word for word, one in VERSIONS.items() if one == self._remembered)
        kept = {"url": self.config.url, "version": word}
        self.memory.set_setting(self.key, json.dumps(kept).encode())
