"""Aivo: Monday to Friday, 9 to 18; High, Medium, Low; by night only where 24x7 integration support was contracted.

Local time is São Paulo's, which has no summer time; where a change of time matters it is Santiago's.
"""

import pytest
from agreement_story import Agreement

from rules.acts import ActKind
from rules.contracts.model import ResolvedBy
from rules.incident import EntryKind, RecordKind
from rules.model import Condition

ZONE = "America/Sao_Paulo"


def an_incident(when: str, condition: Condition = Condition.UNAVAILABLE, **terms: object) -> Agreement:
    a = Agreement("aivo", str(terms.pop("zone", ZONE)), **({"holidays": "BR-SP"} | terms))
    a.raised(when, condition, "api/account" if condition is Condition.PARTIAL else "")
    return a


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        (Condition.UNAVAILABLE, "high"),  # the API does not answer
        (Condition.INTERMITTENT, "high"),  # total or intermittent failure of an integration
        (Condition.PARTIAL, "medium"),  # not general
        (Condition.SLOW, "medium"),
    ],
)
def test_the_rows_of_the_table(condition: Condition, severity: str) -> None:
    assert an_incident("Tue 10 Nov 10:00", condition).severity() == severity


class TestHigh:
    """Under 2 business hours to the first response, resolved within 8; counted from the customer's message."""

    def test_within_a_day(self) -> None:
        assert an_incident("Tue 10 Nov 09:00").clocks() == {
            "first-response": "Tue 10 Nov 11:00:00",
            "resolution": "Tue 10 Nov 17:00:00",
        }

    @pytest.mark.parametrize(
        ("message", "response", "resolution"),
        [
            ("Tue 10 Nov 17:30", "Wed 11 Nov 10:30:00", "Wed 11 Nov 16:30:00"),  # over a night
            ("Tue 10 Nov 18:00", "Wed 11 Nov 11:00:00", "Wed 11 Nov 17:00:00"),  # 18:00 is closed
            ("Fri 13 Nov 17:30:45", "Mon 16 Nov 10:30:45", "Mon 16 Nov 16:30:45"),  # over a weekend, to the second
            ("Sat 14 Nov 11:00", "Mon 16 Nov 11:00:00", "Mon 16 Nov 17:00:00"),
            ("Thu 19 Nov 17:30", "Mon 23 Nov 10:30:00", "Mon 23 Nov 16:30:00"),  # 20 November is a holiday
            ("Thu 24 Dec 17:30", "Mon 28 Dec 10:30:00", "Mon 28 Dec 16:30:00"),  # Christmas Day and a weekend
        ],
    )
    def test_over_nights_weekends_and_holidays(self, message: str, response: str, resolution: str) -> None:
        assert an_incident(message).clocks() == {"first-response": response, "resolution": resolution}

    def test_over_a_change_of_time(self) -> None:
        # Chile set its clocks back on Saturday 4 April 2026 at midnight, and forward on Saturday 5 September.
        spring = an_incident("Fri 03 Apr 17:30", zone="America/Santiago", holidays="none")
        assert spring.due("resolution") == "Mon 06 Apr 16:30:00"
        assert spring.second("Mon 06 Apr 16:30") - spring.second("Fri 03 Apr 17:30") == (2 * 24 + 23 + 1) * 3600
        autumn = an_incident("Fri 04 Sep 17:30", zone="America/Santiago", holidays="none")
        assert autumn.due("resolution") == "Mon 07 Sep 16:30:00"

    def test_the_first_response_is_the_assignment_to_an_analyst(self) -> None:
        a = an_incident("Tue 10 Nov 09:00")
        a.entered("Tue 10 Nov 10:00", EntryKind.FIRST_RESPONSE)
        assert a.clocks() == {"resolution": "Tue 10 Nov 17:00:00"}

    def test_late_it_is_warned_of_chased_and_asked_for_again(self) -> None:
        a = an_incident("Tue 10 Nov 09:00")
        assert a.at("Tue 10 Nov 11:00") == [
            "10:30:00 page pager warn-first-response",
            "11:00:00 page pager due-first-response",
            "11:00:00 page boss due-first-response",
            "11:00:00 note desk chase-first-response",
        ]
        assert "15:00:00 note desk chase-first-response" in a.at("Tue 10 Nov 15:00")


