"""The worked frames of the wire format, byte for byte, both directions."""

from collections.abc import Sequence

import pytest

from agent import codec
from agent.clock import VirtualClock
from agent.codec import Style, decoder
from agent.model.batch import ACK, EVENT, SLICE, Batch, Layout, Message, Row
from agent.model.schema import Cell, Missing, Schema, field_for, registered, registered_schemas

NEWEST = 1_767_606_060  # 2026-01-05 09:41 UTC
SCHOOL = registered(1)
ROWS = [
    [2145, 473, 101325, 812, 63, 104, 420, 512, 402],
    [2142, 474, 101327, 803, 64, 107, 421, 530, 402],
    [2139, 475, 101329, 796, 60, 101, 418, 498, 402],
]
ONE = "44 5b 92 28 bc 30 df 06 b0 2c 98"
THREE = ONE + "94 c6 77 62 ca 53 15 5a 69 27 c0"
PLAIN_ONE = "84 01 19 86 85 01 89 190861 1901d9 1a00018bcd 19032c 183f 1868 1901a4 190200 190192"
PLAIN_THREE = (
    "84 01 19 86 85 01 98 1b 190861 1901d9 1a00018bcd 19032c 183f 1868 1901a4 190200 190192"
    "22 01 02 28 01 03 01 12 00 22 01 02 26 23 25 22 38 1f 00"
)


def batch(rows: Sequence[Sequence[Cell]], *, packed: bool, dated: bool = True) -> Batch:
    """Rows of schema 1, newest first, a minute apart, of this boot."""
    made = [
        Row(9 - k, 1, -60_000 * k, NEWEST - 60 * k if dated else None, codec.cells_to_bytes(row))
        for k, row in enumerate(rows)
    ]
    return Batch("live", None, Layout(1, "air", SCHOOL, 60), made, packed=packed, boot=1)


def encoded(rows: Sequence[Sequence[Cell]], *, packed: bool, style: Style | None = None) -> str:
    """The one frame of these rows, in hex."""
    (made,) = codec.frame(batch(rows, packed=packed), 222, VirtualClock(NEWEST + 3.0), style).frames
    return made.hex()


def says(hexed: str) -> decoder.Data:
    """What a data frame says."""
    data = decoder.decode(bytes.fromhex(hexed), registered_schemas().get)
    assert isinstance(data, decoder.Data)
    return data


def of(hexed: str) -> str:
    """Without spaces."""
    return bytes.fromhex(hexed).hex()


@pytest.mark.parametrize(
    ("rows", "packed", "expected"),
    [
        (ROWS[:1], False, PLAIN_ONE),
        (ROWS, False, PLAIN_THREE),
        (ROWS[:1], True, "84 01 19 86 85 01 4b" + ONE),
        (ROWS, True, "84 01 19 86 85 01 56" + THREE),
    ],
)
def test_worked_data_frames(rows: list[list[Cell]], packed: bool, expected: str) -> None:
    assert encoded(rows, packed=packed) == of(expected)
    data = says(expected)
    assert data.rows == rows
    assert data.starts(NEWEST + 20.0)[0] == NEWEST


def test_worked_frame_with_a_failed_sensor_has_an_escape() -> None:
    rows: list[list[Cell]] = [list(row) for row in ROWS]
    rows[0][4] = Missing.FAILED
    made = encoded(rows, packed=True)
    assert made.startswith(of("84 01 19 86 85 01 58 18 44 5b 92 28 bc 00 00 3b"))
    assert len(bytes.fromhex(made)) == 32
    assert says(made).rows == rows


def test_worked_frame_without_pm_sensors_omits_both_columns() -> None:
    rows: list[list[Cell]] = [
        [*row[:4], Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE, *row[6:]] for row in ROWS
    ]
    made = "85 01 19 86 85 01 52 44 5b 92 28 bc 01 ac 0b 26 25 31 9c 59 4a 62 a9 27 c0 18 30"
    assert encoded(rows, packed=True) == of(made)
    assert says(made).rows == [[*row[:4], *row[6:]] for row in ROWS]
    assert says(made).columns == [0, 1, 2, 3, 6, 7, 8]


def test_worked_frame_without_a_trusted_clock_carries_an_age() -> None:
    clock = VirtualClock(0.0, trust="")
    (made,) = codec.frame(batch(ROWS[:1], packed=True, dated=False), 51, clock).frames
    assert made.hex() == of("84 01 20 01 4b" + ONE)
    assert says(made.hex()).starts(NEWEST + 59.0) == [NEWEST]


def test_worked_frame_padded_to_51_bytes() -> None:
    expected = "86 01 19 86 85 01 56" + THREE + "00 54" + "00" * 20
    style = Style(fixed_length=True)
    (made,) = codec.frame(batch(ROWS, packed=True), 51, VirtualClock(NEWEST + 3.0), style).frames
    assert made.hex() == of(expected)
    assert says(expected).rows == ROWS


def test_worked_event() -> None:
    body = codec.event_body(1, 3, 1, 1534)
    message = Message(1, EVENT, 1, 0, NEWEST + 33, body)
    clock = VirtualClock(NEWEST + 34.0)
    (made,) = codec.frame(Batch("message", message, boot=1), 51, clock).frames
    assert made.hex() == of("86 20 01 19 87 4d 03 01 19 05 fe")
    assert decoder.decode(made, registered_schemas().get) == decoder.Event(1, 34637, 3, 1, 1534)


def test_worked_schema_slice_and_private_number() -> None:
    fields = [
        field_for("temp", "temperature", 0.01, nominal=2000, orders=(8, 2)),
        field_for("hum", "humidity", 0.1, nominal=450, orders=(6, 1)),
        field_for("pres", "pressure", 1, nominal=101000, orders=(9, 3)),
    ]
    assert codec.private_number(fields) == 58697
    message = Message(1, SLICE, 1, 0, None, codec.slice_body(58697, 3, 0, fields))
    (made,) = codec.frame(Batch("message", message), 51, VirtualClock()).frames
    assert made.hex() == of(
        "88 21 19 e5 49 01 03 00"
        "86 18 67 21 19 07 d0 08 02 64 74 65 6d 70"
        "86 18 68 20 19 01 c2 06 01 63 68 75 6d"
        "86 18 73 00 1a 00 01 8a 88 09 03 64 70 72 65 73"
    )
    known: dict[int, Schema] = {}
    assert decoder.decode(made, known.get) == decoder.Slice(58697, 1, 3, 0, tuple(fields))


def test_worked_downlink_and_its_ack() -> None:
    downlink = bytes.fromhex("85 01 18 2a 01 01 05")
    assert codec.encode_downlink(1, 42, 1, 1, 5) == downlink
    assert decoder.parse_downlink(downlink) == decoder.Downlink(1, 42, (1, 1, 5))
    message = Message(1, ACK, 1, 0, None, codec.ack_body(42, 0))
    (made,) = codec.frame(Batch("message", message), 51, VirtualClock()).frames
    assert made.hex() == of("83 22 18 2a 00")
    assert decoder.decode(made, registered_schemas().get) == decoder.Ack(42, 0)
