"""`prober seconds`: the closed seconds of a service, a channel or an endpoint, and what each was."""

import argparse
import csv
import itertools
import json
import sys
import time
from collections.abc import Collection, Iterator

from prober import instants
from prober.cli import stored
from prober.config import Loaded
from prober.errors import Exit, UsageError
from prober.seconds_lines import rest_of
from prober.store import NoStoreError, Reader, SeriesKey
from rules.model import Cell, Fault, Verdict
from rules.timeline import sums

HELP = "show closed seconds and their verdicts"
#: Lines a table on a terminal has at most; more are better read by a program.
MOST_LINES = 5_000

_COLOURS = {
    Verdict.AVAILABLE: "green",
    Verdict.UNAVAILABLE: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNMEASURED: "dim",
}


def add(parser: argparse.ArgumentParser) -> None:
    stored.takes_times(parser)
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("--channel", metavar="api|smtp", help="one channel's seconds (default: the service's)")
    parser.add_argument("--endpoint", metavar="NAME", help="one endpoint's seconds")
    parser.add_argument("--from", dest="since", metavar="T", default="-1h", help=f"{instants.HELP} (default: -1h)")
    parser.add_argument("--to", dest="until", metavar="T", default="now", help="likewise, not included (default: now)")
    stored.add_arguments(parser, ("table", "jsonl", "csv"))


def run(args: argparse.Namespace) -> int:
    now = time.time()
    since, until = instants.parse(args.since, now, "--from"), instants.parse(args.until, now, "--to")
    if until < since:
        raise UsageError(f"--to ({instants.show(until)}) is before --from ({instants.show(since)})")
    loaded = stored.configuration(args.config)
    configured = set(_configured(loaded))
    try:
        reader = stored.reader(loaded)
    except NoStoreError:
        _key(args, configured)  # a wrong name is wrong all the same
        raise
    with reader:
        key = _key(args, configured | set(reader.series()))
        if args.format == "jsonl":
            _jsonl(reader, key, since, until)
        elif args.format == "csv":
            _csv(reader, key, since, until)
        elif stored.terminal():
            _table(reader, key, since, until)
        else:
            _plain(reader, key, since, until)
    return Exit.OK


def _configured(loaded: Loaded) -> Iterator[SeriesKey]:
    for name, service in loaded.settings.services.items():
        yield SeriesKey(name)
        for channel, endpoints in (("api", service.channels.api), ("smtp", service.channels.smtp)):
            yield from (SeriesKey(name, channel, endpoint.name) for endpoint in endpoints)


def _key(args: argparse.Namespace, known: Collection[SeriesKey]) -> SeriesKey:
    """The series that is asked for. Raises UsageError with the known names: configured now, or measured once."""
    _one_of("service", args.service, {key.service for key in known})
    mine = [key for key in known if key.service == args.service]
    if args.channel is not None:
        _one_of(f"channel of {args.service}", args.channel, {key.channel for key in mine if key.channel})
    if args.endpoint is None:
        return SeriesKey(args.service, args.channel or "")
    mine = [key for key in mine if key.endpoint and args.channel in (None, key.channel)]
    place = f"{args.service} {args.channel}" if args.channel else args.service
    _one_of(f"endpoint of {place}", args.endpoint, {key.endpoint for key in mine})
    found = sorted(key for key in mine if key.endpoint == args.endpoint)
    if len(found) > 1:
        channels = " and ".join(key.channel for key in found)
        raise UsageError(f"{args.service} has an endpoint {args.endpoint} in {channels}; say which with --channel")
    return found[0]


def _one_of(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UsageError(f"no {what} is called {name!r}; known: {', '.join(sorted(known)) or 'none'}")


def _jsonl(reader: Reader, key: SeriesKey, since: int, until: int) -> None:
    rests: dict[tuple[Cell, str], str] = {}  # few cells, many seconds
    for first, end, cell, window in _marked(reader, key, since, until):
        if (rest := rests.get((cell, window))) is None:
            facts = rest_of(key, cell) | ({"maintenance": window} if window else {})
            rest = rests[cell, window] = f"{json.dumps(facts)[1:]}\n"
        sys.stdout.writelines(f'{{"second": {second}, {rest}' for second in range(first, end))


def _marked(reader: Reader, key: SeriesKey, since: int, until: int) -> Iterator[tuple[int, int, Cell, str]]:
    """As `Reader.stretches`, parted where announced maintenance began or ended; the window's title is "" outside of any."""
    windows = reader.maintenance(key.service, since, until)
    borders = sorted({edge for window in windows.windows for edge in (window.start, window.end)})
    for first, end, cell in reader.stretches(key, since, until):
        parts = [first, *(border for border in borders if first < border < end), end]
        for begin, stop in itertools.pairwise(parts):
            window = windows.at(begin)
            yield begin, stop, cell, (window.title or "maintenance") if window else ""


def _csv(reader: Reader, key: SeriesKey, since: int, until: int) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    names = ["second", "service", "channel", "endpoint", "verdict", "reason", "calls", *(f.value for f in Fault)]
    out.writerow([*names, "maintenance"])
    for first, end, cell, window in _marked(reader, key, since, until):
        faults = dict(cell.faults)
        counts = [faults.get(fault, 0) for fault in Fault]
        for second in range(first, end):
            out.writerow([second, *key, cell.verdict.value, cell.reason, cell.calls, *counts, window])


def _plain(reader: Reader, key: SeriesKey, since: int, until: int) -> None:
    form = "{:<20}  {:>8}  {:<12}  {:<24}  {}"
    print(form.format("from", "seconds", "verdict", "reason", "calls"))
    for first, end, cell, window in _marked(reader, key, since, until):
        during = f"  maintenance: {stored.harmless(window)}" if window else ""
        print(form.format(instants.show(first), end - first, cell.verdict, cell.reason, f"{_calls(cell)}{during}"))


def _table(reader: Reader, key: SeriesKey, since: int, until: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("From (UTC)", no_wrap=True)
    table.add_column("For", justify="right", no_wrap=True)
    maintained = bool(reader.maintenance(key.service, since, until).windows)
    for name in ("Verdict", "Reason", "Calls", *(["Maintenance"] if maintained else [])):
        table.add_column(name, overflow="fold")
    lines = _marked(reader, key, since, until)
    for first, end, cell, window in itertools.islice(lines, MOST_LINES):
        verdict = Text(cell.verdict, style=_COLOURS[cell.verdict])
        calls, length = Text(_calls(cell)), instants.span(end - first)
        during = [Text(stored.harmless(window))] if maintained else []
        table.add_row(instants.for_people(first), length, verdict, Text(cell.reason), calls, *during)
    console = Console(highlight=False)
    if table.row_count:
        console.print(table)
    if next(lines, None):
        console.print("... and more: narrow --from and --to, or use --format jsonl")
    console.print(_summary(reader, key, since, until), style="dim")


def _summary(reader: Reader, key: SeriesKey, since: int, until: int) -> str:
    totals = sums(reader.runs(key, since, until))
    closed = sum(totals.values())
    if not closed:
        return f"no closed second from {instants.show(since)} to {instants.show(until)}"
    parts = ", ".join(f"{n:,} {verdict}" for verdict, n in totals.items() if n)
    return f"{closed:,} closed second{'s'[: closed != 1]}: {parts}"


def _calls(cell: Cell) -> str:
    return ", ".join(f"{n} {fault}" for fault, n in cell.faults) or "0"
