"""`python -m bench [--quick] [--hour] [--many N] [ROW ...]`: measure, and print the table."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

from rich.console import Console

from bench import calls, lasting, many, prompt, where
from bench.settings import Settings, quick
from bench.table import Row, show

ROWS: dict[str, Callable[[Settings], Iterable[Row]]] = {
    "fresh": calls.fresh,
    "kept": calls.kept,
    "tls": calls.tls,
    "smtp": calls.injection,
    "many": many.healthy,
    "hanging": many.hanging,
    "acts": prompt.acts,
    "start": prompt.start,
    "metrics": prompt.metrics,
    "store": lasting.store,
    "page": lasting.page,
    "memory": lasting.memory,
    "where": where.rows,
}


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 whatever the figures are; 1 when a row could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="one round of each, in a few minutes; rough")
    parser.add_argument("--hour", action="store_true", help="watch memory for an hour")
    parser.add_argument("--many", type=int, metavar="N", help="so many healthy endpoints instead of 10,000")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    settings = quick(console.print) if given.quick else Settings(console.print)
    if given.hour:
        settings = replace(settings, minutes=60.0)
    if given.many:
        settings = replace(settings, many=given.many)
    cores = len(os.sched_getaffinity(0))
    console.print(
        f"{platform.python_implementation()} {platform.python_version()}, {cores} cores, load {os.getloadavg()[0]:.1f}"
    )
    rows: list[Row] = []
    failed = 0
    for name in given.rows or ROWS:
        console.print(f"[bold]{name}[/bold]")
        try:
            rows += ROWS[name](settings)
        except (RuntimeError, OSError) as error:
            failed = 1
            console.print(f"  not measured: {error}", style="red", markup=False)
    show(rows, console)
    return failed


if __name__ == "__main__":
    sys.exit(main())
