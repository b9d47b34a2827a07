"""Keeping rows: sampler to fsync'd row beside bare SQLite; fsyncs and bytes per value.

Both on the same disk, in turn, several rounds; medians. Bytes are write_bytes of proc_pid_io(5);
fsyncs are counted with strace, where it is installed.
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
from agent.measure.buses import MachineBuses
from agent.measure.health import HealthSource
from agent.model.batch import Delivered
from agent.node import build
from agent.plan import make_plan
from agent.status import Node
from tests.bench.bench_cost import COLUMNS, PROFILE, ROOT
from tests.bench.table import Line

ROWS = 100  #: per turn
ROUNDS = 100
WARM = 10  #: rounds before, while both files grow to what they stay
MANY = 2000
VALUES = 9


def make_node(folder: Path) -> tuple[Node, VirtualClock]:
    """A node whose link is never stepped."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url="mqtt://localhost", columns=columns)
    config, source = parse(folder / "node.toml", text)
    clock = VirtualClock(1_767_600_000.0)
    made = make_plan(config, source, MachineBuses(clock, HealthSource(clock)))
    return build(made, clock), clock


class Sampled:
    """The sampler's own step, row after row."""

    def __init__(self, folder: Path) -> None:
        self.node, self.clock = make_node(folder)
        self.clock.sleep(self.node.samplers[0].step())

    def seconds(self, rows: int) -> float:
        """Real seconds for so many rows, from sensor to fsync."""
        step, sleep = self.node.samplers[0].step, self.clock.sleep
        began = time.perf_counter()
        for _ in range(rows):
            sleep(step())
        return time.perf_counter() - began

    def acknowledge(self) -> None:
        """All that is owed now has arrived."""
        store = self.node.store
        while (batch := store.link("city").next()) is not None:
            store.link("city").delivered(Delivered(batch, batch.rows))

    def close(self) -> None:
        """Close the store."""
        self.node.close()


class Bare:
    """Bare SQLite: WAL, FULL, one row of the same size per commit."""

    def __init__(self, folder: Path) -> None:
        self.base = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.base.execute("PRAGMA journal_mode = WAL")
        self.base.execute("PRAGMA synchronous = FULL")
        self.base.execute("CREATE TABLE row (seq INTEGER PRIMARY KEY, at INTEGER, cells BLOB)")

    def seconds(self, rows: int) -> float:
        """Real seconds for so many commits."""
        cells = bytes(VALUES * 3)
        began = time.perf_counter()
        for at in range(rows):
            self.base.execute("INSERT INTO row (at, cells) VALUES (?, ?)", (at, cells))
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the file."""
        self.base.close()


def sampled(folder: Path, rows: int) -> None:
    """Keep so many rows, each acknowledged before the next."""
    one = Sampled(folder)
    for _ in range(rows):
        one.seconds(1)
        one.acknowledge()
    one.close()


def paired(folder: Path) -> list[tuple[float, float]]:
    """Seconds of both for ROWS rows, in turn, so that a slow moment of the disk hits both."""
    ours, theirs = Sampled(folder), Bare(folder)
    pairs = [(ours.seconds(ROWS), theirs.seconds(ROWS)) for _ in range(WARM + ROUNDS)]
    ours.close()
    theirs.close()
    return pairs[WARM:]


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
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        folders = [Path(name) / one for one in ("pairs", "bytes", "fsync")]
        for folder in folders:
            folder.mkdir()
        pairs = paired(folders[0])
        size, calls = written(folders[1], MANY), fsyncs(folders[2], MANY)
    ours, theirs = (statistics.median(ROWS / pair[n] for pair in pairs) for n in (0, 1))
    ratios = [b / a for a, b in pairs]
    shown = [
        Line("kept rows: sampler to fsync", ours, "rows/s"),
        Line("kept rows: bare SQLite, WAL and FULL", theirs, "rows/s"),
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
