"""MQTT topics of a node, and how long what is published there may be."""

from __future__ import annotations

from dataclasses import dataclass

from agent.codec import cbor
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN, Batch

WORDS = {
    **{0: "up", EVENT: "event", SLICE: "schema", ACK: "ack", HELLO: "hello", RAW: "raw"},
    WITHDRAWN: "up",  # in the order of the rows it speaks of
}
HEADER = (
    1 + 4 + 2 + 2 + 1
)  # fixed header, length, topic length, packet id, length of properties (3.3)
ID_PROPERTY = (
    23  # the install id: 1 and two texts with their lengths, "id" and 16 digits (3.3.2.3.7)
)
LONGEST_KIND = "schema/65535"


@dataclass(frozen=True)
class Topics:
    """A pattern with `{node}` and `{kind}`, or what stands before the kind."""

    pattern: str
    node: str

    def of(self, kind: str) -> str:
        """The topic of a kind: "up", "state", "down", and so on."""
        pattern = (
            self.pattern if "{kind}" in self.pattern else f"{self.pattern.rstrip('/')}/{{kind}}"
        )
        return pattern.replace("{node}", self.node).replace("{kind}", kind)

    @property
    def listening(self) -> str:
        """What is asked for to hear downlinks."""
        return f"SUBSCRIBE {self.of('down')}"

    @property
    def telling(self) -> str:
        """What is asked for to say that the node is there."""
        return f"PUBLISH {self.of('state')}"

    def of_batch(self, batch: Batch) -> str:
        """Where frames of a batch go."""
        if batch.message is None or batch.kind != SLICE:
            return self.of(WORDS[batch.kind])
        return self.of(f"schema/{cbor.load(batch.message.body)[0]}")


def payload_room(packet: int, topic: str) -> int:
    """How many bytes a payload may have in a packet of so many (MQTT 5, 3.3)."""
    return packet - HEADER - ID_PROPERTY - len(topic.encode())
