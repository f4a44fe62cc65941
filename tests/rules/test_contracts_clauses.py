"""Hours, clocks, terms and limits of a pack: what may be written, and what is said of what is not right."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rules.contracts.clauses import LimitKind, Party, Span, TermKind, Use
from rules.contracts.model import SILENT, Pack
from rules.contracts.spans import read_days, read_hours, read_span, week_of, write_span
from rules.model import Condition

PACKS = Path(__file__).parents[2] / "rules" / "contracts" / "packs"
PLAIN: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted(PACKS.glob("*.yaml"))
}
PARSED = {name: Pack.parse(plain) for name, plain in PLAIN.items()}
BIRD = "bird-email-enterprise"


def changed(path: str, value: Any, of: str = BIRD) -> dict[str, Any]:
    """The pack's data with another value at `path`; a value of KeyError takes the key away."""
    data = copy.deepcopy(PLAIN[of])
    *folders, key = path.split(".")
    inner: Any = data
    for folder in folders:
        inner = inner[int(folder)] if isinstance(inner, list) else inner[folder]
    if value is KeyError:
        del inner[key]
    else:
        inner[int(key) if isinstance(inner, list) else key] = value
    return data


def faults(data: object) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the texts are asserted by the callers, line by line
        Pack.parse(data)
    return str(caught.value).splitlines()


