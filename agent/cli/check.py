"""`stadtsinn check`: is a profile right? Offline, nothing is opened."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from agent.cli.advice import advice
from agent.cli.options import USAGE, config_errors, json_option, mistakes_of, profile_argument
from agent.config.source import ConfigError
from agent.measure.window import Window
from agent.plan import Plan, make_plan, make_sensors, read_profile
from agent.plan.instruments import find_drivers
from agent.plan.machine import look_at
from agent.plan.optional import wanted
from agent.simulate import check_feeds, make_world

USUAL_S = (60, 120, 300, 600, 900, 1800, 3600)
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
    Everything that is wrong is named with file, line, key and what was expected. What the profile
    names and this machine does not have (a bus, a password file) is a warning. Exit code 0 = right,
    2 = wrong.
    """
    if extras:
        click.echo(",".join(wanted_extras(profile)))
        return
    try:
        summary = examine(profile)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"mistakes": [told(one) for one in mistakes_of(error)]}))
        sys.exit(USAGE)
    click.echo(json.dumps(summary)) if as_json else show(profile, summary)


def show(profile: Path, summary: Mapping[str, Any]) -> None:
    """For people: what is in it, what to look at again."""
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
    if summary["machine"]:
        click.echo("on this machine:")
    for warning in summary["machine"]:
        click.echo(f"  warning: {warning}")


def told(mistake: ConfigError) -> dict[str, object]:
    """One mistake for programs."""
    return {
        "line": mistake.line,
        "text": mistake.text,
        "key": mistake.key,
        "about": mistake.title,
        "hint": mistake.hint,
    }


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
        "warnings": [*long_windows(made), *odd_intervals(made), *advice(config)],
        "machine": [
            f"line {one.line}: {one.text}" if one.line else one.text
            for one in look_at(config, source)
        ],
    }


def odd_intervals(made: Plan) -> Iterator[str]:
    """Intervals whose slots wander over the minutes of the clock."""
    for table in made.tables:
        if table.interval_s >= 60 and 3600 % table.interval_s and table.interval_s % 3600:
            near = min(USUAL_S, key=lambda s: abs(s - table.interval_s))
            yield (
                f"table {table.name}: {table.interval_s} s do not fit into an hour: rows come at "
                f"another minute each hour; usual is {near}"
            )


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
