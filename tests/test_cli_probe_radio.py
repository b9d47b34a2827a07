"""`stadtsinn probe` on a LoRaWAN link, modems simulated, in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent import clock as clocks
from agent.cli import group
from agent.cli.finding import Finding
from agent.cli.probe_radio import tune
from agent.clock import VirtualClock
from agent.config.sections import LorawanConfig
from agent.plan import make_plan
from tests.radio_rig import RadioRig

PROFILE = Path(__file__).parents[1] / "hw" / "nodes" / "school-lorawan.toml"
MODEMS = ("rak3172", "lora_e5", "rn2483", "la66")


def looked(rig: RadioRig, prepare: Any = None) -> list[Finding]:
    """What probe says of the link, on a modem that nothing else uses."""
    made = make_plan(rig.node.config, rig.source, rig.buses)
    config = made.config.link[0]
    assert isinstance(config, LorawanConfig)
    if prepare:
        prepare()
    return list(tune(config, made, rig.clock))


@pytest.mark.parametrize("modem", MODEMS)
def test_a_modem_is_set_up_joined_and_heard_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modem: str
) -> None:
    monkeypatch.setattr(clocks, "SimClock", lambda start, speed: VirtualClock(start))
    profile = tmp_path / "node.toml"
    profile.write_text(PROFILE.read_text().replace('modem = "rak3172"', f'modem = "{modem}"'))
    done = CliRunner().invoke(group, ["probe", "--simulate", str(profile)])
    assert done.exit_code == 0, done.output
    set_up, join, hello, total = done.output.splitlines()[-4:]
    assert f"{modem} /dev/ttyUSB0" in set_up
    assert "answers, DevEUI 70B3D57ED0051234" in set_up
    assert "joined in " in join
    assert "data rate 0, up to 51 bytes a frame" in join
    assert "hello acknowledged in " in hello
    assert total == "9 good, 0 failed"


def test_a_session_that_is_there_is_kept(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)
    _, join, hello = looked(rig)
    assert "joined before, session kept" in join.text
    assert hello.good


def test_a_join_that_nobody_answers_says_what_to_look_at(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.network.server.refuse_join = True
    set_up, join = looked(rig)
    assert set_up.good
    assert not join.good
    assert "stadtsinn lorawan keys" in join.text


def test_a_hello_that_nobody_acknowledges_fails(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.run(4000)

    def away() -> None:
        rig.network.faults.lose_up = 1.0

    assert looked(rig, away)[-1].text.startswith("hello sent, nobody acknowledged it")


def test_the_duty_cycle_is_waited_for_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = RadioRig(tmp_path, data_rate=0)
    rig.network.server.channels = (
        0,
        0,
        0,
        0,
        0,
    )  # all channels in one band: it rests after the join
    assert looked(rig)[-1].good
    assert "radio: duty cycle: waits 1" in capsys.readouterr().err


def test_a_dead_modem_and_a_missing_key_are_one_line(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path)
    rig.twin.quirks.distort = lambda line: []
    (only,) = looked(rig)
    assert "no answer to AT" in only.text
    profile = tmp_path / "node.toml"
    profile.write_text(PROFILE.read_text().replace("/etc/stadtsinn", str(tmp_path)))
    done = CliRunner().invoke(group, ["probe", str(profile)])
    assert done.exit_code == 1
    assert f"{tmp_path}/app.key: no such file or directory" in done.output
