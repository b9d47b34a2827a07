"""WIRE.md is enough: the encoder makes its examples, and a decoder written from it reads all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import codec
from agent.clock import VirtualClock
from agent.codec import Style, cbor, decoder
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN, Batch, Layout, Message, Row
from agent.model.schema import Cell, Field, Missing, Schema, registered_schemas, unit_of
from hw.lorawan.vectors import (
    DUSTLESS,
    FAILED,
    NEWEST,
    REASONS,
    SCHOOL,
    TICKS,
    WHOLE,
    frame_of,
    private_schema,
)
from tests import wire_reader as reader

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "agent" / "codec" / "WIRE.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (example|bits): ([a-z0-9-]+) -->\n```\n(.*?)```\n", re.DOTALL)
BLOCKS = {(kind, name): text.splitlines() for kind, name, text in BLOCK.findall(TEXT)}
TABLE = registered_schemas()[1]
PRIVATE = private_schema()
BROKEN: list[list[Cell]] = [[*SCHOOL[0][:4], FAILED, *SCHOOL[0][5:]], *map(list[Cell], SCHOOL[1:])]
WORDS = {
    Missing.NOT_AVAILABLE: "not available",
    Missing.BELOW: "below",
    Missing.ABOVE: "above",
    Missing.FAILED: "failed",
}


def message(kind: int, body: bytes) -> bytes:
    """A message of 2026-01-05 09:41:33 UTC."""
    made = Batch("message", Message(1, kind, 1, 0, NEWEST + 33, body), boot=1)
    (frame,) = codec.frame(made, 222, VirtualClock(NEWEST + 40.0)).frames
    return frame


ONE = SCHOOL[:1]
UPLINKS = {
    "plain-one": frame_of(ONE, TABLE, packed=False),
    "plain-three": frame_of(SCHOOL, TABLE, packed=False),
    "packed-one": frame_of(ONE, TABLE),
    "packed-three": frame_of(SCHOOL, TABLE),
    "packed-failed": frame_of(BROKEN, TABLE),
    "plain-reasons": frame_of(REASONS, TABLE, packed=False),
    "omit": frame_of(DUSTLESS, TABLE),
    "whole-slot": frame_of(ONE, TABLE, style=WHOLE),
    "age": frame_of(ONE, TABLE, dated=False),
    "boot-and-tick": frame_of(ONE, TABLE, dated=False, style=TICKS),
    "padded": codec.padded(frame_of(SCHOOL, TABLE), 51),
    "event": message(EVENT, codec.event_body(1, 3, 1, 1534)),
    "event-vehicle": message(EVENT, codec.event_body(58697, 1, 10, [41, 23, 7, 2])),
    "event-restart": message(EVENT, codec.event_body(0, None, 6)),
    "slice": message(SLICE, codec.slice_body(58697, 3, 0, PRIVATE.fields)),
    "ack": message(ACK, codec.ack_body(42, 0)),
    "hello": message(HELLO, codec.hello_body({0: "0.1.0", 1: 3, 2: [0, 1], 3: 77})),
    "raw": message(RAW, codec.raw_body(1, 0, 2, NEWEST, 62.5, bytes.fromhex("00000041"))),
    "withdrawn": message(WITHDRAWN, codec.withdrawn_body(3, 1, 60, NEWEST // 60, 8)),
}
DOWNLINKS = {
    "downlink-interval": codec.encode_downlink(1, 42, 1, 1, 5),
    "downlink-threshold": codec.encode_downlink(2, 44, 1, 3, 1, 1500),
    "downlink-threshold-off": codec.encode_downlink(2, 46, 1, 3, 1, None),
    "downlink-schema": codec.encode_downlink(3, 48, 58697),
    "downlink-resend": codec.encode_downlink(4, 49, 1, 1, NEWEST // 60, 60),
    "downlink-hello": codec.encode_downlink(5, 51),
    "downlink-restart": codec.encode_downlink(7, 65535),
    "downlink-body": codec.encode_downlink(8, 52, 0),
}
HASHED = cbor.dump([1, [field.wire() for field in PRIVATE.fields]])
MADE = UPLINKS | DOWNLINKS | {"hashed": HASHED}


def columns_of(line: str) -> list[str]:
    """A line of an example: hex or bits, value, meaning."""
    return re.split(r" {2,}", line.strip())


def shown(value: Any) -> str:
    """A value as the examples write it."""
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    return "undefined" if value == reader.UNDEFINED else json.dumps(value)


def expected_value(data: bytes, at: int, end: int) -> str:
    """What an example has to say of these bytes: a whole item, or the head of one."""
    major, _, argument, head_end = reader.head(data, at)
    value, item_end = reader.item(data, at)
    if item_end == end:
        return shown(value)
    assert head_end == end, f"{data[at:end].hex(' ')} ends inside an item"
    return f"{ {2: 'bytes', 4: 'array', 5: 'map', 6: 'tag'}[major] }({argument})"


def test_every_example_of_the_page_is_made_here_and_the_reverse() -> None:
    assert {name for kind, name in BLOCKS if kind == "example"} == MADE.keys()
    assert {name for kind, name in BLOCKS if kind == "bits"} <= UPLINKS.keys()
    assert TEXT.count("<!-- example:") + TEXT.count("<!-- bits:") == len(BLOCKS)


@pytest.mark.parametrize("name", MADE)
def test_the_hex_of_an_example_is_what_the_encoder_makes(name: str) -> None:
    lines = BLOCKS["example", name]
    assert "".join(columns_of(line)[0] for line in lines).replace(" ", "") == MADE[name].hex()


@pytest.mark.parametrize("name", MADE)
def test_the_walk_through_names_every_byte_range_and_its_value(name: str) -> None:
    data, at = MADE[name], 0
    content = False
    for line in BLOCKS["example", name]:
        hexed, value, *_ = columns_of(line)
        end = at + len(bytes.fromhex(hexed))
        if not content:
            assert value == expected_value(data, at, end), line
        else:
            assert value == "content", line
        content = value.startswith("bytes(") and reader.item(data, at)[1] != end
        at = end


@pytest.mark.parametrize("name", [name for kind, name in BLOCKS if kind == "bits"])
def test_the_walk_through_of_a_packed_body_names_every_code_and_its_value(name: str) -> None:
    body = reader.frame(UPLINKS[name])[3]
    *codes, padding = [columns_of(line) for line in BLOCKS["bits", name]]
    assert padding[1] == "padding"
    bits = "".join(code[0] for code in [*codes, padding])
    assert bits == "".join(f"{byte:08b}" for byte in body)
    read = reader.rows(UPLINKS[name], [table_row(field) for field in TABLE.fields])
    told = [cell for row in zip(*read.values(), strict=True) for cell in row]
    assert [code[2] for code in codes] == list(map(str, told))
    names = [TABLE.fields[column].name for column in read] * (len(codes) // len(read))
    assert [code[1] for code in codes] == names


@pytest.mark.parametrize("name", UPLINKS)
def test_the_decoder_reads_every_example(name: str) -> None:
    said = decoder.decode(UPLINKS[name], registered_schemas().get)
    assert not isinstance(said, decoder.Unknown)
    assert json.loads(json.dumps(codec.items_of(UPLINKS[name]))) is not None


@pytest.mark.parametrize("name", DOWNLINKS)
def test_a_downlink_of_the_page_is_read_as_one(name: str) -> None:
    command, token, *arguments = reader.frame(DOWNLINKS[name])
    said = decoder.parse_downlink(DOWNLINKS[name])
    assert said == decoder.Downlink(command, token, tuple(arguments))


def test_the_private_number_follows_from_the_bytes_of_the_page() -> None:
    number = 256 + int.from_bytes(hashlib.sha256(HASHED).digest()[:4], "big") % 65280
    assert number == codec.private_number(PRIVATE.fields) == 58697
    assert hashlib.sha256(HASHED).hexdigest() in TEXT


def test_the_registered_tables_of_the_page_are_those_of_the_agent() -> None:
    for number, schema in registered_schemas().items():
        lines = re.search(rf"<!-- table: {number} -->\n.*?\n.*?\n(.*?)\n\n", TEXT, re.DOTALL)
        assert lines is not None
        assert lines[1].splitlines() == [table_line(k, one) for k, one in enumerate(schema.fields)]


def table_line(at: int, field: Field) -> str:
    """A column's line in the page."""
    quantity, scale, nominal, first, following, name, *_ = field.wire()
    cells = [at, name, quantity, unit_of(quantity), scale, nominal, first, following]
    return f"| {' | '.join(map(str, cells))} |"


