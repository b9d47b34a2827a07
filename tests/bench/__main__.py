"""All figures, printed and written into README.md.

usage: python -m tests.bench [NAME ...]

Names: bytes mqtt store backfill start cost features streams events kills lorawan lorawan_month
lorawan_idle lorawan_codec (default: all). Exit code 1 if a figure is not reached, or if a group has
measured nothing.
"""

import importlib
import sys

from tests.bench.page import commit, machine, write

NAMES = (
    *("bytes", "mqtt", "store", "backfill", "start", "cost", "features", "streams", "events"),
    *("kills", "lorawan", "lorawan_month", "lorawan_idle", "lorawan_codec"),
)


def measured(name: str) -> bool:
    """Print a group's lines and keep them. Whether it measured anything and reached all."""
    module = importlib.import_module(f"tests.bench.bench_{name}")
    title, _, rest = (module.__doc__ or "").partition("\n")
    lines = module.lines()
    for line in lines:
        print(line.text(), flush=True)
    if not lines:
        print(f"{name}: measured nothing. {' '.join(rest.split()) or title}", flush=True)
        return False
    write(name, title, lines)
    return all(line.good is not False for line in lines)


def main(names: list[str]) -> int:
    """Measure group after group; 1 if one is not good."""
    print(f"{commit()}; {machine()}", flush=True)
    missed = [name for name in names or NAMES if not measured(name)]
    print(f"not reached: {', '.join(missed)}" if missed else "all reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
