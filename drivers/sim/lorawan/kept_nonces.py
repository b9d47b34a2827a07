"""Nonces of a simulated device over runs: a real network server refuses one used before."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from drivers.sim.lorawan.session import Memory


def state_folder() -> Path:
    """Where a user's programs keep such things (XDG base directories)."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "stadtsinn"


@dataclass
class KeptMemory(Memory):
    """A memory of which the nonces go onto disk before they are used. Raises OSError."""

    path: Path = field(default_factory=Path)

    def __setattr__(self, name: str, value: object) -> None:
        """Both nonces are written at once, in whole."""
        object.__setattr__(self, name, value)
        if name in ("dev_nonce", "join_nonce") and "path" in self.__dict__:
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps([self.dev_nonce, self.join_nonce]), encoding="utf-8")
            part.replace(self.path)


def kept_memory(dev_eui: str, folder: Path | None = None) -> KeptMemory:
    """What the last run of this device left; zeros where there was none. Raises OSError."""
    place = folder or state_folder()
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{dev_eui.lower()}.nonces"
    try:
        dev_nonce, join_nonce = map(int, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # no run before, or a file that somebody cut short
        dev_nonce, join_nonce = 0, -1
    return KeptMemory(dev_nonce, join_nonce, path=path)
