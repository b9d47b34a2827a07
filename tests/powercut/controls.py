"""Controls: the same store with a promise left out, which the rig has to notice."""

from __future__ import annotations

from typing import Any

from agent.store import database


def weaken(mode: str) -> None:
    """SQLite's `synchronous` as `mode` in this process from now on; FULL changes nothing."""
    if mode == "FULL":
        return
    read = database.File.read

    def weak(self: database.File, sql: str, values: database.Values = ()) -> list[Any]:
        if sql == "PRAGMA synchronous":
            return [(database.SYNCHRONOUS_FULL,)]
        return read(self, sql.replace("synchronous = FULL", f"synchronous = {mode}"), values)

    database.File.read = weak  # type: ignore[method-assign]
