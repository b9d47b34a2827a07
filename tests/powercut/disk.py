"""A disk whose cache forgets when the power goes: one file under FUSE, for a loop device.

    python -m tests.powercut.disk BACKING MOUNT

`MOUNT/disk` is the disk, `MOUNT/control` its switch: write `cut PERCENT SEED` (of the blocks not
flushed so many per cent are kept, some of them torn in sectors, the rest is dropped; from then on
every access fails), `revive` (the power is back) or `load` (take the backing file anew).
"""

from __future__ import annotations

import errno
import random
import stat
import sys
from pathlib import Path
from typing import Any

import mfusepy

BLOCK, SECTOR = 4096, 512
TORN = 0.2  #: share of the kept blocks of which only some sectors arrived


class Disk:
    """Bytes on the medium, and blocks that are only in the cache."""

    def __init__(self, backing: Path) -> None:
        self.backing = backing
        self.dead = False
        self.load()

    def load(self) -> None:
        """As the backing file is."""
        self.medium = bytearray(self.backing.read_bytes())
        self.cache: dict[int, bytearray] = {}
        self.dropped = 0

    def read(self, offset: int, size: int) -> bytes:
        """What a program sees: the cache over the medium. Raises OSError without power."""
        self._powered()
        found = bytearray(self.medium[offset : offset + size])
        for block in range(offset // BLOCK, (offset + len(found) - 1) // BLOCK + 1):
            if block in self.cache:
                at = block * BLOCK - offset
                piece = self.cache[block][max(-at, 0) :]
                found[max(at, 0) : max(at, 0) + len(piece)] = piece
        return bytes(found[:size])

    def write(self, offset: int, data: bytes) -> None:
        """Into the cache. Raises OSError without power."""
        self._powered()
        while data:
            block, inside = divmod(offset, BLOCK)
            piece = data[: BLOCK - inside]
            if block not in self.cache:
                self.cache[block] = self.medium[block * BLOCK : (block + 1) * BLOCK]
            self.cache[block][inside : inside + len(piece)] = piece
            offset, data = offset + len(piece), data[len(piece) :]

    def flush(self) -> None:
        """All onto the medium. Raises OSError without power."""
        self._powered()
        for block, data in self.cache.items():
            self.medium[block * BLOCK : block * BLOCK + BLOCK] = data
        self.cache.clear()

    def cut(self, percent: int, seed: int) -> None:
        """The power goes: each block of the cache is kept, torn or dropped."""
        chance = random.Random(seed)
        for block, data in sorted(self.cache.items()):
            if chance.randrange(100) >= percent:
                self.dropped += 1
                continue
            whole = BLOCK if chance.random() >= TORN else SECTOR * chance.randrange(BLOCK // SECTOR)
            self.medium[block * BLOCK : block * BLOCK + whole] = data[:whole]
        self.cache.clear()
        self.dead = True

    def _powered(self) -> None:
        if self.dead:
            raise OSError(errno.EIO, "no power")


class Files(mfusepy.Operations):  # type: ignore[misc]
    """The two files, for FUSE."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Sizes and kinds."""
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path not in ("/disk", "/control"):
            raise mfusepy.FuseOSError(errno.ENOENT)
        size = len(self.disk.medium) if path == "/disk" else 0
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[str]:
        """Both names."""
        return [".", "..", "disk", "control"]

    def open(self, path: str, fi: Any) -> int:
        """Without the kernel's own cache in between."""
        fi.direct_io = 1
        return 0

    def read(self, path: str, size: int, offset: int, fh: Any) -> bytes:
        """Of the disk, or how many blocks the last cut dropped."""
        if path == "/control":
            return f"{self.disk.dropped}\n".encode()[offset : offset + size]
        return self.disk.read(offset, size)

    def write(self, path: str, data: bytes, offset: int, fh: Any) -> int:
        """Onto the disk, or a word to its switch."""
        if path == "/control":
            self._switch(data.decode().split())
        else:
            self.disk.write(offset, bytes(data))
        return len(data)

    def _switch(self, words: list[str]) -> None:
        if words[0] == "cut":
            self.disk.cut(int(words[1]), int(words[2]))
        elif words[0] == "load":
            self.disk.load()
        self.disk.dead = words[0] == "cut"

    def truncate(self, path: str, length: int, fh: Any = None) -> None:
        """A disk keeps its size; writing to the switch truncates it first."""

    def flush(self, path: str, fh: Any) -> int:
        """A close is no flush."""
        return 0

    def fsync(self, path: str, datasync: int, fh: Any) -> int:
        """The one promise a disk makes."""
        if path == "/disk":
            self.disk.flush()
        return 0


if __name__ == "__main__":
    backing, mount = sys.argv[1:]
    files = Files(Disk(Path(backing)))
    mfusepy.FUSE(files, mount, raw_fi=True, foreground=True, nothreads=True)
