"""What a profile means: checked against the drivers, the registered schemas and itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from agent.config import load
from agent.config.sections import (
    Config,
    FileConfig,
    InstrumentConfig,
    LorawanConfig,
    MqttConfig,
)
from agent.config.source import Source
from agent.measure.buses import Buses
from agent.measure.driver_registry import Driver, look_beside
from agent.model.alarm import Alarm
from agent.plan.instruments import check_instruments, find_drivers, make_sensor
from agent.plan.links import check_links
from agent.plan.optional import check_optional
from agent.plan.tables import TablePlan, check_commands, check_windows, make_alarms, make_tables
from agent.plan.triggers import TriggerPlan, make_triggers
from drivers.api import Sensor


@dataclass(frozen=True)
class Plan:
    """A profile that is right: what it wants, and its drivers."""

    config: Config
    source: Source
    drivers: Mapping[str, Driver]
    sensors: Mapping[str, Sensor]  #: behind the given buses
    tables: Sequence[TablePlan]
    alarms: Mapping[str, list[Alarm]]
    triggers: Sequence[TriggerPlan] = ()
    buses: Buses | None = None

    def over(self, links: tuple[MqttConfig | FileConfig | LorawanConfig, ...]) -> Plan:
        """The same with other links."""
        return replace(self, config=msgspec.structs.replace(self.config, link=links))


def read_profile(path: Path) -> tuple[Config, Source]:
    """Load a profile; a third party's driver may lie beside it. Raises ConfigError."""
    look_beside(path.resolve().parent)
    return load(path)


def make_plan(config: Config, source: Source, buses: Buses | None = None) -> Plan:
    """Check a profile. Without buses nothing can be read. Raises ConfigError."""
    found = find_drivers(config, source)
    sensors = make_sensors(config, source, found, buses)
    check_instruments(config, source, sensors)
    check_optional(config, source, sensors)
    quantities = {name: sensor.quantities for name, sensor in sensors.items()}
    tables = make_tables(config, source, quantities)
    check_windows(config, source, sensors, tables)
    check_links(config, source)
    check_commands(config, source)
    alarms = make_alarms(config, source, tables)
    triggers = make_triggers(config, source, tables, sensors)
    return Plan(config, source, found, sensors, tables, alarms, triggers, buses)


def make_sensors(
    config: Config, source: Source, found: Mapping[str, Driver], buses: Buses | None = None
) -> dict[str, Sensor]:
    """Every instrument's sensor, behind its bus if there are buses. Raises ConfigError."""
    sensors = {}
    for index, one in enumerate(config.instrument):
        sensors[one.name] = make_sensor(one, index, found[one.name], None, source)
        if buses:  # its options are right: a twin can have them too
            bus = bus_of(one, index, found[one.name], buses, source)
            sensors[one.name] = make_sensor(one, index, found[one.name], bus, source)
    return sensors


def bus_of(
    one: InstrumentConfig, index: int, driver: Driver, buses: Buses, source: Source
) -> object:
    """The bus of one instrument. Raises ConfigError: it cannot be simulated."""
    try:
        return buses.bus(one, driver)
    except LookupError as error:
        raise source.error(f"instrument[{index}]", "driver", str(error.args[0])) from error
