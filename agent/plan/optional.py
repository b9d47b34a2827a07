"""Optional parts of an installation: what a profile needs of them, and what to type for one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from agent.config.sections import Config, LorawanConfig
from agent.config.source import Source
from drivers.api import Sensor

PI, BRIDGE, SIM, LORAWAN, DEMO = "pi", "bridge", "sim", "lorawan", "demo"
#: extra -> what it brings
MODULES = {BRIDGE: "numpy", SIM: "cryptography", LORAWAN: "segno", DEMO: "dateutil"}


class MissingExtra(Exception):
    """Something optional is not installed; `str()` says what to type."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} {needs(extra)}")


def missing(extra: str) -> bool:
    """Whether what the extra brings is absent here."""
    return find_spec(MODULES[extra]) is None


def needs(extra: str) -> str:
    """What is absent and the line to type, for this very environment."""
    return f"needs {MODULES[extra]}. Please type:  {pip()} install 'stadtsinn[{extra}]'"


def pip() -> str:
    """The installer of the environment that runs, as it is typed here."""
    beside = Path(sys.prefix) / "bin" / "pip"
    short = beside.relative_to(Path.cwd()) if Path(sys.prefix).parent == Path.cwd() else beside
    command = str(short) if beside.exists() else f"{sys.executable} -m pip"
    return command if os.access(sys.prefix, os.W_OK) else f"sudo {command}"


def wanted(config: Config, sensors: Mapping[str, Sensor]) -> list[str]:
    """The extras a node of this profile needs, for an installer."""
    bridge = any(extra_of(one) == BRIDGE for one in sensors.values())
    radio = any(isinstance(one, LorawanConfig) for one in config.link)
    pins = any(isinstance(one, LorawanConfig) and one.reset_pin is not None for one in config.link)
    return [PI] * pins + [BRIDGE] * bridge + [LORAWAN] * radio


def check_optional(config: Config, source: Source, sensors: Mapping[str, Sensor]) -> None:
    """What the instruments need is installed. Raises ConfigError."""
    for index, one in enumerate(config.instrument):
        extra = extra_of(sensors[one.name])
        if extra and missing(extra):
            raise source.error(f"instrument[{index}]", "driver", f"'{one.name}' {needs(extra)}")


def extra_of(sensor: Sensor) -> str:
    """What a sensor says it needs; empty where it is content with what everybody has."""
    return str(getattr(sensor, "extra", ""))
