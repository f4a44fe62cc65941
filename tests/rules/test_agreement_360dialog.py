"""360dialog: severities that the vendor sets, a first response by tariff, 48 hours for everything, and for our silence."""

import pytest
from agreement_story import Agreement

from rules.acts import ActKind
from rules.incident import Entry, EntryKind, RecordKind
from rules.model import Condition


def a_ticket(when: str = "Fri 20 Nov 16:30", **terms: object) -> Agreement:
    a = Agreement("360dialog", **terms)
    a.raised(when)
    return a


class TestSeverity:
    """Triage is the vendor's (Первичная диагностика): ours is proposed."""

    def test_a_single_customer_proposes_2(self) -> None:
        a = a_ticket()
        assert a.severity() == "severity-2"
        assert a.acts[-1].facts["proposed"] is True

    def test_and_1_once_the_status_page_confirms_it(self) -> None:
        a = a_ticket()
        assert a.entered("Fri 20 Nov 16:35", EntryKind.CONFIRM) == [
            "16:35:00 page pager severity-severity-1",
            "16:35:00 note desk severity-severity-1",
        ]
        assert a.severity() == "severity-1"

    def test_what_was_confirmed_counts_for_what_comes_after_too(self) -> None:
        a = Agreement("360dialog")
        a.raised("Fri 20 Nov 16:30", Condition.PARTIAL, "api/account")
        a.entered("Fri 20 Nov 16:31", EntryKind.CONFIRM)
        assert a.severity() == "severity-3"
        a.raised("Fri 20 Nov 16:32")
        assert a.severity() == "severity-1"

    @pytest.mark.parametrize("condition", [Condition.PARTIAL, Condition.INTERMITTENT, Condition.SLOW])
    def test_what_has_another_way_round_or_is_slower_is_3(self, condition: Condition) -> None:
        a = Agreement("360dialog")
        a.raised("Fri 20 Nov 16:30", condition, "api/account")
        assert a.severity() == "severity-3"

    def test_the_term_can_set_another_one_whoever_confirms_it(self) -> None:
        a = a_ticket(unavailable_severity="severity-1")
        assert a.severity() == "severity-1"
        b = a_ticket(unavailable_severity="severity-2")
        assert b.entered("Fri 20 Nov 16:35", EntryKind.CONFIRM) == []
        assert b.severity() == "severity-2"

    def test_the_vendors_own_word_is_no_longer_a_proposal(self) -> None:
        a = a_ticket()
        a.entered("Fri 20 Nov 16:40", EntryKind.SEVERITY, value="severity-3")
        assert a.severity() == "severity-3"
        assert a.newest(RecordKind.SEVERITY)["before"] == "severity-2"
        a.cleared("Fri 20 Nov 17:00")
        assert a.acts[-1].facts["proposed"] is False

    def test_a_severity_that_the_agreement_does_not_know_is_refused(self) -> None:
        a = a_ticket()
        made = a.tell(a.now, Entry(EntryKind.SEVERITY, "ann", "", a.now * 10**9, value="huge"))
        assert made.refused == (
            "'huge' is not a severity of 360dialog Customer Support; one of severity-1, severity-2, severity-3"
        )


class TestTheTicket:
    def test_there_is_one_and_no_hotline(self) -> None:
        a = a_ticket()
        a.cleared("Fri 20 Nov 17:00")
        a.raised("Fri 20 Nov 18:00")
        a.at("Tue 24 Nov 18:00")
        assert a.kinds().count(ActKind.TICKET) == 1
        assert ActKind.HOTLINE not in a.kinds()
        assert ActKind.ESCALATION not in a.kinds()  # a breach is escalated by itself

    def test_what_must_never_be_written_is_in_the_pack(self) -> None:
        never = [rule.means for rule in a_ticket().state.plan.pack.never]
        assert never[0].startswith("A whole API key")
        assert never[1] == "A password."
        assert never[2].startswith("A second ticket")


class TestTheFirstResponse:
    """A first investigation, around the clock; by tariff in chat, 24 hours by form or e-mail whatever the tariff."""

    @pytest.mark.parametrize(
        ("terms", "due"),
        [
            ({}, "Sat 21 Nov 16:30:00"),
            ({"tariff": "basic"}, "Sat 21 Nov 16:30:00"),
            ({"tariff": "regular"}, "Fri 20 Nov 20:30:00"),
            ({"tariff": "premium"}, "Fri 20 Nov 17:00:00"),
        ],
    )
    def test_by_tariff(self, terms: dict[str, str], due: str) -> None:
        assert a_ticket(**terms).due("first-response") == due

    @pytest.mark.parametrize("channel", ["form", "email"])
    def test_in_writing_the_tariff_makes_no_difference(self, channel: str) -> None:
        a = a_ticket(tariff="premium", channel=channel)
        assert a.due("first-response") == ""
        assert a.due("first-response-written") == "Sat 21 Nov 16:30:00"

    def test_it_counts_over_nights_weekends_holidays_and_the_change_of_time(self) -> None:
        assert a_ticket("Thu 31 Dec 23:45", tariff="premium").due("first-response") == "Fri 01 Jan 00:15:00"
        berlin = Agreement("360dialog", "Europe/Berlin", tariff="regular")
        berlin.raised("Sun 29 Mar 00:30")
        assert berlin.due("first-response") == "Sun 29 Mar 05:30:00"  # four hours later, on a day that skips one

    def test_premium_is_warned_of_at_20_minutes_and_chased_at_30(self) -> None:
        a = a_ticket(tariff="premium")
        assert a.at("Fri 20 Nov 16:59:59") == ["16:50:00 page pager warn-first-response"]
        assert a.at("Fri 20 Nov 17:00") == [
            "17:00:00 page pager due-first-response",
            "17:00:00 page boss due-first-response",
            "17:00:00 note desk chase-first-response",
        ]
        assert "no automatic reply" in a.text("chase-first-response")

    def test_it_is_met_late_and_the_page_resolved(self) -> None:
        a = a_ticket(tariff="premium")
        a.at("Fri 20 Nov 17:05")
        assert a.entered("Fri 20 Nov 17:10", EntryKind.FIRST_RESPONSE) == [
            "17:10:00 page_resolve pager warn-first-response",
            "17:10:00 page_resolve pager due-first-response",
            "17:10:00 page_resolve boss due-first-response",
        ]
        assert a.newest(RecordKind.CLOCK_MET)["late"] == 600


