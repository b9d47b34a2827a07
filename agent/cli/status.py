"""`stadtsinn status`: how the running node does.

What it shows is made by agent/status.py.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from agent.cli.options import BAD, json_option

STATE = Path("/run/stadtsinn/state.json")
RUNNING = "is it running? systemctl status stadtsinn"
OLD_S = 30.0  #: a state file older than this: the daemon does not run


@click.command(
    epilog="""\b
    Example:
      stadtsinn status
      stadtsinn status --json | jq .links
    """
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    default=STATE,
    show_default=True,
    help="The running node's state file.",
)
@json_option
def status(path: Path, as_json: bool) -> None:
    """Show how the running node does: sensors, links, store.

    Exit code 1 if it does not run, or if a sensor, stream or link is not well.
    """
    state = load(path)
    try:
        states = [one["state"] for part in ("sensors", "links") for one in state[part].values()]
        states += [one["reason"] for one in state["streams"].values() if one["reason"]]
        if as_json:
            click.echo(json.dumps(state, indent=1))
        else:
            show(state)
    except (AttributeError, KeyError, TypeError):
        click.echo(f"stadtsinn: {path}: not a state file of this version", err=True)
        sys.exit(BAD)
    # "later" is no fault: the air is not free yet
    sys.exit(BAD if any(one not in ("ok", "new", "warming", "later") for one in states) else 0)


def load(path: Path) -> dict[str, Any]:
    """The state as the daemon wrote it last; ends the command if there is none."""
    try:
        age_s = time.time() - path.stat().st_mtime
        state: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        denied = isinstance(error, PermissionError)
        hint = "type  sudo stadtsinn status" if denied else RUNNING
        click.echo(f"stadtsinn: {path}: {error.strerror}: {hint}", err=True)
        sys.exit(BAD)
    except ValueError:
        click.echo(f"stadtsinn: {path}: not a state file", err=True)
        sys.exit(BAD)
    if age_s > OLD_S:
        click.echo(f"stadtsinn: stopped {age_s:.0f} s ago? {path} was not renewed", err=True)
        sys.exit(BAD)
    return state


def show(state: dict[str, Any]) -> None:
    """The same as the demo's picture, once."""
    # start-up: rich takes as long as all else, and --json needs none
    from rich.console import Console

    from agent.cli.picture import loadtest, tables

    console = Console()
    console.print(f"[bold]{state['node']}[/] {state['version']}, clock {state['clock']}")
    if told := state.get("clock_told"):
        console.print(f" {told}", highlight=False)
    for one in tables(state):
        console.print(one)
    if words := loadtest(state):
        console.print(words, highlight=False)
