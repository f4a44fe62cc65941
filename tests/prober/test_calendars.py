"""Time zones and holidays as the machine and the library know them, made values for the rules."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from prober import calendars, packs
from prober.calendars import CalendarError
from prober.config import from_raw
from prober.errors import ProberError
from prober.measure.services import plan_of
from rules.contracts.calendar import add, is_open
from rules.contracts.model import Pack
from rules.incident import Level, Mode

NOW = round(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp())


def pack(name: str, **terms: object) -> Pack:
    return packs.load(name, Path()).settled(terms)


def instant(local: str, zone: str) -> int:
    return round(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp())


def test_the_hours_are_those_of_the_terms() -> None:
    made = calendars.calendars_of(
        pack("bird-email-enterprise", time_zone="Europe/Amsterdam", holidays="NL", tam_hours="10:00-12:00"), NOW
    )
    assert set(made) == {"business", "tam"}
    assert made["tam"].day == 2 * 3600
    assert date(2026, 12, 25) in made["business"].holidays
    assert is_open(made["business"], instant("2026-11-23T09:00", "Europe/Amsterdam"))


def test_the_outside_of_business_hours_is_their_outside() -> None:
    made = calendars.calendars_of(
        pack("aivo", time_zone="America/Sao_Paulo", holidays="BR-SP", support_24x7="yes"), NOW
    )
    for local in ("2026-11-23T10:00", "2026-11-20T10:00", "2026-11-23T20:00"):
        second = instant(local, "America/Sao_Paulo")
        assert is_open(made["business"], second) is not is_open(made["outside"], second)


def test_holidays_reach_over_the_turn_of_the_year() -> None:
    made = calendars.calendars_of(pack("bird-email-premium", time_zone="Europe/Rome", holidays="IT"), NOW)
    friday = instant("2026-12-31T16:30", "Europe/Rome")
    assert add(made["business"], friday, 3600) == instant("2027-01-04T09:30", "Europe/Rome")  # 1 January is one


def test_regions_have_holidays_of_their_own() -> None:
    bavaria = calendars.holidays_of("DE-BY", range(2026, 2027))
    assert calendars.holidays_of("de", range(2026, 2027)) < bavaria
    assert calendars.holidays_of("None", range(2026, 2027)) == frozenset()


def test_two_starts_in_one_year_give_the_same_hours() -> None:
    bird = pack("bird-email-enterprise", time_zone="Europe/Amsterdam")
    assert calendars.calendars_of(bird, NOW), "there are some"
    later = NOW + 9 * 86_400 + 4711
    assert calendars.calendars_of(bird, NOW) == calendars.calendars_of(bird, later), "a restart changes nothing"


def test_by_default_it_is_now() -> None:
    assert calendars.calendars_of(pack("aivo"))["business"].zone.name == "UTC"


@pytest.mark.parametrize("name", ["Brazil", "../etc/passwd", "Europe", "", "Nowhere/City", "\x00"])
def test_a_zone_that_is_none_is_told(name: str) -> None:
    with pytest.raises(CalendarError, match="is not a time zone; write one such as Europe/Amsterdam"):
        calendars.zone(name, NOW)


@pytest.mark.parametrize("text", ["XX", "BR-XX", "Netherlands", "NL-", "-"])
def test_holidays_of_nowhere_are_told(text: str) -> None:
    if text == "NL-":  # no region named: the country's
        assert calendars.holidays_of(text, range(2026, 2027))
        return
    with pytest.raises(CalendarError, match="names no holidays; write a country such as NL"):
        calendars.holidays_of(text, range(2026, 2027))
    assert issubclass(CalendarError, ProberError)


def test_hours_that_no_term_has_are_told_with_the_calendars_name() -> None:
    plain = pack("bird-email-enterprise").to_mapping()
    plain["calendars"]["business"]["outside"] = "tam"
    plain["calendars"]["tam"] |= {"hours": "00:00-24:00", "days": "mon-sun"}
    with pytest.raises(CalendarError, match=r"^calendar business: the calendar is never open$"):
        calendars.calendars_of(Pack.parse(plain), NOW)


def test_terms_are_looked_up_where_the_rules_cannot() -> None:
    known = packs.load("aivo", Path())
    assert calendars.check_terms(known, {"time_zone": "America/Sao_Paulo", "holidays": "BR-SP"}) == ()
    assert [
        text.partition(";")[0] for text in calendars.check_terms(known, {"time_zone": "x", "holidays": "y", "z": "1"})
    ] == [
        "terms.z: is not known",
        "terms.time_zone: 'x' is not a time zone",
        "terms.holidays: 'y' names no holidays",
    ]


SERVICE: dict[str, Any] = {
    "contract": "360dialog",
    "terms": {"tariff": "premium"},
    "mode": "ask",
    "ask_for": "2m",
    "channels": {"api": [{"name": "account", "url": "http://127.0.0.1/"}]},
    "tickets": [{"webhook": {"url": "http://127.0.0.1/desk"}}],
    "escalation": [{"name": "tam", "webhook": {"url": "http://127.0.0.1/tam"}}],
}
ON_CALL: list[dict[str, Any]] = [
    {"webhook": {"url": "http://127.0.0.1/page"}},
    {"name": "boss", "after": "15m", "webhook": {"url": "http://127.0.0.1/boss"}},
    {"name": "second", "after": "5m", "webhook": {"url": "http://127.0.0.1/second"}},
    {"name": "chief", "after": "15m", "webhook": {"url": "http://127.0.0.1/chief"}},
]


class TestThePlan:
    """What a configuration makes of the agreement."""

    def test_terms_levels_and_consent_come_from_the_configuration(self, tmp_path: Path) -> None:
        raw = {"services": {"chat": SERVICE}, "on_call": ON_CALL, "page_again": "10m"}
        plan = plan_of(from_raw(raw, tmp_path), "chat", tmp_path)
        assert (plan.mode, plan.ask_for, plan.page_again) == (Mode.ASK, 120, 600)
        assert plan.on_call == ("on_call.webhook-1",)
        assert plan.further == (Level(300, ("on_call.second",)), Level(900, ("on_call.boss", "on_call.chief")))
        assert plan.escalation == ("chat.escalation.tam",)
        clock = plan.pack.clock("first-response")
        assert clock is not None
        span = clock.span("severity-2")
        assert span is not None
        assert span.seconds == 30 * 60

    def test_a_plain_list_is_one_level(self, tmp_path: Path) -> None:
        raw = {"services": {"chat": SERVICE}, "on_call": ON_CALL[:1]}
        plan = plan_of(from_raw(raw, tmp_path), "chat", tmp_path)
        assert (plan.on_call, plan.further, plan.page_again) == (("on_call.webhook-1",), (), 0)

    def test_nobody_is_a_level_too(self, tmp_path: Path) -> None:
        plan = plan_of(from_raw({"services": {"chat": SERVICE}}, tmp_path), "chat", tmp_path)
        assert (plan.on_call, plan.further) == ((), ())

    def test_the_agreements_hours_come_with_it(self, tmp_path: Path) -> None:
        service = SERVICE | {"contract": "aivo", "terms": {"time_zone": "America/Sao_Paulo", "support_24x7": True}}
        plan = plan_of(from_raw({"services": {"bot": service}}, tmp_path), "bot", tmp_path)
        assert plan.calendars["business"].zone.name == "America/Sao_Paulo"
        assert plan.pack.hotline is not None
