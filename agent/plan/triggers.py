"""What the triggers of a profile mean: checked against its tables and instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.errors import near
from agent.config.sections import (
    Config,
    LinkConfig,
    MqttConfig,
    VehicleConfig,
    VibrationConfig,
)
from agent.config.source import Source
from agent.model.schema import Field, quantity_kinds
from agent.plan.tables import TablePlan

RECORDS = "records"  #: what `carries` calls raw records
LEAST_BLOCKS_HZ = 2.0  #: a vehicle is looked for in means of half a second


@dataclass(frozen=True, slots=True)
class Sampled:
    """An instrument that brings samples."""

    axes: Sequence[str]
    units: Sequence[str]  #: UCUM, per axis; empty: not known
    rate_hz: float  #: nominal


@dataclass(frozen=True, slots=True)
class TriggerPlan:
    """A trigger as the profile wants it."""

    config: VibrationConfig | VehicleConfig
    axis: int
    units: Sequence[str]  #: of all axes
    schema: int
    column: int
    field: Field  #: the column

    @property
    def kind(self) -> str:
        """As the profile says it."""
        return str(self.config.__struct_config__.tag)

    @property
    def unit(self) -> str:
        """Of the axis."""
        return self.units[self.axis]


def make_triggers(
    config: Config, source: Source, tables: Sequence[TablePlan], sensors: Mapping[str, Any]
) -> list[TriggerPlan]:
    """The triggers. Raises ConfigError."""
    found = []
    for index, one in enumerate(config.trigger):
        where = f"trigger[{index}]"
        if one.column in (other.column for other in config.trigger[:index]):
            raise source.error(where, "column", f"'{one.column}' has a trigger already")
        found.append(_trigger(one, where, source, tables, sensors))
    return found


def check_carrier(link: LinkConfig, source: Source, where: str) -> None:
    """Raw records go over MQTT only. Raises ConfigError."""
    if RECORDS in (link.carries or ()) and not isinstance(link, MqttConfig):
        raise source.error(where, "carries", f"'{RECORDS}' go over MQTT only: take it out here")


def sampled(sensor: Any) -> Sampled | None:
    """What is known of an instrument's samples; None if it brings none.

    A chip with a FIFO says it itself; around it, or around a sensor that is read fast, may stand
    a window with the chip as its `source`.
    """
    chip = getattr(sensor, "source", sensor)
    axes = getattr(sensor, "axes", None)
    asked = chip if hasattr(chip, "drain") else getattr(sensor, "options", None)
    rate_hz = getattr(asked, "rate_hz", None)
    if not axes or not rate_hz:
        return None
    kinds, unit = quantity_kinds(), getattr(chip, "unit", "")
    quantities = {} if unit else getattr(chip, "quantities", {})
    units = [kinds[quantities[axis].kind].unit if axis in quantities else unit for axis in axes]
    return Sampled(axes, units, rate_hz)


def _trigger(
    one: VibrationConfig | VehicleConfig,
    where: str,
    source: Source,
    tables: Sequence[TablePlan],
    sensors: Mapping[str, Any],
) -> TriggerPlan:
    table, column = _column(one.column, where, source, tables)
    if one.instrument not in sensors:
        hint = f"no instrument '{one.instrument}'{near(one.instrument, sensors)}"
        raise source.error(where, "instrument", hint)
    found = sampled(sensors[one.instrument])
    if found is None:
        hint = f"'{one.instrument}' brings no samples: it needs a FIFO, or a window with rate_hz"
        raise source.error(where, "instrument", hint)
    if one.axis not in found.axes:
        hint = f"'{one.instrument}' has no axis '{one.axis}'{near(one.axis, found.axes)}"
        raise source.error(where, "axis", hint)
    axis = list(found.axes).index(one.axis)
    field, unit = table.schema.fields[column], found.units[axis]
    if field.unit and unit and field.unit != unit:
        hint = f"'{one.column}' is in {field.unit}, axis '{one.axis}' in {unit}"
        raise source.error(where, "column", hint)
    _check_levels(one, found.rate_hz, where, source)
    _check_classes(one, where, source)
    return TriggerPlan(one, axis, found.units, table.schema.number, column, field)


def _column(
    reference: str, where: str, source: Source, tables: Sequence[TablePlan]
) -> tuple[TablePlan, int]:
    name, column = reference.split(".")
    table = next((one for one in tables if one.name == name), None)
    if table is None:
        hint = f"no table '{name}'{near(name, [one.name for one in tables])}"
        raise source.error(where, "column", hint)
    names = [one.name for one in table.schema.fields]
    if column not in names:
        hint = f"table '{name}' has no '{column}'{near(column, names)}"
        raise source.error(where, "column", hint)
    return table, names.index(column)


def _check_levels(
    one: VibrationConfig | VehicleConfig, rate_hz: float, where: str, source: Source
) -> None:
    if one.off >= one.on:
        raise source.error(where, "off", f"expected less than on = {one.on:g}, got {one.off:g}")
    if isinstance(one, VehicleConfig):
        if rate_hz < LEAST_BLOCKS_HZ:
            hint = f"{rate_hz:g} samples a second are too few: it takes {LEAST_BLOCKS_HZ:g}"
            raise source.error(where, "instrument", hint)
        return
    low_hz, high_hz = one.band_hz
    if not low_hz < high_hz < rate_hz / 2:
        hint = f"expected [low, high] below {rate_hz / 2:g} Hz, half of the rate"
        raise source.error(where, "band_hz", hint)
    if one.short_s >= one.long_s:
        raise source.error(where, "short_s", f"expected less than long_s = {one.long_s:g}")


def _check_classes(one: VibrationConfig | VehicleConfig, where: str, source: Source) -> None:
    for key in ("classes", "classes_t"):
        values = getattr(one, key)
        if list(values) != sorted(set(values)):
            raise source.error(where, key, "expected ascending numbers")
    known = {key: getattr(one, key) for key in ("known_peak", "known_t", "classes_t")}
    missing = [key for key, value in known.items() if not value]
    if missing and len(missing) < len(known):
        raise source.error(where, missing[0], "is missing: known_peak, known_t, classes_t together")
    if one.classes and not missing:
        raise source.error(where, "classes", "comes out of known_peak and classes_t: name one")
