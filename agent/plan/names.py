"""Names that a profile gives and refers to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from agent.config.errors import near
from agent.config.source import Source
from drivers.api import Quantity


def resolve(
    reference: str,
    quantities: Mapping[str, Mapping[str, Quantity]],
    source: Source,
    where: str,
    key: str,
) -> tuple[str, str, Quantity]:
    """instrument.quantity -> both, and what it means. Raises ConfigError."""
    instrument, name = reference.split(".")
    if instrument not in quantities:
        hint = f"no instrument '{instrument}'{near(instrument, quantities)}"
        raise source.error(where, key, hint)
    if name not in quantities[instrument]:
        hint = f"'{instrument}' does not measure '{name}'{near(name, quantities[instrument])}"
        raise source.error(where, key, hint)
    return instrument, name, quantities[instrument][name]


def unique(source: Source, section: str, names: Iterable[str]) -> None:
    """No name is used twice. Raises ConfigError."""
    names = list(names)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        second = [index for index, name in enumerate(names) if name == twice][1]
        raise source.error(f"{section}[{second}]", "name", f"'{twice}' is used twice")
