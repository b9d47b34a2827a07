"""The store's SQLite file: opening, one transaction, reading, and what its errors mean."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.store.migrations import MIGRATIONS as MIGRATIONS
from agent.store.migrations import READS_FROM
from agent.store.on_disk import LACKS_LOG, identity, lacks_log

log = logging.getLogger(__name__)

PAGE_BYTES = 1024  # a put writes whole pages: small ones spare the card
WAL_BYTES = PAGE_BYTES * 1000  #: about how long the log grows before it is checkpointed
JOURNAL_LIMIT_BYTES = 4_000_000
RESERVE_BYTES = 1_000_000
LOCK = ".lock"  #: behind the name of the store
SYNCHRONOUS_FULL = 2
MOST_PAGES = 2**32 - 2  # SQLite's own limit

SEQ_BITS = 40  #: a row's id is its table and its number in it: new rows fill pages to the brim
MOST_SEQ = 2**SEQ_BITS - 1

Values = Sequence[Any] | Mapping[str, Any]
Statement = tuple[str, Sequence[Any]]


class Damaged(Exception):
    """The file is no good database any more."""


class Refused(OSError):
    """The disk does not take the transaction now: read-only, input/output error, locked."""


class NotOurs(OSError):
    """The store is another's: of a running process, or of newer software. Waiting does not help."""


class Full(Refused):
    """The disk has no room for the transaction."""


# https://www.sqlite.org/rescode.html; extended codes carry the primary code in their low byte
REFUSALS = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


