"""What an installed node leaves to the people around it: files, scripts, the service's socket."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from agent import clock as clocks
from agent.clock import VirtualClock
from tests.rig import make_rig
from tests.test_cli import SCHOOL, run

ROOT = Path(__file__).parents[1]
SCRIPTS = ["systemd/install.sh", ".ci/packages", ".ci/run"]


def test_everybody_may_read_the_state_whatever_the_services_umask(
    tmp_path: Path, clock: VirtualClock
) -> None:
    rig = make_rig(tmp_path, clock)
    housekeeping = rig.node.jobs[-1].step.__self__  # type: ignore[attr-defined]
    housekeeping.state_file = tmp_path / "state.json"
    before = os.umask(0o077)
    try:
        rig.run(10)
    finally:
        os.umask(before)
        rig.node.close()
    assert housekeeping.state_file.stat().st_mode & 0o777 == 0o644
    assert json.loads(housekeeping.state_file.read_text())["node"] == "ghs"


def test_a_file_that_may_not_be_read_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "x"))

    monkeypatch.setattr(Path, "exists", denied)
    assert "type  sudo stadtsinn export" in run("export", SCHOOL).output
    monkeypatch.setattr(Path, "stat", denied)
    assert "type  sudo stadtsinn status" in run("status").output


def test_timedatectl_does_not_speak_to_the_service_manager(
    mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    asked = mocker.patch("agent.clock.subprocess.run")
    clocks.ntp_synchronised()
    assert "NOTIFY_SOCKET" not in asked.call_args.kwargs["env"]
    assert "PATH" in asked.call_args.kwargs["env"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_sound(script: str) -> None:
    checker = shutil.which("shellcheck")
    command = [checker] if checker else ["bash", "-n"]
    done = subprocess.run([*command, str(ROOT / script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
