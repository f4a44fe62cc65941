"""`prober run CONFIG`: measure, decide, open tickets, page; serve pages and metrics."""

import argparse
import resource
from pathlib import Path

from prober.errors import Exit
from prober.held import held_signals


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or Control-C; SIGHUP reloads. Raises ProberError for what keeps it from starting."""
    _leave_no_core()
    with held_signals() as held:
        from prober import config  # these take most of the start's time, and signals must be held by then

        loaded = config.load(args.config)
        if held.stop:  # on a busy machine the rest takes seconds, to no end
            return Exit.OK
        from prober.run import run as run_program

        return run_program(loaded, held)


def _leave_no_core() -> None:
    """A core, of a crash or of a watchdog's SIGABRT, would put every secret on the disk; serve inherits this."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
