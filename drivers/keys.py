"""The identity of a LoRaWAN device, and how to keep it out of logs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KEY = re.compile(r"(?:[0-9A-Fa-f]{2}[ :,]?){12,}")  # long hex: a key, whole, cut or garbled
HEX = re.compile(r"[0-9A-F]*")


@dataclass(frozen=True, slots=True)
class Keys:
    """DevEUI, JoinEUI (AppEUI) and AppKey in hex. Raises ValueError: which one, and why."""

    dev_eui: str  #: 16 digits
    join_eui: str  #: 16 digits
    app_key: str = field(repr=False)  #: 32 digits

    def __post_init__(self) -> None:
        for name, length in (("dev_eui", 16), ("join_eui", 16), ("app_key", 32)):
            value = bare(getattr(self, name))
            if not HEX.fullmatch(value):
                raise ValueError(f"{name}: only the hex digits 0-9 A-F are allowed")
            if len(value) != length:
                raise ValueError(f"{name}: {length} hex digits wanted, {len(value)} given")
            object.__setattr__(self, name, value)


def bare(text: str) -> str:
    """Hex digits as modems write them in one run: without blanks, colons, dashes; upper case."""
    return re.sub(r"[ :\-]", "", text).upper()


def masked(line: str) -> str:
    """A line for logs and errors: long hex is hidden."""
    return KEY.sub("***", line)
