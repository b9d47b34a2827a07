"""What root runs never follows a link or a name that the service user controls."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import group
from agent.cli.export import whole
from agent.durable import as_owner_of, fresh
from agent.loadtest.mailbox import ask

SERVICE = 65_534  # nobody: stands for the service user
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")

BEGIN = {
    "what": "begin", "at": 1.0, "name": "crane", "node": "n1",
    "channels": [{"instrument": "eps", "axes": ["x"], "units": ["mm"], "steps": [0.1],
                  "every_s": 1.0}],
}  # fmt: skip
LOG = (
    *({"what": "values", "at": at, "instrument": "eps", "values": {"x": 1.0}} for at in (2.0, 3.0)),
    {"what": "mark", "at": 3.5, "text": "crane"},
    {"what": "values", "at": 4.0, "instrument": "eps", "values": {"x": 2.0}},
    {"what": "end", "at": 6.0, "reason": "stopped"},
)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of root that others may enter; pytest closes its own whenever a run begins."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root in a folder of root."""
    path = tmp_path / "victim"
    path.write_text("root's")
    return path


@pytest.fixture
def theirs(tmp_path: Path, victim: Path) -> Path:
    """A folder of the service user."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, SERVICE, SERVICE)
    return folder


def recorded(folder: Path, instrument: str = "eps") -> Path:
    """A load test as a node leaves it."""
    text = "".join(json.dumps(one) + "\n" for one in (BEGIN, *LOG))
    (folder / "test.jsonl").write_text(text.replace("eps", instrument))
    os.chown(folder / "test.jsonl", SERVICE, SERVICE)
    return folder


@ROOT_ONLY
def test_a_report_by_root_overwrites_nothing_through_a_link(theirs: Path, victim: Path) -> None:
    recorded(theirs)
    (theirs / "report").mkdir()
    os.chown(theirs / "report", SERVICE, SERVICE)
    (theirs / "report" / "eps.x.csv").symlink_to(victim)
    done = CliRunner().invoke(group, ["loadtest", "report", str(theirs)])
    assert done.exit_code == 0, done.output
    assert victim.read_text() == "root's"
    assert (theirs / "report" / "eps.x.csv").stat().st_uid == SERVICE


@ROOT_ONLY
def test_a_report_by_root_into_a_linked_folder_is_refused(theirs: Path, victim: Path) -> None:
    recorded(theirs)
    (theirs / "report").symlink_to(victim.parent)
    done = CliRunner().invoke(group, ["loadtest", "report", str(theirs)])
    assert done.exit_code == 1
    assert "Permission denied" in done.output
    assert not (victim.parent / "figures.csv").exists()


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "..", "eps\\n", "=cmd"])
def test_a_name_that_is_a_path_is_no_load_test(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    text = "".join(json.dumps(one) + "\n" for one in (BEGIN, *LOG)).replace("eps", name)
    (folder / "test.jsonl").write_text(text)
    done = CliRunner().invoke(group, ["loadtest", "report", str(folder)])
    assert done.exit_code == 2
    assert "is no name of a sensor" in done.output
    assert not list(tmp_path.rglob("*.csv"))


@ROOT_ONLY
def test_an_export_by_root_replaces_a_link_and_reads_what_root_may(
    theirs: Path, victim: Path
) -> None:
    output = theirs / "air.csv"
    (theirs / "air.csv.part").symlink_to(victim)
    output.symlink_to(victim)
    private = victim.parent / "private"
    private.write_text("rows")
    private.chmod(0o600)
    with whole(output, "utf-8") as file:
        file.write(private.read_text())
    assert victim.read_text() == "root's"
    assert output.read_text() == "rows"
    assert not output.is_symlink()


@ROOT_ONLY
def test_a_request_by_root_changes_no_file_behind_a_link(
    theirs: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "loadtest.json").write_text('{"answers": {"token": {"ok": true}}}')
    monkeypatch.setattr("secrets.token_hex", lambda _: "token")
    (theirs / "loadtest.request.token").symlink_to(victim)
    victim.chmod(0o600)
    assert ask(theirs, "stop")["ok"]
    assert victim.read_text() == "root's"
    assert victim.stat().st_mode & 0o777 == 0o600


@ROOT_ONLY
def test_rights_come_back(theirs: Path) -> None:
    with contextlib.suppress(FileNotFoundError), as_owner_of(theirs):
        assert os.geteuid() == SERVICE
        (theirs / "absent").read_bytes()
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_fresh_file_takes_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "new").symlink_to(tmp_path / "victim")
    with fresh(tmp_path / "new") as file:
        file.write("x")
    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "new").read_text() == "x"
