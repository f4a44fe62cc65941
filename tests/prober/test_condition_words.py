"""What a text says fits its condition: no figure under a wrong name, no consequence that was not, no rule not applied."""

from pathlib import Path
from typing import Any

import pytest
from deliver_acts import CREATED, FACTS, act
from test_drill import write

from prober import tickets
from prober.config import load
from prober.deliver import texts, view
from prober.deliver.view import View
from prober.preview import Preview
from prober.rehearsal import Rehearsal
from rules.acts import Act, ActKind
from rules.model import Condition

FRIDAY = 1_795_168_800  # 2026-11-20T10:00:00Z
RATE = {"seconds": 30, "within": 3600, "recovered_after": 900}
SLOW = {"for": 60, "share": 0.5, "at_least": 3, "every": 1, "over": 2.5}


def flat(words: str) -> str:
    return " ".join(words.split())


def text(kind: ActKind = ActKind.TICKET, **facts: Any) -> str:
    return flat(texts.text(act(kind, facts={**FACTS, **facts})))


def test_slow_seconds_are_not_called_unavailable() -> None:
    ticket = text(condition="slow", scope="api", rule=SLOW, samples=[], reasons={})
    assert "of them slow: 59" in ticket
    assert "navailable" not in ticket.replace("Service Unavailable", "")
    assert "is handed over to Bird Email by API calls later than it should be" in ticket
    assert "each of these took longer than 2.5 s." in ticket
    assert "Slowness is persistent when at least 50 % of the seconds with a success within 60 s are slow" in ticket
    assert "Compare the answer, or its absence, and the time that it takes" in ticket
    assert "in a failed call below" not in ticket, "there is none"


def test_unavailability_that_comes_and_goes_is_judged_by_its_own_rule() -> None:
    ticket = text(condition="intermittent", rule=RATE)
    assert "when 30 seconds or more within 1 h are Unavailable and it is not persistent." in ticket
    assert "is persistent when" not in ticket
    assert "In the seconds that are counted here, mail of Example GmbH could not be handed over" in ticket
    assert "While this lasts" not in ticket


def test_one_endpoint_is_named_and_is_not_the_channel() -> None:
    ticket = text(condition="partial", scope="api/account")
    assert "persistent Unavailability of one endpoint (api/account) since" in ticket
    assert "Endpoint: api/account" in ticket
    assert "whatever Example GmbH does by this endpoint of Bird Email waits" in ticket
    assert "its channel as a whole is not Unavailable" in ticket
    assert "cannot be handed over" not in ticket


def test_nothing_measured_is_no_figure() -> None:
    page = act(ActKind.PAGE, facts={**FACTS, "condition": "blind", "measured": 0, "bad": 0})
    assert "measured seconds" not in texts.summary(page)


@pytest.mark.parametrize(
    ("condition", "whose"),
    [
        ("unavailable", "the vendor's: every call of a channel failed"),
        ("partial", "the vendor's: every call of the endpoint failed"),
        ("failing", "nobody's provably"),
        ("blind", "ours, as far as we know"),
    ],
)
def test_on_call_reads_whose_fault_it_is_and_the_vendor_does_not(condition: str, whose: str) -> None:
    assert f"Whose fault: {whose}" in text(ActKind.PAGE, condition=condition)
    for kind in (ActKind.TICKET, ActKind.NOTE, ActKind.HOTLINE, ActKind.ESCALATION):
        assert "fault" not in text(kind, condition=condition).replace("by the vendor's fault", "")


def test_figures_of_when_it_was_found_are_not_said_of_later() -> None:
    early = text(ActKind.NOTE, raised=CREATED)
    assert "Seconds measured: 60 of them unavailable: 59" in early
    assert "Seconds by reason, since the onset:" in early
    late = text(ActKind.NOTE, onset=CREATED - 7260, raised=CREATED - 7200, recovered=CREATED, duration=7200)
    assert "Lasted: 2 h" in late
    assert "When it was found: 60 seconds measured, of them unavailable 59" in late
    assert "Seconds by reason, from the onset until it was found:" in late
    assert "since the onset" not in late
    assert "Seconds measured:" not in late


def test_on_call_alone_reads_what_to_do() -> None:
    page = text(ActKind.PAGE, condition="failing", severity="internal", reasons={"http_status_401": 60})
    assert "What to do: Check the key" in page
    assert "What to do:" not in text(ActKind.PAGE), "there the vendor is called"


@pytest.mark.parametrize(
    ("title", "words"), [("Issue", "an Issue"), ("Alta (High)", "an Alta"), ("Priority 1", "a Pri")]
)
def test_the_article_is_the_right_one(title: str, words: str) -> None:
    assert f"We report {words}" in text(severity_title=title)
    assert f"We report {words}" in text(ActKind.HOTLINE, severity_title=title)


def test_what_the_document_is_silent_on_is_not_cited() -> None:
    silent = {"meaning": "The document does not define Unavailability.", "article": "silent"}
    ticket = text(unavailability=silent, agreement="Bird Email Premium")
    assert "Bird Email Premium: The document does not define Unavailability." in ticket
    assert "silent" not in ticket


def test_a_call_that_ended_with_its_answer_says_so() -> None:
    sample = {**FACTS["samples"][0], "stage": "done"}
    assert "Ended: with a whole answer, after 12.5 ms" in text(samples=[sample])


def test_the_vendor_reads_why_there_is_no_picture_of_a_screen() -> None:
    words = "there is no screen to take a picture of"
    assert words in text()
    assert words not in text(ActKind.PAGE)
    assert words not in text(samples=[])


@pytest.mark.parametrize("kind", [ActKind.PAGE, ActKind.HOTLINE, ActKind.TICKET])
def test_what_the_hotline_takes_is_complete_in_each_script(kind: ActKind) -> None:
    words = text(kind)
    for vital in ("Example GmbH", "Operations", "+49 30 1234567", "oncall@example.com", "persistent Unavailability"):
        assert vital in words


def example(place: Path, condition: Condition) -> Act:
    loaded = load(write(place))
    played = Rehearsal(loaded.settings, loaded.base, "bird", condition, prefix="example")
    return next(each.act for each in Preview(played, FRIDAY).play())


def test_made_up_incidents_are_judged_by_the_rule_of_their_condition(tmp_path: Path) -> None:
    slow = View(example(tmp_path, Condition.SLOW))
    assert (slow.rule["over"], slow.rule["share"], slow.bad) == ("2 s", "90 %", "60")
    rate = View(example(tmp_path, Condition.INTERMITTENT))
    assert (rate.rule["seconds"], rate.rule["within"], rate.measured, rate.bad) == ("30", "1 h", "3600", "30")
    blind = View(example(tmp_path, Condition.BLIND))
    assert (blind.measured, blind.rule["share"]) == ("0", "")


def test_a_ticket_without_a_number_is_called_the_same_in_texts_as_elsewhere() -> None:
    """Written twice, because a catalogue is made from what stands in `later(...)`."""
    assert view._NO_NUMBER == tickets.NO_NUMBER
