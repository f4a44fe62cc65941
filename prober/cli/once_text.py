"""How `prober once` says how its calls went: a table, plain lines, JSON values."""

import time
from collections.abc import Callable, Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from prober import instants
from prober.cli.stored import harmless, terminal
from prober.probes.transcript import render
from rules.model import PHASES, Observation
from rules.reasons import REASONS

if TYPE_CHECKING:
    from prober.cli.once import Called

_WIDTH = 80  # columns
_DAY = 86_400
_TEXT = 120  # characters of a server's words

Redact = Callable[[str], str]


def name_of(result: "Called") -> str:
    """`bird/api/account`, `control dns`."""
    return f"{result.service}/{result.channel}/{result.endpoint}" if result.service else f"control {result.endpoint}"


def facts(result: "Called", *, verbose: bool) -> dict[str, Any]:
    """A line of `--format jsonl`. Durations are seconds, instants UTC seconds; not yet redacted."""
    seen, finding = result.once.observation, result.finding
    whose: dict[str, Any] = {"control": result.endpoint}
    if result.service:
        whose = {"service": result.service, "channel": result.channel, "endpoint": result.endpoint}
    found = whose | {
        "ok": result.ok,
        "fault": finding.fault.value,
        "reason": finding.reason,
        "tags": list(finding.tags),
        "stage": seen.stage.value,
        "code": seen.code or None,
        "text": " ".join(x for x in (seen.enhanced, seen.text) if x),
        "detail": seen.detail,
        "begun": seen.begun / 1e9,
        "seconds": (seen.ended - seen.begun) / 1e9,
        "phases": {phase: took / 1e9 for phase, took in _phases(seen)},
        "peer": seen.peer or None,
        "failed_addresses": list(seen.family_errors),
        "tls": seen.tls_version or None,
        "certificate_until": seen.cert_expiry or None,
    }
    if verbose and not result.ok:
        found["transcript"] = render(result.once.log)
    return found


def show(results: Sequence["Called"], controls: Sequence["Called"], redact: Redact, *, verbose: bool) -> None:
    """Print them for people: a table in a terminal, plain lines in a pipe; then what is to be said of each."""
    if terminal():
        _table((*results, *controls))
        print()
    else:
        for result in (*results, *controls):
            print(f"{name_of(result)}: {_outcome(result)}, {_took(result)}")
    for result in (*results, *controls):
        for line in _notes(result, redact, verbose=verbose):
            print(line)


def _phases(seen: Observation) -> Iterator[tuple[str, int]]:
    """The phases that were reached, with their ns."""
    return ((phase, took) for phase, took in zip(PHASES[seen.kind], seen.phases, strict=False) if took >= 0)


def _outcome(result: "Called") -> str:
    finding = result.finding
    if result.ok:
        return "ok"
    return f"{finding.fault.value if result.service else 'failed'} {finding.reason}"  # a control accuses nobody


def _took(result: "Called") -> str:
    seen = result.once.observation
    return f"{(seen.ended - seen.begun) / 1e6:.1f} ms"


def _shown_phases(seen: Observation) -> str:
    return ", ".join(f"{phase} {took / 1e6:.1f}" for phase, took in _phases(seen))


def _table(results: Sequence["Called"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Endpoint", "Result", "Code"):
        table.add_column(heading, overflow="fold")
    table.add_column("ms", justify="right")
    table.add_column("Phases (ms)", overflow="fold")
    for result in results:
        seen = result.once.observation
        cells = (name_of(result), _outcome(result), str(seen.code or "-"), _took(result)[:-3], _shown_phases(seen))
        styles = ("", "green" if result.ok else "red", "", "", "dim")
        table.add_row(*(Text(harmless(cell), style) for cell, style in zip(cells, styles, strict=True)))
    Console(highlight=False).print(table)


def _notes(result: "Called", redact: Redact, *, verbose: bool) -> Iterator[str]:
    """What is to be said of one call beside its line; nothing of a control that is fine."""
    if result.ok and not result.service:
        return
    yield name_of(result)
    for words, text in _said(result):
        yield fill(
            f"{words}: {harmless(redact(text))}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    if verbose and not result.ok:
        yield "  over the wire:"
        yield from (f"    {line}" for line in redact(render(result.once.log) or "nothing").splitlines())


def _said(result: "Called") -> Iterator[tuple[str, str]]:
    seen, reason = result.once.observation, REASONS.get(result.finding.reason)
    if not result.ok and reason is not None:
        yield "means", reason.means
        yield "to do", reason.advice
    if not result.ok:
        yield "stage", seen.stage.value
    if seen.code:
        words = " ".join(x for x in (str(seen.code), seen.enhanced, seen.text) if x)
        yield "reply", words if len(words) <= _TEXT else words[: _TEXT - 3] + "..."
    if seen.detail:
        yield "detail", seen.detail
    yield "phases", _shown_phases(seen) + " ms"
    if seen.peer:
        yield "peer", seen.peer + (f", {seen.tls_version}" if seen.tls_version else "")
    if seen.family_errors:
        yield "failed addresses", ", ".join(seen.family_errors)
    if seen.cert_expiry:
        left = seen.cert_expiry - time.time()
        when = f"{left / _DAY:.0f} days left" if left >= _DAY else "less than a day left" if left > 0 else "expired"
        yield "certificate", f"until {instants.show(seen.cert_expiry)}, {when}"
