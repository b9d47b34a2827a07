"""The command, as people type it."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from agent.clock import VirtualClock
from agent.demo.broker import Broker, free_port
from agent.resources import resource
from tests.bench.bench_cost import profile as canned_profile
from tests.rig import make_rig

ROOT = Path(__file__).parents[1]
SCHOOL = str(resource("nodes/school.toml"))


OWN = """
node = {{ name = "ghs" }}
[[instrument]]
name = "air"
driver = "{}"
[[table]]
name = "air"
interval_s = 60
schema = 1
columns = {{ temp = "air.temperature" }}
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(group, list(words))


def school(folder: Path, *changes: tuple[str, str]) -> str:
    """The school profile with changes."""
    text = Path(SCHOOL).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "node.toml"
    path.write_text(text)
    return str(path)


# -- check ---------------------------------------------------------------------------------------


def test_check_says_what_is_in_a_right_profile() -> None:
    done = run("check", SCHOOL)
    assert done.exit_code == 0
    assert "good. Node 'ghs-raum-a'" in done.output
    shown = json.loads(run("check", "--json", SCHOOL).output)
    assert shown["instruments"]["air"] == "scd41"
    assert shown["tables"][0] == {"name": "air", "columns": 7, "interval_s": 60, "schema": 1}


WRONG = [
    ('driver = "sht4x"', 'driver = "sht4"', "driver: no driver 'sht4'; did you mean 'sht4x'?"),
    ('driver = "sht4x"', 'driver = "a/b"', "is no name of a driver"),
    ('driver = "sht4x"', 'driver = "agent.clock"', "has no DRIVER"),
    ("self_calibration = false", 'self_calibration = "no"', "n: expected true or false, got text"),
    ("self_calibration = false", "self_calibratoin = true", "mean 'self_calibration'?"),
    ('pressure_pa = "press.pressure"', 'pressure = "press.pressure"', "mean 'pressure_pa'?"),
    ('"press.pressure" }   #', '"pres.pressure" }   #', "no instrument 'pres'; did you mean"),
    ('temp = "climate.temperature"', 'temp = "climate.temprature"', "mean 'temperature'?"),
    ('temp = "climate.temperature"', 'tmp = "climate.temperature"', "mean 'temp'?"),
    ("schema = 1 ", "schema = 7 ", "no registered schema 7"),
    ("schema = 1 ", "# ", "schema: is missing"),
    ("interval_s = 60 ", "interval_s = 3601 ", "multiple of 60 up to 14400"),
    ('name = "health"', 'name = "air"', "'air' is used twice"),
    ("calibrate = { temperature", "calibrate = { temperatur", "does not measure it; did you mean"),
    ('column = "air.co2"', 'column = "air.co"', "mean 'co2'?"),
    ('column = "air.co2"', 'column = "aer.co2"', "no table 'aer'; did you mean 'air'?"),
    ("above = 1500 ", "# ", "needs 'above' or 'below'"),
    ('carries = ["air", "health", "events"]', 'carries = ["airs"]', "no table 'airs'"),
    ('bus = "i2c-1"                # header', "#", "bus: is missing: driver 'sht4x' needs one"),
    ("address = 0x76 ", "address = 0x44 ", "0x44 on i2c-1 is 'climate' already"),
    ('world = "school_day"', 'world = "school_dai"', "did you mean 'school_day'?"),
    ('"room.pressure" }', '"room.presure" }', "mean 'room.pressure'?"),
    ('"air.pressure" =', '"press.presure" =', "does not sense 'presure'; did you mean 'pressure'?"),
    ('"air.pressure" =', '"aer.pressure" =', "no instrument 'aer'"),
    ('body = "plain"', 'body = "plane"', "'plane': expected one of packed, plain"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "hint"), WRONG, ids=[new for _, new, _ in WRONG])
def test_check_names_what_is_wrong_with_line_and_nearest_key(
    tmp_path: Path, old: str, new: str, hint: str
) -> None:
    path = school(tmp_path, (old, new))
    done = run("check", path)
    assert done.exit_code == 2
    assert hint in done.output
    number = int(done.output.split("node.toml:")[1].split(":")[0])
    assert 1 <= number <= len(Path(path).read_text().splitlines())
    assert done.output.count("\n") == 2  # what, and the line itself


