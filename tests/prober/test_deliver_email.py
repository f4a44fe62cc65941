"""Tickets by mail, against a real mailbox and relays that misbehave: what is taken, what is tried again, what is in doubt."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from deliver_acts import act
from smtp_mailbox import DROP, SILENCE, mailbox, relay

from prober.deliver import Delivered
from prober.deliver import email as email_module
from prober.deliver.email import Email
from prober.deliver.relays import Guard, Peer
from prober.settings import EmailReceiver, Relay
from rules.acts import Act, ActKind, Outcome

RECEIVER = EmailReceiver.model_validate({"to": "support@vendor.example", "from": "oncall@example.com"})
VENDOR = {"bird": (Peer("smtp.vendor.example", 587, ("198.51.100.9",)),)}
NAME = "bird.tickets.email-1"
TICKET = act(ActKind.TICKET, NAME)
NOTE = act(ActKind.NOTE, NAME, after=TICKET.id)


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


def plain(port: int, **more: Any) -> Relay:
    return Relay.model_validate({"host": "127.0.0.1", "port": port, "tls": "none", **more})


async def send(
    relays: Sequence[Relay], ticket: Act = TICKET, receiver: EmailReceiver = RECEIVER, **more: Any
) -> Delivered:
    delivery = Email(NAME, receiver, relays, VENDOR, **more)
    return await delivery.deliver(ticket, ticket.key(NAME))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_a_ticket_arrives_with_its_message_id_and_both_texts() -> None:
    async def test() -> None:
        async with mailbox() as box:
            delivered = await send([plain(box.port)])
        assert delivered.outcome is Outcome.ACCEPTED
        assert delivered.detail == f"127.0.0.1:{box.port} answered 250 2.0.0 Ok: queued as 4ABC"
        message, envelope = box.messages[0], box.envelopes[0]
        assert delivered.reference == message["Message-ID"]
        assert envelope.mail_from == "oncall@example.com"
        assert envelope.rcpt_tos == ["support@vendor.example"]
        assert message["Subject"] == "Critical Issue: Bird Email [bird-20261122T095900Z]"
        assert message["Date"] == "Sun, 22 Nov 2026 10:00:00 +0000"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["X-Prober-Key"] == TICKET.key(NAME)
        assert message.get_content_type() == "multipart/alternative"
        for kind in ("plain", "html"):
            body = message.get_body((kind,))
            assert body is not None
            assert "+49 30 1234567" in body.get_content()
            assert "Problème Critique, (i)" in body.get_content()

    within(test)


def test_a_repeat_is_the_same_message() -> None:
    async def test() -> None:
        async with mailbox() as box:
            await send([plain(box.port)])
            await send([plain(box.port)])
        assert box.envelopes[0].content == box.envelopes[1].content

    within(test)


def test_copies_go_out_and_one_that_is_refused_stops_nothing() -> None:
    receiver = RECEIVER.model_copy(update={"cc": ("a@example.com", "b@example.com")})

    async def test() -> None:
        async with mailbox() as box:
            await send([plain(box.port)], receiver=receiver)
        assert box.envelopes[0].rcpt_tos == ["support@vendor.example", "a@example.com", "b@example.com"]
        assert box.messages[0]["Cc"] == "a@example.com, b@example.com"
        async with relay() as peer:
            peer.answers["RCPT"] = [b"250 Ok\r\n", b"550 5.1.1 no such user\r\n", b"250 Ok\r\n"]
            delivered = await send([plain(peer.port)], receiver=receiver)
        assert delivered.outcome is Outcome.ACCEPTED
        assert delivered.detail.endswith("; copy to a@example.com refused: 550 5.1.1 no such user")
        assert len(peer.contents) == 1

    within(test)


@pytest.mark.parametrize(
    ("ehlo", "outcome"),
    [
        (b"500 what?\r\n", Outcome.ACCEPTED),
        (b"502 what?\r\n", Outcome.ACCEPTED),
        (b"550 not you\r\n", Outcome.PERMANENT),
    ],
)
def test_an_old_relay_is_greeted_with_helo(ehlo: bytes, outcome: Outcome) -> None:
    async def test() -> None:
        async with relay({"EHLO": ehlo, "HELO": b"250 relay.test\r\n"}) as peer:
            delivered = await send([plain(peer.port)])
        assert delivered.outcome is outcome, delivered.detail
        assert len(peer.contents) == (outcome is Outcome.ACCEPTED)

    within(test)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_tls_is_verified_against_the_configured_authority_and_login_follows(
    implicit: bool, server_tls: ssl.SSLContext, ca: Path
) -> None:
    async def test() -> None:
        async with mailbox(tls=server_tls, implicit=implicit, login=("oncall", "s3cr3t-p4ss")) as box:
            tls = "implicit" if implicit else "starttls"
            configured = plain(box.port, tls=tls, ca=str(ca), username="oncall", password="s3cr3t-p4ss")
            delivered = await send([configured])
        assert delivered.outcome is Outcome.ACCEPTED, delivered.detail
        assert box.logins == ["PLAIN"]
        assert len(box.messages) == 1

    within(test)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_certificate_of_another_authority_is_not_accepted_and_may_be_put_right(
    implicit: bool, server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))

    async def test() -> None:
        async with mailbox(tls=server_tls, implicit=implicit) as box:
            delivered = await send([plain(box.port, tls="implicit" if implicit else "starttls", ca=str(other))])
        assert delivered.outcome is Outcome.TRANSIENT
        assert "certificate is not accepted" in delivered.detail
        assert box.messages == []

    within(test)


def test_a_refused_login_is_permanent_and_the_password_is_not_told() -> None:
    async def test() -> None:
        async with relay(
            {"EHLO": b"250-relay\r\n250 AUTH PLAIN\r\n", "AUTH": b"535 5.7.8 s3cr3t-p4ss is wrong\r\n"}
        ) as peer:
            delivered = await send([plain(peer.port, username="oncall", password="s3cr3t-p4ss")])
        assert delivered.outcome is Outcome.PERMANENT
        assert "AUTH answered 535 5.7.8" in delivered.detail
        assert "s3cr3t-p4ss" not in delivered.detail
        assert peer.contents == []

    within(test)


@pytest.mark.parametrize(
    ("script", "outcome", "detail"),
    [
        ({"greeting": b"421 busy\r\n"}, Outcome.TRANSIENT, "the greeting answered 421 busy"),
        ({"greeting": b"554 no service here\r\n"}, Outcome.PERMANENT, "the greeting answered 554 no service here"),
        ({"greeting": DROP}, Outcome.TRANSIENT, "connecting: "),
        ({"greeting": b"\xff\x00 what is this\r\n"}, Outcome.TRANSIENT, "the greeting answered -1"),
        ({"EHLO": b"421 busy\r\n"}, Outcome.TRANSIENT, "EHLO answered 421 busy"),
        ({"EHLO": b"550 who are you\r\n"}, Outcome.PERMANENT, "EHLO answered 550 who are you"),
        ({"EHLO": DROP}, Outcome.TRANSIENT, "EHLO: "),
        ({"MAIL": b"421 busy\r\n"}, Outcome.TRANSIENT, "MAIL answered 421 busy"),
        ({"MAIL": b"451 4.3.0 later\r\n"}, Outcome.TRANSIENT, "MAIL answered 451 4.3.0 later"),
        ({"MAIL": b"530 5.7.0 log in\r\n"}, Outcome.PERMANENT, "MAIL answered 530 5.7.0 log in"),
        ({"MAIL": DROP}, Outcome.TRANSIENT, "MAIL: "),
        ({"RCPT": b"450 4.2.0 greylisted\r\n"}, Outcome.TRANSIENT, "RCPT answered 450 4.2.0 greylisted"),
        ({"RCPT": b"452 4.3.1 full\r\n"}, Outcome.TRANSIENT, "RCPT answered 452 4.3.1 full"),
        ({"RCPT": b"550 5.7.1 no relay\r\n"}, Outcome.PERMANENT, "RCPT answered 550 5.7.1 no relay"),
        ({"RCPT": b"552 too many recipients\r\n"}, Outcome.TRANSIENT, "RCPT answered 552 too many recipients"),
        ({"RCPT": DROP}, Outcome.TRANSIENT, "RCPT: "),
        ({"DATA": b"451 4.3.0 later\r\n"}, Outcome.TRANSIENT, "DATA answered 451 4.3.0 later"),
        ({"DATA": b"554 5.5.1 no\r\n"}, Outcome.PERMANENT, "DATA answered 554 5.5.1 no"),
        ({"DATA": b"250 what\r\n"}, Outcome.TRANSIENT, "DATA answered 250 what"),
        ({"DATA": DROP}, Outcome.TRANSIENT, "DATA: "),
        ({"dot": b"421 shutting down\r\n"}, Outcome.TRANSIENT, "the final dot answered 421 shutting down"),
        ({"dot": b"452 4.3.1 full\r\n"}, Outcome.TRANSIENT, "the final dot answered 452 4.3.1 full"),
        ({"dot": b"550 5.7.1 spam\r\n"}, Outcome.PERMANENT, "the final dot answered 550 5.7.1 spam"),
        ({"dot": b"552 5.3.4 too large\r\n"}, Outcome.PERMANENT, "the final dot answered 552 5.3.4 too large"),
        ({"dot": DROP}, Outcome.UNKNOWN, "the final dot: "),
        ({"dot": b"huh?\r\n"}, Outcome.UNKNOWN, "the final dot: "),
        ({"dot": b"354 more\r\n"}, Outcome.UNKNOWN, "the final dot: an answer that is none: 354"),
    ],
)
def test_each_failure_says_whether_trying_again_can_help(
    script: dict[str, bytes], outcome: Outcome, detail: str
) -> None:
    async def test() -> None:
        async with relay(script) as peer:
            delivered = await send([plain(peer.port)])
        assert delivered.outcome is outcome, delivered.detail
        assert delivered.detail.startswith(f"127.0.0.1:{peer.port} {detail}")
        assert delivered.reference == ""

    within(test)


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_relay_that_falls_silent_before_the_dot_is_left_when_its_time_is_over(stage: str) -> None:
    async def test() -> None:
        async with relay({stage: SILENCE}) as peer:
            delivered = await send([plain(peer.port)], timeout=1.0)
        assert delivered.outcome is Outcome.TRANSIENT
        assert delivered.detail.endswith("no answer in time")

    within(test)


def test_silence_after_the_dot_is_in_doubt_and_no_other_relay_is_tried() -> None:
    async def test() -> None:
        async with relay({"dot": SILENCE}) as silent, relay() as other:
            delivered = await send([plain(silent.port), plain(other.port)], timeout=5.0)
        assert delivered.outcome is Outcome.UNKNOWN
        assert delivered.detail == f"127.0.0.1:{silent.port} the final dot: no answer in time"
        assert other.connections == 0

    within(test)


def test_a_relay_that_loses_its_answer_to_a_message_twice_comes_last_for_it() -> None:
    async def test() -> None:
        async with relay({"dot": DROP}) as lossy, relay() as other:
            delivery = Email(NAME, RECEIVER, [plain(lossy.port), plain(other.port)], VENDOR)
            first, second, third = [await delivery.deliver(TICKET, TICKET.key(NAME)) for _ in range(3)]
            note = await delivery.deliver(NOTE, NOTE.key(NAME))
        assert [d.outcome for d in (first, second, third)] == [Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.ACCEPTED]
        assert third.detail.startswith(f"127.0.0.1:{other.port} ")
        assert lossy.contents[:2] == other.contents * 2, "the same message, Message-ID included"
        assert note.detail.startswith(f"127.0.0.1:{lossy.port} "), "another message, another try"

    within(test)


def test_a_relay_that_refuses_the_login_and_hangs_up_has_refused() -> None:
    async def test() -> None:
        answers: dict[str, bytes | list[bytes]] = {"AUTH": [b"535 5.7.8 wrong password\r\n", DROP]}
        async with relay({"EHLO": b"250-relay.test\r\n250 AUTH PLAIN LOGIN\r\n"}) as peer:
            peer.answers |= answers
            delivered = await send([plain(peer.port, username="u", password="longpassword")])
        assert delivered.outcome is Outcome.PERMANENT
        assert delivered.detail.endswith("AUTH answered 535 5.7.8 wrong password")

    within(test)


@pytest.mark.parametrize(
    ("ehlo", "words"),
    [
        (b"250 relay.test\r\n", "AUTH: the relay offers no login"),
        (b"250-relay.test\r\n250 AUTH XOAUTH2\r\n", "AUTH: the relay offers no way to log in that we know"),
    ],
)
def test_a_relay_that_offers_no_login_is_told_in_plain_words(ehlo: bytes, words: str) -> None:
    async def test() -> None:
        async with relay({"EHLO": ehlo}) as peer:
            delivered = await send([plain(peer.port, username="u", password="longpassword")])
        assert delivered.outcome is Outcome.TRANSIENT
        assert delivered.detail.endswith(words)

    within(test)


def test_a_silent_relay_leaves_time_for_the_next() -> None:
    async def test() -> None:
        async with relay({"greeting": SILENCE}) as silent, relay() as other:
            delivered = await send([plain(silent.port), plain(other.port)], timeout=4.0)
        assert delivered.outcome is Outcome.ACCEPTED
        assert len(other.contents) == 1

    within(test)


def test_after_the_dot_a_relay_has_all_the_time_that_is_left() -> None:
    async def test() -> None:
        release = asyncio.Event()
        async with relay() as slow, relay() as other:
            slow.before_dot = release
            # The first relay's share is 2 s of the four; it answers after 2.1 s.
            asyncio.get_running_loop().call_later(2.1, release.set)
            delivered = await send([plain(slow.port), plain(other.port)], timeout=4.0)
        assert delivered.outcome is Outcome.ACCEPTED
        assert other.connections == 0

    within(test)


def test_the_next_relay_is_tried_whatever_the_first_refused() -> None:
    async def test() -> None:
        for refusal in ({"MAIL": b"530 5.7.0 log in\r\n"}, {"MAIL": b"451 later\r\n"}):
            async with relay(refusal) as first, relay() as second:
                delivered = await send([plain(first.port), plain(second.port)])
            assert delivered.outcome is Outcome.ACCEPTED
            assert len(second.contents) == 1

    within(test)


def test_relays_that_all_refuse_for_good_are_a_refusal_and_one_that_may_later_keeps_it_open() -> None:
    async def test() -> None:
        async with relay({"RCPT": b"550 no\r\n"}) as first, relay({"dot": b"554 no\r\n"}) as second:
            both = await send([plain(first.port), plain(second.port)])
        assert both.outcome is Outcome.PERMANENT
        assert (
            both.detail
            == f"127.0.0.1:{first.port} RCPT answered 550 no; 127.0.0.1:{second.port} the final dot answered 554 no"
        )
        async with relay({"RCPT": b"550 no\r\n"}) as first, relay({"dot": b"451 no\r\n"}) as second:
            one = await send([plain(first.port), plain(second.port)])
        assert one.outcome is Outcome.TRANSIENT

    within(test)


def test_a_relay_that_nobody_listens_at_is_transient() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        async def test() -> None:
            delivered = await send([plain(unused.getsockname()[1])])
            assert delivered.outcome is Outcome.TRANSIENT
            assert "connecting" in delivered.detail

        within(test)


def test_a_relay_without_starttls_or_auth_is_transient_and_nothing_is_sent_in_the_clear() -> None:
    async def test() -> None:
        async with relay() as peer:
            without_tls = await send([plain(peer.port, tls="starttls", username="u", password="longpassword")])
            without_auth = await send([plain(peer.port, username="u", password="longpassword")])
        assert (without_tls.outcome, without_auth.outcome) == (Outcome.TRANSIENT, Outcome.TRANSIENT)
        assert "STARTTLS" in without_tls.detail
        assert "AUTH" in without_auth.detail
        assert not any(command.startswith(("AUTH", "MAIL")) for command in peer.commands)

    within(test)


def test_broken_tls_is_transient() -> None:
    async def test() -> None:
        async with relay() as peer:
            delivered = await send([plain(peer.port, tls="implicit")], timeout=2.0)
        assert delivered.outcome is Outcome.TRANSIENT
        assert delivered.detail.startswith(f"127.0.0.1:{peer.port} connecting: TLS failed: ")

    within(test)


def test_a_server_text_cannot_break_a_line_or_hide_itself() -> None:
    async def test() -> None:
        async with relay({"RCPT": b"550 \x1b[2Jgo\xe2\x80\xaeod " + b"x" * 400 + b"\r\n"}) as peer:
            delivered = await send([plain(peer.port)])
        assert "\\x1b[2Jgo\\u202eod" in delivered.detail
        assert delivered.detail.isprintable()
        assert len(delivered.detail) < 500

    within(test)


def test_without_a_relay_the_act_stays_pending_with_a_word_for_on_call() -> None:
    async def test() -> None:
        none = await send([])
        assert (none.outcome, none.detail) == (Outcome.TRANSIENT, "no_relay: no relay is configured")

    within(test)


def test_a_ticket_never_leaves_through_the_service_itself() -> None:
    async def test() -> None:
        async with relay() as service, relay() as other:
            own = {"bird": (Peer("127.0.0.1", service.port),), "another": (Peer("127.0.0.1", other.port),)}
            delivery = Email(NAME, RECEIVER, [plain(service.port), plain(other.port)], own)
            past = await delivery.deliver(TICKET, TICKET.key(NAME))
            only = Email(NAME, RECEIVER, [plain(service.port)], own)
            stuck = await only.deliver(TICKET, TICKET.key(NAME))
            unnamed = replace(TICKET, facts={})
            whichever = await delivery.deliver(unnamed, unnamed.key(NAME))
        assert past.outcome is Outcome.ACCEPTED
        assert past.detail.startswith(f"127.0.0.1:{other.port}")
        assert stuck.outcome is Outcome.TRANSIENT
        assert stuck.detail.startswith("no_relay: every relay is the service itself; 127.0.0.1:")
        assert whichever.detail.startswith("no_relay: every relay is the service itself")
        assert service.connections == 0

    within(test)


def test_a_connection_that_led_to_the_service_all_the_same_carries_nothing() -> None:
    class Fooled(Guard):
        """What the names said before the connection was made; the address has moved since."""

        async def usable(self, relays: Sequence[Relay], service: Any) -> tuple[tuple[Relay, ...], tuple[()]]:
            return tuple(relays), ()

    async def test() -> None:
        async with relay() as service:
            delivery = Email(
                NAME, RECEIVER, [plain(service.port)], {"bird": (Peer("127.0.0.1", service.port),)}, Fooled()
            )
            delivered = await delivery.deliver(TICKET, TICKET.key(NAME))
        assert delivered.outcome is Outcome.TRANSIENT
        assert delivered.detail.startswith("no_relay: ")
        assert service.commands == []

    within(test)


def test_letters_outside_ascii_before_the_at_ask_for_smtputf8() -> None:
    receiver = EmailReceiver.model_validate({"to": "jürgen@bücher.example", "from": "oncall@example.com"})

    async def test() -> None:
        async with mailbox(wide=True) as box:
            delivered = await send([plain(box.port)], receiver=receiver)
        assert delivered.outcome is Outcome.ACCEPTED, delivered.detail
        assert box.envelopes[0].rcpt_tos == ["jürgen@xn--bcher-kva.example"]
        async with relay() as peer:
            refused = await send([plain(peer.port)], receiver=receiver)
        assert refused.outcome is Outcome.PERMANENT
        assert "no SMTPUTF8 offered" in refused.detail

    within(test)


def test_dots_at_line_starts_arrive_as_they_were() -> None:
    facts = {**TICKET.facts, "samples": [{"response": "..\n.\nend"}], "customer": {"company": ". Ltd"}}

    async def test() -> None:
        async with mailbox() as box:
            await send([plain(box.port)], replace(TICKET, facts=facts))
        body = box.messages[0].get_body(("plain",))
        assert body is not None
        assert "  | ..\n  | .\n  | end" in body.get_content().replace("\r\n", "\n")

    within(test)


@pytest.mark.parametrize(
    ("sockname", "literal"),
    [
        (("192.0.2.1", 25), "[192.0.2.1]"),
        (("fe80::1%eth0", 25, 0, 0), "[IPv6:fe80::1]"),
        (None, "[127.0.0.1]"),
    ],
)
def test_a_machine_without_a_full_name_gives_its_address(sockname: object, literal: str) -> None:
    assert email_module._address_literal(sockname) == literal


@pytest.mark.parametrize("name", ["mail.example.com", "box"])
def test_ehlo_gives_a_full_name_or_an_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)

    async def test() -> None:
        async with relay() as peer:
            await send([plain(peer.port)])
        assert peer.commands[0] == ("EHLO mail.example.com" if "." in name else "EHLO [127.0.0.1]")

    within(test)


def test_cancelling_passes_through() -> None:
    async def test() -> None:
        async with relay({"MAIL": SILENCE}) as peer:
            task: asyncio.Task[Delivered] = asyncio.ensure_future(send([plain(peer.port)]))
            await peer.heard("MAIL")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    within(test)
