"""Where the configuration says the store is, and what is there."""

import stat
from pathlib import Path

from prober.errors import UsageError
from prober.store.errors import NotOursError, ReadOnlyError, StoreError

_SCHEME = "sqlite:///"


def locate(store: str, base: Path) -> Path:
    """The file that `sqlite:///name` (relative to `base`, the configuration's folder) or `sqlite:////abs/name` means.

    Raises UsageError with what would be right.
    """
    name = store.removeprefix(_SCHEME)
    if name == store or not name or name.endswith("/") or "\0" in name:
        raise UsageError(
            f"store {store!r}: write sqlite:///prober.db (beside the configuration) or sqlite:////var/lib/prober.db"
        )
    return base / name


def is_there(path: Path) -> bool:
    """A regular file is at `path`; False: nothing is.

    Raises NotOursError when it is something else, ReadOnlyError or StoreError when that cannot be seen.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise ReadOnlyError(
            path, f"cannot be looked at ({error.strerror}); check owner and mode of its folders"
        ) from None
    except OSError as error:
        raise StoreError(path, f"cannot be looked at ({error.strerror}); name another file as `store`") from None
    if stat.S_ISDIR(mode):
        raise NotOursError(path, "this is a directory; name a file as `store`")
    if not stat.S_ISREG(mode):
        raise NotOursError(path, "this is no regular file; name another as `store`")
    return True


def identity(path: Path) -> tuple[int, int]:
    """Which file is at `path`. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def identities(store: Path) -> tuple[tuple[int, int] | None, ...]:
    """Which files the store's log and its index are, under their names; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for end in ("-wal", "-shm"):
        try:
            found.append(identity(store.with_name(store.name + end)))
        except OSError:
            found.append(None)
    return tuple(found)
