"""What a profile means: checked against the drivers, the registered schemas and itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from agent.alarm import Alarm
from agent.catalog import Driver
from agent.config import load
from agent.config.sections import (
    Config,
    FileConfig,
    InstrumentConfig,
    LorawanConfig,
    MqttConfig,
)
from agent.config.source import Source
from agent.doors import Doors
from agent.extras import check_extras
from agent.plan.instruments import check_instruments, find_drivers, make_sensor
from agent.plan.links import check_links
from agent.plan.tables import TablePlan, check_windows, make_alarms, make_tables
from agent.plan.triggers import TriggerPlan, make_triggers
from drivers.api import Sensor


@dataclass(frozen=True)
class Plan:
    """A profile that is right: what it wants, and its drivers."""

    config: Config
    source: Source
    drivers: Mapping[str, Driver]
    sensors: Mapping[str, Sensor]  #: behind the given doors
    tables: Sequence[TablePlan]
    alarms: Mapping[str, list[Alarm]]
    triggers: Sequence[TriggerPlan] = ()
    doors: Doors | None = None

    def over(self, links: tuple[MqttConfig | FileConfig | LorawanConfig, ...]) -> Plan:
        """The same with other links."""
        return replace(self, config=msgspec.structs.replace(self.config, link=links))


def read_profile(path: Path) -> tuple[Config, Source]:
    """Load a profile; a third party's driver may lie beside it. Raises ConfigError."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return load(path)


def make_plan(config: Config, source: Source, doors: Doors | None = None) -> Plan:
    """Check a profile. Without doors nothing can be read. Raises ConfigError."""
    found = find_drivers(config, source)
    sensors = make_sensors(config, source, found, doors)
    check_instruments(config, source, sensors)
    check_extras(config, source, sensors)
    quantities = {name: sensor.quantities for name, sensor in sensors.items()}
    tables = make_tables(config, source, quantities)
    check_windows(config, source, sensors, tables)
    check_links(config, source)
    alarms = make_alarms(config, source, tables)
    triggers = make_triggers(config, source, tables, sensors)
    return Plan(config, source, found, sensors, tables, alarms, triggers, doors)


def make_sensors(
    config: Config, source: Source, found: Mapping[str, Driver], doors: Doors | None = None
) -> dict[str, Sensor]:
    """Every instrument's sensor, behind its door if there are doors. Raises ConfigError."""
    sensors = {}
    for index, one in enumerate(config.instrument):
        sensors[one.name] = make_sensor(one, index, found[one.name], None, source)
        if doors:  # its options are right: a twin can have them too
            door = door_of(one, index, found[one.name], doors, source)
            sensors[one.name] = make_sensor(one, index, found[one.name], door, source)
    return sensors


def door_of(
    one: InstrumentConfig, index: int, driver: Driver, doors: Doors, source: Source
) -> object:
    """The door of one instrument. Raises ConfigError: it cannot be simulated."""
    try:
        return doors.door(one, driver)
    except LookupError as error:
        raise source.error(f"instrument[{index}]", "driver", str(error.args[0])) from error
