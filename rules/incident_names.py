"""Names that are made of facts alone, so that the same facts give the same names."""

from datetime import UTC, datetime

from rules.incident_events import ConditionCleared, ConditionRaised


def incident_id(service: str, second: int) -> str:
    """`bird-20261122T101530Z`: the service and the UTC second of the opening."""
    return f"{service}-{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}"


def stamp(second: int) -> str:
    """A UTC second as people read it: `2026-11-22 10:15:30 UTC`."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S} UTC"


def topic_of(matter: ConditionRaised | ConditionCleared) -> str:
    """What a page about on-call's own matter is about: `failing:api`. The agreement's matter has the topic ""."""
    return f"{matter.condition}:{matter.scope}"


def clock_topic(clock: str) -> str:
    """What a page about a clock of the agreement is about: `clock:call-back`."""
    return f"clock:{clock}"


def incident_of(act: str) -> str:
    """The incident that an act's id names; "" when it names none."""
    return act.partition("/")[0] if "/" in act else ""
