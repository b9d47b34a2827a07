"""What lies under a store's name, as the system and the file's first bytes tell."""

from __future__ import annotations

import os
from pathlib import Path

HEADER_BYTES = 100
LACKS_LOG = "is empty; if it is a copy, its rows are in {0}-wal: copy both, or stop the node before"


def identity(path: str) -> object:
    """Which file lies under a name; None for none. Raises OSError where that cannot be asked."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def lacks_log(path: Path) -> bool:
    """Whether a database in WAL mode has never got its tables, and its log is not there.

    https://www.sqlite.org/fileformat2.html section 1.3: read version at 19, user version at 60.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return False
    young = head.startswith(b"SQLite format 3\0") and head[19:20] == b"\2" and not any(head[60:64])
    log = Path(f"{path}-wal")  # whoever only reads makes an empty one
    return young and not (log.exists() and log.stat().st_size)
