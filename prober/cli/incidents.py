"""`prober incidents`: what happened, what was done about it, and what is kept of it."""

import argparse
import json
import time
from collections.abc import Callable, Mapping

from prober import instants, tickets
from prober.cli import incident_entries, incident_preview, incident_trail, stored
from prober.errors import Exit, UsageError
from prober.store import IncidentHead, Reader

HELP = "show incidents, and enter what people did about them"


def add(parser: argparse.ArgumentParser) -> None:
    formats = ("table", "jsonl")
    stored.add_arguments(parser, formats)
    parser.set_defaults(action="list", service=None)
    title = "what to do (default: list)"
    actions = parser.add_subparsers(title=title, metavar="ACTION", dest="action", parser_class=incident_entries.Mixed)
    lister = actions.add_parser(
        "list", help="list incidents, oldest first", description="List incidents, oldest first."
    )
    lister.add_argument("--service", metavar="NAME", default=None, help="of one service alone")
    stored.add_arguments(lister, formats, again=True)
    shower = actions.add_parser(
        "show",
        help="show one incident's whole trail",
        description="Show one incident: what happened, what was done with which outcome, the failed calls kept.",
    )
    shower.add_argument("incident", metavar="ID")
    stored.add_arguments(shower, formats, again=True)
    incident_preview.add(actions)
    incident_entries.add(actions)


def run(args: argparse.Namespace) -> int:
    return _ACTIONS[args.action or "list"](args)


def _list(args: argparse.Namespace) -> int:
    loaded = stored.configuration(args.config)
    with stored.reader(loaded) as reader:
        known = {key.service for key in reader.series()} | loaded.settings.services.keys()
        if args.service is not None and args.service not in known:
            raise UsageError(f"no service is called {args.service!r}; known: {', '.join(sorted(known)) or 'none'}")
        heads = reader.incidents(args.service)
    if args.format == "jsonl":
        for head in heads:
            print(json.dumps(head_facts(head), ensure_ascii=False))
    elif not heads:
        print("no incidents")
    elif stored.terminal():
        _table(heads)
    else:
        names = ("id", "service", "severity", "phase", "onset", "raised", "recovered", "episodes", "ticket")
        rows = [names, *(tuple(_cell(head_facts(head)[name], name) for name in names) for head in heads)]
        for line in stored.columns(rows):
            print(line)
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    loaded = stored.configuration(args.config)
    with stored.reader(loaded) as reader:
        head = reader.incident(args.incident)
        if head is None:
            newest = ", ".join(known.id for known in reader.incidents()[-3:]) or "none"
            raise UsageError(f"no incident is called {args.incident!r}; the newest: {newest}")
        since, until = window(reader, head)
        if args.format == "jsonl":
            print(json.dumps({"type": "incident", **head_facts(head)}, ensure_ascii=False))
            incident_trail.lines(reader, head, since, until)
        else:
            incident_trail.text(reader, head, since, until)
    return Exit.OK


#: What `prober incidents` can do; those that change something are told to the running program.
_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "preview": incident_preview.run,
    **dict.fromkeys(incident_entries.STEPS, incident_entries.run),
}


def head_facts(head: IncidentHead) -> dict[str, object]:
    """A line of `incidents list --format jsonl`; instants are UTC seconds, null: not yet."""
    return {
        "id": head.id,
        "service": head.service,
        "severity": head.severity,
        "phase": head.phase,
        "onset": head.onset,
        "raised": head.raised,
        "recovered": head.recovered,
        "closed": head.closed,
        "episodes": head.episodes,
        "ticket": head.ticket or None,
        "conditions": list(head.conditions),
    }


def window(reader: Reader, head: IncidentHead) -> tuple[int, int]:
    """The seconds [since, until) that concern an incident: from its onset until it was over."""
    last = head.closed or head.recovered or reader.closed(head.service) or int(time.time())
    return head.onset, max(last, head.raised) + 1


def _cell(value: object, name: str) -> str:
    if value is None:
        return "-"
    if name in ("onset", "raised", "recovered") and isinstance(value, int):
        return instants.show(value)
    return stored.harmless(str(value))


def _table(heads: tuple[IncidentHead, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Incident", "Severity", "Phase", "Since (UTC)", "Lasted", "Ticket"):
        table.add_column(name, overflow="fold")
    for head in heads:
        lasted = instants.span(head.recovered - head.onset) if head.recovered else "goes on"
        if head.episodes > 1:
            lasted += f", {head.episodes} episodes"
        ticket = tickets.in_words(head.ticket) or "-"
        cells = (head.id, head.severity, head.phase, instants.for_people(head.onset), lasted, ticket)
        table.add_row(*(Text(stored.harmless(cell)) for cell in cells))
    Console(highlight=False).print(table)
