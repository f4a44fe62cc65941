"""`prober incidents preview`: every text and script that an incident of a service would bring, before there is one."""

import argparse
import html
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from prober import instants, rehearsal
from prober.cli import stored
from prober.cli.incident_entries import Mixed
from prober.errors import Exit
from prober.receivers import Receiver
from prober.rehearsal import Rehearsal
from rules.acts import Act, ActKind
from rules.model import Condition

_WIDTH = 80
_TITLES = {
    ActKind.PAGE: "Page",
    ActKind.PAGE_RESOLVE: "Resolved page",
    ActKind.TICKET: "Ticket",
    ActKind.NOTE: "Note into the ticket",
    ActKind.HOTLINE: "Call to the hotline",
    ActKind.ESCALATION: "Escalation",
}
#: Receivers that show one line, and those that read a script out.
_ONE_LINE = frozenset({"snmp"})
_SPOKEN = frozenset({"twilio"})
_MAILED = frozenset({"email"})


def add(actions: "argparse._SubParsersAction[Mixed]") -> None:
    parser = actions.add_parser(
        "preview",
        help="show every text and script beforehand, for a made-up incident",
        description="Show every text and script that an incident would bring. It is made up: nothing is sent.",
    )
    parser.add_argument("file", metavar="CONFIG", nargs="?", type=Path, help="the configuration (default: --config)")
    parser.add_argument("--service", metavar="NAME", default=None, help="whose incident (where there are several)")
    parser.add_argument(
        "--condition",
        choices=[condition.value for condition in Condition],
        default=Condition.UNAVAILABLE.value,
        help="what is made up (default: unavailable)",
    )
    stored.add_config(parser, again=True)
    parser.add_argument(
        "--format", choices=("text", "html"), default="text", help="html: one page with what mail programs show"
    )


def run(args: argparse.Namespace) -> int:
    """Raises UsageError and ConfigError."""
    from prober.deliver.build import wording_of
    from prober.deliver.names import all_receivers
    from prober.deliver.wording import using
    from prober.preview import Preview

    loaded = stored.configuration(args.file or args.config)
    service = rehearsal.service_of(loaded.settings, args.service)
    played = Rehearsal(loaded.settings, loaded.base, service, Condition(args.condition), prefix="example")
    shown = Preview(played, int(time.time())).play()
    receivers = dict(all_receivers(loaded.settings))
    parts = [(_title(n, each.act), _when(each.after), each.act) for n, each in enumerate(shown, 1)]
    lines = _page(played, parts) if args.format == "html" else _text(played, parts, receivers)
    with using(wording_of(loaded.settings, service)) as trouble:
        for line in lines:
            print(line)
    for words in trouble:
        print(f"prober: {words}", file=sys.stderr)
    return Exit.FAILED if trouble else Exit.OK


def _title(number: int, act: Act) -> str:
    return f"{number}. {_TITLES.get(act.kind, act.kind.value)} ({act.step})"


def _when(after: int) -> str:
    return f"{instants.span(after)} after it was found" if after else "at once"


def _intro(played: Rehearsal) -> Iterator[tuple[str, str]]:
    yield "service", f"{played.service.title or played.plan.title} ({played.plan.pack.title})"
    yield "made up", f"{played.condition}{f' ({played.scope})' if played.scope else ''}; nothing is sent"
    yield "mode", played.plan.mode


def _text(played: Rehearsal, parts: list[tuple[str, str, Act]], receivers: Mapping[str, Receiver]) -> Iterator[str]:
    from prober.deliver import texts, twiml

    yield "EXAMPLE: what an incident would say"
    for name, words in _intro(played):
        yield f"  {name:<9} {words}"
    if not parts:
        yield "\nNobody is told of this condition: the agreement names it nowhere, and it is not on-call's own."
    for title, when, act in parts:
        kinds = [receivers[name].kind for name in act.receivers if name in receivers]
        yield f"\n{f'== {title} ':=<{_WIDTH}}"
        yield from _folded("when", when)
        for place, name in enumerate(act.receivers):
            yield from _folded("to" if not place else "or else", _where(name, receivers))
        yield from _folded("subject", texts.subject(act))
        if set(kinds) - _MAILED - _SPOKEN:
            yield from _folded("one line", texts.summary(act))
        if set(kinds) & _SPOKEN and act.kind is ActKind.PAGE_RESOLVE:
            yield "  -- by telephone: nobody is called about it"
        elif set(kinds) & _SPOKEN:
            yield "  -- read out by telephone:"
            yield from _barred(textwrap.fill(twiml.spoken(act), _WIDTH - 4, break_on_hyphens=False))
        if set(kinds) - _ONE_LINE - _SPOKEN or not kinds:
            yield "  -- text:"
            yield from _barred(texts.text(act))


def _where(name: str, receivers: Mapping[str, Receiver]) -> str:
    receiver = receivers.get(name)
    if receiver is None:
        return name
    if receiver.email is not None:
        return f"{name}: mail to {receiver.email.to} from {receiver.email.from_}"
    if receiver.twilio is not None:
        return f"{name}: a telephone call to {receiver.twilio.to}"
    return f"{name} ({receiver.kind})"


def _folded(name: str, words: str) -> Iterator[str]:
    head, rest = f"  {name:<9} ", " " * 12
    yield from textwrap.wrap(words, _WIDTH, initial_indent=head, subsequent_indent=rest, break_on_hyphens=False)


def _barred(words: str) -> Iterator[str]:
    for line in words.strip("\n").splitlines():
        yield f"  | {stored.harmless(line)}".rstrip()


def _page(played: Rehearsal, parts: list[tuple[str, str, Act]]) -> Iterator[str]:
    """One document without scripts: each text in a frame of its own, as a mail program would show it."""
    from prober.deliver import texts

    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f"<title>Example: {html.escape(played.plan.title)}</title></head>"
    yield '<body style="font-family:sans-serif;max-width:60em;margin:1em auto;padding:0 1em">'
    yield "<h1>Example: what an incident would say</h1><dl>"
    for name, words in _intro(played):
        yield f"<dt>{name}</dt><dd>{html.escape(words)}</dd>"
    yield "</dl>"
    for title, when, act in parts:
        to = ", ".join(act.receivers)
        yield f"<h2>{html.escape(title)}</h2><p>{html.escape(f'{when}, to {to}')}</p>"
        yield f"<p>{html.escape(texts.subject(act))}</p>"
        words = html.escape(texts.html(act), quote=True)
        name = html.escape(title, quote=True)
        yield f'<iframe sandbox title="{name}" style="width:100%;height:28em;border:1px solid #888" srcdoc="{words}"></iframe>'
    yield "</body></html>"
