"""Nothing lost: 200 times SIGKILL under load, the broker going up and down."""

import tempfile
from pathlib import Path

from tests.bench.bench_cost import ROOT
from tests.bench.table import Line
from tests.durable.kills import kill_often

KILLS = 200


def lines() -> list[Line]:
    """Rows put, lost, invented, repeated with other values."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as name:
        found = kill_often(Path(name), KILLS, seed=1)
    return [
        Line("kills: SIGKILL at random moments", found.kills, ""),
        Line("kills: rows that put returned for", found.put, ""),
        Line("kills: of those not arrived", found.lost, "", 0),
        Line("kills: arrived and never put", found.invented, "", 0),
        Line("kills: repeated with another value", found.conflicts, "", 0),
        Line("kills: repeated exactly", found.repeats, ""),
    ]


if __name__ == "__main__":
    for line in lines():
        print(line.text())
