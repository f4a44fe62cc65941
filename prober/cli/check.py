"""`prober check`: everything that is wrong with a configuration, what to know about it, and what it makes a month."""

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from prober import advice, limits
from prober.advice import MONTH, Load
from prober.config import ConfigError, load
from prober.errors import Exit
from prober.settings import format_duration

_WIDTH = 80  # columns
_ROWS = 40  # endpoints shown one by one
_PLACES = 3  # named of those to which the same applies


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")
    parser.epilog = "Calls nobody. Exit status: 0, or 1 with the errors on standard error."


def run(args: argparse.Namespace) -> int:
    try:
        loaded = load(args.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        count = len(error.errors)
        print(f"{count} error{'s' if count != 1 else ''}", file=sys.stderr)
        return Exit.FAILED
    for warning in _gathered(advice.warnings(loaded.settings, loaded.base)):
        print(textwrap.fill(f"warning: {warning}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    print("\n".join(_month(advice.loads(loaded.settings), len(loaded.settings.controls))))
    for note in _gathered(limits.notes(loaded.settings, loaded.base)):
        print(textwrap.fill(f"note: {note}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    print(f"{args.config}: ok")
    return Exit.OK


def _gathered(lines: Iterable[str]) -> Iterator[str]:
    """What is said of many places in the same words (`PATH: words`) is said once."""
    places: dict[str, list[str]] = {}
    for line in lines:
        place, colon, words = line.partition(": ")
        places.setdefault(words if colon else line, []).append(place if colon else "")
    for words, found in places.items():
        if len(found) <= _PLACES:
            yield from (f"{place}: {words}" if place else words for place in found)
        else:
            yield f"{', '.join(found[:_PLACES])} and {len(found) - _PLACES} more: {words}"


def _month(loads: Sequence[Load], controls: int) -> list[str]:
    """The calls and mails of thirty days as a table, an endpoint a line; a channel a line where they are many."""
    rows = [(x.service, x.channel, x.endpoint, x.every, x.calls, x.mails) for x in loads]
    if len(rows) > _ROWS:
        rows = list(_by_channel(loads))
    lines = [f"{'in 30 days':<21} {'':<7} {'':<20} {'every':>5} {'calls':>11} {'mails':>11}"]
    for service, channel, endpoint, every, calls, mails in rows:
        pace = format_duration(every) if every else ""
        name = f"{_cut(service, 21):<21} {channel:<7} {_cut(endpoint, 20):<20}"
        lines.append(f"{name} {pace:>5} {calls:>11,} {mails:>11,}")
    total = f"{sum(x.calls for x in loads):>11,} {sum(x.mails for x in loads):>11,}"
    lines.append(f"{'total':<50} {'':>5} {total}")
    if controls:
        each = f"{MONTH // 1000:,} calls each"
        lines.append(f"and {controls} control{'s' if controls > 1 else ''} once a second: {each}")
    return lines


def _by_channel(loads: Sequence[Load]) -> Iterator[tuple[str, str, str, int, int, int]]:
    for (service, channel), group in groupby(loads, key=lambda load: (load.service, load.channel)):
        found = list(group)
        paces = {load.every for load in found}
        every = paces.pop() if len(paces) == 1 else 0
        yield (
            service,
            channel,
            f"{len(found)} endpoint{'s' if len(found) > 1 else ''}",
            every,
            sum(x.calls for x in found),
            sum(x.mails for x in found),
        )


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
