"""What a look at an instrument or a link found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Finding:
    """One line: an instrument or a link."""

    name: str
    what: str  #: driver and bus, or where the link goes
    good: bool
    text: str  #: values with units, or what is wrong
    raw: list[str] = field(default_factory=list)  #: what went over the bus
