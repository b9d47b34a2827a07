"""Signals to a real node process: one ends it in order, a storm at once; rows stay."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import Clock
from agent.daemon import Daemon, Job
from tests.test_shape import ROOT

PROFILE = """
node = {{ name = "signals" }}
store = {{ path = "{folder}/store.db" }}
[[instrument]]
name = "climate"
driver = "sht4x"
bus = "i2c-1"
[[table]]
name = "air"
interval_s = 1
columns = {{ temp = "climate.temperature" }}
schema = 1
[[link]]
name = "file"
kind = "file"
path = "{folder}/out"
"""
PATIENCE_S = 30.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A simulated node that has put a row."""
    profile = tmp_path / "node.toml"
    profile.write_text(PROFILE.format(folder=tmp_path))
    command = [sys.executable, "-m", "agent", "run", "--simulate", str(profile)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
    end = time.monotonic() + PATIENCE_S
    while rows(tmp_path) < 1 and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


def rows(folder: Path) -> int:
    """On disk; 0 while there is no store."""
    try:
        with sqlite3.connect(f"file:{folder}/store.db?mode=ro", uri=True) as store:
            return int(store.execute("SELECT count(*) FROM row").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize("storm", [1, 2, 40])
def test_however_many_signals_come_the_node_ends_and_keeps_its_rows(
    running: subprocess.Popen[bytes], tmp_path: Path, storm: int
) -> None:
    before = rows(tmp_path)
    assert before
    for number in range(storm):
        os.kill(running.pid, signal.SIGTERM if number % 2 == 0 else signal.SIGINT)
    assert running.wait(PATIENCE_S) == 0
    assert rows(tmp_path) >= before
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_job_that_fails_after_the_end_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> float:
        begun.set()
        go.wait(PATIENCE_S)
        raise OSError("the store is closed")

    daemon = Daemon([Job("slow", slow)], Clock(), lambda: "", threading.Event())

    def stop() -> None:
        begun.wait(PATIENCE_S)
        daemon.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    assert daemon.run() == 0
    go.set()
    for thread in threading.enumerate():
        if thread.name == "slow":
            thread.join(PATIENCE_S)
    stopper.join()
    assert "crashed" not in caplog.text
