"""Atlassian Statuspage by its documented API, against a fake that follows its schema; and other pages by templates."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from deliver_acts import INCIDENT
from fake_api import HALF, LOST, Fake, Reply, running
from http_desk import Request, answer

from prober.deliver import Delivered
from prober.deliver.public import told
from prober.deliver.statuspage import Statuspage
from prober.deliver.template import Template
from prober.receivers import StatuspageReceiver, TemplateReceiver
from rules.acts import Act, ActKind, Outcome

NAME, PAGE = "bird.status_pages.statuspage-1", "abc123def456"
STATUSES = {"investigating", "identified", "monitoring", "resolved"}
COMPONENTS = {"operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"}
#: What the published schema lets an incident be made of, as far as we use it: name and type.
FIELDS: dict[str, type] = {
    "name": str,
    "status": str,
    "impact_override": str,
    "metadata": dict,
    "deliver_notifications": bool,
    "body": str,
    "components": dict,
    "component_ids": list,
}


@dataclass
class FakeStatuspage(Fake):
    """Incidents and Components; a key, and bodies as the schema has them."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    components: dict[str, str] = field(default_factory=lambda: {"whole": "operational", "api1": "operational"})

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        if request.headers.get("authorization") != "OAuth s3cret-key":
            return "401 Unauthorized", {"error": "Could not authenticate"}
        base = f"/v1/pages/{PAGE}"
        if path == f"{base}/incidents" and request.method == "GET":
            return "200 OK", self.incidents[::-1][: int(query["limit"])]
        if path == f"{base}/incidents" and request.method == "POST":
            made = {"id": f"inc{len(self.incidents)}", "created_at": str(len(self.incidents)), "updates": []}
            self.incidents.append(made)
            return self._change(made, json.loads(request.body), "201 Created")
        if path.startswith(f"{base}/incidents/") and request.method == "PATCH":
            found = next(i for i in self.incidents if i["id"] == path.rpartition("/")[2])
            return self._change(found, json.loads(request.body), "200 OK")
        if path.startswith(f"{base}/components/") and request.method == "PATCH":
            return self._set(path.rpartition("/")[2], json.loads(request.body)["component"]["status"])
        return "404 Not Found", {"error": "The requested resource could not be found."}

    def _change(self, incident: dict[str, Any], body: dict[str, Any], status: str) -> Reply:
        given = body["incident"]
        for name, value in given.items():
            if not isinstance(value, FIELDS[name]):
                return "422 Unprocessable Entity", {"error": f"{name} is of the wrong type"}
        assert given.get("status", "investigating") in STATUSES
        for component, state in given["components"].items():
            if self._set(component, state)[0] != "200 OK":
                return "422 Unprocessable Entity", {"error": "no such component"}
        incident["updates"].append({"body": given.pop("body"), "status": given.get("status")})
        incident.update(given)
        return status, incident

    def _set(self, component: str, state: str) -> Reply:
        assert state in COMPONENTS
        if component not in self.components:
            return "404 Not Found", {"error": "no such component"}
        self.components[component] = state
        return "200 OK", {"id": component, "status": state}


def status_act(what: str, progress: str = "investigating", step: str = "", **facts: Any) -> Act:
    """An act as the rules make it."""
    held = [{"condition": "unavailable", "scope": "", "onset": 1795341540, "channels": ["api"]}]
    given = {
        "service": "bird",
        "title": "Bird Email",
        "what": what,
        "progress": progress,
        "seen": ["unavailable"],
        "held": held if what in ("raised", "published") else [],
        **facts,
    }
    return Act(INCIDENT, 1, ActKind.STATUS, step or what, (NAME,), 1795341600, facts=given)


RAISED = status_act("raised", condition="unavailable", scope="", onset=1795341540)
LIFE = [
    RAISED,
    status_act("published", "identified", text="We know what it is.\x1b[31m"),
    status_act("recovered", "monitoring", last_bad=1795341700),
    status_act("closed", "resolved"),
]


