"""A copy of the project, in which one file at a time is wrong."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMORY_BYTES = 4 * 2**30  #: a wrong line may eat memory without end
EACH_TEST_S = 30
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def files() -> list[Path]:
    """What belongs to the project, as git knows it, below its folder."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    names = [Path(os.fsdecode(name)) for name in listed.split(b"\0") if name]
    return sorted(name for name in names if (ROOT / name).is_file())


class Sandbox:
    """A folder with the project's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        if (ROOT / ".node").exists():
            (folder / ".node").symlink_to((ROOT / ".node").resolve())

    def run(self, arguments: Sequence[str], limit_s: float, **environment: str) -> int | None:
        """The exit code of pytest, None if time was up."""
        process = subprocess.Popen(
            [*PYTEST, *arguments],
            cwd=self.folder, start_new_session=True, preexec_fn=_bounded,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
            | environment,
        )  # fmt: skip
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process.pid)
            process.wait()

    def judge(self, path: str, wrong: bytes, tests: Sequence[str], limit_s: float) -> str:
        """Whether any of the tests sees that `path` is wrong: "caught", "hung" or "survived"."""
        file, listed = self.folder / path, self.folder / "tests.txt"
        right = file.read_bytes()
        listed.write_text("\n".join(tests))
        try:
            file.write_bytes(wrong)
            limit = f"--timeout={EACH_TEST_S}"
            code = self.run(["-x", limit, f"@{listed}"], limit_s)
        finally:
            file.write_bytes(right)
        return {0: "survived", None: "hung"}.get(code, "caught")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


def _end(group: int) -> None:
    """What the tests have left behind ends with them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