def test_private_tables_are_checked_too(tmp_path: Path) -> None:
    columns = '[{ name = "t", from = "climate.temperature", step = 0.01 }]'
    table = f'\n[[table]]\nname = "own"\ninterval_s = 10\ncolumns = {columns}\n'
    path = Path(school(tmp_path))
    good = path.read_text() + table
    for old, new, hint in (
        ("step = 0.01", "step = 0.0123456789012", "short decimal number"),
        ("step = 0.01", "orders = [40, 2]", "orders are 0 to 31"),
        (columns, "[]", "is empty"),
        (columns, columns.replace("}]", "}, " + columns[1:]), "'t' is used twice"),
        ('name = "own"', 'name = "own"\nschema = 1', "takes columns of the form"),
    ):
        assert old in good
        path.write_text(good.replace(old, new))
        assert hint in run("check", str(path)).output
    path.write_text(good + table.replace('"own"', '"two"'))
    assert "same schema number" in run("check", str(path)).output
    path.write_text(good)
    assert run("check", str(path)).exit_code == 0


def test_a_third_partys_driver_lies_beside_the_profile(tmp_path: Path) -> None:
    text = (ROOT / "drivers" / "sensors" / "sht4x.py").read_text()
    (tmp_path / "my_sensor.py").write_text(text)
    path = school(tmp_path, ('driver = "sht4x"', 'driver = "my_sensor"'))
    assert "instrument climate: my_sensor" in run("check", path).output


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("from drivers.api import Quantaty\n", "my_slip.py:1: ImportError: cannot import name"),
        ("x = 1\nx = = 2\n", "my_slip.py:2: invalid syntax"),
        ("\n\n1 / 0\n", "my_slip.py:3: ZeroDivisionError: division by zero"),
    ],
)
def test_a_slip_in_a_third_partys_driver_is_one_line(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "my_slip.py").write_text(text)
    done = run("check", school(tmp_path, ('driver = "sht4x"', 'driver = "my_slip"')))
    assert done.exit_code == 2
    assert f"driver: driver 'my_slip' cannot be loaded: {tmp_path}" in done.output
    assert hint in done.output
    assert done.output.count("\n") == 2  # what, and the line itself


BARE = """from drivers.api import Quantity
class Bare:
    quantities = {}
    setup = lambda self: None
    read = lambda self: {"temperature": 21.0, MORE}
DRIVER, TWIN = Bare, None
"""
TEMPERATURE = '{"temperature": Quantity("temperature", 0.1, -40, 85)}'
SLIPS = [
    (TEMPERATURE.replace("0.1", "0"), "expected a dict of Quantity, step > 0, low < high"),
    ("None", "expected a dict of Quantity, step > 0, low < high"),
    (TEMPERATURE.replace('("temp', '("tmp'), "'tmperature', which is not in quantities.toml; did"),
    (TEMPERATURE + "; __init__ = lambda self: 1 / 0", "cannot be made: "),
]


@pytest.mark.parametrize(("quantities", "hint"), SLIPS, ids=[hint for _, hint in SLIPS])
def test_a_third_partys_driver_that_cannot_work_is_refused(
    tmp_path: Path, quantities: str, hint: str
) -> None:
    name = f"bare_{SLIPS.index((quantities, hint))}"
    (tmp_path / f"{name}.py").write_text(BARE.replace("{}", quantities).replace("MORE", ""))
    (tmp_path / "node.toml").write_text(OWN.format(name))
    done = run("check", str(tmp_path / "node.toml"))
    assert done.exit_code == 2
    assert f"driver: driver '{name}'" in done.output
    assert hint in done.output
    assert done.output.count("\n") == 2  # what, and the line itself


WITH_BUS = BARE.replace("{}", TEMPERATURE).replace("MORE", "")
TWINS = [  # constructor of the driver, last line of the module
    ("i2c, address=0x10", "DRIVER = Bare", "has no TWIN: it cannot be simulated"),
    ("i2c", "DRIVER, TWIN = Bare, type('T', (), {'truth': {}})", "has no option 'address'"),
    ("i2c, address=0x10", "DRIVER, TWIN = Bare, object", "its TWIN has no 'truth'"),
]