class House:
    """The fake, and a delivery to it that waits for nothing."""

    def __init__(self, fake: FakeStatuspage, url: str, **receiver: Any) -> None:
        self.fake, self.waits = fake, list[float]()
        given = {"page": PAGE, "component": "whole", "channels": {"api": "api1"}, "api_key": "s3cret-key", "url": url}
        self.receiver = StatuspageReceiver.model_validate(given | receiver)
        self.page = Statuspage(NAME, self.receiver, timeout=5, sleep=self._wait)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def deliver(self, act: Act) -> Delivered:
        return await self.page.deliver(act, act.key(NAME))


def put(test: Callable[[House], Coroutine[Any, Any, None]], *faults: bytes | str, **receiver: Any) -> None:
    async def whole() -> None:
        fake = FakeStatuspage(faults=list(faults))
        async with asyncio.timeout(30), running(fake) as url:
            await test(House(fake, url, **receiver))

    asyncio.run(whole())


def test_an_incident_is_opened_told_of_and_resolved_with_its_components() -> None:
    async def test(house: House) -> None:
        states = []
        for act in LIFE:
            assert (await house.deliver(act)).outcome is Outcome.ACCEPTED
            states.append(dict(house.fake.components))
        (incident,) = house.fake.incidents
        assert [u["status"] for u in incident["updates"]] == ["investigating", "identified", "monitoring", "resolved"]
        assert incident["updates"][0]["body"].startswith(
            "Bird Email has been unavailable since 2026-11-22 09:59:00 UTC"
        )
        assert incident["updates"][1]["body"] == "We know what it is.\\x1b[31m"
        assert (incident["name"], incident["impact_override"]) == ("Bird Email is unavailable", "critical")
        assert states[0] == {"whole": "major_outage", "api1": "major_outage"}
        assert states[-1] == {"whole": "operational", "api1": "operational"}

    put(test)


def test_requests_of_one_key_are_a_second_apart() -> None:
    async def test(house: House) -> None:
        await house.deliver(RAISED)
        await house.deliver(LIFE[1])
        assert len(house.fake.requests) == 4
        assert len(house.waits) == 3
        assert house.waits[0] > 0.5
        assert house.waits[-1] > house.waits[0]

    put(test)


@pytest.mark.parametrize(
    "fault", [LOST, HALF, answer("503 Service Unavailable"), answer("429 Too Many", b"", {"Retry-After": "7"})]
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_repeat_makes_no_second_incident_and_no_second_update(fault: bytes | str, place: int) -> None:
    async def test(house: House) -> None:
        for number, act in enumerate(LIFE):
            if number == place:
                house.fake.faults.append(fault)
                first = await house.deliver(act)
                if first.outcome is not Outcome.ACCEPTED:
                    assert first.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT)
            assert (await house.deliver(act)).outcome is Outcome.ACCEPTED
        (incident,) = house.fake.incidents
        assert len(incident["updates"]) == 4

    put(test)


@pytest.mark.parametrize(
    ("status", "outcome", "wait"),
    [
        ("420 Enhance Your Calm", Outcome.TRANSIENT, 60.0),
        ("429 Too Many Requests", Outcome.TRANSIENT, 0.0),
        ("500 Internal Server Error", Outcome.TRANSIENT, 0.0),
        ("401 Unauthorized", Outcome.PERMANENT, 0.0),
        ("404 Not Found", Outcome.PERMANENT, 0.0),
        ("422 Unprocessable Entity", Outcome.PERMANENT, 0.0),
    ],
)
def test_whether_trying_again_can_help(status: str, outcome: Outcome, wait: float) -> None:
    async def test(house: House) -> None:
        delivered = await house.deliver(RAISED)
        assert (delivered.outcome, delivered.retry_after) == (outcome, wait)
        assert "s3cret-key" not in delivered.detail

    put(test, answer(status))


def test_a_wrong_key_is_refused_for_good() -> None:
    async def test(house: House) -> None:
        assert (await house.deliver(RAISED)).outcome is Outcome.PERMANENT

    put(test, api_key="wrong-key")


