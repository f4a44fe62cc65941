"""Neutral public words for what the record of an incident says. No text of anybody's is among them, save what was published."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from prober.deliver.harmless import harmless
from rules.model import Condition

CHANNELS = {"api": "API", "smtp": "SMTP"}

#: What is so of the service while the condition holds.
SO = {
    Condition.UNAVAILABLE: "unavailable",
    Condition.PARTIAL: "partly unavailable",
    Condition.INTERMITTENT: "failing now and then",
    Condition.SLOW: "slow",
    Condition.FAILING: "not usable from here",
}
#: Statuspage's impact of an incident.
IMPACT = {
    Condition.UNAVAILABLE: "critical",
    Condition.PARTIAL: "major",
    Condition.INTERMITTENT: "minor",
    Condition.SLOW: "minor",
    Condition.FAILING: "minor",
}
#: Steps of the ticket's life that are public, and how they are told.
STEPS = {"first_response": "The provider has responded.", "workaround": "A work-around is available."}
#: Characters of a published text that are shown.
LONGEST = 4000


def condition_of(detail: Mapping[str, Any]) -> Condition | None:
    """The condition that a record names, if it is one that is told in public."""
    try:
        found = Condition(detail.get("condition", ""))
    except ValueError:
        return None
    return found if found in SO else None


def what(title: str, scope: object) -> str:
    """The service, or its channel; endpoints are nobody's business outside."""
    channel = harmless(str(scope or "").partition("/")[0], limit=100)
    return f"{title} ({CHANNELS.get(channel, channel)})" if channel else title


def named(title: str, condition: Condition, *, over: bool = False) -> str:
    """The incident's name; `over`: as one speaks of it once the condition no longer holds."""
    return f"{title} {'was' if over else 'is'} {SO[condition]}"


def began(title: str, detail: Mapping[str, Any], condition: Condition, *, again: bool = False) -> str:
    """A condition has been found to hold."""
    since = instant(detail.get("onset"))
    return (
        f"{what(title, detail.get('scope'))} {'is' if not since else 'has been'} {SO[condition]}"
        f"{' again' if again else ''}{f' since {since}' if since else ''}. This is being investigated."
    )


def recovered(title: str, detail: Mapping[str, Any]) -> str:
    """Nothing holds any more."""
    last = instant(detail.get("last_bad"))
    return f"{title} has recovered{f'; the last failure was at {last}' if last else ''}. It goes on being watched."


RESOLVED = "The incident is resolved."
REOPENED = "The incident was reopened."


def published(text: object) -> str:
    """What a person entered for the public, made harmless."""
    return harmless(str(text or ""), lines=True, limit=LONGEST)


def instant(second: object) -> str:
    """A UTC second in words; "" when it is none."""
    if not isinstance(second, int) or isinstance(second, bool) or not 0 < second < 10**11:
        return ""
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
