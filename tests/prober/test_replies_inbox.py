"""From a mail in a real mailbox to a message on the link; and the whole round of a ticket by real SMTP and IMAP servers."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from deliver_acts import INCIDENT, act
from smtp_mailbox import mailbox

from prober.deliver.email import Email
from prober.link import Message
from prober.replies import inbox as inbox_module
from prober.replies.inbox import Inbox, vendor_of
from prober.settings import EmailReceiver, Relay, Settings
from rules.acts import ActKind, Outcome
from tests.peers.dovecot_peer import PASSWORD, USER, Dovecot, dovecot, until

NAME = "bird.tickets.email-1"
RECEIVER = EmailReceiver.model_validate({"to": "support@vendor.example", "from": "oncall@example.com"})


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with tempfile.TemporaryDirectory(prefix="dv") as folder, dovecot(Path(folder)) as running:
        yield running


def settings(port: int = 143, **replies: Any) -> Settings:
    return Settings.model_validate(
        {
            "mailboxes": [
                {
                    "name": "box",
                    "host": "127.0.0.1",
                    "port": port,
                    "tls": "none",
                    "username": USER,
                    "password": PASSWORD,
                }
            ],
            "services": {
                "bird": {
                    "contract": "bird-email-enterprise",
                    "channels": {},
                    "tickets": [{"email": {"to": "support@vendor.example", "from": "oncall@example.com"}}],
                    "replies": replies,
                }
            },
        }
    )


def open_incident(**more: Any) -> Message:
    return {"type": "incidents", "open": [{"id": INCIDENT, "service": "bird", "opened": 1_700_000_000, **more}]}


class Link:
    """What the inbox puts on the link."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [m["reply"] for m in self.sent if m["reply"]]

    def position(self) -> dict[str, Any]:
        return dict(self.sent[-1]["position"]) if self.sent else {}


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def answer(text: str, **headers: str) -> EmailMessage:
    message = EmailMessage()
    given = {"From": "agent@vendor.example", "To": "oncall@example.com", "Subject": "Re: critical"}
    for name, value in {**given, **{n.replace("_", "-"): v for n, v in headers.items()}}.items():
        message[name] = value
    message.set_content(text)
    return message


@pytest.mark.peer("dovecot")
def test_a_ticket_goes_out_by_smtp_and_its_answers_come_back_by_imap(server: Dovecot) -> None:
    """The ticket is taken by a real SMTP server; vendor's machine and person answer it over SMTP into the mailbox."""

    async def work() -> None:
        link = Link()
        inbox = Inbox(link.sent.append)
        inbox.configured(settings(server.port), {})
        async with mailbox() as vendor, mailbox() as ours:
            ticket = act(ActKind.TICKET, NAME)
            relay = Relay.model_validate({"host": "127.0.0.1", "port": vendor.port, "tls": "none"})
            delivered = await Email(NAME, RECEIVER, [relay], {}).deliver(ticket, ticket.key(NAME))
            assert delivered.outcome is Outcome.ACCEPTED
            inbox.opened(open_incident(reference=delivered.reference))
            got = vendor.messages[0]
            thread = {"In_Reply_To": got["Message-ID"], "References": got["Message-ID"]}
            acknowledgement = answer("Your request (#4711) was received.", Auto_Submitted="auto-replied", **thread)
            person = answer("We look into it.\n\n> Your service is down", **thread)
            for message in (acknowledgement, person):
                await aiosmtplib.send(message, hostname="127.0.0.1", port=ours.port, start_tls=False)
                server.deliver(bytes(ours.messages[-1]))
            await until(lambda: len(link.replies) == 2)
        await inbox.close()
        first, second = link.replies
        assert (first["kind"], first["number"], first["automatic"]) == ("acknowledgement", "4711", True)
        assert (second["kind"], second["text"], second["incident"]) == ("response", "We look into it.", INCIDENT)
        assert link.position()["uid"] >= 2

    run(work)


@pytest.mark.peer("dovecot")
def test_nothing_is_read_before_it_is_known_which_incidents_are_open(server: Dovecot) -> None:
    async def work() -> None:
        link = Link()
        inbox = Inbox(link.sent.append)
        inbox.configured(settings(server.port), {"box": {"strange": 1}})
        assert inbox._watched == {}
        inbox.opened({"type": "incidents", "open": []})
        await until(lambda: bool(link.sent))
        assert link.sent[0]["reply"] is None
        await inbox.close()

    run(work)


