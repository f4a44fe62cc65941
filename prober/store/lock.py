"""The lock that keeps two measuring processes from one store."""

import fcntl
import os
from pathlib import Path

from prober.store.errors import ReadOnlyError, StoreError, StoreLockedError


class StoreLock:
    """Holds `<store>.lock` while it lives (flock: the kernel lets go when the process ends, however it ends).

    The file stays behind, since removing it would let two processes hold locks on two files of one name. Raises
    StoreLockedError with the holder's process id, ReadOnlyError or StoreError when the file cannot be made.
    """

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        try:
            # What a link of this name led to would be emptied: whoever may write beside the store could aim it.
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise ReadOnlyError(
                store,
                f"its lock {self.path} cannot be written ({error.strerror}); check its owner and mode, and those of its"
                " directory: each `prober run` must be by the same user",
            ) from None
        except OSError as error:
            raise StoreError(store, f"its lock {self.path} cannot be made ({error.strerror})") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StoreLockedError(
                store,
                f"another `prober run` (process {holder or 'unknown'}) measures into it; "
                "end it, or name another file as `store`",
            ) from None
        except OSError as error:
            os.close(self._fd)
            raise StoreError(store, f"its lock {self.path} cannot be taken ({error.strerror})") from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only its message is poorer

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
