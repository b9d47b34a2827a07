"""`stadtsinn new-driver`: a driver, its twin and its wiring page that work, to be changed."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

import click

from agent.cli.options import USAGE, told
from agent.measure.driver_registry import known
from drivers import api

HOUSE = Path(api.__file__).parent
WIRING = HOUSE.parent / "hw" / "wiring"  #: of a clone; an installed wheel has none
BUSES = ("i2c", "serial", "w1")
NAME = re.compile(r"[a-z][a-z0-9_]*")
NEXT = """\
written: {driver}
         {page}
Both work as they stand. Now replace what CHANGE stands at; after each step:
  {step}
"""


class NewDriverError(Exception):
    """It cannot be written: the message says why, and what to do."""


@click.command(
    "new-driver",
    epilog="""\b
    Examples:
      stadtsinn new-driver veml7700 --bus i2c              in a clone: drivers/sensors/, hw/wiring/
      stadtsinn new-driver sds011 --bus serial --folder .  both files here, beside a profile
    """,
)
@click.argument("name")
@click.option("--bus", type=click.Choice(BUSES), required=True, help="How it is connected.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where to write both; default: the clone this command runs from.",
)
def new_driver(name: str, bus: str, folder: Path | None) -> None:
    """Write a new driver, its twin and its wiring page.

    From a template; they pass every test as they stand. A profile finds a driver that lies beside
    it by its name.
    """
    try:
        driver, page = places(name, folder)
        for path, kind in ((driver, "driver"), (page, "page")):
            path.write_text(filled(name, bus, kind), encoding="utf-8")
    except (NewDriverError, OSError) as error:
        text = told(error) if isinstance(error, OSError) else error
        click.echo(f"stadtsinn: {text}", err=True)
        sys.exit(USAGE)
    step = (
        "stadtsinn probe --simulate YOUR-PROFILE.toml"
        if folder
        else f".venv/bin/pytest -q tests/test_conformance.py -k {name}"
    )
    click.echo(NEXT.format(driver=driver, page=page, step=step), nl=False)


def places(name: str, folder: Path | None) -> tuple[Path, Path]:
    """Where driver and page go. Raises NewDriverError; nothing is ever written over."""
    if not NAME.fullmatch(name):
        raise NewDriverError(f"'{name}': a driver's name is a-z, 0-9 and _, such as veml7700")
    if name in known():
        raise NewDriverError(f"there is a driver '{name}' already: choose another name")
    if iskeyword(name) or find_spec(name):
        raise NewDriverError(f"'{name}' means something in Python already: choose another name")
    if folder is None and not WIRING.is_dir():
        raise NewDriverError("this is no clone of the project: say --folder, such as --folder .")
    driver = (folder or HOUSE / "sensors") / f"{name}.py"
    page = (folder or WIRING) / f"{name}.md"
    for path in (driver, page):
        if path.exists():
            raise NewDriverError(f"{path} is there already: delete it or choose another name")
    return driver, page


def filled(name: str, bus: str, kind: str) -> str:
    """A template of drivers/templates with the chip's name in it. Raises OSError."""
    text = (HOUSE / "templates" / f"{bus}_{kind}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(chip=name, Chip=class_name(name))


def class_name(name: str) -> str:
    """A chip in its own spelling, veml7700 -> VEML7700; words in camel case."""
    if any(letter.isdigit() for letter in name) and "_" not in name:
        return name.upper()
    return "".join(word.capitalize() for word in name.split("_"))
