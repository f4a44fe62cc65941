"""Which failed calls are kept as evidence, and what a ticket shows of the newest ones.

Of each endpoint's failing spell the first calls are kept, then one every ten seconds; in all so many a second at most, so that
a thousand endpoints failing at once cost no more than some. Rendering happens in the store's writer thread.
"""

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

from prober.measure.clock import NS
from prober.measure.lane import Lane
from prober.probes.call import Call
from prober.probes.transcript import render
from prober.store import Failure, SeriesKey
from rules.model import PHASES, Finding, Observation
from rules.reasons import REASONS

#: Failed calls of a spell that are kept before thinning out.
FIRST = 3
#: Then one in so many ns.
THEN_EVERY = 10 * NS
#: In all, a second.
AT_MOST = 20
#: Failed calls that a ticket shows.
SAMPLES = 3


class Evidence:
    """Chooses failures to keep; `take` hands over those of the last moments."""

    def __init__(self) -> None:
        self._kept: list[Failure] = []
        self._second = 0
        self._count = 0
        self._newest: dict[tuple[str, str, str], deque[Failure]] = {}

    def offer(self, lane: Lane, call: Call, finding: Finding) -> None:
        """A call failed: keep it or let it go."""
        if lane.failing > FIRST and call.ended - lane.kept_at < THEN_EVERY:
            return
        second = call.ended // NS
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > AT_MOST or call.observation is None:
            return
        lane.kept_at = call.ended
        key = SeriesKey(lane.key.service, lane.key.channel, lane.key.endpoint)
        failure = Failure(
            key,
            call.slot.second,
            call.observation.begun,
            finding.fault,
            finding.reason,
            call.observation,
            partial(render, call.transcript()),
            finding.tags,
        )
        self._kept.append(failure)
        self._newest.setdefault((key.service, key.channel, key.endpoint), deque(maxlen=SAMPLES)).append(failure)

    def take(self) -> tuple[Failure, ...]:
        """What was kept since the last time."""
        kept, self._kept = tuple(self._kept), []
        return kept

    def samples(self, service: str, since: int) -> list[Failure]:
        """The newest failures of each endpoint of a service that began at UTC second `since` or later, newest first."""
        found = [
            failure
            for key, newest in self._newest.items()
            if key[0] == service
            for failure in newest
            if failure.second >= since
        ]
        return sorted(found, key=lambda failure: -failure.at)[:SAMPLES]


def describe(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """Failures as facts of an act: JSON values (not yet redacted)."""
    return [_describe(failure) for failure in failures]


def _describe(failure: Failure) -> dict[str, Any]:
    seen: Observation = failure.observation
    reason = REASONS.get(failure.reason)
    names = PHASES[seen.kind]
    return {
        "at": failure.at / NS,
        "second": failure.second,
        "channel": failure.key.channel,
        "endpoint": failure.key.endpoint,
        "fault": failure.fault,
        "reason": failure.reason,
        "means": reason.means if reason is not None else "",
        "stage": seen.stage,
        "code": seen.code,
        "peer": seen.peer,
        "seconds": (seen.ended - seen.begun) / NS,
        "phases": {name: ns / NS for name, ns in zip(names, seen.phases, strict=False) if ns >= 0},
        "transcript": failure.transcript if isinstance(failure.transcript, str) else failure.transcript(),
    }
