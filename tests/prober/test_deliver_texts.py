"""What a ticket, note, page and call say; that it is harmless; and how a mail's headers thread it."""

import asyncio
import itertools
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from deliver_acts import FACTS, INCIDENT, act
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from prober.deliver import texts
from prober.deliver.build import build
from prober.deliver.harmless import harmless, told
from prober.deliver.message import compose, message_id, stuffed
from prober.deliver.names import receiver_names
from prober.deliver.view import View, instant, span
from prober.redact import Redactor
from prober.settings import EmailReceiver, Settings
from rules.acts import Act, ActKind

RECEIVER = EmailReceiver.model_validate({"to": "support@vendor.example", "from": "oncall@example.com"})
NAME = "bird.tickets.email-1"
TICKET = act(ActKind.TICKET, NAME)

#: Rendering is no fast path, and a busy machine is no defect.
unhurried = hypothesis_settings(deadline=None)


def mail(a: Act, receiver: EmailReceiver = RECEIVER) -> EmailMessage:
    message = message_from_bytes(compose(a, a.key(NAME), NAME, receiver).content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def test_no_line_is_longer_than_a_server_must_take_however_many_get_copies() -> None:
    """RFC 5322 2.1.1."""
    copies = tuple(f"somebody-of-operations-{n}@example.com" for n in range(60))
    receiver = RECEIVER.model_copy(update={"cc": copies})
    assert max(map(len, compose(TICKET, TICKET.key(NAME), NAME, receiver).content.split(b"\r\n"))) <= 998
    assert mail(TICKET, receiver)["Cc"] == ", ".join(copies)


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    "said",
    [
        "We report a Critical Issue (Problème Critique, (i)): Bird Email, persistent Unavailability",
        "Company: Example GmbH",
        "Contact: Operations",
        "Telephone: +49 30 1234567",
        "E-mail: oncall@example.com",
        "Began (onset): 2026-11-22 09:59:00 UTC",
        "Persistent since: 2026-11-22 10:00:00 UTC",
        "Seconds measured: 60",
        "of them unavailable: 59",
        "- 50 x http_status_503:",
        "- 9 x http_status_500:",
        "Measured from: fra1",
        "from the same place: dns, reference; answering when this was written.",
        "Ended: at the stage body, after 12.5 ms",
        "mail of Example GmbH cannot be handed over to Bird Email by API calls",
        "We allege no cause; please analyse it on your side",
        "Please call back Operations at +49 30 1234567 or write to oncall@example.com.",
        "- api/account: GET https://api.vendor.example/v1/account",
        "1. Make one of the calls above",
        "Call 1, begun: 2026-11-22 09:59:01.020 UTC",
        "Outcome: internal service error, http_status_503",
        "That is: The reply's status was 503",
        "Server address: 192.0.2.7:443",
        "Phases: connect 1.2 ms, processing 8.0 ms",
        "| GET /v1/account HTTP/1.1",
        "| HTTP/1.1 503 Service Unavailable",
        "within 60 s at least 90 % of the measured seconds are Unavailable, with 3 or more measured.",
        "Rules, version: 7",
        "Incident: bird-20261122T095900Z, episode 1",
    ],
)
def test_the_ticket_says_what_the_vendor_needs(said: str) -> None:
    assert said in flat(texts.text(TICKET))


