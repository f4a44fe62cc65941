"""What a mail in the ticket's mailbox is: tables of mails as vendors, servers, and liars send them."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.replies import (
    Mail,
    Reply,
    ReplyKind,
    Report,
    Thread,
    Vendor,
    Why,
    authentic,
    decide,
    judge_author,
    number_in,
    slug,
)

AT = 1_795_341_600
INCIDENT = "bird-20261122T101530Z"
OURS = f"<{'0123456789abcdef' * 2}.{INCIDENT}@example.com>"
THREADS = (Thread(INCIDENT, "bird", reference=OURS),)
VENDORS = {"bird": Vendor(domains=("vendor.example",), own=("oncall@example.com",))}
ANSWER = Mail(
    at=AT,
    sender="agent@support.vendor.example",
    subject=f"Re: critical: Bird Email [{INCIDENT}]",
    text="Hello, we are looking into it.",
    message_id="<1@vendor.example>",
    references=(OURS,),
)


def judged(mail: Mail, threads: tuple[Thread, ...] = THREADS) -> Reply:
    reply = decide(mail, threads, VENDORS)
    assert reply is not None
    return reply


def brief(mail: Mail, threads: tuple[Thread, ...] = THREADS) -> tuple[ReplyKind, Why, str]:
    reply = judged(mail, threads)
    return reply.kind, reply.why, reply.incident


def with_headers(**headers: str) -> Mail:
    return replace(ANSWER, headers={name.replace("_", "-"): (value,) for name, value in headers.items()})


def test_a_persons_answer_in_the_thread_is_a_response() -> None:
    assert judged(ANSWER) == Reply(
        kind=ReplyKind.RESPONSE,
        why=Why.PERSON,
        service="bird",
        incident=INCIDENT,
        at=AT,
        sender="agent@support.vendor.example",
        subject=ANSWER.subject,
        text="Hello, we are looking into it.",
        message_id="<1@vendor.example>",
    )


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"auto_submitted": "auto-replied"}, Why.AUTO_SUBMITTED),
        ({"auto_submitted": "Auto-Generated; x=y"}, Why.AUTO_SUBMITTED),
        ({"auto_submitted": "no"}, Why.PERSON),
        ({"auto_submitted": "no ; a comment"}, Why.PERSON),
        ({"precedence": "Bulk"}, Why.PRECEDENCE),
        ({"precedence": "auto_reply"}, Why.PRECEDENCE),
        ({"precedence": "first-class"}, Why.PERSON),
        ({"x_auto_response_suppress": "All"}, Why.SUPPRESS),
        ({"x_auto_response_suppress": "None"}, Why.PERSON),
        ({"x_autoreply": "yes"}, Why.AUTO_REPLY),
        ({"list_id": "<announce.vendor.example>"}, Why.MAILING_LIST),
        ({"list_unsubscribe": "<mailto:x@vendor.example>"}, Why.MAILING_LIST),
        ({"return_path": "<>"}, Why.NULL_SENDER),
        ({"return_path": "<agent@vendor.example>"}, Why.PERSON),
        ({"content_type": 'Multipart/Report; report-type="Disposition-Notification"; boundary=b'}, Why.READ_RECEIPT),
        ({"content_type": "multipart/report; report-type=feedback-report"}, Why.PERSON),
        ({"content_type": 'text/plain; name="disposition-notification.txt"'}, Why.PERSON),
    ],
)
def test_what_shows_itself_as_automatic_is_no_response(headers: dict[str, str], why: Why) -> None:
    reply = judged(with_headers(**headers))
    assert reply.why is why
    assert reply.automatic is (why is not Why.PERSON)
    assert reply.kind is (ReplyKind.RESPONSE if why is Why.PERSON else ReplyKind.AUTOMATIC)


@pytest.mark.parametrize(
    "subject",
    [
        "Out of Office: Re: critical",
        "Automatic reply: critical",
        "Automatische Antwort: critical",
        "Réponse automatique : critical",
        "Resposta automática: critical",
        "Автоответ: critical",
        "Auto-Reply",
        "Away from my desk",
    ],
)
def test_vacation_notices_are_known_by_their_subject(subject: str) -> None:
    assert brief(replace(ANSWER, subject=subject))[:2] == (ReplyKind.AUTOMATIC, Why.VACATION)


@pytest.mark.parametrize(
    ("subject", "text", "number"),
    [
        ("[#12345] Re: critical", "", "12345"),
        ("[Ticket #12345] received", "", "12345"),
        ("[BIRD-12345] Re: critical", "", "BIRD-12345"),
        ("(Case ID: 0098765)", "", "0098765"),
        ("Re: critical", "Your request (#4711) has been received.", "4711"),
        ("Re: critical", "Your ticket number is 4711.", "4711"),
        ("Re: critical", "Thank you! Ticket ID: ABC-4711", "ABC-4711"),
        ("Re: critical", "Votre demande n° 4711 a été enregistrée", "4711"),
        ("Re: critical", "Ваша заявка № 4711 принята", "4711"),
        ("Re: critical", "O seu chamado 4711 foi aberto", "4711"),
        ("Re: critical", "Your ticket number is\n4711.", "4711"),
        ("Re: critical", "A ticket has been created with Ticket ID - 4711.", "4711"),
        ("Re: critical", "Ticketnummer: 4711", "4711"),
        ("[Ticket#2026112210000018] Re: critical", "", "2026112210000018"),
        ("Incident INC0012345 has been opened", "", "INC0012345"),
        ("Re: BIRD-482 Critical Issue", "", "BIRD-482"),
        ("[4711] Re: critical", "", "4711"),
        ("Your request has been received: #4711", "", "4711"),
        (f"Re: critical [{INCIDENT}]", "Thank you, we have it.", ""),
        ("Re: critical", "Jane Doe, Support\n+1 (415) 555-0100", ""),
        ("Re: critical", "We answered some calls with errors (503).", ""),
        ("Re: critical", "Vendor Inc. (2026)", ""),
        ("Re: critical", "log: [250] ok, encoded in (UTF-16), (SHA-256)", ""),
        ("Re: critical", "Thank you for your request.\n\n1234 Market Street", ""),
        ("Re: critical", "Thank you for your request\n\n1234 Market Street", ""),
        ("Re: critical", "We had 12345 requests in 2026.", ""),
    ],
)
def test_the_tickets_number_is_read_from_the_acknowledgement(subject: str, text: str, number: str) -> None:
    mail = replace(with_headers(auto_submitted="auto-replied"), subject=subject, text=text)
    reply = judged(mail)
    assert reply.number == number
    assert reply.kind is (ReplyKind.ACKNOWLEDGEMENT if number else ReplyKind.AUTOMATIC)


def test_a_number_that_is_known_is_not_read_again() -> None:
    mail = replace(with_headers(auto_submitted="auto-replied"), subject="[#12345] received")
    assert judged(mail, (replace(THREADS[0], number="777"),)).number == ""


def test_the_vendors_own_patterns_go_first() -> None:
    mail = replace(ANSWER, text="Vorfall V/88. Ticket #12345")
    assert number_in(mail, [re.compile(r"Vorfall (V/\d+)")]) == "V/88"
    assert number_in(mail, [re.compile(r"Vorfall( )")]) == "12345", "an empty one is none"


@pytest.mark.parametrize(
    ("text", "closes"),
    [
        ("Your ticket has been closed.", True),
        ("This case is now resolved", True),
        ("We have marked your request as solved", True),
        ("Closed: ticket 4711", True),
        ("Jane Doe changed the status to Resolved.", True),
        ("Status: Closed", True),
        ("The status is unchanged", False),
        ("Ihr Ticket wurde geschlossen", True),
        ("Votre demande est clôturée", True),
        ("Ваша заявка закрыта", True),
        ("Seu chamado foi encerrado", True),
        ("We are working on it", False),
    ],
)
def test_a_closing_notice_closes_nothing_and_is_said_to_be_one(text: str, closes: bool) -> None:
    reply = judged(replace(ANSWER, text=text))
    assert reply.closes is closes
    assert reply.kind is ReplyKind.RESPONSE, "a person wrote it all the same"


def test_a_configured_pattern_finds_closing_notices_too() -> None:
    vendors = {"bird": replace(VENDORS["bird"], closed=(re.compile("fin de partie"),))}
    reply = decide(replace(ANSWER, text="fin de partie"), THREADS, vendors)
    assert reply is not None
    assert reply.closes


def test_an_agents_words_in_an_automatic_notification_count_where_the_configuration_knows_them() -> None:
    mail = with_headers(auto_submitted="auto-generated", x_zendesk_email_id="XYZ")
    assert judge_author(mail) is Why.AUTO_SUBMITTED
    assert judge_author(mail, [re.compile("^x-zendesk-email-id: ")]) is Why.AGENT
    assert judge_author(mail, [re.compile("commented:")]) is Why.AUTO_SUBMITTED
    assert judge_author(ANSWER, [re.compile("looking into")]) is Why.PERSON
    vendors = {"bird": replace(VENDORS["bird"], agent=(re.compile("looking into"),))}
    reply = decide(mail, THREADS, vendors)
    assert reply is not None
    assert (reply.kind, reply.automatic) == (ReplyKind.RESPONSE, False)


# --- whose it is


@pytest.mark.parametrize(
    "mail",
    [
        replace(ANSWER, references=("<other@x>", OURS), subject="x"),
        replace(ANSWER, references=(), subject=f"AW: [{INCIDENT}] critical"),
        replace(ANSWER, references=(), subject="Re: Ticket 4711 update"),
    ],
)
def test_it_belongs_by_reference_by_name_or_by_number(mail: Mail) -> None:
    assert judged(mail, (replace(THREADS[0], number="4711"),)).incident == INCIDENT


def test_the_tickets_own_message_id_is_enough() -> None:
    threads = (Thread(INCIDENT, "bird", reference="<abc@desk.example>"),)
    assert judged(replace(ANSWER, references=("<abc@desk.example>",), subject="x"), threads).incident == INCIDENT


def test_an_answer_to_a_later_mail_of_ours_belongs_to_the_incident_that_its_id_names() -> None:
    threads = (Thread(INCIDENT, "bird", reference="<abc@desk.example>"),)
    assert judged(replace(ANSWER, references=(OURS,), subject="x"), threads).incident == INCIDENT


def test_an_answer_to_an_older_incident_that_quotes_others_too_is_still_known() -> None:
    old = OURS.replace("T101530Z", "T090000Z")
    mail = replace(ANSWER, references=(old, "<other@vendor.example>"), subject="x")
    assert brief(mail) == (ReplyKind.ASIDE, Why.NOT_OPEN, "bird-20261122T090000Z")


def test_a_part_of_a_longer_number_is_not_the_number() -> None:
    threads = (replace(THREADS[0], number="4711"),)
    mail = replace(ANSWER, references=(), subject="Ticket 47110, A-4711 and 4711-2", sender="x@other.example")
    assert decide(mail, threads, VENDORS) is None


def test_a_mail_from_elsewhere_in_no_thread_concerns_nobody() -> None:
    mail = replace(ANSWER, references=(), subject="Lunch?", sender="friend@other.example")
    assert decide(mail, THREADS, VENDORS) is None
    assert decide(replace(ANSWER, references=(), subject="News"), (), VENDORS) is None, "nothing is open"


def test_the_vendors_mail_in_no_thread_is_a_persons_matter_while_an_incident_is_open() -> None:
    assert brief(replace(ANSWER, references=(), subject="Your outage")) == (ReplyKind.ASIDE, Why.NO_THREAD, INCIDENT)


def test_our_own_mails_are_no_replies() -> None:
    assert decide(replace(ANSWER, sender="oncall@example.com"), THREADS, VENDORS) is None


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        (replace(ANSWER, sender="agent@vendor.example.evil.test"), Why.WRONG_SENDER),
        (replace(ANSWER, sender="agent@notvendor.example"), Why.WRONG_SENDER),
        (replace(ANSWER, sender="vendor.example"), Why.WRONG_SENDER),
        (replace(ANSWER, sender=""), Why.NO_SENDER),
        (with_headers(authentication_results="mx.example.com; dmarc=fail"), Why.NOT_AUTHENTICATED),
    ],
)
def test_forged_threads_and_wrong_senders_are_set_aside(mail: Mail, why: Why) -> None:
    reply = judged(replace(mail, text="Your ticket #4711 has been closed."))
    assert (reply.kind, reply.why) == (ReplyKind.ASIDE, why)
    assert (reply.number, reply.closes, reply.automatic) == ("", False, False), "nothing follows from it"


@pytest.mark.parametrize(
    ("results", "good"),
    [
        ("", True),
        ("mx; dmarc=pass; spf=fail; dkim=fail", True),
        ("mx; dmarc=none; spf=pass; dkim=fail", True),
        ("mx; spf=softfail; dkim=none", False),
        ("mx; spf=neutral", True),
        ("mx; DKIM=Fail reason=x", False),
        ("mx; dmarc = fail", False),
        ("mx; x-dmarc=fail", True),
    ],
)
def test_what_our_own_mail_server_says_of_the_sender_is_believed(results: str, good: bool) -> None:
    assert authentic(with_headers(authentication_results=results)) is good


def test_an_answer_to_an_incident_that_is_not_open_is_a_persons_matter() -> None:
    old = OURS.replace("T101530Z", "T090000Z")
    reply = judged(replace(ANSWER, references=(old,), subject="Re: old"), ())
    assert (reply.kind, reply.why, reply.service) == (ReplyKind.ASIDE, Why.NOT_OPEN, "bird")
    assert reply.incident == "bird-20261122T090000Z"


def test_a_message_id_that_only_looks_like_ours_is_not() -> None:
    foreign = OURS.replace("@example.com", "@evil.test")
    mail = replace(ANSWER, references=(foreign,), subject="x", sender="a@evil.test")
    assert decide(mail, THREADS, VENDORS) is None


def test_a_services_name_is_found_in_an_incidents_whatever_characters_it_has() -> None:
    vendors = {"bird": VENDORS["bird"], "bird_eu.1": VENDORS["bird"]}
    old = f"<{'ab' * 16}.bird-eu-1-20261122T090000Z@example.com>"
    reply = decide(replace(ANSWER, references=(old,), subject="x"), (), vendors)
    assert reply is not None
    assert reply.service == "bird_eu.1"
    assert slug("bird_eu.1-X") == "bird-eu-1-X"
    gone = replace(ANSWER, references=(old.replace("bird-eu-1", "gone"),), subject="x")
    reply = decide(gone, (), vendors)
    assert reply is not None
    assert (reply.why, reply.service) == (Why.NOT_OPEN, ""), "a service that is configured no longer"
    assert slug("///") == "incident"


def test_a_vendor_that_is_not_configured_is_trusted_in_nothing() -> None:
    threads = (Thread("other-20261122T101530Z", "other", number="4711"),)
    mail = replace(ANSWER, references=(), subject="Ticket 4711")
    assert judged(mail, threads).why is Why.WRONG_SENDER


# --- bounces

FAILED = Report("failed", "5.1.1", "support@vendor.example", "smtp; 550 5.1.1 no such user", original=OURS)
BOUNCED = Mail(
    at=AT, sender="mailer-daemon@mx.example.com", subject="Undelivered Mail", text="long story", report=FAILED
)


def test_a_bounce_of_our_ticket_is_told_whoever_sends_it() -> None:
    reply = judged(BOUNCED)
    assert (reply.kind, reply.why, reply.incident) == (ReplyKind.BOUNCE, Why.DELIVERY_FAILED, INCIDENT)
    assert reply.text == "failed support@vendor.example 5.1.1 smtp; 550 5.1.1 no such user"
    assert reply.automatic


@pytest.mark.parametrize(
    ("action", "kind", "why"),
    [
        ("failed", ReplyKind.BOUNCE, Why.DELIVERY_FAILED),
        ("delayed", ReplyKind.BOUNCE, Why.DELIVERY_DELAYED),
        ("relayed", ReplyKind.AUTOMATIC, Why.DELIVERY_REPORT),
        ("delivered", ReplyKind.AUTOMATIC, Why.DELIVERY_REPORT),
    ],
)
def test_a_report_says_what_became_of_the_mail(action: str, kind: ReplyKind, why: Why) -> None:
    assert brief(replace(BOUNCED, report=replace(FAILED, action=action)))[:2] == (kind, why)


@pytest.mark.parametrize(
    ("action", "others", "kind", "why"),
    [
        ("failed", (), ReplyKind.BOUNCE, Why.COPY_FAILED),
        ("failed", ("Second@Example.com",), ReplyKind.BOUNCE, Why.COPY_FAILED),
        ("failed", ("support@vendor.example",), ReplyKind.BOUNCE, Why.DELIVERY_FAILED),
        ("delayed", (), ReplyKind.AUTOMATIC, Why.DELIVERY_REPORT),
        ("delayed", ("alias@desk.vendor.example",), ReplyKind.BOUNCE, Why.DELIVERY_DELAYED),
    ],
)
def test_a_copy_that_comes_back_is_not_the_vendors(
    action: str, others: tuple[str, ...], kind: ReplyKind, why: Why
) -> None:
    vendors = {"bird": replace(VENDORS["bird"], copied=("boss@example.com", "second@example.com"))}
    report = replace(FAILED, action=action, recipient="boss@example.com", others=others)
    reply = decide(replace(BOUNCED, report=report), THREADS, vendors)
    assert reply is not None
    assert (reply.kind, reply.why) == (kind, why)
    assert reply.text.startswith(f"{action} {', '.join(('boss@example.com', *others))} 5.1.1")


def test_an_old_fashioned_bounce_is_known_by_its_sender() -> None:
    mail = replace(BOUNCED, report=None, references=(OURS,), headers={"return-path": ("<>",)})
    assert brief(mail)[:2] == (ReplyKind.BOUNCE, Why.DELIVERY_FAILED)


def test_a_postmaster_who_writes_a_mail_of_his_own_is_a_person() -> None:
    assert brief(replace(ANSWER, sender="postmaster@vendor.example"))[:2] == (ReplyKind.RESPONSE, Why.PERSON)


def test_a_bounce_that_does_not_name_the_mail_belongs_to_no_thread() -> None:
    adopted = (Thread(INCIDENT, "bird", number="4711"),)
    assert decide(replace(BOUNCED, report=replace(FAILED, original="")), adopted, VENDORS) is None


def test_what_a_bounce_leaves_out_leaves_no_gap_in_its_text() -> None:
    assert judged(replace(BOUNCED, report=replace(FAILED, status=""))).text == (
        "failed support@vendor.example smtp; 550 5.1.1 no such user"
    )


def test_a_bounce_of_an_incident_that_is_not_open_is_told_too() -> None:
    reply = judged(BOUNCED, ())
    assert (reply.kind, reply.service, reply.incident) == (ReplyKind.BOUNCE, "bird", INCIDENT)


def test_a_bounce_of_somebody_elses_mail_does_not_concern_us() -> None:
    assert decide(replace(BOUNCED, report=replace(FAILED, original="<x@y>")), THREADS, VENDORS) is None


MAILS = st.builds(
    Mail,
    at=st.integers(0, 2**33),
    sender=st.sampled_from(["", "a@vendor.example", "x@evil.test", "oncall@example.com", "mailer-daemon@x"])
    | st.text(),
    subject=st.text(max_size=80) | st.just(f"Re: [{INCIDENT}]"),
    text=st.text(max_size=200) | st.sampled_from(["Your ticket #4711 has been closed", "ticket " * 500, "[(" * 1000]),
    references=st.lists(st.sampled_from([OURS, "<x@y>", "", "<.@>"]) | st.text(max_size=40), max_size=3).map(tuple),
    headers=st.dictionaries(
        st.sampled_from(["auto-submitted", "return-path", "authentication-results", "list-id", "precedence"]),
        st.lists(st.text(max_size=40), max_size=2).map(tuple),
    ),
    report=st.none() | st.builds(Report, st.text(max_size=10), original=st.sampled_from([OURS, "", "<x@y>"])),
)


@given(MAILS)
def test_no_mail_whatever_makes_it_raise_and_only_the_vendor_responds(mail: Mail) -> None:
    reply = decide(mail, THREADS, VENDORS)
    if reply is not None and reply.kind is ReplyKind.RESPONSE:
        assert mail.sender.endswith("vendor.example")
        assert not reply.automatic
