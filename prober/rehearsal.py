"""A made-up incident of a service, as its agreement and its configuration would have it: for drills and previews.

The real rules make the acts, from events that are made up; nothing is measured, sent or written down. Times are the caller's
(UTC seconds), so that a drill can move its clock.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import rules
from prober.errors import UsageError
from prober.measure.services import plan_of, rule_of, standing_facts
from prober.redact import Redactor
from prober.settings import ApiEndpoint, Service, Settings, Slow, SmtpEndpoint
from rules.acts import Act, ActKind
from rules.incident import ConditionCleared, ConditionRaised, Event, Mode, Record, ServiceState, step
from rules.model import Condition
from rules.reasons import REASONS

#: Conditions that are about one endpoint, and those about a channel.
_OF_ENDPOINTS = frozenset({Condition.PARTIAL})
_OF_CHANNELS = frozenset({Condition.FAILING, Condition.SLOW})
#: The reason that a made-up failure has, by condition: of a call to an API, and of an injection.
_REASONS = {
    Condition.FAILING: ("http_status_401", "smtp_reply_535"),
    Condition.SLOW: ("", ""),
    Condition.BLIND: ("", ""),
}
_FAILED = ("http_status_503", "smtp_reply_421")


def service_of(settings: Settings, name: str | None) -> str:
    """The service that is meant. Raises UsageError when that is not clear, or when there is none of that name."""
    known = ", ".join(settings.services)
    if name is None and len(settings.services) == 1:
        return next(iter(settings.services))
    if name is None:
        raise UsageError(f"there are several services; say which with --service: {known}")
    if name not in settings.services:
        raise UsageError(f"no service is called {name!r}; known: {known}")
    return name


class Rehearsal:
    """An incident that is played. `prefix` begins its name, so that nobody takes it for a real one."""

    def __init__(
        self,
        settings: Settings,
        base: Path,
        service: str,
        condition: Condition,
        *,
        prefix: str,
        mode: Mode | None = None,
        exercise: bool = False,
    ) -> None:
        """Raises PackError and CalendarError for an agreement that cannot be used."""
        plan = plan_of(settings, service, base)
        # The public is not told of what is only played.
        self.plan = replace(plan, service=f"{prefix}-{service}", mode=mode or plan.mode, status_pages=())
        self.service = settings.services[service]
        self.state = ServiceState(self.plan)
        self.records: list[Record] = []
        self.condition, self.scope = condition, _scope(self.service, condition)
        self._facts = {**standing_facts(settings, service), "service": service}
        if exercise:
            self._facts["exercise"] = True
        self._controls = [control.name for control in settings.controls]
        self._redactor = Redactor.of(settings)

    @property
    def window(self) -> int:
        """Seconds that the condition has held when it is found to be persistent."""
        return max(1, self.service.persistence.for_ // 1000)

    def raised(self, second: int) -> ConditionRaised:
        """The made-up condition, found at `second`."""
        measured, bad = self._figures()
        name = self._reason()
        return ConditionRaised(
            self.condition,
            second,
            second - (measured or self.window) + 1,
            self.scope,
            measured=measured,
            bad=bad,
            reasons={name: bad} if name and bad else {},
            rule=self._rule(measured, bad),
        )

    def cleared(self, second: int) -> ConditionCleared:
        """It is over, as found at `second`."""
        last = second - self.service.persistence.recovered_after // 1000
        return ConditionCleared(self.condition, second, self.scope, last)

    def take(self, event: Event) -> tuple[Act, ...]:
        """One event; the acts that it leads to, with all that their texts need."""
        made = step(self.state, event)
        self.state = made.state
        self.records += made.records
        return tuple(self.told(act) for act in made.acts)

    def told(self, act: Act) -> Act:
        """The act with what the measuring process would add to it. No secret stays in it."""
        rule = {"version": rules.VERSION, "source": "configuration"} | dict(act.facts.get("rule") or {})
        facts: dict[str, Any] = {
            **act.facts,
            **self._facts,
            "mode": self.plan.mode.value,
            "rule": rule,
            "samples": self._samples(act),
            "controls": {"configured": self._controls, "ok": True},
        }
        return replace(act, facts=self._redactor.value(facts))

    @property
    def receivers(self) -> dict[str, ActKind]:
        """Everybody whom an incident of the service could reach, with the kind of act that does."""
        plan = self.plan
        levels = [name for level in plan.further for name in level.receivers]
        found = dict.fromkeys((*plan.on_call, *levels), ActKind.PAGE)
        if plan.mode is not Mode.OBSERVE:
            found |= dict.fromkeys(plan.tickets, ActKind.TICKET)
            found |= dict.fromkeys(plan.hotline, ActKind.HOTLINE)
            found |= dict.fromkeys(plan.escalation, ActKind.ESCALATION)
        return found

    # what is made up

    def _figures(self) -> tuple[int, int]:
        """Seconds measured, and those of them that count against somebody, in the window of the condition's rule."""
        if self.condition is Condition.BLIND:
            return 0, 0
        if self.condition is Condition.INTERMITTENT:
            rate = self.service.intermittent
            return max(rate.within // 1000, rate.seconds), rate.seconds
        return self.window, self.window

    def _rule(self, measured: int, bad: int) -> dict[str, Any]:
        """The rule by which the condition is judged, and what each channel's window holds, as the rules say it."""
        if self.condition is Condition.BLIND:
            return {"for": rule_of(self.service).for_}
        unavailable = 0 if self.condition in (Condition.FAILING, Condition.SLOW) else bad
        windows = {channel: {"measured": measured, "bad": unavailable} for channel in self._channels()}
        if self.condition is Condition.INTERMITTENT:
            rate = self.service.intermittent
            return {"seconds": rate.seconds, "within": rate.within / 1000, "channels": windows}
        rule = rule_of(self.service)
        slow = self.service.slow or Slow()
        own = {"over": slow.over / 1000, "share": slow.share} if self.condition is Condition.SLOW else {}
        return {
            "for": rule.for_,
            "share": float(rule.share),
            "at_least": rule.at_least,
            "every": float(rule.every),
            "recovered_after": self.service.persistence.recovered_after / 1000,
            **own,
            "channels": windows,
        }

    def _channels(self) -> list[str]:
        if self.scope:
            return [self.scope.partition("/")[0]]
        channels = self.service.channels
        return [name for name, endpoints in (("api", channels.api), ("smtp", channels.smtp)) if endpoints]

    def _reason(self) -> str:
        of_api, of_smtp = _REASONS.get(self.condition, _FAILED)
        return of_api if "api" in self._channels() else of_smtp

    def _samples(self, act: Act) -> list[dict[str, Any]]:
        """One made-up failed call of each channel concerned."""
        if not self._reason():
            return []
        begun = float(act.facts.get("raised") or act.created)
        return [_sample(endpoint, begun, self.condition) for endpoint in self._endpoints()]

    def _endpoints(self) -> Iterator[ApiEndpoint | SmtpEndpoint]:
        name = self.scope.partition("/")[2]
        channels = self.service.channels
        api = [each for each in channels.api if name in ("", each.name)]
        smtp = [each for each in channels.smtp if name in ("", each.name)]
        if "api" in self._channels():
            yield from api[:1]
        if "smtp" in self._channels():
            yield from smtp[:1]


def _scope(service: Service, condition: Condition) -> str:
    """What the made-up condition is about: the service, its first channel, or its first endpoint."""
    channel, endpoints = ("api", service.channels.api) if service.channels.api else ("smtp", service.channels.smtp)
    if condition in _OF_ENDPOINTS:
        return f"{channel}/{endpoints[0].name}"
    return channel if condition in _OF_CHANNELS else ""


def _sample(endpoint: ApiEndpoint | SmtpEndpoint, begun: float, condition: Condition) -> dict[str, Any]:
    of_api, of_smtp = _REASONS.get(condition, _FAILED)
    common = {"at": begun, "second": int(begun), "endpoint": endpoint.name, "seconds": 0.1}
    common["fault"] = "other" if condition is Condition.FAILING else "server_error"
    if isinstance(endpoint, ApiEndpoint):
        line = "401 Unauthorized" if condition is Condition.FAILING else "503 Service Unavailable"
        return common | {
            "channel": "api",
            "reason": of_api,
            "means": _means(of_api),
            "stage": "done",
            "request": f"{endpoint.method} {endpoint.url}\n(made up: here stands the request as it was sent)",
            "response": f"HTTP/1.1 {line}\n(made up: here stands the response as it came)",
        }
    reply = "535 5.7.8 authentication failed" if condition is Condition.FAILING else "421 4.3.0 try again later"
    return common | {
        "channel": "smtp",
        "reason": of_smtp,
        "means": _means(of_smtp),
        "stage": "mail",
        "transcript": f"> MAIL FROM:<...>\n< {reply}\n(made up: here stands the dialogue with {endpoint.host})",
    }


def _means(name: str) -> str:
    reason = REASONS.get(name)
    return reason.means if reason is not None else ""
