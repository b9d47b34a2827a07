"""`stadtsinn loadtest`: record a load test of a bridge on the running node, and report it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import BAD, GOOD, USAGE
from agent.durable import as_owner_of
from agent.loadtest.files import KEEP_FREE, folders, free_bytes
from agent.loadtest.mailbox import RUN_DIR, MailboxError, ask, read_state
from agent.plan.optional import BRIDGE, needs

if TYPE_CHECKING:
    from agent.loadtest.report import Row  # numpy: optional

pause = time.sleep
HOME = Path("/var/lib/stadtsinn/loadtests")
LARGE = 20_000_000  #: bytes of a report that takes a while on a Pi
SILENT_S = 30.0  #: a test that wrote nothing for so long is not being recorded

run_dir_option = click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUN_DIR,
    show_default=True,
    help="Of the running node.",
)
german_option = click.option(
    "--german", is_flag=True, help="CSV for German Excel: semicolon, decimal comma, BOM."
)
output_option = click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report; default: 'report' in the load test's.",
)  # fmt: skip


@click.group(
    epilog="""\b
    Examples:
      sudo stadtsinn loadtest start "48 t crane, lane 2"
      sudo stadtsinn loadtest mark "crane in the middle"
      sudo stadtsinn loadtest stop
    """
)
def loadtest() -> None:
    """Record a load test of a bridge and report it.

    Every sensor that feels the bridge is recorded at its full rate, with marks. Begin while the
    bridge is quiet: what comes before the first mark is what the rest is compared with. Tables and
    links go on meanwhile.
    """


@loadtest.command(epilog="""\b\nExample:\n  sudo stadtsinn loadtest start "48 t crane, lane 2" """)
@click.argument("name")
@run_dir_option
def start(name: str, run_dir: Path) -> None:
    """Begin to record; NAME says what is tested."""
    click.echo(asked(run_dir, "start", name)["text"])
    click.echo('next: stadtsinn loadtest mark "…" whenever something happens, then stop')


@loadtest.command(epilog="""\b\nExample:\n  sudo stadtsinn loadtest mark "crane in the middle" """)
@click.argument("text")
@run_dir_option
def mark(text: str, run_dir: Path) -> None:
    """Note what happens now; a new phase of the test begins. Good to half a second."""
    click.echo(asked(run_dir, "mark", text)["text"])


@loadtest.command(epilog="""\b\nExample:\n  sudo stadtsinn loadtest stop --german """)
@run_dir_option
@output_option
@german_option
def stop(run_dir: Path, output: Path | None, german: bool) -> None:
    """End recording and report; also after a restart in the middle of it."""
    answer = asked(run_dir, "stop", "")
    click.echo(answer["text"])
    sys.exit(report_of(Path(answer["folder"]), output, german))


@loadtest.command(
    epilog="""\b\nExample:\n  stadtsinn loadtest report 2026-01-12-48-t-crane-lane-2 """
)
@click.argument("folder", type=click.Path(path_type=Path))
@run_dir_option
@output_option
@german_option
def report(folder: Path, run_dir: Path, output: Path | None, german: bool) -> None:
    """Report a load test again; no node needs to run. FOLDER: a path, or a name from the list."""
    if not os.path.isdir(folder) and os.path.isdir(home(run_dir) / folder):  # False if forbidden
        folder = home(run_dir) / folder
    sys.exit(report_of(folder, output, german))


@loadtest.command("list", epilog="""\b\nExample:\n  stadtsinn loadtest list """)
@run_dir_option
def list_(run_dir: Path) -> None:
    """The load tests on this node, newest last, and what they take of the disk."""
    place = home(run_dir)
    try:
        found = {one: size_mb(one) for one in folders(place)}
    except PermissionError:
        fail(f"{place} may not be read: sudo stadtsinn loadtest list")
    states = states_of(run_dir)
    for one, mb in found.items():
        click.echo(f"{one}  {mb:,.1f} MB{states.get(str(one), '')}")
    if not found:
        click.echo(f"no load tests in {place}")
        return
    free_mb = shutil.disk_usage(place).free / 1e6
    total = f"{len(found)} load test{'s' * (len(found) > 1)}, {sum(found.values()):,.1f} MB"
    click.echo(f"{total}; nothing deletes them: the disk has {free_mb:,.0f} MB free")


def size_mb(folder: Path) -> float:
    """Of all files below, megabytes; what goes meanwhile counts nothing."""
    found = 0
    for name, _, files in os.walk(folder):
        for one in files:
            with contextlib.suppress(FileNotFoundError):
                found += os.stat(os.path.join(name, one)).st_size
    return found / 1e6


def asked(run_dir: Path, do: str, text: str) -> dict[str, Any]:
    """What the node answers; ends the command where it refuses or is not there."""
    try:
        with as_owner_of(run_dir):
            answer = ask(run_dir, do, text, pause)
    except MailboxError as error:
        fail(str(error))
    if not answer["ok"]:
        fail(answer["text"])
    return answer


def fail(text: str) -> None:
    """One line, exit code 1."""
    click.echo(f"stadtsinn: {text}", err=True)
    sys.exit(BAD)


def home(run_dir: Path) -> Path:
    """Where the running node keeps its tests, or any node by default."""
    try:
        return Path(read_state(run_dir).get("home", HOME))
    except MailboxError:
        return HOME


def states_of(run_dir: Path) -> dict[str, str]:
    """What is to be said of some folders."""
    try:
        state = read_state(run_dir)
    except MailboxError:
        return {}
    said = {}
    if state.get("broken"):
        said[state["broken"]] = "  (broke off: 'stadtsinn loadtest stop' reports it)"
    if state.get("running"):
        runs = time.time() - newest_s(Path(state["running"])) < SILENT_S
        said[state["running"]] = (
            "  (being recorded)" if runs else "  (broke off: does the node run?)"
        )
    return said


def newest_s(folder: Path) -> float:
    """When something was written there last, unix s; 0 where the folder is gone."""
    try:
        return max((path.stat().st_mtime for path in folder.iterdir()), default=0.0)
    except FileNotFoundError:
        return 0.0


def report_of(folder: Path, output: Path | None, german: bool) -> int:
    """Make and show it; the exit code."""
    try:  # numpy: optional
        from agent.loadtest import page, report
        from agent.loadtest.read import NoTest, read
    except ImportError:
        click.echo(f"stadtsinn: a report {needs(BRIDGE)}", err=True)
        return BAD
    output = output or folder / "report"
    try:
        with as_owner_of(folder):
            test = read(folder)
        if reason := no_room(report.about_bytes(test), output):
            show(report.rows(test))
            click.echo(f"stadtsinn: {reason}", err=True)
            return BAD
        with as_owner_of(output.parent):
            rows = report.write(test, output, german=german)
            path = page.write(test, rows, output)
    except NoTest as error:
        click.echo(f"stadtsinn: {error}", err=True)
        return USAGE
    except OSError as error:
        hint = ": sudo stadtsinn loadtest …, or --output" if error.errno == 13 else ""
        click.echo(f"stadtsinn: {error.filename}: {error.strerror}{hint}", err=True)
        return BAD
    for words, _ in page.about(test):
        click.echo(words)
    show(rows)
    click.echo(f"report: {path}")
    return GOOD


def no_room(needed: int, output: Path) -> str:
    """Why a report of so many bytes is not written: rows come first.

    Empty if it is; where it takes minutes, that is said. Raises OSError.
    """
    place = next(one for one in (output, *output.absolute().parents) if os.path.exists(one))
    free = free_bytes(place)
    if free < needed + KEEP_FREE:
        return (
            f"no report: it takes {needed / 1e6:,.0f} MB, the disk has {free / 1e6:,.0f} MB free "
            f"and the node needs {KEEP_FREE / 1e6:.0f} MB of it: 'loadtest report' with --output "
            "on another disk, or copy the load test's folder to a laptop and report it there"
        )
    if needed > LARGE:
        click.echo(f"writing the report, {needed / 1e6:,.0f} MB; this may take minutes", err=True)
    return ""


def show(rows: Sequence[Row]) -> None:
    """The figures as a table."""
    # start-up: rich takes longer than all else of start, mark and stop; the report: numpy
    from rich.console import Console

    from agent.cli.picture import plain
    from agent.loadtest.report import HEAD

    table, console = plain("", *HEAD), Console()
    table.padding = (0, 1, 0, 0)
    for number, column in enumerate(table.columns):
        column.justify, column.no_wrap = "right" if number > 1 else "left", True
    for row in rows:
        table.add_row(*row.words())
    needed = console.measure(table, options=console.options.update(width=1000)).maximum
    console.width = max(console.width, needed)  # a narrow terminal breaks lines, and loses nothing
    console.print(table)
