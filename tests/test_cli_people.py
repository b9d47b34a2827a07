"""What people see who have an old terminal, a small one, a wrong file, or no clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from agent.broker import installed
from agent.cli.picture import picture
from agent.clock import VirtualClock
from agent.demo import prepare
from agent.shipped import shipped
from tests.rig import make_rig
from tests.test_cli import SCHOOL, run


def test_the_picture_fits_into_a_terminal_of_24_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.broker.installed", lambda: None)
    rows = "\n".join(f"{2000 + n},{400 + n},{n},{500 + n}" for n in range(15))
    (tmp_path / "rec.csv").write_text(f"temp_cC,hum_permille,lux,co2_ppm\n{rows}\n")
    made = prepare(
        shipped("nodes/school.toml"), tmp_path / "demo", speed=1, replay=tmp_path / "rec.csv"
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
    for state in ({}, [], {"sensors": {}, "links": {}}, {"sensors": {"a": 1}, "links": {}}):
        (tmp_path / "state.json").write_text(json.dumps(state))
        done = run("status", "--file", str(tmp_path / "state.json"))
        assert done.exit_code == 1
        assert "not a state file of this version" in done.output


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
