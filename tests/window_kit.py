"""A node in virtual time whose chips feel what a test wants, all through their drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.clock import VirtualClock
from agent.codec import bytes_to_cells
from agent.config import parse
from agent.daemon import run_virtual
from agent.model.schema import Cell, Missing
from agent.node import build
from agent.plan import make_plan
from agent.simulate import SimBuses, check_feeds, make_world
from agent.status import Node
from tests.conftest import MONDAY
from tests.rig import MemoryLink

LINK = '\n[[link]]\nname = "city"\nkind = "file"\npath = "frames"\n'

LEVEL = """
[[instrument]]
name = "acc"
driver = "iis2iclx"
bus = "i2c-1"
%s
"""
THREE_AXES = LEVEL.replace("iis2iclx", "adxl355")
GAUGE = """
[[instrument]]
name = "eps"
driver = "ads122c04"
bus = "i2c-1"
rate_hz = 45
window = { rate_hz = 4, bins = 4, bin_width = 100, detail_category = 36, on = 3.0, off = 1.5 }
"""


def table(name: str, interval_s: int, *columns: str) -> str:
    """A private table of `column=instrument.quantity`, or of quantities of `acc`."""
    pairs = [one.split("=") if "=" in one else (one, f"acc.{one}") for one in columns]
    rows = ", ".join(f'{{ name = "{name}", from = "{source}" }}' for name, source in pairs)
    return f'[[table]]\nname = "{name}"\ninterval_s = {interval_s}\ncolumns = [{rows}]\n'


class Signal(Mapping[str, float]):
    """One quantity of a twin as a function of monotonic time."""

    def __init__(self, name: str, now: Callable[[], float], of: Callable[[float], float]) -> None:
        self.name, self.now, self.of = name, now, of

    def __getitem__(self, name: str) -> float:
        return self.of(self.now())

    def __iter__(self) -> Iterator[str]:
        return iter([self.name])

    def __len__(self) -> int:
        return 1


@dataclass
class WindowRig:
    """The node, its twins, its clock."""

    node: Node
    buses: SimBuses
    clock: VirtualClock
    link: MemoryLink

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        run_virtual(self.node.jobs, self.clock, self.clock.monotonic() + seconds)

    def codes(self) -> list[int]:
        """Codes of the events of tables that the far side knows."""
        return [one.code for one in self.link.far.events if one.schema]

    def figures(self, table: str, name: str) -> list[float]:
        """One column of every row, oldest first; none is missing."""
        found = [row[name] for row in self.rows(table)]
        assert not any(isinstance(one, Missing) for one in found)
        return [float(one) for one in found if not isinstance(one, Missing)]

    def rows(self, table: str) -> list[dict[str, float | Missing]]:
        """Every row of a table in units, oldest first."""
        found = []
        for layout, row in self.node.store.rows(table):
            cells = zip(layout.schema.fields, bytes_to_cells(row.cells), strict=True)
            found.append({one.name: in_units(one.value, cell) for one, cell in cells})
        return found


def in_units(value: Callable[[int], float], cell: Cell) -> float | Missing:
    return cell if isinstance(cell, Missing) else value(cell)


def make_window_rig(folder: Path, text: str, clock: VirtualClock | None = None) -> WindowRig:
    """A simulated node; on the same folder and clock again: after a restart."""
    config, source = parse(folder / "node.toml", 'node = { name = "deck" }\n' + text + LINK)
    clock = clock or VirtualClock(MONDAY)
    world = make_world(config, source)
    check_feeds(config, source, world)
    given = config.simulate
    buses = SimBuses(clock, clock.true_utc, world, given.feeds, None, given.rate_error)
    link = MemoryLink(clock)
    made = make_plan(config, source, buses)
    node = build(made, clock, store_path=folder / "store.db", links={"city": link.with_encoder})
    return WindowRig(node, buses, clock, link)