def in_use(path: Path) -> bool:
    """Whether another process has the store at `path` open."""
    try:
        lock = os.open(path.with_name(path.name + LOCK), os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # never opened, or not ours to ask
        return False
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def meaning(error: sqlite3.Error) -> Exception:
    """Full, Refused or Damaged; the error itself where it can only be a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return Full(str(error))
    if code in REFUSALS:
        return Refused(str(error))
    if isinstance(error, sqlite3.DatabaseError) and code != sqlite3.SQLITE_MISUSE:
        return Damaged(str(error))
    return error


STATE_READERS = "INSERT OR REPLACE INTO setting (key, value) VALUES ('reads_from', ?)"
KEPT_READERS = "SELECT value FROM setting WHERE key = 'reads_from'"


class File:
    """One connection. Not locked: its owner lets one thread in at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reserve = path.with_name(path.name + ".reserve")
        self._parts = (str(path), f"{path}-wal")
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._ours: tuple[object, ...] = ()  # which files the connection writes to

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def lock(self) -> None:
        """Keep other processes out until this one ends. Raises NotOurs where one is in.

        Two would number rows alike, and each would take the other's for damage.
        """
        if self._lock is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = os.open(self._beside(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:  # a full or read-only disk stops no measuring
            log.warning("store=%s lock=none reason='%s'", self.path, error.strerror)
            return
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            text = f"{self.path}: in use by another stadtsinn: sudo systemctl stop stadtsinn"
            raise NotOurs(text) from error

    def unlock(self) -> None:
        """Let others in; safe to call twice."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    def open(self) -> None:
        """Open or create, and migrate. Raises Damaged, Refused, NotOurs, OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except Refused:
            if not self.reserve.exists():
                raise
            self.reserve.unlink()  # opening needs room of its own
            self._open()
        self.keep_reserve()
        self.read("SELECT count(*) FROM tbl")  # from now on there is a log, too
        self._ours = tuple(map(identity, self._parts))

    def _open(self) -> None:
        if lacks_log(self.path):
            log.warning("store=%s reason='%s'", self.path, LACKS_LOG.format(self.path.name))
        try:
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False
            )
            self._set_up()
        except (sqlite3.Error, OSError, Damaged) as error:
            self.close()
            found = meaning(error) if isinstance(error, sqlite3.Error) else error
            if isinstance(found, Refused) and found is not error:  # SQLite does not say which file
                found = type(found)(f"{self.path}: {error}")
            raise found from error

    def in_place(self) -> bool:
        """Whether what lies under the name is still the file that is open. One stat(2)."""
        return self._connection is None or identity(self._parts[0]) == self._ours[0]

    def close(self) -> None:
        """Close; safe to call twice."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def write(self, statements: Sequence[Statement]) -> None:
        """All of `statements` in one transaction, on disk on return.

        Raises Full, Refused, Damaged; then nothing of it is written.
        """
        assert self._connection is not None, "open() comes first"
        execute = self._connection.execute
        try:
            if len(statements) == 1:  # a transaction of its own; the usual case of a row
                execute(*statements[0])
                return
            execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                execute(sql, values)
            execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise meaning(error) from error

    def read(self, sql: str, values: Values = ()) -> list[Any]:
        """All rows of a query. Raises Refused, Damaged."""
        if self._connection is None:
            raise Refused("not open")
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise meaning(error) from error

    def used_bytes(self) -> int:
        """What is in use of the file, without free pages. Raises Refused, Damaged."""
        pages, free = self.read("PRAGMA page_count"), self.read("PRAGMA freelist_count")
        return int(pages[0][0] - free[0][0]) * PAGE_BYTES

    def disk_bytes(self) -> int:
        """What the file and its log take on the disk."""
        total = 0
        for name in self._parts:
            with contextlib.suppress(OSError):
                total += os.stat(name).st_size
        return total

    def make_room(self) -> None:
        """Give up the reserve: there the log goes on while rows are deleted.

        From now on the file does not grow, for a log that cannot be written back would take up
        all room.
        """
        self.reserve.unlink(missing_ok=True)
        self.read("PRAGMA wal_checkpoint(PASSIVE)")
        self._limit_growth()

    def keep_reserve(self) -> None:
        """Hold back some room where there is plenty; else grow no further than the log needs."""
        if not self.reserve.exists() and self.free_bytes() > 4 * RESERVE_BYTES:
            with contextlib.suppress(OSError), self.reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        self._limit_growth()

    def free_bytes(self) -> int:
        """What is free on the disk."""
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    def _limit_growth(self) -> None:
        most = MOST_PAGES
        if not self.reserve.exists():
            pages = int(self.read("PRAGMA page_count")[0][0])
            most = pages + max(self.free_bytes() - WAL_BYTES, 0) // PAGE_BYTES
        self.read(f"PRAGMA max_page_count = {most}")

    def set_aside(self, when: float) -> Path:
        """Rename the damaged file, or one in place of ours, after the unix time `when`.

        Leaves it closed. Raises OSError.
        """
        stamp, in_place = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when)), self.in_place()
        why = "damaged" if in_place else "foreign"
        aside = self.path.with_name(f"{self.path.name}.{why}-{stamp}")
        while aside.exists():
            aside = aside.with_name(aside.name + "-")
        if in_place or self.path.exists():
            self.path.rename(aside)
        log = self._beside("-wal")
        if log.exists() and (in_place or identity(str(log)) != self._ours[1]):
            log.rename(aside.with_name(aside.name + "-wal"))
        self.close()
        log.unlink(missing_ok=True)
        self._beside("-shm").unlink(missing_ok=True)
        return aside

    def set_aside_before(self) -> int:
        """How many damaged files lie beside this one."""
        names = self.path.parent.glob(f"{self.path.name}.damaged-*")
        return sum(not name.name.endswith("-wal") for name in names)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _set_up(self) -> None:
        self.read(f"PRAGMA page_size = {PAGE_BYTES}")
        for name, wanted, answer in (
            ("journal_mode", "WAL", "wal"),
            ("synchronous", "FULL", SYNCHRONOUS_FULL),
            ("journal_size_limit", JOURNAL_LIMIT_BYTES, JOURNAL_LIMIT_BYTES),
        ):
            self.read(f"PRAGMA {name} = {wanted}")
            found = self.read(f"PRAGMA {name}")[0][0]
            if found != answer:
                raise OSError(f"{self.path}: {name} is {found}, not {wanted}")
        self._migrate()

    def _migrate(self) -> None:
        version = self.read("PRAGMA user_version")[0][0]
        if version > len(MIGRATIONS):
            self._check_readable(version)
            return
        assert self._connection is not None
        execute = self._connection.execute
        for step, migrate in enumerate(MIGRATIONS[version:], version + 1):
            execute("BEGIN IMMEDIATE")
            migrate(execute)
            execute(STATE_READERS, (b"%d" % READS_FROM,))
            execute(f"PRAGMA user_version = {step}")
            execute("COMMIT")
        if not self.read(KEPT_READERS):  # made by 0.1, which did not say it
            with contextlib.suppress(Refused):
                self.write([(STATE_READERS, (b"%d" % READS_FROM,))])

    def _check_readable(self, version: int) -> None:
        """Whether a file made by newer software says that ours can work with it."""
        try:
            readable = int(self.read(KEPT_READERS)[0][0]) <= len(MIGRATIONS)
        except (Damaged, IndexError, ValueError):  # it does not say so
            readable = False
        if not readable:
            raise NotOurs(f"{self.path}: version {version} is newer than this software")
        log.info("store=%s version=%d software=%d state=ok", self.path, version, len(MIGRATIONS))

    def _roll_back(self) -> None:
        assert self._connection is not None
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
