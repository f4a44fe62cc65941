"""The serving process: web, metrics, deliveries and slow work, beside the measuring process that starts it.

`python -m prober.serve --link FD --listen FD`: one end of a socket pair (`prober.link`), and a TCP socket that
listens already. It ends when the link closes (the measuring process stops, or has died) or on SIGTERM; deliveries
under way then get 5 seconds, and their results still go over the link if anybody reads it. Exit status 0; 1 when it
could not begin or the link broke.
"""

import argparse
import asyncio
import ctypes
import logging
import signal
import socket
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """The process. Returns its exit status."""
    # Control-C goes to the whole group of a terminal; the measuring process tells us by closing the link.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Killed while we still start, it cannot: without this we would hold the address a second longer, for nobody. Once we
    # serve, SIGTERM ends us in order, as the closing link does.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
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
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below that, it tells of what clients do wrong
    for inherited in (link, listen):
        inherited.setblocking(False)
        inherited.set_inheritable(False)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(link, listen, handler))
    except ProberError as error:
        logs.get("serve").error("%s", error)
        return 1
    finally:
        handler.close()
    return 0


def _is_over(link: socket.socket) -> bool:
    """Whether the link has closed and nothing waits to be read."""
    try:
        return not link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


if __name__ == "__main__":
    sys.exit(main())
