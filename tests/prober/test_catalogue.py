"""A catalogue in a folder of texts: another language from file to mail, and never the loss of a text."""

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from asking import Desk
from deliver_acts import FACTS, INCIDENT, act
from room_story import Story, raw
from test_drill import write
from test_web_room import NOW, room_of
from test_wording import checked, folder

from prober.cli import main
from prober.config import load
from prober.deliver import catalogue, texts, view
from prober.deliver.build import build, wording_of
from prober.deliver.message import compose
from prober.deliver.wording import Wording, using
from prober.settings import EmailReceiver
from prober.tickets import NO_NUMBER
from rules.acts import ActKind

NAME = "bird.tickets.email-1"
TICKET = act(ActKind.TICKET, NAME)
GERMAN = {
    "": "Content-Type: text/plain; charset=UTF-8\nLanguage: de_DE\n",
    "Consequences": "Folgen für uns",
    "%(severity)s: %(title)s": "%(title)s: %(severity)s",
    "persistent Unavailability": "anhaltende Nichtverfügbarkeit",
    "This is an automatic call from the operations of %(who)s.": "Hier ruft der Betrieb von %(who)s an.",
    "This is a call from the operations of %(who)s. We report a %(severity)s of %(title)s: %(what)s.": (
        "Hier ist der Betrieb von %(who)s. Wir melden: %(severity)s, %(title)s, %(what)s. Zu 100 %%."
    ),
}


def compiled(place: Path, entries: Mapping[str, str] = GERMAN) -> Path:
    """The folder with a catalogue as msgfmt writes it (GNU gettext's manual, "The Format of GNU MO Files")."""
    made = folder(place)
    pairs = sorted((message.encode(), words.encode()) for message, words in entries.items())
    where, at = [[], []], 28 + 16 * len(pairs)
    body = b""
    for side in (0, 1):
        for pair in pairs:
            where[side] += [len(pair[side]), at + len(body)]
            body += pair[side] + b"\0"
    tables = struct.pack(f"<{4 * len(pairs)}I", *where[0], *where[1])
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    (made / "messages.mo").write_bytes(head + tables + body)
    return made


def test_ticket_subject_and_call_speak_its_language(tmp_path: Path) -> None:
    with using(Wording.of(compiled(tmp_path))) as trouble:
        assert texts.subject(TICKET) == f"Bird Email: Critical Issue [{INCIDENT}]"
        assert "\nFOLGEN FÜR UNS\n" in texts.text(TICKET)
        assert "anhaltende Nichtverfügbarkeit" in texts.summary(TICKET)
        assert "Zu 100 %." in " ".join(texts.text(act(ActKind.HOTLINE)).split())
        assert "Hier ruft der Betrieb von Example GmbH an." in texts.spoken(act(ActKind.HOTLINE))
        page = texts.html(TICKET)
        receiver = EmailReceiver.model_validate({"to": "support@vendor.example", "from": "oncall@example.com"})
        assert "Folgen f=C3=BCr uns" in compose(TICKET, "a-key", NAME, receiver).content.decode()
    assert trouble == []
    assert '<html lang="de-DE">' in page
    assert '<html lang="en">' in texts.html(TICKET), "and only within"


def test_what_it_lacks_stays_english(tmp_path: Path) -> None:
    with using(Wording.of(compiled(tmp_path))):
        assert "VITAL INFORMATION" in texts.text(TICKET)


def test_a_template_of_the_users_beside_it_is_said_by_it_too(tmp_path: Path) -> None:
    made = compiled(tmp_path)
    (made / "ticket.j2").write_text("{% import layout as m %}{{ m.h(_('Consequences')) }}")
    with using(Wording.of(made)):
        assert texts.text(TICKET) == "FOLGEN FÜR UNS\n"


@pytest.mark.parametrize("words", ["%(nobody)s", "100 %", "%s", "%(severity)d", "%(severity)s %"])
def test_a_translation_that_does_not_take_its_values_gives_way_to_english(tmp_path: Path, words: str) -> None:
    wording = Wording.of(compiled(tmp_path, {**GERMAN, "%(severity)s: %(title)s": words, "Consequences": words}))
    with using(wording) as trouble:
        assert texts.subject(TICKET) == f"Critical Issue: Bird Email [{INCIDENT}]"
        assert "CONSEQUENCES" in texts.text(TICKET)
    assert trouble == []
    assert len(list(wording.wrong())) == 2


def test_a_translation_may_leave_a_value_out(tmp_path: Path) -> None:
    with using(Wording.of(compiled(tmp_path, {**GERMAN, "%(severity)s: %(title)s": "%(title)s gestört"}))):
        assert texts.subject(TICKET) == f"Bird Email gestört [{INCIDENT}]"


