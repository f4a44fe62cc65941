"""What can be wrong with a store, each as an error that says what to do about it."""

import sqlite3
from pathlib import Path

from prober.errors import ProberError


class StoreError(ProberError):
    """The store could not be opened, read or written. `path` is its file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"store {path}: {message}")
        self.path = path


class NoStoreError(StoreError):
    """There is no store yet."""


class NotOursError(StoreError):
    """The file is something else; it is left as it is."""


class TooNewError(StoreError):
    """A newer program wrote it."""


class StoreLockedError(StoreError):
    """Another process measures into it."""


class ReadOnlyError(StoreError):
    """It cannot be written."""


class DiskFullError(StoreError):
    """There is no room."""


class CorruptError(StoreError):
    """It is damaged."""


class DamagedRowError(sqlite3.DatabaseError):
    """A row holds what nobody wrote there: damage that SQLite cannot see, told as if it had."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class ContradictionError(Exception):
    """A transaction contradicts what is recorded: a defect of ours, and trying again is in vain."""


_SAYS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_NOTADB: (NotOursError, "this is not an SQLite database; name another file as `store`"),
    sqlite3.SQLITE_CORRUPT: (
        CorruptError,
        "the file is damaged; move it aside (keep it as evidence) and start again, or bring back a backup",
    ),
    sqlite3.SQLITE_FULL: (DiskFullError, "the disk is full; make room"),
    sqlite3.SQLITE_READONLY: (
        ReadOnlyError,
        "cannot be written; check owner and mode of the file and its directory, and whether its disk has become read-only",
    ),
    sqlite3.SQLITE_PERM: (ReadOnlyError, "access refused; check owner and mode of the file and its directory"),
    sqlite3.SQLITE_CANTOPEN: (
        StoreError,
        "cannot be opened; check owner and mode of the file and its directory, and that the disk takes more files (df -i)",
    ),
    sqlite3.SQLITE_BUSY: (StoreLockedError, "another program holds it; end that program"),
    sqlite3.SQLITE_LOCKED: (StoreLockedError, "another program holds it; end that program"),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk failed to read or write; look at the system's log"),
}


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """SQLite's error as one of ours (primary result code, https://sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    kind, text = _SAYS.get((code or 0) & 0xFF, (StoreError, "SQLite failed"))
    return kind(path, f"{text} ({error})")