def table_row(field: Field) -> reader.Column:
    """What the second decoder needs of a column."""
    return field.nominal, field.first_order, field.next_order


@pytest.mark.parametrize("path", [*ROOT.glob("agent/**/*.py"), *ROOT.glob("hw/lorawan/*.py")])
def test_sections_of_the_page_that_the_code_names_exist(path: Path) -> None:
    sections = set(re.findall(r"^## (\d+)\.", TEXT, re.MULTILINE))
    cited = re.findall(
        r"WIRE\.md (?:sections? )?(\d+(?:(?:, | and | to )\d+)*)", path.read_text("utf-8")
    )
    named = {number for one in cited for number in re.findall(r"\d+", one)}
    assert named <= sections


# -- the second decoder against the encoder -------------------------------------------------------

CELLS = st.one_of(
    st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-300, 300), st.sampled_from(list(Missing))
)
FIELDS = st.builds(
    lambda nominal, first, following: Field(
        103, -2, 1, nominal, first, following, "value", unit_of(103)
    ),
    st.integers(-1000, 1000),
    st.integers(0, 31),
    st.integers(0, 31),
)
STYLES = [Style(), Style(whole_slots=True), Style(ticks_always=True), Style(fixed_length=True)]


@st.composite
def batches(draw: Callable[[Any], Any]) -> tuple[Schema, list[list[Cell]]]:
    """A table of some columns and some rows of it."""
    fields = draw(st.lists(FIELDS, min_size=1, max_size=6))
    width = len(fields)
    row = st.lists(CELLS, min_size=width, max_size=width)
    return Schema(300, fields), draw(st.lists(row, min_size=1, max_size=8))


