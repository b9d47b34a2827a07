"""Running cost of the daemon at one row per second, beside a bare loop and a plain script.

All four run at the same time against one broker, for SECONDS; memory is VmRSS, CPU is user and
system time of the process, from 5 s after the start on.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.demo.broker import Broker
from tests.bench.table import Line

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
SETTLE_S = 5.0
PROFILE = """
node = {{ name = "school" }}
store = {{ path = "{folder}/store.db" }}
[[instrument]]
name = "room"
driver = "tests.bench.canned"
[[table]]
name = "air"
interval_s = 1
schema = 1
columns = {{ {columns} }}
[[link]]
name = "city"
kind = "mqtt"
url = "{url}"
"""
COLUMNS = ["temp", "hum", "pres", "co2", "pm25", "pm10", "lux", "noise", "batt"]


def profile(folder: Path, url: str) -> Path:
    """The school table with all nine values, from canned sensors."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    path = folder / "node.toml"
    path.write_text(PROFILE.format(folder=folder, url=url, columns=columns))
    return path


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """A Python process of ours."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE)


def cpu_s(pid: int) -> float:
    """Seconds on a CPU so far, all threads (/proc/PID/task/TID/schedstat, nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def rss_mb(pid: int) -> float:
    """Resident memory in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def measure(seconds: float = SECONDS) -> dict[str, tuple[float, float]]:
    """Name -> (RSS in MB, CPU in ms per row)."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        folder = Path(name)
        broker = Broker(folder / "broker")
        broker.start()
        place = ["127.0.0.1", str(broker.port), name]
        running = {
            "agent": start("-m", "tests.bench.trusted", "run", str(profile(folder, broker.url))),
            "bare loop": start("-m", "tests.bench.bare_loop", *place),
            "plain script": start("-m", "tests.bench.plain_script", *place),
            "plain script with queue": start("-m", "tests.bench.plain_script", *place, "queue"),
        }
        try:
            time.sleep(SETTLE_S)
            before = {name: cpu_s(one.pid) for name, one in running.items()}
            time.sleep(seconds)
            return {
                name: (rss_mb(one.pid), (cpu_s(one.pid) - before[name]) / seconds * 1000)
                for name, one in running.items()
            }
        finally:
            for one in running.values():
                one.send_signal(signal.SIGTERM)
                one.communicate(timeout=10)
            broker.stop()


def lines(seconds: float = SECONDS) -> list[Line]:
    """Memory and CPU, and the ratios that count."""
    found = measure(seconds)
    shown = []
    for name, (memory, cpu) in found.items():
        shown.append(Line(f"running at 1 row/s: RSS, {name}", memory, "MB"))
        shown.append(Line(f"running at 1 row/s: CPU per row, {name}", cpu, "ms"))
    agent, bare = found["agent"], found["bare loop"]
    shown.append(Line("RSS above the bare loop", agent[0] - bare[0], "MB", 6))
    shown.append(Line("CPU, ratio to the bare loop", agent[1] / bare[1], "x", 2.5))
    return shown


if __name__ == "__main__":
    for line in lines(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS):
        print(line.text())
