"""From the start of the process to the acknowledged hello, from SIGTERM to its end; --help."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from agent.demo.broker import Broker
from agent.transport.links.listen import Listener
from tests.bench.bench_cost import ROOT, profile, start
from tests.bench.table import Line

ROUNDS = 7


def life_s(folder: Path, broker: Broker) -> tuple[float, float]:
    """Seconds from exec to the hello at the far side, and from SIGTERM to the end."""
    heard = threading.Event()
    listener = Listener(broker.url, "school", lambda t, _: heard.set() if t == "hello" else None)
    listener.start()
    began = time.perf_counter()
    process = start("-m", "tests.bench.trusted", "run", str(profile(folder, broker.url)))
    heard.wait(10)
    took = time.perf_counter() - began
    told = time.perf_counter()
    process.terminate()
    process.communicate()
    ended = time.perf_counter() - told
    listener.stop()
    return took, ended


def help_s() -> float:
    """Seconds for `stadtsinn --help`."""
    command = [str(Path(sys.executable).with_name("stadtsinn")), "--help"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def lines() -> list[Line]:
    """Medians."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        broker = Broker(Path(name) / "broker")
        broker.start()
        lives = [life_s(Path(name), broker) for _ in range(ROUNDS)]
        broker.stop()
    helps = [help_s() for _ in range(ROUNDS)]
    return [
        Line("start to acknowledged hello", statistics.median(one for one, _ in lives), "s", 0.8),
        Line("SIGTERM to the end of the process, longest", max(one for _, one in lives), "s", 2),
        Line("stadtsinn --help", statistics.median(helps), "s", 0.2),
    ]


if __name__ == "__main__":
    for line in lines():
        print(line.text())
