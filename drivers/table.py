"""The table of sensors in drivers/README.md, made from the modules.

usage: python -m drivers.table [--check]

With --check nothing is written; exit 1 if a row is missing or says something else.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import drivers.sensors

README = Path(__file__).with_name("README.md")
HEAD = ("| driver | chip | gives | bus |", "| --- | --- | --- | --- |")
BUSES = {"i2c": "I2C", "port": "serial", "onewire": "1-wire", "pins": "GPIO"}
BUS_WORDS = re.compile(r"[;,] (?:I2C 0x|serial|1-wire|read through).*", re.DOTALL)
MARKS = re.compile(r"(?<=<!-- sensors -->\n).*?(?=<!-- end -->)", re.DOTALL)


def rows() -> Iterator[str]:
    """A row per module of drivers/sensors, by name."""
    for found in sorted(pkgutil.iter_modules(drivers.sensors.__path__), key=lambda one: one.name):
        yield row(found.name, importlib.import_module(f"drivers.sensors.{found.name}"))


def row(name: str, module: ModuleType) -> str:
    """One driver: its page, what the docstring calls it, what it gives, how it is connected."""
    first = next(iter(list(inspect.signature(module.DRIVER.__init__).parameters)[1:]), "")
    cells = (
        f"[`{name}`](../hw/wiring/{name}.md)",
        chip(module.__doc__ or ""),
        gives(module.DRIVER(None)),  # a constructor only stores
        BUSES.get(first, "-"),
    )
    return f"| {' | '.join(cells)} |"


def chip(docstring: str) -> str:
    """The first sentence, as far as the bus is not meant."""
    sentence = re.split(r"\.\s", docstring.strip(), maxsplit=1)[0].rstrip(".")
    return " ".join(BUS_WORDS.sub("", sentence).split())


def gives(sensor: object) -> str:
    """Names of its quantities, or of the axes it samples."""
    axes = getattr(sensor, "axes", None)
    if axes is not None:
        return f"samples of {', '.join(axes)} at {getattr(sensor, 'rate_hz', 0):g} Hz"
    return ", ".join(f"`{name}`" for name in getattr(sensor, "quantities", {}))


def fresh(readme: str) -> str:
    """The page with the table as the modules have it."""
    table = "\n".join([*HEAD, *rows()])
    return MARKS.sub(lambda _: f"{table}\n", readme)


def main(check: bool) -> int:
    """Write the table, or look whether it is fresh. The exit code."""
    old = README.read_text(encoding="utf-8")
    new = fresh(old)
    if check and new != old:
        print(f"{README}: not fresh: python -m drivers.table")
        return 1
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
