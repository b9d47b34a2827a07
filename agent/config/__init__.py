"""node.toml -> frozen structs. An error names file, line, key, what was expected, nearest key."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from agent.config.errors import explain
from agent.config.sections import Config, InstrumentConfig
from agent.config.source import ConfigError, Source


def load(path: Path) -> tuple[Config, Source]:
    """Read and shape-check a profile. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except OSError as error:
        raise ConfigError(path, 0, "profile", (error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, 0, "profile", "is not UTF-8 text") from error
    return parse(path, text)


def parse(path: Path, text: str) -> tuple[Config, Source]:
    """Shape-check the text of a profile. Raises ConfigError."""
    source = Source(path, text)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at[1]) if at else len(source.lines)
        raise ConfigError(path, line, "TOML", _plain(str(error))) from error
    _check_numbers(raw, "", source)
    _gather_options(raw)
    try:
        return msgspec.convert(raw, Config), source
    except msgspec.ValidationError as error:
        raise explain(error, raw, source) from None


def _plain(text: str) -> str:
    """What tomllib says, where it needs knowledge of its insides to be understood."""
    twice = ("Cannot overwrite a value", "Cannot declare", "Cannot mutate")
    if not text.startswith(twice):
        return text
    return f"this key or section is there twice ({text.rpartition('(')[2]}"


def _check_numbers(value: object, where: str, source: Source) -> None:
    """No number is inf or nan, which TOML allows and nothing here means. Raises ConfigError."""
    if isinstance(value, dict):
        for key, one in value.items():
            _check_numbers(one, f"{where}.{key}" if where else key, source)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            _check_numbers(one, f"{where}[{index}]", source)
    elif isinstance(value, float) and not math.isfinite(value):
        section, _, key = where.rpartition(".")
        raise source.error(section, key, f"expected a number, got {value}")


def _gather_options(raw: dict[str, Any]) -> None:
    """Move every key of an instrument that is not ours under `options`."""
    ours = set(InstrumentConfig.__struct_fields__) - {"options"}
    instruments = raw.get("instrument")
    for one in instruments if isinstance(instruments, list) else ():
        if isinstance(one, dict):
            one["options"] = {key: one.pop(key) for key in list(one) if key not in ours}
