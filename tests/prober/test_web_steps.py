"""Steps entered in the incident room and by signed links: what is told to the measuring process, and what comes back."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from asking import NOW, Desk, run
from html_page import Html
from room_story import RAW, TOKEN, Story, raw
from test_web_gate import FORM, cookie_of, log_in

from prober.links import Links
from prober.signing import Signer
from prober.web import entries, stepping
from rules.acts import Act, ActKind
from rules.incident import EntryKind
from rules.model import Condition

KEY = "a-key-of-the-configuration"
BASE = "https://prober.example.com"


class Room:
    """A desk, its story, and somebody who is logged in."""

    def __init__(self, tmp_path: Path, **service: Any) -> None:
        self.story = Story(tmp_path / "prober.db", int(NOW) - 600, raw(**service))
        self.desk = Desk(RAW, None, self.story.path, token=TOKEN, key=KEY)
        self.cookie = cookie_of(log_in(self.desk))

    def page(self) -> Html:
        answer = self.desk.ask(self.story.room, headers={"Cookie": self.cookie})
        assert answer.status_code == 200
        page = Html(answer.text)
        page.rightly_made()
        return page

    def steps(self) -> list[str]:
        return [action.rpartition("/")[2] for action in self.page().actions() if "/enter/" in action]

    def enter(
        self, kind: str, refused: str = "", headers: Mapping[str, str] = MappingProxyType({}), /, **fields: str
    ) -> tuple[httpx.Response, dict[str, Any]]:
        """The answer, and what was told to the measuring process (which refuses it with `refused`)."""
        form = {"form": self.page().hidden("form", "/logout")} | fields
        given = FORM | {"Cookie": self.cookie} | dict(headers)
        return self.send(f"{self.story.room}/enter/{kind}", form, given, refused)

    def send(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str], refused: str = ""
    ) -> tuple[httpx.Response, dict[str, Any]]:
        found: list[Any] = [None, {}]

        async def work() -> None:
            before = len(self.desk.sent)
            asked = asyncio.create_task(self.desk.asked(path, "POST", headers, body=urlencode(fields).encode()))
            while not asked.done() and len(self.desk.sent) == before:  # noqa: ASYNC110 - whichever comes first
                await asyncio.sleep(0.001)
            if len(self.desk.sent) > before:
                found[1] = dict(self.desk.sent[-1])
                self.desk.entries.answered({"id": found[1]["id"], "ok": not refused, "error": refused})
            found[0] = await asked

        run(work)
        return found[0], found[1]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(stepping, "_RECORDED_WITHIN", 0.0)  # nothing is recorded here: the measuring process is ours
    made = Room(tmp_path)
    made.story.down().accept_all()
    return made


def test_nobody_who_is_not_logged_in_gets_a_form(room: Room) -> None:
    page = Html(room.desk.ask(room.story.room).text)
    assert page.actions() == []
    assert "Log in to enter steps: acknowledge, note" in page.inside("steps")


IN_TICKET = [
    *("ack", "note", "confirm", "intake", "first_response", "call_back", "update", "workaround"),
    *("waiting_for_us", "waiting_for_them", "adopt", "severity", "publish"),
]


def test_an_open_incident_takes_the_steps_of_its_ticket(room: Room) -> None:
    assert room.steps() == [*IN_TICKET, "closed_by_vendor"]
    assert "It can be agreed to be resolved once it has recovered." in room.page().said


def test_a_recovered_one_can_be_agreed_to_be_resolved_and_a_closed_one_reopened(room: Room) -> None:
    room.story.later(200).up()
    assert room.steps() == [*IN_TICKET, "resolve", "closed_by_vendor"]
    room.story.enter(EntryKind.RESOLVE)
    assert room.steps() == ["reopen"]
    before = room.story.room
    room.story.later(10).down()
    page = Html(room.desk.ask(before, headers={"Cookie": room.cookie}).text)
    assert "Nothing more can be entered" in page.inside("steps")


def test_our_own_matter_is_acknowledged_or_noted(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.story.down(Condition.FAILING)
    assert room.steps() == ["ack", "note"]


def test_what_asks_for_consent_takes_it(tmp_path: Path) -> None:
    room = Room(tmp_path, mode="ask")
    room.story.down()
    assert room.steps()[:3] == ["ack", "consent", "decline"]
    assert "Consent asked for; without an answer it goes ahead 2026-11-22 09:56:40 UTC" in room.page().inside("what")


def test_a_step_is_entered_with_who_and_how_and_leads_back(room: Room) -> None:
    answer, told = room.enter("ack", text="on it")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{room.story.room}?entered=ack#entered"
    del told["id"]
    assert told == {
        "type": "entry",
        "via": "web",
        "incident": room.story.id,
        "kind": "ack",
        "by": "Ada",
        "text": "on it",
    }
    after = Html(room.desk.ask(answer.headers["location"].partition("#")[0]).text)
    assert "“Acknowledge” is on the record." in after.said


def test_what_is_not_said_to_be_entered_is_not_said(room: Room) -> None:
    page = Html(room.desk.ask(f"{room.story.room}?entered=<script>").text)
    assert "on the record" not in page.said


def test_when_it_happened_the_number_and_the_severity_go_along(room: Room) -> None:
    _, told = room.enter("first_response", when="2026-11-22 09:55", ticket=" T-1 ", text="a\r\nb\x1b")
    assert (told["when"], told["ticket"], told["text"]) == (1_795_341_300, "T-1", "a\nb\\x1b")
    _, told = room.enter("update", when="-10m")
    assert told["when"] == int(NOW) - 600
    _, told = room.enter("adopt", ticket="4711")
    assert told["ticket"] == "4711"
    _, told = room.enter("severity", value="non-critical")
    assert told["value"] == "non-critical"
    _, told = room.enter("ack", ticket="no field of this form", when="-1h", value="x")
    assert not {"ticket", "when", "value"} & told.keys()


@pytest.mark.parametrize(
    ("kind", "fields", "field", "says"),
    [
        ("note", {"text": "  "}, "text", "Write what is to be remembered."),
        ("ack", {"text": "x" * 4001}, "text", "4000 at most"),
        ("adopt", {"text": "typed"}, "ticket", "Write the ticket's number"),
        ("adopt", {"ticket": "1" * 101}, "ticket", "100 characters at most"),
        ("severity", {"text": "typed"}, "value", "Choose the severity"),
        ("update", {"when": "noonish", "text": "typed <b>"}, "when", "Not a time."),
        ("update", {"when": "2027-01-01", "text": "typed <b>"}, "when", "in the future"),
    ],
)
def test_wrong_input_keeps_what_was_typed_and_says_what_is_wrong(
    room: Room, kind: str, fields: dict[str, str], field: str, says: str
) -> None:
    answer, told = room.enter(kind, **fields)
    assert told == {}, "nothing was told to the measuring process"
    assert answer.status_code == 422
    page = Html(answer.text)
    page.rightly_made()
    assert says in page.inside(f"f-{kind}-{field}-error")
    bad = next(a for _, a in page.tags if a.get("id") == f"f-{kind}-{field}")
    assert bad["aria-invalid"] == "true"
    assert f"f-{kind}-{field}-error" in (bad.get("aria-describedby") or "")
    if "text" in fields and field != "text":
        assert page.inside(f"f-{kind}-text") == fields["text"]
    if "when" in fields:
        assert bad["value"] == fields["when"]
    assert "open" in next(a for tag, a in page.tags if a.get("id") == f"step-{kind}")


def test_why_it_was_not_taken_is_said_and_what_was_typed_stays(room: Room) -> None:
    answer, _ = room.enter("update", "no incident of bird is open", text="typed")
    assert answer.status_code == 409
    page = Html(answer.text)
    assert "Not taken: no incident of bird is open." in page.inside("error")
    assert page.inside("f-update-text") == "typed"


def test_a_measuring_process_that_is_silent_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "WITHIN", 0.01)
    form = {"form": room.page().hidden("form", "/logout")}
    body = urlencode(form).encode()
    answer = room.desk.ask(f"{room.story.room}/enter/ack", "POST", FORM | {"Cookie": room.cookie}, body=body)
    assert answer.status_code == 409
    assert "look at the trail before you try again" in Html(answer.text).inside("error")


def test_the_page_waits_for_the_record(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.story.down().accept_all()
    token = room.page().hidden("form", "/logout")
    found: list[httpx.Response] = []

    async def work() -> None:
        form = urlencode({"form": token}).encode()
        path = f"{room.story.room}/enter/ack"
        asked = asyncio.create_task(room.desk.asked(path, "POST", FORM | {"Cookie": room.cookie}, body=form))
        told = await room.desk.next_sent()
        room.desk.entries.answered({"id": told["id"], "ok": True})
        await asyncio.to_thread(room.story.enter, EntryKind.ACK)
        found.append(await asked)

    run(work)
    assert found[0].status_code == 303
    assert "Acknowledged Ada" in room.page().inside("what")


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({"Origin": "https://evil.example"}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({}, "forged"),
        ({}, ""),
    ],
)
def test_a_step_from_another_site_is_refused(room: Room, headers: dict[str, str], form: str | None) -> None:
    fields = {"text": "typed"} | ({} if form is None else {"form": form})
    answer, told = room.enter("ack", "", headers, **fields)
    assert told == {}
    assert answer.status_code == 409
    page = Html(answer.text)
    assert "came from another site" in page.inside("error")
    assert page.inside("f-ack-text") == "typed"


def test_the_form_of_somebody_else_is_refused(room: Room) -> None:
    other = cookie_of(log_in(room.desk, "Eve"))
    form = Html(room.desk.ask("/incidents", headers={"Cookie": other}).text).hidden("form", "/logout")
    answer, told = room.enter("ack", form=form)
    assert (answer.status_code, told) == (409, {})


def test_without_a_login_nothing_is_entered(room: Room) -> None:
    answer, told = room.send(f"{room.story.room}/enter/ack", {"form": "x"}, FORM)
    assert (answer.status_code, told) == (401, {})
    assert Html(answer.text).hidden("next", "/login") == room.story.room


def test_what_is_no_step_or_no_form_is_refused(room: Room) -> None:
    answer, told = room.enter("explode")
    assert (answer.status_code, told) == (400, {})
    answer = room.desk.ask(f"{room.story.room}/enter/ack", "POST", {"Cookie": room.cookie}, body=b"{}")
    assert answer.status_code == 400
    answer, _ = room.send("/incidents/none/enter/ack", {}, FORM | {"Cookie": room.cookie})
    assert answer.status_code == 404


def test_a_proxys_people_enter_under_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "_RECORDED_WITHIN", 0.0)
    room = Room(tmp_path)
    room.story.down()
    web = {"identity_header": "X-Forwarded-User", "trusted_proxies": ["192.0.2.7"]}
    room.desk = Desk(RAW, None, room.story.path, **web)
    who = {"X-Forwarded-User": "grace"}
    page = Html(room.desk.ask(room.story.room, headers=who).text)
    form = page.hidden("form", "/enter/ack")
    answer, told = room.send(f"{room.story.room}/enter/ack", {"form": form}, FORM | who)
    assert (answer.status_code, told["by"], told["via"]) == (303, "grace", "web")


# signed links


def link(room: Room, step: str = "ack", **facts: Any) -> str:
    """Path and query of the link that a page carries."""
    page = Act(
        room.story.id, 1, ActKind.PAGE, "open", ("on_call.ada",), int(NOW) - 600, "", {"severity": "critical", **facts}
    )
    made = Links(BASE, 86_400, Signer(KEY.encode())).facts(page, "on_call.ada")["links"]
    return str(next(each["url"] for each in made if each["step"] == step)).removeprefix(BASE)


def test_looking_at_a_link_changes_nothing_and_shows_what_it_would_do(room: Room) -> None:
    answer = room.desk.ask(link(room))
    assert answer.status_code == 200
    assert room.desk.sent == []
    page = Html(answer.text)
    page.rightly_made()
    assert "Nothing has happened yet. The button enters “Acknowledge: I have it”, as on_call.ada" in page.said
    assert f"Incident {room.story.id} Service Bird Email Since 2026-11-22 09:50:41 UTC" in page.said
    assert "works until 2026-11-23 09:51:40 UTC" in page.said
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert room.desk.ask(link(room), "HEAD").status_code == 200
    assert room.desk.sent == []


def test_the_button_enters_the_step_for_whom_the_link_was_sent_to(room: Room) -> None:
    page = Html(room.desk.ask(link(room)).text)
    (action,) = page.actions()
    answer, told = room.send(action, {}, FORM)
    assert answer.status_code == 200
    assert "“Acknowledge: I have it” is on the record." in Html(answer.text).said
    assert (told["kind"], told["by"], told["via"], told["incident"]) == ("ack", "on_call.ada", "link", room.story.id)
    assert told["text"] == "(by the signed link in the page to on_call.ada)"


def test_who_gives_a_name_is_named(room: Room) -> None:
    _, told = room.send(link(room, "intake"), {"name": " Ada\x1b ", "text": "spoke to Jo"}, FORM)
    assert (told["kind"], told["by"]) == ("intake", "Ada\\x1b")
    assert told["text"] == "spoke to Jo (by the signed link in the page to on_call.ada)"


def test_consent_is_given_by_a_link(room: Room) -> None:
    _, told = room.send(link(room, "decline", asks=["x"]), {}, FORM)
    assert told["kind"] == "decline"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_links_that_are_worth_nothing_say_so(room: Room, method: str) -> None:
    good = link(room)
    for bad in (
        good.replace(room.story.id, "bird-20261122T000000Z"),
        good.replace("link/ack", "link/intake"),
        good.replace("link/ack", "link/resolve"),
        good.replace("on_call.ada", "on_call.eve"),
        good.partition("&sig")[0],
        good.partition("?")[0],
    ):
        answer = room.desk.ask(bad, method, FORM)
        assert answer.status_code == 403, bad
        assert "This link is not valid" in Html(answer.text).said
    room.desk.clock.utc += 86_400
    answer = room.desk.ask(good, method, FORM)
    assert answer.status_code == 410
    assert "This link has expired" in Html(answer.text).said
    assert room.desk.sent == []


def test_a_link_is_not_followed_from_another_site(room: Room) -> None:
    answer, told = room.send(link(room), {}, FORM | {"Origin": "https://evil.example"})
    assert (answer.status_code, told) == (403, {})
    assert room.desk.ask(link(room), "POST").status_code == 403, "nor is what is no form"


def test_what_was_typed_beside_a_link_stays_when_it_is_refused(room: Room) -> None:
    answer, _ = room.send(link(room), {"name": "Ada", "text": "typed"}, FORM, refused="no incident of bird is open")
    assert answer.status_code == 409
    page = Html(answer.text)
    assert "Not taken: no incident of bird is open." in page.said
    assert page.inside("text") == "typed"
    answer, told = room.send(link(room), {"text": "x" * 2001}, FORM)
    assert (answer.status_code, told) == (422, {})


def test_a_store_that_fails_keeps_nobody_from_acknowledging(room: Room, tmp_path: Path) -> None:
    good = link(room)
    room.desk = Desk(RAW, None, tmp_path / "missing.db", token=TOKEN, key=KEY)
    answer, told = room.send(good, {}, FORM)
    assert (answer.status_code, told["kind"]) == (200, "ack")


def test_where_no_steps_are_taken_that_is_said(room: Room) -> None:
    room.desk.show(room.desk.view)
    answer = room.desk.ask(link(room), "POST", FORM)
    assert answer.status_code == 409
    assert "no measuring process listens" in Html(answer.text).said
