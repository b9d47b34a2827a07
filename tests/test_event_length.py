"""An event has at most 24 bytes, whatever it tells, wherever it belongs, however it is dated."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from agent import codec
from agent.clock import VirtualClock
from agent.codec import LONGEST_EVENT, CodecError, Style, decoder
from agent.codec.explain import CODES, explain
from agent.codec.messages import event, node_event
from agent.codec.wire import RAW_LIMIT
from agent.events.detectors import Found
from agent.events.trigger import MOST, Watch
from agent.model.batch import EVENT, Batch, Message
from agent.model.schema import Schema, field_for
from agent.plan.tables import MOST_COLUMNS
from agent.plan.triggers import TriggerPlan
from tests.conftest import MONDAY
from tests.trigger_kit import SCHEMA, VIBRATION, vibration

NOW = int(MONDAY)
LONG = 2**32  #: seconds: no machine runs as long; as a date, the year 2106
Value = int | list[int] | None

DATED = VirtualClock(MONDAY)
UNTRUSTED = VirtualClock(MONDAY, trust="")
SHORT, WHOLE, FILES = Style(), Style(whole_slots=True), Style(whole_slots=True, ticks_always=True)
#: running boot, clock, style, boot and monotonic seconds and date of the event, its time item
TIMES: dict[str, tuple[int, VirtualClock, Style, int, int, int | None, Any]] = {
    "short": (1, DATED, SHORT, 1, 0, NOW, NOW % 65_536),
    "whole": (1, DATED, WHOLE, 1, 0, NOW, NOW),
    "far": (1, DATED, WHOLE, 1, 0, LONG, LONG),
    "old": (9, DATED, SHORT, 1, 0, NOW - 40_000, NOW - 40_000),
    "age": (1, UNTRUSTED, SHORT, 1, 0, None, -1),
    "long age": (1, UNTRUSTED, WHOLE, 1, 1 - LONG, None, -LONG),
    "boot": (2, UNTRUSTED, SHORT, 1, 23, None, (1, 23)),
    "boot and a day": (25, DATED, SHORT, 24, 86_400, None, (24, 86_400)),
    "late boot": (300, UNTRUSTED, WHOLE, 299, 65_536, None, (299, 65_536)),
    "file": (300, UNTRUSTED, FILES, 300, 65_536, None, (300, 65_536)),
    "endless": (70_001, UNTRUSTED, SHORT, 70_000, LONG - 1, None, (70_000, LONG - 1)),
}
COLUMNS = [(0, 0), (1, 8), (255, 23), (256, 24), (65_535, 0), (65_535, MOST_COLUMNS - 1)]


def figures() -> list[list[int]]:
    """What triggers tell: nothing much, the usual, the largest there can be."""
    limits = [1e-3 * number for number in range(300)]
    plan = TriggerPlan(vibration(), 0, ["m/s2"] * 3, SCHEMA, 0, VIBRATION)
    watches = [Watch(plan, None, limits[:count]) for count in (0, 3, 300)]  # type: ignore[arg-type]
    found = [
        Found(0, 1, 0.0, 0.0),
        Found(0, 300, 0.0255, 12.0),
        Found(0, 900, -0.3, 300.0),
        Found(0, 10**9, 1e12, 1e15),
        Found(0, 10**9, -1e12, 1e15),
    ]
    return [watch.value(one, 104.0) for watch, one in product(watches, found)]


def told() -> Iterator[tuple[int, int | None, int, Value, bytes]]:
    """Every event the agent makes: schema, column, code, value, body."""
    for code, value in [
        (6, None),
        (11, None),
        (12, 864_000),
        (8, LONG - 1),
        (9, RAW_LIMIT - 1),
        (9, -90),
    ]:
        yield 0, None, code, value, node_event(code, value, 1, DATED).body
    limits = (None, 0, 24, -256, 65_536, RAW_LIMIT - 1, 1 - RAW_LIMIT)
    scalars = [*product((0, 1, 2), limits), (3, -MOST), (3, MOST), (4, None), (5, None)]
    for (schema, column), (code, number) in product(COLUMNS, scalars):
        yield schema, column, code, number, event(schema, column, code, number, 1, DATED).body
    for (schema, column), several in product(COLUMNS, figures()):
        yield schema, column, 10, several, codec.event_body(schema, column, 10, several)


def encoded(body: bytes, time: str, limit: int = 4096) -> bytes:
    boot, clock, style, born, mono_s, start, _ = TIMES[time]
    message = Message(1, EVENT, born, mono_s * 1000, start, body)
    (made,) = codec.frame(Batch("message", message, boot=boot), limit, clock, style).frames
    return made


@pytest.mark.parametrize("time", TIMES)
def test_no_event_is_longer_than_24_bytes_and_each_says_what_it_is(time: str) -> None:
    codes = set()
    for schema, column, code, value, body in told():
        made = encoded(body, time)
        said = decoder.decode(made, lambda _: None)
        assert isinstance(said, decoder.Event)
        assert len(made) <= 24
        assert (said.schema, said.time, said.column, said.code) == (
            (schema, TIMES[time][-1], column, code)
        )
        assert said.value == kept(value, said.value, len(made))
        codes.add(code)
    assert codes == CODES.keys() - {7}  # nothing here opens


def kept(value: Value, said: Any, length: int) -> Any:
    """What is to be said of a value: all, or as many of its figures as there is room for."""
    if not isinstance(value, list):
        return value
    assert len(said) >= 1
    left_out = value[len(said) :]
    assert not left_out or length + len(codec.cells_to_bytes(left_out[:1])) - 1 > LONGEST_EVENT
    return tuple(value[: len(said)])


@pytest.mark.parametrize(
    ("time", "column", "expected"),
    [
        ("whole", 0, "peak 6.5535 m/s2, duration 655.35 s, area 6.5535 m/s2 s, class 3"),
        ("boot and a day", 0, "peak 6.5535 m/s2, duration 655.35 s, no room for area and class"),
        ("boot", 24, "peak 6.5535 m/s2, duration 655.35 s, area 6.5535 m/s2 s, class 3"),
        ("late boot", 24, "peak 6.5535 m/s2, duration 655.35 s, no room for area and class"),
        ("endless", 24, "peak 6.5535 m/s2, no room for duration and area and class"),
    ],
)
def test_decode_tells_what_had_no_room(time: str, column: int, expected: str) -> None:
    fields = tuple(field_for(f"c{n}", "acceleration", 1e-4) for n in range(25))
    schema = Schema(65_535, fields)
    made = encoded(codec.event_body(65_535, column, 10, [MOST, MOST, MOST, 3]), time)
    assert explain(made, {65_535: schema}.get, MONDAY)[-1][1] == f"value: {expected}"


def test_a_usual_event_of_an_earlier_boot_keeps_its_area() -> None:
    made = encoded(codec.event_body(58_697, 3, 10, [2500, 320, 4000, 2]), "boot")
    said = decoder.decode(made, lambda _: None)
    assert isinstance(said, decoder.Event)
    assert said.value == (2500, 320, 4000, 2)


@pytest.mark.parametrize(("limit", "expected"), [(21, 4), (20, 3), (17, 2), (14, 1)])
def test_a_way_out_with_less_room_gets_fewer_figures(limit: int, expected: int) -> None:
    made = encoded(codec.event_body(65_535, 0, 10, [MOST, MOST, MOST, 3]), "short", limit)
    said = decoder.decode(made, lambda _: None)
    assert isinstance(said, decoder.Event)
    assert isinstance(said.value, Sequence)
    assert len(said.value) == expected
    assert len(made) <= limit


def test_an_event_is_refused_only_where_not_even_its_peak_has_room() -> None:
    with pytest.raises(CodecError, match="does not fit"):
        encoded(codec.event_body(65_535, 0, 10, [MOST, MOST, MOST, 3]), "short", 11)
