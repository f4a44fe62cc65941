"""Further trails, kept as text as in test_trails: the vendor answers by mail; it closes, and it is not over; our own matters.

The mails are read, judged and made steps of by the program's own parts, as they come out of the mailbox.
"""

from dataclasses import asdict

import pytest
from agreement_story import NS, Agreement
from test_trails import SHOWN, UNDER, keep, trail

from prober.measure.outside import entries_of
from prober.replies.reading import read
from rules.acts import Act, ActKind
from rules.contracts.clauses import Mark
from rules.incident import EntryKind, RecordKind
from rules.model import Condition
from rules.replies import Reply, Thread, Vendor, decide

VENDOR = Vendor(domains=("vendor.example",), own=("oncall@example.com",))
#: What came by mail, beside what the other trails show.
BY_MAIL = SHOWN | {
    RecordKind.LIFE: "entered: {step}, by {by}: {text}",
    RecordKind.NOTE: "note, by {by}: {text}",
    RecordKind.TOLD: "told to on-call, by {by}: {value}",
    RecordKind.REOPENED: "reopened by {by}: {text}",
}

ACKNOWLEDGED = """From: Support <support@vendor.example>
Subject: [Ticket #4711] received
Auto-Submitted: auto-replied
In-Reply-To: <open@x>

Thank you. Your request is ticket #4711.
"""
FORGED = """From: Support <support@vendor.example.evil.test>
Subject: Re: your ticket
In-Reply-To: <open@x>

We have closed the ticket. All is well.
"""
SPOOFED = """From: Support <support@vendor.example>
Authentication-Results: mx.example.com; dmarc=fail header.from=vendor.example
Subject: Re: your ticket
In-Reply-To: <open@x>

Please send us your password.
"""
ANSWERED = """From: Agent Smith <smith@vendor.example>
Subject: Re: your ticket
In-Reply-To: <open@x>

We see errors at one of our gateways and look into it.

> We report an issue.
"""
MORE = """From: Agent Smith <smith@vendor.example>
Subject: Re: [4711]
In-Reply-To: <open@x>

The gateway was taken out. We expect an hour more.
"""
CLOSING = """From: Support <no-reply@vendor.example>
Subject: Ticket #4711 has been closed
Auto-Submitted: auto-generated
In-Reply-To: <open@x>

Your ticket has been marked as solved.
"""
BOUNCED = """Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.example.com>
Subject: Undelivered Mail Returned to Sender
In-Reply-To: <open@x>

The message could not be delivered: mailbox full.
"""


def mailed(a: Agreement, local: str, raw: str) -> Reply:
    """A mail lies in the mailbox at that time; what it is, and what comes of it."""
    a.at(local)
    incident = a.state.incident
    assert incident is not None
    assert incident.ticket is not None
    thread = Thread(incident.id, a.state.plan.service, incident.ticket.reference, incident.ticket.number)
    mail = read(raw.replace("\n", "\r\n").encode(), a.now)
    reply = decide(mail, (thread,), {a.state.plan.service: VENDOR})
    assert reply is not None
    for entry in entries_of(asdict(reply), a.now * NS, responded=Mark.FIRST_RESPONSE in incident.marks):
        assert not a.tell(a.now, entry).refused
    return reply


