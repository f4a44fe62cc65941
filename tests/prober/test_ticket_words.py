"""A ticket that left by mail has no number before the vendor gives it one: words say so, its Message-ID stays a detail."""

from pathlib import Path

import pytest
from cli_store import troubled
from deliver_acts import FACTS, act
from recording import write
from room_story import Story, raw
from test_cli_seconds import on_a_terminal
from test_web_room import NOW, room_of

from prober import tickets
from prober.cli import main
from prober.deliver import texts
from prober.store import IncidentHead, Transaction
from rules.acts import ActKind, Outcome

MAIL = "<0123456789abcdef.bird-20261122T095900Z@example.com>"
MAILED = {**FACTS, "ticket": MAIL, "ticket_status": "accepted"}
NUMBERED = {**FACTS, "ticket": "4711", "ticket_status": "accepted"}


def flat(words: str) -> str:
    return " ".join(words.split())


@pytest.mark.parametrize(
    ("ticket", "words"),
    [
        ("", ""),
        ("4711", "4711"),
        ("OPS-1@desk", "OPS-1@desk"),
        (MAIL, "sent by e-mail, no number from the vendor yet"),
        ("<a b@c>", "<a b@c>"),
    ],
)
def test_only_a_message_id_is_said_in_words(ticket: str, words: str) -> None:
    assert tickets.in_words(ticket) == words
    assert tickets.is_mail(ticket) is (words == tickets.NO_NUMBER)


def test_a_page_has_words_for_the_ticket_and_the_message_id_at_its_end() -> None:
    page = flat(texts.text(act(ActKind.PAGE, facts=MAILED)))
    assert "Ticket: sent by e-mail, no number from the vendor yet" in page
    assert "The ticket was sent by e-mail. Please tell us its number." in page, "as our engineer says it"
    assert page.endswith(f"episode 1 Message-ID of the ticket: {MAIL}")
    numbered = flat(texts.text(act(ActKind.PAGE, facts=NUMBERED)))
    assert "Ticket: 4711" in numbered
    assert "The ticket is 4711." in numbered
    assert "Message-ID" not in numbered


def test_the_hotline_is_asked_for_the_number_that_is_missing() -> None:
    call = flat(texts.text(act(ActKind.HOTLINE, facts=MAILED)))
    assert "The ticket has been sent by e-mail. Please tell us its number." in call
    assert call.endswith(f"Message-ID of the ticket: {MAIL}")
    assert "The ticket has been opened: 4711." in flat(texts.text(act(ActKind.HOTLINE, facts=NUMBERED)))


def test_nobody_hears_a_message_id_read_out() -> None:
    spoken = flat(texts.spoken(act(ActKind.HOTLINE, facts=MAILED)))
    assert "The ticket has been sent by e-mail." in spoken
    assert "example.com>" not in spoken
    assert "The ticket has been opened: 4711." in flat(texts.spoken(act(ActKind.HOTLINE, facts=NUMBERED)))


def test_a_note_says_it_to_the_vendor_and_helps_it_to_find_the_mail() -> None:
    note = flat(texts.text(act(ActKind.NOTE, facts=MAILED)))
    assert f"Ticket: sent by e-mail, no number from you yet Message-ID of the ticket: {MAIL}" in note
    assert texts.subject(act(ActKind.NOTE, facts=MAILED)).startswith("Re: Critical Issue")
    assert texts.subject(act(ActKind.NOTE, facts=NUMBERED)).startswith("Re: [4711] Critical Issue")


def test_the_incident_room_says_it_too(tmp_path: Path) -> None:
    story = Story(tmp_path / "prober.db", int(NOW) - 600, raw()).down()
    story.result(ActKind.TICKET, Outcome.ACCEPTED, "250 taken", MAIL)
    said = flat(room_of(story).said)
    assert f"Ticket sent by e-mail, no number from the vendor yet (its Message-ID: {MAIL})" in said


def test_the_terminal_says_it_and_pipes_keep_the_message_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = troubled(tmp_path)
    head = IncidentHead("bird-2", "bird", "critical", "open", 1_795_341_700, 1_795_341_760, ticket=MAIL)
    write(tmp_path / "kept" / "prober.db", Transaction(incidents=(head,)))
    assert main(["incidents", "show", "bird-2", "--config", str(config)]) == 0
    shown = capsys.readouterr().out
    assert "ticket     sent by e-mail, no number from the vendor yet\n" in shown
    assert f"           Message-ID: {MAIL}\n" in shown
    assert main(["incidents", "--config", str(config)]) == 0
    assert MAIL in capsys.readouterr().out
    assert "sent by e-mail" in on_a_terminal(config, "incidents")
