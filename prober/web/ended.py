"""Logins that were ended by logging out, remembered until they would have ended by themselves.

A login's cookie says who it is and is signed, so that it outlives this process; without this list whoever kept a copy of it
could go on using it after a logout. The list lies beside the store, with mode 0600: as long as the key of the signatures
lasts, so does it. It holds random numbers and instants alone.
"""

import json
import os
import secrets
from pathlib import Path

from prober import logs
from prober.patient import read_bytes

log = logs.get("web")

#: Bytes of the list that are read; a login has some fifty.
_MOST = 16 * 1024 * 1024


class Ended:
    """The numbers of ended logins, each with the UTC second at which the login would have ended anyway."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._until: dict[str, int] = {}

    def kept_at(self, path: Path | None, now: float) -> None:
        """Remember in the file at `path` from now on, and what stands there already; None: in memory alone."""
        if path == self._path:
            return
        self._path = path
        if path is None:
            return
        known = self._until
        self._until = {number: until for number, until in (_read(path) | known).items() if until > now}
        if known:
            self._write()

    def __contains__(self, number: str) -> bool:
        return number in self._until

    def add(self, number: str, until: int, now: float) -> None:
        """The login `number` has ended, which would have lasted until `until`; what is over by `now` is forgotten."""
        self._until = {known: end for known, end in self._until.items() if end > now}
        self._until[number] = until
        self._write()

    def _write(self) -> None:
        """The whole list, or the one before it; a logout holds in this process even if neither can be written."""
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(file, "w", encoding="ascii") as opened:
                    json.dump(self._until, opened)
                    opened.flush()
                    os.fsync(opened.fileno())
                fresh.replace(self._path)
            except OSError:
                fresh.unlink(missing_ok=True)
                raise
        except OSError as error:
            log.warning(
                "a logout is not remembered past this process, because %s cannot be written (%s);"
                " a new web.token ends every login",
                self._path,
                error.strerror or error,
            )


def _read(path: Path) -> dict[str, int]:
    """What the file holds; nothing where there is none, and what cannot be read is logged."""
    try:
        found = json.loads(read_bytes(path, _MOST).decode("ascii"))
        return {str(number): int(until) for number, until in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        log.warning("which logins were logged out of is not known, because %s cannot be read (%s)", path, error)
        return {}
