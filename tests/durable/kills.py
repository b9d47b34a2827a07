"""SIGKILL at random moments under load, the broker going up and down: is anything lost?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from agent.demo.broker import Broker
from agent.demo.farside import FarSide
from agent.transport.links.listen import Listener
from tests.conftest import MONDAY

ROOT = Path(__file__).parents[2]
SPEED = 50.0  #: rows per second


@dataclass(frozen=True)
class Outcome:
    """What a session of kills showed."""

    kills: int
    put: int  #: rows that `put` returned for
    lost: int  #: of those, not arrived or with other values
    invented: int  #: arrived, never put (a row on disk whose put had not returned is none)
    conflicts: int  #: repeated with another value
    repeats: int
    frames: int


def start(folder: Path, url: str, began: float, *more: str) -> subprocess.Popen[bytes]:
    """A node process; simulated time goes on where the last one was killed."""
    now = MONDAY + (time.time() - began) * SPEED
    command = [sys.executable, "-m", "tests.durable.node", str(folder), url, str(now), str(SPEED)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "node.log").open("ab") as log:
        return subprocess.Popen([*command, *more], cwd=ROOT, env=environment, stderr=log)


def kill_often(folder: Path, kills: int, seed: int) -> Outcome:
    """Start, let run, kill; `kills` times. Then let everything owed arrive and compare."""
    chance, began = random.Random(seed), time.time()
    broker = Broker(
        folder / "broker", extra="persistence true\nautosave_interval 1\nmax_queued_messages 0"
    )
    broker.start()
    far = FarSide()
    listener = Listener(broker.url, "school", lambda t, p: take(far, t, p), session="far")
    listener.start()
    away = False
    for _ in range(kills):
        process = start(folder, broker.url, began)
        if chance.random() < 0.8:  # the others are killed while they start
            wait_for_rows(folder)
        time.sleep(chance.uniform(0.0, 0.3))
        if chance.random() < 0.3:
            (broker.start if away else broker.stop)()
            away = not away
            time.sleep(chance.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    if away:
        broker.start()
    start(folder, broker.url, began, "drain").wait()
    settle(far)
    listener.stop()
    broker.stop()
    return compare(folder, far, kills)


def wait_for_rows(folder: Path) -> None:
    """Until a row more is put than there are now, however slow this machine is today."""
    log, deadline = folder / "put.log", time.monotonic() + 60
    before = size_of(log)
    while size_of(log) == before and time.monotonic() < deadline:
        time.sleep(0.005)


def size_of(path: Path) -> int:
    """Bytes in a file that may not be there yet."""
    return path.stat().st_size if path.exists() else 0


def take(far: FarSide, topic: str, payload: bytes) -> None:
    """Frames only."""
    if topic not in ("state", "down"):
        far.take(payload, None)


def settle(far: FarSide) -> None:
    """Until nothing more comes."""
    last, deadline = -1, time.monotonic() + 60
    while far.frames != last and time.monotonic() < deadline:
        last = far.frames
        time.sleep(1.2)


def compare(folder: Path, far: FarSide, kills: int) -> Outcome:
    """What was put against what arrived."""
    put = {}
    for line in (folder / "put.log").read_text().splitlines():
        start_, cells = line.split()
        put[int(start_)] = [int(cell) for cell in cells.split(",")]
    arrived = {key[1]: list(row.values()) for key, row in far.rows.items() if key[0] == 1}
    lost = sum(arrived.get(one) != cells for one, cells in put.items())
    kept = stored(folder)
    invented = sum(kept.get(one) != cells for one, cells in arrived.items())
    return Outcome(kills, len(put), lost, invented, len(far.conflicts), far.repeats, far.frames)


def stored(folder: Path) -> dict[int, list[int]]:
    """Every row on disk."""
    from agent.codec import bytes_to_cells
    from agent.store.reader import Reader

    rows = Reader(folder / "store.db").rows("air")
    return {row.start: bytes_to_cells(row.cells) for _, row in rows}  # type: ignore[misc]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        print(kill_often(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 200, 1))
