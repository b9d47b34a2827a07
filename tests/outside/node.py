"""The node as `stadtsinn run` makes it, on a clock that is vouched for.

usage: python -m tests.outside.node PROFILE STATE_FILE
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from agent.clock import Clock
from agent.measure.buses import MachineBuses
from agent.measure.health import HealthSource
from agent.node import build, run_node
from agent.plan import make_plan, read_profile


def main(profile: Path, state_file: Path) -> int:
    """Run until a signal."""
    logging.basicConfig(level=logging.INFO)
    clock = Clock()
    clock.trust, clock._ask_at = "ntp", float("inf")
    config, source = read_profile(profile)
    made = make_plan(config, source, MachineBuses(clock, HealthSource(clock)))
    return run_node(build(made, clock, state_file=state_file))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
