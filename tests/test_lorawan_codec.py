"""The network server's codec says what agent.codec.decoder says, in every engine."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from agent import codec
from agent.clock import VirtualClock
from agent.codec import Style, decoder
from agent.model.schema import Cell, Field, Missing, Schema, registered, registered_schemas
from hw.lorawan import expected, generate, tables, vectors
from hw.lorawan.vectors import NEWEST, RECEIVED
from tests.codec_kit import CODEC, Engine, Node, QuickJS, same
from tests.conftest import MONDAY
from tests.fuzz.frames import DOWNLINKS, damaged, valid_frames
from tests.rig import make_rig

UPLINKS = vectors.uplinks()
DOWN = vectors.downlinks()
HERE = Path(generate.__file__).parent
MOST_BYTES = 40_960  #: of a script in The Things Stack
ENGINES = ("quickjs strict", "quickjs sloppy", "node strict", "node sloppy")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    name, mode = request.param.split()
    if name == "quickjs":
        return QuickJS(strict=mode == "strict")
    if shutil.which("node") is None:
        pytest.skip("no node here")
    return Node(tmp_path_factory.mktemp("codec"), strict=mode == "strict")


@pytest.fixture(scope="module")
def quick() -> QuickJS:
    return QuickJS(strict=True)


def uplink_input(frame: bytes, received: float = RECEIVED) -> dict[str, Any]:
    return {"bytes": list(frame), "fPort": 10, "recvTime": received * 1000}


def compare(engine: Engine, frames: Sequence[bytes], received: float = RECEIVED) -> list[Any]:
    """What the codec says of the frames, which is what Python says of them."""
    answers = engine.answers("decodeUplink", [uplink_input(one, received) for one in frames])
    for frame, said in zip(frames, answers, strict=True):
        wanted = expected.uplink(frame, received)
        assert same(said, wanted), f"{frame.hex(' ')}\n{said}\n{wanted}"
    return answers


# -- frames --------------------------------------------------------------------------------------


def test_every_vector_is_decoded_as_python_does(engine: Engine) -> None:
    said = compare(engine, [one.frame for one in UPLINKS])
    kinds = {one["data"]["kind"] for one in said}
    assert kinds == {"data", "event", "schema", "ack", "hello", "raw", "withdrawn", "unknown"}


def test_the_worked_frame_reads_as_a_person_expects(engine: Engine) -> None:
    frame = bytes.fromhex("84 01 19 86 85 01 4b 44 5b 92 28 bc 30 df 06 b0 2c 98")
    (said,) = engine.answers("decodeUplink", [uplink_input(frame)])
    values = {
        **{"temp": 21.45, "hum": 47.3, "pres": 101325, "co2": 812, "pm25": 6.3, "pm10": 10.4},
        **{"lux": 420, "noise": 51.2, "batt": 4.02},
    }
    assert said == {
        "data": {
            "kind": "data",
            "schema": 1,
            "profile": "school",
            "time": "2026-01-05T09:41:00Z",
            "time_from": "slot",
            "interval_s": 60,
            **values,
            "rows": [{"time": "2026-01-05T09:41:00Z", **values}],
        }
    }


def test_every_beginning_of_every_vector_is_decoded_or_refused_alike(engine: Engine) -> None:
    compare(engine, [one.frame[:end] for one in UPLINKS for end in range(len(one.frame))])


@pytest.mark.no_cover
def test_random_rows_are_decoded_alike(engine: Engine) -> None:
    random = Random(20260105)
    for _ in range(2):
        received = NEWEST + random.uniform(0, 3600)
        frames = [random_frame(random) for _ in range(300)]
        datas = [one["data"] for one in compare(engine, frames, received)]
        assert {one["time_from"] for one in datas} == {"slot", "age", "boot"}
        assert {one["profile"] for one in datas} == {"health", "school", None}


@pytest.mark.no_cover
def test_packed_bodies_cut_anywhere_keep_their_complete_rows(engine: Engine) -> None:
    random = Random(5)
    frames = []
    for _ in range(300):
        body = random.randbytes(random.randrange(1, 60)) + bytes(random.choice((0, 0, 3)))
        columns = random.randrange(512)
        items = [1, NEWEST // 60, 1, f"h'{body.hex()}'", *([columns] if columns else [])]
        frames.append(codec.frame_of(items))
    compare(engine, frames)


@pytest.mark.no_cover
def test_damaged_frames_are_refused_alike_and_never_raise(engine: Engine) -> None:
    random, valid = Random(7), [*valid_frames(), *(one.frame for one in UPLINKS)]
    said = compare(engine, [damaged(valid, random) for _ in range(2000)])
    refused = sum("errors" in one for one in said)
    assert 300 < refused < 1950


@pytest.mark.parametrize(
    "frame",
    [
        "81 24 fa 42 7a 00 00",  # 62.5 as float32: half would do
        "87 24 01 00 02 1a 69 5b 86 ac f9 53 d0 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fa 47 c3 50 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fb 3f b9 99 99 99 99 99 9a d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fb 3f b9 99 99 a0 00 00 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac f9 7c 00 d8 55 44 00 00 80 3f",  # infinity
        "87 24 01 00 02 1a 69 5b 86 ac fa 7f 80 00 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fa 33 80 00 00 d8 55 44 00 00 80 3f",  # half's least
        "87 24 01 00 02 1a 69 5b 86 ac fa 33 00 00 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fa 00 00 00 01 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fb 00 00 00 00 00 00 00 01 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fb 36 a0 00 00 00 00 00 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac fb 36 90 00 00 00 00 00 00 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac f9 7e 00 d8 55 44 00 00 80 3f",  # not a number
        "87 24 01 00 02 1a 69 5b 86 ac f9 7e 01 d8 55 44 00 00 80 3f",
        "87 24 01 00 02 1a 69 5b 86 ac f9 80 00 d8 55 44 00 00 80 3f",  # -0
        "82 23 a2 00 63 31 2e 30 01 03",  # hello
        "82 23 a2 01 03 00 63 31 2e 30",  # keys not in order
        "82 23 a2 00 01 00 01",  # twice the same
        "82 23 a1 18 2a a3 01 f7 61 61 44 01 02 03 04 80 f4",  # deeper, other types
        "82 23 a1 00 64 c3 a4 c3 9f",
        "82 23 a1 00 62 c0 80",  # no UTF-8: overlong
        "82 23 a1 00 63 ed a0 80",  # a surrogate
        "82 23 a1 00 64 f4 90 80 80",  # beyond Unicode
        "82 23 a1 00 61 ff",
        "87 21 18 32 01 02 01 85 18 67 29 00 18 1f 00",  # slices: no table so near
        "86 21 18 32 01 01 00 85 18 67 28 00 18 1f 00",  # 10^-9, order 31
        "86 21 18 32 01 01 00 85 18 67 29 00 18 1f 00",  # 10^-10
        "86 21 18 32 01 01 00 85 18 67 20 00 18 20 00",  # order 32
        "86 21 18 32 01 01 00 85 18 67 82 20 05 00 00 00",  # 0.5
        "86 21 18 32 01 01 00 85 18 67 82 20 0a 00 00 00",  # 10 is an exponent's
        "86 21 18 32 01 01 00 85 18 67 82 20 01 00 00 00",
        "86 21 18 32 01 01 01 85 18 67 20 00 00 00",  # beyond its total
        "86 21 18 32 01 01 00 87 18 67 20 00 00 00 61 61 61 62",
        "86 21 18 32 01 01 00 86 18 67 20 00 00 00 01",  # a name that is none
        "85 21 18 32 01 01 00",
        "82 23 a1 00 81 81 81 80",  # as deep as it may be
        "82 23 a1 00 81 81 81 81 80",
        "84 02 f9 3c 00 01 81 00",  # a time of 1.0
        "84 02 1b 00 20 00 00 00 00 00 00 01 81 00",
        "84 02 3b 00 00 00 01 00 00 00 00 01 81 00",
        "84 01 1a ff ff ff ff 18 f0 43 44 5b 92",
        "84 02 00 00 81 00",
        "84 02 00 18 f1 81 00",
        "84 02 00 38 3b 81 00",  # -60 s is written 1
        "85 01 00 01 43 44 5b 92 19 01 ff",  # omits every column
        "85 01 00 01 43 44 5b 92 19 02 00",
        "84 01 00 01 89 1a 7f ff ff ff 00 00 00 00 00 00 00 00",
        "84 01 00 01 89 1a 80 00 00 00 00 00 00 00 00 00 00 00",
        "84 02 18 17 01 81 00",  # 23 needs no second byte
        "84 02 00 39 38 3f 81 00",  # -14400 s
        "84 02 00 39 38 3e 81 00",
        "86 20 01 00 03 03 19 05 fe",  # fast change of CO2
        "86 20 01 00 00 03 18 64",  # and of the temperature
        "86 20 01 00 00 04 18 64",
        "86 20 01 00 09 01 18 64",  # no such column
        "86 20 01 00 00 0a 90" + 16 * "01",
        "86 20 01 00 00 0a 91" + 17 * "01",
        "86 20 01 00 00 0a 80",
        "85 20 01 00 00 18 63",  # no such code
        "84 01 82 03 18 2a 01 81 00",
        "84 02 82 03 18 2a 01 84 00 f6 f5 f7",
        "84 02 82 03 18 2a 01 9f 00 ff",
        "",
        "f6",
        "80",
        "60",
    ],
)
def test_corners_of_the_format(quick: QuickJS, frame: str) -> None:
    compare(quick, [bytes.fromhex(frame)])


def test_the_longest_packed_body(quick: QuickJS) -> None:
    compare(quick, [codec.frame_of([2, 0, 1, f"h'{bytes(n).hex()}'"]) for n in (4096, 4097)])


def test_a_short_slot_is_the_one_nearest_to_the_reception(quick: QuickJS) -> None:
    frame = vectors.frame_of(vectors.SCHOOL, registered(1))
    for days in (-22, -1, 0, 22, 23, 45, 46):
        compare(quick, [frame], RECEIVED + 86_400 * days)


def test_without_a_reception_time_the_servers_clock_counts(quick: QuickJS) -> None:
    quick.context.eval(f"Date.now = function () {{ return {RECEIVED * 1000}; }};")
    frame = vectors.frame_of(vectors.SCHOOL, registered(1))
    inputs = [{"bytes": list(frame), "fPort": 10}, uplink_input(frame)]
    bare, given = quick.answers("decodeUplink", inputs)
    assert bare == given


def test_a_reception_time_may_be_a_date_or_a_string(quick: QuickJS) -> None:
    frame = vectors.frame_of(vectors.SCHOOL, registered(1))
    text = uplink_input(frame) | {"recvTime": "2026-01-05T09:41:20Z"}
    said = quick.answers("decodeUplink", [text, uplink_input(frame)])
    assert said[0] == said[1]
    made = f"new Date({RECEIVED * 1000})"
    script = CODEC.read_text("utf-8")
    script += f"JSON.stringify(decodeUplink({{bytes: {list(frame)}, fPort: 10, recvTime: {made}}}))"
    assert json.loads(QuickJS(strict=False).context.eval(script)) == said[0]


@pytest.mark.parametrize("wrong", [{}, {"bytes": None}, {"bytes": "84"}, {"bytes": [-1, 999]}])
def test_a_wrong_input_is_an_error_not_an_exception(quick: QuickJS, wrong: dict[str, Any]) -> None:
    for name in ("decodeUplink", "decodeDownlink", "encodeDownlink"):
        (said,) = quick.answers(name, [wrong])
        assert said["errors"]


# -- downlinks -----------------------------------------------------------------------------------


def test_json_becomes_the_downlink_that_python_makes(engine: Engine) -> None:
    made = engine.answers("encodeDownlink", [{"data": data} for _, data, _ in DOWN])
    assert made == [{"fPort": 20, "bytes": list(frame)} for _, _, frame in DOWN]


def test_the_downlink_decoder_mirrors_the_encoder(engine: Engine) -> None:
    frames = [frame for _, _, frame in DOWN] + DOWNLINKS
    said = engine.answers("decodeDownlink", [{"bytes": list(one), "fPort": 20} for one in frames])
    assert all(map(same, said, [{"data": expected.downlink(one)} for one in frames]))
    again = engine.answers("encodeDownlink", said)
    assert [bytes(one["bytes"]) for one in again] == frames


@pytest.mark.no_cover
def test_random_downlinks_survive_both_ways(engine: Engine) -> None:
    random = Random(11)
    datas = [random_downlink(random) for _ in range(2000)]
    made = engine.answers("encodeDownlink", [{"data": data} for data in datas])
    frames = [bytes(one["bytes"]) for one in made]
    assert [expected.downlink(one) for one in frames] == datas
    back = engine.answers("decodeDownlink", [{"bytes": list(one)} for one in frames])
    assert back == [{"data": data} for data in datas]


@pytest.mark.no_cover
def test_damaged_downlinks_are_never_taken_for_other_ones(engine: Engine) -> None:
    random = Random(13)
    frames = [damaged(DOWNLINKS, random) for _ in range(4000)]
    said = engine.answers("decodeDownlink", [{"bytes": list(one)} for one in frames])
    good = [pair for pair in zip(frames, said, strict=True) if "errors" not in pair[1]]
    for frame, told in good:
        assert same(told, {"data": expected.downlink(frame)}), frame.hex()
    assert 100 < len(good) < 3000


def test_the_node_carries_out_what_the_encoder_made(quick: QuickJS, tmp_path: Path) -> None:
    rig = make_rig(tmp_path, VirtualClock(MONDAY))
    ours = [data for _, data, _ in DOWN if data.get("schema", 1) == 1 and "slot" not in data]
    made = quick.answers("encodeDownlink", [{"data": data} for data in ours])
    rig.run(1)
    rig.link.inbox += [bytes(one["bytes"]) for one in made]
    rig.run(30)
    acks = {one.token: one.result for one in rig.link.far.others if isinstance(one, decoder.Ack)}
    rig.node.close()
    assert acks == {data["token"]: 0 for data in ours}


def test_a_downlink_without_a_token_gets_one_from_the_clock(quick: QuickJS) -> None:
    quick.context.eval(f"Date.now = function () {{ return {NEWEST * 1000}; }};")
    (made,) = quick.answers("encodeDownlink", [{"data": {"command": "hello"}}])
    assert decoder.parse_downlink(bytes(made["bytes"])) == decoder.Downlink(5, NEWEST % 65_536, ())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({}, "interval, threshold, schema, resend, hello, restart, body"),
        ({"command": "toString"}, "command is one of"),
        ({"command": "hello", "token": 65_536}, "token"),
        ({"command": "hello", "token": "7"}, "token"),
        ({"command": "interval", "schema": 1, "interval_s": 0, "rows": 5}, "interval_s"),
        ({"command": "interval", "schema": 1, "interval_s": 3601, "rows": 5}, "multiple of 60"),
        ({"command": "interval", "schema": 1, "interval_s": 60, "rows": 1001}, "rows"),
        ({"command": "interval", "schema": 1, "interval_s": 60}, "rows"),
        ({"command": "interval", "interval_s": 60, "rows": 5}, "schema"),
        ({"command": "threshold", "schema": 1, "field": "co2"}, "above, below"),
        ({"command": "threshold", "schema": 1, "field": "co2", "above": 1, "below": 0}, "one of"),
        ({"command": "threshold", "schema": 1, "field": "co2", "above": "1500"}, "above"),
        ({"command": "threshold", "schema": 1, "field": "strain", "above": 1}, "strain"),
        ({"command": "threshold", "schema": 9, "field": "temp", "above": 1}, "above_raw"),
        ({"command": "threshold", "schema": 9, "column": 2, "above_raw": 2**31}, "limit"),
        ({"command": "threshold", "schema": 9, "column": 2, "above_raw": 0.5}, "limit"),
        ({"command": "resend", "schema": 1, "interval_s": 60, "from": "noon", "count": 1}, "from"),
        ({"command": "resend", "schema": 1, "interval_s": 60, "count": 1}, "slot"),
        ({"command": "body", "body": 1}, "plain or packed"),
    ],
)
def test_a_wrong_downlink_is_refused_with_what_is_wrong(
    quick: QuickJS, data: dict[str, Any], word: str
) -> None:
    (said,) = quick.answers("encodeDownlink", [{"data": data}])
    assert word in said["errors"][0]


# -- the common shape of The Things Stack --------------------------------------------------------


def test_the_air_of_the_class_room_is_normalized(engine: Engine) -> None:
    datas = [expected.uplink(one.frame, RECEIVED)["data"] for one in UPLINKS]
    made = engine.answers("normalizeUplink", [{"data": data} for data in datas])
    wanted = [{"data": expected.normalized(data)} for data in datas]
    assert all(map(same, made, wanted))
    assert made[0]["data"][2] == {
        "time": "2026-01-05T09:41:00Z",
        "air": {
            "temperature": 21.45,
            "relativeHumidity": 47.3,
            "pressure": 1013.25,
            "co2": 812,
            "lightIntensity": 420,
        },
    }


def test_what_the_normalized_payload_does_not_allow_is_left_out(quick: QuickJS) -> None:
    row = {"time": None, "temp": -274, "hum": 100.1, "pres": 89_999, "co2": None, "lux": 0}
    data = {"kind": "data", "schema": 1, "rows": [row, {"time": None, "co2": None}]}
    (made,) = quick.answers("normalizeUplink", [{"data": data}])
    assert made == {"data": [{"air": {"lightIntensity": 0}}]}


# -- the script itself ---------------------------------------------------------------------------


def test_the_script_is_small_enough() -> None:
    assert len(CODEC.read_bytes()) <= MOST_BYTES


def test_the_script_is_es5_and_touches_nothing_a_server_lacks() -> None:
    text = CODEC.read_text("ascii")
    code = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', re.sub(r"//[^\n]*", "", text))
    newer = r"\b(let|const|class|import|export|async|await|yield|of)\b"
    newer += r"|,\s*\)|=>|`|\.\.\.|\?\?|\?\.|\*\*"
    absent = r"\b(require|console|Buffer|main|TextDecoder|atob|setTimeout|escape|Uint8Array|eval)\b"
    assert re.findall(newer, code) == []
    assert re.findall(absent, code) == []


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node_takes_the_script(tmp_path: Path) -> None:
    for name, head in (("sloppy.js", ""), ("strict.js", '"use strict";\n'), ("module.mjs", "")):
        path = tmp_path / name
        path.write_text(head + CODEC.read_text("ascii"), "ascii")
        subprocess.run(["node", "--check", path], check=True, timeout=60)


def test_the_script_stands_beside_the_wrappers_of_both_servers() -> None:
    script = CODEC.read_text("ascii")
    things = "function main(input) { const { data } = input; return normalizeUplink({ data }); }"
    said = QuickJS(strict=False).context.eval(
        f'{script}\n{things}\nJSON.stringify(main({{ data: {{ kind: "ack" }} }}))'
    )
    assert json.loads(said) == {"data": []}
    QuickJS(strict=True).context.module(f"class Buffer {{}}\n{script}")


# -- the page ------------------------------------------------------------------------------------


def blocks() -> list[dict[str, Any]]:
    """What stands in README.md as JSON."""
    page = (HERE / "README.md").read_text("utf-8")
    return [json.loads(one) for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def test_the_pages_example_is_what_comes_out(quick: QuickJS) -> None:
    failed: list[list[Cell]] = [[*row] for row in vectors.SCHOOL[:2]]
    failed[0][4] = Missing.FAILED
    (said,) = compare(quick, [vectors.frame_of(failed, registered(1))])
    assert [one for one in blocks() if "kind" in one] == [said["data"]]


def test_the_pages_downlinks_are_taken_and_mirrored(quick: QuickJS) -> None:
    given = [one for one in blocks() if "command" in one]
    assert {one["command"] for one in given} == {data["command"] for _, data, _ in DOWN}
    made = quick.answers("encodeDownlink", [{"data": one} for one in given])
    assert quick.answers("decodeDownlink", made) == [{"data": one} for one in given]


# -- generated files -----------------------------------------------------------------------------


def test_the_generator_has_nothing_to_change() -> None:
    stale = [
        path.relative_to(HERE).as_posix()
        for path, text in generate.files().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    assert stale == [], "run: python -m hw.lorawan.generate"


def test_the_trees_hold_nothing_else() -> None:
    trees = [*(HERE / "chirpstack").rglob("*"), *(HERE / "things-stack").rglob("*")]
    assert {path for path in trees if path.is_file()} < set(generate.files())


def test_generating_twice_writes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("stadtsinn.js", "README.md"):
        shutil.copy(HERE / name, tmp_path / name)
    monkeypatch.setattr(generate, "HERE", tmp_path)
    generate.main()
    assert "chirpstack/vendors/stadtsinn/vendor.toml" in capsys.readouterr().out
    generate.main()
    assert capsys.readouterr().out == ""


def test_a_file_without_its_marks_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stadtsinn.js").write_text("var SCHEMAS = {};\n")
    monkeypatch.setattr(generate, "HERE", tmp_path)
    with pytest.raises(ValueError, match=r"stadtsinn\.js: .* 0 times"):
        generate.files()


def test_a_column_must_not_hide_what_the_codec_says_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = Field(103, 0, 1, 0, 0, 0, "time", "Cel")
    monkeypatch.setattr(tables, "registered_schemas", lambda: {1: Schema(1, [field])})
    with pytest.raises(ValueError, match="'time'"):
        tables.script()


def in_order(items: Sequence[Any]) -> list[str]:
    """As ChirpStack compares: JSON.stringify of both, so that the order of keys counts."""
    return [json.dumps(one) for one in items]


def test_chirpstacks_test_files_pass_and_its_tables_name_each_other(engine: Engine) -> None:
    vendor = HERE / generate.CHIRPSTACK
    decode = json.loads((vendor / "codecs/test_decode_stadtsinn.json").read_text("utf-8"))
    said = engine.answers("decodeUplink", [one["input"] for one in decode])
    assert in_order(said) == in_order([one["expected"] for one in decode])
    encode = json.loads((vendor / "codecs/test_encode_stadtsinn.json").read_text("utf-8"))
    made = engine.answers("encodeDownlink", [one["input"] for one in encode])
    assert in_order(made) == in_order([one["expected"] for one in encode])
    device = tomllib.loads((vendor / "devices/stadtsinn-node.toml").read_text("utf-8"))["device"]
    (firmware,) = device["firmware"]
    assert (vendor / "codecs" / firmware["codec"]).exists()
    (name,) = firmware["profiles"]
    profile = tomllib.loads((vendor / "profiles" / name).read_text("utf-8"))["profile"]
    assert (profile["region"], profile["mac_version"], profile["supports_otaa"]) == (
        *("EU868", "1.0.4", True),
    )


@pytest.mark.no_cover
def test_the_things_stacks_examples_pass_and_its_files_name_each_other(engine: Engine) -> None:
    place = HERE / generate.THINGS / "stadtsinn"
    node = yaml.safe_load((place / "node.yaml").read_text("utf-8"))
    profile = node["firmwareVersions"][0]["profiles"]["EU863-870"]
    assert yaml.safe_load((place / f"{profile['id']}.yaml").read_text("utf-8"))["supportsJoin"]
    parts = yaml.safe_load((place / f"{profile['codec']}.yaml").read_text("utf-8"))
    calls = {"uplinkDecoder": "decodeUplink", "downlinkEncoder": "encodeDownlink"}
    for part, name in {**calls, "downlinkDecoder": "decodeDownlink"}.items():
        assert (place / parts[part]["fileName"]).exists()
        examples = parts[part]["examples"]
        said = engine.answers(name, [one["input"] for one in examples])
        assert said == [one["output"] for one in examples]
    common = [one for one in parts["uplinkDecoder"]["examples"] if "normalizedOutput" in one]
    made = engine.answers("normalizeUplink", [one["output"] for one in common])
    assert made == [one["normalizedOutput"] for one in common]
    assert len(common) > 3


# -- random material -----------------------------------------------------------------------------


def random_frame(random: Random) -> bytes:
    """Rows of any known table (or a private one) as the agent would send them."""
    schema = random.choice([*registered_schemas().values(), vectors.private_schema()])
    style = Style(
        whole_slots=random.random() < 0.4,
        ticks_always=random.random() < 0.4,
        fixed_length=random.random() < 0.2,
    )
    return vectors.frame_of(
        list(random_rows(random, schema)),
        schema,
        packed=random.random() < 0.6,
        style=style,
        dated=random.random() < 0.7,
        step_s=random.choice((1, 7, 15, 60, 600, 3600, 14_400)),
        limit=random.choice((51, 115, 222)),
    )


def random_rows(random: Random, schema: Schema) -> Iterator[list[Cell]]:
    """Rows that wander from the nominal values; columns may be absent, cells missing."""
    absent = [random.random() < 0.15 for _ in schema.fields]
    absent[random.randrange(len(absent))] = False
    last = [field.nominal + jump(random) for field in schema.fields]
    for _ in range(random.randrange(1, 9)):
        last = [raw + jump(random) for raw in last]
        cells: list[Cell] = [
            random.choice(list(Missing)) if random.random() < 0.06 else raw for raw in last
        ]
        yield [Missing.NOT_AVAILABLE if a else c for a, c in zip(absent, cells, strict=True)]


def jump(random: Random) -> int:
    """Mostly small, now and then large, seldom huge."""
    widest = random.choice((3, 3, 3, 50, 50, 2000, 100_000))
    return random.randint(-widest, widest)


def random_downlink(random: Random) -> dict[str, Any]:
    """A downlink in the form that the decoder gives it."""
    field = random.choice(registered(1).fields)
    slot = random.randint(65_536, 2**31)
    limit = random.choice((None, random.randint(1 - 2**31, 2**31 - 1)))
    value = None if limit is None else field.value(limit)
    side = random.choice(("above", "below"))
    seconds = random.choice((1, 59, 60, 61, 3599, 3600, 3660, 14_400))
    schema = random.choice((0, 1, 255, 65_535))
    private = {"schema": 65_535, "column": random.randrange(300), f"{side}_raw": limit}
    again = {"schema": schema, "interval_s": seconds}
    start: dict[str, object] = {"from": expected.iso(slot * seconds)}
    if start["from"] is None or random.random() < 0.3:
        start = {"slot": random.randrange(65_536)}
    data: dict[str, Any] = random.choice(
        [
            {"command": "interval", **again, "rows": random.randint(1, 1000)},
            {"command": "threshold", "schema": 1, "field": field.name, side: value},
            {"command": "threshold", **private},
            {"command": "schema", "schema": schema},
            {"command": "resend", **again, **start, "count": random.randint(1, 2**24)},
            {"command": "hello"},
            {"command": "restart"},
            {"command": "body", "body": random.choice(("plain", "packed"))},
        ]
    )
    return {"command": data["command"], "token": random.randrange(65_536), **data}
