"""What a broker allows: said at CONNACK, or learned from how connections end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.transport.links.ending import Connection, Endings
from agent.transport.links.topics import LONGEST_KIND, Topics, payload_room

LEFT_OUT_S = 3600.0  #: a topic at which the broker hangs up is left alone for so long
CUT_TIMES = 2  #: in a row, at one topic
NO_RETAIN, NO_QOS = 0x9A, 0x9B  #: MQTT 5, 3.2.2.2


@dataclass
class Allowance:
    """Of one broker, as far as is known; the next connection asks for no more."""

    most: int  #: bytes of a frame, by the profile
    topics: Topics
    notes: dict[str, str] = field(default_factory=dict)  #: topic -> what goes on without it
    packet: int | None = None  #: longest packet it takes, in bytes
    qos: int = 1  #: the highest it takes
    retain: bool = True  #: whether it keeps the last message of a topic
    _until: dict[str, float] = field(default_factory=dict)  # "PUBLISH topic" -> left out so long

    def take(self, properties: Properties | None) -> None:
        """What a CONNACK says (MQTT 5, 3.2.2.3)."""
        self.packet = getattr(properties, "MaximumPacketSize", None)
        self.retain = self.retain and getattr(properties, "RetainAvailable", 1) == 1
        self.qos = getattr(properties, "MaximumQoS", 1)

    def limit(self) -> int:
        """Longest frame, in bytes."""
        if self.packet is None:
            return self.most
        return min(self.most, payload_room(self.packet, self.topics.of(LONGEST_KIND)))

    def fits(self, length: int, topic: str) -> bool:
        """Whether a payload of so many bytes may be published."""
        return self.packet is None or length <= payload_room(self.packet, topic)

    def judge(self, topic: str, code: ReasonCode, what: str) -> None:
        """Note what is not allowed, and that it is again."""
        if code.is_failure:
            self.notes[topic] = f"{what}: {code}"
        else:
            self.notes.pop(topic, None)

    def learn(self, one: Connection, endings: Endings, reason: str) -> None:
        """What the next connection does otherwise than the one that has ended."""
        value = one.code.value if one.code is not None else 0
        self.retain = self.retain and value != NO_RETAIN  # of the will: refused for ever
        self.qos = self.qos if value != NO_QOS else 0
        topics = self.topics
        if one.client.too_long:
            self._leave_out(topics.listening, reason)
        elif endings.times >= CUT_TIMES and endings.at in (topics.listening, topics.telling):
            self._leave_out(endings.at, reason)  # a connection can do without

    def left_out(self, what: str) -> bool:
        """Whether a topic is not asked for now."""
        return self._until.get(what, 0.0) > time.monotonic()

    def _leave_out(self, what: str, why: str) -> None:
        self._until[what] = time.monotonic() + LEFT_OUT_S
        self.notes[what.split()[-1]] = f"left out: {why}"
