"""How much airtime a table needs: its rows encoded as they would be sent."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent import codec
from agent.clock import VirtualClock
from agent.config.sections import Config, LorawanConfig
from agent.config.source import Source
from agent.daemon import run_virtual
from agent.measure.health import HealthSource
from agent.model.batch import Batch, Layout, Row
from agent.node import build
from agent.plan import make_plan
from agent.status import Node
from agent.store.capacity import CANDIDATES
from agent.store.reader import Reader
from drivers.modems.eu868 import LIMIT, airtime_s

DAY_S = 86_400
SIMULATED_S = DAY_S
STREAMED_ROWS = 4  #: of a table whose chips are sampled all the time
START = 1_768_200_600.0  # a Monday morning at school


@dataclass(frozen=True, slots=True)
class Day:
    """What a day of a table costs at one data rate."""

    limit: int  #: bytes of the longest frame
    frames: float
    rows_per_frame: float
    seconds: float  #: on the air


def company(fill_s: float | None, spacing_s: int) -> int:
    """Most rows of a live frame: it leaves when its oldest row has waited (DESIGN, priority)."""
    wait_s = max(3600, 6 * spacing_s) if fill_s is None else fill_s
    return min(int(wait_s // spacing_s) + 1, CANDIDATES)


def day(
    layout: Layout,
    rows: Sequence[Row],
    step: int,
    data_rate: int,
    limit_bytes: int,
    fill_s: float | None = None,
    *,
    fixed_length: bool = False,
) -> Day:
    """Frames as full as a wait of `fill_s` makes them, no overlap; padded if `fixed_length`.

    `rows` oldest first, `step` intervals apart.
    """
    limit = min(LIMIT[data_rate], limit_bytes)
    together = company(fill_s, step * layout.interval_s)
    clock = VirtualClock(float(rows[-1].start or START))
    frames, seconds, left = 0, 0.0, list(rows)
    while left:
        newest_first = left[:together][::-1]
        batch = Batch("backfill", None, layout, newest_first, step, packed=True, boot=1,
                        in_order=True)  # fmt: skip
        encoded = codec.frame(batch, limit, clock)
        lengths = [limit if fixed_length else len(one) for one in encoded.frames]
        seconds += sum(airtime_s(length, data_rate) for length in lengths)
        frames += len(encoded.frames)
        left = left[len(encoded.rows) :]
    days = len(rows) * step * layout.interval_s / DAY_S
    return Day(limit, frames / days, len(rows) / frames, seconds / days)


def enough(
    layout: Layout, rows: Sequence[Row], step: int, data_rate: int, link: LorawanConfig
) -> tuple[float, float | None]:
    """Seconds between rows that fit into the budget, with frames as full as they get.

    And the link's `fill_s` for that, where frames have a fixed length and leave at fixed times.
    """
    fixed, limit, budget_s = link.fixed_length, link.limit_bytes, link.airtime_s_per_day
    wait_s = 1e9 if fixed else link.fill_s
    found = day(layout, rows, step, data_rate, limit, wait_s, fixed_length=fixed)
    every_s = step * layout.interval_s * found.seconds / budget_s
    if not fixed:
        return every_s, None
    return every_s, DAY_S * airtime_s(found.limit, data_rate) / budget_s - every_s


def stored(config: Config, source: Source, table: str) -> tuple[Layout, Sequence[Row]]:
    """The newest evenly spaced rows of the store. Raises ConfigError where it cannot be read."""
    try:
        found = list(Reader(Path(config.store.path)).rows(table, first_start=0))
    except OSError as error:
        raise source.error("store", "path", f"{error}; try --simulate") from error
    if not found:
        raise source.error("store", "path", f"no rows of table '{table}' yet; try --simulate")
    rows: list[Row] = []
    layout = found[-1][0]
    for one, row in reversed(found):
        if one != layout or (rows and (rows[-1].start or 0) - (row.start or 0) != one.interval_s):
            break
        rows.append(row)
    return layout, rows[::-1]


def simulated_s(node: Node) -> float:
    """Seconds to simulate: a day; chips with a FIFO take too long for more than a few rows."""
    (table,) = node.samplers
    return STREAMED_ROWS * table.layout.interval_s + 1 if node.streams else SIMULATED_S


def simulated_day(config: Config, source: Source, table: str) -> tuple[Layout, Sequence[Row]]:
    """A day of rows from simulated chips, or a few where a day takes long. Raises ConfigError."""
    # start-up: only --simulate needs it
    from agent.simulate import SimBuses, make_world

    clock = VirtualClock(START)
    world = make_world(config, source)
    wanted = tuple(one for one in config.table if one.name == table)
    alone = msgspec.structs.replace(config, link=(), alarm=(), table=wanted)
    given, health = config.simulate, HealthSource(clock)
    buses = SimBuses(clock, clock.true_utc, world, given.feeds, health, given.rate_error)
    made = make_plan(alone, source, buses)
    with tempfile.TemporaryDirectory(prefix="stadtsinn-") as folder:
        node = build(made, clock, store_path=Path(folder) / "store.db")
        run_virtual(node.jobs, clock, clock.monotonic() + simulated_s(node))
        found = list(node.store.rows(table, first_start=0))
        node.close()
    return found[-1][0], [row for _, row in found]
