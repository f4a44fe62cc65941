"""`prober contracts`: agreements as prose that a manager can hold against the document."""

import re
from pathlib import Path

import pytest
import yaml

from prober import calendars, packs
from prober.cli import main
from prober.cli.contract_text import WIDTH, text
from prober.errors import Exit
from rules.contracts.clauses import Mark
from rules.contracts.model import Pack


def shown(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["contracts", "show", name]) == Exit.OK
    return capsys.readouterr().out


def in_one_line(prose: str) -> str:
    return " ".join(prose.split())


@pytest.mark.parametrize("name", packs.names())
def test_it_fits_a_terminal_and_every_clause_names_its_article(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    prose = shown(name, capsys)
    assert max(map(len, prose.splitlines())) <= WIDTH
    pack = packs.load(name, Path())
    words = in_one_line(prose)
    clauses = [*pack.severities, *pack.clocks, *pack.calendars, *pack.keep, *pack.never, *pack.terms, pack.resolution]
    for clause in clauses:
        assert f"[{in_one_line(clause.article)}]" in words
        assert in_one_line(clause.title if hasattr(clause, "title") else clause.means) in words


def test_bird_email_enterprise_reads_like_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    words = in_one_line(shown("bird-email-enterprise", capsys))
    for said in (
        "Document: Services d'Entreprise Email (French, last changed 2024-11-21).",
        "The program does: page on-call at once, open the ticket, then, once it is in, the hotline may be called.",
        "- When the service is persistently Unavailable: Critical Issue.",
        "It takes: company, contact's name, contact's telephone, contact's e-mail, description of the Critical Issue.",
        "- Call back after the intake (call-back). The vendor's clock: 15m at Critical Issue. [Problème Critique, (ii) 2]",
        "It runs around the clock, from when the intake is recorded, stopped by the call back.",
        "on-call is warned 5m before; when it is due: page on-call's next level, then write into the ticket,",
        "then call the hotline again, then escalate in its hours; again every 15m while it is late, 4 times in all.",
        "as the term updates_every says, and none while it is not filled in.",
        "Customer and vendor together.",
        "smtp, at least 60 s for a call:",
    ):
        assert said in words, said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bird-email-premium", "HOTLINE - There is none. [silent]"),
        ("360dialog", "by the term tariff: basic 24h, regular 4h, premium 30m."),
        ("360dialog", "The vendor sets it; ours is proposed."),
        (
            "360dialog",
            "Severity 2; Severity 1 once others confirm it (the vendor's status page); the term unavailable_severity",
        ),
        ("360dialog", "Our clock: 48h. [Решение и закрытие]"),
        ("360dialog", "Only with the term channel: form or email."),
        ("aivo", "Only with the term support_24x7: yes."),
        ("aivo", "It stands still while the vendor waits for us."),
        ("aivo", "All hours that are not in business."),
        ("promptlink", "2h at Priority 1, 24h at Priority 2, 24h at Priority 3, 168h at Priority 4."),
        ("promptlink", "begun anew by an update or"),
    ],
)
def test_what_is_particular_to_an_agreement_is_said(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in in_one_line(shown(name, capsys))


def test_a_pack_that_says_less_reads_well_too() -> None:
    plain = packs.load("bird-email-premium", Path()).to_mapping()
    for key in ("tickets", "calendars", "clocks", "escalation", "keep", "never", "limits", "severity_set_by"):
        plain.pop(key)
    plain |= {"terms": {}, "conditions": {"unavailable": "issue"}}
    plain["document"]["language"] = "eo"
    words = in_one_line(text(Pack.parse(plain)))
    assert "CLOCKS - None. [silent]" in words
    assert "TERMS, WHICH THE CUSTOMER FILLS IN - None." in words
    assert "(eo, last changed 2024-11-21)" in words
    assert "- When the service is persistently Unavailable: Issue. [Technical Account Manager, 1.1 (a) to (c)]" in words


def test_scopes_and_a_must_are_said() -> None:
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    plain["conditions"]["partial"]["scopes"] = {"channel": "critical"}
    plain["severities"]["critical"] |= {"hotline": "must", "after_ticket": False}
    plain["limits"] = [{"kind": "connections", "value": 5, "means": "Five.", "source": "page 3"}]
    words = in_one_line(text(Pack.parse(plain)))
    assert "Non-Critical Issue; of the channel: Critical Issue." in words
    assert "open the ticket, the hotline must be called." in words
    assert "- at most 5 connections at once: Five. [page 3]" in words


@pytest.mark.parametrize("moment", list(Mark))
def test_whatever_starts_and_stops_a_clock_reads_as_a_sentence(moment: Mark) -> None:
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    plain["clocks"]["call-back"] |= {"starts": [moment.value], "stops": [moment.value]}
    words = in_one_line(text(Pack.parse(plain)))
    (begins,) = re.findall(
        r"It runs around the clock, from when (.*?), stopped by (?:the|an?|its|our) [^.]+\. The", words
    )
    assert re.search(r" (?:is|are|has|have|opens|waits)\b", f" {begins}"), "a clause with its verb"


def test_a_clock_that_nothing_else_stops_is_stopped_by_the_closing() -> None:
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    plain["clocks"]["call-back"] |= {"stops": [], "every": True}
    assert "the intake is recorded, stopped by the closing of the issue." in in_one_line(text(Pack.parse(plain)))


def test_what_somebody_wrote_without_an_end_does_not_run_into_what_follows() -> None:
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    plain["calendars"]["business"]["means"] = "Monday to Friday"
    plain["terms"]["time_zone"]["means"] = "The vendor's zone"
    words = in_one_line(text(Pack.parse(plain)))
    assert "- business: Monday to Friday. Reckoned with: " in words
    assert "- time_zone: The vendor's zone. Default: UTC." in words


@pytest.mark.parametrize("name", packs.names())
def test_as_yaml_it_is_a_file_of_ones_own_that_is_right(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contracts", "show", name, "--format", "yaml"]) == Exit.OK
    written = capsys.readouterr().out
    (tmp_path / "ours.yaml").write_text(written, encoding="utf-8")
    assert main(["contracts", "check", str(tmp_path / "ours.yaml")]) == Exit.OK
    assert Pack.parse(yaml.safe_load(written)) == packs.load(name, tmp_path)


def test_the_document_on_agreements_shows_what_can_be_written() -> None:
    """docs/contracts.md: its example of terms and its clock are right as they stand, and the packs named are those built in."""
    prose = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([a-z0-9-]+)` \|", prose, re.MULTILINE)) == tuple(
        sorted(packs.names(), key=prose.index)
    )
    service, clocks = (yaml.safe_load(block) for block in re.findall(r"```yaml(?: pack)?\n(.*?)```", prose, re.DOTALL))
    bot = service["services"]["bot"]
    assert calendars.check_terms(packs.load(bot["contract"], Path()), bot["terms"]) == ()
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    tariff = {"means": "x", "article": "x", "kind": "choice", "choices": ["basic", "premium"]}
    ours = Pack.parse(plain | {"clocks": clocks["clocks"], "terms": plain["terms"] | {"tariff": tariff}})
    assert ours.settled({"tariff": "premium"}).clock("first-response") is not None
    said = re.findall(r"`([a-z-]+)`", prose.partition("What starts and stops a clock:")[2].partition(";")[0])
    assert set(said) == set(Mark)


def test_the_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contracts", "list"]) == Exit.OK
    assert [re.split(r"\s{2,}", line)[0] for line in capsys.readouterr().out.splitlines()] == list(packs.names())


def test_an_unknown_condition_word_cannot_be_shown_because_it_cannot_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("name: ours\nconditions: {tired: high}\n")
    with pytest.raises(packs.PackError, match=r"conditions\.tired: is not a condition; one of unavailable, partial"):
        packs.load("ours.yaml", tmp_path)


def test_terms_that_leave_no_hours_are_told_by_check_and_not_first_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = packs.load("bird-email-enterprise", Path()).to_mapping()
    plain["calendars"]["night"] = {"means": "x", "article": "silent", "outside": "business"}
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    (tmp_path / "prober.yaml").write_text(
        "services:\n  bird:\n    contract: ours.yaml\n"
        '    terms: {business_days: mon-sun, business_hours: "00:00-24:00"}\n'
        "    channels: {api: [{name: account, url: http://127.0.0.1:9}]}\n"
    )
    assert main(["check", str(tmp_path / "prober.yaml")]) == Exit.FAILED
    told = capsys.readouterr().err
    assert "prober.yaml:4: services.bird.terms: calendar night: the calendar is never open" in told
