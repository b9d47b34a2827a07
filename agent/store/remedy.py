"""Why a store cannot be opened, for people: what is wrong, whose it is, what to type."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

LEAST_BYTES = 1_000_000  #: with less a new store cannot begin


def remedy(path: Path, error: OSError) -> str:
    """One line for whoever reads the log. The plainest cause first; else what the system says."""
    folder = next(one for one in path.parents if one.is_dir())
    try:
        return next(_causes(path, folder), str(error))
    except OSError:  # not even that can be asked
        return str(error)


def _causes(path: Path, folder: Path) -> Iterator[str]:
    disk = os.statvfs(folder)
    if disk.f_flag & os.ST_RDONLY:
        top = mount_of(folder)
        yield f"{top} is read-only, see  sudo dmesg ; then  sudo mount -o remount,rw {top}"
    for one in (path, Path(f"{path}-wal"), path.parent):
        if one.exists() and not os.access(one, os.W_OK):
            yield (
                f"{one} belongs to {user(one.stat().st_uid)}, this runs as {user(os.geteuid())}: "
                f"sudo chown -R {user(os.geteuid())} {path.parent}"
            )
    if folder != path.parent:
        yield f"{path.parent} is not there and cannot be made: is its disk mounted? sudo mount -a"
    if disk.f_bavail * disk.f_frsize < LEAST_BYTES:
        yield f"the disk of {folder} is full, with what:  sudo du -xh {mount_of(folder)} | sort -h"


def mount_of(folder: Path) -> Path:
    """Where the file system of a folder is mounted."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_mount())


def user(number: int) -> str:
    """A user's name, the number where there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
