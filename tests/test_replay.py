"""Recordings as people have them: what is read, what is said, what is left out."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clock import VirtualClock
from agent.codec.messages import SENSOR_FAILED
from agent.demo import prepare, recording
from agent.demo.recording.cells import number
from agent.demo.recording.found import Recording
from agent.demo.recording.headings import conversion, understood
from agent.plan import optional
from agent.plan.optional import MissingExtra
from agent.resources import resource
from drivers.sim.replay import Replay, ReplayError, Track
from tests.rig import make_rig
from tests.test_cli import SCHOOL, run

MORNING = 1_768_200_600.0
T, RH, CO2, PA = "room.temperature", "room.relative_humidity", "room.co2", "room.pressure"
GONE = None


def read(
    tmp_path: Path, content: str | bytes, **asked: tuple[str, float]
) -> tuple[Recording, Replay]:
    path = tmp_path / "rec.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ranges = {T: (-40.0, 125.0), CO2: (1.0, 40_000.0)}
    return recording.read(path, asked, tmp_path, start=MORNING, interval_s=60.0, ranges=ranges)


def values(replay: Replay, channel: str) -> list[float | None]:
    """Slot by slot, None where nothing was recorded."""
    slots = round((replay.end - replay.start) / replay.interval_s)
    times = [replay.start + n * replay.interval_s for n in range(slots)]
    return [
        round(replay.truth(channel, at), 6) if replay.recorded(channel, at) else None
        for at in times
    ]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# -- kinds of files ------------------------------------------------------------------------------

WEATHER = (
    "time;Barometer;Temp ;High Temp ;Hum\n"
    "02/08/2022   15:30;1015,0;28,9;29,2;43,0\n02/08/2022   15:45;1015,1;28,8;29,0;43,5\n"
)
ARCHIVE = (
    "sensor_id;sensor_type;lat;timestamp;P1;durP1;P2\n"
    "12;SDS011;48.79;2026-01-12T07:00:22;12.93;;6.57\n"
    "12;SDS011;48.79;2026-01-12T07:02:49;nan;;6.60\n"
    "12;SDS011;48.79;2026-01-12T07:05:16;13.17;;unavailable\n"
)
ANNOTATED = (
    "#group,false,false,true,false,false,true\n"
    "#datatype,string,long,dateTime,dateTime,double,string\n"
    "#default,_result,,,,,\n,result,table,_start,_time,_value,_field\n"
    ",,0,2026-01-12T07:00:00Z,2026-01-12T07:00:00Z,621,co2\n"
    ",,0,2026-01-12T07:00:00Z,2026-01-12T07:01:00Z,640,co2\n"
    ",,1,2026-01-12T07:00:00Z,2026-01-12T07:00:00Z,20.5,temperature\n"
)
LOGGER = (
    '"TOA5","CR1000","station"\n"TIMESTAMP","RECORD","AirTemp","RH","BP"\n'
    '"TS","RN","Deg C","%","hPa"\n'
    '"2026-01-12 07:00:00",1,20.5,40,1013.2\n"2026-01-12 07:10:00",2,"NAN",41,1013.3\n'
)
KINDS = [
    (WEATHER, {T: [28.9, 28.8], RH: [43.0, 43.5], PA: [101_500.0, 101_510.0]}),
    (ARCHIVE, {"room.pm10": [12.93, GONE, 13.17], "room.pm2_5": [6.57, 6.6, GONE]}),
    (ANNOTATED, {CO2: [621.0, 640.0], T: [20.5, GONE]}),
    (LOGGER, {T: [20.5, GONE], RH: [40.0, 41.0], PA: [101_320.0, 101_330.0]}),
    ('sep=;\n"Time";"CO2"\n2026-01-12 07:00:00;621\n', {CO2: [621.0]}),
    ("CO2,temp\n621,1970\nNaN,1980\ninf,1990\n1e400,1990\n-999,-12700\n65535,8500\n",
     {CO2: [621.0, *[GONE] * 5], T: [19.7, 19.8, 19.9, 19.9, GONE, 85.0]}),
    ("CO2,temp\n621,1970\n622\n623,1980,77\n\n624,1990\n",
     {CO2: [621.0, 622.0, 623.0, 624.0], T: [19.7, GONE, 19.8, 19.9]}),
    ("CO2,temp\n621,1970\n\0\0\0\0\n622,1980\n", {CO2: [621.0, 622.0]}),
    ("date\ttime\ttemp (°F)\n12.01.2026\t07:00\t68\n12.01.2026\t07:01\t50,0\n", {T: [20.0, 10.0]}),
    ("Datum|Uhrzeit|Raumtemperatur\n12.01.26|7:00|21,3 °C\n12.01.26|7:01|--\n12.01.26|7:02|20 °C\n",
     {T: [21.3, GONE, 20.0]}),
    ("date        time      temp   hum\n2026-01-12  07:00:00  21.5   40.5\n"
     "2026-01-12  07:01:00  -      41.5\n", {T: [21.5, GONE], RH: [40.5, 41.5]}),
    ("Timestamp,Temperature_Celsius,Relative_Humidity(%),PM2.5 [µg/m³]\n"
     "1/12/2026 7:00 AM,21.5,40,8\n1/12/2026 7:01 AM,21.6,n/a,9\n",
     {T: [21.5, 21.6], RH: [40.0, GONE], "room.pm2_5": [8.0, 9.0]}),
    ("ts,co2\n1768200600000,600\n1768200660000,610\n1768200780000,630\n",
     {CO2: [600.0, 610.0, GONE, 630.0]}),
    ("# time, co2\n2026-01-12T07:00:00+01:00, 600\n2026-01-12T07:01:00+01:00, 610\n",
     {CO2: [600.0, 610.0]}),
    ('time,"pressure [mbar]"\n2026-01-12 07:01,"1,013.2"\n2026-01-12 07:00,"1,012.2"\n',
     {PA: [101_220.0, 101_320.0]}),
    ("\nStation: Hof\nSerial: 7\ntime,co2\n2026-01-12 07:00,600\n2026-01-12 07:01,610\n",
     {CO2: [600.0, 610.0]}),
]  # fmt: skip


@pytest.mark.parametrize(("content", "wanted"), KINDS)
def test_tables_as_people_have_them_are_read(
    content: str, wanted: dict[str, list[float | None]], tmp_path: Path
) -> None:
    _, replay = read(tmp_path, content)
    assert {channel: values(replay, channel) for channel in wanted} == wanted


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_do_not_matter(encoding: str, end: str, tmp_path: Path) -> None:
    text = "Zeit;Temperatur °C;Feuchte %\n12.01.2026 07:00;19,7;35,9\n12.01.2026 07:01;19,8;35,8\n"
    _, replay = read(tmp_path, text.replace("\n", end).encode(encoding))
    assert (values(replay, T), values(replay, RH)) == ([19.7, 19.8], [35.9, 35.8])


def test_a_history_of_changes_holds_each_state_until_the_next(tmp_path: Path) -> None:
    made, replay = read(
        tmp_path,
        "entity_id,state,last_changed\n"
        "sensor.co2,unavailable,2024-05-05T21:59:30.000Z\nsensor.co2,621,2024-05-05T22:00:00.000Z\n"
        "sensor.co2,unavailable,2024-05-05T22:51:14.066Z\nsensor.co2,unknown,2024-05-05T22:58:07Z\n"
        "sensor.co2,640,2024-05-05T23:06:18.727Z\nsensor.door,on,2024-05-05T23:06:19Z\n",
    )
    assert values(replay, CO2)[:67] == [621.0] * 51 + [GONE] * 15 + [640.0]
    assert "'sensor.door' (no quantity" in made.said


def test_a_gap_is_not_filled_and_is_said(tmp_path: Path) -> None:
    rows = [(n, 600 + n) for n in range(10) if n not in (4, 5, 6)]
    text = "".join(f"2026-01-12 07:{n:02}:00,{co2}\n" for n, co2 in rows)
    made, replay = read(tmp_path, "time,co2\n" + text)
    assert values(replay, CO2) == [600 + n if n not in (4, 5, 6) else GONE for n in range(10)]
    assert "1 gap in which nothing is measured" in made.said
    assert "usual step 60 s" in made.said


def test_steps_of_a_quarter_of_an_hour_become_the_nodes_steps(tmp_path: Path) -> None:
    made, replay = read(tmp_path, WEATHER)
    assert replay.interval_s == made.interval_s == 900
    assert "the node measures every 900 s" in made.said


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("falling", [False, True])
def test_the_hour_that_comes_twice_is_two_hours(falling: bool, tmp_path: Path) -> None:
    first = 1_792_882_800  # 2026-10-25 01:00 local, summer time
    stamps = [time.strftime("%d.%m.%Y %H:%M", time.localtime(first + 900 * n)) for n in range(16)]
    rows = [f"{stamp};{600 + n}" for n, stamp in enumerate(stamps)]
    lines = rows[::-1] if falling else rows
    made, replay = read(tmp_path, "Zeit;CO2\n" + "\n".join(lines))
    assert values(replay, CO2) == [600 + n for n in range(16)]
    assert replay.start == first
    assert "4 in the second of a repeated hour" in made.said


def test_a_repeated_heading_may_change_the_columns(tmp_path: Path) -> None:
    _, replay = read(
        tmp_path,
        "time,co2 [ppm]\n2026-01-12T07:00:00Z,600\n"
        "time,temp [°C],co2 [ppm]\n2026-01-12T07:01:00Z,21.5,610\n",
    )
    assert values(replay, CO2) == [600.0, 610.0]
    assert values(replay, T) == [GONE, 21.5]


# -- our own export ------------------------------------------------------------------------------


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("words", [[], ["--german"]])
def test_our_own_export_reads_back_across_october(words: list[str], tmp_path: Path) -> None:
    begin = 1_792_882_800.0 - 60
    rig = make_rig(tmp_path, VirtualClock(begin))
    rig.run(3 * 3600)
    kept = [row.start for _, row in rig.node.store.rows("air")]
    rig.node.close()
    target = tmp_path / "own.csv"
    (tmp_path / "node.toml").write_text(Path(SCHOOL).read_text())
    base = ["export", str(tmp_path / "node.toml"), "--store", str(tmp_path / "store.db")]
    assert run(*base, *words, "--output", str(target)).exit_code == 0
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert len(set(lines[1:])) == len(kept)  # no two alike, in the hour that comes twice either
    made, replay = recording.read(target, {}, tmp_path, start=MORNING, interval_s=60.0)
    assert (replay.start, replay.end) == (kept[0], (kept[-1] or 0) + 60)
    assert values(replay, T) == [21.0] * len(kept)
    assert values(replay, CO2) == [800.0] * len(kept)
    assert made.left_out["rows without a time"] == 0


@pytest.mark.parametrize(
    ("since", "hint"),
    [
        ("31.02.2026", "the month 02.2026 has 28 days"),
        ("2026-02-31", "the month 02.2026 has 28 days"),
        ("1.13.2026", "there is no month 13"),
        ("12.01.2026 25:00", "there is no time 25:00:00"),
        ("gestern", "expected a date such as 2026-01-12, 12.01.2026"),
    ],
)
def test_a_date_that_the_calendar_does_not_have_is_said(since: str, hint: str) -> None:
    done = run("export", SCHOOL, "--since", since)
    assert done.exit_code == 2
    assert hint in done.output


def test_german_and_iso_dates_choose_the_same_rows(tmp_path: Path, clock: VirtualClock) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(600)
    rig.node.close()
    (tmp_path / "node.toml").write_text(Path(SCHOOL).read_text())
    base = ["export", str(tmp_path / "node.toml"), "--store", str(tmp_path / "store.db")]
    local = time.localtime(clock.true_utc() - 300)
    german = run(*base, "--since", time.strftime("%d.%m.%Y %H:%M", local)).stdout
    assert german == run(*base, "--since", time.strftime("%Y-%m-%dT%H:%M", local)).stdout
    assert len(german.splitlines()) == 7


# -- what is said --------------------------------------------------------------------------------


def test_what_was_understood_is_one_paragraph(tmp_path: Path) -> None:
    made, _ = read(tmp_path, WEATHER.encode("cp1252") + b"03/08/2022 15:00;x;NaN;1;2\n#end\n\n")
    assert "\n" not in made.said
    for words in [
        "rec.csv: UTF-8, cells apart by semicolon, decimal comma.",
        "3 rows from 2022-08-02",
        "(day/month/year",
        "'Barometer' is room.pressure, hPa by its size, x 100 to Pa",
        "'Temp' is room.temperature in °C",
        "'High Temp' (no quantity of a room's air by name)",
        '--column "High Temp=CHANNEL"',
        "comments (1)",
        "blank (1)",
        "cells that are no number (1, such as 'x')",
        "cells without a value (1)",
    ]:
        assert words in made.said


def test_what_cannot_be_mapped_is_named_with_how_to_map_it(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r'--column "Wert A=room\.co2"'):
        read(tmp_path, "Zeit;Wert A\n12.01.2026 07:00;600\n")
    for empty in ("", "\n\n", "# nothing\n", ";;;\n", "time,co2\n", "\0\0\0\0"):
        with pytest.raises(ReplayError, match="no column"):
            read(tmp_path, empty)


def test_a_column_that_is_named_comes_first(tmp_path: Path) -> None:
    text = "time;temp;Wert\n12.01.2026 07:00;21,5;250\n"
    _, replay = read(tmp_path, text, Wert=(T, 0.1))
    assert values(replay, T) == [25.0]


@pytest.mark.parametrize(
    ("text", "comma", "wanted"),
    [
        ("21,3", True, (21.3, "")), ("1.013,25 hPa", True, (1013.25, "hPa")),
        ("1,013.25", False, (1013.25, "")), ("21.3 °C", False, (21.3, "°C")),
        ("-5 %", False, (-5.0, "%")), ("1'013", False, (1013.0, "")),
        ("\u22123", False, (-3.0, "")),
        ("1e3", False, (1000.0, "")), ("12:30", False, (12.0, ":30")), ("abc", False, None),
        ("5.", True, (5.0, "")), ("1.2.3", False, None), ("1_000", False, (math.nan, "")),
    ],
)  # fmt: skip
def test_numbers_are_read_with_their_units(
    text: str, comma: bool, wanted: tuple[float, str] | None
) -> None:
    assert repr(number(text, comma)) == repr(wanted)


@pytest.mark.parametrize(
    ("heading", "quantity", "unit"),
    [
        ("PM2.5 [µg/m³]", "pm2_5", "ug/m3"), ("temp (°C)", "temperature", "°c"),
        ("sensor.wohnzimmer_temperature", "temperature", ""),
        ("Luftdruck / hPa", "pressure", "hpa"),
        ("Relative Luftfeuchtigkeit in %", "relative_humidity", "%"), ("CO₂", "co2", ""),
        ("air_temp_f", "temperature", "f"), ("Taupunkt °C", "", ""), ("cpu temp", "", ""),
        ("Helligkeit (lx)", "illuminance", "lx"), ("PM 10", "pm10", ""), ("pm1.0", "pm1", ""),
        ("Barometer hPa", "pressure", "hpa"), ("outdoor temp", "", ""),
        ("Temperatur °F", "temperature", "°f"),
    ],
)  # fmt: skip
def test_headings_are_understood(heading: str, quantity: str, unit: str) -> None:
    found = understood(heading)
    assert found.quantity == quantity
    assert not quantity or found.unit == unit
    assert not quantity or conversion(quantity, unit) is not None


def test_times_in_words_need_the_demo_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "time,co2\nJan 12 2026 7:00AM,600\nJan 12 2026 7:01AM,610\n"
    _, replay = read(tmp_path, text)
    assert values(replay, CO2) == [600.0, 610.0]
    monkeypatch.setitem(sys.modules, "dateutil", None)
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"install 'stadtsinn\[demo\]'"):
        read(tmp_path, text)


# -- whatever the dialect ------------------------------------------------------------------------

DIALECTS = st.fixed_dictionaries(
    {
        "sign": st.sampled_from([",", ";", "\t", "|"]),
        "comma": st.booleans(),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
        "end": st.sampled_from(["\n", "\r\n"]),
        "stamp": st.sampled_from(
            ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+0000", "%d.%m.%Y %H:%M:%S UTC", "unix", "ms"]
        ),
        "missing": st.sampled_from(["", "nan", "NA", "unavailable", "-", "--", "null", "None"]),
        "fahrenheit": st.booleans(),
        "long": st.booleans(),
    }
)
CELL = st.one_of(st.none(), st.integers(-300, 600).map(lambda n: n / 10))
ROWS = st.lists(st.tuples(st.integers(1, 3), CELL, CELL), min_size=4, max_size=30)


def written(
    rows: list[tuple[int, float | None, float | None]], dialect: dict[str, object]
) -> bytes:
    """The table in a dialect: temperature in °C or °F, humidity in %."""
    sign, comma, stamp = str(dialect["sign"]), dialect["comma"], str(dialect["stamp"])

    def cell(value: float | None, scale: bool) -> str:
        if value is None:
            return str(dialect["missing"])
        text = f"{value * 1.8 + 32:.2f}" if scale else f"{value:.1f}"
        text = text.replace(".", ",") if comma else text
        return f'"{text}"' if comma and sign == "," else text

    def moment(unix: int) -> str:
        if stamp in ("unix", "ms"):
            return str(unix * (1000 if stamp == "ms" else 1))
        return time.strftime(stamp, time.gmtime(unix))

    heat = "temperature" + (" [°F]" if dialect["fahrenheit"] else " [°C]")
    out, unix = [], int(MORNING)
    out.append(["time", "name", "value"] if dialect["long"] else ["time", heat, "humidity [%]"])
    for steps, warm, wet in rows:
        cells_ = [cell(warm, bool(dialect["fahrenheit"])), cell(wet, False)]
        if dialect["long"]:
            out += [[moment(unix), heat, cells_[0]], [moment(unix), "humidity [%]", cells_[1]]]
        else:
            out.append([moment(unix), *cells_])
        unix += 60 * steps
    return "".join(sign.join(row) + str(dialect["end"]) for row in out).encode(
        str(dialect["encoding"])
    )


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, dialect=DIALECTS)
def test_a_table_in_any_dialect_is_the_same_table(
    rows: list[tuple[int, float | None, float | None]], dialect: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(written(rows, dialect))
    at, wanted = MORNING, list[tuple[float, float | None, float | None]]()
    for steps, warm, wet in rows:
        wanted.append((at, warm, wet))
        at += 60.0 * steps
    if all(warm is None for _, warm, _ in rows) and all(wet is None for _, _, wet in rows):
        with pytest.raises(ReplayError):
            recording.read(path, {}, tmp_path, start=MORNING, interval_s=60.0)
        return
    made, _ = recording.read(path, {}, tmp_path, start=MORNING, interval_s=60.0)
    for channel, which in ((T, 1), (RH, 2)):
        if all(one[which] is None for one in wanted):
            assert channel not in made.tracks
            continue
        for row in wanted:
            _, value, recorded = made.tracks[channel].at(row[0] + 1)
            expected = row[which]
            assert recorded == (expected is not None)
            assert expected is None or value == pytest.approx(expected, abs=0.006)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.one_of(st.binary(max_size=400), st.text(max_size=300).map(str.encode)))
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(content)
    refused, said = "", ""
    try:
        said = recording.read(path, {}, tmp_path, start=MORNING, interval_s=60.0)[0].said
    except (ReplayError, MissingExtra) as error:
        refused = str(error)
    assert said or str(path) in refused


# -- on disk -------------------------------------------------------------------------------------


def test_a_track_sorts_what_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.sim.replay.RUN", 50)
    track = Track(tmp_path)
    for n in range(10_000):
        track.add(float(n * 7919 % 10_000), float(n))
    track.finish()
    back = {n * 7919 % 10_000: float(n) for n in range(10_000)}
    for at in (0, 1, 4095, 4096, 4097, 9999, 5):
        assert track.at(at + 0.5) == (float(at), back[at], True)
    assert track.at(-1.0) == (0.0, back[0], False)
    assert (track.first, track.last) == (0.0, 9999.0)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    script = (
        "import resource, sys, pathlib\nfrom agent.demo import recording\n"
        "from drivers.sim import replay\nreplay.RUN = 2000\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "recording.read(path, {}, path.parent, start=0.0, interval_s=60.0)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for rows in (5_000, 40_000):
        path = tmp_path / f"{rows}.csv"
        path.write_text(
            "t,co2\n" + "".join(f"{1768200600 + n},{600 + n % 9}\n" for n in range(rows))
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-c", script, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        peaks.append(json.loads(done.stdout))
    assert peaks[1] - peaks[0] < 3_000  # kB


# -- through the chips ---------------------------------------------------------------------------


def test_what_was_not_recorded_is_not_measured_and_no_sensors_fault(tmp_path: Path) -> None:
    rows = (
        "2026-01-12T07:00:00Z,21.5,600\n2026-01-12T07:01:00Z,nan,610\n2026-01-12T07:04:00Z,22,inf\n"
    )
    (tmp_path / "rec.csv").write_text("time,temp,co2\n" + rows)
    demo = prepare(
        resource("nodes/school.toml"), tmp_path / "demo", speed=1, replay=tmp_path / "rec.csv"
    )
    demo.start()
    assert demo.done.wait(60)
    demo.stop()
    air = {start: cells for (schema, start), cells in demo.decoded().items() if schema == 1}
    begin = 1_768_201_200
    assert air == {
        begin: {"temp": 2150, "co2": 600},
        begin + 60: {"co2": 610},
        begin + 120: {},
        begin + 180: {},
        begin + 240: {"temp": 2200},
    }
    assert SENSOR_FAILED not in {one.code for one in demo.far.events}
    assert demo.deviations() == {"temp": (0, 2), "co2": (0, 2)}