class TestAllPacks:
    @pytest.mark.parametrize("name", PARSED)
    def test_each_goes_to_plain_data_and_back(self, name: str) -> None:
        pack = PARSED[name]
        assert Pack.parse(pack.to_mapping()) == pack
        assert Pack.parse(pack.settled({}).to_mapping()) == pack.settled({})

    @pytest.mark.parametrize("name", PARSED)
    def test_every_clause_names_its_article_or_says_that_the_document_is_silent(self, name: str) -> None:
        pack = PARSED[name]
        clauses: list[Any] = [pack.unavailability, pack.resolution, pack.severity_set_by, *pack.severities, *pack.terms]
        clauses += [*pack.conditions.values(), *pack.calendars, *pack.clocks, *pack.keep, *pack.never]
        clauses += [c for c in (pack.hotline, pack.escalation) if c]
        clauses += list(pack.tickets.channels) if pack.tickets else []
        assert all(clause.article for clause in clauses)
        assert all(limit.source for limit in pack.limits)

    @pytest.mark.parametrize("name", PARSED)
    def test_each_gives_every_condition_that_concerns_the_vendor_a_severity(self, name: str) -> None:
        pack = PARSED[name]
        assert set(pack.conditions) == set(Condition) - {Condition.FAILING, Condition.BLIND}
        assert pack.on_call_alone == (Condition.FAILING, Condition.BLIND)
        assert pack.wanted

    @pytest.mark.parametrize("name", PARSED)
    def test_settled_twice_it_is_the_same(self, name: str) -> None:
        settled = PARSED[name].settled({})
        assert settled.settled({}) == settled

    def test_what_the_documents_leave_open_is_a_term_marked_silent(self) -> None:
        silent = {name: [t.name for t in pack.terms if t.article == SILENT] for name, pack in PARSED.items()}
        assert {"time_zone", "holidays", "persistence_source"} <= set(silent[BIRD])
        assert all("persistence" in names for names in silent.values())


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("clocks.call-back.title", KeyError, "clocks.call-back.title: is missing; write the agreement's word for it"),
        (
            "clocks.call-back.article",
            KeyError,
            "clocks.call-back.article: is missing; name the article of the document",
        ),
        ("clocks.call-back.within", KeyError, "clocks.call-back.within: is missing; write 15m, or term:NAME, or"),
        ("clocks.call-back.within", 15, "clocks.call-back.within: is no duration; write 15m, or term:NAME, or"),
        (
            "clocks.call-back.within",
            "15 minutes",
            "clocks.call-back.within: '15 minutes' is no duration; write a number",
        ),
        ("clocks.call-back.within", "0m", "clocks.call-back.within: '0m' is no duration; write a number and its unit"),
        (
            "clocks.call-back.within",
            {"severity": {"huge": "15m"}},
            "clocks.call-back.within.severity: 'huge' is not a severity of this pack; one of critical, non-critical",
        ),
        ("clocks.call-back.within", {"severity": {}}, "clocks.call-back.within.severity: holds no duration; write 15m"),
        (
            "clocks.call-back.within",
            {"severity": {"critical": 15}},
            "clocks.call-back.within.severity.critical: '15' is no duration;",
        ),
        (
            "clocks.call-back.within",
            "term:speed",
            "clocks.call-back.within: 'speed' is not a term of this pack; one of",
        ),
        (
            "clocks.call-back.within",
            "term:hotline",
            "clocks.call-back.within: the term hotline is of kind text; write kind: duration at the term",
        ),
        (
            "clocks.call-back.calendar",
            "night",
            "clocks.call-back.calendar: 'night' is not a calendar of this pack; one of",
        ),
        ("clocks.call-back.starts", ["call"], "clocks.call-back.starts: 'call' is not known; one of opened, ticket,"),
        (
            "clocks.call-back.starts",
            KeyError,
            "clocks.call-back.starts: is missing; list what starts it: one of opened,",
        ),
        ("clocks.call-back.due", ["shout"], "clocks.call-back.due: 'shout' is not known; one of page, chase, hotline,"),
        (
            "clocks.call-back.warn",
            ["soon"],
            "clocks.call-back.warn: 'soon' is no duration; write a number and its unit",
        ),
        (
            "clocks.call-back.again",
            "often",
            "clocks.call-back.again: 'often' is no duration; write a number and its unit",
        ),
        ("clocks.call-back.at_most", 0, "clocks.call-back.at_most: the number 0 where a whole number of 1 or more is"),
        (
            "clocks.call-back.severities",
            ["huge"],
            "clocks.call-back.severities: 'huge' is not a severity of this pack;",
        ),
        ("clocks.call-back.of", "them", "clocks.call-back.of: 'them' is not known; one of vendor, us"),
        (
            "clocks.call-back.when",
            {"tam": "yes"},
            "clocks.call-back.when.tam: the term tam is of kind text; write kind: choice",
        ),
        ("clocks.call-back.when", {"tam": 3}, "clocks.call-back.when.tam: is no value of a term; write one, or a list"),
        (
            "clocks.call-back.when",
            {"tam": []},
            "clocks.call-back.when.tam: is no value of a term; write one, or a list",
        ),
        ("hotline.when", {"x": "yes"}, "hotline.when.x: 'x' is not a term of this pack; one of hotline, tam,"),
        (
            "escalation",
            KeyError,
            "clocks.call-back.due: escalates, and there is no section escalation; leave escalate out",
        ),
        ("escalation.calendar", "night", "escalation.calendar: 'night' is not a calendar of this pack; one of always,"),
        (
            "calendars.always",
            PLAIN[BIRD]["calendars"]["tam"],
            "calendars.always: is the name of the calendar that is always",
        ),
        (
            "calendars.tam.days",
            "mon-xyz",
            "calendars.tam.days: 'mon-xyz' names no days of the week; write days as mon-fri",
        ),
        ("calendars.tam.days", "mon-", "calendars.tam.days: 'mon-' names no days of the week; write days as mon-fri"),
        ("calendars.tam.hours", "9-17", "calendars.tam.hours: '9-17' are no hours; write hours as 09:00-18:00"),
        (
            "calendars.tam.hours",
            "18:00-09:00",
            "calendars.tam.hours: '18:00-09:00' are no hours of one day in their order;",
        ),
        (
            "calendars.tam.zone",
            "term:tam",
            "calendars.tam.zone: the term tam is of kind text; write kind: zone at the term",
        ),
        (
            "calendars.tam.outside",
            "night",
            "calendars.tam.outside: 'night' is no calendar with hours of its own; name one",
        ),
        ("terms.tam.kind", "choice", "terms.tam: kind: choice and choices belong together; write both, or neither"),
        ("terms.tam.choices", ["ann"], "terms.tam: kind: choice and choices belong together; write both, or neither"),
        ("terms.tam_days.default", "never", "terms.tam_days.default: 'never' names no days of the week; write days as"),
        (
            "terms.updates_every.default",
            "1",
            "terms.updates_every.default: '1' is no duration; write a number and its unit",
        ),
        (
            "conditions.slow",
            {"severity": "huge", "article": "1"},
            "conditions.slow: 'huge' is not a severity of this pack;",
        ),
        ("conditions.slow.article", KeyError, "conditions.slow.article: is missing; name the article of the document"),
        (
            "conditions.slow.confirmed",
            "huge",
            "conditions.slow: 'huge' is not a severity of this pack; one of critical,",
        ),
        (
            "conditions.slow.scopes",
            {"channel": "huge"},
            "conditions.slow: 'huge' is not a severity of this pack; one of",
        ),
        (
            "conditions.slow.scopes",
            {"planet": "critical"},
            "conditions.slow.scopes.planet: is not known; known here: service",
        ),
        (
            "conditions.slow.scopes",
            "critical",
            "conditions.slow.scopes: is no mapping; name a severity for service, channel",
        ),
        (
            "conditions.slow.term",
            "tam",
            "conditions.slow.term: the term tam is of kind text; write kind: severity at the",
        ),
        ("limits.0.channel", "fax", "limits[0].channel: 'fax' is no channel; write api or smtp"),
        (
            "limits.0.kind",
            "mood",
            "limits[0].kind: 'mood' is not known; one of calls_per_second, connections, deadline",
        ),
        ("limits", {}, "limits: a mapping where a list is wanted; list the vendor's documented limits"),
        ("never.0", "shout", "never[0]: a text where a mapping is wanted; write `key: value` lines"),
        (
            "tickets.channels.0.use",
            "perhaps",
            "tickets.channels[0].use: 'perhaps' is not known; one of none, may, must",
        ),
        ("severity_set_by.by", "fate", "severity_set_by.by: 'fate' is not known; one of vendor, us"),
    ],
)
def test_what_is_wrong_is_said_with_its_path_and_what_is_right(path: str, value: Any, error: str) -> None:
    found = faults(changed(path, value))
    assert any(line.startswith(error) for line in found), "\n".join(found)


