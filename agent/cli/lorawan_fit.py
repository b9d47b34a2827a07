"""The columns of a table as lines of a profile, fitted to rows that were measured."""

from __future__ import annotations

from collections.abc import Sequence

from agent.codec import bytes_to_cells
from agent.codec.fit import body_bytes, fitted
from agent.config.sections import Config, TableConfig
from agent.config.source import Source
from agent.model.batch import Layout, Row
from agent.model.schema import Cell, Field, Missing
from agent.plan import make_plan


def fit_lines(
    config: Config,
    source: Source,
    table: TableConfig,
    layout: Layout,
    rows: Sequence[Row],
    together: int,
) -> list[str]:
    """What is gained, and the lines to put in place of the table's. Raises ConfigError."""
    cells = [bytes_to_cells(row.cells) for row in reversed(rows)]
    used = [at for at in range(len(layout.schema.fields)) if not empty(cells, at)]
    before = [layout.schema.fields[at] for at in used]
    kept = [[row[at] for at in used] for row in cells]
    after = fitted(kept, before, together)
    old, new = (body_bytes(kept, one, together) for one in (before, after))
    gained = f"{old:.1f} -> {new:.1f} bytes a frame of {together} rows, without its head"
    return [
        f"# {len(rows)} rows of table {table.name}: {gained}",
        *lines(config, source, table, after),
    ]


def empty(rows: Sequence[Sequence[Cell]], column: int) -> bool:
    """Whether a column is not measured here at all."""
    return all(row[column] is Missing.NOT_AVAILABLE for row in rows)


def lines(config: Config, source: Source, table: TableConfig, fields: Sequence[Field]) -> list[str]:
    """The table's section as a profile has it; without `schema`, for its number follows by itself.

    Raises ConfigError.
    """
    plan = next(one for one in make_plan(config, source).tables if one.name == table.name)
    origin = {
        field.name: one for field, one in zip(plan.schema.fields, plan.sources, strict=True) if one
    }
    found = [
        "[[table]]",
        f'name = "{table.name}"',
        f"interval_s = {table.interval_s}",
        "columns = [",
    ]
    for one in fields:
        if one.name in origin:
            where = ".".join(origin[one.name])
            found.append(
                f'  {{ name = "{one.name}", from = "{where}", step = {one.step:g}, '
                f"nominal = {one.nominal}, orders = [{one.first_order}, {one.next_order}] }},"
            )
    return [*found, "]"]
