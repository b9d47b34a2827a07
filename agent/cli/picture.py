"""Pictures of a node's state for a terminal (rich)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

COLOURS = {"ok": "green", "new": "dim", "degraded": "yellow", "refused": "yellow"}


def tables(state: Mapping[str, Any]) -> list[Table]:
    """Sensors, links and store of a snapshot."""
    return [sensors(state), links(state), store(state)]


def sensors(state: Mapping[str, Any]) -> Table:
    """One line per sensor: state, newest values, reason."""
    table = Table("sensor", "state", "values", title="Sensors", title_justify="left", expand=True)
    for name, one in state["sensors"].items():
        values = "  ".join(f"{key} {short(v['value'])}" for key, v in one["values"].items())
        reason = f" [dim]{escape(one['reason'])}[/]" if one["reason"] else ""
        table.add_row(name, coloured(one["state"]), escape(values) + reason)
    return table


def links(state: Mapping[str, Any]) -> Table:
    """One line per link: state, what it sent, what it owes."""
    table = Table("link", "state", "frames", "bytes", "owed", "last ack", title="Links")
    table.title_justify, table.expand = "left", True
    for name, one in state["links"].items():
        ago = "never" if one["last_ack_s"] is None else f"{one['last_ack_s']:.0f} s ago"
        reason = f" [dim]{escape(one['reason'])}[/]" if one["reason"] else ""
        numbers = [f"{one[key]:,}" for key in ("frames", "bytes", "owed")]
        table.add_row(name, coloured(one["state"]) + reason, *numbers, ago)
    return table


def store(state: Mapping[str, Any]) -> Table:
    """Rows kept and lost."""
    one = state["store"]
    table = Table("rows kept", "in memory", "lost", "on disk", title="Store")
    table.title_justify, table.expand = "left", True
    size = f"{one['bytes'] / 1e6:.1f} MB"
    table.add_row(f"{one['rows']:,}", f"{one['in_memory']:,}", f"{one['lost']:,}", size)
    return table


def coloured(state: str) -> str:
    """A state in its colour; the word says it too."""
    return f"[{COLOURS.get(state, 'red')}]{state}[/]"


def short(value: float) -> str:
    """A number as a person reads it."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
