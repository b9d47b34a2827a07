"""What several subcommands share: the profile argument, errors in one line, logging."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from agent.config import parse
from agent.config.source import ConfigError
from agent.plan import make_plan
from agent.plan.mistakes import all_mistakes
from agent.plan.optional import MissingExtra

P = ParamSpec("P")
GOOD, BAD, USAGE = 0, 1, 2  # exit codes
DEFAULT_PROFILE = Path("/etc/stadtsinn/node.toml")

profile_argument = click.argument(
    "profile", type=click.Path(path_type=Path), default=DEFAULT_PROFILE
)
simulate_option = click.option(
    "--simulate", is_flag=True, help="Simulated chips instead of the real buses."
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def config_errors(command: Callable[P, Any]) -> Callable[P, Any]:
    """A wrong profile, or a missing extra, is one line on stderr and exit code 2."""

    @wraps(command)
    def guarded(*arguments: P.args, **options: P.kwargs) -> Any:
        try:
            return command(*arguments, **options)
        except ConfigError as error:
            tell(mistakes_of(error))
            sys.exit(USAGE)
        except MissingExtra as error:
            click.echo(f"stadtsinn: {error}", err=True)
            sys.exit(USAGE)

    return guarded


def mistakes_of(error: ConfigError) -> list[ConfigError]:
    """Every mistake of the profile in which this one was met first."""
    found = all_mistakes(error.path, examine_text) if error.path.is_file() else []
    return found or [error]


def examine_text(path: Path, text: str) -> object:
    """All that a profile is checked for. Raises ConfigError for the first mistake."""
    from agent.simulate import check_feeds, make_world  # start-up: twins of every chip

    config, source = parse(path, text)
    made = make_plan(config, source)
    check_feeds(config, source, make_world(config, source))
    return made


def tell(found: Sequence[ConfigError]) -> None:
    """Mistakes on stderr, as many as there are."""
    for one in found:
        click.echo(f"stadtsinn: {one.told()}", err=True)
    if len(found) > 1:
        click.echo(f"stadtsinn: {len(found)} mistakes in {found[0].path}", err=True)


def told(error: OSError) -> str:
    """An error of the system in the form of all others: what it is about, then what is wrong."""
    if error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)


class _Journal(logging.Formatter):
    """Puts the level where the journal reads it (sd-daemon(3))."""

    LEVELS = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}

    def format(self, record: logging.LogRecord) -> str:
        """One record, every line of it with the prefix."""
        prefix = f"<{self.LEVELS.get(record.levelno, 3)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def start_logging(level: int = logging.INFO) -> None:
    """key=value lines to stderr; with a priority under systemd, with the time elsewhere."""
    handler = logging.StreamHandler()
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_Journal("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler])
