"""The list of incidents and the incident room: what is shown of an incident in each of its states."""

from collections.abc import Callable
from pathlib import Path

import pytest
from asking import NOW, Desk
from html_page import Html
from room_story import HOSTILE, NS, RAW, TOKEN, Story, in_the_middle, raw

from prober.store import IncidentHead, StoredRecord, Transaction
from prober.web.room.clocks import runs_of
from prober.web.room.trail import line_of
from rules.acts import ActKind, Outcome
from rules.clocks import Standing
from rules.incident import EntryKind, RecordKind, Removed
from rules.model import Condition

Begin = Callable[..., Story]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begins a story in a store of its own; `before`: seconds before now."""

    def begin(before: int = 600, **service: object) -> Story:
        return Story(tmp_path / "prober.db", int(NOW) - before, raw(**service))

    return begin


def desk_of(story: Story) -> Desk:
    return Desk(RAW, store=story.path, token=TOKEN)


def room_of(story: Story, desk: Desk | None = None) -> Html:
    answer = (desk or desk_of(story)).ask(story.room)
    assert answer.status_code == 200, answer.text
    page = Html(answer.text)
    page.rightly_made()
    return page


def test_it_says_what_is_wrong_since_when_whose_fault_and_why(begin: Begin) -> None:
    room = room_of(begin().down().accept_all())
    what = room.inside("what")
    assert "Condition Persistent Unavailability State Open" in what
    assert "Since 2026-11-22 09:50:41 UTC" in what
    assert "Severity Critical Issue (Problème Critique, (i))" in what
    assert "Acknowledged by nobody yet" in what
    why = room.inside("why")
    assert "Persistent Unavailability" in why
    assert "The fault is the vendor's" in why
    assert "It began 2026-11-22 09:50:41 UTC, and was found to persist 2026-11-22 09:51:40 UTC" in why
    assert "58 of 60 measured seconds were bad" in why
    assert "50 × http_status_503 The reply's status was 503 (Service Unavailable)." in why
    assert "8 × read_timeout" in why
    assert "Window 60 s" in why
    assert "Share of the measured seconds that must be unavailable 90 %" in why
    assert "Rules, version" in why
    assert "Controls dns; answering, as last told" in why
    assert "1 2026-11-22 09:50:41 UTC 2026-11-22 09:51:40 UTC – not yet –" in room.inside("episodes")


def test_what_concerns_us_alone_is_no_fault_of_the_vendors(begin: Begin) -> None:
    room = room_of(begin().down(Condition.FAILING, reasons={"http_status_401": 58}))
    assert "concerns on-call alone" in room.inside("what")
    assert "The fault is nobody's provably" in room.inside("why")
    assert "What to say" not in room.said
    blind = room_of(Story(begin().path, int(NOW)).down(Condition.BLIND, measured=0, bad=0, reasons={}))
    assert "The fault is ours, as far as we know" in blind.inside("why")


def test_one_channel_that_is_down_by_the_vendors_fault_is_not_said_to_be_nobodys(begin: Begin) -> None:
    rule = {"for": 60, "share": 0.9, "channels": {"api": {"measured": 60, "bad": 60}}}
    why = room_of(begin().down(Condition.FAILING, scope="api", rule=rule)).inside("why")
    assert "All calls of one channel fail, by the vendor's fault" in why
    assert "The fault is the vendor's: every call of this channel fails" in why


def test_a_ticket_that_was_taken_without_a_number_is_not_said_to_be_missing(begin: Begin) -> None:
    story = begin().down()
    assert "Ticket none yet" in room_of(story).inside("what")
    story.result(ActKind.TICKET, Outcome.ACCEPTED)
    assert "Ticket accepted, its number is not known" in room_of(story).inside("what")


def test_a_ticket_that_will_not_come_is_not_said_to_be_under_way(begin: Begin) -> None:
    story = begin().down()
    story.result(ActKind.TICKET, Outcome.PERMANENT, "403")
    assert "Ticket none: every receiver refused it" in room_of(story).inside("what")


def test_what_concerns_us_alone_has_no_ticket_and_ends_by_itself(begin: Begin) -> None:
    story = begin().down(Condition.FAILING)
    assert "Ticket none: this concerns on-call alone" in room_of(story).inside("what")
    there = story.room
    story.later(300).up(Condition.FAILING)
    room = Html(desk_of(story).ask(there).text)
    assert "it concerned on-call alone, and is over" in room.inside("steps")
    assert "not yet" not in room.inside("episodes")


@pytest.mark.parametrize("condition", [Condition.UNAVAILABLE, Condition.FAILING])
def test_nobody_waits_for_the_recovery_of_a_service_that_is_no_longer_configured(
    begin: Begin, condition: Condition
) -> None:
    story = begin().down(condition)
    assert "agreed resolved" not in room_of(story).said
    room = room_of(story.event(Removed(story.now * NS)))
    assert "the service is no longer in it: nobody measures it" in room.inside("what")
    assert "agreed resolved" in room.inside("steps")
    assert "taken out of the configuration" in room.inside("trail")
    there = story.room
    story.enter(EntryKind.RESOLVE)
    closed = Html(desk_of(story).ask(there).text)
    assert (story.refused, "no longer in it" in closed.said) == ("", False)
    assert "State Closed" in closed.inside("what")


def test_an_endpoint_is_named_once_and_as_it_is_written(begin: Begin) -> None:
    room = room_of(begin().down(Condition.PARTIAL, scope="api/Account"))
    assert "Condition Persistent Unavailability of one endpoint (api/Account) State" in room.inside("what")
    assert "(api/Account) The fault" in room.inside("why")
    assert "(api/Account) (api/Account)" not in room.said


def test_nobody_is_sent_to_the_hotline_for_what_is_closed(begin: Begin) -> None:
    story = begin().down().accept_all().later(300).up().enter(EntryKind.RESOLVE)
    room = room_of(story)
    assert "Call the hotline" not in room.said
    assert "The incident is closed: there is nothing to call for." in room.inside("script")
    assert not any((attrs.get("href") or "").startswith("tel:") for _, attrs in room.tags)
    again = room_of(story.enter(EntryKind.REOPEN))
    assert "Call the hotline +1 555 0100" in again.inside("script")


def test_nobody_is_sent_to_a_hotline_that_is_not_for_it(begin: Begin) -> None:
    ours = room_of(begin().down(Condition.FAILING, reasons={"http_status_401": 58}))
    assert "nothing of it is for the vendor’s hotline" in ours.inside("script")
    assert not any(tag == "a" and (attrs.get("href") or "").startswith("tel:") for tag, attrs in ours.tags)
    assert ("a", {"href": "#script"}) not in ours.tags


def test_an_agreement_without_a_hotline_asks_for_no_number(tmp_path: Path) -> None:
    premium = raw(contract="bird-email-premium", terms={}, hotline=[])
    story = Story(tmp_path / "prober.db", int(NOW) - 600, premium).down(Condition.UNAVAILABLE)
    script = room_of(story).inside("script")
    assert "The agreement has no hotline." in script
    assert "No number is configured" not in script


def test_one_column_leads_to_what_one_does(begin: Begin) -> None:
    room = room_of(begin().down().accept_all())
    ids = {attrs.get("id") for _, attrs in room.tags}
    places = [
        attrs["href"] or "" for tag, attrs in room.tags if tag == "a" and (attrs.get("href") or "").startswith("#")
    ]
    assert "#script" in places
    assert [place for place in places if place[1:] not in ids] == [], "each leads somewhere"


def test_who_closed_it_without_saying_how_is_told_all_the_same() -> None:
    line = line_of(StoredRecord("i", int(NOW), RecordKind.CLOSED, {"by": "Ada"}))
    assert (line.what, line.by) == ("Closed", "Ada")


def test_a_recovered_one_says_so_and_that_it_is_not_agreed(begin: Begin) -> None:
    room = room_of(begin().down().accept_all().later(300).up())
    assert "Recovered, not yet agreed to be resolved" in room.inside("what")
    assert "Nothing holds" not in room.inside("why")
    assert "(as last told)" in room.inside("why")
    assert "2026-11-22 09:54:40 UTC 2026-11-22 09:56:40 UTC" in room.inside("episodes")
    lasted = room.inside("episodes").rpartition("UTC ")[2]
    assert f"Recovered 2026-11-22 09:56:40 UTC; it had lasted {lasted} Severity" in room.inside("what"), (
        "one figure, twice"
    )


def test_a_closed_one_says_when_and_keeps_its_clocks(begin: Begin) -> None:
    story = begin().down().accept_all().enter(EntryKind.INTAKE).later(60).up().enter(EntryKind.RESOLVE, text="agreed")
    room = room_of(story)
    assert "State Closed 2026-11-22 09:52:40 UTC" in room.inside("what")
    assert "Call back after the intake" in room.inside("clocks")
    assert "Stopped 2026-11-22 09:52:40 UTC: the incident was closed" in room.inside("clocks")
    assert "Closed: customer and vendor agree that it is resolved, by Ada agreed" in room.inside("trail")


def test_a_clock_that_runs_says_when_it_is_due_and_how_long_that_is(begin: Begin) -> None:
    room = room_of(begin().down().accept_all().enter(EntryKind.INTAKE).later(60))
    assert "Call back after the intake (the vendor's, Problème Critique, (ii) 2)" in room.inside("clocks")
    assert "Due 2026-11-22 10:06:40 UTC in 5 min" in room.inside("clocks")
    assert ("span", {"class": "count", "data-due": "1795342000", "role": "timer"}) in room.tags


def test_a_clock_that_ran_out_is_late(begin: Begin) -> None:
    room = room_of(begin(1800).down().accept_all().enter(EntryKind.INTAKE).later(1000))
    assert "Late 2026-11-22 09:46:40 UTC 15 min late" in room.inside("clocks")


def test_a_clock_that_was_met_was_kept_or_late(begin: Begin) -> None:
    story = begin(3600).down().accept_all().enter(EntryKind.INTAKE)
    kept = story.later(300).enter(EntryKind.CALL_BACK)
    assert "Kept: came 2026-11-22 09:06:40 UTC, due 2026-11-22 09:16:40 UTC" in room_of(kept).inside("clocks")
    late = kept.enter(EntryKind.INTAKE).later(960).enter(EntryKind.CALL_BACK)
    found = room_of(late).inside("clocks")
    assert "Late: came 2026-11-22 09:22:40 UTC, due 2026-11-22 09:21:40 UTC, 1 min late" in found
    assert "Kept" in found, "every run is shown"


def told_records(*told: tuple[RecordKind, int, dict[str, object]]) -> list[StoredRecord]:
    return [StoredRecord("i", at, kind.value, {"clock": "update", **detail}) for kind, at, detail in told]


K = RecordKind


def test_a_clock_stands_still_and_goes_on_and_is_reckoned_anew() -> None:
    begun = (K.CLOCK_STARTED, 100, {"article": "4", "since": 100, "due": 200})
    paused = told_records(begun, (K.CLOCK_PAUSED, 150, {"due": 200}))
    (run,) = runs_of(paused, None, None, 0)
    assert (run.standing, run.due, run.mark, run.title) == (Standing.PAUSED, 200, "paused", "update")
    resumed = told_records(begun, (K.CLOCK_PAUSED, 150, {}), (K.CLOCK_RESUMED, 300, {"due": 350}))
    assert [(r.standing, r.due, r.mark) for r in runs_of(resumed, None, None, 0)] == [(Standing.RUNNING, 350, "")]
    changed = told_records(begun, (K.CLOCK_CHANGED, 150, {"due": 180, "before": 200}), (K.CLOCK_DUE, 180, {"due": 180}))
    assert [r.due for r in runs_of(changed, None, None, 0)] == [180]
    again = told_records(begun, begun, (K.CLOCK_MET, 190, {"due": 200, "late": 0, "at": 190}), (K.CLOCK_MET, 195, {}))
    assert [r.standing for r in runs_of(again, None, None, 0)] == [Standing.RUNNING, Standing.MET]


def test_who_was_told_and_whether_it_reached_them(begin: Begin) -> None:
    story = begin().down()
    story.result(ActKind.TICKET, Outcome.TRANSIENT, "451 later").later(5).result(
        ActKind.PAGE, Outcome.PERMANENT, "410 gone"
    )
    text = "page by on_call.webhook-1: delivered. It rang"
    story.enter(EntryKind.NOTE, by="on_call.webhook-1", text=text, via="receiver")
    told = room_of(story).inside("told")
    assert "Ticket (open) to bird.tickets.webhook-1: on its way" in told
    assert "bird.tickets.webhook-1 did not take it; it is tried again: 451 later" in told
    assert "Page (open) to on_call.webhook-1: refused by every receiver" in told
    assert "page by on_call.webhook-1: delivered. It rang" in told


def test_many_attempts_and_acts_are_bounded(begin: Begin) -> None:
    story = begin().down()
    for n in range(15):
        story.result(ActKind.TICKET, Outcome.TRANSIENT, f"try {n:02d}")
    told = room_of(story).inside("told")
    assert "5 earlier attempts" in told
    assert "try 14" in told
    assert "try 04" not in told


def test_the_hotline_has_a_number_to_tap_and_a_script(begin: Begin) -> None:
    room = room_of(begin().down())
    assert ("a", {"href": "tel:+15550100"}) in room.tags
    assert "This is a call from the operations of Example GmbH." in room.inside("script")
    called = room_of(Story(begin().path, int(NOW) - 60).down().accept_all())
    assert "The ticket has been sent by e-mail." in called.inside("script"), "as it was made for the call"


def test_what_is_no_number_is_not_tapped(begin: Begin) -> None:
    story = begin(terms={"hotline": "ask for Jo at 1; then 2", "time_zone": "Europe/Amsterdam"}).down()
    room = room_of(story)
    assert "ask for Jo at 1; then 2" in room.inside("script")
    assert not [a for tag, a in room.tags if tag == "a" and (a.get("href") or "").startswith("tel:")]


def test_failed_calls_show_their_transcripts_the_first_and_the_newest(begin: Begin) -> None:
    story = begin().down().later(400).failed("> GET /account\n< HTTP/1.1 503 Unavailable", n=400)
    desk = desk_of(story)
    calls = room_of(story, desk).inside("calls")
    assert "400 were kept; shown are the first and the newest" in calls
    assert calls.count("http_status_503 api/account") == 10
    assert "> GET /account < HTTP/1.1 503 Unavailable" in calls
    assert "09:58:20 UTC, took 12.5 ms" in calls
    assert "Server 192.0.2.7:443" in calls
    assert "Phases resolve 1.0 ms, connect 2.0 ms" in calls


def test_what_the_vendor_says_stands_by_itself(tmp_path: Path) -> None:
    vendor = room_of(in_the_middle(tmp_path / "prober.db", int(NOW))).inside("vendor")
    assert "The vendor has called back, by jo@vendor.example (mail) We look into it. More soon." in vendor
    assert "The vendor's status page says: major: API errors" in vendor


def test_a_status_page_that_nobody_configured_is_not_said_to_be_silent(begin: Begin) -> None:
    story = begin().down()
    assert "the service has no status_page in the configuration" in room_of(story).inside("vendor")
    page = {"status_page": {"url": "https://status.vendor.example"}}
    desk = Desk(raw(**page), store=story.path, token=TOKEN)
    assert "Nothing was read there." in room_of(story, desk).inside("vendor")


def test_hostile_text_is_shown_as_bounded_harmless_text(begin: Begin) -> None:
    story = begin().down().failed(HOSTILE, n=3)
    story.result(ActKind.TICKET, Outcome.TRANSIENT, HOSTILE, HOSTILE)
    story.enter(EntryKind.ACK, by=HOSTILE, text=HOSTILE, via=HOSTILE)
    story.enter(EntryKind.UPDATE, by=HOSTILE, text=HOSTILE, ticket=HOSTILE, via="reply")
    story.record(RecordKind.VENDOR_STATUS, url=HOSTILE, indicator=HOSTILE, description=HOSTILE)
    story.enter(EntryKind.ADOPT, ticket=HOSTILE)
    desk = desk_of(story)
    for path in (story.room, "/incidents"):
        answer = desk.ask(path)
        page = Html(answer.text)
        page.rightly_made()
        assert len(answer.text) < 150_000
        assert not any(c in answer.text for c in "\x00\x1b\u202e")
    assert "\\x1b[31m\\u202egnp\\x00" in room_of(story, desk).inside("calls")


def test_no_secret_of_the_configuration_is_shown_although_the_store_held_one(begin: Begin) -> None:
    story = begin().down().failed(f"> Authorization: Bearer {TOKEN}")
    assert TOKEN not in desk_of(story).ask(story.room).text


def test_nothing_new_is_said_in_no_bytes(begin: Begin) -> None:
    story = begin().down()
    desk = desk_of(story)
    first = desk.ask(story.room)
    again = {"If-None-Match": first.headers["etag"]}
    desk.clock.utc += 5
    assert desk.ask(story.room, headers=again).status_code == 304
    story.enter(EntryKind.ACK)
    changed = desk.ask(story.room, headers=again)
    assert changed.status_code == 200
    assert "Acknowledged Ada" in Html(changed.text).inside("what")


def test_an_incident_that_is_not_there_is_said(begin: Begin) -> None:
    answer = desk_of(begin().down()).ask("/incidents/bird-%3Cb%3E")
    assert answer.status_code == 404
    assert "There is no incident bird-<b>." in Html(answer.text).said


def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    desk = Desk(RAW, store=tmp_path / "missing.db")
    for path in ("/incidents", "/incidents/bird-1"):
        answer = desk.ask(path)
        assert answer.status_code == 503
        assert "The store cannot be read" in Html(answer.text).said


def test_a_state_of_another_version_hides_nothing_that_the_trail_says(begin: Begin) -> None:
    story = begin().down().accept_all().enter(EntryKind.INTAKE)
    story.write(Transaction(states={("bird", "incident"): '{"version": 99}'}))
    room = room_of(story)
    assert "State Open" in room.inside("what")
    assert "Severity critical" in room.inside("what")
    assert (
        "call-back (Problème Critique, (ii) 2)" in room.inside("clocks").replace(" (vendor's)", "")
        or "call-back" in room.said
    )


def test_the_list_has_open_ones_first_by_service(begin: Begin) -> None:
    story = begin().down().accept_all().later(60).up().enter(EntryKind.RESOLVE).later(60).down()
    old = [IncidentHead(f"gone-{n}", "gone", "critical", "closed", n, n, n, n) for n in range(1, 60)]
    story.write(Transaction(incidents=tuple(old)))
    page = Html(desk_of(story).ask("/incidents").text)
    page.rightly_made()
    bird = page.said
    assert bird.index("Bird Email") < bird.index("gone"), "a service with an open incident comes first"
    assert bird.index("critical, open: unavailable") < bird.index("critical, closed")
    assert "9 earlier ones" in bird
    links = [a.get("href") for tag, a in page.tags if tag == "a"]
    assert story.room in links


def test_without_any_incident_the_list_says_so(begin: Begin) -> None:
    assert "Bird Email None so far." in Html(desk_of(begin()).ask("/incidents").text).said


@pytest.mark.parametrize("kind", list(RecordKind))
def test_every_kind_of_record_has_words_whatever_it_holds(kind: RecordKind) -> None:
    for detail in ({}, {"act": "x", "reasons": [1], "delta": "x", "late": 60, "due": 1, "why": "w", "article": "a"}):
        line = line_of(StoredRecord("i", 7, kind.value, detail))
        assert line.what
        assert line.at == 7


def test_a_record_of_another_version_is_shown_with_what_is_small_in_it() -> None:
    line = line_of(StoredRecord("i", 7, "moon_rose", {"phase": "full", "nested": {"a": 1}, "when": 5, "by": "Ada"}))
    assert (line.what, line.when, line.by) == ("Moon rose (phase: full)", 5, "Ada")
    assert line_of(StoredRecord("i", 7, "moon_rose", {})).what == "Moon rose"
    late = line_of(StoredRecord("i", 7, "moon_rose", {"when": 1_795_341_600_000}))
    assert late.when == 0, "no time after it was entered, which no calendar may have"


@pytest.mark.parametrize(
    ("kind", "detail", "says"),
    [
        (
            K.RAISED,
            {"condition": "slow", "scope": "api", "onset": 5, "bad": 3, "measured": 4},
            "3 of 4 measured seconds",
        ),
        (K.SEVERITY, {"before": "low", "now": "high"}, "Severity low becomes high"),
        (K.ASKED, {"ticket": True, "hotline": True, "until": 9}, "consent to the ticket and the hotline"),
        (
            K.RESULT,
            {"act": "i/1/ticket/r/open", "receiver": "r", "outcome": "permanent", "final": True},
            "refused, for good",
        ),
        (K.CLOCK, {"delta": -2_000_000_000}, "set by -2.000 s"),
        (K.WENT_AHEAD, {"after": 300}, "Nobody answered within 5 min"),
        (K.MAINTENANCE, {"begins": True, "title": "night"}, "Maintenance begins: night"),
        (K.CLOCK_STOPPED, {"clock": "c", "due": 9, "late": 60, "why": "w"}, "1 min late"),
        (K.PLAN, {"changed": ["mode", "title"]}, "The configuration changed: mode, title"),
    ],
)
def test_words(kind: RecordKind, detail: dict[str, object], says: str) -> None:
    assert says in line_of(StoredRecord("i", 7, kind.value, detail)).what
