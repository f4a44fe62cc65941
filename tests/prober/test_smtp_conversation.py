"""The SMTP dialogue without a network: what is sent after which reply, and how each way of it ends."""

import base64
import gc
import hmac
import re
from email import message_from_bytes, policy
from typing import Any

import pytest

from prober.probes.conversation import Conversation, Step
from prober.probes.message import messages
from prober.probes.smtp import SmtpConversation, SmtpPlan
from prober.settings import Mail, SmtpEndpoint
from rules.model import SMTP_PHASES, Stage, Trouble

BANNER = b"220 peer ESMTP\r\n"
OFFER = (
    b"250-peer\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n"
)
OK, GO = b"250 2.0.0 ok\r\n", b"354 go\r\n"
DONE, MORE = Step.DONE, Step.MORE


def plan_of(**settings: Any) -> SmtpPlan:
    base = {
        "name": "injection",
        "host": "mail.example",
        "tls": "none",
        "helo": "probe.example",
        "mail": {"from": "probe@example.com", "to": "sink@example.net"},
    }
    return SmtpPlan.of(SmtpEndpoint.model_validate(base | settings))


LOGIN = {"username": "probe", "password": "open sesame"}


class Talk:
    """A conversation, with what it sent (`sent`) and what a transcript shows of it (`shown`)."""

    def __init__(self, plan: SmtpPlan | None = None, **more: Any) -> None:
        self.sent: list[bytes] = []
        self.shown: list[bytes] = []
        self.now = 0
        self.conversation = SmtpConversation(plan or plan_of(), self._send, **more)

    def _send(self, data: bytes, shown: bytes | None = None) -> None:
        self.sent.append(data)
        self.shown.append(data if shown is None else shown)

    def hears(self, *chunks: bytes) -> Step:
        """The step after the last of `chunks`; those before it must not end anything but by STARTTLS."""
        step = MORE
        for chunk in chunks:
            assert step is MORE, f"{step.name} before {chunk!r}"
            self.now += 1
            step = self.conversation.feed(chunk, self.now)
        return step

    @property
    def message(self) -> bytes:
        """The message as the server would keep it."""
        data = self.sent[-1]
        assert data.endswith(b"\r\n.\r\n")
        return re.sub(rb"(?m)^\.", b"", data[:-3])


def size_said(talk: Talk) -> int:
    mail = next(line for line in talk.sent if line.startswith(b"MAIL"))
    return int(mail.split(b" SIZE=")[1].split()[0])


def test_it_is_a_conversation() -> None:
    conversation: Conversation = Talk().conversation
    assert conversation.opened(0) is MORE


# the way through


def test_an_injection_sends_each_command_after_the_reply_before_it() -> None:
    talk = Talk()
    assert talk.conversation.opened(0) is MORE
    assert talk.hears(BANNER, OFFER, OK, OK, GO) is MORE
    assert talk.sent[0] == b"EHLO probe.example\r\n"
    assert re.fullmatch(rb"MAIL FROM:<probe@example\.com> SIZE=\d+\r\n", talk.sent[1])
    assert talk.sent[2:4] == [b"RCPT TO:<sink@example.net>\r\n", b"DATA\r\n"]
    assert size_said(talk) == len(talk.message)
    assert talk.hears(b"250 2.0.0 queued as 4711\r\n") is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.unmet, c.code, c.enhanced, c.text) == (
        Stage.DONE,
        None,
        None,
        250,
        "2.0.0",
        "queued as 4711",
    )
    assert (c.parting, c.keep, c.headers, c.body) == (b"QUIT\r\n", False, (), b"")
    assert dict(zip(SMTP_PHASES, c.marks, strict=True)) == {
        "resolve": 0, "connect": 0, "tls": 0, "banner": 1, "ehlo": 2, "starttls": 0, "auth": 0,
        "mail": 3, "rcpt": 4, "data": 5, "dot": 6, "quit": 0,
    }  # fmt: skip


