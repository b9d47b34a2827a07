"""Rows as JSON objects, for whoever at a broker does not read frames."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.codec import bytes_to_cells
from agent.codec.decoder import json_row
from agent.model.batch import Encoded
from agent.model.schema import Missing


def json_bodies(encoded: Encoded) -> Iterator[bytes]:
    """One object per row, oldest first: what `stadtsinn decode` makes of the frame with them.

    Columns that are nowhere available in these rows are left out.
    """
    layout, rows = encoded.batch.layout, list(encoded.rows)
    assert layout is not None, "only rows have columns"
    cells = [bytes_to_cells(row.cells) for row in rows]
    used = [
        at
        for at in range(len(layout.schema.fields))
        if any(row[at] is not Missing.NOT_AVAILABLE for row in cells)
    ] or [0]
    fields = [layout.schema.fields[at] for at in used]
    for row, values in zip(reversed(rows), reversed(cells), strict=True):
        made = json_row(row.start, fields, [values[at] for at in used])
        yield json.dumps(made, separators=(",", ":")).encode()
