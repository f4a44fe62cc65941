"""What the wire needs to know to reach an endpoint, worked out once from its settings."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from prober.settings import ClientCert
from rules.model import Kind

Tls = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an endpoint is and how TLS is done there. `server_name`: SNI and the name that is verified."""

    kind: Kind
    host: str
    port: int
    tls: Tls = "none"
    context: ssl.SSLContext | None = None
    server_name: str | None = None
    resolve: tuple[str, ...] = ()  # fixed addresses
    reuse: bool = False


def context_for(
    ca: Path | None, client: ClientCert | None, *, verify: bool, alpn: Sequence[str] = ()
) -> ssl.SSLContext:
    """A client context, shared by all endpoints that want the same (loading the system's CAs is slow and large).

    Files that have changed since are read anew. Raises OSError and ssl.SSLError for files that cannot be read or do not
    fit each other.
    """
    password = client.password.get_secret_value() if client and client.password else None
    cert, key = (client.cert, client.key) if client else (None, None)
    files = (*((ca,) if ca else _system()), cert, key)
    state = tuple((s.st_mtime_ns, s.st_size, s.st_ino) for s in (path.stat() for path in files if path))
    return _context(ca, cert, key, password, verify, tuple(alpn), state)


def _system() -> tuple[Path, ...]:
    """Where the system's CAs are: `update-ca-certificates` changes them, and a reload is to see it."""
    found = ssl.get_default_verify_paths()
    return tuple(Path(path) for path in (found.cafile, found.capath) if path)


@lru_cache(maxsize=256)
def _context(
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    password: str | None,
    verify: bool,
    alpn: tuple[str, ...],
    _state: tuple[tuple[int, int, int], ...],
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    # Python 3.13 began to ask more of certificates than RFC 5280's relying parties do in practice; a vendor's certificate
    # is judged alike on every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Older Pythons (Debian 12's 3.11.2) take a connection that was cut for one that was closed.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        context.load_cert_chain(cert, key, password)
    if alpn:
        context.set_alpn_protocols(alpn)
    context.options |= ssl.OP_NO_TICKET  # no resumption: evidence comes from whole handshakes
    return context
