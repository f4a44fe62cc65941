"""What a contract pack may say, and what is said of one that is not right."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.contracts.clauses import Mark, Span
from rules.contracts.model import SILENT, Hotline, Pack, ResolvedBy
from rules.model import Condition

PACKS = Path(__file__).parents[2] / "rules" / "contracts" / "packs"
PLAIN: dict[str, Any] = yaml.safe_load((PACKS / "bird-email-enterprise.yaml").read_text())
BIRD = Pack.parse(PLAIN)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The pack's data with another value at `path`; a value of KeyError takes the key away."""
    data = copy.deepcopy(PLAIN)
    *folders, key = path.split(".")
    inner = data
    for folder in folders:
        inner = inner[folder]
    if value is KeyError:
        del inner[key]
    else:
        inner[key] = value
    return data


class TestBirdEmailEnterprise:
    def test_persistent_unavailability_is_a_critical_issue_with_first_the_ticket_and_then_maybe_the_hotline(
        self,
    ) -> None:
        critical = BIRD.severity_of(Condition.UNAVAILABLE)
        assert critical is not None
        assert critical.title == "Critical Issue"
        assert critical.article == "Problème Critique, (i)"
        assert (critical.ticket, critical.after_ticket, critical.hotline) == (True, True, Hotline.MAY)
        assert critical.page

    def test_a_non_critical_issue_has_a_ticket_and_no_hotline(self) -> None:
        severity = BIRD.severity("non-critical")
        assert severity is not None
        assert (severity.ticket, severity.hotline) == (True, Hotline.NONE)

    def test_critical_is_more_severe(self) -> None:
        assert BIRD.rank("critical") > BIRD.rank("non-critical") > BIRD.rank("nonsense") == 0

    def test_what_is_not_provably_the_vendors_fault_concerns_on_call_alone(self) -> None:
        assert BIRD.on_call_alone == (Condition.FAILING, Condition.BLIND)
        assert BIRD.severity_of(Condition.FAILING) is None

    def test_what_is_no_persistent_unavailability_of_the_service_is_non_critical(self) -> None:
        for condition in (Condition.PARTIAL, Condition.INTERMITTENT, Condition.SLOW):
            severity = BIRD.severity_of(condition)
            assert severity is not None
            assert severity.name == "non-critical"

    def test_the_call_back_is_due_15_minutes_after_the_intake(self) -> None:
        assert BIRD.hotline is not None
        assert BIRD.hotline.hours == "24x7x365"
        assert len(BIRD.hotline.intake) == 5
        back = BIRD.clock("call-back")
        assert back is not None
        assert back.span("critical") == Span(seconds=15 * 60)
        assert back.span("non-critical") is None
        assert back.starts == (Mark.INTAKE,)

    def test_resolved_when_both_agree(self) -> None:
        assert BIRD.resolution.by is ResolvedBy.AGREEMENT

    def test_the_document_does_not_say_what_persistent_means(self) -> None:
        assert BIRD.unavailability.persistent_article == SILENT

    def test_every_clause_has_an_article_or_says_that_the_document_is_silent(self) -> None:
        clauses = [BIRD.unavailability, BIRD.resolution, BIRD.hotline, *BIRD.severities, *BIRD.terms]
        assert all(getattr(clause, "article", "") for clause in clauses)

    def test_it_goes_to_plain_data_and_back(self) -> None:
        assert Pack.parse(BIRD.to_mapping()) == BIRD


def test_a_pack_without_hotline_goes_to_plain_data_and_back() -> None:
    data = changed("hotline", KeyError)
    data["severities"]["critical"] |= {"hotline": "none", "after_ticket": False}
    data["clocks"]["call-back"]["due"] = ["page", "chase"]
    pack = Pack.parse(data)
    assert pack.hotline is None
    assert Pack.parse(pack.to_mapping()) == pack


