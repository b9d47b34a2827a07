"""node.toml -> frozen structs. An error names file, line, key, what was expected, nearest key."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.config.errors import explain
from agent.config.sections import Config, InstrumentConfig
from agent.config.slips import Slip, mend
from agent.config.source import ConfigError, Source

UTF_16 = (b"\xff\xfe", b"\xfe\xff")  #: how a file of Notepad's "Unicode" begins


def load(path: Path) -> tuple[Config, Source]:
    """Read and shape-check a profile. Raises ConfigError."""
    text, mistakes = read_text(path)
    if mistakes:
        raise mistakes[0]
    return parse(path, text)


def read_text(path: Path) -> tuple[str, list[ConfigError]]:
    """The text of a profile, and what is wrong with how it was saved.

    Raises ConfigError where there is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(path, 0, "profile", (error.strerror or str(error)).lower()) from error
    if data[:2] in UTF_16 and len(data) % 2 == 0:
        hint = "is saved as UTF-16 ('Unicode'): save it anew, with the coding UTF-8"
        return data.decode("utf-16", "replace"), [ConfigError(path, 1, "profile", hint)]
    try:
        return data.decode("utf-8-sig"), []  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        text = data.decode("cp1252", "replace")
        here = text.splitlines()[line - 1].strip()
        hint = "is not saved as UTF-8 but as 'ANSI', 'Latin-1' or the like: save it anew as UTF-8"
        return text, [ConfigError(path, line, "profile", hint, text=here)]


def parse(path: Path, text: str) -> tuple[Config, Source]:
    """Shape-check the text of a profile. Raises ConfigError, for the first slip there is."""
    source = Source(path, text)
    _, slips = mend(text)
    if slips:
        raise syntax_errors(source, slips)[0]
    raw = tomllib.loads(text)
    _check_numbers(raw, "", source)
    _gather_options(raw)
    try:
        return msgspec.convert(raw, Config), source
    except msgspec.ValidationError as error:
        raise explain(error, raw, source) from None


def syntax_errors(source: Source, slips: Sequence[Slip]) -> list[ConfigError]:
    """Slips as errors of a profile, in the order of its lines."""
    return [
        ConfigError(
            source.path, one.line, one.key or "this line", one.hint, text=source.lines[one.line - 1]
        )
        for one in sorted(slips)
    ]


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
