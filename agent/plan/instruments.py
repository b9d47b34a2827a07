"""Instruments of a profile: their drivers, buses, options, quantities, inputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from inspect import signature

from agent.config.errors import misspelt, near
from agent.config.sections import (
    Calibration,
    Config,
    InstrumentConfig,
    WindowConfig,
)
from agent.config.source import Source
from agent.measure.driver_registry import Driver, DriverError, find, slip
from agent.measure.window import Window
from agent.model.schema import quantity_kinds
from agent.plan.names import resolve, unique
from drivers.api import Quantity, Sensor

BUSES = {
    "i2c": (r"i2c-\d+", "i2c-1"),
    "port": (r"/.+", "/dev/serial0' (on a Pi 5 '/dev/ttyAMA0'), by USB '/dev/ttyUSB0"),
}  #: kind: form, example
BUS_WORDS = {"i2c": "I2C bus", "port": "serial port"}
ADDRESSES = range(0x08, 0x78)  #: of I2C, 7 bits; what lies outside is reserved


def find_drivers(config: Config, source: Source) -> dict[str, Driver]:
    """The driver of each instrument. Raises ConfigError."""
    unique(source, "instrument", (one.name for one in config.instrument))
    found = {}
    for index, one in enumerate(config.instrument):
        try:
            found[one.name] = find(one.driver)
        except DriverError as error:
            raise source.error(f"instrument[{index}]", "driver", str(error)) from error
        _check_bus(one, found[one.name].bus_kind, source, f"instrument[{index}]")
    _check_ports(config, found, source)
    return found


def make_sensor(
    config: InstrumentConfig, index: int, driver: Driver, bus: object, source: Source
) -> Sensor:
    """Construct one sensor behind its bus; a bus of None is good enough to ask what it measures.

    Raises ConfigError naming the option that is wrong.
    """
    try:
        made = driver.make(bus, config.options)
        if config.window is None and not hasattr(made, "drain"):
            return made
        return Window(config.name, made, config.window or WindowConfig(), config.calibrate)
    except DriverError as error:
        raise source.error(f"instrument[{index}]", error.option, str(error)) from error
    except (TypeError, ValueError) as error:
        key = str(error).split()[0].split(".")[0] if str(error) else ""  # it begins with the option
        known = key in config.options or key == "window"
        hint = f"driver '{driver.name}': {error}"
        raise source.error(f"instrument[{index}]", key if known else "", hint) from error
    except (Exception, SystemExit) as error:  # in somebody's constructor
        hint = f"driver '{driver.name}' cannot be made: {slip(error)}"
        raise source.error(f"instrument[{index}]", "driver", hint) from error


def check_instruments(config: Config, source: Source, sensors: Mapping[str, Sensor]) -> None:
    """Inputs and calibrations name things that exist. Raises ConfigError."""
    for index, one in enumerate(config.instrument):
        _check_kinds(one, sensors[one.name], source, f"instrument[{index}]")
    quantities = {name: sensor.quantities for name, sensor in sensors.items()}
    for index, one in enumerate(config.instrument):
        where = f"instrument[{index}]"
        sensor = sensors[one.name]
        known = {*quantities[one.name], *(sensor.axes if isinstance(sensor, Window) else ())}
        _check_names(one.name, one.still_s, quantities[one.name], source, f"{where}.still_s")
        _check_names(one.name, one.calibrate, known, source, f"{where}.calibrate")
        for quantity in one.calibrate:
            if not one.calibrate[quantity].gain:
                hint = "0 makes all values alike: 1.0 leaves them as they are"
                raise source.error(f"{where}.calibrate.{quantity}", "gain", hint)
            measured = quantities[one.name].get(quantity)
            if measured is not None and off_the_range(measured, one.calibrate[quantity]):
                hint = f"leaves no value within {measured.low:g} to {measured.high:g}"
                raise source.error(f"{where}.calibrate.{quantity}", "offset", hint)
        compensate = getattr(sensors[one.name], "compensate", None)
        accepted = list(signature(compensate).parameters) if compensate else []
        for key, reference in one.inputs.items():
            if key not in accepted:
                hint = f"driver '{one.driver}' has no such input{near(key, accepted)}"
                raise source.error(f"{where}.inputs", key, hint)
            _, _, given = resolve(reference, quantities, source, f"{where}.inputs", key)
            wanted, unit = unit_of(key), quantity_kinds()[given.kind].unit
            if wanted and unit != wanted:
                hint = f"is in {wanted}, '{reference}' in {unit or 'no unit'}"
                raise source.error(f"{where}.inputs", key, hint)
    _check_addresses(config, source, sensors)


UNITS = {"pa": "Pa", "cel": "Cel", "percent": "%", "m": "m", "mm": "mm", "v": "V", "hz": "Hz"}


def unit_of(key: str) -> str:
    """The unit of an input, as its name says it: pressure_pa, temperature; empty if it does not."""
    name, _, suffix = key.rpartition("_")
    if name and suffix in UNITS:
        return UNITS[suffix]
    return quantity_kinds()[key].unit if key in quantity_kinds() else ""


def off_the_range(quantity: Quantity, calibration: Calibration) -> bool:
    """Whether a calibration leaves no value that could be believed."""
    ends = [one * calibration.gain + calibration.offset for one in (quantity.low, quantity.high)]
    return max(ends) < quantity.low or min(ends) > quantity.high


def _check_names(
    sensor: str, given: Iterable[str], known: Collection[str], source: Source, where: str
) -> None:
    for quantity in given:
        if quantity not in known:
            hint = f"'{sensor}' does not measure it{near(quantity, known)}"
            raise source.error(where, quantity, hint)


def sound(quantity: object) -> bool:
    """Whether rows can be made of it: a step above zero, a range that has room."""
    return isinstance(quantity, Quantity) and quantity.step > 0 and quantity.low < quantity.high


def _check_ports(config: Config, found: Mapping[str, Driver], source: Source) -> None:
    """A serial line has one chip at its end."""
    taken: dict[str, str] = {}
    for index, one in enumerate(config.instrument):
        if found[one.name].bus_kind == "port" and taken.setdefault(one.bus, one.name) != one.name:
            hint = f"{one.bus} belongs to '{taken[one.bus]}' already"
            raise source.error(f"instrument[{index}]", "bus", hint)


def _check_bus(one: InstrumentConfig, kind: str, source: Source, where: str) -> None:
    pattern, example = BUSES.get(kind, ("", ""))
    if not re.fullmatch(pattern, one.bus) and pattern:
        what = f"driver '{one.driver}' needs one, such as '{example}'"
        word = BUS_WORDS[kind]
        if slip := "" if one.bus else misspelt("bus", one.options):
            raise source.error(where, slip, "unknown key; did you mean 'bus'?")
        hint = f"'{one.bus}' is no {word}: {what}" if one.bus else f"is missing: {what}"
        raise source.error(where, "bus", hint)


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
