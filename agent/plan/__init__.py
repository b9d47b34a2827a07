"""What a profile means: checked against the drivers, the registered schemas and itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature

from agent.alarm import Alarm
from agent.catalog import CatalogError, Driver, find, find_modem, slip
from agent.codec import private_number
from agent.codec.wire import RAW_LIMIT
from agent.config.sections import (
    AlarmConfig,
    ColumnConfig,
    Config,
    InstrumentConfig,
    LorawanConfig,
    MqttConfig,
    TableConfig,
    WindowConfig,
)
from agent.config.source import Source
from agent.config.words import misspelt, near
from agent.plan.links import check_clients, check_mqtt
from agent.plan.triggers import RECORDS, check_carrier
from agent.schema import Field, Schema, SchemaError, field_for, quantity_kinds, registered
from agent.window import COUNTED, Window
from drivers.api import Quantity, Sensor
from drivers.modems.keys import Keys

LONGEST_S = 14_400
MOST_COLUMNS = 53  #: so many bits of `omit` a receiver in JavaScript can tell apart
BUSES = {"i2c": (r"i2c-\d+", "i2c-1"), "port": (r"/.+", "/dev/serial0")}  #: by door: form, example
ADDRESSES = range(0x08, 0x78)  #: of I2C, 7 bits; what lies outside is reserved
EVENTS = "events"  #: what `carries` calls everything that is no row


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A table as the profile wants it."""

    name: str
    interval_s: int
    schema: Schema
    sources: Sequence[tuple[str, str] | None]  #: instrument and quantity of each column


def drivers(config: Config, source: Source) -> dict[str, Driver]:
    """The driver of each instrument. Raises ConfigError."""
    _unique(source, "instrument", (one.name for one in config.instrument))
    found = {}
    for index, one in enumerate(config.instrument):
        try:
            found[one.name] = find(one.driver)
        except CatalogError as error:
            raise source.error(f"instrument[{index}]", "driver", str(error)) from error
        _check_bus(one, found[one.name].door, source, f"instrument[{index}]")
    _check_ports(config, found, source)
    return found


def _check_ports(config: Config, found: Mapping[str, Driver], source: Source) -> None:
    """A serial line has one chip at its end."""
    taken: dict[str, str] = {}
    for index, one in enumerate(config.instrument):
        if found[one.name].door == "port" and taken.setdefault(one.bus, one.name) != one.name:
            hint = f"{one.bus} belongs to '{taken[one.bus]}' already"
            raise source.error(f"instrument[{index}]", "bus", hint)


def _check_bus(one: InstrumentConfig, door: str, source: Source, where: str) -> None:
    pattern, example = BUSES.get(door, ("", ""))
    if not re.fullmatch(pattern, one.bus) and pattern:
        what = f"driver '{one.driver}' needs one, such as '{example}'"
        if slip := "" if one.bus else misspelt("bus", one.options):
            raise source.error(where, slip, "unknown key; did you mean 'bus'?")
        hint = f"'{one.bus}' is none: {what}" if one.bus else f"is missing: {what}"
        raise source.error(where, "bus", hint)


def make(
    config: InstrumentConfig, index: int, driver: Driver, door: object, source: Source
) -> Sensor:
    """Construct one sensor behind its door; a door of None is good enough to ask what it measures.

    Raises ConfigError naming the option that is wrong.
    """
    try:
        made = driver.make(door, config.options)
        if config.window is None and not hasattr(made, "drain"):
            return made
        return Window(config.name, made, config.window or WindowConfig(), config.calibrate)
    except CatalogError as error:
        raise source.error(f"instrument[{index}]", error.option, str(error)) from error
    except (TypeError, ValueError) as error:
        key = str(error).split()[0].split(".")[0] if str(error) else ""  # it begins with the option
        known = key in config.options or key == "window"
        hint = f"driver '{driver.name}': {error}"
        raise source.error(f"instrument[{index}]", key if known else "", hint) from error
    except (Exception, SystemExit) as error:  # in somebody's constructor
        hint = f"driver '{driver.name}' cannot be made: {slip(error)}"
        raise source.error(f"instrument[{index}]", "driver", hint) from error


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


def check_instruments(config: Config, source: Source, sensors: Mapping[str, Sensor]) -> None:
    """Inputs and calibrations name things that exist. Raises ConfigError."""
    for index, one in enumerate(config.instrument):
        _check_kinds(one, sensors[one.name], source, f"instrument[{index}]")
    quantities = {name: sensor.quantities for name, sensor in sensors.items()}
    for index, one in enumerate(config.instrument):
        where = f"instrument[{index}]"
        sensor = sensors[one.name]
        known = {*quantities[one.name], *(sensor.axes if isinstance(sensor, Window) else ())}
        for quantity in one.calibrate:
            if quantity not in known:
                hint = f"'{one.name}' does not measure it{near(quantity, known)}"
                raise source.error(f"{where}.calibrate", quantity, hint)
            if not one.calibrate[quantity].gain:
                hint = "0 makes all values alike: 1.0 leaves them as they are"
                raise source.error(f"{where}.calibrate.{quantity}", "gain", hint)
        compensate = getattr(sensors[one.name], "compensate", None)
        accepted = list(signature(compensate).parameters) if compensate else []
        for key, reference in one.inputs.items():
            if key not in accepted:
                hint = f"driver '{one.driver}' has no such input{near(key, accepted)}"
                raise source.error(f"{where}.inputs", key, hint)
            _resolve(reference, quantities, source, f"{where}.inputs", key)
    _check_addresses(config, source, sensors)


