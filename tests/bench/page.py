"""The page of measured figures: a section per group, written by the group's own run."""

import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.table import Line

PAGE = Path(__file__).with_name("README.md")
ROOT = Path(__file__).parents[2]
HEAD = "| what | measured | to reach | |\n| --- | --- | --- | --- |\n"


def machine() -> str:
    """What this is measured on."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        told = []
    found = [one.split(":")[1].strip() for one in told if "model name" in one]
    cpu = found[0] if found else platform.machine()
    kernel = platform.release().split("-")[0]
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()} {kernel}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def commit() -> str:
    """The commit that is measured, and whether files differ from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD").strip()
        changed = _git("status", "--porcelain", "--", "agent", "drivers", "tests/bench/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "no checkout"
    return f"commit {head}{' with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def section(name: str, title: str, lines: Sequence[Line], when: str) -> str:
    """What the page says of a group; `when` is date, commit and machine."""
    rows = "\n".join(line.row() for line in lines)
    return f"## {name}\n\n{title}\n\n*{when}*\n\n{HEAD}{rows}\n"


def placed(page: str, name: str, text: str) -> str:
    """The page with a group's section in the place of its former one, or at the end."""
    former = re.compile(rf"^## {re.escape(name)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if former.search(page):
        return former.sub(lambda _: f"{text}\n", page).rstrip("\n") + "\n"
    return f"{page.rstrip()}\n\n{text}"


def write(name: str, title: str, lines: Sequence[Line]) -> None:
    """A group's figures of now go into the page."""
    when = f"{datetime.now(UTC):%Y-%m-%d}, {commit()}; {machine()}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(placed(page, name, section(name, title, lines, when)), encoding="utf-8")
