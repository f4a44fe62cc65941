"""The mail round trip through the real program: a real SMTP server takes the ticket, a real dovecot holds the vendor's answers.

The vendor's machine answers first: its number is read, and no clock stops for it. Then a person does.
"""

import tempfile
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Api, Desk, Script, outside, until
from tests.e2e.program import Program, configuration, service
from tests.peers.dovecot_peer import PASSWORD, USER, Dovecot, dovecot

pytestmark = [pytest.mark.e2e, pytest.mark.peer("dovecot"), pytest.mark.timeout(240)]


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with tempfile.TemporaryDirectory(prefix="dv") as folder, dovecot(Path(folder)) as running:
        yield running


def config(desk: Desk, api: Api, control: Api, imap: int) -> dict[str, Any]:
    bird = service(
        desk,
        "bird",
        {"api": [{"name": "account", "url": api.url}]},
        contract="bird-email-premium",
        terms={"response_within": "2h", "updates_every": "1d"},
    )
    box = {"name": "box", "host": "127.0.0.1", "port": imap, "tls": "none", "username": USER, "password": PASSWORD}
    return configuration(desk, {"bird": bird}, [control], mailboxes=[box])


def answer(ticket: EmailMessage, sender: str, text: str, **headers: str) -> EmailMessage:
    """The vendor's answer in the ticket's thread."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, str(ticket["From"]), f"Re: {ticket['Subject']}"
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="vendor.test")
    mail["In-Reply-To"] = mail["References"] = str(ticket["Message-ID"])
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def records(program: Program, incident: str) -> list[dict[str, Any]]:
    return [line for line in program.trail(incident) if line["type"] == "record"]


def test_an_automatic_answer_gives_the_number_and_a_person_s_answer_stops_the_clock(
    tmp_path: Path, server: Dovecot
) -> None:
    with outside() as (loop, desk):
        api, control = Api(loop, script=Script()), Api(loop)
        with Program(tmp_path, config(desk, api, control, server.port)) as program:
            program.start()
            program.wait_for_log("is watched")
            api.script.always = "503"
            (ticket, *_) = desk.wait_for("ticket", "bird")
            assert ticket.mail is not None
            head = program.incident()
            incident = str(head["id"])

            machine = answer(
                ticket.mail,
                "support@vendor.test",
                "Your request (#48213) was received and will be looked at.",
                Auto_Submitted="auto-replied",
            )
            server.deliver(bytes(machine))
            until(lambda: program.incident()["ticket"] == "48213", "the ticket's number was read")
            seen = records(program, incident)
            assert [r["detail"].get("step") for r in seen if r["kind"] == "life"] == [], "no response by a machine"
            assert "clock_started" in {r["kind"] for r in seen if r["detail"].get("clock") == "response"}
            assert "clock_met" not in {r["kind"] for r in seen}

            server.deliver(bytes(answer(ticket.mail, "anna@vendor.test", "Hello, I look into it.\n\n> We report")))
            met = until(
                lambda: [r for r in records(program, incident) if r["kind"] == "clock_met"],
                "the clock of the first response was stopped",
            )
            assert {r["detail"]["clock"] for r in met} >= {"response"}
            (life,) = [r["detail"] for r in records(program, incident) if r["kind"] == "life"]
            assert (life["step"], life["by"], life["via"]) == ("first_response", "anna@vendor.test", "reply")
            assert "Hello, I look into it." in life["text"]

            shown = program.ask("incidents", "show", incident)
            assert "ticket     48213" in shown
            assert "step=first_response" in shown
            assert "by=anna@vendor.test" in shown

            api.script.always = "ok"
            (note, *_) = desk.wait_for("note", "bird")
            assert note.mail is not None
            until(
                lambda: program.metric("prober_mailbox_up", mailbox="box") == 1.0, "the mailbox is said to be in reach"
            )
            assert note.mail["In-Reply-To"] == ticket.mail["Message-ID"]
            assert "[48213]" in note.mail["Subject"]
            program.stop()


def test_an_answer_that_came_while_the_program_was_down_is_taken_once(tmp_path: Path, server: Dovecot) -> None:
    with outside() as (loop, desk):
        api, control = Api(loop, script=Script()), Api(loop)
        with Program(tmp_path, config(desk, api, control, server.port)) as program:
            program.start()
            program.wait_for_log("is watched")
            api.script.always = "503"
            (ticket, *_) = desk.wait_for("ticket", "bird")
            assert ticket.mail is not None
            incident = str(program.incident()["id"])
            until(lambda: program.incident()["ticket"], "the ticket is known to be in")
            program.stop()
            server.deliver(bytes(answer(ticket.mail, "anna@vendor.test", "We work on it.")))
            for _ in range(2):
                program.start()
                until(
                    lambda: [r for r in records(program, incident) if r["kind"] == "life"],
                    "the answer was taken",
                )
                program.stop()
            steps = [r["detail"]["step"] for r in records(program, incident) if r["kind"] == "life"]
            assert steps == ["first_response"]
