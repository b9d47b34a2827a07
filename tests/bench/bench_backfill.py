"""Back-fill: 100,000 rows of 9 values through a real mosquitto, live rows in between.

The far side is a process of its own, as everywhere else.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

from agent.clock import SimClock
from agent.codec import cbor, cells_to_bytes
from agent.config import parse
from agent.daemon import Daemon, Job
from agent.demo.broker import Broker
from agent.model.batch import Row
from agent.node import build
from agent.plan import make_plan
from agent.status import Node
from agent.transport.links.listen import Listener
from tests.bench.bench_cost import COLUMNS, PROFILE, ROOT
from tests.bench.table import Line

ROWS = 100_000
ROUNDS = 5  #: their median, for a machine is not always equally fast
AGO_S = 3600  #: how long before now the youngest of them was measured
START = 1_767_600_000
LIVE_EVERY_S = 0.05


def prepare(folder: Path, url: str) -> Node:
    """A node that owes ROWS rows."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url=url, columns=columns)
    config, source = parse(folder / "node.toml", text)
    node = build(make_plan(config, source), SimClock(START + ROWS + AGO_S))
    layout = node.samplers[0].layout
    synchronous(node, "OFF")  # how they got there is not what is measured here
    for n in range(ROWS):
        cells = [2145 - n % 7, 473, 101_325 + n % 5, 812 + n % 90, 63, 104, 420 + n % 3, 512, 402]
        due_ms = (n - ROWS - AGO_S) * 1000
        node.store.put(layout, Row(0, node.store.boot, due_ms, START + n, cells_to_bytes(cells)))
    synchronous(node, "FULL")
    return node


def synchronous(node: Node, word: str) -> None:
    """How SQLite waits for the disk."""
    connection = node.store._file._connection
    assert connection is not None
    connection.execute(f"PRAGMA synchronous = {word}")


def drain(node: Node) -> tuple[float, list[float], dict[int, float], list[int]]:
    """Rows per second, waits of puts (s), when each live row was put, and bytes in memory then."""
    uplink = node.uplinks[0]
    daemon = Daemon([Job("link-city", uplink.step, uplink.wake)], node.clock, str, node.stopping)
    thread = threading.Thread(target=daemon.run)
    owed, puts = node.store.counts().owed["city"], list[float]()
    live: dict[int, float] = {}
    memory = [resident()]
    began = time.perf_counter()
    thread.start()
    while node.store.counts().owed["city"] > 0:
        now = START + ROWS + AGO_S + len(puts)
        live[now] = time.time()
        puts.append(put(node, now))
        memory.append(resident())
        until = began + len(puts) * LIVE_EVERY_S
        while time.perf_counter() < until and node.store.counts().owed["city"]:
            time.sleep(0.01)
    took = time.perf_counter() - began
    node.stopping.set()
    thread.join()
    return (owed + len(puts)) / took, puts, live, memory


def put(node: Node, start: int) -> float:
    """How long a row of this slot waits until it is kept, in seconds."""
    due_ms = round(node.clock.monotonic() * 1000)
    row = Row(0, node.store.boot, due_ms, start, cells_to_bytes([1] * 9))
    began = time.perf_counter()
    node.store.put(node.samplers[0].layout, row)
    return time.perf_counter() - began


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def listen(url: str) -> None:
    """The far side: a line per data frame, time of arrival and newest slot."""
    lines: list[tuple[float, bytes]] = []
    one = Listener(
        url, "school", lambda t, p: lines.append((time.time(), p)) if t == "up" else None
    )
    one.start()
    print("ready", flush=True)
    sys.stdin.read()
    one.stop()
    print(json.dumps([(at, cbor.load(frame)[1]) for at, frame in lines]))


def drained() -> tuple[float, int, float, float, float, float, float]:
    """One outage and its figures.

    Rows/s, frames out of order, slowest live row, longest put (s), longest of as many with nothing
    else to do, memory (bytes) more than before, and more in the second half.
    """
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        broker = Broker(Path(name) / "broker", extra="max_queued_messages 0")
        broker.start()
        command = [sys.executable, "-m", "tests.bench.bench_backfill", broker.url]
        far = subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True)
        assert far.stdout is not None
        far.stdout.readline()
        node = prepare(Path(name), broker.url)
        rate, puts, live, memory = drain(node)
        alone = []
        for n in range(len(puts)):
            time.sleep(LIVE_EVERY_S)
            alone.append(put(node, START + ROWS + AGO_S + len(puts) + n))
        node.close()
        time.sleep(0.5)
        heard = json.loads(far.communicate("")[0])
        broker.stop()
    old = [slot for _, slot in heard if slot < START + ROWS]
    delays = [at - live[slot] for at, slot in heard if slot in live]
    wrong = sum(later < sooner for sooner, later in pairwise(old))
    early, late = memory[: len(memory) // 2], memory[len(memory) // 2 :]
    more = max(memory) - memory[0]
    return rate, wrong, max(delays), max(puts), max(alone), more, max(late) - max(early)


def lines() -> list[Line]:
    """The median rate, the worst of all else."""
    rounds = [drained() for _ in range(ROUNDS)]
    rates, wrong, delays, puts, alone, more, later = zip(*rounds, strict=True)
    rate = statistics.median(rates)
    return [
        Line(
            f"back-fill of 100,000 rows of 9 values, {ROUNDS} times",
            rate,
            "rows/s",
            150_000,
            most=False,
        ),
        Line("back-fill: frames out of order", sum(wrong), "", 0),
        Line("back-fill: slowest live row meanwhile", max(delays), "s", 1),
        Line("back-fill: longest wait of a put meanwhile", 1000 * max(puts), "ms", 10),
        Line("back-fill: longest of as many puts without it", 1000 * max(alone), "ms"),
        Line("back-fill: memory more than before it", max(more) / 1e6, "MB"),
        Line("back-fill: memory more in its second half", max(later) / 1e6, "MB", 0.5),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        listen(sys.argv[1])
    else:
        for line in lines():
            print(line.text())
