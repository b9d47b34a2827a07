"""Real node processes on disks that are full, read-only, somebody else's, or not there at first."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import group
from agent.clock import VirtualClock
from agent.codec import cbor
from agent.demo.farside import FarSide
from tests.conftest import MONDAY
from tests.durable.disk import Tmpfs, small_disk
from tests.durable.kit import Kit
from tests.test_file_link import frames
from tests.test_shape import ROOT
from tests.test_signals import PROFILE

PATIENCE_S = 40.0
#: the pauses of a minute become a second
NODE = """
from agent import clock
from agent.__main__ import main
from agent.store import interim
clock.ntp_synchronised = lambda: True
interim.AGAIN_S = 1.0
main()
"""
NOBODY = 65_534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks and drops rights")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter."""
    made = Path(tempfile.mkdtemp(prefix="disks-"))
    made.chmod(0o755)
    for name in ("disk", "out"):
        (made / name).mkdir()
        (made / name).chmod(0o777)
    text = PROFILE.format(folder=made).replace(f"{made}/store.db", f"{made}/disk/store.db")
    (made / "node.toml").write_text(text)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextmanager
def node(place: Path, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node process; at the end it is stopped, in order."""
    command = [*before, sys.executable, "-c", NODE, "run", "--simulate", str(place / "node.toml")]
    with (place / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, told(place)
    finally:
        process.kill()
        process.wait()


def old_store(place: Path) -> None:
    """Three rows of an earlier start, closed in order."""
    made = Kit(place / "disk/store.db", VirtualClock(MONDAY))
    made.put(3)
    made.store.close()


def told(place: Path) -> str:
    return (place / "log").read_text()


def sent(place: Path) -> set[int]:
    """The slots that went out so far."""
    far = FarSide()
    for path in place.glob("out/*.cborseq"):
        for items in frames(path):
            far.take(cbor.dump(items), None)
    assert not far.refused
    return {start for _, start in far.rows}


def kept(place: Path) -> list[int]:
    """The slots on disk; none where there is no store, or none of ours."""
    try:
        uri = f"file:{place}/disk/store.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as store:
            return [start for (start,) in store.execute("SELECT start FROM row ORDER BY id")]
    except sqlite3.OperationalError:
        return []


def until(true: Callable[[], object], place: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, told(place)
        time.sleep(0.05)


def test_a_full_disk_at_the_start_costs_no_row(place: Path) -> None:
    with small_disk(place / "disk", tmpfs=os.geteuid() == 0) as disk:
        if not isinstance(disk, Tmpfs):
            pytest.skip("no tmpfs of its own can be mounted here")
        disk.fill()
        with node(place):
            until(lambda: sent(place), place)
            assert f"the disk of {place}/disk is full" in told(place)
            disk.free()
            before = sent(place)
            until(lambda: max(kept(place), default=0) > max(before), place)
            went_from_memory_to_disk(place, before)


@root_only
def test_a_read_only_disk_at_the_start_costs_no_row(place: Path) -> None:
    with small_disk(place / "disk", tmpfs=True) as disk:
        if disk is None:
            pytest.skip("no tmpfs can be mounted here")
        old_store(place)
        remount(place, "ro")
        with node(place):
            until(lambda: sent(place), place)
            assert f"sudo mount -o remount,rw {place}/disk" in told(place)
            remount(place, "rw")
            before = sent(place)
            until(lambda: max(kept(place), default=0) > max(before), place)
            went_from_memory_to_disk(place, before)
        assert kept(place)[:3] == [round(MONDAY) + 60 * number for number in range(3)]


@root_only
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux has no setpriv here")
def test_the_store_of_another_user_costs_no_row(place: Path) -> None:
    old_store(place)
    for one in place.glob("disk/*"):
        os.chown(one, NOBODY, NOBODY)
        one.chmod(0o600)
    with node(place, "setpriv", "--bounding-set=-dac_override,-dac_read_search"):
        until(lambda: sent(place), place)
        assert "store.db belongs to nobody, this runs as root: sudo chown -R root" in told(place)
        for one in place.glob("disk/*"):
            os.chown(one, 0, 0)
        before = sent(place)
        until(lambda: max(kept(place), default=0) > max(before), place)
        went_from_memory_to_disk(place, before)


def test_a_disk_that_is_mounted_late_costs_no_row(place: Path) -> None:
    (place / "disk").rmdir()
    (place / "disk").symlink_to(place / "unplugged")
    with node(place):
        until(lambda: sent(place), place)
        assert f"{place}/disk is not there" in told(place)
        (place / "unplugged").mkdir()
        before = sent(place)
        until(lambda: max(kept(place), default=0) > max(before), place)
        went_from_memory_to_disk(place, before)


def test_a_profile_that_cannot_be_read_for_a_moment_is_tried_again(place: Path) -> None:
    (place / "node.toml").rename(place / "away.toml")
    with node(place):
        until(lambda: "state=unread reason='no such file" in told(place), place)
        (place / "away.toml").rename(place / "node.toml")
        until(lambda: kept(place), place)


def test_a_profile_that_stays_away_ends_with_one_for_the_service_manager(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.cli.run.PAUSES_S", (0.01, 0.01))
    done = CliRunner().invoke(group, ["run", str(place / "none.toml")])
    assert done.exit_code == 1
    assert "none.toml: no such file or directory" in done.output


def went_from_memory_to_disk(place: Path, before: set[int]) -> None:
    """What went out of memory is on disk too; no slot twice."""
    assert before <= set(kept(place)), told(place)
    assert len(set(kept(place))) == len(kept(place))
    assert "rows_from_memory=" in told(place)
    until(lambda: told(place).count("watchdog=none") == 2, place)  # it has begun again
    assert "state=lost" not in told(place)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place / "disk")], check=True)


def test_a_store_removed_under_a_running_node_is_begun_anew(place: Path) -> None:
    with node(place):
        until(lambda: len(kept(place)) > 1, place)
        old = (place / "disk/store.db").stat().st_ino
        (place / "disk/store.db").unlink()
        until(lambda: (place / "disk/store.db").exists() and kept(place), place)
        assert (place / "disk/store.db").stat().st_ino != old
        assert "removed or replaced while the node runs" in told(place)
        before = len(kept(place))
        until(lambda: len(kept(place)) > before, place)
    slots = sorted(sent(place))
    assert slots == list(range(slots[0], slots[0] + len(slots))), "no row was lost"