def test_starttls_comes_before_anything_secret_and_ehlo_is_said_again() -> None:
    talk = Talk(plan_of(tls="starttls", login=LOGIN))
    assert talk.hears(BANNER, OFFER, b"220 go ahead\r\n") is Step.STARTTLS
    assert talk.sent == [b"EHLO probe.example\r\n", b"STARTTLS\r\n"]
    assert talk.conversation.secured(4) is MORE
    talk.now = 4
    assert talk.sent[-1] == b"EHLO probe.example\r\n"
    assert talk.hears(OFFER, b"235 ok\r\n") is MORE
    assert talk.shown[3] == b"AUTH PLAIN ****\r\n"
    marks = talk.conversation.marks
    assert [marks[SMTP_PHASES.index(name)] for name in ("banner", "ehlo", "starttls", "auth")] == [1, 2, 4, 6]


def test_what_is_offered_before_tls_counts_for_nothing_after_it() -> None:
    talk = Talk(plan_of(tls="starttls", login=LOGIN))
    talk.hears(BANNER, OFFER, b"220 go ahead\r\n")
    talk.conversation.secured(4)
    assert talk.hears(b"250 peer\r\n") is DONE
    assert (talk.conversation.stage, talk.conversation.trouble) == (Stage.AUTH, Trouble.NO_AUTH_MECHANISM)


@pytest.mark.parametrize(
    ("depth", "tls", "heard", "sent"),
    [
        ("banner", "starttls", [BANNER], 0),
        ("ehlo", "starttls", [BANNER, OFFER], 1),
        ("ehlo", "none", [BANNER, OFFER], 1),
        ("tls", "implicit", [BANNER, OFFER], 1),
        ("tls", "none", [BANNER, OFFER], 1),
        ("auth", "none", [BANNER, OFFER, b"334 PDE+\r\n", b"235 ok\r\n"], 3),
        ("auth", "implicit", [BANNER, OFFER, b"235 ok\r\n"], 2),
        ("rcpt", "implicit", [BANNER, OFFER, b"235 ok\r\n", OK, b"251 will forward\r\n"], 4),
    ],
)
def test_a_depth_ends_the_call_when_it_is_reached(depth: str, tls: str, heard: list[bytes], sent: int) -> None:
    talk = Talk(plan_of(depth=depth, tls=tls, login=LOGIN))
    assert talk.hears(*heard) is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.unmet, c.parting) == (Stage.DONE, None, None, b"QUIT\r\n")
    assert c.code == int(heard[-1][:3])
    assert len(talk.sent) == sent


@pytest.mark.parametrize("taken", [b"200 ok\r\n", b"220 fine\r\n", b"251 will forward\r\n", b"299\r\n"])
def test_the_first_digit_says_that_a_command_was_taken(taken: bytes) -> None:
    """RFC 5321 4.2.5: a 2yz after the dot is the server's responsibility, whatever its other digits."""
    talk = Talk(plan_of(tls="implicit"))
    assert talk.hears(BANNER, taken, taken, taken, b"354 go\r\n", taken) is DONE
    assert (talk.conversation.stage, talk.conversation.unmet) == (Stage.DONE, None)
    assert talk.conversation.code == int(taken[:3])


@pytest.mark.parametrize(
    ("heard", "stage"),
    [
        ([b"250 hello\r\n"], Stage.BANNER),
        ([BANNER, OFFER, b"250 ok\r\n"], Stage.AUTH),
        ([BANNER, OFFER, b"235 ok\r\n", OK, OK, b"250 ok\r\n"], Stage.DATA),
        ([BANNER, OFFER, b"235 ok\r\n", OK, OK, b"354 go\r\n", b"354 go\r\n"], Stage.DOT),
    ],
)
def test_what_has_one_code_is_taken_by_that_alone(heard: list[bytes], stage: Stage) -> None:
    talk = Talk(plan_of(tls="implicit", login=LOGIN))
    assert talk.hears(*heard) is DONE
    assert (talk.conversation.stage, talk.conversation.unmet) == (stage, "reply")


def test_depth_tls_ends_when_tls_stands() -> None:
    talk = Talk(plan_of(depth="tls", tls="starttls"))
    assert talk.hears(BANNER, OFFER, b"220 go ahead\r\n") is Step.STARTTLS
    assert talk.conversation.secured(9) is DONE
    assert (talk.conversation.stage, talk.conversation.code) == (Stage.DONE, 220)


def test_depth_auth_without_a_login_ends_after_ehlo() -> None:
    talk = Talk(plan_of(depth="auth"))
    assert talk.hears(BANNER, OFFER) is DONE
    assert talk.conversation.stage is Stage.DONE


