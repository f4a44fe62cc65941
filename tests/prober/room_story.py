"""An incident told step by step into a real store, by the real rules: what the incident room is shown from.

`Story(path, now)` begins a service; each of its methods takes the incident one step further and writes that down.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import rules
from prober import config
from prober.measure.keeper import Keeper
from prober.measure.ring import Layout
from prober.measure.services import plan_of, standing_facts
from prober.store import Failure, Memory, SeriesKey, Store, Transaction, Writer
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.incident import ConditionCleared, ConditionRaised, Entry, EntryKind, Event, Record, RecordKind, Result
from rules.model import Condition, Fault, Kind, Observation, Stage
from rules.persistence import Rule

NS = 10**9
TOKEN = "a-token-that-is-long-enough"
#: What a server, a vendor or a person may send to break a page.
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202egnp\x00\" '" + "A" * 20_000
RAW: dict[str, Any] = {
    "location": "fra1",
    "store": "sqlite:///prober.db",
    "customer": {
        "company": "Example GmbH",
        "contact": {"name": "Operations", "phone": "+49 30 1234567", "email": "oncall@example.com"},
    },
    "controls": [{"name": "dns", "tcp": "192.0.2.53:53"}],
    "services": {
        "bird": {
            "title": "Bird Email",
            "contract": "bird-email-enterprise",
            "terms": {"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"},
            "channels": {"api": [{"name": "account", "url": "http://127.0.0.1:9/account"}]},
            "tickets": [{"webhook": {"url": "http://127.0.0.1:9/desk"}}],
            "hotline": [{"webhook": {"url": "http://127.0.0.1:9/hotline"}}],
        }
    },
    "on_call": [{"webhook": {"url": "http://127.0.0.1:9/page"}}],
}
ACCOUNT = SeriesKey("bird", "api", "account")


def raw(**service: Any) -> dict[str, Any]:
    """The configuration, with another `mode` and the like for the service."""
    return {**RAW, "services": {"bird": RAW["services"]["bird"] | service}}


class Story:
    """A service and its incident. `now` is UTC seconds and goes on as the story does."""

    def __init__(self, path: Path, now: int, settings: Mapping[str, Any] = RAW) -> None:
        self.path = path
        self.now = now
        self.settings = config.from_raw(dict(settings), Path())
        facts = standing_facts(self.settings, "bird") | {"controls": {"configured": ["dns"], "ok": True}}

        def enrich(act: Act) -> Act:
            rule = {"version": rules.VERSION, **dict(act.facts.get("rule") or {})}
            return replace(act, facts={**facts, **act.facts, "rule": rule, "samples": []})

        plan = plan_of(self.settings, "bird", Path())
        layout = Layout("bird", (), ())
        self._keeper = Keeper(
            layout, plan, Rule(for_=60, recovered_after=120), enrich, Memory("bird"), lambda _k, _s: ()
        )
        self.acts: list[Act] = []
        self.refused = ""
        self._done: set[str] = set()
        self._closed = now - 1
        self.write(Transaction(closed={"bird": self._closed}))

    # time and the measurements

    def later(self, seconds: int) -> "Story":
        """Time passes, with what it brings about."""
        for second in range(self.now + 1, self.now + seconds + 1):
            self.now = second
            outcome = self._keeper.tick(second)
            if outcome.stepped:
                self._take(outcome.work, outcome.acts)
        self._take(Transaction(), ())
        return self

    def down(self, condition: Condition = Condition.UNAVAILABLE, **more: Any) -> "Story":
        """The service is found to be persistently unavailable, since a minute ago."""
        figures: dict[str, Any] = {
            "measured": 60,
            "bad": 58,
            "reasons": {"http_status_503": 50, "read_timeout": 8},
            "rule": {"for": 60, "share": 0.9, "at_least": 3, "every": 1},
        }
        return self.event(ConditionRaised(condition, self.now, self.now - 59, **(figures | more)))

    def up(self, condition: Condition = Condition.UNAVAILABLE) -> "Story":
        return self.event(ConditionCleared(condition, self.now, last=self.now - 120))

    def event(self, *events: Event) -> "Story":
        outcome = self._keeper.take(*events)
        self.refused = outcome.refused
        self._take(outcome.work, outcome.acts)
        return self

    # people and receivers

    def enter(self, kind: EntryKind, by: str = "Ada", text: str = "", **more: Any) -> "Story":
        return self.event(Entry(kind, by, text, self.now * NS, **more))

    def result(self, kind: ActKind, outcome: Outcome, detail: str = "", reference: str = "") -> "Story":
        """An attempt at the newest act of its kind ends."""
        act = [act for act in self.acts if act.kind is kind][-1]
        final = outcome in (Outcome.ACCEPTED, Outcome.PERMANENT)
        return self.event(
            Result(ActResult(act.id, act.receivers[0], outcome, self.now * NS, detail, reference, final=final))
        )

    def accept_all(self) -> "Story":
        """Whatever is on its way is taken."""
        while waiting := [act for act in self.acts if act.id not in self._done]:
            for act in waiting:
                self._done.add(act.id)
                at, reference = self.now * NS, f"<{act.kind}@example.com>"
                self.event(
                    Result(ActResult(act.id, act.receivers[0], Outcome.ACCEPTED, at, "200 OK", reference, final=True))
                )
        return self

    def record(self, kind: RecordKind, **detail: Any) -> "Story":
        """A line of the trail as somebody else writes it (the vendor's status page)."""
        self.write(Transaction(records=(Record(self.id, self.now, kind, detail),)))
        return self

    def failed(self, transcript: str = "> GET /account\n< HTTP/1.1 503 Service Unavailable", n: int = 1) -> "Story":
        """Calls fail and are kept, the newest now."""
        self.write(Transaction(failures=tuple(self._failure(self.now - i, transcript) for i in reversed(range(n)))))
        return self

    def _failure(self, second: int, transcript: str) -> Failure:
        begun = second * NS + 20_000_000
        seen = Observation(
            Kind.HTTP,
            Stage.DONE,
            unmet="status",
            code=503,
            begun=begun,
            ended=begun + 12_500_000,
            phases=(1_000_000, 2_000_000, -1, 9_000_000, 500_000),
            peer="192.0.2.7:443",
        )
        return Failure(ACCOUNT, second, begun, Fault.SERVER_ERROR, "http_status_503", seen, transcript)

    # what came of it

    @property
    def id(self) -> str:
        """The incident's name: the open one's, or the newest that was closed."""
        state = self._keeper.state
        incident = state.incident or state.closed
        assert incident is not None
        return incident.id

    @property
    def room(self) -> str:
        return f"/incidents/{self.id}"

    def _take(self, work: Transaction, acts: tuple[Act, ...]) -> None:
        self.acts += acts
        if self.now > self._closed:
            self._closed = self.now
            work = replace(work, closed={"bird": self.now})
        self.write(work)

    def write(self, work: Transaction) -> None:
        writer = Writer(Store.open(self.path))
        writer.start()
        writer.submit(work)
        assert writer.stop(), writer.health()


def in_the_middle(path: Path, now: int) -> Story:
    """An outage that the vendor has been told of: clocks run, one was late, mails and the status page have said things."""
    story = Story(path, now - 3600).down().later(1).accept_all().failed(n=8)
    story.later(20).enter(EntryKind.ACK, text="looking at it", via="web")
    story.later(60).enter(EntryKind.INTAKE, text="spoke to Jo", via="cli")
    story.later(1000).enter(
        EntryKind.CALL_BACK, by="jo@vendor.example", text="We look into it.\nMore soon.", via="reply"
    )
    story.record(
        RecordKind.VENDOR_STATUS, url="https://status.vendor.example", indicator="major", description="API errors"
    )
    story.later(60).enter(
        EntryKind.NOTE, by="on_call.webhook-1", text="page by on_call.webhook-1: delivered. rang", via="receiver"
    )
    story.accept_all()
    return story
