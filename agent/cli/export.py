"""`stadtsinn export`: rows or a raw record as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import click

from agent.cli import export_records
from agent.cli.export_sql import write_sql
from agent.cli.options import BAD, config_errors, profile_argument
from agent.cli.spreadsheet import Moment, moment, number, zone
from agent.codec import bytes_to_cells
from agent.durable import as_owner_of, fresh
from agent.events.folder import Records, folder_of
from agent.events.records import RecordError
from agent.model.batch import Layout, Row
from agent.model.schema import Field, Missing
from agent.model.units import written
from agent.plan import read_profile
from agent.store.reader import Reader


@click.command(
    epilog="""\b
    Examples:
      stadtsinn export --german --output luft.csv
      stadtsinn export --german --since 12.01.2026 --until "16.01.2026 14:00" --output woche.csv
      stadtsinn export --table air --since 2026-01-12 --until 2026-01-16 > week.csv
      stadtsinn export --sql | sqlite3 values.db
      stadtsinn export --records
      stadtsinn export --record 12 --output crane.csv
    """
)
@profile_argument
@click.option("--table", help="Which table; default: the profile's first.")
@click.option("--since", type=Moment(), help="First moment: 2026-01-12, 12.01.2026 07:30.")
@click.option("--until", type=Moment(last=True), help="Last moment, in local time as well.")
@click.option("--records", is_flag=True, help="List the raw records of events.")
@click.option("--record", type=int, metavar="NUMBER", help="A raw record instead of rows.")
@click.option("--german", is_flag=True, help="For German Excel: semicolon, decimal comma, BOM.")
@click.option("--sql", is_flag=True, help="All tables as SQL, for the sqlite3 shell.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
@click.option("--store", type=click.Path(path_type=Path), help="Another file than the profile's.")
@config_errors
def export(
    profile: Path,
    table: str | None,
    since: datetime | None,
    until: datetime | None,
    records: bool,
    record: int | None,
    german: bool,
    sql: bool,
    output: Path | None,
    store: Path | None,
) -> None:
    """Write rows, or raw records of events, as CSV.

    One column per quantity, its unit in the header. A value that is missing is an empty cell; rows
    without a date (no clock yet) have an empty time. With --german the last column tells summer
    from winter time: in October an hour comes twice. With --record it is the raw samples of an
    event, all axes; where samples are missing stands a row without values. With --sql it is every
    table (or the one chosen) as SQL: values with names and units, to be asked in the sqlite3 shell.
    """
    config, source = read_profile(profile)
    names = [one.name for one in config.table]
    if table is not None and table not in names:
        raise source.error("table", "name", f"no table '{table}'; known: {', '.join(names)}")
    path = store or Path(config.store.path)
    folder = folder_of(config.records.path, path)
    if records:
        click.echo("\n".join(export_records.listing(folder)) or f"no records in {folder}")
        return
    with failures_in_a_line(path, output):
        if record is not None:
            file = Records(folder).path(record)
            into(output, german, lambda out: export_records.write_record(out, file, german))
        elif sql:
            tables = [table] if table else names
            into(output, False, lambda out: write_tables(out, path, tables, since, until))
        else:
            chosen = table or names[0]
            into(output, german, lambda out: write(out, path, chosen, since, until, german))


@contextmanager
def failures_in_a_line(path: Path, output: Path | None) -> Iterator[None]:
    """What cannot be read or written is one line and exit code 1."""
    try:
        yield
    except RecordError as error:
        click.echo(f"stadtsinn: {error}; `stadtsinn export --records` lists them", err=True)
        sys.exit(BAD)
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        hint = ": type  sudo stadtsinn export …" if isinstance(error, PermissionError) else ""
        where = output if output and error.filename == str(beside(output)) else error.filename
        where = where or path
        click.echo(f"stadtsinn: {where}: {error.strerror or error}{hint}", err=True)
        sys.exit(BAD)


def into(output: Path | None, german: bool, write_to: Callable[[IO[str]], int]) -> None:
    """Write to a file, or to standard output. Raises OSError, RecordError."""
    encoding = "utf-8-sig" if german else "utf-8"
    if output is None:
        sys.stdout.reconfigure(encoding=encoding, newline="")  # type: ignore[union-attr]
        if not write_to(sys.stdout):
            click.echo("stadtsinn: no rows in that table and time", err=True)
        sys.stdout.flush()
        return
    with whole(output, encoding) as file:
        count = write_to(file)
    click.echo(f"{count} rows in {output}")


def beside(output: Path) -> Path:
    """Where a file grows until it is complete."""
    return output.with_name(output.name + ".part")


@contextmanager
def whole(output: Path, encoding: str) -> Iterator[IO[str]]:
    """A file that gets its name when it is complete: half of one looks like all of it."""
    if output.exists() and not output.is_file():  # a device, a pipe
        with as_owner_of(output.parent):
            device = output.open("w", encoding=encoding, newline="")
        with device:
            yield device
        return
    part = beside(output)
    with as_owner_of(output.parent):  # only here: the store may be another user's
        grown = fresh(part, encoding, newline="")
    try:
        with grown:
            yield grown
        with as_owner_of(output.parent):
            part.replace(output)
    finally:
        with as_owner_of(output.parent):
            part.unlink(missing_ok=True)


def write(
    file: IO[str],
    path: Path,
    table: str,
    since: datetime | None,
    until: datetime | None,
    german: bool,
) -> int:
    """Header and rows; the header is written anew where the columns change. Raises OSError."""
    writer = csv.writer(file, delimiter=";" if german else ",", lineterminator="\r\n")
    fields, count = None, 0
    ending = ["zone"] if german else []
    for layout, row in kept(path, table, since, until):
        if layout.schema.fields != fields:
            fields = layout.schema.fields
            writer.writerow(["time", *map(heading, fields), *ending])
        cells = bytes_to_cells(row.cells)
        values = [
            "" if isinstance(cell, Missing) else number(field.value(cell), german)
            for field, cell in zip(fields, cells, strict=True)
        ]
        writer.writerow(
            [moment(row.start, german), *values, *([zone(row.start)] if german else [])]
        )
        count += 1
    if fields is None:
        writer.writerow(["time", *map(heading, known_fields(path, table)), *ending])
    return count


def heading(field: Field) -> str:
    """Name and unit as people write it."""
    return f"{field.name} [{written(field.unit)}]"


def known_fields(path: Path, table: str) -> Sequence[Field]:
    """What a table without rows in that time measured last; nothing if it never did."""
    layouts = [one for one in Reader(path).layouts().values() if one.table == table]
    return layouts[-1].schema.fields if layouts else ()


def write_tables(
    file: IO[str],
    path: Path,
    tables: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> int:
    """Tables as SQL. Raises OSError."""
    count = 0
    for table in tables:
        rows = kept(path, table, since, until)
        known = Reader(existing(path)).layouts().values()
        layouts = [one for one in known if one.table == table]
        count += write_sql(file, table, layouts, rows)
    return count


def kept(
    path: Path, table: str, since: datetime | None, until: datetime | None
) -> Iterator[tuple[Layout, Row]]:
    """Rows of the table in that time; with a bar where a person watches. Raises OSError."""
    first, last = unix(since), unix(until)
    rows = Reader(existing(path)).rows(table, first, last)
    if sys.stderr.isatty():
        with click.progressbar(rows, label="rows", file=sys.stderr, show_pos=True) as bar:
            yield from bar
    else:
        yield from rows


def existing(path: Path) -> Path:
    """The store, where there is one. Raises FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(2, "no store there yet: has the node run?", str(path))
    return path


def unix(moment: datetime | None) -> int | None:
    """Seconds; 1970 for all that was before: no row is older."""
    if moment is None:
        return None
    return 0 if moment.year <= 1970 else int(moment.timestamp())
