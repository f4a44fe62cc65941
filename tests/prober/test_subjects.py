"""Subjects: what they are about is a template's, what threads and replies hang on is not; and they are fit for a header."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from deliver_acts import FACTS, INCIDENT, act
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from test_wording import Shouting, checked, folder

from prober.deliver import texts
from prober.deliver.message import compose
from prober.deliver.wording import Wording, using
from prober.settings import EmailReceiver
from rules.acts import Act, ActKind

NAME = "bird.tickets.email-1"
RECEIVER = EmailReceiver.model_validate({"to": "support@vendor.example", "from": "oncall@example.com"})
TICKET = act(ActKind.TICKET, NAME)
NOTE = act(ActKind.NOTE, NAME, after=TICKET.id, facts={**FACTS, "ticket": "4711"})
TAG = f"[{INCIDENT}]"


def made(place: Path, template: str, a: Act = TICKET) -> str:
    with using(Wording.of(folder(place, subject=template))) as trouble:
        subject = texts.subject(a)
    assert trouble == []
    return subject


def test_the_built_in_subject_names_severity_and_service() -> None:
    assert texts.subject(TICKET) == f"Critical Issue: Bird Email {TAG}"
    plain = act(ActKind.TICKET, NAME, facts={"service": "bird"})
    assert texts.subject(plain) == f"bird {TAG}"


def test_a_template_says_what_it_is_about_and_threads_stay_whole(tmp_path: Path) -> None:
    template = "Ausfall von {{ v.title }} seit {{ v.onset }}"
    about = f"Ausfall von Bird Email seit 2026-11-22 09:59:00 UTC {TAG}"
    assert made(tmp_path, template) == about
    assert made(tmp_path, template, NOTE) == f"Re: [4711] {about}"
    resolved = act(ActKind.PAGE_RESOLVE, "on_call.email-1", after=TICKET.id)
    assert made(tmp_path, template, resolved) == f"Re: {about}"


def test_an_exercise_is_marked_whatever_the_template_says(tmp_path: Path) -> None:
    drill = act(ActKind.NOTE, NAME, facts={**FACTS, "exercise": True})
    assert made(tmp_path, "All is lost", drill) == f"Re: EXERCISE: All is lost {TAG}"


def test_a_template_that_names_the_incident_itself_does_not_have_it_twice(tmp_path: Path) -> None:
    assert made(tmp_path, "[{{ v.incident }}] {{ v.title }}") == f"Bird Email {TAG}"


@pytest.mark.parametrize(
    ("template", "about"),
    [
        ("one\ntwo\r\nBcc: everybody@example.com", "one two Bcc: everybody@example.com"),
        ("a\x00b\x1b[31mc\x85d\u2028e\u202ef", "a\\x00b\\x1b[31mc d e\\u202ef"),
        ("  \n\t ", "Bird Email"),
        ("", "Critical Issue: Bird Email"),
        ("Störung \N{ELECTRIC LIGHT BULB}", "Störung \N{ELECTRIC LIGHT BULB}"),
        ("{# nothing #}", "Bird Email"),
    ],
)
def test_it_is_one_line_that_a_header_takes(tmp_path: Path, template: str, about: str) -> None:
    with using(Wording.of(folder(tmp_path, subject=template))):
        message = message_from_bytes(compose(TICKET, TICKET.key(NAME), NAME, RECEIVER).content, policy=policy.SMTP)
    assert message["Subject"] == f"{about} {TAG}"
    assert message["Bcc"] is None
    assert message["To"] == "support@vendor.example"


@pytest.mark.parametrize("a", [TICKET, NOTE], ids=["ticket", "note"])
def test_a_long_one_is_cut_but_never_its_incident(tmp_path: Path, a: Act) -> None:
    subject = made(tmp_path, "{{ 'x' * 5000 }}", a)
    assert len(subject) == texts.SUBJECT
    assert subject.endswith(f"xxx... {TAG}")


def test_a_long_title_and_a_long_number_leave_the_incident_too() -> None:
    long = {**FACTS, "title": "t" * 900, "ticket": "9" * 300, "exercise": True}
    subject = texts.subject(act(ActKind.NOTE, NAME, facts=long))
    assert len(subject) <= texts.SUBJECT
    assert subject.startswith("Re: [9999")
    assert subject.endswith(f" {TAG}")


@given(title=st.text(max_size=300), number=st.text(max_size=100))
@hypothesis_settings(deadline=None, max_examples=50)
def test_whatever_the_facts_hold_it_is_one_bounded_line_with_the_incident(title: str, number: str) -> None:
    subject = texts.subject(act(ActKind.NOTE, NAME, facts={**FACTS, "title": title, "ticket": number}))
    assert subject.endswith(f" {TAG}")
    assert len(subject.splitlines()) == 1
    assert len(subject) <= texts.SUBJECT


def test_one_that_fails_gives_way_to_the_built_in_one(tmp_path: Path) -> None:
    with using(Wording.of(folder(tmp_path, subject="{{ v.nothing }}"))) as trouble:
        assert texts.subject(TICKET) == f"Critical Issue: Bird Email {TAG}"
    assert "subject.j2, line 1: " in trouble[0]


def test_prober_check_finds_what_is_wrong_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, subject="\n{{ v.sevrity }}")
    status, err = checked(tmp_path, capsys)
    assert status == 1
    assert "subject.j2, line 2: " in err


def test_its_words_come_from_the_catalogue() -> None:
    catalogue = Shouting()
    with using(Wording(translations=catalogue)):
        assert texts.subject(TICKET) == f"«Critical Issue: Bird Email» {TAG}"
    assert "%(severity)s: %(title)s" in catalogue.asked