def test_a_value_that_a_choice_does_not_have_is_told() -> None:
    data = changed("clocks.first-response.within", {"tariff": {"gold": "1h"}}, of="360dialog")
    assert faults(data) == [
        "clocks.first-response.within.tariff: 'gold' is not among the term's choices; one of basic, regular, premium"
    ]


class TestSettling:
    def test_no_clause_depends_on_a_term_any_more(self) -> None:
        pack = PARSED["360dialog"].settled({"tariff": "premium", "updates_every": "6h"})
        spans = {clock.name: clock.span("severity-1") for clock in pack.clocks}
        assert spans == {
            "first-response": Span(seconds=30 * 60),
            "resolution": Span(seconds=48 * 3600),
            "updates": Span(seconds=6 * 3600),
            "our-silence": Span(seconds=48 * 3600),
        }
        assert all(not clock.when and clock.within.by in ("", "severity") for clock in pack.clocks)

    def test_a_value_without_a_duration_has_no_such_clock(self) -> None:
        pack = Pack.parse(changed("clocks.first-response.within", {"tariff": {"premium": "30m"}}, of="360dialog"))
        assert pack.settled({}).clock("first-response") is None
        assert pack.settled({"tariff": "premium"}).clock("first-response") is not None

    def test_terms_that_are_wrong_count_as_not_filled_in(self) -> None:
        pack = PARSED["360dialog"].settled({"tariff": "gold", "updates_every": 5})
        assert pack.clock("updates") is None
        assert pack.clock("first-response") is None

    def test_hours_that_are_not_filled_in_are_as_if_nothing_were_written(self) -> None:
        pack = Pack.parse(changed("terms.business_hours.default", KeyError)).settled({})
        business = next(c for c in pack.calendars if c.name == "business")
        assert (business.hours, business.days, business.zone, business.holidays) == (
            "00:00-24:00",
            "mon-fri",
            "UTC",
            "none",
        )

    def test_a_hotline_that_was_not_agreed_leaves_no_trace(self) -> None:
        pack = PARSED["aivo"].settled({})
        assert pack.hotline is None
        assert {s.hotline for s in pack.severities} == {Use.NONE}
        agreed = PARSED["aivo"].settled({"support_24x7": "yes"})
        assert agreed.hotline is not None
        assert agreed.clock("resolution-24x7") is not None

    def test_scopes_can_have_severities_of_their_own(self) -> None:
        data = changed("conditions.partial.scopes", {"channel": "critical", "service": "critical"})
        pack = Pack.parse(data)
        found = {scope: pack.severity_of(Condition.PARTIAL, scope) for scope in ("", "api", "api/account")}
        assert {scope: s.name for scope, s in found.items() if s} == {
            "": "critical",
            "api": "critical",
            "api/account": "non-critical",
        }
        assert Pack.parse(pack.to_mapping()) == pack

    def test_a_confirmation_changes_nothing_where_the_agreement_does_not_speak_of_it(self) -> None:
        pack = PARSED[BIRD]
        assert pack.severity_of(Condition.SLOW, confirmed=True) == pack.severity_of(Condition.SLOW)


