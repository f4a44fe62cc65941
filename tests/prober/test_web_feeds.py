"""What programs read: Statuspage v2 as its published schema says it, and the Atom feed (RFC 4287)."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any, Literal
from xml.etree import ElementTree as ET

import public_store as ps
import pytest
from asking import NOW, Desk
from public_store import DOWN, PLANTED, UP
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from serving import RAW, second, totals

from prober.status import statuspage
from prober.status.picture import Picture
from prober.status.statuspage import components
from rules.incident import RecordKind

LAST = int(NOW) - 2
TODAY = int(NOW) // ps.DAY * ps.DAY
OPEN, OVER = "bird-20261122T095900Z", "bird-20261120T080000Z"
ATOM = "{http://www.w3.org/2005/Atom}"


def _instant(text: str) -> str:
    """RFC 3339, with its offset."""
    assert dt.datetime.fromisoformat(text).tzinfo is not None, text
    return text


def _with_milliseconds(text: str) -> str:
    """As Statuspage writes instants; aRez, a published client, reads no others."""
    assert dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").tzinfo is not None, text
    return text


Instant = Annotated[str, AfterValidator(_with_milliseconds)]
Id = Annotated[str, Field(pattern="^[a-z0-9]{12}$")]


class Shape(BaseModel):
    """Statuspage's published shapes: nothing more, nothing less, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Page(Shape):
    id: Id
    name: str
    url: str
    time_zone: str
    updated_at: Instant


class Status(Shape):
    indicator: Literal["none", "minor", "major", "critical"]
    description: str