class TestMedium:
    """Under 4 business hours, and within 5 business days."""

    @pytest.mark.parametrize(
        ("message", "response", "resolution"),
        [
            ("Mon 09 Nov 09:00", "Mon 09 Nov 13:00:00", "Fri 13 Nov 18:00:00"),
            ("Mon 09 Nov 14:00", "Mon 09 Nov 18:00:00", "Mon 16 Nov 14:00:00"),
            ("Mon 16 Nov 15:00", "Tue 17 Nov 10:00:00", "Tue 24 Nov 15:00:00"),  # 20 November is a holiday
        ],
    )
    def test_in_business_days(self, message: str, response: str, resolution: str) -> None:
        a = an_incident(message, Condition.PARTIAL)
        assert a.clocks() == {"first-response": response, "resolution": resolution}

    def test_a_rise_to_high_is_reckoned_from_the_same_message(self) -> None:
        a = an_incident("Mon 09 Nov 10:00", Condition.PARTIAL)
        a.raised("Mon 09 Nov 11:30")
        assert a.severity() == "high"
        assert a.clocks() == {"first-response": "Mon 09 Nov 12:00:00", "resolution": "Mon 09 Nov 18:00:00"}
        assert a.kinds().count(ActKind.TICKET) == 1

    def test_a_rise_after_the_shorter_time_has_passed_is_late_at_once(self) -> None:
        a = an_incident("Mon 09 Nov 09:00", Condition.PARTIAL)
        a.raised("Mon 09 Nov 12:30")
        assert a.at("Mon 09 Nov 12:31")[-1].endswith("chase-first-response")


class TestInWriting:
    """Whatever is agreed by telephone or video is put in writing, in the ticket or by e-mail (Glossário, Canais)."""

    def test_what_was_said_by_telephone_goes_into_the_ticket_once_for_each_call(self) -> None:
        a = an_incident("Tue 10 Nov 09:00", support_24x7="yes", hotline="+55 11 5555 0100")
        said = a.entered("Tue 10 Nov 09:20", EntryKind.CALL_BACK)
        assert [line for line in said if "note" in line] == ["09:20:00 note desk in-writing-1"]
        assert a.text("in-writing") == "For the record, as said by telephone (ann): as said on the phone"
        again = a.entered("Tue 10 Nov 09:40", EntryKind.CALL_BACK)
        assert len([line for line in again if "in-writing" in line]) == 1
        assert len([line for line in a.entered("Tue 10 Nov 09:40", EntryKind.CALL_BACK) if "in-writing" in line]) == 1
        assert a.kinds().count(ActKind.TICKET) == 1

    def test_what_came_in_writing_is_not_written_again(self) -> None:
        a = an_incident("Tue 10 Nov 09:00")
        assert not [line for line in a.entered("Tue 10 Nov 09:20", EntryKind.UPDATE) if "in-writing" in line]

    def test_other_agreements_do_not_ask_for_it(self) -> None:
        a = Agreement("bird-email-enterprise", "Europe/Amsterdam")
        a.raised("Tue 10 Nov 09:00")
        assert not [line for line in a.entered("Tue 10 Nov 09:20", EntryKind.CALL_BACK) if "note" in line]


