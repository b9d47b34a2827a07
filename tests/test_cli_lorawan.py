"""`stadtsinn lorawan` as a person types it, on simulated modems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import group
from tests.radio_rig import RadioRig

PROFILE = str(Path(__file__).parents[1] / "hw" / "nodes" / "school-lorawan.toml")
SCHOOL = str(Path(__file__).parents[1] / "hw" / "nodes" / "school.toml")


def typed(*words: str) -> Result:
    return CliRunner().invoke(group, ["lorawan", *words])


def test_keys_prints_what_to_paste_and_a_qr_code() -> None:
    shown = typed("keys", PROFILE)
    assert shown.exit_code == 0
    assert "DevEUI   70B3D57ED0051234" in shown.output
    assert "LW:D0:0000000000000000:70B3D57ED0051234:00000000" in shown.output
    assert "█" in shown.output
    assert "--secret shows it" in shown.output


def test_the_key_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_text("2b7e151628aed2a6abf7158809cf4f3c\n")
    text = Path(PROFILE).read_text().replace('/etc/stadtsinn/app.key"  #', f'{key}"  #')
    profile = tmp_path / "node.toml"
    profile.write_text(text)
    assert "2B7E1516" not in typed("keys", str(profile)).output
    assert "2B7E151628AED2A6ABF7158809CF4F3C" in typed("keys", "--secret", str(profile)).output
    key.write_text("2b7e")
    shown = typed("keys", "--secret", str(profile))
    assert shown.exit_code == 2
    assert "32 hex digits wanted, 4 given" in shown.output
    key.unlink()
    assert "no such file" in typed("keys", "--secret", str(profile)).output


@pytest.mark.no_cover
def test_airtime_says_how_often_the_node_may_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.lorawan_airtime.SIMULATED_S", 4 * 3600)
    words = ("airtime", PROFILE, "--table", "air", "--simulate", "--sf", "7,12")
    shown = typed(*words)
    assert shown.exit_code == 0, shown.output
    assert "240 rows; one every 60 s; 30 s a day" in shown.output
    assert "  7    115" in shown.output
    assert "fits" in shown.output
    assert "too much: about every" in shown.output


def test_airtime_from_stored_rows(tmp_path: Path) -> None:
    text = Path(PROFILE).read_text().replace("/var/lib/stadtsinn/store.db", f"{tmp_path}/s.db")
    profile = tmp_path / "node.toml"
    profile.write_text(text)
    words = ("airtime", str(profile), "--table", "air")
    assert "try --simulate" in typed(*words).output
    from agent.clock import VirtualClock
    from agent.daemon import run_virtual
    from agent.measure.health import HealthSource
    from agent.node import build
    from agent.plan import make_plan, read_profile
    from agent.simulate import SimBuses, make_world
    from tests.conftest import MONDAY

    config, source = read_profile(profile)
    clock = VirtualClock(MONDAY)
    buses = SimBuses(clock, clock.true_utc, make_world(config, source), {}, HealthSource(clock))
    node = build(make_plan(config, source, buses), clock)
    run_virtual(node.jobs, clock, 3600)
    node.close()
    shown = typed(*words)
    assert shown.exit_code == 0
    assert "60 rows; one every 60 s" in shown.output
    assert "one every 1800 s" in typed(*words, "--every", "1800").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("airtime", PROFILE, "--table", "ai"), "did you mean 'air'"),
        (("airtime", PROFILE, "--table", "air", "--sf", "6"), "numbers 7 to 12"),
        (("airtime", SCHOOL, "--table", "air"), "no link of kind 'lorawan'"),
        (("keys", SCHOOL), "no link of kind 'lorawan'"),
        (("join", PROFILE), "no such file"),
        (("status", "--file", "/nowhere/state.json"), "No such file"),
    ],
)
def test_what_is_wrong_is_one_line(words: tuple[str, ...], says: str) -> None:
    shown = typed(*words)
    assert shown.exit_code in (1, 2)
    assert says in shown.output
    assert "Traceback" not in shown.output


def test_status_of_the_running_node(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    radio = {"modem": "rak3172", "joined": True, "rssi_dbm": None, "airtime_s": 3.2}
    link = {"state": "later", "reason": "waits for airtime", "radio": radio}
    state.write_text(json.dumps({"links": {"radio": link, "city": {"state": "ok"}}}))
    shown = typed("status", "--file", str(state))
    assert shown.exit_code == 0
    assert "radio: later waits for airtime" in shown.output
    assert "rssi_dbm           -" in shown.output
    state.write_text(json.dumps({"links": {"city": {"state": "ok"}}}))
    assert "no LoRaWAN link" in typed("status", "--file", str(state)).output


def test_a_link_that_waits_for_airtime_is_no_fault_and_says_when_it_sends(tmp_path: Path) -> None:
    rig = RadioRig(tmp_path, data_rate=0, airtime_s_per_day=6.0, fill_s=600, adr=False)
    rig.run(3 * 3600)
    shown = rig.node.snapshot()
    assert shown["links"]["radio"]["state"] == "later"
    state = tmp_path / "state.json"
    state.write_text(json.dumps(shown))
    done = CliRunner().invoke(group, ["status", "--file", str(state)], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    minutes = round(shown["links"]["radio"]["next_try_s"] / 60)
    assert minutes > 1
    assert f"waits for airtime, next send in {minutes} min" in done.output


def test_join_on_a_simulated_modem(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent import clock as clocks

    monkeypatch.setattr(clocks, "Clock", clocks.VirtualClock)
    shown = typed("join", "--simulate", PROFILE)
    assert shown.exit_code == 0
    assert "joined" in shown.output
    assert "data rate 0, up to 51 bytes a frame" in shown.output