def test_where_there_is_a_hotline_the_ticket_comes_first_unless_the_pack_says_otherwise() -> None:
    critical = Pack.parse(changed("severities.critical.after_ticket", KeyError)).severities[0]
    assert critical.after_ticket
    at_once = Pack.parse(changed("severities.critical.after_ticket", False)).severities[0]
    assert not at_once.after_ticket


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("title", KeyError, "title: is missing; name the agreement as people do"),
        ("title", None, "title: is empty; name the agreement as people do"),
        ("title", "  ", "title: is empty; name the agreement as people do"),
        ("title", 3, "title: the number 3 where a text is wanted; name the agreement as people do (in quotes)"),
        ("title", True, "title: true or false where a text is wanted; name the agreement as people do (in quotes)"),
        ("title", {}, "title: a mapping where a text is wanted; name the agreement as people do (in quotes)"),
        ("title", ["a"], "title: a list where a text is wanted; name the agreement as people do (in quotes)"),
        (
            "name",
            "Bird Mail",
            "name: 'Bird Mail' is not a name; use small letters, digits, '-' and '_', a letter or digit first",
        ),
        ("document", "x", "document: a text where a mapping is wanted; write `key: value` lines"),
        ("document", None, "document: is empty; say which text this renders: title, date, language"),
        ("document.date", "21.11.2024", "document.date: '21.11.2024' is not a day; write it as \"2024-11-21\""),
        ("document.colour", "red", "document.colour: is not known; known here: date, title, language"),
        ("unavailability.meanign", "x", "unavailability.meanign: is not known; did you mean meaning?"),
        ("severities", [], "severities: a list where a mapping is wanted; write `key: value` lines"),
        (
            "severities.Big",
            {},
            "severities: 'Big' is not a name; use small letters, digits, '-' and '_', a letter or digit first",
        ),
        (
            "severities.critical.hotline",
            "perhaps",
            "severities.critical.hotline: 'perhaps' is not known; one of none, may, must",
        ),
        (
            "severities.critical.ticket",
            "yes",
            "severities.critical.ticket: a text where true or false is wanted; say whether a ticket is opened",
        ),
        ("severities.critical.colour", "red", "severities.critical.colour: is not known; known here: "),
        (
            "severities.non-critical.after_ticket",
            True,
            "severities.non-critical.after_ticket: speaks of a hotline, and hotline is none; leave it out",
        ),
        (
            "severities.critical.ticket",
            False,
            "severities.critical.after_ticket: waits for a ticket, and ticket is false; write ticket: true",
        ),
        (
            "severities.internal",
            PLAIN["severities"]["non-critical"],
            "severities.internal: is the name for what concerns on-call alone; name it otherwise",
        ),
        (
            "hotline",
            KeyError,
            "severities.critical.hotline: there is no section hotline that describes it; add the section hotline",
        ),
        ("hotline.intake", "company", "hotline.intake: a text where a list is wanted; list the vital information"),
        ("hotline.intake", ["company", 3], "hotline.intake: holds something that is not a text; list the vital"),
        ("hotline.intake", KeyError, "hotline.intake: is missing; list the vital information that it takes"),
        (
            "conditions.unavialable",
            "critical",
            "conditions.unavialable: is not a condition; one of unavailable, partial,",
        ),
        (
            "conditions.partial",
            "huge",
            "conditions.partial: 'huge' is not a severity of this pack; one of critical, non-critical",
        ),
        (
            "conditions.partial",
            2,
            "conditions.partial: does not name a severity; write the name of one of the severities",
        ),
        ("conditions", KeyError, "conditions: is missing; map conditions to severities"),
        ("conditions.blind", "critical", "conditions.blind: is in on_call_alone too; leave it in one of the two"),
        ("on_call_alone", ["blond"], "on_call_alone: 'blond' is not a condition; one of unavailable,"),
        (
            "on_call_alone",
            KeyError,
            "on_call_alone: is missing; list the conditions that page on-call alone; [] for none",
        ),
        ("resolution.by", "us", "resolution.by: 'us' is not known; one of agreement, vendor"),
        ("terms", KeyError, "terms: is missing; list what the customer fills in; {} for nothing"),
        ("terms.hotline", None, "terms.hotline: nothing where a mapping is wanted; write `key: value` lines"),
    ],
)
def test_what_is_wrong_is_said_with_its_path_and_what_is_right(path: str, value: Any, error: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is asserted below, line by line
        Pack.parse(changed(path, value))
    assert any(line.startswith(error) for line in str(caught.value).splitlines()), str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("severities.critical.hotline", True, "severities.critical.hotline: True is not known; "),
        ("severities.critical.ticket", "true", "severities.critical.ticket: a text where true or false is wanted; "),
        ("severities", KeyError, "severities: is missing; "),
        ("clocks.call-back.starts", "intake", "clocks.call-back.starts: a text where a list is wanted; "),
        ("clocks.call-back.starts", ["intke"], "clocks.call-back.starts: 'intke' is not known; "),
    ],
)
def test_what_only_follows_from_a_fault_is_not_said_beside_it(path: str, value: Any, error: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is asserted below, whole
        Pack.parse(changed(path, value))
    (told,) = str(caught.value).splitlines()
    assert told.startswith(error)


@pytest.mark.parametrize(("data", "what"), [(None, "nothing"), ([], "a list"), ("x", "a text"), ({1, 2}, "a set")])
def test_what_is_no_mapping_is_no_pack(data: object, what: str) -> None:
    with pytest.raises(ValueError, match=f"the whole file: {what} where a mapping is wanted"):
        Pack.parse(data)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="title: is missing") as caught:
        Pack.parse({})
    assert len(str(caught.value).splitlines()) == 10


class TestTerms:
    def test_those_of_the_agreement_are_taken(self) -> None:
        assert BIRD.check_terms({"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"}) == ()
        assert BIRD.check_terms({}) == ()

    def test_others_are_refused(self) -> None:
        assert BIRD.check_terms({"hotlin": "+1 555 0100"}) == ("terms.hotlin: is not known; did you mean hotline?",)

    def test_a_telephone_number_needs_quotes(self) -> None:
        (fault,) = BIRD.check_terms({"hotline": 15550100})
        assert fault.startswith("terms.hotline: the number 15550100 where a text is wanted; ")
        assert fault.endswith("(in quotes)")
