"""A node under load that is going to be killed.

usage: node.py FOLDER URL START SPEED [drain]

Writes a line for every row after `put` has returned: what is written there must arrive.
"""

import os
import sys
import time
from pathlib import Path

from agent.clock import SimClock
from agent.codec import bytes_to_cells
from agent.config import parse
from agent.measure.buses import MachineBuses
from agent.measure.health import HealthSource
from agent.node import build, run_node
from agent.plan import make_plan
from agent.store import Store
from tests.bench.bench_cost import COLUMNS, PROFILE


def main(folder: Path, url: str, start: float, speed: float, drain: bool) -> None:
    """Run until killed; with `drain`, measure nothing and end when nothing is owed."""
    columns = ", ".join(f'{name} = "room.{name}"' for name in COLUMNS)
    text = PROFILE.format(folder=folder, url=url, columns=columns)
    config, source = parse(folder / "node.toml", text)
    clock = SimClock(start, speed)
    node = build(make_plan(config, source, MachineBuses(clock, HealthSource(clock))), clock)
    log = os.open(folder / "put.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    put = node.store.put

    def noted(*arguments: object) -> int:
        seq = put(*arguments)  # type: ignore[arg-type]
        row = arguments[1]
        cells = ",".join(map(str, bytes_to_cells(row.cells)))  # type: ignore[attr-defined]
        os.write(log, f"{row.start} {cells}\n".encode())  # type: ignore[attr-defined]
        return seq

    node.store.put = noted  # type: ignore[method-assign,assignment]
    if not drain:
        sys.exit(run_node(node))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and owes(node.store):
        wait_s = node.uplinks[0].step()
        time.sleep(min(wait_s / speed, 0.05))
    node.close()


def owes(store: Store) -> bool:
    """Whether anything has not been acknowledged."""
    counts = store.counts()
    return any(counts.owed.values()) or any(counts.messages.values())


if __name__ == "__main__":
    place, where, begin, fast, *rest = sys.argv[1:]
    main(Path(place), where, float(begin), float(fast), rest == ["drain"])
