"""Keeping rows: sampler to fsync'd row beside bare SQLite; fsyncs and bytes per value.

Both on the same disk, in turn, several rounds; medians. Bytes are write_bytes of proc_pid_io(5),
fsyncs are counted with strace where it is installed, else by SQLite's own WAL arithmetic not at all.
"""

import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.clock import VirtualClock
from agent.config import parse
from agent.doors import RealDoors
from agent.health import HealthDoor
from agent.node import Node, build, make_plan
from tests.bench.bench_cost import COLUMNS, PROFILE, ROOT
from tests.bench.canned import Canned
from tests.bench.table import Line

ROWS = 2000
ROUNDS = 5
VALUES = 9


def make_node(folder: Path) -> tuple[Node, VirtualClock]:
    """A node whose link is never stepped: everything it measures stays owed."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url="mqtt://localhost", columns=columns)
    config, source = parse(folder / "node.toml", text)
    clock = VirtualClock(1_767_600_000.0)
    made = make_plan(config, source, RealDoors(clock, HealthDoor(clock)))
    return build(made, clock), clock


def sampled(folder: Path, rows: int) -> float:
    """Rows per second from sensor to fsync, by the sampler's own step."""
    node, clock = make_node(folder)
    step = node.samplers[0].step
    clock.sleep(step())
    began = time.perf_counter()
    for _ in range(rows):
        clock.sleep(step())
    took = time.perf_counter() - began
    node.close()
    return rows / took


def bare(folder: Path, rows: int) -> float:
    """Commits per second of bare SQLite: WAL, FULL, one row of the same size per commit."""
    base = sqlite3.connect(folder / "bare.db", isolation_level=None)
    base.execute("PRAGMA page_size = 1024")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE row (seq INTEGER PRIMARY KEY, at INTEGER, cells BLOB)")
    cells = bytes(len(Canned.quantities) * 3)
    began = time.perf_counter()
    for at in range(rows):
        base.execute("INSERT INTO row (at, cells) VALUES (?, ?)", (at, cells))
    took = time.perf_counter() - began
    base.close()
    return rows / took


def written(folder: Path, rows: int) -> float:
    """Bytes to the device per value while the sampler keeps rows."""
    before = write_bytes()
    sampled(folder, rows)
    return (write_bytes() - before) / rows / VALUES


def write_bytes() -> int:
    """Bytes this process has caused to be written to the device."""
    text = Path("/proc/self/io").read_text()
    return int(text.split("write_bytes:")[1].split()[0])


def fsyncs(folder: Path, rows: int) -> float | None:
    """fsync and fdatasync calls per value, counted by strace; None without it."""
    if shutil.which("strace") is None:
        return None
    count = folder / "strace.txt"
    command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(count)]
    script = [sys.executable, "-m", "tests.bench.bench_store", str(folder), str(rows)]
    subprocess.run([*command, *script], cwd=ROOT, check=True, capture_output=True)
    calls = sum(
        int(line.split()[3]) for line in count.read_text().splitlines() if line.endswith("sync")
    )
    return calls / rows / VALUES


def lines() -> list[Line]:
    """Rates, bytes, fsyncs."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        for number in range(ROUNDS):
            folder = Path(name) / str(number)
            folder.mkdir()
            ours.append(sampled(folder, ROWS))
            theirs.append(bare(folder, ROWS))
        (Path(name) / "bytes").mkdir()
        (Path(name) / "fsync").mkdir()
        size = written(Path(name) / "bytes", ROWS)
        calls = fsyncs(Path(name) / "fsync", ROWS)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    shown = [
        Line("kept rows: sampler to fsync", statistics.median(ours), "rows/s"),
        Line("kept rows: bare SQLite, WAL and FULL", statistics.median(theirs), "rows/s"),
        Line("kept rows: ratio", 100 * statistics.median(ratios), "%", 70, most=False),
        Line("kept rows: written to the device per value", size / 1000, "kB", 1.0),
    ]
    if calls is not None:
        shown.append(Line("kept rows: fsync per value", calls, "", 0.12))
    return shown


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sampled(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        for line in lines():
            print(line.text())
