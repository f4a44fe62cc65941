"""Finding and reading contract packs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from prober import packs, patient
from prober.errors import ProberError

BUILT_IN = Path(__file__).parents[2] / "rules" / "contracts" / "packs" / "bird-email-enterprise.yaml"


def test_the_built_in_packs_are_known_by_name(tmp_path: Path) -> None:
    assert packs.names() == ("360dialog", "aivo", "bird-email-enterprise", "bird-email-premium", "promptlink")
    for name in packs.names():
        assert packs.load(name, tmp_path).name == name


def test_a_pack_of_ones_own_is_read_from_a_path_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BUILT_IN.read_text().replace("name: bird-email-enterprise", "name: mine"))
    assert packs.load("mine.yaml", tmp_path).name == "mine"
    assert packs.load("./mine.yaml", tmp_path).name == "mine"
    assert packs.load(str(tmp_path / "mine.yaml"), Path("/nowhere")).name == "mine"


def test_many_services_read_their_agreement_once_and_a_changed_file_anew(tmp_path: Path) -> None:
    assert packs.load("aivo", tmp_path) is packs.load("aivo", tmp_path / "elsewhere")
    text = (packs._FOLDER / "aivo.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text)
    before = packs.load("mine.yaml", tmp_path)
    (tmp_path / "mine.yaml").write_text(text.replace(before.title, "Another title"))
    assert packs.load("mine.yaml", tmp_path).title == "Another title"


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "mine.yaml")
    with pytest.raises(packs.PackError, match="it is a pipe, and nobody wrote to it"):
        packs.load("mine.yaml", tmp_path)


def test_an_unknown_name_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(packs.PackError) as caught:
        packs.load("bird-email", tmp_path)
    assert str(caught.value) == (
        "contract pack 'bird-email' is not known; built in: 360dialog, aivo, "
        "bird-email-enterprise, bird-email-premium, promptlink; "
        "for a pack of your own write the path of its file, ending in .yaml"
    )
    assert isinstance(caught.value, ProberError)


@pytest.mark.parametrize("name", ["../../secrets", "..", "", "\x00"])
def test_a_name_is_not_a_way_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(packs.PackError):
        packs.load(name, tmp_path)


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(packs.PackError, match=r"mine\.yaml: there is no such file; built-in packs: 360dialog, aivo, "):
        packs.load("mine.yaml", tmp_path)


def test_a_path_with_a_nul_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(packs.PackError, match="this is no path of a file"):
        packs.load("a\x00.yaml", tmp_path)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    with pytest.raises(packs.PackError, match="cannot be read: Is a directory"):
        packs.load("mine.yaml", tmp_path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else meanwhile, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_without_permission_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("x")
    (tmp_path / "mine.yaml").chmod(0)
    with as_nobody(), pytest.raises(packs.PackError, match="cannot be read: Permission denied"):
        packs.load("mine.yaml", tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the whole file: nothing where a mapping is wanted"),
        (b"- a\n", "the whole file: a list where a mapping is wanted"),
        (b"name: [", "is not YAML: line 1: "),
        (b"name: a\nname: b\n", "is not YAML: line 2: 'name' is there twice"),
        (b"? [a]\n: b\n", "is not YAML: line 1: a key is no plain text"),
        (b"name: &a [*a]\n", "is not YAML: line 1: a pack has no aliases; write the text again"),
        (b"name: !!python/object/apply:os.system [true]\n", "is not YAML: line 1: could not determine a constructor"),
        (b"name: mine\ntitle: Plant\xe3o\n", "is not YAML: line 2: is not UTF-8 text; save it as UTF-8"),
        (b"\xff\xfe\xfa", "is not YAML: line 1: is not UTF-16-LE text; save it as UTF-8"),
        (b"a:\n\tb: c\n", "cannot start any token; indent with blanks, YAML allows no tabs"),
        (b"a: b: c\n", "line 1: mapping values are not allowed here; check indentation, colons and quotes"),
        (b"\x00\x01\x02", "is not YAML: "),
        (b"[" * 50_000, "is nested too deep; this is no pack"),
        (b"x" * 1_100_000, "is larger than 1024 KiB; this is no pack"),
        (b"document: {date: 2024-13-45}\n", "document.date: '2024-13-45' is not a day; write it as"),
        (b"document: {date: !!timestamp 2024-13-45}\n", "is not right:\n  month must be in 1..12"),
        (b"name: mine\nvendr: Bird\n", "vendr: is not known; did you mean vendor?"),
    ],
)
def test_a_file_that_is_no_pack_is_told_with_what_is_wrong(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(data)
    with pytest.raises(packs.PackError) as caught:
        packs.load("mine.yaml", tmp_path)
    assert str(tmp_path / "mine.yaml") in str(caught.value)
    assert said in str(caught.value)


def test_each_fault_is_told_with_its_line_where_it_stands_or_would_stand(tmp_path: Path) -> None:
    text = "name: mine\nclocks:\n  updates:\n    title: Updates\n    starts: [tickett]\nseveritys: []\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(packs.PackError) as caught:
        packs.load("mine.yaml", tmp_path)
    told = str(caught.value).splitlines()
    assert "  vendor: is missing; name the vendor" in told, "there is no line for what is not there at all"
    assert "  line 3: clocks.updates.article: is missing; name the article of the document, or write silent" in told
    assert any(line.startswith("  line 5: clocks.updates.starts: 'tickett' is not known; one of ") for line in told)
    assert "  line 6: severitys: is not known; did you mean severities?" in told


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "zone: term:time_zone",
            "zone: Europe/Amsterdm",
            "line 87: calendars.business.zone: 'Europe/Amsterdm' is not a time zone; write one such as Europe/Amsterdam",
        ),
        (
            "holidays: term:holidays",
            "holidays: XX",
            "line 90: calendars.business.holidays: 'XX' names no holidays; write",
        ),
        ("default: UTC", "default: Mars", "line 189: terms.time_zone.default: 'Mars' is not a time zone; write one"),
        (
            "default: none",
            "default: NL-XX",
            "line 214: terms.holidays.default: 'NL-XX' names no holidays; write a country",
        ),
        (
            "hours: term:business_hours\n    holidays: term:holidays\n",
            'hours: "00:00-24:00"\n    holidays: none\n  night:\n    means: x\n    article: silent\n    outside: business\n',
            "line 91: calendars.night: the calendar is never open; write other days or hours",
        ),
        ("value: 60", "value: sixty", "line 174: limits[0].value: a text where a whole number of 1 or more is wanted;"),
        (
            "starts: [intake]",
            "starts: []",
            "line 104: clocks.call-back.starts: is empty, so that the clock never runs;",
        ),
    ],
)
def test_what_would_be_found_at_the_start_or_never_is_told_with_its_line(
    before: str, after: str, said: str, tmp_path: Path
) -> None:
    text = BUILT_IN.read_text().replace("days: term:business_days", "days: mon-sun")
    assert before in text
    (tmp_path / "mine.yaml").write_text(text.replace(before, after, 1))
    with pytest.raises(packs.PackError) as caught:
        packs.load("mine.yaml", tmp_path)
    (_, told) = str(caught.value).splitlines()
    assert told.strip().startswith(said)


@pytest.mark.parametrize("line", ["conditions.0.x: is odd", "name.x: is odd", "tickets: is odd", "no path at all"])
def test_a_line_is_found_in_lists_too_and_none_where_there_is_none(line: str) -> None:
    root = yaml.compose("name: a\nconditions:\n  - y: 1\n  - x: 2\n")
    told = {"conditions.0.x": "line 3: ", "name.x": "line 1: "}
    assert packs._where(root, line) == told.get(line.partition(":")[0], "")
