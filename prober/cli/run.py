"""`prober run CONFIG`: measure, decide, open tickets, page; serve pages and metrics."""

import argparse
from pathlib import Path

from prober import config
from prober.run import run as run_program


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or Control-C; SIGHUP reloads. Raises ProberError for what keeps it from starting."""
    return run_program(config.load(args.config))
