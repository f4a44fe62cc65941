"""The measuring process's centre: between the loop that measures, the keepers that decide, the writer and the serving process.

What a step leads to is written down first, and handed on once it is on disk, or once the store has failed (DESIGN.md,
"Transactions"); nothing here waits for the disk or for the serving process.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prober import logs
from prober.link import Message
from prober.measure.clock import NS
from prober.measure.closings import Closings
from prober.measure.errands import Errands
from prober.measure.evidence import Evidence
from prober.measure.keeper import Keeper, Outcome
from prober.measure.lane import Lane
from prober.measure.measure import Measure
from prober.measure.messages import figure_row, second_message
from prober.measure.plan import Plan as MeasurePlan
from prober.measure.ring import Layout, Slot
from prober.measure.series import Closed
from prober.probes.call import Call
from prober.store import Certificate, SeriesKey, Transaction, Writer
from rules.acts import Act, ActResult
from rules.acts import Outcome as ActOutcome
from rules.conditions import NOTHING_FURTHER, Further
from rules.incident import ClockStepped, Entry, EntryKind
from rules.incident import Plan as IncidentPlan
from rules.machine import Stall, Step
from rules.model import Finding, Verdict
from rules.persistence import Rule
from rules.slices import Work

log = logs.get("measure")


@dataclass(frozen=True, slots=True)
class Change:
    """How a service is configured from a reload on."""

    layout: Layout
    plan: IncidentPlan
    rule: Rule
    enrich: Callable[[Act], Act]
    further: Further = NOTHING_FURTHER


class Station:
    """Listens to `Measure`, keeps every service's keeper, and speaks with the writer and with serve (`send`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, writer: Writer, send: Callable[[Message], None]) -> None:
        self._loop = loop
        self._writer = writer
        self._send = send
        self._changes: dict[str, deque[Change]] = {}  # of reloads; each from the first second of its layout on
        self.keepers: dict[str, Keeper] = {}
        self.gone: dict[str, Keeper] = {}  # no longer configured: their incidents stay, and acts may be on the way
        self.on_installed: Callable[[MeasurePlan], None] = lambda _plan: None
        self.evidence = Evidence()
        self.seconds: dict[tuple[str, str, Verdict], int] = {}
        self.errands = Errands(send)
        self.vendor_says: dict[str, Any] = {}  # service -> what the vendor's status page said last
        self.measure: Measure | None = None
        self._closings = Closings(self._close, loop.call_soon)

    def change(self, service: str, change: Change) -> None:
        """The service is configured differently from the first second of the change's layout on."""
        self._changes.setdefault(service, deque()).append(change)

    # what the measuring loop tells

    def closed(self, slot: Slot) -> None:
        self._closings.add(slot)

    def _close(self, slot: Slot) -> Work[None]:
        service = slot.layout.service
        keeper = self.keepers[service]
        if slot.layout is not keeper.layout:
            yield from self._changing_over(keeper, slot)
        seen, outcome = yield from keeper.closing(slot)
        self._count(keeper, seen)
        assert self.measure is not None
        work = replace(outcome.work, failures=self.evidence.take(), figures=self.measure.figures.minutes.finished(slot))
        self.carry_out(keeper, replace(outcome, work=work))
        self._send(second_message(service, seen))

    def _changing_over(self, keeper: Keeper, slot: Slot) -> Work[None]:
        """The first second of another layout; reloads that no second was measured by are passed over."""
        changes = self._changes.get(slot.layout.service, deque())
        while changes:
            change = changes.popleft()
            if change.layout is slot.layout:
                at = slot.second * NS
                work = keeper.reloading(change.layout, change.plan, change.rule, change.enrich, at, change.further)
                outcome = yield from work
                self.carry_out(keeper, outcome)
                return

    def installed(self, plan: MeasurePlan) -> None:
        self.on_installed(plan)

    def retired(self, service: str) -> None:
        self._closings.finish()
        keeper = self.gone[service] = self.keepers.pop(service)
        self._changes.pop(service, None)
        assert self.measure is not None
        outcome = keeper.retire(self.measure.utc())
        figures = self.measure.figures.minutes.rest(service)
        self.carry_out(keeper, replace(outcome, work=replace(outcome.work, figures=figures)))

    def failed(self, lane: Lane, call: Call, finding: Finding) -> None:
        self.evidence.offer(lane, call, finding)
        if lane.failing == 1 and call.observation is not None:
            seen = call.observation
            log.warning(
                "calls of an endpoint fail",
                extra=logs.fields(
                    service=lane.key.service,
                    channel=lane.key.channel,
                    endpoint=lane.key.endpoint,
                    fault=finding.fault,
                    reason=finding.reason,
                    stage=seen.stage,
                    code=seen.code or None,
                    detail=seen.detail or seen.text[:200],
                ),
            )

    def stalled(self, stall: Stall) -> None:
        log.warning(
            "our own machine stood still: the seconds it covers are unmeasured",
            extra=logs.fields(
                seconds=round((stall.end_utc - stall.start_utc) / NS, 3), suspended=bool(stall.suspended)
            ),
        )

    def stepped(self, step: Step) -> None:
        self._closings.finish()
        log.warning("the clock was stepped", extra=logs.fields(seconds=round(step.delta / NS, 3)))
        for keeper in self._all():
            self.carry_out(keeper, keeper.take(ClockStepped(step.delta, step.to_utc // NS)))

    # what serve tells

    def started(self, message: Mapping[str, Any]) -> None:
        keeper = self._keeper_of(str(message["act"]))
        if keeper is not None:
            self.carry_out(keeper, keeper.started(str(message["act"]), str(message["receiver"]), int(message["at"])))

    def attempted(self, message: Mapping[str, Any]) -> None:
        """An attempt ended (T2): written down together with the step that it causes."""
        result = ActResult(
            act=str(message["act"]),
            receiver=str(message["receiver"]),
            outcome=ActOutcome(message["outcome"]),
            at=int(message["at"]),
            detail=str(message.get("detail", "")),
            reference=str(message.get("reference", "")),
            final=bool(message.get("final")),
        )
        self.errands.attempted(result)
        extra = logs.fields(act=result.act, receiver=result.receiver, outcome=result.outcome, detail=result.detail)
        if result.outcome is ActOutcome.ACCEPTED:
            log.info("an act was accepted", extra=extra)
        else:
            log.warning("an attempt at an act failed", extra=extra)
        keeper = self._keeper_of(result.act)
        if keeper is not None:
            self.carry_out(keeper, keeper.result(result))

    def entered(self, message: Mapping[str, Any]) -> None:
        """An operator's step; answered with `entered`."""
        error = self._enter(message, str(message.get("incident", "")))
        self._send({"type": "entered", "id": message.get("id"), "ok": not error, "error": error})

    def _enter(self, message: Mapping[str, Any], incident: str) -> str:
        """Why the step is not taken; "" when it is."""
        assert self.measure is not None
        keeper = self.keeper_of(incident)
        if keeper is None:
            return f"no incident {incident!r} is open"
        try:
            kind = EntryKind(message["kind"])
        except (KeyError, ValueError):
            return f"no such step: {message.get('kind')!r}"
        by, text, ticket, value, via = (
            str(message.get(name) or "") for name in ("by", "text", "ticket", "value", "via")
        )
        try:
            when = int(message.get("when") or 0)
        except (TypeError, ValueError):
            return f"no such time: {message.get('when')!r}"
        outcome = keeper.take(Entry(kind, by, text, self.measure.utc(), ticket, incident, value, when, via))
        self.carry_out(keeper, outcome)
        return outcome.refused

    def keeper_of(self, incident: str) -> Keeper | None:
        """Who keeps the open incident of that name; None when none is open under it."""
        return next((k for k in self._all() if incident and _is_of(k, incident)), None)

    def purge(self, message: Mapping[str, Any]) -> None:
        failures, minutes = int(message["failures_before"]), int(message.get("minutes_before", 0))
        self._writer.submit(Transaction(purge_failures_before=failures, purge_minutes_before=minutes))

    def added_up(self, message: Message) -> None:
        """Minutes added up to an hour, or hours to a day."""
        self._writer.submit(Transaction(figures=(figure_row(message),)))

    def end(self) -> None:
        """No call is open any more: what has closed and been counted goes to the store too."""
        self._closings.finish()
        assert self.measure is not None
        self._writer.submit(Transaction(figures=self.measure.figures.minutes.rest()))

    def certificate(self, message: Mapping[str, Any]) -> None:
        key = SeriesKey(str(message["service"]), str(message["channel"]), str(message["endpoint"]))
        found = Certificate(
            key,
            str(message.get("serial", "")),
            str(message.get("subject", "")),
            str(message.get("issuer", "")),
            int(message["not_after"]),
            int(message["checked"]),
        )
        self._writer.submit(Transaction(certificates=(found,)))

    # what comes of it

    def tick(self) -> None:
        """Once a second: time passes for every incident, and serve learns the totals."""
        assert self.measure is not None
        second = self.measure.utc() // NS
        for keeper in self._all():
            self.carry_out(keeper, keeper.tick(second))
        self._writer.poll()
        self._send(self.totals())

    def carry_out(self, keeper: Keeper, outcome: Outcome) -> None:
        """Write down what a step led to, and hand it on once that is done."""
        for record in outcome.records:
            log.info(
                "incident: %s",
                record.kind.value,
                extra=logs.fields(service=keeper.layout.service, incident=record.incident, **_brief(record.detail)),
            )
        self.errands.made(outcome.acts, keeper.layout.service)
        self.errands.unwanted(outcome.withdraw)
        work = outcome.work
        if not (work.closed or work.states or work.records or work.acts or work.attempts or work.runs or work.figures):
            return
        if not (outcome.acts or outcome.withdraw):
            self._writer.submit(work)
        else:
            acts, withdraw = outcome.acts, outcome.withdraw
            self._writer.submit(work, lambda error: self._on_disk(acts, withdraw, error))
        if outcome.stepped:
            self._send({"type": "incidents", "open": self.open_incidents()})

    def _on_disk(self, acts: tuple[Act, ...], withdraw: tuple[str, ...], error: Exception | None) -> None:
        """In the writer's thread: the step is on disk, or cannot be put there now (acts go out all the same)."""
        if error is not None:
            log.error("acts go out although the store fails", extra=logs.fields(error=str(error)))
        try:
            self._loop.call_soon_threadsafe(self.errands.hand_over, acts, withdraw)
        except RuntimeError:
            log.debug("the loop has ended; the acts go out after the next start")

    def resend(self) -> None:
        """A new serving process: it gets all acts that are not done, and the open incidents."""
        self.errands.resend()
        self._send({"type": "incidents", "open": self.open_incidents()})

    def leave(self, keeper: Keeper) -> None:
        """A service that the store knows and the configuration does not: its incident stays as it is."""
        assert self.measure is not None
        self.gone[keeper.layout.service] = keeper
        self.carry_out(keeper, keeper.retire(self.measure.utc()))

    def _all(self) -> Iterator[Keeper]:
        yield from self.keepers.values()
        yield from self.gone.values()

    def _keeper_of(self, act_id: str) -> Keeper | None:
        service = self.errands.service_of(act_id)
        return self.keepers.get(service) or self.gone.get(service)

    # figures

    def _count(self, keeper: Keeper, seen: Closed) -> None:
        service = keeper.layout.service
        for channel, cell in (("", seen.service), *seen.channels.items()):
            key = (service, channel, cell.verdict)
            self.seconds[key] = self.seconds.get(key, 0) + seen.span

    def open_incidents(self) -> list[dict[str, Any]]:
        """The open incidents as the link carries them."""
        return [_for_people(view) for keeper in self.keepers.values() if (view := keeper.view()) is not None]

    def totals(self) -> Message:
        """The message `totals` of prober.link."""
        measure = self.measure
        assert measure is not None
        second = measure.utc() // NS
        health = self._writer.health()
        return {
            "type": "totals",
            "seconds": [[s, c, v.value, n] for (s, c, v), n in self.seconds.items()],
            "durations": {f"{s}\x1f{c}": [h.counts, h.sum] for (s, c), h in measure.figures.durations.items()},
            "lag": [measure.figures.lag.counts, measure.figures.lag.sum],
            "acts": [[kind, outcome, n] for (kind, outcome), n in self.errands.done.items()],
            "pending": len(self.errands),
            "oldest": self.errands.age(second),
            "store": {
                "ok": health.ok,
                "queued": health.queued_seconds,
                "dropped": health.dropped,
                "error": health.last_error,
            },
            "beat": measure.last_beat,
            "stalls": measure.stalls,
            "steps": measure.steps,
            "open_calls": measure.open_calls,
        }


def _is_of(keeper: Keeper, incident: str) -> bool:
    """It is the service's open incident, or its newest closed one, which may be reopened."""
    state = keeper.state
    return any(known is not None and known.id == incident for known in (state.incident, state.closed))


def _brief(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What of a record fits into a line of the log."""
    return {
        k: v for k, v in detail.items() if isinstance(v, (str, int, float, bool)) and k not in ("service", "incident")
    }


def _for_people(view: dict[str, Any]) -> dict[str, Any]:
    """An incident's view with its ticket in a word, and without receivers' names."""
    ticket = view["ticket"] or {}
    return view | {
        "ticket": ticket.get("number") or ticket.get("reference") or ticket.get("status", ""),
        "number": ticket.get("number", ""),
        "reference": ticket.get("reference", ""),
    }
