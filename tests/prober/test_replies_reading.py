"""Mails as people, machines and attackers write them: read within bounds, never raised over, nothing lost in silence."""

import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.replies.reading import MOST, TEXT, read
from rules.replies import Mail, Report

AT = 1_795_341_600


def mail(text: str | bytes, **more: object) -> Mail:
    raw = text.replace("\n", "\r\n").encode() if isinstance(text, str) else text
    return read(raw, AT, **more)  # type: ignore[arg-type]  # size and authority


def test_a_plain_mail_is_read_as_it_stands() -> None:
    found = mail(
        "From: Vendor Support <Agent@Vendor.Example>\nSubject: Re: critical\nMessage-ID: <1@v>\n"
        "In-Reply-To: <a@x>\nReferences: <b@x>\n <a@x>\n\nHello,\n\nwe look into it.\n"
    )
    assert found == Mail(
        at=AT,
        sender="agent@vendor.example",
        subject="Re: critical",
        text="Hello,\n\nwe look into it.",
        message_id="<1@v>",
        references=("<a@x>", "<b@x>"),
    )


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        ("We are on it.\n\n> first line\n> second line\n", "We are on it."),
        ("We are on it.\n\nOn Sun, 22 Nov 2026 at 10:15, On-call <a@x> wrote:\nYour service is down", "We are on it."),
        ("Wir sind dran.\n\nAm 22.11.2026 um 10:15 schrieb On-call:\nsteht", "Wir sind dran."),
        ("On s'en occupe.\n\nLe dim. 22 nov. 2026 à 10:15, On-call a écrit :\nx", "On s'en occupe."),
        ("Работаем.\n\nвс, 22 нояб. 2026 г. в 10:15, On-call пишет:\nx", "Работаем."),
        ("Yes.\n-----Original Message-----\nFrom: x", "Yes."),
        ("Thanks.\n\n##- Please type your reply above this line -##\nYour request (4711)", "Thanks."),
        (
            "We are on it.\n\nFrom: On-call <a@x>\nSent: Sunday, 22 November 2026 10:15\nTo: Support\n\nx",
            "We are on it.",
        ),
        ("Wir sind dran.\n\nVon: On-call\nGesendet: Sonntag\nAn: Support\n\nx", "Wir sind dran."),
        ("*From:* On-call\n*Date:* Sunday\n\nx", ""),
        ("From: here on we take over.\nPlease wait.", "From: here on we take over.\nPlease wait."),
    ],
)
def test_what_it_quotes_is_left_out(quoted: str, said: str) -> None:
    assert mail(f"From: a@b.c\nContent-Type: text/plain; charset=utf-8\n\n{quoted}").text == said


@pytest.mark.parametrize(
    "above",
    [
        "##- Please type your reply above this line -##",
        "—-—-—-—\nReply above this line.",
        "## Reply above this line ##",
    ],
)
def test_what_a_desk_says_below_the_line_to_reply_above_is_read(above: str) -> None:
    """Zendesk and Jira begin their mails with it."""
    said = "Your request (12345) has been received."
    head = "From: a@b.c\nContent-Type: text/{}; charset=utf-8\n\n"
    assert mail(f"{head.format('plain')}{above}\n\n{said}").text == said
    assert mail(f"{head.format('html')}<div>{above}</div><p>{said}</p>").text == said


def test_html_alone_is_read_without_its_tags() -> None:
    found = mail(
        "From: a@b.c\nContent-Type: text/html; charset=utf-8\n\n"
        "<html><head><title>x</title></head><style>p {}</style><script>alert('y')</script><body><!-- z -->"
        "<p>Hello &amp; thanks<br>we look</p><div>into it</div></body></html>"
    )
    assert found.text == "Hello & thanks\nwe look\ninto it"


def test_the_plain_part_goes_before_the_html_and_attachments_are_left() -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "a@b.c"
    message.set_content("the words")
    message.add_alternative("<p>other words</p>", subtype="html")
    message.add_attachment("a log", filename="log.txt")
    assert mail(message.as_bytes()).text == "the words"


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("utf-8", "utf-8"), ("koi8-r", "koi8-r"), ("windows-1251", "cp1251"), ("utf-16", "utf-16")],
)
def test_foreign_character_sets_are_read(charset: str, encoding: str) -> None:
    head = f"From: a@b.c\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode()
    assert mail(head + "Мы работаем".encode(encoding)).text == "Мы работаем"


