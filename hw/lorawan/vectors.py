"""The frames and downlinks that every check of the codec uses, made by the agent's own encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent import codec
from agent.clock import VirtualClock
from agent.codec import Style
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN, Batch, Layout, Message, Row
from agent.model.schema import Cell, Field, Missing, Schema, field_for, registered
from hw.lorawan import expected

NEWEST = 1_767_606_060  # 2026-01-05 09:41 UTC
RECEIVED = NEWEST + 20.0
WHOLE = Style(whole_slots=True)
TICKS = Style(ticks_always=True)
LOW, HIGH, FAILED, NONE = Missing.BELOW, Missing.ABOVE, Missing.FAILED, Missing.NOT_AVAILABLE
SCHOOL = [
    [2145, 473, 101325, 812, 63, 104, 420, 512, 402],
    [2142, 474, 101327, 803, 64, 107, 421, 530, 402],
    [2139, 475, 101329, 796, 60, 101, 418, 498, 402],
]
REASONS: list[list[Cell]] = [
    [-250, 473, 101325, HIGH, FAILED, 104, LOW, 512, 402],
    [NONE, 474, 101327, 803, 64, FAILED, 421, 530, 402],
]
DUSTLESS: list[list[Cell]] = [[*row[:4], NONE, NONE, *row[6:]] for row in SCHOOL]
HEALTH = [
    [47, 0, 8123, 251, 6540, 2, 0, 3, 0, -97, 7, 12, 5, 213, 1, 22],
    [46, 0, 8123, 249, 6480, 2, 0, 3, 0, -99, 6, 11, 5, 210, 1, 22],
]


@dataclass(frozen=True, slots=True)
class Vector:
    """A frame, and whether its meaning hangs on when it came."""

    about: str
    port: int
    frame: bytes
    timeless: bool = True


def uplinks() -> list[Vector]:
    """Frames of every kind and form."""
    return [*_data(), *_messages()]


def downlinks() -> list[tuple[str, dict[str, Any], bytes]]:
    """What it is, as JSON, as bytes."""
    made: list[tuple[str, Sequence[Any]]] = [
        ("school every minute, 5 rows per uplink", (1, 42, 1, 1, 5)),
        ("school every 15 seconds, 4 rows per uplink", (1, 43, 1, -15, 4)),
        ("alarm when CO2 is above 1500 ppm", (2, 44, 1, 3, 1, 1500)),
        ("alarm when it is colder than 17.5 Cel", (2, 45, 1, 0, 2, 1750)),
        ("no alarm on CO2", (2, 46, 1, 3, 1, None)),
        ("alarm on a column of a private table", (2, 47, 58697, 2, 1, 102000)),
        ("tell me schema 58697", (3, 48, 58697)),
        ("an hour once more", (4, 49, 1, 1, NEWEST // 60, 60)),
        ("ten rows once more, from a short slot", (4, 50, 1, 1, 34437, 10)),
        ("who are you", (5, 51)),
        ("restart", (7, 65535)),
        ("plain frames", (8, 52, 0)),
        ("packed frames", (8, 0, 1)),
    ]
    frames = [
        (about, codec.encode_downlink(command, token, *arguments))
        for about, (command, token, *arguments) in made
    ]
    return [(about, expected.downlink(frame), frame) for about, frame in frames]


def frame_of(
    rows: Sequence[Sequence[Cell]],
    schema: Schema,
    *,
    packed: bool = True,
    style: Style | None = None,
    dated: bool = True,
    step_s: int = 60,
    limit: int = 222,
) -> bytes:
    """The frame of rows, newest first, the newest one at NEWEST."""
    clock = VirtualClock(RECEIVED) if dated else VirtualClock(0.0, trust="")
    made = [
        Row(9, 7, 1000 * step_s * (99 - k), NEWEST - step_s * k if dated else None, cells)
        for k, cells in enumerate(map(codec.cells_to_bytes, rows))
    ]
    batch = Batch("live", None, Layout(1, "air", schema, step_s), made, packed=packed, boot=7)
    return codec.frame(batch, limit, clock, style).frames[0]


def private_schema() -> Schema:
    """The three fields of WIRE.md's slice: 58697."""
    fields = [
        field_for("temp", "temperature", 0.01, nominal=2000, orders=(8, 2)),
        field_for("hum", "humidity", 0.1, nominal=450, orders=(6, 1)),
        field_for("pres", "pressure", 1, nominal=101000, orders=(9, 3)),
    ]
    return Schema(codec.private_number(fields), fields)


