"""Rows that one frame can hold: of one layout, equally spaced."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.model.batch import Layout, Row, Rows

LONGEST_S = 14_400  #: WIRE.md section 2: m x interval never exceeds four hours

#: a row as it is kept: seq, boot, mono_ms, start, cells, layout
Record = tuple[int, int, int, int | None, bytes, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one layout, equally spaced, in the order in which they were read."""

    layout: Layout
    rows: Sequence[Row]
    step: int = 1  #: WIRE's m


def leading_run(
    records: Sequence[Record], layouts: Mapping[int, Layout], direction: int, step: int = 0
) -> Run:
    """The longest beginning of `records` that one frame can hold.

    `direction` is 1 for records in order, -1 for newest first. `step` is WIRE's m; 0 takes what
    the first two rows suggest.
    """
    *columns, ids = zip(*records, strict=True)
    _, boots, monos, starts, _ = columns
    layout = layouts[ids[0]]
    length = alike(ids)
    if starts[0] is None:
        length = min(length, alike(starts), alike(boots))
        ticks = [mono_ms // (1000 * layout.interval_s) for mono_ms in monos[:length]]
        step, spaced = 1, equally_spaced(ticks, direction)
    else:
        length = min(length, starts.index(None) if None in starts else length)
        step = step or suggested_step(starts[:2], layout.interval_s)
        spaced = equally_spaced(starts[:length], direction * step * layout.interval_s)
    return Run(layout, Rows(columns)[:spaced], step)


def suggested_step(starts: Sequence[int | None], interval_s: int) -> int:
    """WIRE's m of a run that begins with these two starts; 1 where there is no such m."""
    first, second = starts[0], starts[-1]
    if first is None or second is None:
        return 1
    step, rest = divmod(abs(second - first), interval_s)
    power_of_two = step > 0 and step & (step - 1) == 0
    if rest or not power_of_two or step > most_step(interval_s) or first // interval_s % step:
        return 1
    return step


def most_step(interval_s: int) -> int:
    """The largest power of two whose multiple of the interval is at most four hours."""
    return 1 << (LONGEST_S // interval_s).bit_length() - 1


def alike(values: Sequence[Any]) -> int:
    """How many values at the beginning are the same."""
    if values.count(values[0]) == len(values):
        return len(values)
    return next(n for n, value in enumerate(values) if value != values[0])


def equally_spaced(keys: Sequence[int], step: int) -> int:
    """How many keys at the beginning follow each other by `step`."""
    wanted = range(keys[0], keys[0] + step * len(keys), step)
    if all(map(operator.eq, keys, wanted)):
        return len(keys)
    return next(n for n, (key, want) in enumerate(zip(keys, wanted, strict=True)) if key != want)
