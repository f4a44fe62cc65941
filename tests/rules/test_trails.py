"""The customer-visible trail of one incident under each agreement, kept as text, so that a change of behaviour shows as a diff.

The same things happen under each: an outage on a Friday afternoon, an answer late, a question to us, a recovery, an outage again
on Sunday, and the end on Monday. `TRAILS=write pytest tests/rules/test_trails.py` writes the files anew; look at the diff.
"""

import difflib
import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from agreement_story import Agreement

from rules.acts import Act
from rules.incident import EntryKind, Record, RecordKind
from rules.model import Condition

TRAILS = Path(__file__).parents[1] / "trails"

#: Agreement, its time zone and its terms.
UNDER: dict[str, tuple[str, dict[str, Any]]] = {
    "bird-email-enterprise": ("Europe/Amsterdam", {"updates_every": "4h", "holidays": "NL"}),
    "bird-email-premium": ("Europe/Rome", {"response_within": "2h", "updates_every": "1d", "holidays": "IT"}),
    "360dialog": ("Europe/Berlin", {"tariff": "regular", "updates_every": "12h"}),
    "aivo": ("America/Sao_Paulo", {"support_24x7": "yes", "holidays": "BR-SP"}),
    "promptlink": ("Europe/Paris", {}),
}


def story(name: str) -> Agreement:
    zone, terms = UNDER[name]
    a = Agreement(name, zone, **terms)
    a.raised("Fri 13 Nov 15:30", Condition.PARTIAL, "api/account")
    a.raised("Fri 13 Nov 16:00")
    if a.state.plan.pack.hotline:
        a.entered("Fri 13 Nov 16:08", EntryKind.INTAKE)
        a.entered("Fri 13 Nov 16:31", EntryKind.CALL_BACK)
    if a.state.plan.pack.proposes:
        a.entered("Fri 13 Nov 16:10", EntryKind.CONFIRM)
    a.entered("Fri 13 Nov 17:45", EntryKind.ACK)
    a.entered("Fri 13 Nov 21:10", EntryKind.FIRST_RESPONSE, ticket="4711")
    a.entered("Fri 13 Nov 21:20", EntryKind.WAITING_FOR_US)
    a.cleared("Fri 13 Nov 21:40", Condition.PARTIAL, "api/account")
    a.cleared("Fri 13 Nov 22:00")
    a.entered("Sat 14 Nov 23:30", EntryKind.WAITING_FOR_THEM)
    a.raised("Sun 15 Nov 04:00")
    a.entered("Sun 15 Nov 05:00", EntryKind.WORKAROUND)
    a.cleared("Sun 15 Nov 05:30")
    a.entered("Mon 16 Nov 09:30", EntryKind.UPDATE)
    last = EntryKind.CLOSED_BY_VENDOR if a.state.plan.pack.resolution.by == "vendor" else EntryKind.RESOLVE
    a.entered("Mon 16 Nov 15:00", last)
    a.at("Tue 17 Nov 15:00")
    return a


#: Records that a reader of the trail sees beside the acts, and what of their detail.
SHOWN = {
    RecordKind.OPENED: "incident opened: {severity}",
    RecordKind.EPISODE: "episode {episode}",
    RecordKind.SEVERITY: "severity {before} -> {now}",
    RecordKind.RECOVERED: "recovered",
    RecordKind.CLOSED: "closed: {how}",
    RecordKind.ACK: "acknowledged by {by}",
    RecordKind.LIFE: "entered: {step}",
    RecordKind.CONFIRMED: "confirmed by others",
    RecordKind.CLOCK_STARTED: "clock {clock} starts, due {due} [{article}]",
    RecordKind.CLOCK_CHANGED: "clock {clock} changes, due {due} instead of {before}",
    RecordKind.CLOCK_PAUSED: "clock {clock} stands still",
    RecordKind.CLOCK_RESUMED: "clock {clock} goes on, due {due}",
    RecordKind.CLOCK_MET: "clock {clock} is met, {late} s late",
    RecordKind.CLOCK_STOPPED: "clock {clock} is stopped: {why}",
    RecordKind.WILL_ESCALATE: "escalation to the {to} waits for {at}",
    RecordKind.HOTLINE_NOT_CALLED: "hotline not called: {why}",
}


def trail(a: Agreement, what: str = "one incident", shown: Mapping[RecordKind, str] = SHOWN) -> str:
    return "\n".join(lines(a, what, shown)) + "\n"


def lines(a: Agreement, what: str, show: Mapping[RecordKind, str]) -> Iterator[str]:
    pack = a.state.plan.pack
    yield f"{pack.title}: {what}, in the time of {a.zone.key}"
    shown = 0
    for second, said in a.said:
        words = told(a, second, said, show)
        if words and second != shown:
            yield ""
            yield a.clock(second)
            shown = second
        for i, word in enumerate(words):
            yield from textwrap.wrap(
                word,
                100,
                initial_indent="  " if i == 0 else "      ",
                subsequent_indent="      ",
                break_on_hyphens=False,
            )


def told(a: Agreement, second: int, said: Record | Act, show: Mapping[RecordKind, str] = SHOWN) -> list[str]:
    if isinstance(said, Act):
        _, kind, receiver, step = a.line(second, said).split()
        severity = said.facts["severity_title"] + (", proposed" if said.facts["proposed"] else "")
        text = said.facts.get("text")
        return [f"{kind.upper()} to {receiver}: {step} ({severity})", *([text] if text else [])]
    if said.kind not in show:
        return []
    instants = {
        k: v for k, v in said.detail.items() if k in ("due", "before", "at") and isinstance(v, int) and v < 10**11
    }
    return [show[said.kind].format(**dict(said.detail) | {k: a.clock(v) for k, v in instants.items()})]


@pytest.mark.parametrize("name", UNDER)
def test_the_trail_is_the_one_that_is_kept(name: str) -> None:
    keep(f"{name}.txt", trail(story(name)))


def keep(name: str, now: str) -> None:
    """Hold a trail against the one that is kept under that name."""
    path = TRAILS / name
    if os.environ.get("TRAILS") == "write":
        path.write_text(now, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    assert now == kept, "\n".join(difflib.unified_diff(kept.splitlines(), now.splitlines(), "kept", "now", lineterm=""))
