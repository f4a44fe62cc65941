"""A drill in memory: the real rules, deliveries that behave by script, and what is said of each receiver."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from prober import rehearsal
from prober.config import load
from prober.deliver import Arrival, Delivered, Reached, texts
from prober.drill.play import Drill
from prober.drill.standing import Found, Standing
from prober.errors import UsageError
from prober.rehearsal import Rehearsal
from rules.acts import Act, ActKind, Outcome
from rules.incident import Mode
from rules.model import Condition

CONFIG: dict[str, Any] = {
    "customer": {"company": "Customer GmbH", "contact": {"name": "Operations", "phone": "+49 30 1234567"}},
    "services": {
        "bird": {
            "title": "Bird Email",
            "contract": "bird-email-enterprise",
            "channels": {
                "api": [{"name": "account", "url": "https://api.example.com/account"}],
                "smtp": [
                    {
                        "name": "injection",
                        "host": "smtp.example.com",
                        "mail": {"from": "a@example.com", "to": "b@example.com"},
                    }
                ],
            },
            "tickets": [
                {"email": {"to": "support@vendor.example", "from": "oncall@example.com"}},
                {"name": "spare", "webhook": {"url": "http://127.0.0.1:9/ticket"}},
            ],
            "hotline": [{"name": "phone", "webhook": {"url": "http://127.0.0.1:9/hotline"}}],
            "escalation": [{"name": "tam", "webhook": {"url": "http://127.0.0.1:9/tam"}}],
        }
    },
    "on_call": [
        {"name": "pager", "webhook": {"url": "http://127.0.0.1:9/page"}},
        {"name": "boss", "webhook": {"url": "http://127.0.0.1:9/boss"}, "after": "10m"},
    ],
}
PAGER, BOSS, MAIL, SPARE, PHONE, TAM = (
    "on_call.pager",
    "on_call.boss",
    "bird.tickets.email-1",
    "bird.tickets.spare",
    "bird.hotline.phone",
    "bird.escalation.tam",
)


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "prober.yaml"
    config = {**CONFIG, "services": {"bird": {**CONFIG["services"]["bird"], **changes}}}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def rehearse(folder: Path, condition: Condition = Condition.UNAVAILABLE, **changes: Any) -> Rehearsal:
    loaded = load(write(folder, **changes))
    return Rehearsal(loaded.settings, loaded.base, "bird", condition, prefix="drill", exercise=True)


@dataclass
class Taker:
    """A receiver; `answer` says how it takes an act."""

    name: str
    journal: list[tuple[str, Act]]
    answer: Callable[[Act], Delivered] = lambda _: Delivered(Outcome.ACCEPTED, "took it", "ref")

    async def deliver(self, act: Act, key: str) -> Delivered:
        self.journal.append((self.name, act))
        return self.answer(act)


@dataclass
class Caller(Taker):
    """One whose API tells what became of an act."""

    ends: list[Arrival] = field(default_factory=list)

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]


class Played:
    """A drill that was played, and what was seen of it."""

    def __init__(self, played: Rehearsal, within: float = 30.0, **special: Any) -> None:
        self.journal: list[tuple[str, Act]] = []
        self.told: list[str] = []
        names = played.receivers
        takers = {name: special.get(name.rpartition(".")[2], Taker)(name, self.journal) for name in names}
        drill = Drill(played, takers, lambda _at, words, _good: self.told.append(words), within)
        asyncio.run(drill.play())
        self.standings: dict[str, Standing] = drill.standings

    @property
    def lines(self) -> list[str]:
        return [f"{act.kind} {name}" for name, act in self.journal]

    def found(self) -> dict[str, Found]:
        return {name: standing.found for name, standing in self.standings.items()}


def refusing(name: str, journal: list[tuple[str, Act]]) -> Taker:
    return Taker(name, journal, lambda _: Delivered(Outcome.PERMANENT, "no such desk"))


def test_on_call_comes_at_once_then_the_ticket_then_the_hotline_and_at_the_end_the_note_and_the_resolve(
    tmp_path: Path,
) -> None:
    played = Played(rehearse(tmp_path))
    order = [line for line in played.lines if line in (f"page {PAGER}", f"ticket {MAIL}", f"hotline {PHONE}")]
    assert set(order[:2]) == {f"page {PAGER}", f"ticket {MAIL}"}
    assert order[2:] == [f"hotline {PHONE}"], "the hotline follows the ticket"
    assert set(played.lines[-3:]) == {f"note {MAIL}", f"page_resolve {PAGER}", f"page_resolve {BOSS}"}
    assert set(played.found().values()) == {Found.ACCEPTED}


def test_those_who_stand_behind_others_are_told_too(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path))
    for line in (f"page {BOSS}", f"ticket {SPARE}", f"escalation {TAM}"):
        assert played.lines.count(line) == 1, line


def test_every_text_says_that_it_is_an_exercise_and_names_no_real_incident(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path))
    assert len(played.journal) == 9
    for name, act in played.journal:
        assert act.incident.startswith("drill-bird-"), name
        assert "EXERCISE" in texts.subject(act)
        assert texts.summary(act).startswith("EXERCISE: ")
        assert texts.text(act).startswith("EXERCISE: this is a drill.")
        assert '<p style="font-weight:bold">EXERCISE: this is a drill.' in texts.html(act).split("<body")[1][:120]
        assert texts.spoken(act).startswith("This is an exercise.")


def test_no_time_that_is_told_lies_ahead(tmp_path: Path) -> None:
    import time

    played = Played(rehearse(tmp_path))
    now = time.time()
    for _, act in played.journal:
        assert act.created <= now
        assert act.facts.get("recovered", 0) <= now


def test_a_ticket_that_nobody_takes_is_told_and_the_hotline_is_called_when_the_wait_is_over(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path), **{"email-1": refusing, "spare": refusing})
    assert f"hotline {PHONE}" in played.lines
    assert any("the clock is moved by" in words for words in played.told)
    assert played.found()[MAIL] is played.found()[SPARE] is Found.NOT_REACHED
    assert played.standings[MAIL].words == "no such desk"
    assert f"note {MAIL}" not in played.lines, "there is no ticket to add to"


def test_one_that_does_not_answer_in_time_is_given_up(tmp_path: Path) -> None:
    def silent(name: str, journal: list[tuple[str, Act]]) -> Taker:
        return Taker(name, journal, lambda _: Delivered(Outcome.TRANSIENT, "try again later"))

    played = Played(rehearse(tmp_path), 1.0, pager=silent)
    assert played.found()[PAGER] is Found.NOT_REACHED
    assert any("not taken within 1 s" in words for words in played.told)
    assert f"page_resolve {PAGER}" not in played.lines, "nobody resolves what never arrived"
    assert played.found()[MAIL] is Found.ACCEPTED, "the others do not suffer"


@pytest.mark.parametrize(
    ("ends", "found", "words"),
    [
        ([Arrival(Reached.DELIVERED, "answered, 20 s")], Found.REACHED, "answered, 20 s"),
        (
            [Arrival(Reached.WAITING, "ringing", again=0.01), Arrival(Reached.ACKNOWLEDGED, "ann")],
            Found.REACHED,
            "ann",
        ),
        ([Arrival(Reached.FAILED, "busy; called 3 times")], Found.NOT_REACHED, "busy; called 3 times"),
        ([Arrival(Reached.WAITING, "no api_token is configured")], Found.ACCEPTED, "took it"),
        ([Arrival(Reached.WAITING, "ringing", again=0.01)], Found.NOT_REACHED, "nobody within 1 s: ringing"),
    ],
)
def test_where_an_api_tells_whom_it_reached_that_counts(
    tmp_path: Path, ends: list[Arrival], found: Found, words: str
) -> None:
    def caller(name: str, journal: list[tuple[str, Act]]) -> Caller:
        return Caller(name, journal, ends=list(ends))

    played = Played(rehearse(tmp_path), 1.0, phone=caller)
    assert (played.found()[PHONE], played.standings[PHONE].words) == (found, words)


def test_in_mode_ask_the_clock_is_moved_over_the_time_for_consent(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path, mode="ask", ask_for="4m"))
    (moved,) = (words for words in played.told if words.startswith("the clock is moved by"))
    seconds = int(moved.split()[5])
    assert 200 < seconds <= 241, "what is left of the four minutes, less what the machine has taken meanwhile"
    assert [line for line in played.lines if line.startswith("hotline")] == [f"hotline {PHONE}"]


def test_in_mode_observe_on_call_alone_is_told(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path, mode="observe"))
    assert {act.kind for _, act in played.journal} == {ActKind.PAGE, ActKind.PAGE_RESOLVE}
    assert set(played.found()) == {PAGER, BOSS}


def test_a_condition_that_is_on_calls_own_tells_the_vendor_nothing(tmp_path: Path) -> None:
    played = Played(rehearse(tmp_path, Condition.FAILING))
    assert {act.kind for _, act in played.journal} == {ActKind.PAGE, ActKind.PAGE_RESOLVE}
    assert played.found()[MAIL] is Found.NOT_TOLD


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_can_be_made_up(tmp_path: Path, condition: Condition) -> None:
    played = rehearse(tmp_path, condition)
    acts = played.take(played.raised(1_795_341_600))
    assert acts, condition
    for act in acts:
        assert texts.text(act)


def test_the_mode_can_be_another_than_the_configured_one(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, mode="observe"))
    played = Rehearsal(
        loaded.settings, loaded.base, "bird", Condition.UNAVAILABLE, prefix="drill", mode=Mode.ACT, exercise=True
    )
    assert ActKind.TICKET in {act.kind for act in played.take(played.raised(1_795_341_600))}


def test_the_service_is_the_only_one_or_has_to_be_named(tmp_path: Path) -> None:
    settings = load(write(tmp_path)).settings
    assert rehearsal.service_of(settings, None) == "bird"
    with pytest.raises(UsageError, match="no service is called 'brid'; known: bird"):
        rehearsal.service_of(settings, "brid")
    two = settings.model_copy(update={"services": {**settings.services, "other": settings.services["bird"]}})
    with pytest.raises(UsageError, match="say which with --service: bird, other"):
        rehearsal.service_of(two, None)