@given(
    batches(), st.booleans(), st.sampled_from(STYLES), st.booleans(), st.sampled_from([1, 15, 3600])
)
@settings(max_examples=400, deadline=None)
def test_the_second_decoder_reads_what_the_encoder_makes(
    made: tuple[Schema, list[list[Cell]]], packed: bool, style: Style, dated: bool, step_s: int
) -> None:
    schema, cells = made
    table = list(map(table_row, schema.fields))
    for frame in frames(schema, cells, packed, style, dated, step_s):
        said = decoder.decode(frame, {300: schema}.get)
        assert isinstance(said, decoder.Data)
        assert said.rows is not None
        read = reader.rows(frame, table)
        assert list(read) == list(said.columns)
        assert list(map(list, zip(*read.values(), strict=True))) == words(said.rows)
        assert words(said.rows)[0] == words([[cells[0][k] for k in said.columns]])[0]
        _, time, interval, *_ = reader.frame(frame)
        newest = reader.newest(time, interval, NEWEST + 20.0)
        assert newest == said.starts(NEWEST + 20.0)[0]


def frames(
    schema: Schema, cells: Sequence[Sequence[Cell]], packed: bool, style: Style, dated: bool, s: int
) -> Sequence[bytes]:
    """All frames that the encoder makes of the newest rows that fit into 222 bytes."""
    clock = VirtualClock(NEWEST + 20.0) if dated else VirtualClock(0.0, trust="")
    rows = [
        Row(9 - k, 7, 1000 * s * (99 - k), NEWEST - s * k if dated else None, made)
        for k, made in enumerate(map(codec.cells_to_bytes, cells))
    ]
    batch = Batch("live", None, Layout(1, "air", schema, s), rows, packed=packed, boot=7)
    return codec.frame(batch, 222, clock, style).frames


