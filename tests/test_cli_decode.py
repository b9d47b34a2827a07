"""`stadtsinn decode`: frames in words, both directions, and what it says to bad input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent import codec
from agent.cli.decode import LONGEST, decode
from agent.codec import explain
from agent.model.schema import field_for, registered_schemas
from tests.fuzz.frames import DOWNLINKS, valid_frames

SCHOOL = "84 01 19 86 85 01 4b 44 5b 92 28 bc 30 df 06 b0 2c 98"
WHEN = ["--received", "1767606080"]


def told(*arguments: str, piped: bytes | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(decode, [*arguments], input=piped)


def test_a_packed_frame_is_told_item_by_item() -> None:
    said = told(*WHEN, *SCHOOL.split()).output
    assert "slot 34437 (mod 65536), 2026-01-05T09:41:00Z" in said
    assert "temp 21.45 Cel" in said


def test_bits_show_every_code() -> None:
    said = told(*WHEN, "--bits", SCHOOL).output
    assert "01000100010      temp: order 8: +145 on 2000 = 21.45 Cel" in said
    assert "  0                padding" in said


def test_hex_and_binary_can_be_piped() -> None:
    typed = told(*WHEN, SCHOOL).output
    assert told(*WHEN, piped=SCHOOL.encode()).output == typed
    assert told(*WHEN, piped=bytes.fromhex(SCHOOL)).output == typed


def test_json_has_the_rows() -> None:
    said = json.loads(told(*WHEN, "--json", SCHOOL).output)
    assert said["rows"][0]["time"] == "2026-01-05T09:41:00Z"
    event = json.loads(told("--json", "86200119874d03011905fe").output)
    assert event == {"kind": "event", "items": [-1, 1, 34637, 3, 1, 1534]}
    assert json.loads(told("--json", "84190190000141ff").output)["known"] is False


@pytest.mark.parametrize("made", valid_frames()[::5] + valid_frames()[-18:], ids=bytes.hex)
def test_every_kind_of_frame_is_told_and_made_again_from_json(made: bytes) -> None:
    for bits in (False, True):
        lines = explain.explain(made, registered_schemas().get, 1.7676e9, bits=bits)
        assert lines[0][1].startswith("array of")
        explain.explain(made, lambda _: None, 1.7676e9, bits=bits)
    items = json.dumps(codec.items_of(made))
    if made[1] != 0x24:  # a typed array has no JSON
        assert bytes.fromhex(told("--encode", items).output) == made


def test_a_private_schema_comes_from_a_file(tmp_path: Path) -> None:
    fields = [field_for("tilt_x", "tilt", 0.001)]
    file = tmp_path / "400"
    file.write_bytes(codec.frame_of([-2, 400, 1, 1, 0, *(f.wire() for f in fields)]))
    assert "tilt_x: 0.012 deg" in told("--schema", str(file), "84 19 01 90 00 01 81 0c").output
    file.write_bytes(codec.frame_of([-2, 400, 2, 1, 0, *(f.wire() for f in fields)]))
    assert "no whole schema" in told("--schema", str(file), SCHOOL).output  # of a later version
    file.write_bytes(bytes.fromhex("83 22 18 2a 00"))
    assert "no whole schema" in told("--schema", str(file), SCHOOL).output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--received", "nan", "8401"], 2),
        (["--schema", "/dev/null", "8401"], 1),
        (["8401"], 1),
        (["zz"], 2),
        (["--encode", "[1"], 1),
        (["--encode", "[1,2]"], 1),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], code: int) -> None:
    result = told(*arguments)
    assert result.exit_code == code
    assert result.output.startswith("stadtsinn: ")
    assert result.output.count("\n") == 1


def test_a_later_kind_is_kept_unread() -> None:
    assert "unknown, a later version" in told("82 26 01").output


def test_an_events_value_is_told_in_units_where_its_column_is_known() -> None:
    # 1534 ppm above; a level of 1 ppm steps that moved by -20; a vehicle
    words = told("86 20 01 19 87 4d 03 01 19 05 fe").output
    assert "code: 1, above" in words
    assert "column: 3, co2" in words
    assert "value: 1534 = 1534 [ppm]" in words
    assert "code: 3, fast change" in told("86 20 01 19 87 4d 03 03 33").output
    vehicle = "86 20 01 19 87 4d 00 0a 84 19 01 90 19 02 30 19 05 f1 03"
    assert "peak 4 Cel, duration 5.6 s, area 15.21 Cel s, class 3" in told(vehicle).output
    unknown = told(vehicle.replace("20 01", "20 18 2a")).output
    assert "schema: 42, not known here" in unknown
    assert "peak 400 steps, duration 5.6 s" in unknown


def test_an_event_of_the_node_has_no_column() -> None:
    words = told("86 20 00 19 87 4d f6 08 05").output
    assert "column: none" in words
    assert "code: 8, data lost" in words
    assert "value: 5" in words


def test_a_raw_chunk_is_told_without_its_samples() -> None:
    frame = codec.frame_of([-5, 12, 1, 3, 1767600000, 62.5]).hex()
    frame = "87" + frame[2:] + "d8 55 48 00 00 80 3f 00 00 00 40"
    words = told(frame).output
    assert "raw chunk" in words
    assert "record: 12" in words
    assert "chunks: 3 in all" in words
    assert "start: 2026-01-05T08:00:00Z" in words
    assert "samples: 2 numbers, float32" in words


@pytest.mark.parametrize("made", DOWNLINKS, ids=bytes.hex)
def test_a_downlink_is_recognised_told_and_made_again_from_json(made: bytes) -> None:
    said = told(*WHEN, made.hex())
    assert said.exit_code == 0
    assert ": downlink" in said.output
    assert f"command: {made[1]}, " in said.output
    assert "refused" not in said.output
    told_as = json.loads(told("--json", made.hex()).output)
    assert (told_as["kind"], told_as["command"]) == ("downlink", made[1])
    assert bytes.fromhex(told("--encode", json.dumps(told_as["items"])).output) == made


@pytest.mark.parametrize("made", valid_frames(), ids=bytes.hex)
def test_no_frame_of_a_node_is_taken_for_a_downlink(made: bytes) -> None:
    assert not explain.is_downlink(made)


def test_a_downlink_is_told_in_units_and_words() -> None:
    threshold = told("86 02 18 2c 01 03 01 19 05 dc").output
    assert "command: 2, alarm threshold" in threshold
    assert "column: 3, co2" in threshold
    assert "side: 1, above" in threshold
    assert "limit: 1500 = 1500 [ppm]" in threshold
    assert "switched off" in told("86 02 18 2e 01 03 01 f6").output
    resend = told(*WHEN, "86 04 18 32 01 01 19 86 85 0a").output
    assert "interval: 1 minute" in resend
    assert "oldest row: slot 34437 (mod 65536), 2026-01-05T09:41:00Z" in resend
    assert "count: 10" in resend
    assert "interval: 15 seconds" in told("85 01 18 2b 01 2e 04").output
    assert "form: 0, plain" in told("83 08 18 34 00").output


def test_a_downlink_that_a_node_would_refuse_says_so() -> None:
    assert "unknown, answered with result 1" in told("--downlink", "82 09 01").output
    assert "missing: rows" in told("--downlink", "84 01 01 01 01").output
    assert "one item too many: 3" in told("--downlink", "83 05 01 03").output
    assert "form: 2, refused with result 2" in told("83 08 01 02").output
    assert "interval: 0, refused with result 2" in told("85 01 01 01 00 05").output
    assert "is no number: refused" in told("83 08 01 f5").output
    assert told("--downlink", "82 20 01").exit_code == 1


def test_what_others_wrote_reaches_no_terminal_as_a_command() -> None:
    hello = codec.frame_of([-4, {"0": "\x1b[2J\x07\u202e\x7f"}]).hex()
    for said in (told(hello), told("--json", hello)):
        assert said.exit_code == 0
        assert all(one.isprintable() for one in said.output.replace("\n", ""))
    assert json.loads(told("--json", hello).output)["items"][1]["0"] == "\x1b[2J\x07\u202e\x7f"
    name = codec.frame_of([-2, 400, 1, 1, 0, [103, 0, 0, 0, 0, "a\x1b[31m"]]).hex()
    assert "a\\x1b[31m" in told(name).output


@pytest.mark.parametrize("hexed", [False, True])
def test_more_than_a_frame_can_be_is_not_explained_unasked(hexed: bool) -> None:
    long = b"\x82\x28\x5a" + LONGEST.to_bytes(4, "big") + bytes(LONGEST)
    refused = told(piped=long.hex(" ").encode() if hexed else long)
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert told("--force", piped=long).exit_code == 0


def test_every_item_of_a_frame_of_a_later_version_is_shown() -> None:
    lines = explain.explain(codec.cbor.dump([-30, 5, 6]), lambda _: None, None)
    assert [words for _, words in lines][1:] == ["-30: unknown, a later version", "5", "6"]
