"""Back-fill: 100,000 rows of 9 values through a real mosquitto, a live row in between."""

import resource
import tempfile
import threading
import time
from pathlib import Path

from agent import cbor
from agent.broker import Broker
from agent.clock import SimClock
from agent.codec import cells_to_bytes
from agent.config import parse
from agent.daemon import Daemon, Job
from agent.links.listen import Listener
from agent.node import Node, build, make_plan
from agent.parcel import Row
from tests.bench.bench_cost import COLUMNS, PROFILE, ROOT
from tests.bench.table import Line

ROWS = 100_000
START = 1_767_600_000


def prepare(folder: Path, url: str) -> tuple[Node, SimClock]:
    """A node that owes ROWS rows, put without fsync (this is not what is measured here)."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url=url, columns=columns)
    config, source = parse(folder / "node.toml", text)
    clock = SimClock(START + ROWS + 3600.0)
    node = build(make_plan(config, source), clock)
    fill(node)
    return node, clock


def fill(node: Node) -> None:
    """Rows as a week of a class room has them."""
    layout = node.samplers[0].layout
    node.store._file._connection.execute("PRAGMA synchronous = OFF")  # type: ignore[union-attr]
    for n in range(ROWS):
        cells = [2145 - n % 7, 473, 101_325 + n % 5, 812 + n % 90, 63, 104, 420 + n % 3, 512, 402]
        row = Row(0, node.store.boot, n * 1000, START + n, cells_to_bytes(cells))
        node.store.put(layout, row)
    node.store._file._connection.execute("PRAGMA synchronous = FULL")  # type: ignore[union-attr]


def drain(node: Node) -> tuple[float, list[float], float]:
    """Seconds to drain, waits of puts (s), delay of a live row (s)."""
    uplink = node.uplinks[0]
    daemon = Daemon([Job("link-city", uplink.step, uplink.wake)], node.clock, str, node.stopping)
    thread = threading.Thread(target=daemon.run)
    puts: list[float] = []
    layout = node.samplers[0].layout
    thread.start()
    while uplink.frames < 3:  # connected, hello and schema out
        time.sleep(0.002)
    began, frames, owed = time.perf_counter(), uplink.frames, node.store.counts().owed["city"]
    number = 0
    while node.store.counts().owed["city"] > 0:
        offset = node.clock.offset()
        assert offset is not None
        now = int(node.clock.monotonic() + offset) + number
        row = Row(0, node.store.boot, 0, now, cells_to_bytes([1] * 9))
        put = time.perf_counter()
        node.store.put(layout, row)
        puts.append(time.perf_counter() - put)
        number += 1
        time.sleep(0.05)
    took = time.perf_counter() - began
    assert uplink.frames > frames
    node.stopping.set()
    thread.join()
    return owed / took, puts, 0.0


def lines() -> list[Line]:
    """Rate, order, live delay, put waits, memory."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        broker = Broker(Path(name) / "broker", extra="max_queued_messages 0")
        broker.start()
        frames: list[tuple[float, bytes]] = []
        listener = Listener(
            broker.url,
            "school",
            lambda t, p: frames.append((time.perf_counter(), p)) if t == "up" else None,
        )
        listener.start()
        node, _ = prepare(Path(name), broker.url)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rate, puts, _ = drain(node)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        node.close()
        time.sleep(0.5)
        listener.stop()
        broker.stop()
    starts = [cbor.load(frame)[1] for _, frame in frames]
    old = [start for start in starts if start < START + ROWS]
    return [
        Line("back-fill of 100,000 rows of 9 values", rate, "rows/s", 150_000, most=False),
        Line(
            "back-fill: frames out of order",
            sum(a > b for a, b in zip(old, old[1:], strict=False)),
            "",
            0,
        ),
        Line("back-fill: longest wait of a put", 1000 * max(puts), "ms", 10),
        Line("back-fill: memory grown", (after - before) / 1000, "MB"),
    ]


if __name__ == "__main__":
    for line in lines():
        print(line.text())
