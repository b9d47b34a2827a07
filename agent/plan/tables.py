"""Tables of a profile: their schemas, where each column comes from, and the alarms on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.codec import private_number
from agent.codec.explain import COMMANDS
from agent.codec.wire import RAW_LIMIT
from agent.config.errors import near
from agent.config.sections import (
    AlarmConfig,
    ColumnConfig,
    Config,
    TableConfig,
)
from agent.config.source import Source
from agent.measure.window import COUNTED, Window
from agent.model.alarm import Alarm
from agent.model.schema import Field, Schema, SchemaError, field_for, quantity_kinds, registered
from agent.plan.names import resolve, unique
from drivers.api import Quantity, Sensor

LONGEST_S = 14_400
MOST_COLUMNS = 53  #: so many bits of `omit` a receiver in JavaScript can tell apart


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A table as the profile wants it."""

    name: str
    interval_s: int
    schema: Schema
    sources: Sequence[tuple[str, str] | None]  #: instrument and quantity of each column


def make_tables(
    config: Config, source: Source, quantities: Mapping[str, Mapping[str, Quantity]]
) -> list[TablePlan]:
    """The tables with their schemas. Raises ConfigError."""
    unique(source, "table", (table.name for table in config.table))
    plans = []
    for index, table in enumerate(config.table):
        where = f"table[{index}]"
        _check_interval(table.interval_s, source, where)
        if isinstance(table.columns, dict):
            plans.append(_registered(table, table.columns, quantities, source, where))
        else:
            plans.append(_private(table, table.columns, quantities, source, where))
    numbers = [plan.schema.number for plan in plans]
    for index, number in enumerate(numbers):
        if number in numbers[:index]:
            other = plans[numbers.index(number)].name
            hint = (
                f"has the same schema number {number} as table '{other}': change a column or step"
            )
            raise source.error(f"table[{index}]", "columns", hint)
    return plans


def make_alarms(
    config: Config, source: Source, plans: Sequence[TablePlan]
) -> dict[str, list[Alarm]]:
    """Alarms by table, limits in whole steps of their column. Raises ConfigError."""
    found: dict[str, list[Alarm]] = {plan.name: [] for plan in plans}
    for index, alarm in enumerate(config.alarm):
        where = f"alarm[{index}]"
        if alarm.above is None and alarm.below is None:
            raise source.error(where, "", "needs 'above' or 'below'")
        table, name = alarm.column.split(".")
        if table not in found:
            raise source.error(where, "column", f"no table '{table}'{near(table, found)}")
        plan = next(plan for plan in plans if plan.name == table)
        names = [field.name for field in plan.schema.fields]
        if name not in names:
            raise source.error(
                where, "column", f"table '{table}' has no '{name}'{near(name, names)}"
            )
        column = names.index(name)
        if plan.sources[column] is None:
            hint = f"'{alarm.column}' is measured by nothing here: it would never come"
            raise source.error(where, "column", hint)
        if any(other.column == column for other in found[table]):
            raise source.error(where, "column", f"'{alarm.column}' has an alarm already")
        found[table].append(_alarm(alarm, column, plan.schema.fields[column], source, where))
    return found


def check_windows(
    config: Config, source: Source, sensors: Mapping[str, Sensor], plans: Sequence[TablePlan]
) -> None:
    """Windows compute what somebody wants; what is counted on goes into one table only.

    Raises ConfigError.
    """
    for one in config.instrument:
        for reference in one.inputs.values():
            name, quantity = reference.split(".")
            if isinstance(window := sensors[name], Window):
                window.want([quantity])
    counting: dict[str, str] = {}
    for index, table in enumerate(plans):
        for name, quantity in filter(None, table.sources):
            window = sensors[name]
            if not isinstance(window, Window):
                continue
            window.want([quantity])
            if not window.vibration and quantity.startswith(COUNTED):
                other = counting.setdefault(name, table.name)
                if other != table.name:
                    hint = f"'{name}' is counted for table '{other}' already: put both into one"
                    raise source.error(f"table[{index}]", "columns", hint)
                window.counts_for = table.name


def interval_allowed(seconds: int) -> bool:
    """WIRE.md section 2: 1..3600 s, or a multiple of 60 up to 4 h."""
    return 1 <= seconds <= 3600 or (seconds % 60 == 0 and 3600 < seconds <= LONGEST_S)


