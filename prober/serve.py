"""The serving process: web, metrics, deliveries and slow work, beside the measuring process that starts it.

`python -m prober.serve --link FD --listen FD`: one end of a socket pair (`prober.link`), and a TCP socket that
listens already. It ends when the link closes (the measuring process stops, or has died) or on SIGTERM; deliveries
under way then get 5 seconds, and their results still go over the link if anybody reads it. Exit status 0; 1 when it
could not begin or the link broke.
"""

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """The process. Returns its exit status."""
    # Control-C goes to the whole group of a terminal, as a hang-up does; the measuring process tells us by closing the link.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    measuring = os.getppid()
    # Killed while we still start, it cannot: without this we would hold the address a second longer, for nobody. Nothing is
    # under way yet, and what may catch or ignore a SIGTERM (a shell's trap, a tracer) is none of ours.
    _at_its_death(signal.SIGKILL)
    # So this comes first, and what takes long to import later.
    parser = argparse.ArgumentParser(prog="prober.serve", description="Started by prober run; not for use by hand.")
    parser.add_argument("--link", type=int, required=True, help="descriptor of our end of the socket pair")
    parser.add_argument("--listen", type=int, required=True, help="descriptor of the listening TCP socket")
    given = parser.parse_args(arguments)
    link, listen = socket.socket(fileno=given.link), socket.socket(fileno=given.listen)
    if _is_over(link):  # killed before it could be asked to tell us
        link.close()
        listen.close()
        return 0
    import uvloop

    from prober import logs
    from prober.errors import ProberError
    from prober.serving import serve

    handler = logs.setup(threaded=True)
    server = logging.getLogger("uvicorn.error")
    server.setLevel(logging.ERROR)  # below that, it tells of what clients do wrong
    server.addFilter(_is_no_end_of_ours)
    for inherited in (link, listen):
        inherited.setblocking(False)
        inherited.set_inheritable(False)
    # From now on the closing link ends us in order, deliveries under way included; the address is free before that.
    signal.signal(signal.SIGHUP, lambda *_: None if os.getppid() == measuring else _hear_nobody(listen))
    _at_its_death(signal.SIGHUP)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(link, listen, handler))
    except ProberError as error:
        logs.get("serve").error("%s", error)
        return 1
    finally:
        handler.close()
    return 0


def _is_no_end_of_ours(record: logging.LogRecord) -> bool:
    """False for what the server says, with a traceback, of answers that it ends because the program does."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "timeout graceful shutdown exceeded" not in str(record.msg)


def _at_its_death(number: signal.Signals) -> None:
    """The signal that comes when the measuring process dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _hear_nobody(listen: socket.socket) -> None:
    """Let somebody else listen on the address, however busy we are; connections that stand go on."""
    with contextlib.suppress(OSError):  # closed already
        listen.shutdown(socket.SHUT_RDWR)


def _is_over(link: socket.socket) -> bool:
    """Whether the other end of the link has closed, whatever still waits to be read."""
    looking = select.poll()
    looking.register(link, select.POLLRDHUP)
    return bool(looking.poll(0))


if __name__ == "__main__":
    sys.exit(main())
