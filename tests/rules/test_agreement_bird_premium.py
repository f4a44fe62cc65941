"""Bird Email Premium: one class of issues, a ticket, a manager to escalate to, and no hotline. Local time is Rome's."""

import pytest
from agreement_story import Agreement

from rules.acts import ActKind
from rules.contracts.model import ResolvedBy
from rules.incident import EntryKind
from rules.model import Condition

ZONE = "Europe/Rome"


def an_issue(when: str = "Fri 20 Nov 16:30", **terms: object) -> Agreement:
    a = Agreement("bird-email-premium", ZONE, **terms)
    a.raised(when)
    return a


@pytest.mark.parametrize(
    ("condition", "scope"),
    [
        (Condition.UNAVAILABLE, ""),
        (Condition.PARTIAL, "api/account"),
        (Condition.INTERMITTENT, ""),
        (Condition.SLOW, "api"),
    ],
)
def test_every_problem_is_an_issue_with_a_ticket(condition: Condition, scope: str) -> None:
    a = Agreement("bird-email-premium", ZONE)
    assert a.raised("Fri 20 Nov 16:30", condition, scope) == ["16:30:00 page pager open", "16:30:00 ticket desk open"]
    assert a.severity() == "issue"


def test_no_hotline_is_ever_called_although_one_is_configured() -> None:
    a = an_issue(response_within="2h", updates_every="1h")
    a.cleared("Fri 20 Nov 18:00")
    a.raised("Fri 20 Nov 19:00")
    a.at("Wed 25 Nov 19:00")
    assert ActKind.HOTLINE not in a.kinds()


def test_the_document_gives_no_times_so_none_run() -> None:
    assert an_issue().clocks() == {}


class TestAsAgreed:
    """How soon, and how often, are terms; they count in business hours, which are terms too."""

    def test_a_response_over_a_weekend(self) -> None:
        a = an_issue("Fri 20 Nov 16:30", response_within="2h")
        assert a.due("response") == "Mon 23 Nov 10:30:00"
        assert a.at("Mon 23 Nov 10:29") == []
        assert a.at("Mon 23 Nov 10:30") == [
            "10:30:00 note desk chase-response",
            "10:30:00 escalation tam late-response",
        ]

    def test_a_response_over_an_italian_holiday(self) -> None:
        a = an_issue("Mon 07 Dec 16:30", response_within="2h", holidays="IT")  # 8 December is a holiday
        assert a.due("response") == "Wed 09 Dec 10:30:00"

    def test_a_response_in_hours_and_days_of_ones_own(self) -> None:
        a = an_issue("Sat 21 Nov 12:30", response_within="2h", business_days="mon-sat", business_hours="08:00-13:00")
        assert a.due("response") == "Mon 23 Nov 09:30:00"

    def test_a_response_over_the_change_to_summer_time(self) -> None:
        a = an_issue("Fri 27 Mar 16:30", response_within="2h")
        assert a.due("response") == "Mon 30 Mar 10:30:00"
        assert (
            a.second("Mon 30 Mar 10:30") - a.second("Fri 27 Mar 16:30") == 65 * 3600
        )  # an hour less than the wall shows

    def test_a_manager_who_works_on_tuesdays_alone_is_told_on_tuesday(self) -> None:
        a = an_issue("Fri 20 Nov 10:00", response_within="1h", tam_days="tue", tam_hours="10:00-12:00")
        assert a.at("Fri 20 Nov 12:00") == ["11:00:00 note desk chase-response"]
        assert a.at("Tue 24 Nov 10:00") == ["10:00:00 escalation tam late-response"]

    def test_updates_are_chased_in_business_hours(self) -> None:
        a = an_issue("Fri 20 Nov 15:00", updates_every="1h")
        chased = [line for line in a.at("Mon 23 Nov 10:30") if "chase" in line]
        assert chased == [
            "16:00:00 note desk chase-updates",
            "17:00:00 note desk chase-updates",
            "10:00:00 note desk chase-updates",
        ]

    def test_an_agents_answer_is_a_response_and_begins_the_time_to_the_next_update(self) -> None:
        a = an_issue("Fri 20 Nov 10:00", response_within="4h", updates_every="4h")
        a.entered("Fri 20 Nov 11:00", EntryKind.FIRST_RESPONSE)
        assert a.clocks() == {"updates": "Fri 20 Nov 15:00:00"}


def test_resolved_when_both_agree() -> None:
    a = an_issue()
    assert a.state.plan.pack.resolution.by is ResolvedBy.AGREEMENT
    a.cleared("Fri 20 Nov 17:00")
    a.at("Fri 27 Nov 17:00")
    assert a.state.incident is not None
    a.entered("Fri 27 Nov 17:00", EntryKind.RESOLVE)
    assert a.state.incident is None