def tables(
    config: Config, source: Source, quantities: Mapping[str, Mapping[str, Quantity]]
) -> list[TablePlan]:
    """The tables with their schemas. Raises ConfigError."""
    _unique(source, "table", (table.name for table in config.table))
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


def alarms(config: Config, source: Source, plans: Sequence[TablePlan]) -> dict[str, list[Alarm]]:
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


def check_links(config: Config, source: Source) -> None:
    """Names are unique, `carries` names tables. Raises ConfigError."""
    _unique(source, "link", (link.name for link in config.link))
    known = [*(table.name for table in config.table), EVENTS, RECORDS]
    for index, link in enumerate(config.link):
        for word in link.carries or ():
            if word not in known:
                hint = f"no table '{word}'{near(word, known)}"
                raise source.error(f"link[{index}]", "carries", hint)
        check_carrier(link, source, f"link[{index}]")
        if isinstance(link, LorawanConfig):
            _check_radio(link, source, f"link[{index}]")
            owner = next((one.name for one in config.instrument if one.bus == link.port), None)
            if owner is not None:
                hint = f"{link.port} belongs to instrument '{owner}' already"
                raise source.error(f"link[{index}]", "port", hint)
        if isinstance(link, MqttConfig):
            check_mqtt(link, source, f"link[{index}]")
    check_clients(config.link, source)


def _check_radio(link: LorawanConfig, source: Source, where: str) -> None:
    """The modem exists, the keys have their length."""
    try:
        find_modem(link.modem)
    except CatalogError as error:
        raise source.error(where, "modem", str(error)) from error
    try:
        Keys(link.dev_eui, link.join_eui, "0" * 32)
    except ValueError as error:
        key, _, hint = str(error).partition(": ")
        raise source.error(where, key, hint) from error


def interval_allowed(seconds: int) -> bool:
    """WIRE.md section 2: 1..3600 s, or a multiple of 60 up to 4 h."""
    return 1 <= seconds <= 3600 or (seconds % 60 == 0 and 3600 < seconds <= LONGEST_S)


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
    instrument, name, quantity = _resolve(reference, quantities, source, where, field.name)
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
    _unique(source, f"{where}.columns", (column.name for column in columns))
    fields, sources = [], []
    for index, column in enumerate(columns):
        place = f"{where}.columns[{index}]"
        instrument, name, quantity = _resolve(column.source, quantities, source, place, "from")
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


def _resolve(
    reference: str,
    quantities: Mapping[str, Mapping[str, Quantity]],
    source: Source,
    where: str,
    key: str,
) -> tuple[str, str, Quantity]:
    """instrument.quantity -> both, and what it means. Raises ConfigError."""
    instrument, name = reference.split(".")
    if instrument not in quantities:
        hint = f"no instrument '{instrument}'{near(instrument, quantities)}"
        raise source.error(where, key, hint)
    if name not in quantities[instrument]:
        hint = f"'{instrument}' does not measure '{name}'{near(name, quantities[instrument])}"
        raise source.error(where, key, hint)
    return instrument, name, quantities[instrument][name]


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


def _check_kinds(one: InstrumentConfig, sensor: Sensor, source: Source, where: str) -> None:
    """What a driver measures has a number and a unit."""
    measured = getattr(sensor, "quantities", None)
    if not isinstance(measured, Mapping) or not all(map(sound, measured.values())):
        form = "'quantities': expected a dict of Quantity, step > 0, low < high"
        hint = f"driver '{one.driver}': {form}"
        raise source.error(where, "driver", hint)
    for name, quantity in measured.items():
        if quantity.kind not in quantity_kinds():
            what = f"driver '{one.driver}' measures '{name}' of kind '{quantity.kind}'"
            hint = f"{what}, which is not in quantities.toml{near(quantity.kind, quantity_kinds())}"
            raise source.error(where, "driver", hint)


def sound(quantity: object) -> bool:
    """Whether rows can be made of it: a step above zero, a range that has room."""
    return isinstance(quantity, Quantity) and quantity.step > 0 and quantity.low < quantity.high


def _check_addresses(config: Config, source: Source, sensors: Mapping[str, Sensor]) -> None:
    """Two chips of one bus never have one address."""
    taken: dict[tuple[str, int], str] = {}
    for index, one in enumerate(config.instrument):
        sensor = sensors[one.name]
        chip = sensor.source if isinstance(sensor, Window) else sensor
        address = getattr(chip, "address", None)
        if not one.bus or not isinstance(address, int):
            continue
        if address not in ADDRESSES:
            hint = f"{address:#x} is no I2C address: expected 0x08 to 0x77"
            raise source.error(f"instrument[{index}]", "address", hint)
        other = taken.setdefault((one.bus, address), one.name)
        if other != one.name:
            hint = f"0x{address:02x} on {one.bus} is '{other}' already"
            raise source.error(f"instrument[{index}]", "address", hint)


def _unique(source: Source, section: str, names: Iterable[str]) -> None:
    names = list(names)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        second = [index for index, name in enumerate(names) if name == twice][1]
        raise source.error(f"{section}[{second}]", "name", f"'{twice}' is used twice")
