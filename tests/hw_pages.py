"""What is written into the pages of hw/ from the code: keys, drivers' options, wiring pages.

usage: python -m tests.hw_pages       writes them anew, between their marks
"""

from __future__ import annotations

import pkgutil
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from pathlib import Path

import drivers.sensors
from agent.measure.driver_registry import BUILT_IN, Driver, find
from agent.plan.instruments import unit_of
from tests.profile_keys import row, tables, takes, toml

HW = Path(__file__).parents[1] / "hw"
END = "<!-- end -->"
OPTIONS_HEAD = ("| driver | key | what it takes | default |", "| --- " * 4 + "|")
WIRING_HEAD = ("| page | what for | auf Deutsch |", "| --- | --- | --- |")
BUS_KEYS = {
    **{"i2c": '"i2c-1" …', "port": '"/dev/serial0" or another serial device', "onewire": '"w1"'},
    **{"pins": "", "node": "", "": ""},
}


def options() -> str:
    """What each driver takes beside the keys that every instrument has."""
    return "\n".join([*OPTIONS_HEAD, *option_rows(), ""])


def option_rows() -> Iterator[str]:
    """By driver: its bus, its options, its inputs."""
    own = (module.name for module in pkgutil.iter_modules(drivers.sensors.__path__))
    for name in sorted([*own, *BUILT_IN]):
        driver = find(name)
        page = HW / "wiring" / f"{name}.md"
        shown = f"[`{name}`](../wiring/{name}.md)" if page.exists() else f"`{name}`"
        yield from (row([shown, *cells]) for cells in keys_of(driver))


def keys_of(driver: Driver) -> Iterator[tuple[str, str, str]]:
    """Key, what it takes, default."""
    if bus := BUS_KEYS[driver.bus_kind]:
        yield "`bus`", bus, "needed"
    hints = typing.get_type_hints(driver.sensor.__init__)  # type: ignore[misc]
    for key, parameter in driver.options.items():
        yield f"`{key}`", takes(hints.get(key, str)), default(key, parameter)
    compensate = getattr(driver.sensor, "compensate", None)
    for key in list(signature(compensate).parameters)[1:] if compensate else ():
        unit = unit_of(key)
        yield f"`inputs.{key}`", f"a reference in {unit}" if unit else "a reference", "none"


def default(key: str, parameter: Parameter) -> str:
    """As a profile would have it; an address as data sheets do."""
    if parameter.default is Parameter.empty:
        return "needed"
    if parameter.default is None:
        return "none"
    return f"`{f'0x{parameter.default:02X}' if key == 'address' else toml(parameter.default)}`"


def wiring() -> str:
    """The wiring pages."""
    return "\n".join([*WIRING_HEAD, *wiring_rows(), ""])


def wiring_rows() -> Iterator[str]:
    """By name: the page's headline, and its sentence in German."""
    for page in sorted((HW / "wiring").glob("[!R]*.md")):
        text = page.read_text(encoding="utf-8")
        headline = text.split("\n")[0].removeprefix("# ")
        german = re.search(r"^Auf Deutsch: (.*?)\n\n", text, re.M | re.DOTALL)
        yield row(
            [f"[{page.stem}]({page.name})", headline, " ".join(german[1].split()) if german else ""]
        )


#: page -> mark -> what stands behind it
WRITTEN: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "nodes/README.md": {"<!-- keys -->": tables, "<!-- options -->": options},
    "wiring/README.md": {"<!-- pages -->": wiring},
}


def between(text: str, mark: str) -> re.Match[str]:
    """The part of a page behind a mark. Raises ValueError."""
    found = re.search(f"(?<={mark}\n).*?(?={END})", text, re.DOTALL)
    if found is None:
        raise ValueError(f"the marks {mark} and {END} are gone")
    return found


def fresh(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """A page's text as it should be."""
    for mark, made in parts.items():
        old = between(text, mark)
        text = text[: old.start()] + made() + text[old.end() :]
    return text


def main() -> None:
    """Write all of them."""
    for name, parts in WRITTEN.items():
        page = HW / name
        page.write_text(fresh(page.read_text(encoding="utf-8"), parts), encoding="utf-8")


if __name__ == "__main__":
    main()
