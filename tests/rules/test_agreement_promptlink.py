"""Promptlink: priorities that the vendor's engineers set, updates by priority until it is resolved, and no other times."""

import pytest
from agreement_story import Agreement

from rules.acts import ActKind
from rules.incident import EntryKind, RecordKind
from rules.model import Condition

ZONE = "Europe/Paris"


def a_ticket(
    when: str = "Fri 20 Nov 16:30", condition: Condition = Condition.UNAVAILABLE, **terms: object
) -> Agreement:
    a = Agreement("promptlink", ZONE, **terms)
    a.raised(when, condition)
    return a


@pytest.mark.parametrize(
    ("condition", "priority", "update"),
    [
        (Condition.UNAVAILABLE, "priority-1", "Fri 20 Nov 18:30:00"),  # out of service: every 2 hours
        (Condition.PARTIAL, "priority-2", "Sat 21 Nov 16:30:00"),  # no way round: every day
        (Condition.INTERMITTENT, "priority-3", "Sat 21 Nov 16:30:00"),  # most goes on: every day
        (Condition.SLOW, "priority-3", "Sat 21 Nov 16:30:00"),
    ],
)
def test_priorities_are_proposed_and_bring_their_updates(condition: Condition, priority: str, update: str) -> None:
    a = a_ticket(condition=condition)
    assert a.severity() == priority
    assert a.acts[1].facts["proposed"] is True
    assert a.clocks() == {"updates": update}


@pytest.mark.parametrize(
    ("value", "update"),
    [
        ("priority-1", "Fri 20 Nov 18:30:00"),
        ("priority-2", "Sat 21 Nov 16:30:00"),
        ("priority-3", "Sat 21 Nov 16:30:00"),
        ("priority-4", "Fri 27 Nov 16:30:00"),
    ],
)
def test_the_engineers_set_the_priority_and_with_it_the_updates(value: str, update: str) -> None:
    a = a_ticket()
    a.entered("Fri 20 Nov 17:00", EntryKind.SEVERITY, value=value)
    assert a.due("updates") == update


def test_the_updates_are_counted_around_the_clock_and_by_what_passes_when_the_time_changes() -> None:
    assert a_ticket("Sat 24 Oct 23:30").due("updates") == "Sun 25 Oct 01:30:00"
    assert a_ticket("Sun 25 Oct 01:30").due("updates") == "Sun 25 Oct 02:30:00"  # the second 02:30 of that day
    assert a_ticket("Sun 29 Mar 01:30").due("updates") == "Sun 29 Mar 04:30:00"
    assert a_ticket("Sat 28 Mar 12:00", Condition.SLOW).due("updates") == "Sun 29 Mar 13:00:00"


def test_each_one_is_expected_and_chased_again_and_again() -> None:
    a = a_ticket("Fri 20 Nov 16:00")
    lines = a.at("Fri 20 Nov 22:30")
    assert [line for line in lines if "note" in line] == [
        "18:00:00 note desk chase-updates",
        "20:00:00 note desk chase-updates",
        "22:00:00 note desk chase-updates",
    ]
    assert lines[:3] == [
        "18:00:00 note desk chase-updates",
        "18:00:00 page pager due-updates",
        "18:00:00 page boss due-updates",
    ]


def test_nobody_is_chased_while_the_vendor_waits_for_us() -> None:
    a = a_ticket("Fri 20 Nov 16:00")
    a.entered("Fri 20 Nov 17:00", EntryKind.WAITING_FOR_US)
    assert [line for line in a.at("Fri 20 Nov 18:00") if "note" in line] == []
    assert a.newest(RecordKind.NOTE_NOT_SENT)["why"] == "the vendor waits for us"
    a.entered("Fri 20 Nov 18:30", EntryKind.WAITING_FOR_THEM)
    assert a.at("Fri 20 Nov 20:00") == ["20:00:00 note desk chase-updates"]


def test_an_update_begins_the_next_two_hours() -> None:
    a = a_ticket("Fri 20 Nov 16:00")
    a.at("Fri 20 Nov 18:05")
    assert "18:10:00 page_resolve pager due-updates" in a.entered("Fri 20 Nov 18:10", EntryKind.UPDATE)
    assert a.newest(RecordKind.CLOCK_MET)["late"] == 600
    assert a.due("updates") == "Fri 20 Nov 20:10:00"


def test_they_go_on_after_the_recovery_until_the_ticket_is_resolved() -> None:
    a = a_ticket("Fri 20 Nov 16:00")
    a.cleared("Fri 20 Nov 17:00")
    assert a.due("updates") == "Fri 20 Nov 18:00:00"
    a.entered("Fri 20 Nov 17:30", EntryKind.RESOLVE)
    assert a.at("Sat 21 Nov 17:30") == []


def test_no_time_of_response_or_resolution_is_given_so_none_runs() -> None:
    assert [clock.name for clock in a_ticket().state.plan.pack.clocks] == ["updates"]


def test_the_telephone_is_a_way_to_open_tickets_and_no_hotline() -> None:
    a = a_ticket()
    a.at("Sat 21 Nov 16:30")
    assert ActKind.HOTLINE not in a.kinds()
    assert a.state.plan.pack.tickets is not None
    assert [c.kind for c in a.state.plan.pack.tickets.channels] == ["chat", "email", "phone", "snmp"]


def test_the_term_can_propose_another_priority() -> None:
    assert a_ticket(condition=Condition.PARTIAL, partial_severity="priority-1").severity() == "priority-1"


def test_a_lower_priority_is_raised_again_by_what_is_worse() -> None:
    a = a_ticket(condition=Condition.SLOW)
    a.entered("Fri 20 Nov 16:40", EntryKind.SEVERITY, value="priority-4")
    assert a.raised("Fri 20 Nov 16:50")[0] == "16:50:00 page pager severity-priority-1"
    assert a.severity() == "priority-1"
    assert a.due("updates") == "Fri 20 Nov 18:30:00"  # two hours from the ticket on
