"""`stadtsinn check`: is a profile right? Offline, nothing is opened."""

from __future__ import annotations

import json
from pathlib import Path

import click

from agent.cli.common import config_errors, json_option, profile_argument


@click.command(
    epilog="""\b
    Example:
      stadtsinn check hw/nodes/school.toml
    """
)
@profile_argument
@json_option
@config_errors
def check(profile: Path, as_json: bool) -> None:
    """Check PROFILE: keys, drivers and their options, columns, alarms, links.

    Nothing is opened or sent. The first thing that is wrong is named with file, line, key and what
    was expected. Exit code 0 = right, 2 = wrong.
    """
    from agent.node import check as examine

    summary = examine(profile)
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{profile}: good. Node '{summary['node']}'")
    for table in summary["tables"]:
        click.echo(
            f"  table {table['name']}: {table['columns']} columns every {table['interval_s']} s, "
            f"schema {table['schema']}"
        )
    for name, driver in summary["instruments"].items():
        click.echo(f"  instrument {name}: {driver}")
    for name, where in summary["links"].items():
        click.echo(f"  link {name}: {where}")