class TestCollaboration:
    """Delay counts where the customer was to work with Aivo and did not (Tempo de resolução)."""

    def test_the_clock_stands_still_while_they_wait_for_us(self) -> None:
        a = an_incident("Tue 10 Nov 09:00")
        a.entered("Tue 10 Nov 10:00", EntryKind.FIRST_RESPONSE)
        a.entered("Tue 10 Nov 12:00", EntryKind.WAITING_FOR_US)
        a.entered("Wed 11 Nov 10:00", EntryKind.WAITING_FOR_THEM)
        assert a.due("resolution") == "Wed 11 Nov 15:00:00"  # three hours were used, five are left
        assert not [line for line in a.at("Wed 11 Nov 13:59") if "resolution" in line]

    def test_the_first_response_goes_on(self) -> None:
        a = an_incident("Tue 10 Nov 09:00")
        a.entered("Tue 10 Nov 09:30", EntryKind.WAITING_FOR_US)
        assert a.due("first-response") == "Tue 10 Nov 11:00:00"


class TestTheTelephone:
    """24x7 integration support, where contracted: a dedicated telephone, which begins when the customer calls."""

    def test_without_the_contract_nobody_is_called_and_nothing_counts_by_night(self) -> None:
        a = an_incident("Fri 13 Nov 20:00")
        assert ActKind.HOTLINE not in a.kinds()
        assert a.due("resolution-24x7") == ""

    def test_with_it_the_call_follows_the_ticket(self) -> None:
        a = Agreement("aivo", ZONE, support_24x7="yes")
        assert a.raised("Fri 13 Nov 20:00")[-1] == "20:00:00 hotline phone call"

    def test_yes_may_be_written_as_yaml_reads_it(self) -> None:
        assert Agreement("aivo", ZONE, support_24x7=True).state.plan.pack.hotline is not None

    def test_sixteen_hours_that_are_no_business_hours_begin_with_the_call(self) -> None:
        a = an_incident("Fri 13 Nov 20:00", support_24x7="yes")
        assert a.due("resolution-24x7") == "Sat 14 Nov 12:00:00"
        assert a.due("resolution") == "Mon 16 Nov 17:00:00"  # eight business hours, beside them

    def test_business_hours_do_not_count_among_them(self) -> None:
        a = an_incident("Tue 10 Nov 17:00", support_24x7="yes")
        assert a.due("resolution-24x7") == "Wed 11 Nov 19:00:00"  # 18:00 to 9:00, and one hour after 18:00

    def test_a_holiday_counts_all_day(self) -> None:
        a = an_incident("Thu 19 Nov 20:00", support_24x7="yes")
        assert a.due("resolution-24x7") == "Fri 20 Nov 12:00:00"

    def test_a_call_that_was_not_taken_starts_nothing(self) -> None:
        a = Agreement("aivo", ZONE, support_24x7="yes")
        a.lost = {"hotline"}
        a.raised("Fri 13 Nov 20:00")
        assert a.due("resolution-24x7") == ""

    def test_medium_is_not_what_it_is_for(self) -> None:
        a = an_incident("Fri 13 Nov 20:00", Condition.PARTIAL, support_24x7="yes")
        assert ActKind.HOTLINE not in a.kinds()
        a.entered("Fri 13 Nov 20:05", EntryKind.INTAKE)
        assert a.due("resolution-24x7") == ""

    def test_late_it_is_called_again(self) -> None:
        a = an_incident("Fri 13 Nov 20:00", support_24x7="yes")
        a.entered("Fri 13 Nov 20:05", EntryKind.FIRST_RESPONSE)
        assert "12:00:00 hotline phone again-resolution-24x7" in a.at("Sat 14 Nov 12:00")


def test_the_document_does_not_say_who_ends_it() -> None:
    a = an_incident("Tue 10 Nov 09:00")
    assert a.state.plan.pack.resolution.by is ResolvedBy.SILENT
    a.cleared("Tue 10 Nov 10:00")
    a.entered("Tue 10 Nov 11:00", EntryKind.RESOLVE)
    assert a.newest(RecordKind.CLOSED)["how"] == "resolve"
