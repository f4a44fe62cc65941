"""What the system lets this process have, and who may look into it."""

import contextlib
import ctypes
import resource
from collections.abc import Iterator

from prober.listen import StartError

#: The part of the descriptors that calls may take (DESIGN.md, "Own machine").
_DESCRIPTORS = 0.8
#: Descriptors without which the program cannot even start: its files, link and processes, a few calls and deliveries.
_FEWEST = 32
_PR_SET_DUMPABLE = 4  # prctl(2)


def descriptors() -> int:
    """How many calls may be in flight: 0.8 of the descriptors, after asking for as many as the hard limit allows.

    Raises StartError when there are too few for the program itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard or soft == resource.RLIM_INFINITY:
        wanted = 1_048_576 if hard == resource.RLIM_INFINITY else hard
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft < _FEWEST:
        raise StartError(
            f"only {soft} files and connections may be open at once, and {_FEWEST} are the fewest to start with:"
            " raise the limit (ulimit -n, LimitNOFILE= of the unit)"
        )
    return int(soft * _DESCRIPTORS)


@contextlib.contextmanager
def room_for_more() -> Iterator[None]:
    """Raises StartError where the system lets us have no more processes or threads."""
    try:
        yield
    except (BlockingIOError, RuntimeError) as error:
        if not isinstance(error, BlockingIOError) and "start new thread" not in str(error):
            raise
        raise StartError(
            f"a process or thread cannot be started ({getattr(error, 'strerror', None) or error}): let this user have"
            " more of them, and of memory (ulimit -u and -v, TasksMax= and MemoryMax= of the unit)"
        ) from error


def let_in() -> None:
    """The serving process opens the board through /proc, which the kernel refuses for a program with a capability of its own.

    Such as a Python that may listen on ports below 1024 (setcap). Cores stay off: that is a limit.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1)
