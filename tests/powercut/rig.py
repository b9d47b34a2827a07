"""The disk of tests.powercut.disk under a loop device with ext4: make, mount, cut, mount again.

Needs root, /dev/fuse, a loop device, mkfs.ext4 and the package mfusepy.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SIZE = 16 << 20
NO_ATIME = 1024  # MS_NOATIME of mount(2)
PATIENCE_S = 10.0
LIBC = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """What this machine lacks for the rig, in words; empty where nothing is."""
    if os.geteuid() != 0:
        return "power cuts need root: sudo make powercut"
    wanted = {"/dev/fuse": os.path.exists("/dev/fuse")}
    wanted |= {"/dev/loop-control": os.path.exists("/dev/loop-control")}
    programs = ("mkfs.ext4", "losetup", "fusermount3")
    wanted |= {name: shutil.which(name) is not None for name in programs}
    wanted["mfusepy"] = importlib.util.find_spec("mfusepy") is not None
    lacking = [name for name, there in wanted.items() if not there]
    return f"this machine has no {', '.join(lacking)}" if lacking else ""


def run(*command: str) -> str:
    """Run to the end; its output. Raises CalledProcessError."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Rig:
    """One disk in a folder; `folder/mnt` is where it is mounted."""

    def __init__(self, folder: Path) -> None:
        self.mount_at, self._fuse = folder / "mnt", folder / "fuse"
        self._backing = folder / "backing"
        self.mount_at.mkdir(parents=True)
        self._fuse.mkdir()
        self._format()
        module = [sys.executable, "-m", "tests.powercut.disk"]
        self._process = subprocess.Popen([*module, str(self._backing), str(self._fuse)])
        self._wait_for(self._fuse / "disk")
        self._loop = run("losetup", "-f", "--show", str(self._fuse / "disk"))

    def _wait_for(self, path: Path) -> None:
        end = time.monotonic() + PATIENCE_S
        while not path.exists():
            if time.monotonic() > end:
                raise TimeoutError(f"{path} did not appear")
            time.sleep(0.01)

    def _format(self) -> None:
        with self._backing.open("wb") as file:
            file.truncate(SIZE)
        lazy = "lazy_itable_init=0,lazy_journal_init=0"
        run("mkfs.ext4", "-q", "-F", "-E", lazy, str(self._backing))

    def new(self) -> None:
        """An empty disk in place of this one; not while mounted."""
        self._format()
        self._control("load")

    def mount(self) -> None:
        """Power on: the journal is replayed. Raises OSError."""
        arguments = (self._loop.encode(), str(self.mount_at).encode(), b"ext4", NO_ATIME, None)
        if LIBC.mount(*arguments):
            raise OSError(ctypes.get_errno(), "mount", str(self.mount_at))

    def cut(self, percent: int, seed: int) -> int:
        """The power goes. Returns how many blocks were dropped; of the rest `percent` are kept."""
        self._control(f"cut {percent} {seed}")
        return int((self._fuse / "control").read_text())

    def unmount(self) -> None:
        """After a cut, and with nobody inside: the disk has power again, but is not mounted."""
        end = time.monotonic() + PATIENCE_S
        while LIBC.umount2(str(self.mount_at).encode(), 0):
            if time.monotonic() > end:
                raise OSError(ctypes.get_errno(), "umount", str(self.mount_at))
            time.sleep(0.01)
        self._control("revive")

    def close(self) -> None:
        """Leave nothing behind."""
        LIBC.umount2(str(self.mount_at).encode(), 0)
        run("losetup", "-d", self._loop)
        run("fusermount3", "-u", str(self._fuse))
        self._process.wait(PATIENCE_S)

    def _control(self, word: str) -> None:
        handle = os.open(self._fuse / "control", os.O_WRONLY)
        try:
            os.write(handle, word.encode())
        finally:
            os.close(handle)