def test_an_unknown_character_set_is_guessed_and_told() -> None:
    head = b"From: a@b.c\r\nContent-Type: text/plain; charset=x-klingon\r\n\r\n"
    found = mail(head + "Größe".encode())
    assert found.text == "Größe"
    assert mail(head + "Größe".encode("latin-1")).text in ("Größe", "Gr\ufffd\ufffde")
    unlabelled = mail(b"From: a@b.c\r\n\r\n" + "Größe".encode("latin-1"))
    assert unlabelled.text == "Größe"


def test_encoded_subjects_are_decoded_and_broken_ones_stay() -> None:
    assert mail("From: a@b.c\nSubject: =?koi8-r?B?8sXbxc7P?= [#12]\n\n").subject == "Решено [#12]"
    assert mail("From: a@b.c\nSubject: =?utf-8?B?!!!?= x\n\n").subject
    assert mail("From: a@b.c\nSubject: =?no-such?Q?=C3=A9?=\n\n").subject == "é"


def test_terminal_escapes_and_hidden_marks_are_shown_not_obeyed() -> None:
    found = mail("From: a@b.c\nContent-Type: text/plain; charset=utf-8\nSubject: \x1b[2Jx\n\nred \x1b[31m\u202etext")
    assert "\x1b" not in found.text + found.subject
    assert "\\u202e" in found.text


@pytest.mark.parametrize(
    "head",
    ["", "From:\n", "From: nobody\n", "From: a@b.c, d@e.f\n", "From: a@b.c\nFrom: d@e.f\n", "From: =?utf-8?q?x?=\n"],
)
def test_no_sender_or_several_are_none(head: str) -> None:
    assert mail(f"{head}Subject: x\n\ny").sender == ""


def test_the_display_name_is_not_the_sender() -> None:
    assert mail('From: "support@vendor.example" <x@evil.test>\n\n').sender in ("x@evil.test", "")


def test_only_the_headers_that_matter_are_kept() -> None:
    found = mail(
        "From: a@b.c\nAuto-Submitted: auto-replied\nList-Id: <l>\nList-Post: <p>\nX-Other: y\nReturn-Path: <>\n\n"
    )
    assert found.headers == {
        "auto-submitted": ("auto-replied",),
        "list-id": ("<l>",),
        "list-post": ("<p>",),
        "return-path": ("<>",),
    }


def test_only_our_own_servers_authentication_results_are_believed() -> None:
    raw = (
        "Authentication-Results: mx.evil.test; dmarc=pass\nAuthentication-Results: mx.example.com; dmarc=fail\n"
        "Authentication-Results: mx.example.com 1; spf=fail\nFrom: a@b.c\n\n"
    )
    assert mail(raw).headers["authentication-results"] == ("mx.evil.test; dmarc=pass",), "the topmost"
    assert mail(raw, authority="mx.example.com").headers["authentication-results"] == (
        "mx.example.com; dmarc=fail",
        "mx.example.com 1; spf=fail",
    )
    assert mail(raw, authority="other").headers["authentication-results"] == ()


# --- bounces

BOUNCE = """From: MAILER-DAEMON@mx.example.com
Return-Path: <>
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; copy@vendor.example
Action: relayed
Status: 2.0.0

Final-Recipient: rfc822; support@vendor.example
Action: Failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1
 no such user

--b
Content-Type: {kind}

From: oncall@example.com
Message-ID: <ours@example.com>
Subject: critical

text
--b--
"""


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_says_what_happened_to_which_mail(kind: str) -> None:
    assert mail(BOUNCE.format(kind=kind)).report == Report(
        action="failed",
        status="5.1.1",
        recipient="support@vendor.example",
        diagnostic="smtp; 550 5.1.1 no such user",
        original="<ours@example.com>",
    )


def test_a_bounce_names_all_of_whom_it_says_the_same() -> None:
    report = mail(BOUNCE.format(kind="message/rfc822").replace("Action: relayed", "Action: failed")).report
    assert report is not None
    assert (report.recipient, report.others) == ("copy@vendor.example", ("support@vendor.example",))