@pytest.mark.peer("dovecot")
def test_a_mailbox_that_leaves_the_configuration_is_left_and_one_that_stays_is_not_read_again(server: Dovecot) -> None:
    async def work() -> None:
        link = Link()
        inbox = Inbox(link.sent.append)
        inbox.opened({"type": "incidents", "open": []})
        inbox.configured(settings(server.port), {})
        await until(lambda: bool(link.sent))
        (first,) = [task for _, task in inbox._watched.values()]
        inbox.configured(settings(server.port), {"box": {"validity": 1, "uid": 0, "at": 0, "seen": []}})
        assert [task for _, task in inbox._watched.values()] == [first]
        inbox.configured(Settings(), {})
        await asyncio.wait([first])
        assert inbox._watched == {}
        inbox.opened(open_incident())
        inbox.configured(settings(server.port), {})
        server.deliver(bytes(answer("x", Subject=f"Re: [{INCIDENT}]")))
        await until(lambda: len(link.replies) == 1)
        await inbox.close()

    run(work)


@pytest.mark.peer("dovecot")
def test_a_mail_bomb_is_one_story(server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MOST_REPLIES", 5)

    async def work() -> None:
        link = Link()
        inbox = Inbox(link.sent.append)
        inbox.opened({"type": "incidents", "open": []})
        inbox.configured(settings(server.port), {})
        await until(lambda: bool(link.sent))
        before = link.position()["uid"]
        inbox.opened(open_incident())
        for n in range(12):
            server.deliver(bytes(answer(f"bomb {n}", Subject=f"Re: [{INCIDENT}]", From="x@evil.test")))
        await until(lambda: link.position()["uid"] == before + 12)
        await inbox.close()
        assert [r["count"] for r in link.replies] == [1, 2, 3, 4, 5, 10]
        assert {r["kind"] for r in link.replies} == {"aside"}

    run(work)


@pytest.mark.peer("dovecot")
def test_no_secret_of_the_configuration_leaves_by_a_reply(server: Dovecot) -> None:
    async def work() -> None:
        link = Link()
        inbox = Inbox(link.sent.append)
        inbox.opened(open_incident())
        inbox.configured(settings(server.port), {})
        server.deliver(bytes(answer("your password is hunter-PASS: Authorization: Bearer abcdef0123456789abcdef")))
        server.deliver(bytes(answer(f"{PASSWORD}", Subject=f"Re: [{INCIDENT}]")))
        await until(lambda: any("***" in r["text"] for r in link.replies))
        await inbox.close()
        assert PASSWORD not in str(link.sent)

    run(work)


def test_a_file_of_authorities_that_is_gone_leaves_the_other_mailboxes_watched(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def work() -> None:
        gone = tmp_path / "gone.pem"
        given = {"mailboxes": [{"host": "127.0.0.1", "username": "u", "password": "p", "ca": str(gone)}]}
        inbox = Inbox(Link().sent.append)
        inbox.opened({"type": "incidents", "open": []})
        inbox.configured(Settings.model_validate(given), {})
        await asyncio.wait([task for _, task in inbox._watched.values()])
        await inbox.close()

    run(work)
    assert "is not watched: No such file" in caplog.text


def test_who_of_ours_gets_mails_is_known() -> None:
    plain = settings().model_dump(by_alias=True, exclude_unset=True)
    to, sender = "support@vendor.example", "oncall@example.com"
    plain["services"]["bird"]["tickets"] = [{"email": {"to": to, "from": sender, "cc": ["Boss@Example.com", to]}}]
    plain["on_call"] = [{"email": {"to": "night@exämple.com", "from": sender, "cc": ["b@example.com"]}}]
    known = Settings.model_validate(plain)
    copied = vendor_of(known, known.services["bird"]).copied
    assert copied == ("boss@example.com", "b@example.com", "night@xn--exmple-cua.com")


def test_the_vendor_answers_from_where_its_tickets_go_unless_the_configuration_says_otherwise() -> None:
    known = settings()
    vendor = vendor_of(known, known.services["bird"])
    assert (vendor.domains, vendor.own, vendor.copied) == (("vendor.example",), ("oncall@example.com",), ())
    known = settings(domains=["Desk.Example"], number=[r"case (\d+)"], closed=["shut"], agent=["commented"])
    vendor = vendor_of(known, known.services["bird"])
    assert vendor.domains == ("desk.example",)
    assert vendor.number[0].search("case 12").group(1) == "12"
    assert vendor.closed[0].search("now shut")
    assert vendor.agent[0].search("Bob commented:")