def check_commands(config: Config, source: Source) -> None:
    """Downlinks that there are; intervals, the shorter first. Raises ConfigError."""
    for one in config.commands.allow or ():
        if one not in COMMANDS:
            known = ", ".join(map(str, COMMANDS))
            raise source.error("commands", "allow", f"expected any of {known}, got {one}")
    low, high = config.commands.interval_s
    for one in (low, high):
        _check_interval(one, source, "commands")
    if low > high:
        hint = f"expected the shorter interval first, got [{low}, {high}]"
        raise source.error("commands", "interval_s", hint)


def _check_interval(seconds: int, source: Source, where: str) -> None:
    if not interval_allowed(seconds):
        hint = f"expected 1..3600, or a multiple of 60 up to {LONGEST_S}, got {seconds}"
        raise source.error(where, "interval_s", hint)


def _registered(
    table: TableConfig,
    columns: Mapping[str, str],
    quantities: Mapping[str, Mapping[str, Quantity]],
    source: Source,
    where: str,
) -> TablePlan:
    if table.schema is None:
        raise source.error(where, "schema", "is missing: columns of the form { name = … } need one")
    try:
        schema = registered(table.schema)
    except SchemaError as error:
        raise source.error(where, "schema", str(error)) from error
    names = [field.name for field in schema.fields]
    for name in columns:
        if name not in names:
            hint = f"schema {schema.number} has no such column{near(name, names)}"
            raise source.error(f"{where}.columns", name, hint)
    if not columns:
        raise source.error(where, "columns", "is empty: a table needs a column")
    sources = [
        _column(columns[one.name], one, quantities, source, f"{where}.columns")
        if one.name in columns
        else None
        for one in schema.fields
    ]
    return TablePlan(table.name, table.interval_s, schema, sources)


def _column(
    reference: str,
    field: Field,
    quantities: Mapping[str, Mapping[str, Quantity]],
    source: Source,
    where: str,
) -> tuple[str, str]:
    """Where a registered column comes from; it is in the unit of that column."""
    instrument, name, quantity = resolve(reference, quantities, source, where, field.name)
    unit = quantity_kinds()[quantity.kind].unit
    if unit != field.unit:
        hint = f"is in {field.unit or 'no unit'}, '{reference}' in {unit or 'no unit'}"
        raise source.error(where, field.name, hint)
    return instrument, name


def _private(
    table: TableConfig,
    columns: Sequence[ColumnConfig],
    quantities: Mapping[str, Mapping[str, Quantity]],
    source: Source,
    where: str,
) -> TablePlan:
    if table.schema is not None:
        hint = "a registered schema takes columns of the form { temp = 'air.temperature' }"
        raise source.error(where, "columns", hint)
    if not columns:
        raise source.error(where, "columns", "is empty: a table needs a column")
    if len(columns) > MOST_COLUMNS:
        hint = f"has {len(columns)}, a table has at most {MOST_COLUMNS}: make two tables of it"
        raise source.error(where, "columns", hint)
    unique(source, f"{where}.columns", (column.name for column in columns))
    fields, sources = [], []
    for index, column in enumerate(columns):
        place = f"{where}.columns[{index}]"
        instrument, name, quantity = resolve(column.source, quantities, source, place, "from")
        step = column.step or quantity.step
        try:
            fields.append(
                field_for(
                    column.name, quantity.kind, step, nominal=column.nominal, orders=column.orders
                )
            )
        except SchemaError as error:
            raise source.error(place, "step", str(error)) from error
        sources.append((instrument, name))
    schema = Schema(private_number(fields), tuple(fields))
    return TablePlan(table.name, table.interval_s, schema, sources)


def _limit(value: float | None, field: Field, source: Source, where: str, key: str) -> int | None:
    if value is None:
        return None
    raw = field.raw(value)
    if not -RAW_LIMIT < raw < RAW_LIMIT:
        raise source.error(where, key, f"{value:g} is beyond what the column can say")
    return raw


def _alarm(alarm: AlarmConfig, column: int, field: Field, source: Source, where: str) -> Alarm:
    limits = (("above", alarm.above), ("below", alarm.below))
    if alarm.above is not None and alarm.below is not None and alarm.above < alarm.below:
        raise source.error(where, "above", "is less than 'below': it would always stand")
    above, below = (_limit(value, field, source, where, key) for key, value in limits)
    return Alarm(column, above, below, round(alarm.hysteresis / field.step), alarm.hold_s)
