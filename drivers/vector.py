"""Published bytes and what they mean: data in a driver's own module, which the tests replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Vector:
    """What a chip says, in hex, and what the driver reads from it.

    `said` is, in turn: on I2C each answer; on a serial line each piece that comes, the last one
    again and again; on 1-wire each scratchpad of nine bytes.
    """

    source: str  #: who published it: datasheet and section, or the test of which driver
    said: Sequence[str]
    values: Mapping[str, float | None]  #: in the units of the quantities
    within: float = 1e-6  #: each value, in its unit
    setup: bool = False  #: whether `setup` comes before `read`
    told: Sequence[str] | None = None  #: what the driver writes meanwhile, in hex; None: any
    options: Mapping[str, Any] = field(default_factory=dict)  #: of the driver's constructor
