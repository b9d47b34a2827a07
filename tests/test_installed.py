"""What an installed node leaves to the people around it: files, scripts, the service's socket."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
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


# -- the wheel alone, on a machine that is no Pi and no Linux ------------------------------------

NOT_LINUX = """
import errno, os, shutil, socket, sys

HIDDEN = ("/proc", "/sys", "/run")
stat = os.stat

def absent(path):
    if str(path).startswith(HIDDEN):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir"):
        absent(arguments[0])
    if event == "subprocess.Popen":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(arguments[0]))

def looked_at(path, *arguments, **options):
    absent(path)
    return stat(path, *arguments, **options)

sys.addaudithook(hook)
os.stat = looked_at
shutil.which = lambda *_, **__: None
del socket.AF_UNIX
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is released, unpacked: what pip would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("stadtsinn-*.whl")
    zipfile.ZipFile(made).extractall(folder / "site")
    return folder / "site"


def elsewhere(wheel: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with the unpacked wheel, where neither /proc nor another program is."""
    (folder / "sitecustomize.py").write_text(NOT_LINUX)
    environment = {"PYTHONPATH": f"{folder}:{wheel}", "HOME": str(folder)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_the_wheel_alone_shows_the_demo_without_apt_broker_and_proc(
    wheel: Path, tmp_path: Path
) -> None:
    demo = ("-m", "agent", "demo", "--speed", "600", "--duration", "2")
    done = elsewhere(wheel, tmp_path, *demo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "via files in" in done.stdout
    assert "identical" in done.stdout
    assert done.stderr == ""


def test_the_daemon_of_the_wheel_falls_back_and_says_so(wheel: Path, tmp_path: Path) -> None:
    script = f"""
import threading
from pathlib import Path
import agent
from agent.cli.options import start_logging
from agent.daemon import Daemon
from agent.node import open_node
start_logging(20)
profile = Path(agent.__file__).parent / "hw/nodes/school.toml"
node = open_node(profile, simulate=True, store_path=Path("{tmp_path}/store.db"))
threading.Timer(1, node.stopping.set).start()
print(Daemon(node.jobs, node.clock, node.headline, node.stopping).run(), node.bad_sensors())
node.close()
"""
    done = elsewhere(wheel, tmp_path, "-c", script)
    assert done.stdout == "0 []\n", done.stderr
    for said in ("boot=own", "watchdog=none", "health=partial absent=cpu_temperature"):
        assert said in done.stderr


def test_the_wheel_names_licence_authors_and_where_to_look(wheel: Path) -> None:
    (told,) = wheel.glob("stadtsinn-*.dist-info/METADATA")
    text = told.read_text(encoding="utf-8")
    for line in ("License-Expression: MIT", "Author: Stadtsinn contributors", "Project-URL: "):
        assert line in text
    assert list(wheel.glob("stadtsinn-*.dist-info/licenses/LICENSE"))


# -- what a forge runs ---------------------------------------------------------------------------


def workflow(name: str) -> dict[str, Any]:
    """A workflow's jobs."""
    text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert isinstance(jobs, dict)
    return jobs


def commands(job: dict[str, Any]) -> list[str]:
    """Lines that a job runs, one by one."""
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_the_forge_runs_what_ci_run_runs() -> None:
    assert ".ci/run" in commands(workflow("ci.yml")["run"])


def test_a_release_is_tested_built_and_tried_before_it_goes_out() -> None:
    jobs = workflow("release.yml")
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["files"]["needs"] == "ci"
    ran = commands(jobs["files"])
    build, demo, out = (
        next(at for at, line in enumerate(ran) if word in line)
        for word in (
            "hatchling build --target wheel --target sdist",
            "stadtsinn demo",
            "gh release",
        )
    )
    assert build < demo < out


def test_the_source_archive_installs_a_node(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory"]
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (made,) = tmp_path.glob("stadtsinn-*.tar.gz")
    with tarfile.open(made) as archive:
        files = {one.name.partition("/")[2]: one for one in archive.getmembers()}
    for script in ("systemd/install.sh", ".ci/packages", ".ci/run"):
        assert files[script].mode & 0o111, f"{script} cannot be typed"
    assert {"Makefile", "LICENSE", "hw/nodes/school.toml", "systemd/stadtsinn.service"} <= set(
        files
    )
    assert not [name for name in files if name.startswith((".venv", ".node", ".git/"))]