class TestTerms:
    @pytest.mark.parametrize(
        ("name", "terms", "said"),
        [
            ("360dialog", {"tariff": "gold"}, "terms.tariff: 'gold' is not a choice; one of basic, regular, premium"),
            (
                "360dialog",
                {"unavailable_severity": "1"},
                "terms.unavailable_severity: '1' is not a choice; one of severity-1,",
            ),
            (
                "360dialog",
                {"updates_every": "often"},
                "terms.updates_every: 'often' is no duration; write a number and its",
            ),
            ("aivo", {"support_24x7": "perhaps"}, "terms.support_24x7: 'perhaps' is not a choice; one of yes, no"),
            (
                BIRD,
                {"business_days": "workdays"},
                "terms.business_days: 'workdays' names no days of the week; write days as",
            ),
            (
                BIRD,
                {"business_hours": "nine to five"},
                "terms.business_hours: 'nine to five' are no hours; write hours as",
            ),
            (
                BIRD,
                {"tam": True},
                "terms.tam: true or false where a text is wanted; The Technical Account Manager: name,",
            ),
        ],
    )
    def test_what_is_wrong_is_told(self, name: str, terms: dict[str, Any], said: str) -> None:
        (fault,) = PARSED[name].check_terms(terms)
        assert fault.startswith(said)

    @pytest.mark.parametrize("value", [True, False, "yes", "no"])
    def test_yes_and_no_may_be_written_as_yaml_reads_them(self, value: object) -> None:
        assert PARSED["aivo"].check_terms({"support_24x7": value}) == ()

    def test_kinds_are_what_the_packs_use(self) -> None:
        assert {t.kind for pack in PARSED.values() for t in pack.terms} == set(TermKind)


class TestSpans:
    @given(st.builds(Span, seconds=st.integers(1, 10**5)) | st.builds(Span, days=st.integers(1, 999)))
    def test_a_span_is_read_as_it_is_written(self, span: Span) -> None:
        assert read_span(write_span(span)) == span

    @pytest.mark.parametrize(
        ("text", "written"), [("90s", "90s"), ("120s", "2m"), ("60m", "1h"), ("48h", "48h"), ("5d", "5d")]
    )
    def test_the_shortest_way_is_written(self, text: str, written: str) -> None:
        assert write_span(read_span(text)) == written

    @pytest.mark.parametrize(
        ("text", "days"),
        [
            ("mon-fri", {0, 1, 2, 3, 4}),
            ("Monday - Friday", {0, 1, 2, 3, 4}),
            ("sat-mon", {5, 6, 0}),
            ("mon, wed,fri", {0, 2, 4}),
            ("sun", {6}),
        ],
    )
    def test_days_as_people_write_them(self, text: str, days: set[int]) -> None:
        assert read_days(text) == days

    @pytest.mark.parametrize(
        "text", ["", "x", "09:00", "09:00-09:00", "23:00-25:00", "09:00-12:00, 11:00-13:00", "9:60-10:00"]
    )
    def test_what_are_no_hours(self, text: str) -> None:
        with pytest.raises(ValueError, match="are no hours"):
            read_hours(text)

    def test_a_lunch_break(self) -> None:
        assert week_of("fri", "9:00-12:00, 13:00-17:30")[4] == ((9 * 3600, 12 * 3600), (13 * 3600, 17 * 3600 + 1800))


def test_who_sets_the_severity() -> None:
    assert {name for name, pack in PARSED.items() if pack.proposes} == {"360dialog", "promptlink"}
    assert PARSED["aivo"].severity_set_by is not None
    assert PARSED["aivo"].severity_set_by.by is Party.US


def test_the_vendors_documented_limits_are_data() -> None:
    (limit,) = PARSED[BIRD].limits
    assert (limit.kind, limit.value, limit.channel) == (LimitKind.DEADLINE, 60, "smtp")