def test_an_old_fashioned_bounce_names_the_mail_in_the_copy_that_it_has_of_it() -> None:
    qmail = (
        "Subject: failure notice\n\nHi. This is the qmail-send program.\n\n<support@vendor.example>:\n550 no such user\n\n"
        "--- Below this line is a copy of the message.\n\nReturn-Path: <oncall@example.com>\nMessage-Id: <ours@example.com>\n"
    )
    assert mail(f"From: MAILER-DAEMON@mx.example.com\nReturn-Path: <>\n{qmail}").references == ("<ours@example.com>",)
    assert mail(f"From: a@b.c\nReturn-Path: <a@b.c>\n{qmail}").references == ()


def test_a_bounce_without_recipients_has_failed_all_the_same() -> None:
    broken = BOUNCE.format(kind="text/plain").replace("Action:", "X-Action:")
    found = mail(broken.replace("Subject: Und", "In-Reply-To: <ours@example.com>\nSubject: Und"))
    assert found.report == Report("failed", original="<ours@example.com>")


def test_a_mail_that_is_no_report_has_none() -> None:
    assert mail("From: a@b.c\n\nMessage-ID: <x@y>").report is None


# --- bombs


def nested(depth: int) -> bytes:
    head = b"From: a@b.c\r\nSubject: deep\r\nMIME-Version: 1.0\r\n"
    body = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return head + body + b"Content-Type: text/plain\r\n\r\nat the bottom\r\n"


def test_deep_mime_is_not_followed_and_its_headers_are_read_all_the_same() -> None:
    found = mail(nested(4000))
    assert (found.sender, found.subject) == ("a@b.c", "deep")
    assert "its body is nested too deeply to be read" in found.defects


def test_a_little_nesting_is_read() -> None:
    assert mail(nested(5)).text == "at the bottom"


def test_a_mail_of_a_thousand_parts_is_read_as_far_as_its_first() -> None:
    parts = b"".join(b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" for _ in range(1000))
    found = mail(b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--")
    assert "only the first 50 of its parts were read" in found.defects


def test_a_huge_mail_is_cut_and_told() -> None:
    found = mail(b"From: a@b.c\r\n\r\n" + b"word " * 200_000, size=50_000_000)
    assert len(found.text) <= TEXT + 100
    assert found.defects == (f"only the first {MOST} of 50000000 bytes were read",)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"\x00" * 1000,
        b"From: " + b"a" * 200_000,
        b"From: a@b.c\r\nReferences: " + b"<a@b>" * 40_000,
        b"From: a@b.c\r\nSubject: " + b"=?utf-8?q?x?= " * 10_000,
        b"From: a@b.c\r\nContent-Type: text/plain; charset*=x''%FF%FE\r\n\r\nx",
        b'From: a@b.c\r\nContent-Type: text/plain; charset="\x00"\r\n\r\nx',
        b"From: a@b.c\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!====",
        b"From: a@b.c\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n\xff",
        b"From: a@b.c\r\nContent-Type: message/rfc822\r\n\r\n",
        b"From: a@b.c\r\nContent-Type: message/delivery-status\r\n\r\nAction",
        b"From: a@b.c\r\nContent-Type: text/html\r\n\r\n" + b"<" * 100_000,
        b"From: a@b.c\r\nContent-Type: text/html\r\n\r\n" + b"<style" * 20_000,
        b"From: a@b.c\r\nContent-Type: text/html\r\n\r\n" + b"<!--" * 20_000,
        b"From: a@b.c\r\n\r\n" + b"a " * 100_000,
        b"X: y\r\n" * 20_000 + b"From: a@b.c\r\n\r\nx",
    ],
    ids=range(17),
)
def test_whatever_comes_it_is_read_in_bounded_time_and_space(raw: bytes) -> None:
    found = mail(raw)
    assert len(found.text) <= TEXT + 100
    assert len(found.subject) <= 400
    assert len(found.references) <= 60


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"From: a@b.c\r\n",
                b"Subject: =?utf-8?b?",
                b"Content-Type: multipart/report; boundary=b\r\n",
                b"Content-Type: message/delivery-status\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/rfc822-headers\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"\r\n",
                b"--b\r\n",
                b"--b--\r\n",
                b"Action: failed\r\n",
                b"Message-ID: <x@y>\r\n",
                b"charset*0*=utf-8''%E2\r\n",
            ]
        )
        | st.binary(max_size=20),
        max_size=25,
    )
)
def test_no_order_of_pieces_makes_it_raise(pieces: list[bytes]) -> None:
    assert mail(b"".join(pieces)).at == AT
