"""Rows to frames and back, over generated schemas, gaps, times and limits."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import codec
from agent.clock import VirtualClock
from agent.codec import CodecError, Style, decoder
from agent.codec.packed import pack, to_bytes, unpack
from agent.codec.row_encoder import without_empty
from agent.model.batch import EVENT, HELLO, RAW, SLICE, Batch, Encoded, Layout, Message, Row
from agent.model.schema import Cell, Field, Missing, Schema, registered

NOW = 1_767_606_060  # 2026-01-05 09:41 UTC
RAWS = st.integers(-(2**31) + 1, 2**31 - 1)
SMALL = st.integers(-300, 300)
GAPS = st.sampled_from(list(Missing))
ORDERS = st.integers(0, 12)
FIELDS = st.builds(
    Field, st.just(103), st.integers(-9, 9), st.just(1), SMALL, ORDERS, ORDERS, st.just("x"),
    st.just("Cel"),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, list[list[Cell]]]:
    """A schema and some rows of it, with gaps."""
    fields = draw(st.lists(FIELDS, min_size=1, max_size=8))
    cell = draw(st.sampled_from([SMALL, SMALL | GAPS, RAWS | GAPS]))
    row = st.lists(cell, min_size=len(fields), max_size=len(fields))
    return Schema(700, fields), draw(st.lists(row, min_size=1, max_size=20))


def batch(
    schema: Schema,
    cells: Sequence[Sequence[Cell]],
    *,
    start: int | None = NOW,
    boot: int = 1,
    interval_s: int = 60,
    **options: Any,
) -> Batch:
    """Rows newest first; undated if `start` is None."""
    rows = [
        Row(
            1000 - k,
            boot,
            -1000 * interval_s * k if boot == 1 else 10**9,
            None if start is None else start - interval_s * k,
            codec.cells_to_bytes(row),
        )
        for k, row in enumerate(cells)
    ]
    return Batch("live", None, Layout(1, "t", schema, interval_s), rows, boot=1, **options)


def read(encoded: Encoded, schema: Schema) -> list[decoder.Data]:
    """What the frames say."""
    said = [decoder.decode(made, lambda _: schema) for made in encoded.frames]
    assert all(isinstance(one, decoder.Data) for one in said)
    return said  # type: ignore[return-value]


def merged(encoded: Encoded, schema: Schema) -> dict[int | None, list[Cell]]:
    """Start -> cells, merged by column as a receiver does; what no frame has is not available."""
    rows: dict[int | None, list[Cell]] = {}
    for data in read(encoded, schema):
        for start, cells in zip(data.starts(NOW + 5.0), data.rows or (), strict=True):
            row = rows.setdefault(start, [Missing.NOT_AVAILABLE] * len(schema.fields))
            for column, cell in zip(data.columns, cells, strict=True):
                row[column] = cell
    return rows


@pytest.mark.no_cover
@settings(max_examples=60, deadline=None)
@given(tables(), st.booleans(), st.booleans(), st.sampled_from([20, 51, 115, 222, 4096]))
def test_rows_come_back_exactly(
    table: tuple[Schema, list[list[Cell]]], packed: bool, in_order: bool, limit: int
) -> None:
    schema, cells = table
    given_ = batch(schema, cells, packed=packed, in_order=in_order)
    encoded = codec.frame(given_, limit, VirtualClock(NOW + 5.0))
    assert all(len(made) <= limit for made in encoded.frames)
    count = len(encoded.rows)
    assert count >= 1
    taken = slice(-count, None) if in_order else slice(0, count)
    assert list(encoded.rows) == list(given_.rows[taken])
    starts = [row.start for row in encoded.rows]
    assert merged(encoded, schema) == dict(zip(starts, cells[taken], strict=True))


@pytest.mark.no_cover
@settings(max_examples=60, deadline=None)
@given(tables())
def test_packed_bits_equal_a_second_opinion(table: tuple[Schema, list[list[Cell]]]) -> None:
    schema, cells = table
    expected = plodding(schema.fields, cells)
    if expected is not None:
        assert to_bytes("".join(pack(cells, schema.fields))) == expected


def plodding(fields: Sequence[Field], rows: Sequence[Sequence[Cell]]) -> bytes | None:
    """The packed body, column state in plain dicts, one character per bit."""
    last: dict[int, int] = {}
    order: dict[int, int] = {}
    text = ""
    for row in rows:
        for c, cell in enumerate(row):
            if isinstance(cell, Missing):
                text += "0" * 16 + ["00", "01", "10", "11"][cell.value]
                continue
            first = c not in last
            v = cell - (fields[c].nominal if first else last[c])
            k = fields[c].first_order if first else order[c]
            u = v * 2 if v >= 0 else -v * 2 - 1
            binary = bin(u + 2**k)[2:]
            if len(binary) - k - 1 >= 16:
                return None
            text += "0" * (len(binary) - k - 1) + binary
            if first:
                order[c] = fields[c].next_order
            elif u >= 3 * 2**k:
                order[c] = k + 1
            elif u < 2**k // 2:
                order[c] = k - 1
            last[c] = cell
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


@pytest.mark.no_cover
@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 200))
def test_a_body_cut_anywhere_gives_the_rows_before_the_cut(
    table: tuple[Schema, list[list[Cell]]], cut: int
) -> None:
    schema, cells = table
    if plodding(schema.fields, cells) is None:
        return
    bits = pack(cells, schema.fields)
    body = to_bytes("".join(bits))[:cut]
    whole = 0
    while whole < len(bits) and sum(map(len, bits[: whole + 1])) <= len(body) * 8:
        whole += 1
    assert unpack(body, schema.fields) == cells[:whole]


@given(st.binary(min_size=1, max_size=60))
def test_a_random_body_gives_rows_or_is_refused(body: bytes) -> None:
    frame = bytes([0x84, 1, 0x19, 0x86, 0x85, 1]) + codec.cbor.dump(body)
    try:
        said = decoder.decode(frame, lambda _: registered(1))
    except CodecError:
        return
    assert isinstance(said, decoder.Data)
    assert said.body == body


SCHOOL = registered(1)
ROW: list[Cell] = [2145, 473, 101325, 812, 63, 104, 420, 512, 402]


@pytest.mark.no_cover
@pytest.mark.parametrize("limit", [51, 115, 222])
@pytest.mark.parametrize("packed", [False, True])
def test_fixed_length_frames_are_exactly_as_long_as_the_limit(limit: int, packed: bool) -> None:
    rows = [[cell - k for cell in ROW if isinstance(cell, int)] for k in range(80)]
    for count in range(1, 80):
        given_ = batch(SCHOOL, rows[:count], packed=packed)
        encoded = codec.frame(
            given_, limit, VirtualClock(NOW + 5.0), Style(whole_slots=False, fixed_length=True)
        )
        assert [len(made) for made in encoded.frames] == [limit]
        assert read(encoded, SCHOOL)[0].rows == rows[: len(encoded.rows)]


def test_every_length_can_be_padded_to() -> None:
    (made,) = codec.frame(batch(SCHOOL, [ROW]), 51, VirtualClock(NOW)).frames
    for length in range(len(made), 700):
        filled = codec.padded(made, length)
        assert len(filled) == length
        decoder.decode(filled, lambda _: SCHOOL)


@pytest.mark.no_cover
def test_as_many_rows_as_fit_go_into_a_frame() -> None:
    given_ = batch(SCHOOL, [ROW] * 200, packed=True)
    for limit in range(30, 120):
        encoded = codec.frame(given_, limit, VirtualClock(NOW))
        more = batch(SCHOOL, [ROW] * (len(encoded.rows) + 1), packed=True)
        (longer,) = codec.frame(more, 4096, VirtualClock(NOW)).frames
        assert len(longer) > limit


# -- time ---------------------------------------------------------------------------------------


def time_of(clock: VirtualClock, style: Style | None = None, **options: int | None) -> object:
    """The time item of a one-row frame."""
    encoded = codec.frame(batch(SCHOOL, [ROW], **options), 222, clock, style)  # type: ignore[arg-type]
    return read(encoded, SCHOOL)[0].time


def test_a_young_dated_row_has_a_short_slot_and_an_old_one_the_whole() -> None:
    slot = NOW // 60
    assert time_of(VirtualClock(NOW + 60.0 * 32_767)) == slot % 65_536
    assert time_of(VirtualClock(NOW + 60.0 * 32_768)) == slot
    assert time_of(VirtualClock(NOW - 60.0 * 32_768)) == slot
    assert time_of(VirtualClock(NOW + 5.0), Style(whole_slots=True)) == slot
    assert time_of(VirtualClock(NOW + 5.0, trust="")) == slot


@pytest.mark.parametrize("slot", [29_491_199, 29_491_200, 29_491_201, 29_460_101])
@pytest.mark.parametrize("late", [-32_000, -1, 0, 1, 32_767])
def test_short_slots_are_completed_across_the_wrap(slot: int, late: int) -> None:
    assert decoder.slot_start(slot % 65_536, 60, (slot + late) * 60.0 + 30) == slot * 60


def test_undated_rows_have_an_age_or_boot_and_tick() -> None:
    waiting = VirtualClock(0.0, trust="")
    waiting.sleep(185)
    assert time_of(waiting, start=None) == -4
    assert time_of(waiting, Style(ticks_always=True), start=None) == (1, 0)
    assert time_of(waiting, start=None, boot=0) == (0, 10**6 // 60)
    assert time_of(VirtualClock(NOW), start=None) == (1, 0)  # it lost its slot


def test_boot_and_tick_have_no_start() -> None:
    encoded = codec.frame(
        batch(SCHOOL, [ROW, ROW], start=None, boot=0), 222, VirtualClock(0.0, trust="")
    )
    assert read(encoded, SCHOOL)[0].starts(NOW) == [None, None]
    assert decoder.slot_start(5, 60, None) is None


def test_thinned_rows_count_in_the_longer_interval() -> None:
    rows = [Row(9 - k, 1, 0, NOW - 60 * 5 - 240 * k, codec.cells_to_bytes(ROW)) for k in range(3)]
    given_ = Batch("backfill", None, Layout(1, "t", SCHOOL, 60), rows, step=4, boot=1)
    data = read(codec.frame(given_, 222, VirtualClock(NOW)), SCHOOL)[0]
    assert data.step_s == 240
    assert data.starts(NOW) == [row.start // 240 * 240 for row in rows if row.start]


@pytest.mark.parametrize(("interval_s", "item"), [(1, -1), (60, 1), (90, -90), (14_400, 240)])
def test_whole_minutes_are_positive_and_seconds_negative(interval_s: int, item: int) -> None:
    (made,) = codec.frame(
        batch(SCHOOL, [ROW], interval_s=interval_s), 222, VirtualClock(NOW)
    ).frames
    assert codec.cbor.load(made)[2] == item
    assert decoder.step_of(item) == interval_s


# -- what cannot be packed, encoded or read ------------------------------------------------------


def test_a_value_too_far_off_makes_the_frame_plain() -> None:
    rows = [ROW, [2**31 - 1, *ROW[1:]]]
    encoded = codec.frame(batch(SCHOOL, rows, packed=True), 222, VirtualClock(NOW))
    assert isinstance(read(encoded, SCHOOL)[0].body, tuple)
    assert read(encoded, SCHOOL)[0].rows == rows


def test_a_column_that_is_empty_in_just_the_chosen_rows_is_omitted() -> None:
    gap = Missing.NOT_AVAILABLE
    rows = [[gap, *ROW[1:]]] * 30 + [ROW] * 30
    for packed in (False, True):
        encoded = codec.frame(batch(SCHOOL, rows, packed=packed), 51, VirtualClock(NOW))
        assert read(encoded, SCHOOL)[0].omit == 1


def test_never_every_column_is_omitted() -> None:
    rows = [[Missing.NOT_AVAILABLE] * 9] * 2
    encoded = codec.frame(batch(SCHOOL, rows), 51, VirtualClock(NOW))
    assert read(encoded, SCHOOL)[0].rows == [[Missing.NOT_AVAILABLE]] * 2


BROKEN = [
    b"\x89\x01",  # too few
    b"\x81\x01",
    b"\xff",
    b"\x89" + b"\x61a" * 9,  # text
    b"\x89" + b"\x01" * 10,  # more than the head says
    b"\x89\x18" + b"\x01" * 10,  # not the shortest form, and one more
]


@pytest.mark.parametrize("cells", BROKEN)
def test_a_broken_row_ends_a_frame_and_alone_is_refused(cells: bytes) -> None:
    good = batch(SCHOOL, [ROW] * 3)
    broken = Row(5, 1, 0, NOW, cells)
    later = Batch("live", None, good.layout, [*good.rows[:2], broken, good.rows[2]], boot=1)
    assert list(codec.frame(later, 222, VirtualClock(NOW)).rows) == list(good.rows[:2])
    in_order = Batch("backfill", None, good.layout, later.rows, boot=1, in_order=True)
    assert list(codec.frame(in_order, 222, VirtualClock(NOW)).rows) == list(good.rows[2:])
    first = Batch("live", None, good.layout, [broken, *good.rows], boot=1)
    with pytest.raises(CodecError, match="row 5"):
        codec.frame(first, 222, VirtualClock(NOW))


def test_a_number_of_32_bits_is_refused() -> None:
    with pytest.raises(CodecError, match="31 bits"):
        codec.frame(batch(SCHOOL, [[2**31, *ROW[1:]]]), 222, VirtualClock(NOW))


def test_a_limit_below_one_column_is_refused() -> None:
    for packed in (False, True):
        with pytest.raises(CodecError, match="needs more than 9 bytes"):
            codec.frame(batch(SCHOOL, [ROW], packed=packed), 9, VirtualClock(NOW))


@pytest.mark.parametrize(
    "frame",
    [
        "", "80", "01", "8401198685 01", "84 01 19 86 85 01 40", "84 01 19 86 85 00 80",
        "84 01 19 86 85 18 f1 80", "84 01 19 86 85 38 3b 80", "84 01 18 05 01 81 00",
        "84 01 00 01 80", "84 01 00 01 88 0000000000000000", "84 01 00 01 9f 00 ff",
        "84 01 00 01 89 000000000000000000 00", "85 01 00 01 81 00 19 01 ff",
        "85 01 00 01 81 00 19 02 00", "85 01 00 01 81 00 20", "84 01 f6 01 81 00",
        "84 01 82 00 20 01 81 00", "84 01 00 01 89 00000000000000 00 60",
        "84 1a 00 01 00 00 00 01 81 00", "84 01 00 01 01", "86 01 00 01 41 80 00 d8 55 40",
        "84 f5 00 01 81 00", "82 20 01", "86 20 01 00 f6 01 f6", "85 20 01 00 f6 f6",
        "83 22 00 04", "82 23 80", "82 23 a1 20 00", "82 23 a2 01 00 00 00", "82 23 a2 00 00 00 00",
        "86 21 01 01 01 00 80", "86 21 01 01 00 00 85 00 00 00 00 00", "86 21 01 01 01 00 00",
        "87 24 00 00 01 00 00 40", "87 24 00 00 01 00 00 d8 40 40", "87 24 00 00 01 00 60 d8 55 40",
        "84 01 00 01 84 1b 00", "82 25 f8 20", "82 26 fa 00 00 00 00", "82 26 fb 40 00 00 00",
        "82 25 61 ff", "82 25 81 81 81 81 81 00", "82 26 fa 7f c0 00 00", "82 26 f9 7e 01",
        "82 25 e0", "82 25 9a ff ff ff ff", "82 25 42 00",
    ],
)  # fmt: skip
def test_what_is_not_strictly_a_frame_is_refused(frame: str) -> None:
    with pytest.raises(CodecError):
        decoder.decode(bytes.fromhex(frame), lambda _: SCHOOL)


def test_floats_and_later_items_in_their_shortest_form_are_accepted() -> None:
    for frame in ("82 26 f9 7e 00", "82 26 fa 47 c3 50 00", "82 26 fb 3f f1 99 99 99 99 99 9a"):
        assert decoder.decode(bytes.fromhex(frame), lambda _: None) == decoder.Unknown(-7)


def test_a_frame_over_the_limit_is_refused() -> None:
    with pytest.raises(CodecError, match="18 bytes where 17"):
        decoder.decode(
            bytes.fromhex("840119868501 4b 445b9228bc30df06b02c98"), lambda _: None, limit=17
        )


def test_an_unknown_schema_keeps_the_body() -> None:
    said = decoder.decode(bytes.fromhex("84 01 19 86 85 01 42 44 5b"), lambda _: None)
    assert isinstance(said, decoder.Data)
    assert (said.rows, said.body) == (None, b"\x44\x5b")


# -- messages -----------------------------------------------------------------------------------


def message(kind: int, body: bytes, limit: int) -> Sequence[bytes]:
    """Its frames."""
    one = Message(1, kind, 1, 0, NOW, body)
    return codec.frame(Batch("message", one, boot=1), limit, VirtualClock(NOW)).frames


def test_a_long_schema_becomes_slices_that_are_each_useful() -> None:
    fields = SCHOOL.fields
    frames = message(SLICE, codec.slice_body(1, 9, 0, fields), 51)
    parts = [decoder.decode(made, lambda _: None) for made in frames]
    assert all(len(made) <= 51 for made in frames)
    assert all(isinstance(part, decoder.Slice) for part in parts)
    assert [f for part in parts for f in part.fields] == list(fields)  # type: ignore[union-attr]
    with pytest.raises(CodecError, match="column 0"):
        message(SLICE, codec.slice_body(1, 9, 0, fields), 12)


def test_a_message_over_the_limit_is_refused() -> None:
    with pytest.raises(CodecError, match="does not fit"):
        message(HELLO, codec.hello_body({0: "0.1.0" * 20}), 51)


def test_a_long_hello_becomes_several_with_the_install_id_in_each() -> None:
    told = {
        0: "0.2.0",
        1: 70_000,
        2: [0, 1, *range(50_000, 50_006)],
        3: 9,
        4: b"i" * 8,
        5: b"e" * 8,
    }
    frames = message(HELLO, codec.hello_body(told), 51)
    parts = [decoder.decode(made, lambda _: None) for made in frames]
    assert len(frames) > 1
    assert all(len(made) <= 51 for made in frames)
    assert all(isinstance(part, decoder.Hello) and part.items[4] == b"i" * 8 for part in parts)
    together = {k: v for part in parts for k, v in part.items.items()}  # type: ignore[union-attr]
    assert together == told
    assert len(message(HELLO, codec.hello_body(told), 222)) == 1


def test_hello_raw_and_events_come_back() -> None:
    (hello,) = message(HELLO, codec.hello_body({0: "0.1.0", 1: 3, 2: [0, 1], 3: 7}), 51)
    said = decoder.decode(hello, lambda _: None)
    assert said == decoder.Hello({0: "0.1.0", 1: 3, 2: [0, 1], 3: 7})
    (raw,) = message(RAW, codec.raw_body(1, 0, 2, NOW, 62.5, b"\0\0\x80?"), 51)
    assert decoder.decode(raw, lambda _: None) == decoder.Raw(1, 0, 2, NOW, 62.5, b"\0\0\x80?")
    (event,) = message(EVENT, codec.event_body(1, None, 10, [4, -3]), 51)
    assert decoder.decode(event, lambda _: None) == decoder.Event(
        1, NOW % 65_536, None, 10, (4, -3)
    )


@pytest.mark.parametrize(
    "frame", ["", "80", "8101", "82 20 00", "82 01 1a 00 01 00 00", "82 01 20"]
)
def test_what_is_no_downlink_is_refused(frame: str) -> None:
    with pytest.raises(CodecError):
        decoder.parse_downlink(bytes.fromhex(frame))


def test_json_rows_name_values_and_reasons() -> None:
    rows: list[list[Cell]] = [ROW, [Missing.FAILED, Missing.ABOVE, Missing.BELOW, *ROW[3:]]]
    encoded = codec.frame(batch(SCHOOL, rows), 222, VirtualClock(NOW))
    old, new = decoder.json_rows(read(encoded, SCHOOL)[0], SCHOOL, NOW + 1.0)
    assert (new["time"], new["temp"], new["pm25"]) == ("2026-01-05T09:41:00Z", 21.45, 6.3)
    assert old["reason"] == {"temp": "failed", "hum": "high", "pres": "low"}
    assert old["temp"] is None
    assert decoder.iso(2**60) is None


def test_cells_come_back_from_the_store() -> None:
    cells: list[Cell] = [1, -5, *Missing]
    assert codec.bytes_to_cells(codec.cells_to_bytes(cells)) == cells
    with pytest.raises(CodecError, match="no cell"):
        codec.bytes_to_cells(b"\x81\x61a")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 20])
def test_an_empty_column_is_left_out_only_where_that_is_shorter(rows: int, packed: bool) -> None:
    flat = [1, 2, None] * rows
    columns, _ = without_empty(flat, 3, packed=packed)
    written = rows * (18 if packed else 8) // 8
    assert columns == ([0, 1, 2] if written < 1 else [0, 1])
    far = [*range(30), None] * rows  # a mask of five bytes
    columns, _ = without_empty(far, 31, packed=packed)
    assert (len(columns) == 30) == (written >= 5)