# an old server


def test_a_server_without_ehlo_gets_helo_where_that_is_enough() -> None:
    talk = Talk()
    assert talk.hears(BANNER, b"502 what?\r\n", b"250 peer\r\n") is MORE
    assert talk.sent == [b"EHLO probe.example\r\n", b"HELO probe.example\r\n", b"MAIL FROM:<probe@example.com>\r\n"]
    assert talk.conversation.marks[SMTP_PHASES.index("ehlo")] == 3


def test_helo_is_enough_for_depth_ehlo_and_may_be_refused() -> None:
    assert Talk(plan_of(depth="ehlo")).hears(BANNER, b"500 what?\r\n", b"250 peer\r\n") is DONE
    talk = Talk()
    assert talk.hears(BANNER, b"500 what?\r\n", b"550 no\r\n") is DONE
    assert (talk.conversation.stage, talk.conversation.unmet, talk.conversation.code) == (Stage.EHLO, "reply", 550)


@pytest.mark.parametrize("settings", [{"login": LOGIN}, {"tls": "starttls"}])
def test_helo_is_not_tried_where_it_cannot_be_enough(settings: dict[str, Any]) -> None:
    talk = Talk(plan_of(**settings))
    assert talk.hears(BANNER, b"502 what?\r\n") is DONE
    assert (talk.conversation.unmet, talk.conversation.code, talk.conversation.stage) == ("reply", 502, Stage.EHLO)


# logging in


@pytest.mark.parametrize(
    ("tls", "offered", "first"),
    [
        ("implicit", b"CRAM-MD5 LOGIN PLAIN", b"AUTH PLAIN AHByb2JlAG9wZW4gc2VzYW1l\r\n"),
        ("implicit", b"CRAM-MD5 LOGIN", b"AUTH LOGIN\r\n"),
        ("implicit", b"CRAM-MD5", b"AUTH CRAM-MD5\r\n"),
        ("none", b"plain login cram-md5", b"AUTH CRAM-MD5\r\n"),
        ("none", b"LOGIN PLAIN", b"AUTH PLAIN AHByb2JlAG9wZW4gc2VzYW1l\r\n"),
    ],
)
def test_the_mechanism_is_the_quickest_under_tls_and_the_strongest_without(
    tls: str, offered: bytes, first: bytes
) -> None:
    talk = Talk(plan_of(tls=tls, login=LOGIN))
    talk.hears(BANNER, b"250-peer\r\n250 AUTH %b\r\n" % offered)
    assert talk.sent[-1] == first


def test_the_old_way_to_offer_a_login_is_understood() -> None:
    talk = Talk(plan_of(tls="implicit", login=LOGIN))
    talk.hears(BANNER, b"250-peer\r\n250 AUTH=LOGIN\r\n")
    assert talk.sent[-1] == b"AUTH LOGIN\r\n"


def test_login_answers_two_questions() -> None:
    talk = Talk(plan_of(tls="implicit", login=LOGIN))
    talk.hears(BANNER, b"250-peer\r\n250 AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n")
    assert [base64.b64decode(line) for line in talk.sent[-2:]] == [b"probe", b"open sesame"]
    assert talk.shown[-3:] == [b"AUTH LOGIN\r\n", b"****\r\n", b"****\r\n"]
    assert talk.hears(b"235 ok\r\n") is MORE
    assert talk.conversation.stage is Stage.MAIL


@pytest.mark.parametrize("end", [b"\r\n", b" \r\n", b"\n"])
def test_cram_md5_answers_as_rfc_2195_shows(end: bytes) -> None:
    talk = Talk(plan_of(tls="none", login={"username": "tim", "password": "tanstaaftanstaaf"}))
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    talk.hears(BANNER, b"250-peer\r\n250 AUTH CRAM-MD5\r\n", b"334 " + base64.b64encode(challenge) + end)
    assert base64.b64decode(talk.sent[-1]) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert hmac.new(b"tanstaaftanstaaf", challenge, "md5").hexdigest() == "b913a602c7eda7a495b4e6e7334d3890"


