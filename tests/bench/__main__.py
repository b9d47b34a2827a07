"""All figures as one table, with the machine.

usage: python -m tests.bench [NAME ...]

Names: bytes mqtt store backfill start cost features streams events kills lorawan lorawan_month
lorawan_idle lorawan_codec (default: all). Quote the table with its first line.
"""

import importlib
import os
import platform
import sqlite3
import sys
from pathlib import Path

NAMES = (
    *("bytes", "mqtt", "store", "backfill", "start", "cost", "features", "streams", "events"),
    *("kills", "lorawan", "lorawan_month", "lorawan_idle", "lorawan_codec"),
)


def machine() -> str:
    """What this was measured on."""
    found = [one for one in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in one]
    cpu = found[0].split(":")[1].strip() if found else platform.machine()
    return (
        f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def main(names: list[str]) -> int:
    """Print every line; 1 if something is not reached."""
    print(machine(), flush=True)
    missed = 0
    for name in names or NAMES:
        module = importlib.import_module(f"tests.bench.bench_{name}")
        for line in module.lines():
            print(line.text(), flush=True)
            missed += line.good is False
    print(f"{missed} not reached" if missed else "all reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
