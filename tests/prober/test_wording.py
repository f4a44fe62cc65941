"""Templates of the user's in the place of built-in ones: found wrong by `prober check`, never the loss of an act; and gettext."""

import asyncio
import gettext
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from deliver_acts import FACTS, act
from http_desk import answer, desk
from test_drill import write

from prober.cli import main
from prober.config import load
from prober.deliver import texts
from prober.deliver.build import build
from prober.deliver.wording import Wording, built_in, standard, using
from prober.settings import Settings
from rules.acts import ActKind, Outcome

NAME = "bird.tickets.email-1"
TICKET = act(ActKind.TICKET, NAME)


def folder(place: Path, **templates: str) -> Path:
    """`ticket="..."` becomes ticket.j2."""
    made = place / "texts"
    made.mkdir(exist_ok=True)
    for name, text in templates.items():
        (made / f"{name}.j2").write_text(text, encoding="utf-8")
    return made


def checked(place: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> tuple[int, str]:
    path = write(place, **more)
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({"texts": "texts", **config}))
    status = main(["check", str(path)])
    return status, capsys.readouterr().err


def test_a_template_of_the_users_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    own = Wording.of(folder(tmp_path, ticket="{% import layout as m %}{{ m.p('Sehr geehrte Damen, ' ~ v.title) }}"))
    with using(own) as trouble:
        assert texts.text(TICKET) == "Sehr geehrte Damen, Bird Email\n"
        assert "<p>Sehr geehrte Damen, Bird Email</p>" in texts.html(TICKET)
        assert "An addition to our ticket" in texts.text(act(ActKind.NOTE, NAME)), "the others stay"
    assert trouble == []
    assert "We report a" in texts.text(TICKET), "and only within"


def test_a_part_that_several_texts_share_can_be_replaced_alone(tmp_path: Path) -> None:
    parts = built_in()["parts.j2"].replace("While this lasts, mail of", "For as long as this lasts, mail of")
    with using(Wording.of(folder(tmp_path, parts=parts))):
        assert "For as long as this lasts" in texts.text(TICKET)


def test_the_built_in_one_can_be_added_to(tmp_path: Path) -> None:
    with using(Wording.of(folder(tmp_path, ticket='{% include "builtin/ticket.j2" %}\nOur contract: 4711\n'))):
        assert texts.text(TICKET).startswith("We report a")
        assert texts.text(TICKET).endswith("Our contract: 4711\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("first\n{{ v.unheard_of }}", "ticket.j2, line 2: "),
        ("{{ 1 / 0 }}", "ticket.j2, line 1: ZeroDivisionError"),
        ('{% include "none.j2" %}', "there is no template 'none.j2'"),
        ("{{ ().__class__.__mro__ }}", "ticket.j2, line 1: access to attribute '__class__'"),
        ("{{ 'x' * 2000000 }}", "it makes more than 1000000 characters"),
    ],
)
def test_one_that_fails_gives_way_to_the_built_in_one_and_says_so(tmp_path: Path, text: str, words: str) -> None:
    with using(Wording.of(folder(tmp_path, ticket=text))) as trouble:
        assert texts.text(TICKET).startswith("We report a")
    assert len(trouble) == 1
    assert "the built-in text took the place of one of" in trouble[0]
    assert words in trouble[0]


def test_an_act_goes_out_although_its_template_is_broken_and_the_record_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with desk(answer("202 Accepted")) as served:
            settings = Settings.model_validate(
                {
                    "texts": str(folder(tmp_path, ticket="{{ v.unheard_of }}")),
                    "services": {
                        "bird": {
                            "contract": "bird-email-enterprise",
                            "channels": {"api": [{"name": "a", "url": "http://127.0.0.1:9/"}]},
                            "tickets": [{"webhook": {"url": f"http://127.0.0.1:{served.port}/"}}],
                        }
                    },
                }
            )
            delivery = build(settings)["bird.tickets.webhook-1"]
            delivered = await delivery.deliver(TICKET, "a-key")
            assert delivered.outcome is Outcome.ACCEPTED
            assert "the built-in text took the place" in delivered.detail
            assert b"We report a" in served.requests[0].body

    asyncio.run(work())


def test_a_folder_that_cannot_be_used_leaves_the_built_in_texts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = load(write(tmp_path))
    for place in (tmp_path / "missing", folder(tmp_path, ticket="{% if %}")):
        assert build(loaded.settings.model_copy(update={"texts": place}))
        assert "the built-in ones are" in caplog.text
        caplog.clear()


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ({"tiket": "x"}, "tiket.j2 is no text of ours; known are escalation.j2, hotline.j2"),
        ({"ticket": "one\n{% if %}"}, "ticket.j2, line 2: Expected an expression"),
        ({"page": "\n{{ v.sevrity }}"}, "page.j2, line 2: "),
        ({"voice": "{{ summry }}"}, "voice.j2, line 1: 'summry' is undefined"),
        ({"note": "x" * 200_001}, "note.j2 is larger than 200000 bytes"),
    ],
)
def test_prober_check_finds_it_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], templates: dict[str, str], words: str
) -> None:
    folder(tmp_path, **templates)
    status, err = checked(tmp_path, capsys)
    assert status == 1
    assert words in err
    assert "texts" in err
    assert "1 error\n" in err


