"""What people see who have an old terminal, a small one, a wrong file, or no clock."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from agent.cli.demo import running, verdict
from agent.cli.picture import picture
from agent.clock import VirtualClock
from agent.demo import prepare
from agent.demo.broker import installed
from agent.resources import resource
from tests.rig import make_rig
from tests.test_cli import SCHOOL, run


def test_the_picture_fits_into_a_terminal_of_24_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.demo.broker.installed", lambda: None)
    rows = "\n".join(f"{2000 + n},{400 + n},{n},{500 + n},{99_000 + n}" for n in range(15))
    (tmp_path / "rec.csv").write_text(f"temp_cC,hum_permille,lux,co2_ppm,pres\n{rows}\n")
    made = prepare(
        resource("nodes/school.toml"), tmp_path / "demo", speed=1, replay=tmp_path / "rec.csv"
    )
    made.start()
    made.done.wait(20)
    state = made.node.snapshot()
    made.stop()
    with (tmp_path / "out").open("w") as file:
        console = Console(record=True, width=80, file=file)
        console.print(picture(state, made.far, made.clock))
    lines = console.export_text().splitlines()
    assert len(lines) <= 23, "\n".join(lines)
    assert any(line.startswith(" sensor    state   values") for line in lines)
    assert any("humidity" in line and "Pa" in line and "°C" in line for line in lines)
    assert sum(line.startswith("Decoded on the far side: 1") for line in lines) == 1


def test_a_terminal_without_the_degree_sign_is_no_fault(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(60)
    (tmp_path / "state.json").write_text(json.dumps(rig.node.snapshot()))
    rig.node.close()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "agent", "status", "--file", f"{tmp_path}/state.json"]
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"temp 21 ?C" in done.stdout


def test_status_of_another_version_is_one_line(tmp_path: Path) -> None:
    states: list[Any] = [{}, [], {"sensors": {}, "links": {}}, {"sensors": {"a": 1}, "links": {}}]
    for state in states:
        (tmp_path / "state.json").write_text(json.dumps(state))
        done = run("status", "--file", str(tmp_path / "state.json"))
        assert done.exit_code == 1
        assert "not a state file of this version" in done.output


def test_a_demo_that_compared_nothing_claims_nothing() -> None:
    assert verdict(True, 3) == "identical"
    assert verdict(False, 0) == "NOT identical"
    assert "let it run longer" in verdict(True, 0)


@pytest.mark.skipif(installed() is None, reason="no mosquitto here")
def test_rows_that_left_with_an_age_are_no_difference(tmp_path: Path) -> None:
    rows = "\n".join(f"{2000 + n},{400 + n},{n},{500 + n}" for n in range(25))
    (tmp_path / "rec.csv").write_text(f"temp_cC,hum_permille,lux,co2_ppm\n{rows}\n")
    (tmp_path / "f.toml").write_text('[[fault]]\nat_s=700\nfor_s=300\nwhat="clock_unset"\n')
    done = run("demo", "--replay", f"{tmp_path}/rec.csv", "--faults", f"{tmp_path}/f.toml")
    assert done.exit_code == 0, done.output
    assert "with an age: no clock): identical" in done.output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["decode", "zz"], "expected pairs of 0-9 a-f, such as 84 01 19, got 'zz'"),
        (["decode", "8"], "not hex"),
        (["decode"], "no frame: type it as hex, or pipe it in"),
        (["decode", "--encode", "[1,2"], "not JSON: Expecting ',' delimiter at character 5"),
        (["decode", "--encode", '{"a": 1}'], "keys of a map are whole numbers"),
        (["decode", "--encode", "[" * 5000], "stadtsinn: not"),
        (["demo", "--profile", "schol"], "no shipped profile 'schol'; did you mean 'school'?"),
    ],
)
def test_a_slip_is_answered_with_one_line_that_says_what_to_do(words: list[str], hint: str) -> None:
    done = run(*words)
    assert done.exit_code in (1, 2)
    assert hint in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"hello, I am no store"])
def test_export_of_another_file_names_it_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    done = run("export", "--store", str(path), SCHOOL)
    assert done.output == f"stadtsinn: {path}: is no store of a node\n"
    assert done.exit_code == 1


def test_an_export_into_a_folder_that_is_not_there_names_the_file(
    tmp_path: Path, clock: VirtualClock
) -> None:
    make_rig(tmp_path, clock).node.close()
    wanted = tmp_path / "none" / "a.csv"
    done = run("export", "--store", f"{tmp_path}/store.db", SCHOOL, "--output", str(wanted))
    assert done.output == f"stadtsinn: {wanted}: No such file or directory\n"


def test_an_export_that_is_broken_off_leaves_no_half_file(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(600)
    rig.node.close()
    words = ["export", "--store", f"{tmp_path}/store.db", SCHOOL, "--output", f"{tmp_path}/a.csv"]
    assert run(*words).output == f"10 rows in {tmp_path}/a.csv\n"
    before = (tmp_path / "a.csv").read_text()
    assert run(*words[:-1], "/dev/null").output == "10 rows in /dev/null\n"

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.cli.export.number", interrupted)
    assert "Aborted" in run(*words).output
    assert (tmp_path / "a.csv").read_text() == before
    assert not list(tmp_path.glob("*.part"))


def test_who_reads_no_more_of_an_export_is_told_nothing(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    rig.run(600)
    rig.node.close()
    command = [sys.executable, "-m", "agent", "export", "--store", f"{tmp_path}/store.db", SCHOOL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_probe_does_not_wait_for_what_waiting_cannot_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.cli.probe.STANDS_S", 0.1)
    text = Path(SCHOOL).read_text().replace("mqtt://localhost:1883", "mqtts://localhost:18831")
    text = text.replace('kind = "mqtt"', 'kind = "mqtt"\nca_file = "/nowhere/ca.pem"')
    (tmp_path / "node.toml").write_text(text)
    shown = json.loads(run("probe", "--simulate", "--json", str(tmp_path / "node.toml")).output)
    assert shown[-1]["text"] == "/nowhere/ca.pem: No such file or directory"


def test_a_store_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("run", "--simulate", "--store", str(tmp_path / "file" / "s.db"), SCHOOL)
    assert done.exit_code == 1
    assert done.output.startswith(f"stadtsinn: {tmp_path}/file: ")
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_window_ends_the_demo_and_its_broker(number: signal.Signals) -> None:
    done: list[str] = []
    made = SimpleNamespace(start=lambda: done.append("start"), stop=lambda: done.append("stop"))
    before = signal.signal(number, signal.SIG_DFL)  # this suite may run under nohup
    try:
        with running(cast(Any, made)):
            signal.raise_signal(number)
            done.append("not reached")
        assert done == ["start", "stop"]
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