def test_the_html_says_the_same() -> None:
    class Words(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.words: list[str] = []
            self.tags: set[str] = set()

        def handle_data(self, data: str) -> None:
            self.words += data.split()

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            self.tags.add(tag)

    page = Words()
    page.feed(texts.html(TICKET))
    for word in ("+49", "Example", "http_status_503:", "Unavailability", "1234567"):
        assert word in page.words
    assert not page.tags & {"script", "img", "a", "iframe", "link"}


def test_a_window_that_was_agreed_names_where() -> None:
    facts = {**FACTS, "terms": {"persistence_source": "annex 3"}, "unavailability": {"meaning": "M.", "article": "A"}}
    text = flat(texts.text(replace(TICKET, facts=facts)))
    assert "(agreed in: annex 3)" in text
    assert "The agreement, A, in English: M." in text


def test_a_recovered_note_does_not_close_the_ticket_by_itself() -> None:
    facts = {**FACTS, "recovered": 1795341800, "duration": 3725}
    note = act(ActKind.NOTE, NAME, step="recovered", facts=facts)
    assert "recovered at 2026-11-22 10:03:20 UTC" in texts.summary(note)
    text = flat(texts.text(note))
    assert "Bird Email has answered again since 2026-11-22 10:03:20 UTC" in text
    assert "We do not close this ticket by this message." in text
    assert "Lasted: 1 h 2 min 5 s" in text


def test_a_recovered_note_tells_the_last_bad_second_apart_from_when_that_was_known() -> None:
    """Recovery is found long after the last bad second; the vendor must not read it as the end of the outage."""
    facts = {**FACTS, "recovered": 1795341800, "last_bad": 1795341679, "duration": 3725}
    text = flat(texts.text(act(ActKind.NOTE, NAME, step="recovered", facts=facts)))
    assert "The last Unavailable second of Bird Email was 2026-11-22 10:01:19 UTC" in text
    assert "recovered, as was found at 2026-11-22 10:03:20 UTC" in text
    assert "answered again since" not in text


def test_a_new_episode_stays_in_the_same_ticket() -> None:
    note = act(ActKind.NOTE, NAME, step="unavailable-again", episode=2)
    assert "Bird Email is Unavailable again since 2026-11-22 09:59:00 UTC: episode 2" in flat(texts.text(note))


def test_any_other_note_says_what_it_adds() -> None:
    note = act(ActKind.NOTE, NAME, step="severity-critical", facts={**FACTS, "text": "more is known"})
    assert "An addition to our ticket on Bird Email. more is known" in flat(texts.text(note))


def test_the_hotlines_script_says_how_the_ticket_stands() -> None:
    def script(**facts: Any) -> str:
        return flat(texts.text(act(ActKind.HOTLINE, "h", step="call", facts={**FACTS, **facts})))

    assert "The ticket has been opened: T-1." in script(ticket="T-1", ticket_status="accepted")
    assert "is still on its way to it." in script(ticket="T-1", ticket_status="accepted", note_pending=True)
    assert "A ticket has been written and is still on its way" in script(ticket_pending=True)
    assert "No ticket could be opened in writing." in script(ticket_status="failed")
    assert "Hotline to call: +1 555 0100" in script()


def test_a_page_says_what_the_program_does_or_would_do() -> None:
    does = texts.text(act(ActKind.PAGE, "p", facts={**FACTS, "follows": ["open the ticket", "then call the hotline"]}))
    would = texts.text(act(ActKind.PAGE, "p", facts={**FACTS, "observe": True, "would": ["open the ticket"]}))
    assert "does this by itself: open the ticket, then call the hotline." in flat(does)
    assert "Mode observe: nothing goes to the vendor. It would now have been done: open the ticket." in flat(would)
    assert texts.text(act(ActKind.PAGE_RESOLVE, "p")).startswith("Resolved. ")


@pytest.mark.parametrize(
    "step", ["ticket-failed", "ticket-failed-2", "hotline-failed", "note-failed", "escalation-failed", "no-relay"]
)
def test_a_page_asks_for_what_the_program_could_not_do(step: str) -> None:
    assert "by hand" in texts.summary(act(ActKind.PAGE, "p", step=step))


@pytest.mark.parametrize(
    ("by", "contact"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("ada", "ada"),
        ("", "Operations"),
        ("on_call.webhook-1", "Operations"),
        ("+49 30 1234567", "Operations"),
        ("somebody", "Operations"),
    ],
)
def test_who_acknowledged_is_the_contact_if_it_is_somebody_to_ask_for(by: str, contact: str) -> None:
    """A link without a name and a key of a telephone leave no name; an engineer's own number is not the vendor's to know."""
    said = texts.text(act(ActKind.TICKET, facts={**FACTS, "acknowledged_by": by}))
    assert f"Contact: {contact} Telephone:" in flat(said)


@pytest.mark.parametrize(
    ("controls", "shown"),
    [
        ({"configured": ["dns"], "ok": True}, "dns; answering"),
        ({"configured": ["dns"], "ok": False}, "dns; not answering"),
        ({"configured": ["dns", "ref"], "ok": ["ref"]}, "dns, ref; answering: ref"),
        ({"configured": ["dns"], "ok": []}, "dns; answering: none"),
        ({"configured": ["dns"]}, "dns"),
        ({"configured": [], "ok": True}, ""),
        ({}, ""),
    ],
)
def test_the_controls_are_told_as_they_were(controls: dict[str, Any], shown: str) -> None:
    assert View(act(facts={"controls": controls})).controls == shown


def test_an_smtp_sample_shows_its_dialogue() -> None:
    sample = {
        "channel": "smtp",
        "endpoint": "injection",
        "transcript": "< 220 hello\n> EHLO x\n",
        "phases": {"tls": "odd"},
    }
    text = texts.text(act(facts={**FACTS, "samples": [sample]}))
    assert "Dialogue (> sent, < received):" in text
    assert "  | < 220 hello\n  | > EHLO x" in text
    assert "Phases:                  tls odd" in text
    assert "Response:" not in text


def test_the_windows_figures_are_written_without_idle_digits() -> None:
    assert View(act(facts={"rule": {"for": 60, "every": 1.0, "share": 0.9}})).rule["every"] == "1 s"
    assert View(act(facts={"rule": {"for": "60s", "share": "most"}})).rule["for"] == "60s"


def test_many_endpoints_are_not_all_listed() -> None:
    many = [{"channel": "api", "name": f"e{n}", "what": "GET"} for n in range(1000)]
    view = View(act(facts={**FACTS, "endpoints": many}))
    assert len(view.endpoints) == 21
    assert view.endpoints[-1] == "and 980 more"


@pytest.mark.parametrize(
    ("facts", "channels"),
    [
        ({"scope": "smtp"}, ["SMTP injections"]),
        ({"scope": "api/account"}, ["API calls"]),
        (
            {"rule": {"channels": {"smtp": {"measured": 60, "bad": 60}, "api": {"measured": 60, "bad": 0}}}},
            ["SMTP injections"],
        ),
        (
            {"rule": {"channels": {"smtp": {"bad": 60}, "api": {"bad": 59}}}, "samples": [{"channel": "api"}]},
            ["API calls", "SMTP injections"],
        ),
        ({"samples": [{"channel": "smtp"}]}, ["SMTP injections"]),
        ({}, []),
    ],
)
def test_the_channels_concerned_are_found_where_they_are_named(facts: dict[str, Any], channels: list[str]) -> None:
    assert View(act(facts=facts)).channels == channels


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@unhurried
@given(
    st.dictionaries(
        st.sampled_from([*sorted(FACTS), "recovered", "duration", "ticket", "text", "would", "earlier"]), _JSON
    ),
    st.sampled_from([kind for kind in ActKind if kind is not ActKind.STATUS]),  # no mail, and public: without the id
    st.sampled_from(["open", "recovered", "unavailable-again"]),
)
def test_whatever_the_facts_are_there_is_a_text_and_a_mail(facts: dict[str, Any], kind: ActKind, step: str) -> None:
    odd = act(kind, NAME, step=step, facts=facts)
    message = mail(odd)
    assert message["Subject"]
    body = message.get_body(("plain",))
    assert body is not None
    assert INCIDENT in texts.subject(odd)


@pytest.mark.parametrize("name", sorted(FACTS))
@pytest.mark.parametrize("kind", list(ActKind))
def test_every_fact_may_be_missing(kind: ActKind, name: str) -> None:
    facts = {fact: value for fact, value in FACTS.items() if fact != name}
    assert "None" not in texts.text(act(kind, NAME, facts=facts))


@unhurried
@given(st.text())
def test_no_fact_can_break_a_header_or_hide_itself(text: str) -> None:
    facts = {**FACTS, "title": text, "severity_title": text, "ticket": text}
    content = compose(act(ActKind.NOTE, NAME, facts=facts), TICKET.key(NAME), NAME, RECEIVER).content
    head = content.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith(" ")]
    assert set(names) <= {
        "Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Prober-Key",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert "\n" not in head.replace("\r\n", "")
    assert all(len(line) <= 998 for line in content.decode().split("\r\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb\rc\td", "a b c d"),
        ("\x1b[31m\x00\x7f", "\\x1b[31m\\x00\\x7f"),
        ("\u202egnp\u2066", "\\u202egnp\\u2066"),
        ("\u2028\ufeff\U000e0041", "\\u2028\\ufeff\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("می\u200cخواهم Grüße 🚀", "می\u200cخواهم Grüße 🚀"),
    ],
)
def test_what_hides_itself_is_shown(text: str, shown: str) -> None:
    assert harmless(text) == shown
    harmless(text).encode()


def test_lines_stay_where_they_are_wanted_and_what_is_cut_is_told() -> None:
    assert harmless("a\r\nb\rc\td", lines=True) == "a\nb\nc\td"
    assert harmless("abcdef", limit=4) == "abcd... (2 more characters)"


def test_a_secret_goes_before_the_text_is_cut() -> None:
    secret = "a-long-secret-value"
    assert "a-long" not in told(Redactor([secret]), f"key {secret}", limit=12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1795341600, "2026-11-22 10:00:00 UTC"),
        (1795341600.9, "2026-11-22 10:00:00.900 UTC"),
        (1795341600.9999, "2026-11-22 10:00:01.000 UTC"),
        (1795341600_123_456_789, "2026-11-22 10:00:00.123 UTC"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        (0, ""),
        (None, ""),
        (True, ""),
        (10**13, str(10**13)),
        (float("inf"), "inf"),
    ],
)
def test_instants_are_written_out(value: object, shown: str) -> None:
    assert instant(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0 s"), (61, "1 min 1 s"), (7200, "2 h"), (-1, ""), ("1", "")])
def test_durations_are_written_in_words(seconds: object, shown: str) -> None:
    assert span(seconds) == shown


# --- headers


def test_the_message_id_comes_from_the_key_alone() -> None:
    assert mail(TICKET)["Message-ID"] == message_id(TICKET.key(NAME), INCIDENT, "oncall@example.com")
    assert mail(TICKET)["Message-ID"].endswith(f".{INCIDENT}@example.com>")
    assert mail(replace(TICKET, facts={}))["Message-ID"] == mail(TICKET)["Message-ID"]
    assert mail(replace(TICKET, episode=2))["Message-ID"] != mail(TICKET)["Message-ID"]


def test_a_message_id_holds_only_what_it_may() -> None:
    assert message_id("k", "a b/<c>\r\n@", "x@bücher.example").endswith(".a-b-c@xn--bcher-kva.example>")
    assert message_id("k", "---", "x@y").endswith(".incident@y>")


def test_notes_answer_the_ticket_and_name_those_before() -> None:
    first = act(ActKind.NOTE, NAME, step="one", facts={**FACTS, "thread": TICKET.id, "earlier": []}, after=TICKET.id)
    second = replace(first, step="two", facts={**FACTS, "thread": TICKET.id, "earlier": [first.id]})
    one, two = mail(first), mail(second)
    assert one["In-Reply-To"] == one["References"] == mail(TICKET)["Message-ID"]
    assert two["In-Reply-To"] == mail(TICKET)["Message-ID"]
    assert two["References"].split() == [mail(TICKET)["Message-ID"], one["Message-ID"]]
    assert one["Subject"] == two["Subject"] == f"Re: {mail(TICKET)['Subject']}"
    assert one["From"] == mail(TICKET)["From"]


def test_a_ticket_that_its_second_receiver_took_is_answered_under_that_receivers_key() -> None:
    ticket = act(ActKind.TICKET, "bird.tickets.webhook-9", NAME)
    note = act(ActKind.NOTE, NAME, facts={"thread": ticket.id})
    assert mail(note)["In-Reply-To"] == message_id(ticket.key(NAME), INCIDENT, "oncall@example.com")


def test_a_ticket_that_was_sent_from_another_address_is_answered_as_it_was_sent() -> None:
    note = act(ActKind.NOTE, NAME, facts={"thread": TICKET.id, "ticket": "<abc.i@old.example>"})
    assert mail(note)["In-Reply-To"] == "<abc.i@old.example>"
    assert mail(note)["Subject"] == f"Re: bird [{INCIDENT}]".replace("bird", "the service", 1)


def test_a_ticket_that_a_person_opened_is_named_by_its_number() -> None:
    note = act(ActKind.NOTE, NAME, facts={**FACTS, "ticket": "4711", "thread": ""})
    assert mail(note)["Subject"] == f"Re: [4711] Critical Issue: Bird Email [{INCIDENT}]"
    assert mail(note)["In-Reply-To"] is None


def test_a_note_without_a_thread_in_its_facts_answers_what_it_follows() -> None:
    assert mail(act(ActKind.NOTE, NAME, facts={}, after=TICKET.id))["In-Reply-To"] == mail(TICKET)["Message-ID"]
    assert mail(act(ActKind.NOTE, NAME, facts={}, after="odd"))["In-Reply-To"].startswith("<")


def test_a_page_by_mail_is_answered_by_its_resolve_and_not_by_the_tickets_notes() -> None:
    page = act(ActKind.PAGE, NAME, facts={"thread": TICKET.id})
    resolve = act(ActKind.PAGE_RESOLVE, NAME, facts={"thread": TICKET.id}, after=page.id)
    assert mail(page)["In-Reply-To"] is None
    assert mail(resolve)["In-Reply-To"] == mail(page)["Message-ID"]
    assert mail(act(ActKind.PAGE_RESOLVE, NAME, facts={}))["In-Reply-To"] is None


def test_a_subject_in_other_letters_is_readable_again() -> None:
    for title in ("Grüße 🚀", "x" * 500, "ü" * 500):
        subject = mail(act(facts={**FACTS, "title": title}))["Subject"]
        assert subject.startswith(f"Critical Issue: {title[:100]}")
        assert len(subject) <= 200


def test_dots_are_doubled_and_the_end_is_marked() -> None:
    assert stuffed(b"a\r\n.\r\n..b\r\n") == b"a\r\n..\r\n...b\r\n.\r\n"
    assert stuffed(b".a") == b"..a\r\n.\r\n"


# --- from the configuration


def settings(**more: Any) -> Settings:
    channels = {"api": [{"name": "a", "url": "http://127.0.0.1:1/"}]}
    service = {
        "contract": "bird-email-enterprise",
        "channels": channels,
        "tickets": [
            {"email": {"to": "support@vendor.example", "from": "oncall@example.com"}},
            {"name": "desk", "webhook": {"url": "http://127.0.0.1:1/desk"}},
        ],
        "hotline": [{"webhook": {"url": "http://127.0.0.1:1/hotline"}}],
    }
    on_call = [
        {"webhook": {"url": "http://127.0.0.1:1/page", "hmac_key": "the-hmac-key-of-on-call"}},
        {"pagerduty": {"routing_key": "the-routing-key-0001"}},
    ]
    return Settings.model_validate({"services": {"bird": service}, "on_call": on_call, **more})


def test_receivers_have_names_that_are_unique_in_the_configuration() -> None:
    names = receiver_names(settings(), "bird")
    assert names == (
        ("bird.tickets.email-1", "bird.tickets.desk"),
        ("bird.hotline.webhook-1",),
        ("on_call.webhook-1", "on_call.pagerduty-2"),
    )
    assert sorted(build(settings())) == sorted(itertools.chain(*names))


def test_a_secret_in_the_facts_does_not_leave() -> None:
    from http_desk import desk

    async def test() -> bytes:
        async with desk() as receiver:
            url = f"http://127.0.0.1:{receiver.port}/"
            configured = settings(on_call=[{"webhook": {"url": url, "hmac_key": "the-hmac-key-of-on-call"}}])
            leaking = act(ActKind.PAGE, "on_call.webhook-1", facts={**FACTS, "text": "see the-hmac-key-of-on-call"})
            await build(configured)["on_call.webhook-1"].deliver(leaking, leaking.id)
            return receiver.requests[0].body

    assert b"the-hmac-key-of-on-call" not in asyncio.run(test())


def failing(bad: int) -> Act:
    channels = {"api": {"measured": 60, "bad": bad}, "smtp": {"measured": 60, "bad": 0}}
    facts = {
        "condition": "failing",
        "scope": "api",
        "severity": "internal",
        "rule": FACTS["rule"] | {"channels": channels},
    }
    return act(ActKind.PAGE, facts=FACTS | facts)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (60, "all calls of one channel fail, by the vendor's fault since"),
        (54, "all calls of one channel fail, by the vendor's fault since"),
        (53, "all calls fail, not provably by the vendor's fault since"),
        (0, "all calls fail, not provably by the vendor's fault since"),
    ],
)
def test_a_channel_that_fails_by_the_vendors_fault_alone_is_not_said_to_do_so_by_nobodys(bad: int, says: str) -> None:
    assert says in texts.summary(failing(bad))
