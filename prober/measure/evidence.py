"""Which failed calls are kept as evidence, and what a ticket shows of the newest ones.

Of each endpoint's failing spell the first calls are kept, then one every ten seconds; in all so many a second at most, so that
a thousand endpoints failing at once cost no more than some. Rendering happens in the store's writer thread.
"""

from collections import deque
from functools import partial
from typing import Any

from prober.measure.clock import NS
from prober.measure.lane import Lane
from prober.probes.call import Call
from prober.probes.transcript import render
from prober.store import Failure, SeriesKey
from rules.model import PHASES, Finding, Kind, Observation
from rules.reasons import REASONS

#: What a call's transcript is made of: (ns since its begin, direction, bytes).
Log = list[tuple[int, str, bytes]]

#: Failed calls of a spell that are kept before thinning out.
FIRST = 3
#: Then one in so many ns.
THEN_EVERY = 10 * NS
#: In all, a second.
AT_MOST = 20
#: Failed calls that a ticket shows.
SAMPLES = 3
#: Endpoints whose newest failures are remembered for tickets: those that failed last.
REMEMBERED = 50


class Evidence:
    """Chooses failures to keep; `take` hands over those of the last moments."""

    def __init__(self) -> None:
        self._kept: list[Failure] = []
        self._second = 0
        self._count = 0
        self._newest: dict[SeriesKey, deque[tuple[Failure, Log]]] = {}

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
        log = call.transcript()
        failure = Failure(
            key,
            call.slot.second,
            call.observation.begun,
            finding.fault,
            finding.reason,
            call.observation,
            partial(render, log),
            finding.tags,
        )
        self._kept.append(failure)
        newest = self._newest[key] = self._newest.pop(key, deque(maxlen=SAMPLES))  # the endpoint that failed last
        newest.append((failure, log))
        if len(self._newest) > REMEMBERED:
            del self._newest[next(iter(self._newest))]

    def take(self) -> tuple[Failure, ...]:
        """What was kept since the last time."""
        kept, self._kept = tuple(self._kept), []
        return kept

    def samples(self, service: str, since: int) -> list[dict[str, Any]]:
        """The newest failures of a service that began at UTC second `since` or later, newest first, as facts of an act.

        JSON values, not yet redacted; one of each endpoint before a second of any.
        """
        found = [
            (-age, -failure.at, failure, log)
            for key, newest in self._newest.items()
            if key.service == service
            for age, (failure, log) in enumerate(newest, start=1 - len(newest))
            if failure.second >= since
        ]
        found.sort(key=lambda item: item[:2])
        return [_describe(failure, log) for _, _, failure, log in found[:SAMPLES]]


def _describe(failure: Failure, log: Log) -> dict[str, Any]:
    seen: Observation = failure.observation
    reason = REASONS.get(failure.reason)
    facts: dict[str, Any] = {
        "at": failure.at / NS,
        "second": failure.second,
        "channel": failure.key.channel,
        "endpoint": failure.key.endpoint,
        "fault": failure.fault.value,
        "reason": failure.reason,
        "means": reason.means if reason is not None else "",
        "stage": seen.stage.value,
        "code": seen.code,
        "peer": seen.peer,
        "seconds": (seen.ended - seen.begun) / NS,
        "phases": {name: ns / NS for name, ns in zip(PHASES[seen.kind], seen.phases, strict=False) if ns >= 0},
    }
    if seen.kind is Kind.HTTP:
        facts["request"] = render(entry for entry in log if entry[1] == ">")
        facts["response"] = render(entry for entry in log if entry[1] == "<")
    else:
        facts["transcript"] = render(log)
    return facts