def test_the_components_alone_where_no_incidents_are_wanted() -> None:
    async def test(house: House) -> None:
        assert (await house.deliver(RAISED)).outcome is Outcome.ACCEPTED
        assert house.fake.components == {"whole": "major_outage", "api1": "major_outage"}
        assert (await house.deliver(LIFE[3])).outcome is Outcome.ACCEPTED
        assert house.fake.components == {"whole": "operational", "api1": "operational"}
        assert house.fake.incidents == []

    put(test, incidents=False)


def test_what_ends_an_incident_that_is_not_there_sets_the_components_and_opens_none() -> None:
    async def test(house: House) -> None:
        house.fake.components["whole"] = "major_outage"
        assert (await house.deliver(LIFE[2])).outcome is Outcome.ACCEPTED
        assert house.fake.components["whole"] == "operational"
        assert house.fake.incidents == []

    put(test)


def test_without_components_there_is_then_nothing_to_say() -> None:
    async def test(house: House) -> None:
        delivered = await house.deliver(LIFE[2])
        assert (delivered.outcome, "not there" in delivered.detail) == (Outcome.PERMANENT, True)

    put(test, component=None, channels={})


def test_incidents_of_others_and_strange_metadata_are_left_alone() -> None:
    async def test(house: House) -> None:
        strange: list[Any] = [
            {"metadata": None},
            {"metadata": {"prober": 5}},
            {"metadata": {"prober": {"incident": "x"}}},
        ]
        house.fake.incidents += [{"id": f"other{n}", "updates": [], **each} for n, each in enumerate(strange)]
        assert (await house.deliver(RAISED)).outcome is Outcome.ACCEPTED
        assert len(house.fake.incidents) == 4
        assert all(i["updates"] == [] for i in house.fake.incidents[:3])

    put(test)


@pytest.mark.parametrize(
    ("held", "whole", "api"),
    [
        ([{"condition": "slow", "scope": ""}], "degraded_performance", "operational"),
        ([{"condition": "partial", "scope": "api/account"}], "partial_outage", "partial_outage"),
        ([{"condition": "unavailable", "scope": "smtp"}], "major_outage", "operational"),
        ([{"condition": "unavailable", "scope": "api"}], "major_outage", "major_outage"),
        ([{"condition": "of a later version", "scope": ""}], "operational", "operational"),
        ([], "operational", "operational"),
    ],
)
def test_components_stand_as_what_holds_of_them(held: list[Any], whole: str, api: str) -> None:
    async def test(house: House) -> None:
        await house.deliver(status_act("raised", condition="slow", held=held))
        assert house.fake.components == {"whole": whole, "api1": api}

    put(test)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (
            status_act("cleared", condition="slow", scope="api"),
            "Bird Email (API) is no longer slow. The incident goes on.",
        ),
        (status_act("reopened"), "The incident was reopened."),
        (status_act("closed"), "The incident is resolved."),
        (status_act("of a later version"), "Bird Email is unavailable."),
        (status_act("recovered"), "Bird Email has recovered. It goes on being watched."),
        (Act(INCIDENT, 1, ActKind.STATUS, "x", (NAME,), 1), " is unavailable."),
    ],
)
def test_each_act_has_its_words(act: Act, words: str) -> None:
    assert told(act).body == words


def test_any_other_page_is_told_by_a_template() -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), running(Anything()) as url:
            body = (
                '{"title": {{ subject | tojson }}, "text": {{ text | tojson }}, "state": {{ facts.progress | tojson }}}'
            )
            receiver = TemplateReceiver.model_validate({"open": {"url": f"{url}/hook", "body": body}})
            delivered = await Template(NAME, receiver).deliver(LIFE[3], LIFE[3].key(NAME))
            assert delivered.outcome is Outcome.ACCEPTED

    asyncio.run(whole())


@dataclass
class Anything(Fake):
    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        assert json.loads(request.body) == {
            "title": "Bird Email is unavailable",
            "text": "The incident is resolved.\n",
            "state": "resolved",
        }
        return "200 OK", {}
