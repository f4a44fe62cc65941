"""The socket on which pages and metrics are served."""

import errno
import socket
import time

from prober import logs
from prober.errors import ProberError

log = logs.get("run")

_BACKLOG = 512
_AGAIN = 0.05  # seconds
_WAYS_OUT = {
    errno.EADDRINUSE: "a free address, or stop the program that has it",
    errno.EACCES: "a port from 1024 on, or let the program bind lower ones",
}


class StartError(ProberError):
    """The program cannot start; says why and what to do."""


def listen_on(address: str, patience: float = 0.0) -> socket.socket:
    """A listening socket on `host:port`. Raises StartError where the port is in use or the address not ours.

    A port in use is tried again for `patience` seconds: when a measuring process was killed, its serving process holds
    the port a moment longer, and whoever starts the program again at once (a supervisor) must not be turned away.
    """
    host, _, port = address.rpartition(":")
    until = time.monotonic() + patience
    waited = False
    while True:
        try:
            return _listen(host.strip("[]"), int(port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                way_out = _WAYS_OUT.get(error.errno or 0, "an address of this machine")
                raise StartError(
                    f"cannot listen on {address}: {error.strerror or error}; set `listen` to {way_out}"
                ) from error
        if not waited:
            log.warning("the address is in use; waiting for it", extra=logs.fields(listen=address, seconds=patience))
        waited = True
        time.sleep(_AGAIN)


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, proto, _, where = found[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