def test_a_challenge_that_is_no_base64_is_malformed() -> None:
    talk = Talk(plan_of(login=LOGIN))
    assert talk.hears(BANNER, b"250-peer\r\n250 AUTH CRAM-MD5\r\n", b"334 ???\r\n") is DONE
    assert (talk.conversation.trouble, talk.conversation.stage) == (Trouble.MALFORMED, Stage.AUTH)
    assert talk.conversation.detail.startswith("AUTH challenge: ")


def test_a_server_that_asks_although_it_has_the_answer_gets_it_again_and_once() -> None:
    talk = Talk(plan_of(tls="implicit", login=LOGIN))
    assert talk.hears(BANNER, OFFER, b"334 \r\n") is MORE
    assert (talk.sent[-1], talk.shown[-1]) == (b"AHByb2JlAG9wZW4gc2VzYW1l\r\n", b"****\r\n")
    assert talk.hears(b"334 \r\n") is DONE
    assert (talk.conversation.unmet, talk.conversation.code, talk.conversation.parting) == ("reply", 334, b"")


def test_a_long_password_does_not_make_a_line_too_long() -> None:
    talk = Talk(plan_of(tls="implicit", login={"username": "u", "password": "k" * 500}))
    assert talk.hears(BANNER, OFFER, b"334 \r\n") is MORE
    assert talk.sent[-2] == b"AUTH PLAIN\r\n"
    assert base64.b64decode(talk.sent[-1]) == b"\0u\0" + b"k" * 500


def test_no_secret_is_shown_or_told() -> None:
    plan = plan_of(tls="implicit", login=LOGIN)
    talk = Talk(plan)
    talk.hears(BANNER, OFFER)
    assert talk.hears(b"535 AHByb2JlAG9wZW4gc2VzYW1l and b3BlbiBzZXNhbWU= and open sesame\r\n") is DONE
    assert talk.conversation.text == "**** and **** and ****"
    everything = repr([plan, talk.shown, talk.conversation.detail]).encode()
    for secret in plan.secrets:
        assert secret not in everything
    junk = Talk(plan)
    assert junk.hears(BANNER, OFFER, b"AHByb2JlAG9wZW4gc2VzYW1l?\r\n") is DONE
    assert junk.conversation.detail == "not an SMTP reply: '****?\\r\\n'"


@pytest.mark.parametrize(
    "reply",
    [
        b"535-5.7.8 no AHByb2JlAG9wZ\r\n535 5.7.8 W4gc2VzYW1l here\r\n",
        b"535-no open\n535- se\n535 same here\n",
        b"535-no b3BlbiBz\r\n535-ZXN\r\n535 hbWU= here\r\n",
    ],
)
def test_a_secret_that_is_broken_over_the_lines_of_a_reply_is_not_told(reply: bytes) -> None:
    talk = Talk(plan_of(tls="implicit", login=LOGIN))
    talk.hears(BANNER, OFFER)
    assert talk.hears(reply) is DONE
    assert talk.conversation.text == "no **** here"


def test_a_password_too_short_to_be_one_spoils_no_text() -> None:
    talk = Talk(plan_of(tls="implicit", login={"username": "u", "password": "e"}))
    assert talk.hears(BANNER, OFFER, b"535 refused here\r\n") is DONE
    assert talk.conversation.text == "refused here"


# replies that stop it

STAGES = [
    (Stage.BANNER, []),
    (Stage.EHLO, [BANNER]),
    (Stage.STARTTLS, [BANNER, OFFER]),
    (Stage.MAIL, [BANNER, OFFER]),
    (Stage.RCPT, [BANNER, OFFER, OK]),
    (Stage.DATA, [BANNER, OFFER, OK, OK]),
    (Stage.DOT, [BANNER, OFFER, OK, OK, GO]),
]


def at(stage: Stage) -> Talk:
    """A talk in which the reply of `stage` is due."""
    talk = Talk(plan_of(tls="starttls" if stage is Stage.STARTTLS else "none"))
    talk.hears(*dict(STAGES)[stage])
    assert talk.conversation.stage is stage
    return talk


