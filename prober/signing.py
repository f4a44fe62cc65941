"""The key by which logins and links are signed, and signatures over what they say.

The key is the configuration's (`web.key`), or one of the program's own, which lies beside the store with mode 0600: it is in
no table, log, page or evidence.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
from pathlib import Path

from prober import logs
from prober.settings import Settings
from prober.store.place import locate

log = logs.get("web")

_BYTES = 32
#: Characters of a signature: 128 bits, so that a link fits a line of a mail.
_LENGTH = 32


class Signer:
    """Signs values for a purpose; what is signed for one is not genuine for another."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, purpose: str, *values: str | int) -> str:
        """HMAC-SHA-256 (RFC 2104) over purpose and values, the first half of it in hexadecimal."""
        said = json.dumps([purpose, *values], separators=(",", ":")).encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:_LENGTH]

    def genuine(self, given: str, purpose: str, *values: str | int) -> bool:
        return hmac.compare_digest(given.encode(), self.sign(purpose, *values).encode())


def key_of(settings: Settings, base: Path) -> bytes | None:
    """The key; one that lies beside the store is made where there is none, and anything is to be signed.

    None when nothing is, or when it can neither be read nor made, or others can read it: that is logged, and nothing is
    signed to last.
    """
    if settings.web.key is not None:
        return settings.web.key.get_secret_value().encode()
    if settings.web.token is None and settings.web.identity_header is None and settings.web.url is None:
        return None
    store = locate(settings.store, base)
    path = store.with_name(f"{store.name}-web.key")
    try:
        return _read(path) or _make(path)
    except OSError as error:
        log.warning(
            "logins end with this process and pages carry no signed links, because %s cannot be used (%s);"
            " put it right or set web.key",
            path,
            error.strerror or error,
        )
        return None


def _read(path: Path) -> bytes | None:
    """The key in the file at `path`; None when there is no such file. Raises OSError."""
    try:
        # Without O_NONBLOCK a pipe of this name would be waited for, and nothing be delivered meanwhile.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is no regular file; remove it, and a key is made")
        if stat.S_IMODE(mode) & 0o077:
            raise PermissionError(0, "others may read it; remove it, and a new one is made")
        key = opened.read(1024).strip()
    if len(key) < _BYTES:
        raise OSError(0, "it is no key; remove it, and a new one is made")
    return key


def _make(path: Path) -> bytes | None:
    """A new key, whole under its name or not there at all; of two that are made at once the first one stays."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(secrets.token_hex(_BYTES).encode())
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return _read(path)
