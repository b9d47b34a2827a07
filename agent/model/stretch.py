"""Samples of one chip without a gap inside, and the reads that brought them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Read(NamedTuple):
    """One look into a chip's FIFO that brought samples."""

    end: int  #: delivered samples up to and with this read
    size: int  #: of them with this read
    at: float  #: monotonic seconds, just after the level was read
    gap: bool  #: samples are missing before the first of this read
    lost: int | None  #: how many, where the chip can tell


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples without a gap inside."""

    first: int  #: number of its first sample
    end: int  #: number of the first sample after it
    samples: array[float]  #: sample after sample, axis after axis
    reads: Sequence[Read]  #: those that brought it; the first and last perhaps in part
    gap: bool  #: whether samples are missing before it