@pytest.mark.parametrize("stage", [stage for stage, _ in STAGES])
@pytest.mark.parametrize(
    ("raw", "code", "enhanced", "text", "parting"),
    [
        (b"421 4.3.2 bye\r\n", 421, "4.3.2", "bye", b""),
        (b"451-4.3.0 local\r\n451 4.3.0 error\r\n", 451, "4.3.0", "local error", b"QUIT\r\n"),
        (b"554 5.7.1 go away\r\n", 554, "5.7.1", "go away", b"QUIT\r\n"),
        (b"399 what\r\n", 399, "", "what", b""),
    ],
)
def test_a_reply_that_is_not_due_ends_the_call(
    stage: Stage, raw: bytes, code: int, enhanced: str, text: str, parting: bytes
) -> None:
    talk = at(stage)
    assert talk.hears(raw) is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.unmet) == (stage, None, "reply")
    assert (c.code, c.enhanced, c.text, c.parting, c.keep) == (code, enhanced, text, parting, False)


@pytest.mark.parametrize("stage", [stage for stage, _ in STAGES])
def test_a_drop_keeps_the_stage(stage: Stage) -> None:
    talk = at(stage)
    talk.hears(b"25")
    assert talk.conversation.closed(9) is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.unmet, c.code) == (stage, Trouble.CLOSED, None, 0)
    assert c.detail == "after 2 bytes of an unfinished reply"


def test_a_clean_drop_says_no_more() -> None:
    talk = at(Stage.RCPT)
    assert talk.conversation.closed(9) is DONE
    assert talk.conversation.detail == ""


@pytest.mark.parametrize("stage", [stage for stage, _ in STAGES])
@pytest.mark.parametrize(
    ("raw", "trouble"), [(b"\x00\x01\x02", Trouble.MALFORMED), (b"250-x\r\n" * 10_000, Trouble.TOO_LARGE)]
)
def test_what_is_no_reply_ends_the_call(stage: Stage, raw: bytes, trouble: Trouble) -> None:
    talk = at(stage)
    assert talk.hears(raw) is DONE
    assert (talk.conversation.stage, talk.conversation.trouble) == (stage, trouble)
    assert talk.conversation.detail


def test_a_421_together_with_a_good_reply_ends_the_next_stage() -> None:
    talk = at(Stage.MAIL)
    assert talk.hears(b"250 ok\r\n421 4.3.2 going down\r\n") is DONE
    assert (talk.conversation.stage, talk.conversation.code, talk.conversation.unmet) == (Stage.RCPT, 421, "reply")


@pytest.mark.parametrize("chunks", [[b"250 ok\r\n250 ok\r\n"], [b"250 ok\r\n25", b"0 ok\r\n"]])
def test_a_good_reply_that_came_before_its_command_is_not_believed(chunks: list[bytes]) -> None:
    talk = at(Stage.MAIL)
    assert talk.hears(*chunks) is DONE
    assert (talk.conversation.stage, talk.conversation.trouble) == (Stage.RCPT, Trouble.MALFORMED)
    assert talk.conversation.detail == "a reply that nobody asked for: '250 ok\\r\\n'"


@pytest.mark.parametrize("more", [b"250 injected\r\n", b"x"])
def test_plain_bytes_behind_starttls_are_an_attack_or_a_defect(more: bytes) -> None:
    talk = at(Stage.STARTTLS)
    assert talk.hears(b"220 go\r\n" + more) is DONE
    assert (talk.conversation.stage, talk.conversation.trouble) == (Stage.STARTTLS, Trouble.MALFORMED)


def test_starttls_that_is_not_offered_is_said_with_what_is() -> None:
    talk = Talk(plan_of(tls="starttls"))
    assert talk.hears(BANNER, b"250-peer\r\n250-size 10\r\n250-\r\n250 LIMITS RCPTMAX=20\r\n") is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.detail) == (Stage.STARTTLS, Trouble.NO_STARTTLS, "offered: SIZE LIMITS")
    assert (c.code, c.text) == (0, ""), "the text of EHLO is no complaint"


def test_what_follows_the_last_250_fails_nothing() -> None:
    talk = at(Stage.DOT)
    assert talk.hears(b"250 ok\r\n421 timeout\r\n") is DONE
    assert (talk.conversation.stage, talk.conversation.trouble, talk.conversation.keep) == (Stage.DONE, None, False)


# kept connections