@pytest.mark.parametrize(("arguments", "last", "hint"), TWINS, ids=[hint for *_, hint in TWINS])
def test_a_third_partys_driver_that_cannot_be_simulated_is_one_line(
    tmp_path: Path, arguments: str, last: str, hint: str
) -> None:
    name = f"twin_{TWINS.index((arguments, last, hint))}"
    made = f"    def __init__(self, {arguments}): pass\n{last}"
    (tmp_path / f"{name}.py").write_text(WITH_BUS.replace("DRIVER, TWIN = Bare, None", made))
    profile = OWN.format(name).replace("[[table]]", 'bus = "i2c-1"\n[[table]]')
    (tmp_path / "node.toml").write_text(profile)
    assert run("check", str(tmp_path / "node.toml")).exit_code == 0  # on a real bus it may work
    done = run("probe", "--simulate", str(tmp_path / "node.toml"))
    assert done.exit_code == 2
    assert f"node.toml:5: instrument 'air', driver: driver '{name}'" in done.output
    assert hint in done.output
    assert done.output.count("\n") == 2  # what, and the line itself


def test_an_option_of_the_wrong_kind_is_named_where_it_is_simulated_too(tmp_path: Path) -> None:
    path = school(tmp_path, ("address = 0x44", 'address = "0x44"'))
    done = run("probe", "--simulate", path)
    assert done.exit_code == 2
    assert (
        "instrument 'climate', address: expected a whole number, got text in quotes" in done.output
    )


def test_probe_tells_a_value_that_nobody_knows(tmp_path: Path) -> None:
    text = BARE.replace("{}", TEMPERATURE).replace("MORE", '"x": 1')
    (tmp_path / "bare_more.py").write_text(text)
    (tmp_path / "node.toml").write_text(OWN.format("bare_more"))
    done = run("probe", str(tmp_path / "node.toml"))
    assert done.exit_code == 1
    assert "temperature 21 °C, x is none of the driver's quantities" in done.output


def test_a_driver_whose_library_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    path = school(tmp_path, ('driver = "sht4x"', 'driver = "needs_more"'))
    assert "needs the module 'no_such_library'" in run("check", path).output


# -- probe ---------------------------------------------------------------------------------------


def test_probe_reads_every_sensor_and_greets_every_link(tmp_path: Path, broker: Broker) -> None:
    path = school(tmp_path, ("mqtt://localhost:1883", broker.url))
    done = run("probe", "--simulate", "--raw", path)
    assert done.exit_code == 0, done.output
    assert "7 good, 0 failed" in done.output
    assert "w 44 fd" in done.output
    assert "hello acknowledged" in done.output


def test_probe_beside_a_running_node_says_what_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.cli.probe.in_use", lambda path: path.name == "store.db")
    shown = json.loads(run("probe", "--simulate", "--json", school(tmp_path)).output)
    assert "in use by the running node: sudo systemctl stop stadtsinn" in shown[-1]["text"]
    assert [one["good"] for one in shown] == [True] * 6 + [False]


def test_probe_says_what_does_not_work_and_ends_with_one(tmp_path: Path) -> None:
    path = school(tmp_path, ("mqtt://localhost:1883", f"mqtt://127.0.0.1:{free_port()}"))
    Path(path).write_text(Path(path).read_text().replace('"i2c-1"', '"i2c-77"'))
    shown = json.loads(run("probe", "--json", "--no-links", path).output)
    assert [one["good"] for one in shown] == [False] * 5 + [True]
    assert "/dev/i2c-77: is I2C switched on?" in shown[0]["text"]
    assert run("probe", "--no-links", path).exit_code == 1


# -- status, export ------------------------------------------------------------------------------


