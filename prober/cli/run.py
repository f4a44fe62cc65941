"""`prober run CONFIG`: measure, decide, open tickets, page; serve pages and metrics."""

import argparse
from pathlib import Path

from prober.errors import Exit
from prober.held import held_signals


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or Control-C; SIGHUP reloads. Raises ProberError for what keeps it from starting."""
    with held_signals() as held:
        from prober import config  # these take most of the start's time, and signals must be held by then

        loaded = config.load(args.config)
        if held.stop:  # on a busy machine the rest takes seconds, to no end
            return Exit.OK
        from prober.run import run as run_program

        return run_program(loaded, held)
