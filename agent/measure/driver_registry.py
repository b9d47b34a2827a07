"""Drivers by name: which module, which bus its constructor wants, which options it takes."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import os
import pkgutil
import sys
import traceback
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

import drivers.sensors
from agent.config.errors import in_words, near, one_of
from agent.config.remedies import remedy
from agent.config.sections import InstrumentConfig
from drivers.api import Sensor

log = logging.getLogger(__name__)

MODEMS = ("la66", "lora_e5", "rak3172", "rn2483")
BUS_KINDS = ("i2c", "port", "onewire", "pins", "node")  #: names of a constructor's first parameter

#: sensors that the agent makes of others and of itself
BUILT_IN = {
    "health": "agent.measure.health",
    "gradient": "agent.measure.gradient",
    "baseline": "agent.measure.baseline",
}
#: what profiles of 0.1 call them; understood for one release, with a line in the log
FORMER = {f"agent.{name}": name for name in BUILT_IN}

#: keys that every instrument has, whatever its driver
OWN = sorted(set(InstrumentConfig.__struct_fields__) - {"options"})


class DriverError(Exception):
    """No such driver, or an option that it does not take; `option` is the key, if one is wrong."""

    def __init__(self, hint: str, option: str = "") -> None:
        super().__init__(hint)
        self.option = option


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver module as the agent sees it."""

    name: str
    sensor: type
    twin: type | None
    bus_kind: str  #: one of BUS_KINDS, or "" for a driver without a bus
    options: Mapping[str, inspect.Parameter]

    def make(self, bus: object, options: Mapping[str, Any]) -> Sensor:
        """Construct the sensor. Constructors store; nothing is read. Raises DriverError."""
        arguments = [bus] if self.bus_kind else []
        made: Sensor = self.sensor(*arguments, **self._checked(options))
        return made

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        hints = typing.get_type_hints(self.sensor.__init__)  # type: ignore[misc]
        for key in options:
            if key not in self.options:
                known = [*self.options, *OWN]
                hint = f"is no option of driver '{self.name}'{near(key, known)}"
                raise DriverError(hint, key)
        for key, parameter in self.options.items():
            if parameter.default is parameter.empty and key not in options:
                raise DriverError(f"is missing: driver '{self.name}' needs it", key)
        return {
            key: self._converted(key, value, hints.get(key, Any)) for key, value in options.items()
        }

    def _converted(self, key: str, value: Any, hint: Any) -> Any:
        try:
            return msgspec.convert(value, hint, strict=True)
        except msgspec.ValidationError as error:
            text = in_words(str(error))
            text += remedy(text, value, key)
            choice = one_of(hint, text) if "enum" in str(error) else ""
            raise DriverError(text + choice, key) from error


def find(name: str) -> Driver:
    """The driver `name`: built in, one of drivers.sensors, or any module. Raises DriverError."""
    if name in FORMER:
        if name not in _told_renamed:
            log.warning(
                "driver=%s state=renamed reason='write driver = \"%s\"'", name, FORMER[name]
            )
        _told_renamed.add(name)
        name = FORMER[name]
    module = _import(BUILT_IN.get(name, name), "drivers.sensors", known())
    sensor = getattr(module, "DRIVER", None)
    if sensor is None:
        raise DriverError(f"module '{module.__name__}' has no DRIVER")
    parameters = dict(list(inspect.signature(sensor.__init__).parameters.items())[1:])
    first = next(iter(parameters), "")
    bus_kind = first if first in BUS_KINDS else ""
    parameters.pop(bus_kind, None)
    any_number = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = {key: one for key, one in parameters.items() if one.kind not in any_number}
    return Driver(name, sensor, getattr(module, "TWIN", None), bus_kind, parameters)


def find_modem(name: str) -> ModuleType:
    """The modem driver `name`: one of drivers.modems, or any module. Raises DriverError."""
    module = _import(name, "drivers.modems", MODEMS)
    if not hasattr(module, "DRIVER"):
        raise DriverError(f"module '{module.__name__}' has no DRIVER{near(name, MODEMS)}")
    return module


def known() -> list[str]:
    """The drivers that come with the agent, and those in the folders of `look_beside`."""
    found = (module.name for module in pkgutil.iter_modules(drivers.sensors.__path__))
    return sorted({*found, *BUILT_IN, *(name for folder in _beside for name in _modules(folder))})


def look_beside(folder: Path) -> None:
    """A third party's drivers may lie in this folder, beside a profile.

    Root loads none from where others may write: whoever may change a file there would be root.
    """
    place = folder.resolve()
    if place in _beside or not _trusted(place):
        return
    _beside.append(place)
    sys.path.append(str(place))


_beside: list[Path] = []
_told_renamed: set[str] = set()  # a log line each, once


def _trusted(folder: Path) -> bool:
    if os.name != "posix" or os.geteuid() != 0:
        return True
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == 0 and not found.st_mode & 0o022


def _modules(folder: Path) -> Iterator[str]:
    """Files that say which driver is in them; not run."""
    for path in folder.glob("*.py"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if "DRIVER" in path.read_text(encoding="utf-8"):
                yield path.stem


def _import(name: str, folder: str, known: Sequence[str]) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise DriverError(f"'{name}' is no name of a driver")
    places = [name] if "." in name else [f"{folder}.{name}", name]
    for place in places:
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            inside = error.name is not None and (place + ".").startswith(error.name + ".")
            if not inside:
                raise DriverError(f"driver '{name}' needs the module '{error.name}'") from error
        except (
            Exception,
            SystemExit,
        ) as error:  # a slip in somebody's file is not ours to fall over
            raise DriverError(f"driver '{name}' cannot be loaded: {slip(error)}") from error
    raise DriverError(f"no driver '{name}'{near(name, known)}")


def slip(error: BaseException) -> str:
    """What is wrong with a file, and where: file and line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}: {type(error).__name__}: {error}"
