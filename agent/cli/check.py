"""`stadtsinn check`: is a profile right? Offline, nothing is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_errors, json_option, profile_argument
from agent.measure.window import Window
from agent.plan import Plan, make_plan, make_sensors, read_profile
from agent.plan.instruments import find_drivers
from agent.plan.optional import wanted
from agent.simulate import check_feeds, make_world

LONG_S = 1800  #: longer intervals of a chip with a FIFO are warned of


@click.command(
    epilog="""\b
    Example:
      stadtsinn check hw/nodes/school.toml
    """
)
@profile_argument
@click.option("--extras", is_flag=True, help="Only the extras it needs, for an installer.")
@json_option
@config_errors
def check(profile: Path, extras: bool, as_json: bool) -> None:
    """Check a profile, offline.

    Keys, drivers and their options, columns, alarms, links of PROFILE. Nothing is opened or sent.
    The first thing that is wrong is named with file, line, key and what was expected. Exit code 0 =
    right, 2 = wrong.
    """
    if extras:
        click.echo(",".join(wanted_extras(profile)))
        return
    summary = examine(profile)
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{profile}: good. Node '{summary['node']}'")
    for name, driver in summary["instruments"].items():
        click.echo(f"  instrument {name}: {driver}")
    for table in summary["tables"]:
        click.echo(
            f"  table {table['name']}: {table['columns']} columns every {table['interval_s']} s, "
            f"schema {table['schema']}"
        )
    for name, what in summary["triggers"].items():
        click.echo(f"  trigger {name}: {what}")
    for name, where in summary["links"].items():
        click.echo(f"  link {name}: {where}")
    for warning in summary["warnings"]:
        click.echo(f"  warning: {warning}")


def wanted_extras(profile: Path) -> list[str]:
    """What has to be installed for this profile. Raises ConfigError."""
    config, source = read_profile(profile)
    return wanted(config, make_sensors(config, source, find_drivers(config, source)))


def examine(profile: Path) -> dict[str, Any]:
    """What is in a right profile. Raises ConfigError for a wrong one."""
    config, source = read_profile(profile)
    made = make_plan(config, source)
    check_feeds(config, source, make_world(config, source))
    return {
        "node": config.node.name,
        "instruments": {one.name: one.driver for one in config.instrument},
        "tables": [
            {
                "name": table.name,
                "columns": sum(source is not None for source in table.sources),
                "interval_s": table.interval_s,
                "schema": table.schema.number,
            }
            for table in made.tables
        ],
        "triggers": {
            one.config.column: f"{one.kind} on {one.config.instrument}.{one.config.axis}"
            + (", keeps records" if one.config.record else "")
            for one in made.triggers
        },
        "links": {
            one.name: str(getattr(one, "url", getattr(one, "path", getattr(one, "port", ""))))
            for one in config.link
        },
        "warnings": list(long_windows(made)),
    }


def long_windows(made: Plan) -> Iterator[str]:
    """Chips whose samples a long interval keeps in memory."""
    for table in made.tables:
        if table.interval_s <= LONG_S:
            continue
        for name in dict.fromkeys(source[0] for source in table.sources if source):
            window = made.sensors[name]
            if isinstance(window, Window) and window.fifo:
                here, there = (window.memory_bytes(s) / 1e6 for s in (table.interval_s, LONG_S))
                yield (
                    f"instrument {name}: for table {table.name} samples of {table.interval_s} s "
                    f"stay in memory, {here:.0f} MB at least; of {LONG_S} s {there:.0f} MB"
                )