def test_status_shows_the_running_node(tmp_path: Path, clock: VirtualClock) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(120)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(rig.node.snapshot()))
    rig.node.close()
    done = run("status", "--file", str(path))
    assert done.exit_code == 0, done.output
    assert "room" in done.output
    assert json.loads(run("status", "--json", "--file", str(path)).output)["node"] == "ghs"
    broken = json.loads(path.read_text())
    broken["sensors"]["room"] |= {"state": "absent", "reason": "0x44: no answer"}
    path.write_text(json.dumps(broken))
    done = run("status", "--file", str(path))
    assert done.exit_code == 1
    assert "no answer" in done.output


def test_status_says_what_the_budget_of_records_has_cost(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = tmp_path / "state.json"
    node = make_rig(tmp_path, clock).node
    state = node.snapshot()
    state["store"]["lost_records"] = 3
    path.write_text(json.dumps(state))
    assert ", 3 raw records lost, " in run("status", "--file", str(path)).output
    node.close()


def test_status_says_when_nothing_runs(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert "is it running?" in run("status", "--file", str(path)).output
    path.write_text("{")
    assert "not a state file" in run("status", "--file", str(path)).output
    path.write_text("{}")
    os.utime(path, (time.time() - 99, time.time() - 99))
    assert "was not renewed" in run("status", "--file", str(path)).output


def test_export_is_csv_for_everybody_and_for_german_excel(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(300)
    rig.node.close()
    text = Path(SCHOOL).read_text()
    (tmp_path / "node.toml").write_text(text)
    base = ["export", str(tmp_path / "node.toml"), "--store", str(tmp_path / "store.db")]
    rows = run(*base).stdout_bytes.decode().split("\r\n")
    assert rows[0].startswith("time,temp [°C],hum [%],pres [Pa],co2 [ppm]")
    assert rows[1].startswith("2026-01-05T08:01:00Z,21,,,800")
    assert len(rows) == 7
    target = tmp_path / "luft.csv"
    done = run(*base, "--german", "--output", str(target), "--since", "0001-01-01")
    assert "5 rows" in done.output
    assert target.read_bytes().startswith(b"\xef\xbb\xbftime;temp [")
    nothing = run(*base, "--until", "2020-01-01")
    assert nothing.stdout.splitlines() == [rows[0]]
    assert nothing.stderr == "stadtsinn: no rows in that table and time\n"
    assert "no table 'x'" in run(*base, "--table", "x").output


def test_export_without_a_store_is_one_line(tmp_path: Path) -> None:
    done = run("export", SCHOOL, "--store", str(tmp_path / "none.db"))
    assert done.exit_code == 1
    assert "has the node run?" in done.output


# -- demo ----------------------------------------------------------------------------------------


def test_demo_prints_lines_compares_both_sides_and_tells_the_truth(tmp_path: Path) -> None:
    path, drawn = tmp_path / "truth.csv", tmp_path / "demo.svg"
    files = ("--truth", str(path), "--svg", str(drawn))
    done = run("demo", "--speed", "600", "--duration", "1.5", *files)
    assert done.exit_code == 0, done.output
    assert ElementTree.parse(drawn).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "B/value" in drawn.read_text(encoding="utf-8").replace("\xa0", " ")
    assert drawn.stat().st_size < 20_000
    assert "identical" in done.output
    assert "B/value" in done.output
    assert f"truth: {path}\n" in done.output
    head, *rows = path.read_text().splitlines()
    assert "room.co2" in head
    assert len(rows) > 5


def test_a_picture_that_cannot_be_written_is_said_at_the_end(tmp_path: Path) -> None:
    done = run("demo", "--speed", "600", "--duration", "1", "--svg", str(tmp_path / "no" / "a.svg"))
    assert f"--svg: {tmp_path}/no/a.svg: No such file or directory" in done.output
    assert "too short" in done.output or "identical" in done.output


def test_demo_replays_a_recording(tmp_path: Path) -> None:
    rows = "\n".join(f"{2000 + n},{400 + n},{n},{500 + n}" for n in range(40))
    (tmp_path / "rec.csv").write_text(f"temp_cC,hum_permille,lux,co2_ppm\n{rows}\n")
    done = run("demo", "--replay", str(tmp_path / "rec.csv"))
    assert done.exit_code == 0, done.output
    assert "co2: 40 values, largest difference to the recording 0 steps" in done.output


def test_demo_replays_a_recording_with_headers_of_its_own(tmp_path: Path) -> None:
    rows = "\n".join(f"{20.0 + n / 10:.1f},{5000 + 10 * n}" for n in range(5))
    (tmp_path / "rec.csv").write_text(f"Temperatur,CO2 mal 10\n{rows}\n")
    base = ["demo", "--replay", str(tmp_path / "rec.csv"), "--column"]
    done = run(*base, "Temperatur=room.temperature", "--column", "CO2 mal 10=room.co2*0.1")
    assert done.exit_code == 0, done.output
    assert "temp: 5 values, largest difference to the recording 0 steps" in done.output
    assert "co2: 5 values, largest difference to the recording 0 steps" in done.output
    for wrong, hint in [
        ("Temperatur=room.temprature", "no channel 'room.temprature'; did you mean"),
        ("Temperatur", "--column Temperatur: expected HEADER=CHANNEL"),
        ("Temperatur=room.co2*x", "such as CO2=room.co2"),
        ("Temp=room.temperature", "no column Temp; there are"),
    ]:
        done = run(*base, wrong)
        assert done.exit_code == 2
        assert hint in done.output
    assert "needs --replay" in run("demo", "--column", "CO2=room.co2").output


def test_demo_names_a_wrong_recording_or_timetable(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    done = run("demo", "--replay", str(tmp_path / "a.csv"))
    assert done.exit_code == 2
    assert "no column" in done.output
    (tmp_path / "f.toml").write_text('[[fault]]\nat_s=1\nfor_s=1\nwhat="unplugg"\ntarget="air"\n')
    done = run("demo", "--faults", str(tmp_path / "f.toml"))
    assert done.exit_code == 2
    assert "did you mean 'unplug'?" in done.output


def test_the_live_picture_is_drawn(tmp_path: Path, clock: VirtualClock) -> None:
    from rich.console import Console

    from agent.cli.picture import picture

    rig = make_rig(tmp_path, clock)
    console = Console(record=True, width=100, file=(tmp_path / "out").open("w"))
    console.print(picture(rig.node.snapshot(), rig.link.far, clock))
    rig.run(120)
    console.print(picture(rig.node.snapshot(), rig.link.far, clock))
    shown = console.export_text()
    assert "waiting for the first frame" in shown
    assert "21 °C" in shown
    console.file.close()
    rig.node.close()


# -- packaging, service --------------------------------------------------------------------------


def test_the_wheel_alone_runs_the_demo_of_every_profile(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    profiles = sorted(path.stem for path in (ROOT / "hw" / "nodes").glob("*.toml"))
    demos = {
        name: subprocess.Popen(
            [sys.executable, "-m", "agent", "demo", "--profile", name, "--duration", "2",
             "--speed", "600"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
            stdout=-1, stderr=-1, text=True,
        )
        for name in profiles
    }  # fmt: skip
    for name, demo in demos.items():
        said, complaints = demo.communicate()
        assert (demo.returncode, "Traceback" in complaints) == (0, False), complaints
        enough = "identical" in said
        assert enough or ("bridge" in name and "too short" in said)  # ten minutes take longer


def systemd(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no systemd-analyze on this machine")


def test_the_unit_is_hardened_and_clean(tmp_path: Path) -> None:
    unit = ROOT / "systemd" / "stadtsinn.service"
    shown = systemd("security", "--offline=true", "--threshold=15", str(unit))
    assert shown.returncode == 0, shown.stdout[-300:]
    installed = tmp_path / "stadtsinn.service"
    program = Path(sys.executable).with_name("stadtsinn")
    installed.write_text(unit.read_text().replace("/opt/stadtsinn/bin/stadtsinn", str(program)))
    shown = systemd("verify", str(installed))
    assert (shown.returncode, shown.stderr) == (0, "")


def test_a_signal_while_the_broker_is_away_ends_the_daemon(tmp_path: Path) -> None:
    path = canned_profile(tmp_path, f"mqtt://127.0.0.1:{free_port()}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RUNTIME_DIRECTORY": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "agent", "run", str(path)], env=environment)
    while not (tmp_path / "state.json").exists():
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 0
