"""Disks that fill up: a small tmpfs where it may be mounted, else a limit inside SQLite."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.store import Store

TMPFS_BYTES = 8_000_000


class Tmpfs:
    """A file system of 8 MB of which another program takes whatever is free."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ballast = path / "somebody's.log"

    def fill(self, store: Store | None = None) -> None:
        """Leave no room at all."""
        with self.ballast.open("ab") as file:
            for size in (65_536, 4096):
                while self.free_bytes() >= size:
                    file.write(bytes(size))
                    file.flush()

    def free(self, store: Store | None = None) -> None:
        """The other program is gone."""
        self.ballast.unlink()

    def free_bytes(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize


class Pages:
    """The same for those who may not mount: the database itself may not grow."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, store: Store) -> None:
        """The file may have no page more."""
        store._file.free_bytes = lambda: 0  # type: ignore[method-assign]
        count = store._file.read("PRAGMA page_count")[0][0]
        store._file.read(f"PRAGMA max_page_count = {count}")

    def free(self, store: Store) -> None:
        """It may grow again."""
        del store._file.free_bytes
        store._file.read("PRAGMA max_page_count = 1000000")


@contextmanager
def small_disk(path: Path, *, tmpfs: bool) -> Iterator[Tmpfs | Pages | None]:
    """A disk at `path`; None where a tmpfs is wanted and cannot be had."""
    if not tmpfs:
        yield Pages(path)
        return
    options = ["-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(path)]
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield Tmpfs(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