def _data() -> list[Vector]:
    school, health, private = registered(1), registered(0), private_schema()
    short = [row[:3] for row in SCHOOL]
    fixed, whole_fixed = Style(fixed_length=True), Style(whole_slots=True, fixed_length=True)
    made = [
        ("three rows, packed", frame_of(SCHOOL, school, style=WHOLE), True),
        ("three rows, plain", frame_of(SCHOOL, school, packed=False, style=WHOLE), True),
        ("one row", frame_of(SCHOOL[:1], school, style=WHOLE), True),
        ("every reason for a missing value", frame_of(REASONS, school, style=WHOLE), True),
        ("the same, plain", frame_of(REASONS, school, packed=False, style=WHOLE), True),
        ("no dust sensor", frame_of(DUSTLESS, school, style=WHOLE), True),
        ("rows every 15 s", frame_of(SCHOOL, school, style=WHOLE, step_s=15), True),
        ("boot and tick, of a node without a clock", _undated(school, TICKS), True),
        ("the node's own health", frame_of(HEALTH, health, style=WHOLE), True),
        ("padded with zeros", frame_of(SCHOOL, school, style=whole_fixed, limit=51), True),
        ("slot modulo 65536", frame_of(SCHOOL, school), False),
        ("slot modulo 65536, plain", frame_of(SCHOOL[:1], school, packed=False), False),
        ("padded, slot modulo 65536", frame_of(SCHOOL, school, style=fixed, limit=51), False),
        ("an age, of a node without a clock", _undated(school, None), False),
        ("a private table, plain", frame_of(short, private, packed=False), False),
        ("a private table, packed", frame_of(short, private), False),
    ]
    return [Vector(about, 10, frame, timeless) for about, frame, timeless in made]


def _undated(school: Schema, style: Style | None) -> bytes:
    return frame_of(SCHOOL, school, dated=False, style=style)


WRONG = (3, 1, 60, NEWEST // 60, 8)  #: number, schema, seconds, slot, count


def _messages() -> list[Vector]:
    fields: Sequence[Field] = private_schema().fields
    hello = {0: "0.1.0", 1: 3, 2: [0, 1], 3: 77}
    events = [
        ("CO2 above its limit", codec.event_body(1, 3, 1, 1534)),
        ("temperature fell below its limit", codec.event_body(1, 0, 2, 1745)),
        ("the dust sensor failed", codec.event_body(1, 4, 4)),
        ("the node restarted", codec.event_body(0, None, 6)),
        ("12 rows were lost", codec.event_body(0, None, 8, 12)),
        ("a vehicle: peak, duration, area, class", codec.event_body(58697, 1, 10, [41, 23, 7, 2])),
    ]
    dated = VirtualClock(RECEIVED)
    made = [Vector(about, 11, _message(EVENT, body, boot=6), True) for about, body in events]
    made += [
        Vector(f"{about}, dated", 11, _message(EVENT, body, dated), False) for about, body in events
    ]
    return [
        *made,
        Vector("a schema", 12, _message(SLICE, codec.slice_body(58697, 3, 0, fields))),
        Vector("a downlink is done", 13, _message(ACK, codec.ack_body(42, 0))),
        Vector("a downlink is refused", 13, _message(ACK, codec.ack_body(65535, 2))),
        Vector("hello", 14, _message(HELLO, codec.hello_body(hello))),
        Vector("a raw chunk", 15, _message(RAW, codec.raw_body(1, 0, 2, NEWEST, 62.5, bytes(24)))),
        Vector("rows had a wrong time", 15, _message(WITHDRAWN, codec.withdrawn_body(*WRONG))),
        Vector("a kind of a later version", 15, codec.frame_of([-9, 1, "later"]), False),
    ]


def _message(kind: int, body: bytes, clock: VirtualClock | None = None, boot: int = 7) -> bytes:
    """A message of boot 7, or an undated one of an earlier boot: then with [boot, tick]."""
    start = NEWEST + 3 if clock else None
    batch = Batch("message", Message(1, kind, boot, 90_000, start, body), boot=7)
    (frame,) = codec.frame(batch, 222, clock or VirtualClock(0.0, trust="")).frames
    return frame
