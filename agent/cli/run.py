"""`stadtsinn run`: the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from agent.cli.options import (
    config_errors,
    profile_argument,
    simulate_option,
    start_logging,
    told,
)
from agent.node import open_node, run_node


@click.command(
    epilog="""\b
    Example:
      stadtsinn run /etc/stadtsinn/node.toml
      stadtsinn run --simulate hw/nodes/school.toml
    """
)
@profile_argument
@simulate_option
@click.option("--store", type=click.Path(path_type=Path), help="Another file than the profile's.")
@config_errors
def run(profile: Path, simulate: bool, store: Path | None) -> None:
    """The daemon: measure, keep, forward. As PROFILE says, until SIGTERM.

    Exit code 0 after SIGTERM or SIGINT, 1 after a fault of the program (systemd starts it again),
    2 if the profile is wrong.
    """
    start_logging()
    runtime = os.environ.get("RUNTIME_DIRECTORY", "")
    state_file = Path(runtime.split(":")[0]) / "state.json" if runtime else None
    try:
        node = open_node(profile, simulate=simulate, store_path=store, state_file=state_file)
    except OSError as error:
        click.echo(f"stadtsinn: {told(error)}", err=True)
        sys.exit(1)
    sys.exit(run_node(node))
