"""The power goes while a store of release 0.1 is brought up to the form of a release to come."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.model.batch import Row
from agent.store import LinkPolicy, Store, database
from tests.durable.kit import AIR, CELLS
from tests.powercut.controls import weaken
from tests.powercut.life import NAME, Boot
from tests.powercut.rig import Rig
from tests.test_store_versions import written_by_0_1

MORE = 3000  #: rows, besides the ten of `written_by_0_1`
LONGEST_S = 0.02, 0.15  #: while the file is opened; and after some rows
READY, PUT = b"r", b"p"


def later(run: Callable[[str], Any]) -> None:
    """What a migration may do: tables, columns, indices, and values for them."""
    run("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    run("ALTER TABLE row ADD COLUMN later INTEGER")
    run("UPDATE row SET later = seq")
    run("CREATE INDEX row_later ON row (later)")


def upgrade_cut(rig: Rig, mode: str, chance: random.Random) -> tuple[list[str], int, int]:
    """One upgrade, cut. Returns what is wrong, rows that were promised, blocks dropped."""
    rig.new()
    rig.mount()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        upgrade(rig.mount_at, mode, writer)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as told:
        told.read(1)
        time.sleep(chance.uniform(0, chance.choice(LONGEST_S)))
        dropped = rig.cut(chance.choice((0, 0, 30, 50, 80, 100)), chance.randrange(2**31))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        promised = told.read().count(PUT)
    rig.unmount()
    rig.mount()
    try:
        return faults(rig.mount_at, promised), promised, dropped
    finally:
        rig.unmount()


def upgrade(folder: Path, mode: str, writer: int) -> None:
    """The child: an old store that is safely on disk is opened and used. Never returns."""
    try:
        make_old(folder / NAME)
        weaken(mode)
        database.MIGRATIONS = [*database.MIGRATIONS, later]
        os.write(writer, READY)
        store = opened(folder)
        layout = store.layout("air", AIR, 60)
        while True:
            store.clock.sleep(60)
            mono_ms, start = round(store.clock.monotonic() * 1000), int(store.clock.system_utc())
            store.put(layout, Row(0, store.boot, mono_ms, start // 60 * 60, CELLS))
            if store._writer.waiting or store._writer._trouble:
                signal.pause()  # the disk has no power
            os.write(writer, PUT)
    finally:
        os._exit(9)


def make_old(path: Path) -> None:
    """As 0.1 left it, closed in order and flushed."""
    written_by_0_1(path)
    with closing(sqlite3.connect(path)) as base, base:
        rows = [(1 << 40 | seq, 60_000 * seq, 60 * seq, CELLS) for seq in range(11, MORE + 11)]
        sql = "INSERT INTO row (id, layout, boot, mono_ms, start, cells) VALUES (?, 1, 1, ?, ?, ?)"
        base.executemany(sql, rows)
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def opened(folder: Path) -> Store:
    """The store as the new release opens it."""
    store = Store(folder / NAME, Boot(2, "ntp"))
    store.open()
    store.links({"city": LinkPolicy()})
    return store


def faults(folder: Path, promised: int) -> list[str]:
    """What is wrong with the store once the power is back and the new release has opened it."""
    before, database.MIGRATIONS = database.MIGRATIONS, [*database.MIGRATIONS, later]
    try:
        store = opened(folder)
        counts = store.counts()
        store.close()
    except Exception as error:
        return [f"does not open: {error}"]
    finally:
        database.MIGRATIONS = before
    with closing(sqlite3.connect(folder / NAME)) as base:
        ask = base.execute
        kept = ask("SELECT count(*), max(seq) FROM row WHERE cells = ?", (CELLS,)).fetchone()
        late = ask("SELECT count(*) FROM row WHERE later IS NULL AND seq <= ?", (MORE + 10,))
        found = [f"set aside: {one.name}" for one in folder.glob("*.damaged-*")]
        least = MORE + 10 + promised
        if kept[0] < least or kept[0] != kept[1]:
            found.append(f"lost: {kept} of {least}")
        if counts.owed["city"] != kept[0] - 3 or counts.lost != 3:
            found.append(f"pending: {counts.owed}, lost {counts.lost}")
        if late.fetchone() != (0,) or ask("PRAGMA user_version").fetchone() != (len(before) + 1,):
            found.append("half: the upgrade is not complete")
        if ask("PRAGMA integrity_check").fetchone() != ("ok",):
            found.append("integrity")
    return found
