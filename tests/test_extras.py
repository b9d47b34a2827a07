"""What is installed only where it is needed: one line says what to type, nothing ends in a heap."""

import os
import sys
from pathlib import Path

import pytest

from agent.plan import optional as extras
from agent.resources import resource
from tests.test_cli import SCHOOL, run

BRIDGE = str(resource("nodes/bridge.toml"))
RADIO = str(resource("nodes/school-lorawan.toml"))
HOW = "Please type:  "


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place where no extra is installed."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)


@pytest.mark.parametrize(
    "words",
    [
        ("check", BRIDGE),
        ("run", "--simulate", BRIDGE),
        ("probe", "--simulate", BRIDGE),
        ("demo", "--profile", "bridge"),
        ("check", str(resource("nodes/footbridge.toml"))),
    ],
)
@pytest.mark.usefixtures("bare")
def test_a_bridge_without_numpy_is_one_line(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert "instrument 'acc', driver: 'acc' needs numpy" in done.output
    assert HOW in done.output
    assert "install 'stadtsinn[bridge]'" in done.output
    assert done.output.count("\n") == 2  # what, and the line itself


@pytest.mark.usefixtures("bare")
def test_a_class_room_needs_no_extra() -> None:
    assert run("check", SCHOOL).exit_code == 0
    assert run("check", RADIO).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("demo", "--lorawan"), 2),
        (("run", "--simulate", RADIO), 2),
        (("lorawan", "join", "--simulate", RADIO), 2),
        (("probe", "--simulate", RADIO), 1),
    ],
)
def test_a_simulated_radio_without_cryptography_is_one_line(
    words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("network", "udp"):
        monkeypatch.setitem(sys.modules, f"drivers.sim.lorawan.{module}", None)
    if words[0] == "run":
        words = (*words, "--store", str(tmp_path / "store.db"))
    done = run(*words)
    assert done.exit_code == code
    line = next(one for one in done.output.splitlines() if HOW in one)
    assert "a simulated modem needs cryptography" in line
    assert "install 'stadtsinn[sim]'" in line
    assert "app.key" not in line


def test_check_tells_an_installer_what_a_profile_needs() -> None:
    told = {name: run("check", "--extras", str(resource(f"nodes/{name}.toml"))).output.strip()
            for name in ("school", "bridge", "footbridge", "school-lorawan")}  # fmt: skip
    assert told == {
        "school": "", "bridge": "bridge", "footbridge": "bridge,lorawan",
        "school-lorawan": "lorawan",
    }  # fmt: skip


def test_what_to_type_fits_the_place_it_runs_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / ".venv"
    (home / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(home))
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert extras.pip() == "/usr/bin/python3 -m pip"
    (home / "bin" / "pip").touch()
    assert extras.pip() == f"{home}/bin/pip"
    monkeypatch.chdir(tmp_path)
    assert extras.pip() == ".venv/bin/pip"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert extras.pip() == "sudo .venv/bin/pip"


def test_pins_are_wanted_only_where_a_reset_wire_is_named(tmp_path: Path) -> None:
    text = resource("nodes/school-lorawan.toml").read_text(encoding="utf-8")
    path = tmp_path / "node.toml"
    wired = text.replace('modem = "rak3172"', 'modem = "rak3172"\nreset_pin = 17')
    assert wired != text
    for profile, wanted in ((text, "lorawan"), (wired, "pi,lorawan")):
        path.write_text(profile)
        assert run("check", "--extras", str(path)).output.strip() == wanted
