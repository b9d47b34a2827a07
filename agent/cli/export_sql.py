"""Rows as SQL: the store keeps cells as CBOR, a database made of this shows values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

from agent.cli.spreadsheet import moment, number
from agent.codec import bytes_to_cells
from agent.model.batch import Layout, Row
from agent.model.schema import Cell, Field, Missing
from agent.model.units import written

SEQ = "seq INTEGER PRIMARY KEY"
TIME = "time TEXT"
OWN = ("seq", "time")  #: columns that are in every table

Column = tuple[str, str]  #: name and unit of a field


def write_sql(
    file: IO[str], table: str, layouts: Iterable[Layout], rows: Iterable[tuple[Layout, Row]]
) -> int:
    """A table with a column for each quantity that `layouts` have ever had, and its rows.

    The unit stands behind each column, where `.schema` of the sqlite3 shell shows it. A missing
    value is NULL, so is the time of a row that has no date. Written twice it is there once.
    Returns the number of rows. Raises OSError.
    """
    names = column_names(layouts)
    file.write("BEGIN;\n" + create(table, names))
    count = 0
    for layout, row in rows:
        file.write(insert(table, names, layout.schema.fields, row))
        count += 1
    file.write("COMMIT;\n")
    return count


def column_names(layouts: Iterable[Layout]) -> dict[Column, str]:
    """A name for every column there has been; one that has got another unit becomes another."""
    names: dict[Column, str] = {}
    for field in (field for layout in layouts for field in layout.schema.fields):
        if key_of(field) not in names:
            taken = {*OWN, *(name.lower() for name in names.values())}
            plain, full = field.name, f"{field.name} [{field.unit}]"
            names[key_of(field)] = full if plain.lower() in taken else plain
    return names


def key_of(field: Field) -> Column:
    """What makes a column the same."""
    return field.name, field.unit


def create(table: str, names: dict[Column, str]) -> str:
    """The table, where it is not there yet."""
    units = [(f"{quoted(name)} REAL", unit) for (_, unit), name in names.items()]
    columns = [(SEQ, "number of the row"), (TIME, "UTC"), *units]
    parts = [
        f"  {column}{',' if at < len(columns) else ''}  -- {one_line(written(unit))}\n"
        for at, (column, unit) in enumerate(columns, 1)
    ]
    return f"CREATE TABLE IF NOT EXISTS {quoted(table)} (\n{''.join(parts)});\n"


def insert(table: str, names: dict[Column, str], fields: Sequence[Field], row: Row) -> str:
    """One row."""
    columns = ", ".join([*OWN, *(quoted(names[key_of(field)]) for field in fields)])
    cells = zip(fields, bytes_to_cells(row.cells), strict=True)
    time = "NULL" if row.start is None else f"'{moment(row.start, False)}'"
    values = ", ".join([str(row.seq), time, *(value(field, cell) for field, cell in cells)])
    return f"INSERT OR REPLACE INTO {quoted(table)} ({columns}) VALUES ({values});\n"


def value(field: Field, cell: Cell) -> str:
    """A cell as an SQL literal, in the field's unit."""
    return "NULL" if isinstance(cell, Missing) else number(field.value(cell), False)


def quoted(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def one_line(text: str) -> str:
    """What may stand in a comment."""
    return " ".join(text.split())