def words(rows: Sequence[Sequence[Cell]]) -> list[list[reader.Cell]]:
    """Missing cells as the second decoder says them."""
    return [[WORDS[one] if isinstance(one, Missing) else one for one in row] for row in rows]


@given(batches(), st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_a_packed_body_cut_anywhere_gives_both_decoders_the_same_rows(
    made: tuple[Schema, list[list[Cell]]], length: int
) -> None:
    schema, cells = made
    whole, *_ = frames(schema, cells, True, Style(), True, 60)
    number, time, interval, body, *rest = reader.frame(whole)
    if not isinstance(body, bytes):  # a number that cannot be packed
        return
    cut = cbor.dump([number, time, interval, body[: 1 + length % len(body)], *rest])
    said = decoder.decode(cut, {300: schema}.get)
    assert isinstance(said, decoder.Data)
    read = reader.rows(cut, list(map(table_row, schema.fields)))
    assert list(map(list, zip(*read.values(), strict=True))) == words(said.rows or ())


# -- section 7: what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "hexed",
    [
        "8322182a00" + "00",  # bytes after the item
        "8322182a",  # cut off
        "832218 0a00",  # ten in two bytes
        "9f22182a00ff",  # indefinite length
        "8324fb3ff0000000000000",  # a long float
        "82 23 a2 0100 0000",  # keys out of order
        "82 23 a2 0000 0000",  # the same key twice
        "82 23 a1 00 61 ff",  # no UTF-8
        "82 23 a1 00 c2 41 00",  # a tag
        "82 23 a1 00 e0",  # another simple value
        "82 23 a1 00 81 81 81 00",  # six levels
        "84 01 00 38 3b 81 00",  # a whole minute in seconds
        "84 01 00 18 f1 81 00",  # 241 minutes
        "84 01 00 00 81 00",  # no interval
        "84 01 00 01 81 00",  # one cell of nine columns
        "84 01 00 01 80",  # no cell
        "84 01 00 01 40",  # no byte
        "85 01 00 01 81 00 19 02 00",  # omits column 9 of 9
        "85 01 00 01 81 00 19 01 ff",  # omits all
        "83 22 18 2a 04",  # result 4
        "88 20 01 00 00 00 00 00 00",  # an event of eight items
        "86 20 01 00 00 00 80",  # no figure
        "86 21 01 01 01 01 86 18 67 00 00 00 00 60",  # a field beyond the last column
        "86 21 01 01 01 00 85 18 67 00 00 18 20 00",  # order 32
        "80",  # no item
        "00",  # no array
    ],
)
def test_what_the_page_calls_an_error_is_refused(hexed: str) -> None:
    with pytest.raises(codec.CodecError):
        decoder.decode(bytes.fromhex(hexed), registered_schemas().get)


@pytest.mark.parametrize(
    "hexed",
    [
        "82 23 a1 00 81 81 00",  # five levels
        "82 26 01",  # a later kind
        "84 22 18 2a 00 63 6e 65 77",  # an ack with more
        "82 23 a2 00 61 61 18 63 f5",  # a hello with another key
        "86 01 00 01 89" + "00" * 9 + "00 61 61",  # a later item
        "85 20 01 00 00 18 63",  # an event of a later code
        "84 01 00 38 3c 89" + "00" * 9,  # 61 seconds
        "84 19 01 2c 00 01 81 00",  # a schema that is not known
    ],
)
def test_what_the_page_lets_pass_is_read(hexed: str) -> None:
    decoder.decode(bytes.fromhex(hexed), registered_schemas().get)
