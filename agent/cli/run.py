"""`stadtsinn run`: the daemon."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from agent.cli.options import (
    config_errors,
    profile_argument,
    simulate_option,
    start_logging,
    told,
)
from agent.config.source import ConfigError
from agent.node import open_node, run_node
from agent.status import Node

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 3.0, 4.0)  #: before a profile that cannot be read is tried again


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

    Exit code 0 after SIGTERM or SIGINT, 1 after a fault of the program or while the profile cannot
    be read (systemd starts it again), 2 if the profile is wrong.
    """
    start_logging()
    runtime = os.environ.get("RUNTIME_DIRECTORY", "")
    state_file = Path(runtime.split(":")[0]) / "state.json" if runtime else None
    try:
        node = patiently(
            lambda: open_node(profile, simulate=simulate, store_path=store, state_file=state_file)
        )
    except OSError as error:
        click.echo(f"stadtsinn: {told(error)}", err=True)
        sys.exit(1)
    sys.exit(run_node(node))


def patiently(opened: Callable[[], Node]) -> Node:
    """The node; a profile that cannot be read, for a moment perhaps, is tried again for 10 s.

    Raises ConfigError where it is wrong, OSError where it could not be read to the end.
    """
    pauses = list(PAUSES_S)
    while True:
        try:
            return opened()
        except ConfigError as error:
            if error.key != "profile" or not isinstance(error.__cause__, OSError):
                raise
            if not pauses:
                raise error.__cause__ from None
            log.warning("profile=%s state=unread reason='%s'", error.path, error.hint)
        time.sleep(pauses.pop(0))