def test_a_kept_connection_goes_on_with_mail_and_remembers_what_was_offered() -> None:
    plan = plan_of(connection="reuse", login=LOGIN, tls="implicit")
    first = Talk(plan)
    assert first.hears(BANNER, OFFER, b"235 ok\r\n", OK, OK, GO, OK) is DONE
    assert first.conversation.keep
    second = Talk(plan, session=first.conversation.session)
    assert second.conversation.resumed(0) is MORE
    assert b" SIZE=" in second.sent[0]
    assert second.hears(OK, OK, GO, OK) is DONE
    assert second.conversation.stage is Stage.DONE
    assert second.conversation.message_id != first.conversation.message_id


def test_a_connection_that_says_more_is_not_kept() -> None:
    talk = Talk(plan_of(connection="reuse"))
    assert talk.hears(BANNER, OFFER, OK, OK, GO, OK + b"421") is DONE
    assert not talk.conversation.keep


def test_nothing_less_than_an_injection_keeps_its_connection() -> None:
    talk = Talk(plan_of(connection="reuse", depth="rcpt"))
    assert talk.hears(BANNER, OFFER, OK, OK) is DONE
    assert not talk.conversation.keep


# the message


def test_the_message_is_a_mail_with_an_id_of_its_own() -> None:
    talk = at(Stage.DOT)
    mail = message_from_bytes(talk.message, policy=policy.SMTP)
    assert mail["Message-ID"] == talk.conversation.message_id
    assert re.fullmatch(r"<[0-9a-f]{16}\.[0-9a-f]{12}@example\.com>", talk.conversation.message_id)
    assert mail["Date"].datetime is not None
    assert str(mail["Date"]).endswith("+0000")
    assert (mail["From"], mail["To"], mail["Subject"]) == ("probe@example.com", "sink@example.net", "prober injection")
    assert (mail["X-Prober"], mail["X-Prober-Endpoint"]) == ("injection", "injection")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "thrown away" in mail.get_content()
    assert at(Stage.DOT).conversation.message_id != talk.conversation.message_id


def test_a_message_id_may_be_given() -> None:
    talk = Talk(message_id="<given@example.com>")
    talk.hears(BANNER, OFFER, OK, OK, GO)
    assert talk.message.startswith(b"Message-ID: <given@example.com>\r\n")
    assert size_said(talk) == len(talk.message)


def through(mail: dict[str, Any], offer: bytes = OFFER) -> Talk:
    """A talk that has sent its message."""
    base = {"from": "probe@example.com", "to": "sink@example.net"}
    talk = Talk(plan_of(mail=base | mail))
    talk.hears(BANNER, offer, OK, OK, GO)
    return talk


def test_lines_that_begin_with_a_dot_are_stuffed() -> None:
    talk = through({"body": ".\n..two\nthree.\n."})
    assert talk.sent[-1].endswith(b"\r\n\r\n..\r\n...two\r\nthree.\r\n..\r\n.\r\n")
    assert message_from_bytes(talk.message, policy=policy.SMTP).get_content() == ".\r\n..two\r\nthree.\r\n.\r\n"
    assert size_said(talk) == len(talk.message), "stuffed dots do not count (RFC 1870 6.1)"


@pytest.mark.parametrize("size", [1, 60, 61, 62, 63, 136, 137, 138, 5000])
def test_the_body_is_filled_up_to_its_size(size: int) -> None:
    talk = through({"size": size})
    _head, _, body = talk.message.partition(b"\r\n\r\n")
    assert len(body) == max(size, 60)
    assert max(len(line) for line in body.split(b"\r\n")) <= 78
    assert body.endswith(b"\r\n")
    assert b"\r" not in body.replace(b"\r\n", b"")


def test_eight_bits_go_as_they_are_where_they_may_and_quoted_elsewhere() -> None:
    mail = {"body": "Grüße\n", "subject": "Prüfung"}
    natural = through(mail)
    assert natural.sent[1].endswith(b" BODY=8BITMIME\r\n")
    assert "Grüße".encode() in natural.message
    quoted = through(mail, b"250-peer\r\n250 SIZE\r\n")
    assert b"BODY=" not in quoted.sent[1]
    assert quoted.message.isascii()
    for talk in (natural, quoted):
        read = message_from_bytes(talk.message, policy=policy.SMTP)
        assert (read["Subject"], read.get_content()) == ("Prüfung", "Grüße\r\n")
        assert size_said(talk) == len(talk.message)