def test_prober_check_finds_a_folder_that_is_missing_or_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, err = checked(tmp_path, capsys)
    assert (status, "the folder cannot be read: No such file or directory" in err) == (1, True)
    (folder(tmp_path) / "page.j2").write_bytes(b"\xff\xfe")
    status, err = checked(tmp_path, capsys)
    assert (status, "the folder cannot be read" in err) == (1, True)


def test_prober_check_takes_what_is_right_also_for_a_service_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path, **{name.removesuffix(".j2"): text for name, text in built_in().items()})
    (tmp_path / "texts" / "README.txt").write_text("other files may lie beside")
    assert checked(tmp_path, capsys, texts="texts") == (0, "")


def test_the_copies_of_the_built_in_templates_render_the_same(tmp_path: Path) -> None:
    copies = {name.removesuffix(".j2"): text for name, text in built_in().items()}
    plain, html = texts.text(TICKET), texts.html(TICKET)
    with using(Wording.of(folder(tmp_path, **copies))) as trouble:
        assert (texts.text(TICKET), texts.html(TICKET), trouble) == (plain, html, [])


class Shouting(gettext.NullTranslations):
    """A catalogue that has every message, in capitals where no value is named."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return f"«{message}»"


@pytest.mark.parametrize("kind", ["page", "page_resolve", "ticket", "note", "hotline", "escalation"])
def test_every_sentence_of_a_template_can_be_said_otherwise_by_a_catalogue(kind: str) -> None:
    catalogue = Shouting()
    with using(Wording(translations=catalogue)) as trouble:
        words = texts.text(act(ActKind(kind), NAME))
    assert trouble == []
    assert len(catalogue.asked) > 5
    plain = texts.text(act(ActKind(kind), NAME))
    assert " ".join(words.replace("«", "").replace("»", "").split()).lower() == " ".join(plain.split()).lower()


@pytest.mark.parametrize(
    "message",
    [
        "persistent Unavailability",
        "time-out on the server's side",
        "API calls",
        "%(configured)s; answering",
        "%(since)s (%(bad)s of %(measured)s measured seconds)",
        "the ticket was refused by every receiver; open it by hand",
        "%(title)s: is due at %(due)s",
        "%(words)s (read %(at)s)",
        texts._EXERCISE,
        "This is an exercise. There is no incident.",
        "recovered at %(at)s",
    ],
)
def test_the_programs_own_words_in_a_text_can_be_said_otherwise_too(message: str) -> None:
    late = {"title": "Call back", "due": 1_795_342_500}
    sample = {**FACTS["samples"][0], "fault": "server_timeout"}
    said = {"at": 1_795_341_600, "indicator": "major", "description": "down"}
    facts = {**FACTS, "samples": [sample], "vendor_status": said}
    catalogue = Shouting()
    with using(Wording(translations=catalogue)):
        told = [
            texts.text(act(ActKind.TICKET, NAME, facts=facts)),
            texts.text(act(ActKind.PAGE, NAME, step="ticket-failed")),
            texts.text(act(ActKind.PAGE, NAME, facts={**FACTS, "clock": late})),
            texts.text(act(ActKind.PAGE_RESOLVE, NAME, facts={**FACTS, "recovered": 1_795_342_500})),
            texts.text(act(ActKind.TICKET, NAME, facts={**FACTS, "exercise": True})),
            texts.spoken(act(ActKind.HOTLINE, NAME, facts={**FACTS, "exercise": True})),
        ]
    assert message in catalogue.asked
    first = re.split(r"%\(\w+\)s|\s", message)[0]
    assert any(f"«{first}" in text for text in told)


def test_a_translation_that_does_not_take_its_values_gives_way_to_english() -> None:
    class Broken(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return "%(nothing)s" if message == "%(words)s since %(onset)s" else message

    with using(Wording(translations=Broken())):
        assert "persistent Unavailability since 2026-11-22" in texts.summary(act(ActKind.PAGE, NAME))


def test_what_a_catalogue_says_is_text_and_no_markup() -> None:
    class Hostile(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return "<script>" if message == "Consequences" else message

    with using(Wording(translations=Hostile())):
        assert "<script>" not in texts.html(TICKET)
        assert "&lt;script&gt;" in texts.html(TICKET)


def test_the_messages_can_be_extracted() -> None:
    environment: Any = standard()._environments[False]
    found = {message for source in built_in().values() for _, _, message in environment.extract_translations(source)}
    assert "We allege no cause and ask for your analysis." in found
    assert "This is prober, with a page for on-call." in found
