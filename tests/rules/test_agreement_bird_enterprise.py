"""Bird Email Enterprise, told as the document tells it (Issue Resolution). Local time is Amsterdam's."""

import pytest
from agreement_story import Agreement

from rules.acts import ActKind
from rules.incident import EntryKind, Mode, RecordKind
from rules.model import Condition

ZONE = "Europe/Amsterdam"


def a_critical_issue(when: str = "Fri 20 Nov 16:30", **terms: object) -> Agreement:
    a = Agreement("bird-email-enterprise", ZONE, **terms)
    a.raised(when)
    return a


class TestACriticalIssue:
    """Persistent Unavailability (Problème Critique, (i))."""

    def test_first_the_ticket_and_then_the_hotline(self) -> None:
        a = Agreement("bird-email-enterprise", ZONE)
        assert a.raised("Fri 20 Nov 16:30") == [
            "16:30:00 page pager open",
            "16:30:00 ticket desk open",
            "16:30:00 hotline phone call",
        ]
        assert a.severity() == "critical"

    def test_the_hotline_is_called_around_the_clock_every_day_of_the_year(self) -> None:
        for when in ("Sun 22 Nov 03:00", "Fri 25 Dec 12:00", "Thu 01 Jan 00:00"):
            assert f"{when[11:]}:00 hotline phone call" in Agreement("bird-email-enterprise", ZONE).raised(when)

    def test_the_fifteen_minutes_do_not_start_with_the_ticket_nor_with_the_call(self) -> None:
        a = a_critical_issue()
        a.at("Fri 20 Nov 18:00")
        assert a.clocks() == {}

    def test_they_start_when_the_intake_is_recorded(self) -> None:
        a = a_critical_issue()
        a.entered("Fri 20 Nov 16:37:20", EntryKind.INTAKE)
        assert a.due("call-back") == "Fri 20 Nov 16:52:20"

    def test_on_call_is_warned_five_minutes_before_they_are_over(self) -> None:
        a = a_critical_issue()
        a.entered("Fri 20 Nov 16:37:20", EntryKind.INTAKE)
        assert a.at("Fri 20 Nov 16:52:19") == ["16:47:20 page pager warn-call-back"]
        assert ": due at 2026-11-20 15:52:20 UTC by the agreement" in a.text("warn-call-back")

    def test_when_they_are_over_the_next_level_the_ticket_the_hotline_and_the_manager_hear_of_it(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00")
        a.entered("Fri 20 Nov 16:10", EntryKind.INTAKE)
        a.at("Fri 20 Nov 16:24:59")
        assert a.at("Fri 20 Nov 16:25:00") == [
            "16:25:00 page pager due-call-back",
            "16:25:00 page boss due-call-back",
            "16:25:00 note desk chase-call-back",
            "16:25:00 hotline phone again-call-back",
            "16:25:00 escalation tam late-call-back",
        ]
        assert a.text("chase-call-back") == (
            "Call back after the intake: was due at 2026-11-20 15:25:00 UTC by the agreement (Problème Critique, (ii) 2). "
            "The call back of an agent within fifteen minutes of the intake has not reached us. Please call our contact now."
        )

    def test_every_fifteen_minutes_more_it_is_done_again_and_the_manager_is_told_once(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00")
        a.entered("Fri 20 Nov 16:10", EntryKind.INTAKE)
        a.at("Fri 20 Nov 16:25")
        again = a.at("Fri 20 Nov 16:40")
        assert [line for line in again if line.startswith("16:40:00 hotline")] == [
            "16:40:00 hotline phone again-call-back"
        ]
        assert not [line for line in again if "escalation" in line]

    def test_a_call_back_in_time_stops_it(self) -> None:
        a = a_critical_issue()
        a.entered("Fri 20 Nov 16:37", EntryKind.INTAKE)
        a.entered("Fri 20 Nov 16:46", EntryKind.CALL_BACK)
        assert a.newest(RecordKind.CLOCK_MET)["late"] == 0
        assert a.at("Sat 21 Nov 16:00") == []

    def test_a_call_back_entered_later_counts_from_when_it_was(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00")
        a.entered("Fri 20 Nov 16:10", EntryKind.INTAKE)
        a.entered("Fri 20 Nov 17:00", EntryKind.CALL_BACK, when=a.second("Fri 20 Nov 16:30"))
        assert a.newest(RecordKind.CLOCK_MET)["late"] == 5 * 60


class TestTheTechnicalAccountManager:
    """A point of escalation in designated business hours (Technical Account Manager, (i))."""

    @pytest.mark.parametrize(
        ("intake", "reached"),
        [
            ("Fri 20 Nov 16:44", "16:59:00"),  # just within the hours
            ("Fri 20 Nov 16:45", "Mon 23 Nov 09:00:00"),  # 17:00 is no longer within them: over the weekend
            ("Thu 24 Dec 17:00", "Mon 28 Dec 09:00:00"),  # over Christmas, two holidays and a weekend
            ("Sat 28 Mar 12:00", "Mon 30 Mar 09:00:00"),  # over the change to summer time
        ],
    )
    def test_is_told_as_soon_as_the_hours_allow(self, intake: str, reached: str) -> None:
        a = a_critical_issue(intake, holidays="NL")
        a.entered(intake, EntryKind.INTAKE)
        a.at("Mon 30 Mar 09:00" if "Mar" in intake else "Wed 30 Dec 12:00" if "Dec" in intake else "Tue 24 Nov 09:00")
        told = [s for s, act in a.said if getattr(act, "kind", None) is ActKind.ESCALATION]
        assert [a.clock(s).endswith(reached) for s in told] == [True]

    def test_is_not_told_when_the_agent_has_called_back_before_the_hours_begin(self) -> None:
        a = a_critical_issue("Fri 20 Nov 20:00")
        a.entered("Fri 20 Nov 20:10", EntryKind.INTAKE)
        a.entered("Fri 20 Nov 20:40", EntryKind.CALL_BACK)
        a.at("Mon 23 Nov 12:00")
        assert ActKind.ESCALATION not in a.kinds()

    def test_is_reached_by_hand_where_no_receiver_is_configured(self) -> None:
        a = a_critical_issue("Fri 20 Nov 12:00", plan={"escalation": ()})
        a.entered("Fri 20 Nov 12:00", EntryKind.INTAKE)
        assert "12:15:00 page pager escalate-call-back" in a.at("Fri 20 Nov 12:15")
        assert a.text("escalate-").endswith("Reach the Technical Account Manager by hand: no receiver is configured.")


class TestUpdates:
    """In a reasonable way agreed between both (Problème Critique, (ii) 4): a term."""

    def test_without_the_term_nothing_is_expected(self) -> None:
        a = a_critical_issue()
        assert a.clocks() == {}

    def test_as_agreed_they_are_expected_and_chased_again_and_again(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00", updates_every="1h")
        assert a.due("updates") == "Fri 20 Nov 17:00:00"
        assert a.at("Fri 20 Nov 19:30") == [
            "17:00:00 note desk chase-updates",
            "18:00:00 note desk chase-updates",
            "19:00:00 note desk chase-updates",
        ]
        a.entered("Fri 20 Nov 19:40", EntryKind.UPDATE)
        assert a.due("updates") == "Fri 20 Nov 20:40:00"

    def test_they_end_with_the_issue(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00", updates_every="1h")
        a.cleared("Fri 20 Nov 16:30")
        a.entered("Fri 20 Nov 16:40", EntryKind.RESOLVE)
        assert a.at("Sat 21 Nov 16:00") == []


class TestANonCriticalIssue:
    """Problems, but no persistent Unavailability (Problème Non Critique)."""

    @pytest.mark.parametrize("condition", [Condition.PARTIAL, Condition.INTERMITTENT, Condition.SLOW])
    def test_a_ticket_and_no_hotline(self, condition: Condition) -> None:
        a = Agreement("bird-email-enterprise", ZONE)
        assert a.raised("Fri 20 Nov 16:30", condition, "api/account") == [
            "16:30:00 page pager open",
            "16:30:00 ticket desk open",
        ]
        assert a.severity() == "non-critical"
        assert a.at("Sat 21 Nov 16:30") == []

    def test_a_response_as_agreed_is_expected_in_business_hours(self) -> None:
        a = Agreement("bird-email-enterprise", ZONE, response_within="4h")
        a.raised("Fri 20 Nov 16:30", Condition.PARTIAL, "api/account")
        assert a.due("response-non-critical") == "Mon 23 Nov 12:30:00"
        assert a.at("Mon 23 Nov 12:30") == [
            "12:30:00 note desk chase-response-non-critical",
            "12:30:00 escalation tam late-response-non-critical",
        ]

    def test_updates_on_progress_as_agreed_are_expected_in_business_hours(self) -> None:
        a = Agreement("bird-email-enterprise", ZONE, progress_every="1d")  # a business day of eight hours
        a.raised("Fri 20 Nov 16:30", Condition.PARTIAL, "api/account")
        assert a.due("updates-non-critical") == "Mon 23 Nov 16:30:00"
        a.entered("Mon 23 Nov 10:00", EntryKind.UPDATE)
        assert a.due("updates-non-critical") == "Tue 24 Nov 10:00:00"
        assert a.at("Tue 24 Nov 10:00") == [
            "10:00:00 note desk chase-updates-non-critical",
            "10:00:00 escalation tam late-updates-non-critical",
        ]

    def test_it_rises_to_a_critical_one_in_the_same_ticket(self) -> None:
        a = Agreement("bird-email-enterprise", ZONE, response_within="4h")
        a.raised("Fri 20 Nov 16:30", Condition.PARTIAL, "api/account")
        assert a.raised("Fri 20 Nov 16:40") == [
            "16:40:00 page pager severity-critical",
            "16:40:00 note desk severity-critical",
            "16:40:00 hotline phone call",
        ]
        assert a.clocks() == {}  # the response to a Non-Critical Issue is no longer what is waited for
        assert a.newest(RecordKind.CLOCK_STOPPED)["why"] == "there is none at severity critical"


class TestTheEnd:
    """Resolved when both agree (Problème Critique, (ii) 5)."""

    def test_it_is_not_closed_on_our_own_word(self) -> None:
        a = a_critical_issue()
        a.cleared("Fri 20 Nov 17:00")
        a.at("Fri 27 Nov 17:00")
        assert a.state.incident is not None

    def test_both_agree_and_it_is_closed(self) -> None:
        a = a_critical_issue()
        a.cleared("Fri 20 Nov 17:00")
        a.entered("Mon 23 Nov 10:00", EntryKind.RESOLVE)
        assert a.state.incident is None
        assert a.newest(RecordKind.CLOSED)["how"] == "resolve"

    def test_unavailable_again_before_that_is_the_same_ticket_with_a_new_call_and_a_new_intake(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00")
        a.entered("Fri 20 Nov 16:10", EntryKind.INTAKE)
        a.entered("Fri 20 Nov 16:15", EntryKind.CALL_BACK)
        a.cleared("Fri 20 Nov 17:00")
        assert a.raised("Fri 20 Nov 18:00") == [
            "18:00:00 page pager open",
            "18:00:00 note desk unavailable-again",
            "18:00:00 hotline phone call",
        ]
        a.entered("Fri 20 Nov 18:05", EntryKind.INTAKE)
        assert a.due("call-back") == "Fri 20 Nov 18:20:00"
        assert a.kinds().count(ActKind.TICKET) == 1

    def test_what_was_recovered_by_itself_is_not_called_again(self) -> None:
        a = a_critical_issue("Fri 20 Nov 16:00")
        a.entered("Fri 20 Nov 16:10", EntryKind.INTAKE)
        a.cleared("Fri 20 Nov 16:20")
        late = a.at("Fri 20 Nov 16:25")
        assert "16:25:00 note desk chase-call-back" in late
        assert not [line for line in late if "hotline" in line]
        assert a.newest(RecordKind.HOTLINE_NOT_CALLED)["why"] == "nothing holds for which it is called"


class TestWhatIsOurOwn:
    @pytest.mark.parametrize("condition", [Condition.FAILING, Condition.BLIND])
    def test_concerns_on_call_alone(self, condition: Condition) -> None:
        a = Agreement("bird-email-enterprise", ZONE)
        assert {line.split()[1] for line in a.raised("Fri 20 Nov 16:30", condition, "api")} == {"page"}

    def test_observing_nothing_goes_to_the_vendor_and_no_clock_runs(self) -> None:
        a = a_critical_issue(plan={"mode": Mode.OBSERVE}, updates_every="1h")
        a.at("Sat 21 Nov 16:30")
        assert set(a.kinds()) == {ActKind.PAGE}
        assert a.clocks() == {}