@pytest.mark.parametrize("language", ["", "de; x=1", '"><script>', "xyzzy" * 9])
def test_an_odd_language_is_none(tmp_path: Path, language: str) -> None:
    made = compiled(tmp_path, {**GERMAN, "": f"Content-Type: text/plain; charset=UTF-8\nLanguage: {language}\n"})
    with using(Wording.of(made)):
        assert '<html lang="en">' in texts.html(TICKET)


@pytest.mark.parametrize(
    "data",
    [b"", b"msgid", b"\xde\x12\x04\x95", b"\xde\x12\x04\x95" + b"\xff" * 24, b"\xde\x12\x04\x95" + b"\x01\0\0\0" * 6],
)
def test_what_is_no_catalogue_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    (folder(tmp_path) / "messages.mo").write_bytes(data)
    status, err = checked(tmp_path, capsys)
    assert status == 1
    assert "messages.mo is no compiled catalogue" in " ".join(err.split())
    assert "msgfmt -o messages.mo messages.po" in " ".join(err.split())


def test_a_catalogue_of_an_unknown_alphabet_or_size_is_told(tmp_path: Path) -> None:
    odd = {**GERMAN, "": "Content-Type: text/plain; charset=klingon\n"}
    with pytest.raises(ValueError, match="no compiled catalogue"):
        Wording.of(compiled(tmp_path, odd))
    (tmp_path / "texts" / "messages.mo").write_bytes(b"\0" * 5_000_001)
    with pytest.raises(ValueError, match="larger than 5000000 bytes"):
        catalogue.read(tmp_path / "texts" / "messages.mo")


def test_prober_check_finds_translations_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiled(tmp_path, {**GERMAN, "%(severity)s: %(title)s": "%(servity)s"})
    status, err = checked(tmp_path, capsys)
    said = " ".join(err.split())
    assert status == 1
    assert "messages.mo: the translation of '%(severity)s: %(title)s' has values that the message has not" in said
    assert "its own: %(severity)s, %(title)s" in said
    assert "1 error" in said


def test_prober_check_takes_a_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (compiled(tmp_path) / "messages.po").write_text("its source may lie beside it")
    assert checked(tmp_path, capsys) == (0, "")


@pytest.mark.parametrize(
    ("name", "words"),
    [("de.po", "de.po is not compiled: msgfmt -o messages.mo de.po"), ("de.mo", "de.mo is not read; the catalogue of")],
)
def test_prober_check_finds_a_catalogue_that_nobody_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    (folder(tmp_path) / name).write_text("x")
    status, err = checked(tmp_path, capsys)
    assert (status, words in " ".join(err.split())) == (1, True)


def test_the_preview_shows_the_users_texts_and_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (compiled(tmp_path) / "note_recovered.j2").write_text("{{ 1 / (v.condition != 'partial') }}")
    path = write(tmp_path, texts="texts")
    assert main(["incidents", "preview", str(path), "--condition", "partial"]) == 1
    out, err = capsys.readouterr()
    assert "| FOLGEN FÜR UNS" in out
    assert "subject   Bird Email: Non-Critical Issue [" in out
    assert "note_recovered.j2, line 1: ZeroDivisionError" in err, "and what went wrong with one of them"


def test_the_room_shows_the_script_in_the_users_words(tmp_path: Path) -> None:
    (folder(tmp_path) / "hotline.j2").write_text("Guten Tag, {{ v.company }} hier.")
    config = raw(texts=str(tmp_path / "texts"))
    story = Story(tmp_path / "prober.db", int(NOW) - 600, config).down()
    assert "Guten Tag, Example GmbH hier." in room_of(story, Desk(config, store=story.path)).inside("script")


def test_a_folder_that_cannot_be_used_leaves_english(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder(tmp_path) / "messages.mo").write_bytes(b"no catalogue")
    settings = load(write(tmp_path)).settings.model_copy(update={"texts": tmp_path / "texts"})
    assert build(settings)
    assert "the built-in ones are: messages.mo is no compiled catalogue" in caplog.text
    assert not wording_of(settings, "bird").translated
    assert not wording_of(settings, "a service of yesterday").translated


def test_the_words_for_a_missing_number_are_the_same_everywhere() -> None:
    assert view._NO_NUMBER == NO_NUMBER
    mailed = {**FACTS, "ticket": "<a@example.com>"}
    assert NO_NUMBER in " ".join(texts.text(act(ActKind.PAGE, facts=mailed)).split())
