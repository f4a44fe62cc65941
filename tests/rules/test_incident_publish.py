"""Public status pages: what they are told, in which order, under which keys, and that nothing private is among it."""

import json
from typing import Any

import pytest
from incident_story import AGREEMENT, T0, Story

from rules.acts import ActKind, Outcome
from rules.incident import Entry, EntryKind, Mode, RecordKind
from rules.model import Condition

PAGES = ("bird.page-1", "bird.page-2")
#: What a status act may say; whoever adds to it has looked whether everybody may read it.
PUBLIC = {
    *("service", "title", "what", "progress", "began", "opened", "seen", "held"),
    *("condition", "scope", "onset", "last_bad", "recovered", "text"),
}


def story(**changes: Any) -> Story:
    return Story(**{"status_pages": PAGES, "pack": AGREEMENT, **changes})


def told(s: Story) -> list[str]:
    """What the first page is told by the last step."""
    return [a.facts["what"] for a in s.last.acts if a.kind is ActKind.STATUS and a.receivers == PAGES[:1]]


def test_each_page_is_told_by_an_act_of_its_own_that_waits_for_nothing() -> None:
    s = story()
    s.raised(0)
    acts = [a for a in s.acts if a.kind is ActKind.STATUS]
    assert [a.receivers for a in acts] == [(page,) for page in PAGES]
    assert {a.after for a in acts} == {""}
    assert len({a.id for a in acts}) == 2


def test_an_incident_that_began_as_on_calls_own_is_told_once_it_is_the_agreements() -> None:
    s = story()
    s.raised(0, Condition.BLIND)
    assert told(s) == []
    s.raised(60)
    assert told(s) == ["raised"]


def test_what_makes_it_graver_is_told_and_what_comes_again_too() -> None:
    s = story()
    s.raised(0, Condition.PARTIAL, "api/a")
    s.raised(60)
    assert told(s) == ["raised"]
    s.cleared(70, Condition.PARTIAL, "api/a")
    assert told(s) == ["cleared"]
    s.raised(80, Condition.PARTIAL, "api/a")
    assert told(s) == ["raised"]
    s.cleared(90)
    assert told(s) == ["cleared"]
    s.raised(100)
    assert told(s) == ["raised"], "a new episode"


def test_a_whole_incident_is_told_from_the_first_second_to_the_last_word() -> None:
    s = story()
    s.raised(0)
    assert told(s) == ["raised"]
    s.entry(30, EntryKind.PUBLISH, value="identified")
    assert told(s) == ["published"]
    s.cleared(200, last=T0 + 80)
    assert told(s) == ["recovered"]
    s.raised(400)
    assert told(s) == ["raised"]
    s.cleared(600)
    assert told(s) == ["recovered"]
    s.entry(700, EntryKind.RESOLVE)
    assert told(s) == ["closed"]
    s.entry(800, EntryKind.REOPEN)
    assert told(s) == ["reopened"]
    s.entry(900, EntryKind.CLOSED_BY_VENDOR)
    assert told(s) == ["closed"]
    ids = [a.id for a in s.acts if a.kind is ActKind.STATUS]
    assert len(ids) == len(set(ids)) == 16
    assert {a.incident for a in s.acts} == {s.acts[0].incident}


def test_what_comes_and_goes_beside_it_is_told_with_what_still_holds() -> None:
    s = story()
    s.raised(0, rule={"channels": {"api": {"measured": 60, "bad": 57}, "smtp": {"measured": 60, "bad": 0}}})
    assert s.last.acts[-1].facts["held"][0]["channels"] == ["api"]
    s.raised(10, scope="smtp")
    assert told(s) == ["raised"]
    assert [h["scope"] for h in s.last.acts[-1].facts["held"]] == ["", "smtp"]
    s.cleared(20, scope="smtp")
    assert told(s) == ["cleared"]
    assert [h["scope"] for h in s.last.acts[-1].facts["held"]] == [""]


def test_nothing_private_is_told() -> None:
    s = story()
    s.raised(0, reasons={"http_status_503": 57})
    s.accepted(1, s.act("1/ticket/mail/open").id)
    s.entry(2, EntryKind.ACK)
    s.entry(3, EntryKind.ADOPT, ticket="T-987654")
    s.entry(4, EntryKind.PUBLISH)
    s.cleared(200)
    s.entry(300, EntryKind.RESOLVE)
    acts = [a for a in s.acts if a.kind is ActKind.STATUS]
    assert {name for a in acts for name in a.facts} <= PUBLIC
    whole = json.dumps([dict(a.facts) for a in acts])
    for private in ('"ann"', "T-987654", '"mail"', "http_status_503", "<id@example.com>"):
        assert private not in whole


def test_what_concerns_on_call_alone_is_told_to_nobody_else() -> None:
    s = story()
    s.raised(0, Condition.FAILING, "api")
    s.cleared(300, Condition.FAILING, "api")
    assert [a for a in s.acts if a.kind is ActKind.STATUS] == []


def test_mode_observe_only_says_what_would_be_told() -> None:
    s = story(mode=Mode.OBSERVE)
    s.raised(0)
    assert [a for a in s.acts if a.kind is ActKind.STATUS] == []
    assert s.detail(RecordKind.WOULD_PUBLISH)["receivers"] == list(PAGES)


def test_mode_ask_asks_for_ticket_and_hotline_and_tells_the_public_at_once() -> None:
    s = story(mode=Mode.ASK)
    s.raised(0)
    assert told(s) == ["raised"]


def test_without_pages_the_words_are_on_our_own_all_the_same() -> None:
    s = story(status_pages=())
    s.raised(0)
    s.entry(10, EntryKind.PUBLISH, value="monitoring")
    assert s.detail(RecordKind.PUBLISHED)["text"] == "as said on the phone"
    assert [a for a in s.acts if a.kind is ActKind.STATUS] == []


@pytest.mark.parametrize("kind", [Condition.FAILING, None])
def test_words_for_everybody_need_an_incident_that_is_everybodys(kind: Condition | None) -> None:
    s = story()
    if kind is not None:
        s.raised(0, kind, "api")
    assert s.entry(5, EntryKind.PUBLISH).refused


def test_empty_words_are_refused() -> None:
    s = story()
    s.raised(0)
    made = s.tell(Entry(EntryKind.PUBLISH, "ann", "  ", T0 * 10**9))
    assert made.refused.startswith("publish needs a text")
    assert made.acts == ()


def test_a_progress_that_no_page_knows_is_refused() -> None:
    s = story()
    s.raised(0)
    made = s.entry(5, EntryKind.PUBLISH, value="resolvd")
    assert made.refused == "'resolvd' is no progress; one of investigating, identified, monitoring, or none"
    assert made.acts == ()


def test_a_reopening_that_is_refused_is_not_told() -> None:
    s = story()
    s.entry(5, EntryKind.REOPEN)
    assert s.last.refused
    assert s.acts == []


def test_a_page_that_refuses_holds_up_nothing_and_pages_nobody() -> None:
    s = story()
    s.raised(0)
    act = next(a for a in s.acts if a.kind is ActKind.STATUS)
    assert s.result(5, act.id, Outcome.PERMANENT, PAGES[0], final=True) == []


def test_a_state_that_an_earlier_program_wrote_has_no_pages() -> None:
    s = story(status_pages=())
    text = s.state.to_json()
    assert ',"status_pages":[]' in text
    assert s.state.from_json(text.replace(',"status_pages":[]', "")) == s.state
