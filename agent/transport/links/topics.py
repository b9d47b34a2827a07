"""MQTT topics of a node, and how long what is published there may be."""

from __future__ import annotations

from agent.codec import cbor
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN, Batch

WORDS = {
    **{0: "up", EVENT: "event", SLICE: "schema", ACK: "ack", HELLO: "hello", RAW: "raw"},
    WITHDRAWN: "up",  # in the order of the rows it speaks of
}
HEADER = 1 + 4 + 2 + 2 + 1  # fixed header, length, topic length, packet id, no properties (3.3)


def topic_of(base: str, batch: Batch) -> str:
    """Where frames of a batch go, under the node's own topic."""
    if batch.message is None or batch.kind != SLICE:
        return f"{base}/{WORDS[batch.kind]}"
    return f"{base}/schema/{cbor.load(batch.message.body)[0]}"


def payload_room(packet: int, topic: str) -> int:
    """How many bytes a payload may have in a packet of so many (MQTT 5, 3.3)."""
    return packet - HEADER - len(topic)
