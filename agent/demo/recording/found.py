"""What was found in a file of somebody's values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from agent.demo.recording import moments
from agent.demo.recording.grid import Column, Table
from agent.demo.recording.text import Text
from drivers.sim.replay import Track


@dataclass
class Recording:
    """A file as it was understood, and its tracks by channel."""

    path: Path
    text: Text
    table: Table
    zone: moments.Local
    above: int  #: lines up to the headings
    tracks: dict[str, Track] = field(default_factory=dict)
    used: list[Column] = field(default_factory=list)
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  #: why -> how many
    example: dict[str, str] = field(default_factory=dict)  #: why -> the first such cell
    interval_s: float = 0.0
    said: str = ""  #: what was understood, in one paragraph

    @property
    def dated(self) -> bool:
        """Whether its rows have times."""
        return self.table.parse is not None

    def leave(self, why: str, cell: str = "") -> None:
        """Count what is left out."""
        self.left_out[why] += 1
        if cell:
            self.example.setdefault(why, cell.strip()[:40])