def told_by_mail(name: str) -> Agreement:
    """An outage on a Friday; the vendor writes, somebody forges, it closes the ticket, and it is not over."""
    zone, terms = UNDER[name]
    a = Agreement(name, zone, **terms)
    a.raised("Fri 13 Nov 15:30")
    mailed(a, "Fri 13 Nov 15:31", ACKNOWLEDGED)
    mailed(a, "Fri 13 Nov 15:35", FORGED)
    mailed(a, "Fri 13 Nov 15:36", SPOOFED)
    a.entered("Fri 13 Nov 15:40", EntryKind.ACK)
    mailed(a, "Fri 13 Nov 16:20", ANSWERED)
    mailed(a, "Fri 13 Nov 17:00", MORE)
    a.cleared("Fri 13 Nov 17:30")
    mailed(a, "Fri 13 Nov 17:40", BOUNCED)
    mailed(a, "Sat 14 Nov 10:00", CLOSING)
    a.entered("Sat 14 Nov 11:00", EntryKind.CLOSED_BY_VENDOR)
    a.entered("Sat 14 Nov 11:30", EntryKind.REOPEN)
    a.raised("Sun 15 Nov 12:00")
    a.entered("Sun 15 Nov 12:30", EntryKind.WAITING_FOR_US)
    a.cleared("Sun 15 Nov 13:00")
    a.at("Tue 17 Nov 13:00")  # two days of our silence
    a.entered("Tue 17 Nov 13:00", EntryKind.WAITING_FOR_THEM)
    a.entered("Tue 17 Nov 15:00", EntryKind.RESOLVE)
    return a


def ours(name: str) -> Agreement:
    """What concerns our own on-call alone: a key that was revoked, a network that is gone; then the vendor's fault as well."""
    zone, terms = UNDER[name]
    a = Agreement(name, zone, **terms)
    a.raised("Fri 13 Nov 09:00", Condition.FAILING, "api")
    a.cleared("Fri 13 Nov 09:30", Condition.FAILING, "api")
    a.raised("Fri 13 Nov 10:00", Condition.BLIND)
    a.cleared("Fri 13 Nov 10:20", Condition.BLIND)
    a.raised("Fri 13 Nov 11:00", Condition.FAILING, "api")
    a.raised("Fri 13 Nov 11:10")
    a.raised("Fri 13 Nov 11:20", Condition.BLIND)
    a.cleared("Fri 13 Nov 11:25", Condition.BLIND)
    a.cleared("Fri 13 Nov 11:40", Condition.FAILING, "api")
    a.cleared("Fri 13 Nov 11:45")
    last = EntryKind.CLOSED_BY_VENDOR if a.state.plan.pack.resolution.by == "vendor" else EntryKind.RESOLVE
    a.entered("Fri 13 Nov 12:00", last)
    return a


@pytest.mark.parametrize("name", UNDER)
def test_the_trail_of_mails_is_the_one_that_is_kept(name: str) -> None:
    a = told_by_mail(name)
    keep(f"{name}-by-mail.txt", trail(a, "what the vendor's mails lead to", BY_MAIL))
    assert a.kinds().count(ActKind.TICKET) == 1, "one incident, one ticket, whatever is closed and reopened"


@pytest.mark.parametrize("name", UNDER)
def test_what_is_automatic_or_forged_is_no_response_and_closes_nothing(name: str) -> None:
    zone, terms = UNDER[name]
    a = Agreement(name, zone, **terms)
    a.raised("Fri 13 Nov 15:30")
    for minute, raw in enumerate((ACKNOWLEDGED, FORGED, SPOOFED, CLOSING, BOUNCED), start=31):
        mailed(a, f"Fri 13 Nov 15:{minute}", raw)
    incident = a.state.incident
    assert incident is not None, "nothing closes by itself"
    assert Mark.FIRST_RESPONSE not in incident.marks
    assert incident.ticket is not None
    assert incident.ticket.number == "4711", "the number is read from the acknowledgement"


@pytest.mark.parametrize("name", UNDER)
def test_the_trail_of_our_own_matters_is_the_one_that_is_kept(name: str) -> None:
    a = ours(name)
    keep(f"{name}-ours.txt", trail(a, "what concerns our own on-call, then an outage"))
    opened = a.second("Fri 13 Nov 11:10")
    before = {said.kind for second, said in a.said if second < opened and isinstance(said, Act)}
    assert before == {ActKind.PAGE, ActKind.PAGE_RESOLVE}, "the vendor hears nothing of what is not provably its fault"