class Component(Shape):
    id: Id
    name: str
    status: Literal["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]
    created_at: Instant
    updated_at: Instant
    position: int
    description: str | None
    showcase: bool
    start_date: str | None
    group_id: Id | None
    page_id: Id
    group: bool
    only_show_if_degraded: bool
    components: list[Id] = []


class Affected(Shape):
    code: Id
    name: str
    old_status: str
    new_status: str


class IncidentUpdate(Shape):
    id: Id
    status: Literal["investigating", "identified", "monitoring", "resolved", "scheduled", "in_progress", "completed"]
    body: str
    incident_id: Id
    created_at: Instant
    updated_at: Instant
    display_at: Instant
    affected_components: list[Affected] | None
    deliver_notifications: bool
    custom_tweet: None
    tweet_id: None


class Incident(Shape):
    id: Id
    name: str
    status: Literal["investigating", "identified", "monitoring", "resolved", "postmortem"]
    created_at: Instant
    updated_at: Instant
    monitoring_at: Instant | None
    resolved_at: Instant | None
    impact: Literal["none", "minor", "major", "critical"]
    shortlink: str
    started_at: Instant
    page_id: Id
    incident_updates: Annotated[list[IncidentUpdate], Field(min_length=1)]
    components: list[Component]


class Maintenance(Incident):
    status: Literal["scheduled", "in_progress", "verifying", "completed"]  # type: ignore[assignment]  # other words than an incident's
    impact: Literal["maintenance"]  # type: ignore[assignment]  # likewise
    scheduled_for: Instant
    scheduled_until: Instant


class WithPage(Shape):
    page: Page


class StatusDocument(WithPage):
    status: Status


class Components(WithPage):
    components: list[Component]


class Incidents(WithPage):
    incidents: list[Incident]


class Maintenances(WithPage):
    scheduled_maintenances: list[Maintenance]


class Summary(StatusDocument, Components, Incidents, Maintenances):
    pass


SHAPES: dict[str, type[WithPage]] = {
    "summary": Summary,
    "status": StatusDocument,
    "components": Components,
    "incidents": Incidents,
    "incidents/unresolved": Incidents,
    "scheduled-maintenances": Maintenances,
    "scheduled-maintenances/upcoming": Maintenances,
    "scheduled-maintenances/active": Maintenances,
}
WINDOWS = [
    {"title": "Long ago", "start": "2026-11-20T00:00", "end": "2026-11-20T01:00"},
    {"title": "Ahead", "start": "2026-11-25T02:00", "end": "2026-11-25T03:00"},
]
PUBLIC = [*(f"/api/v2/{name}.json" for name in SHAPES), "/feed.atom", "/", "/history"]


def configured(**changes: Any) -> dict[str, Any]:
    return RAW | {"services": {"bird": RAW["services"]["bird"] | {"maintenance": WINDOWS} | changes}}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A service that is unavailable, with one incident open and one closed."""
    path = tmp_path / "prober.db"
    closed = TODAY - ps.DAY
    over = (
        ps.raised(OVER, closed - 900),
        ps.record(OVER, closed - 300, RecordKind.RECOVERED, last_bad=closed - 420),
        ps.record(OVER, closed, RecordKind.CLOSED, how="resolve", by="Erika Mustermann", text="T-987654"),
    )
    ps.write(
        path,
        ps.seconds(LAST, (TODAY - 5 * ps.DAY, LAST - 90, UP), (LAST - 90, LAST + 1, DOWN)),
        ps.incident(OVER, *over, phase="closed", closed=closed),
        ps.incident(OPEN, ps.raised(OPEN, LAST - 30)),
        ps.failure(LAST),
    )
    return opened(Desk(configured(), store=path, url="https://status.example.com"))


def opened(desk: Desk, condition: str = "unavailable", scope: str = "") -> Desk:
    held = [{"condition": condition, "scope": scope, "onset": LAST - 90}]
    desk.view.second(second(LAST, "unavailable", "http_status_503"))
    desk.view.total(totals())
    ticket = {"number": "T-987654"}
    desk.view.opened({"open": [{"id": OPEN, "service": "bird", "conditions": held, "ticket": ticket}]})
    return desk


def document(desk: Desk, name: str) -> Any:
    answer = desk.ask(f"/api/v2/{name}.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return TypeAdapter(SHAPES[name]).validate_json(answer.content)


@pytest.mark.parametrize("name", SHAPES)
def test_every_document_has_the_published_shape(desk: Desk, name: str) -> None:
    found = document(desk, name)
    assert found.page.name == "Service status"
    assert found.page.url == "https://status.example.com"


def test_the_summary_says_what_is_wrong_since_when_and_what_was_said(desk: Desk) -> None:
    found = document(desk, "summary")
    assert (found.status.indicator, found.status.description) == ("critical", "Major Service Outage")
    assert [(c.name, c.status, c.group) for c in found.components] == [
        ("Bird Email", "major_outage", True),
        ("API", "major_outage", False),
        ("SMTP", "major_outage", False),
    ]
    group, *children = found.components
    assert group.components == [child.id for child in children]
    assert {child.group_id for child in children} == {group.id}
    (incident,) = found.incidents
    assert (incident.name, incident.status, incident.impact) == (
        "Bird Email is unavailable",
        "investigating",
        "critical",
    )
    assert incident.incident_updates[0].created_at >= incident.incident_updates[-1].created_at
    assert {update.incident_id for update in incident.incident_updates} == {incident.id}
    assert [window.name for window in found.scheduled_maintenances] == ["Ahead"]


def test_incidents_are_the_newest_first_and_unresolved_ones_apart(desk: Desk) -> None:
    everything = document(desk, "incidents").incidents
    assert [incident.status for incident in everything] == ["investigating", "resolved"]
    assert everything[1].resolved_at == "2026-11-21T00:00:00.000Z"
    assert everything[1].monitoring_at == "2026-11-20T23:55:00.000Z"
    assert [incident.id for incident in document(desk, "incidents/unresolved").incidents] == [everything[0].id]


@pytest.mark.parametrize("name", ["incidents", "scheduled-maintenances"])
def test_however_much_is_told_components_are_looked_up_once(
    desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Picture] = []

    def counting(picture: Picture) -> list[dict[str, Any]]:
        looked.append(picture)
        return components(picture)

    monkeypatch.setattr(statuspage, "components", counting)
    assert len(desk.ask(f"/api/v2/{name}.json").json()[name.replace("-", "_")]) > 1
    assert len(looked) == 1


def test_maintenances_are_told_by_their_time(desk: Desk) -> None:
    everything = document(desk, "scheduled-maintenances").scheduled_maintenances
    assert [(w.name, w.status) for w in everything] == [("Long ago", "completed"), ("Ahead", "scheduled")]
    assert [w.name for w in document(desk, "scheduled-maintenances/upcoming").scheduled_maintenances] == ["Ahead"]
    assert document(desk, "scheduled-maintenances/active").scheduled_maintenances == []


def test_a_window_that_is_on_is_active_and_its_components_under_maintenance() -> None:
    on = {"title": "Now", "start": "2026-11-22T10:00", "end": "2026-11-22T11:00"}
    desk = opened(Desk(configured(maintenance=[on])))
    (window,) = document(desk, "scheduled-maintenances/active").scheduled_maintenances
    assert (window.name, window.status) == ("Now", "in_progress")
    assert document(desk, "scheduled-maintenances/upcoming").scheduled_maintenances == []
    assert {c.status for c in document(desk, "components").components} == {"under_maintenance"}
    assert document(desk, "status").status.description == "Service Under Maintenance"


@pytest.mark.parametrize(
    ("condition", "scope", "indicator"),
    [("slow", "", "minor"), ("intermittent", "", "minor"), ("partial", "api/account", "major")],
)
def test_the_indicator_follows_the_worst(tmp_path: Path, condition: str, scope: str, indicator: str) -> None:
    path = tmp_path / "prober.db"
    ps.write(path, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    desk = opened(Desk(store=path), condition, scope)
    if condition == "partial":
        assert document(desk, "components").components[1].status == "partial_outage"
    assert document(desk, "status").status.indicator == indicator


def test_what_is_not_measured_is_neither_called_down_nor_left_unsaid() -> None:
    desk = Desk()
    found = document(desk, "components").components
    assert {(c.status, c.description) for c in found} == {
        ("operational", "Not measured at the moment: neither known to work nor to fail")
    }
    assert document(desk, "status").status.description == "Measuring is impaired"


def test_ids_stay_and_the_same_document_is_not_sent_twice(desk: Desk) -> None:
    first, again = document(desk, "summary"), document(desk, "summary")
    assert first == again
    answer = desk.ask("/api/v2/summary.json")
    assert desk.ask("/api/v2/summary.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", PUBLIC[:-2])
def test_pages_of_every_site_may_read_it(desk: Desk, path: str) -> None:
    headers = desk.ask(path, headers={"Origin": "https://elsewhere.example"}).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "max-age" in headers["cache-control"]


@pytest.mark.parametrize("path", ["/api/v2/", "/api/v2/summary", "/api/v2/nothing.json", "/api/v2/summary.json.json"])
def test_what_is_not_published_is_not_found(path: str) -> None:
    assert Desk().ask(path).status_code == 404


def test_nothing_private_is_in_any_public_answer(desk: Desk) -> None:
    links = [incident["shortlink"] for incident in json.loads(desk.ask("/api/v2/incidents.json").text)["incidents"]]
    for path in [*PUBLIC, *(link.removeprefix("https://status.example.com") for link in links)]:
        answer = desk.ask(path)
        assert answer.status_code == 200, path
        assert [planted for planted in PLANTED if planted in answer.text] == [], path
        assert "http_status_503" not in answer.text, path


def test_a_service_that_is_not_public_is_nowhere(desk: Desk) -> None:
    hidden = Desk(configured(public=False))
    for path in PUBLIC:
        assert "Bird" not in hidden.ask(path).text, path
        assert "Ahead" not in hidden.ask(path).text, path


def test_the_feed_is_atom_with_what_rfc_4287_wants(desk: Desk) -> None:
    answer = desk.ask("/feed.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.text)  # noqa: S314 - ours
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Service status"
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"alternate": "https://status.example.com/", "self": "https://status.example.com/feed.atom"}
    entries = feed.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") or "" for entry in entries]
    assert len(set(ids)) == len(ids) == 4
    assert all(own.startswith("urn:uuid:") for own in ids)
    for each in (feed, *entries):
        assert each.findtext(f"{ATOM}title")
        _instant(each.findtext(f"{ATOM}updated") or "")
        assert each.find(f"{ATOM}link") is not None
    updated = [entry.findtext(f"{ATOM}updated") for entry in entries]
    assert updated == sorted(updated, key=str, reverse=True)
    assert feed.findtext(f"{ATOM}updated") == updated[0]
    assert ids == [e.findtext(f"{ATOM}id") for e in ET.fromstring(desk.ask("/feed.atom").text).iter(f"{ATOM}entry")]  # noqa: S314 - ours


def test_a_feed_without_anything_is_a_feed() -> None:
    feed = ET.fromstring(Desk().ask("/feed.atom").text)  # noqa: S314 - ours
    assert feed.findtext(f"{ATOM}updated") == "2026-11-22T00:00:00Z"


def test_hostile_words_leave_the_feed_well_formed(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    hostile = "]]><script>\x00\x0b\x1b[31m\u202e\ufffe\uffff" + "x" * 100_000
    told = ps.record("bird-1", LAST, RecordKind.PUBLISHED, by="Erika Mustermann", text=hostile)
    ps.write(path, ps.incident("bird-1", ps.raised("bird-1", LAST - 9), told))
    text = Desk(store=path).ask("/feed.atom").text
    content = ET.fromstring(text).findtext(f"{ATOM}entry/{ATOM}content") or ""  # noqa: S314 - ours
    assert "<script>" in content
    assert "\\u202e" in content
    assert len(content) < 6000
    assert "Erika" not in text
