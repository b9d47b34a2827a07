"""Messages of this node, stamped with boot and time: events, hello, schema slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version

from agent import codec
from agent.clock import Clock
from agent.model.batch import EVENT, HELLO, SLICE, Message
from agent.model.schema import Schema

HEALTH = 0  #: node-wide events use schema 0
# event codes, WIRE.md section 4
SENSOR_FAILED, SENSOR_BACK, RESTART = 4, 5, 6
FAST_CHANGE, VIBRATION = 3, 10
DATA_LOST, CLOCK_CORRECTED, STORE_SET_ASIDE, STANDS_STILL = 8, 9, 11, 12


def stamped(kind: int, body: bytes, boot: int, clock: Clock) -> Message:
    """A message of now."""
    now, offset = clock.monotonic(), clock.offset()
    start = None if offset is None else math.floor(now + offset)
    return Message(0, kind, boot, round(now * 1000), start, body)


def event(
    schema: int, column: int | None, code: int, value: int | None, boot: int, clock: Clock
) -> Message:
    """An event on a column of a table, or on the node as a whole."""
    return stamped(EVENT, codec.event_body(schema, column, code, value), boot, clock)


def node_event(code: int, value: int | None, boot: int, clock: Clock) -> Message:
    """An event of the node as a whole."""
    return event(HEALTH, None, code, value, boot, clock)


def hello(
    schemas: Sequence[int],
    waiting: int,
    boot: int,
    clock: Clock,
    install: bytes = b"",
    epoch: bytes = b"",
) -> Message:
    """Who this node is and what it owes."""
    told = {0: version("stadtsinn"), 1: boot, 2: sorted(set(schemas)), 3: waiting}
    named = {4: install, 5: epoch}
    body = codec.hello_body(told | {key: value for key, value in named.items() if value})
    return stamped(HELLO, body, boot, clock)


def schema_slice(schema: Schema, boot: int, clock: Clock) -> Message:
    """A whole schema as one slice."""
    body = codec.slice_body(schema.number, len(schema.fields), 0, schema.fields)
    return stamped(SLICE, body, boot, clock)
