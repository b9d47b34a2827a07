"""What a link carries, and how: as the profile and downlinks say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """What a link carries, and how."""

    tables: frozenset[str] | None = None  #: None: all
    messages: bool = True
    raw: bool = True  #: raw records; whoever carries no other message may carry these
    fill_s: float = 0.0  #: how long a live row may wait for company
    packed: bool = False
    coarse_first: bool = False  #: airtime is scarce: back-fill with the largest step first
    overlap: bool = False  #: live frames with room left go on into older rows, pending or not
    punctual: bool = False  #: a live frame waits its time even if full: its hour tells nothing
    trust_wait_s: float = 600.0  #: how long undated rows wait for a trusted clock

    def carries(self, table: str) -> bool:
        """Whether rows of `table` go out here."""
        return self.tables is None or table in self.tables
