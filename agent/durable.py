"""Files whose names outlive a power cut, and that are never somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fresh(path: Path, encoding: str = "utf-8", newline: str | None = None) -> IO[str]:
    """A new file in place of what is there; a link is replaced, never followed. Raises OSError."""
    path.unlink(missing_ok=True)
    return path.open("x", encoding=encoding, newline=newline)


@contextmanager
def as_owner_of(place: Path) -> Iterator[None]:
    """Root has no more rights than the owner of `place` meanwhile.

    Whatever that user has put there, a link or a name, leads no further than that user gets. Others
    go on as they are.
    """
    try:
        owner = place.stat()
    except OSError:
        owner = None
    if owner is None or os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