def test_a_line_too_long_for_mail_is_quoted_even_where_eight_bits_may_go() -> None:
    for text in ("x" * 1000, "ü" * 600):
        talk = through({"body": text})
        assert talk.message.isascii()
        assert message_from_bytes(talk.message, policy=policy.SMTP).get_content() == text + "\r\n"


def test_smtputf8_is_used_where_an_address_needs_it() -> None:
    talk = through({"to": "jörg@example.net"})
    assert talk.sent[1].endswith(b" BODY=8BITMIME SMTPUTF8\r\n")
    assert talk.sent[2] == "RCPT TO:<jörg@example.net>\r\n".encode()
    assert "\r\nTo: jörg@example.net\r\n".encode() in talk.message


def test_an_address_that_needs_smtputf8_is_not_sent_to_a_server_without_it() -> None:
    talk = Talk(plan_of(mail={"from": "probe@example.com", "to": "jörg@example.net"}))
    assert talk.hears(BANNER, b"250-peer\r\n250 8BITMIME\r\n") is DONE
    c = talk.conversation
    assert (c.stage, c.trouble, c.unmet, c.detail) == (Stage.MAIL, None, "smtputf8", "offered: 8BITMIME")
    assert c.parting == b"QUIT\r\n"


def test_a_domain_in_other_letters_needs_no_smtputf8() -> None:
    talk = through({"to": "sink@bücher.example"}, b"250 peer\r\n")
    assert talk.sent[2] == b"RCPT TO:<sink@xn--bcher-kva.example>\r\n"
    assert b"\r\nTo: sink@xn--bcher-kva.example\r\n" in talk.message


def test_headers_of_the_user_are_added_and_replace_ours() -> None:
    talk = through({"headers": {"X-Campaign": "sparkpost-performance-test-1", "subject": "mine"}})
    mail = message_from_bytes(talk.message, policy=policy.SMTP)
    assert (mail["X-Campaign"], mail.get_all("Subject")) == ("sparkpost-performance-test-1", ["mine"])


# plans that cannot be


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"mail": None}, "depth data needs mail"),
        ({"mail": None, "depth": "rcpt"}, "depth rcpt needs mail"),
        ({"login": {"username": "u"}}, "the login has no password"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        plan_of(**settings)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"from_": "nobody"}, "not a mail address: 'nobody'"),
        ({"to": "a@b>\r\nRSET"}, "not a mail address"),
        ({"subject": "a\r\nBcc: c@d.example"}, "linefeed"),
        ({"headers": {"X-A": "a\nb"}}, "linefeed"),
        ({"headers": {"X A": "a"}}, "not a header's name"),
        ({"headers": {"message-id": "x"}}, "cannot be set"),
    ],
)
def test_nothing_can_be_smuggled_into_a_message(fields: dict[str, Any], error: str) -> None:
    mail = Mail.model_construct(**({"from_": "a@b.example", "to": "c@d.example"} | fields))  # past the settings' checks
    with pytest.raises(ValueError, match=re.escape(error)):
        messages(mail, "injection")


def test_less_depth_needs_neither_mail_nor_password() -> None:
    assert plan_of(depth="tls", mail=None, login={"username": "u"}).secrets == ()


@pytest.mark.parametrize(
    ("host", "settings", "name"),
    [
        ("probe1.example.org", {}, b"probe1.example.org"),
        ("probe1", {}, b"example.com"),
        ("probe1", {"depth": "ehlo", "mail": None}, b"localhost.localdomain"),
    ],
)
def test_without_helo_we_say_who_we_are(
    monkeypatch: pytest.MonkeyPatch, host: str, settings: dict[str, Any], name: bytes
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert plan_of(helo=None, **settings).ehlo == b"EHLO %b\r\n" % name


def test_a_conversation_leaves_nothing_to_the_garbage_collector() -> None:
    plan = plan_of()
    gc.collect()
    gc.disable()
    try:
        for heard in ([BANNER, OFFER, OK, OK, GO, OK], [BANNER, b"junk\r\n"], [BANNER, b"421 bye\r\n"]):
            conversation = plan.conversation(lambda data, shown=None: None)
            for raw in heard:
                step = conversation.feed(raw, 1)
            assert step is DONE
            del conversation
            left = [type(found) for found in gc.get_objects() if isinstance(found, SmtpConversation)]
            assert left == []  # what other threads leave behind meanwhile is not counted
    finally:
        gc.enable()