class TestTheResolution:
    """Every issue within 48 hours, beyond that all teams concerned (Сроки разрешения проблемы)."""

    def test_it_is_aimed_at_within_48_hours_and_asked_for_each_day_after(self) -> None:
        a = a_ticket("Fri 20 Nov 16:30")
        a.entered("Fri 20 Nov 16:40", EntryKind.FIRST_RESPONSE)
        assert a.due("resolution") == "Sun 22 Nov 16:30:00"
        lines = a.at("Tue 24 Nov 16:00")
        assert [line for line in lines if "note" in line] == ["16:30:00 note desk chase-resolution"] * 2
        assert "all teams concerned" in a.text("chase-resolution")

    def test_what_was_closed_too_early_has_its_48_hours_anew_once_it_is_reopened(self) -> None:
        a = a_ticket("Fri 20 Nov 16:30")
        a.cleared("Fri 20 Nov 17:00")
        a.entered("Fri 20 Nov 18:00", EntryKind.CLOSED_BY_VENDOR)
        a.entered("Fri 20 Nov 19:00", EntryKind.REOPEN)
        assert a.due("resolution") == "Sun 22 Nov 19:00:00"

    def test_a_recovery_is_no_resolution(self) -> None:
        a = a_ticket("Fri 20 Nov 16:30")
        a.cleared("Fri 20 Nov 17:00")
        assert a.due("resolution") == "Sun 22 Nov 16:30:00"

    def test_the_vendor_closes_the_ticket(self) -> None:
        a = a_ticket("Fri 20 Nov 16:30")
        a.cleared("Fri 20 Nov 17:00")
        a.entered("Fri 20 Nov 18:00", EntryKind.CLOSED_BY_VENDOR)
        assert a.state.incident is None
        assert a.newest(RecordKind.CLOSED)["how"] == "closed_by_vendor"
        assert a.at("Mon 30 Nov 18:00") == []


class TestOurSilence:
    """A ticket that waits for the customer for more than 48 hours is closed by itself (Решение и закрытие)."""

    def waiting(self) -> Agreement:
        a = a_ticket("Fri 20 Nov 16:30")
        a.entered("Fri 20 Nov 17:00", EntryKind.FIRST_RESPONSE)
        a.entered("Sat 21 Nov 09:15", EntryKind.WAITING_FOR_US)
        return a

    def test_we_are_reminded_in_time(self) -> None:
        a = self.waiting()
        assert a.due("our-silence") == "Mon 23 Nov 09:15:00"
        reminders = [line for line in a.at("Mon 23 Nov 09:14") if "our-silence" in line]
        assert reminders == [
            "09:15:00 page pager warn-our-silence",
            "03:15:00 page pager warn-our-silence",
            "08:15:00 page pager warn-our-silence",
        ]
        assert "Answer from the address that opened the ticket" in a.text("warn-our-silence")

    def test_our_answer_ends_it(self) -> None:
        a = self.waiting()
        a.entered("Sun 22 Nov 20:00", EntryKind.WAITING_FOR_THEM)
        assert a.due("our-silence") == ""
        assert not [line for line in a.at("Wed 25 Nov 09:15") if "our-silence" in line]

    def test_the_next_question_starts_it_anew(self) -> None:
        a = self.waiting()
        a.entered("Sun 22 Nov 20:00", EntryKind.WAITING_FOR_THEM)
        a.entered("Mon 23 Nov 08:00", EntryKind.WAITING_FOR_US)
        assert a.due("our-silence") == "Wed 25 Nov 08:00:00"

    def test_nothing_closes_by_itself_on_our_side(self) -> None:
        a = self.waiting()
        a.at("Mon 30 Nov 09:00")
        assert a.state.incident is not None

    def test_a_ticket_that_was_closed_by_it_can_be_reopened(self) -> None:
        a = self.waiting()
        a.cleared("Sun 22 Nov 10:00")
        a.entered("Mon 23 Nov 09:16", EntryKind.CLOSED_BY_VENDOR)
        a.entered("Mon 23 Nov 10:00", EntryKind.REOPEN)
        assert a.state.incident is not None
        assert a.raised("Mon 23 Nov 11:00") == ["11:00:00 page pager open", "11:00:00 note desk unavailable-again"]
        assert a.kinds().count(ActKind.TICKET) == 1


def test_updates_are_told_regularly_which_is_a_term() -> None:
    assert a_ticket().due("updates") == ""
    a = a_ticket(updates_every="6h")
    assert a.due("updates") == "Fri 20 Nov 22:30:00"
    a.entered("Fri 20 Nov 18:00", EntryKind.FIRST_RESPONSE)
    assert a.due("updates") == "Sat 21 Nov 00:00:00"
