"""Mails that mean harm, or only look like it: read in bounded time and space, judged, and never believed too much."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from prober.replies.reading import MOST, TEXT, read
from rules.replies import Mail, Reply, ReplyKind, Thread, Vendor, Why, decide

INCIDENT = "bird-20261122T100000Z"
TICKET = f"<{'0' * 32}.{INCIDENT}@example.com>"
THREADS = [Thread(INCIDENT, "bird", TICKET)]
VENDORS = {"bird": Vendor(domains=("vendor.example",), own=("oncall@example.com",))}
AT = 1_795_341_600


def mail(*head: str, body: bytes = b"hello", sender: str = "agent@vendor.example") -> bytes:
    lines = [f"From: {sender}", f"In-Reply-To: {TICKET}", "Subject: Re: your ticket", *head]
    return "\r\n".join([*lines, "", ""]).encode() + body


def judged(raw: bytes) -> Reply:
    reply = decide(read(raw, AT), THREADS, VENDORS)
    assert reply is not None
    return reply


def parts(count: int) -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return b"first\r\n" + part * count + b"--b--\r\n"


def nested(depth: int) -> bytes:
    body = b"deep"
    for level in range(depth):
        name = b"b%d" % level
        body = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n%b\r\n--%b--\r\n' % (
            name,
            name,
            body,
            name,
        )
    return b"--b\r\n" + body + b"\r\n--b--\r\n"


MULTIPART = 'Content-Type: multipart/mixed; boundary="b"'
BOMBS: dict[str, Callable[[], bytes]] = {
    "ten thousand parts": lambda: mail(MULTIPART, body=parts(10_000)),
    "a thousand levels": lambda: mail(MULTIPART, body=nested(1_000)),
    "a mail of fifty megabytes": lambda: mail(body=b"A" * 50_000_000),
    "one line without end": lambda: mail("X-Long: " + "a" * 2_000_000),
    "a hundred thousand headers": lambda: mail(*["X: y"] * 100_000),
    "a hundred thousand references": lambda: mail("References: " + " ".join(f"<{n}@x>" for n in range(100_000))),
    "base64 that never ends": lambda: mail("Content-Transfer-Encoding: base64", body=b"QUFB" * 2_000_000),
    "a list of senders": lambda: mail(sender=", ".join(f"a{n}@vendor.example" for n in range(20_000))),
    "tags that never close": lambda: mail("Content-Type: text/html", body=b"<div <script " * 200_000),
    "comments within comments": lambda: mail(sender="(" * 1_900 + "agent@vendor.example"),
    "an address that backtracks": lambda: mail(sender="(" * 50_000 + "agent@vendor.example"),
    "encoded words without end": lambda: mail("Subject: " + "=?utf-8?b?QUFB?= " * 50_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_mail_bomb_costs_little_and_is_told(bomb: str) -> None:
    raw = BOMBS[bomb]()
    tracemalloc.start()
    begun = time.process_time()
    found = read(raw[:MOST], AT, size=len(raw))
    spent, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 10, "seconds of this process alone, traced: several times what it costs otherwise"
    assert peak < 60_000_000
    assert len(found.text) <= TEXT + 100
    decide(found, THREADS, VENDORS)
    assert found.defects or len(raw) <= MOST


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (mail(sender="agent@vendor.example.evil.test"), Why.WRONG_SENDER),
        (mail(sender="agent@evilvendor.example"), Why.WRONG_SENDER),
        (mail(sender='"agent@vendor.example" <mallory@evil.test>'), Why.WRONG_SENDER),
        (mail(sender="agent@vendor.example, mallory@evil.test"), Why.NO_SENDER),
        (mail("From: mallory@evil.test"), Why.NO_SENDER),
        (mail(sender="agent@vendor.example\u200b.evil.test"), Why.WRONG_SENDER),
        (mail("Authentication-Results: mx; dmarc=fail header.from=vendor.example"), Why.NOT_AUTHENTICATED),
        (mail("Authentication-Results: mx; spf=fail; dkim=none"), Why.NOT_AUTHENTICATED),
    ],
)
def test_a_forged_thread_is_set_aside_for_a_person_and_moves_nothing(raw: bytes, why: Why) -> None:
    reply = judged(raw + b"\r\nYour ticket has been closed. Ticket number 4711.")
    assert (reply.kind, reply.why) == (ReplyKind.ASIDE, why)
    assert not reply.closes
    assert reply.number == ""


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("Auto-Submitted: auto-replied", Why.AUTO_SUBMITTED),
        ("Auto-Submitted: auto-generated; owner-email=x@y", Why.AUTO_SUBMITTED),
        ("Precedence: bulk", Why.PRECEDENCE),
        ("X-Auto-Response-Suppress: All", Why.SUPPRESS),
        ("Return-Path: <>", Why.NULL_SENDER),
        ("Subject: Automatische Antwort: Re: your ticket", Why.VACATION),
        ("List-Unsubscribe: <mailto:x@y>", Why.MAILING_LIST),
        ("Content-Type: multipart/report;\r\n report-type=disposition-notification; boundary=b", Why.READ_RECEIPT),
    ],
)
def test_an_automatic_mail_is_no_response_although_it_is_in_the_thread(head: str, why: Why) -> None:
    raw = mail(head).replace(b"Subject: Re: your ticket\r\n", b"") if head.startswith("Subject") else mail(head)
    reply = judged(raw)
    assert reply.kind is ReplyKind.AUTOMATIC
    assert reply.automatic
    assert reply.why is why


@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("koi8-r", "Ваша заявка закрыта"),
        ("windows-1251", "Ваша заявка закрыта"),
        ("iso-8859-1", "Votre ticket est fermé"),
        ("windows-1252", "Il caso è stato chiuso"),
        ("utf-16", "O chamado foi encerrado"),
        ("utf-7", "Das Ticket ist geschlossen"),
        ("iso-2022-jp", "Ticket has been closed"),
    ],
)
def test_a_closing_notice_in_any_encoding_is_known_and_closes_nothing_by_itself(charset: str, words: str) -> None:
    raw = mail(f"Content-Type: text/plain; charset={charset}", body=words.encode(charset))
    reply = judged(raw)
    assert reply.text == words
    assert reply.closes, "a person is asked"
    assert reply.kind is ReplyKind.RESPONSE


@pytest.mark.parametrize(
    "charset", ["x-unknown-99", "utf-8; charset=utf-16", '"', "rot13", "hex", "zip", "idna", "\x00"]
)
def test_an_encoding_that_is_none_loses_no_word(charset: str) -> None:
    found = read(mail(f"Content-Type: text/plain; charset={charset}", body=b"we look into it"), AT)
    assert isinstance(found, Mail)
    assert "look into it" in found.text.replace("\x00", "")
