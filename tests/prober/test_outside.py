"""The vendor's replies, its status page and maintenance windows, as the measuring process takes them into the incident."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from judged import Judged
from moved import MS, T0, Reply, status

from prober.measure import outside as outside_module
from prober.measure.clock import NS
from prober.measure.outside import Outside, entries_of, windows_of
from prober.settings import Settings
from prober.store import Reader, Store
from prober.surroundings import Maintenance
from rules.incident import EntryKind
from rules.maintenance import Window, Windows

POSITION = {"validity": 7, "uid": 12, "at": T0, "seen": ["ab"]}
REPLY: dict[str, Any] = {
    "kind": "response",
    "why": "person",
    "service": "bird",
    "incident": "",
    "at": T0 + 21,
    "sender": "agent@vendor.example",
    "subject": "Re: critical",
    "text": "We look into it.",
    "message_id": "<1@v>",
    "number": "",
    "automatic": False,
    "closes": False,
    "defects": [],
    "count": 1,
}


class World(Judged):
    """A service that has been down for 20 s, its ticket accepted; and what comes from outside."""

    def __init__(self, path: Path, *, down: int = 20) -> None:
        super().__init__(path)
        self.begin(self.lane(script=lambda call: status(503) if call.second < T0 + down else Reply()))
        self.outside = Outside(self.station, self.writer, lambda: self.clock.real)
        self.run_to(T0 + 20)
        if down:
            self.settle()
            (act,) = [m["act"] for m in self.messages("act") if m["act"]["kind"] == "ticket"][:1]
            key = f"{act['incident']}/1/ticket/{act['receivers'][0]}/open"
            self.station.attempted(
                {"act": key, "receiver": act["receivers"][0], "outcome": "accepted", "at": (T0 + 20) * NS}
                | {"reference": "<ticket@example.com>", "final": True}
            )

    @property
    def incident(self) -> str:
        return str(self.station.open_incidents()[0]["id"])

    def reply(self, **fields: Any) -> None:
        reply = {**REPLY, "incident": self.incident, **fields}
        self.outside.replied({"mailbox": "imap.example.com", "position": POSITION, "reply": reply})

    def trail(self, incident: str = "") -> list[tuple[str, Mapping[str, Any]]]:
        self.settle()
        with Reader(self.path) as reader:
            return [(r.kind, r.detail) for r in reader.records(incident or self.incident)]

    def trail_of_nobody(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What was recorded while no incident was open."""
        self.settle()
        with Reader(self.path) as reader:
            return [(r.kind, r.detail) for r in reader.records("")]

    def kinds(self) -> list[str]:
        return [str(detail.get("step", kind)) for kind, detail in self.trail()]

    def pages(self) -> list[str]:
        return [step for kind, step in self.acts() if kind == "page"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "prober.db")


def test_a_persons_answer_is_the_first_response_and_the_next_an_update(world: World) -> None:
    world.reply()
    world.reply(text="Fixed soon.", at=T0 + 30)
    life = [detail for kind, detail in world.trail() if kind == "life"]
    assert [detail["step"] for detail in life] == ["first_response", "update"]
    assert life[0]["by"] == "agent@vendor.example"
    assert life[0]["text"] == "Re: critical: We look into it. [response, person]"
    assert (life[0]["when"], life[0]["via"]) == (T0 + 21, "reply")
    assert "mail-aside" not in world.pages()
    world.end()


def test_an_acknowledgement_gives_the_tickets_number_and_is_no_response(world: World) -> None:
    world.reply(kind="acknowledgement", why="auto_submitted", number="4711", automatic=True)
    assert "first_response" not in world.kinds()
    assert world.station.open_incidents()[0]["number"] == "4711"
    assert world.station.open_incidents()[0]["reference"] == "<ticket@example.com>"
    world.reply(kind="acknowledgement", why="auto_submitted", number="9999", automatic=True)
    assert world.station.open_incidents()[0]["number"] == "4711", "the first one stands"
    world.end()


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ({"kind": "bounce", "why": "delivery_failed"}, "mail-bounced"),
        ({"kind": "bounce", "why": "delivery_delayed"}, "mail-late"),
        ({"kind": "bounce", "why": "copy_failed"}, "mail-copy"),
        ({"kind": "aside", "why": "wrong_sender"}, "mail-aside"),
        ({"kind": "automatic", "why": "auto_submitted", "closes": True}, "vendor-closes"),
        ({"kind": "response", "closes": True}, "vendor-closes"),
    ],
)
def test_what_a_person_must_see_is_told_to_on_call_and_changes_nothing(
    world: World, fields: dict[str, Any], page: str
) -> None:
    world.reply(**fields)
    assert world.pages() == ["open", page]
    assert [m["act"]["facts"]["text"] for m in world.messages("act") if m["act"]["step"] == page]
    assert world.station.open_incidents()[0]["phase"] == "open"
    world.reply(**fields)
    assert world.pages() == ["open", page], "a flood of mails is no flood of pages"
    world.end()


def test_an_automatic_mail_is_a_note_and_nobody_is_paged(world: World) -> None:
    world.reply(kind="automatic", why="vacation", automatic=True)
    assert [kind for kind, _ in world.trail()][-1] == "note"
    assert world.pages() == ["open"]
    world.end()


def test_a_mail_of_an_incident_that_is_not_open_is_written_down_under_it(world: World) -> None:
    world.reply(incident="bird-20250101T000000Z", defects=["only the first 9 of 10 bytes were read"])
    ((kind, detail),) = world.trail("bird-20250101T000000Z")
    assert kind == "note"
    assert detail["text"].endswith("[response, person; only the first 9 of 10 bytes were read]")
    world.end()


def test_a_reply_and_how_far_its_mailbox_was_read_are_one_transaction(world: World) -> None:
    """Kill the program at any moment: either both are on disk, or neither, and then the mail is read again."""
    work: list[Any] = []
    submit = world.writer.submit

    def look(transaction: Any, done: Any = None) -> None:
        work.append(transaction)
        submit(transaction, done)

    world.writer.submit = look  # type: ignore[method-assign]  # an observer
    world.reply()
    (first,) = [t for t in work if any(part.startswith("mailbox:") for _, part in t.states)]
    assert any(record.kind.value == "life" for record in first.records)
    world.end()


def test_positions_outlive_a_restart(world: World) -> None:
    world.outside.replied({"mailbox": "imap.example.com", "position": POSITION, "reply": None})
    world.end()
    store = Store.open(world.path)
    try:
        known = store.load()
        again = Outside(world.station, world.writer, lambda: 0)
        again.remember(known[""].states)
        assert again.positions == {"imap.example.com": POSITION}
    finally:
        store.close()


def test_a_number_in_a_persons_answer_is_taken_down(world: World) -> None:
    entries = entries_of({**REPLY, "number": "4711"}, 0, responded=True)
    assert [(e.kind, e.ticket) for e in entries] == [(EntryKind.UPDATE, "4711")]
    (entry,) = entries_of({**REPLY, "kind": "automatic", "sender": ""}, 0, responded=False)
    assert entry.by == "unknown sender"
    world.end()


# --- the status page

SAID = {
    "kind": "statuspage",
    "indicator": "major",
    "description": "Partial outage",
    "entries": [],
    "components": [],
    "confirms": True,
}


def test_what_the_status_page_says_is_recorded_told_in_texts_and_confirms_once(world: World) -> None:
    for at in (T0 + 20, T0 + 80):
        world.outside.vendor_status(
            {"service": "bird", "incident": world.incident, "at": at, "url": "https://s.example", "said": SAID}
        )
    kinds = [kind for kind, _ in world.trail()]
    assert kinds.count("vendor_status") == 2
    assert kinds.count("confirmed") == 1
    assert world.station.vendor_says["bird"]["description"] == "Partial outage"
    assert world.station.vendor_says["bird"]["at"] == T0 + 80
    world.end()


def test_a_page_that_says_all_is_well_confirms_nothing(world: World) -> None:
    said = {**SAID, "indicator": "none", "confirms": False}
    message = {"service": "bird", "incident": world.incident, "at": T0, "url": "u", "said": said}
    world.outside.vendor_status(message)
    world.outside.vendor_status({**message, "incident": ""})
    kinds = [kind for kind, _ in world.trail()]
    assert kinds.count("vendor_status") == 1
    assert "confirmed" not in kinds
    world.end()


# --- maintenance


def test_a_window_is_told_when_it_begins_and_ends_also_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path / "prober.db", down=0)
    windows = {"bird": Windows([Window(T0 + 30, T0 + 60, "move")])}
    world.outside.configured(Settings(), windows)
    keeper = world.station.keepers["bird"]
    for second in (T0 + 29, T0 + 30, T0 + 31):
        world.outside.tick(second)
    assert keeper.state.maintenance == ("move",)
    again = Outside(world.station, world.writer, lambda: 0)
    again.configured(Settings(), windows)
    again.tick(T0 + 59)
    assert keeper.state.maintenance == ("move",)
    again.tick(T0 + 60)
    assert keeper.state.maintenance == ()
    assert [d["begins"] for kind, d in world.trail_of_nobody() if kind == "maintenance"] == [True, False]
    world.end()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([T0 + 30, T0 + 59, T0 + 60], (T0 + 30, T0 + 60)),
        ([T0 + 40, T0 + 61], (T0 + 40, T0 + 60)),  # it began while the program was down: only what was kept is marked
        ([T0 + 30, T0 + 500], (T0 + 30, T0 + 60)),  # it ended while the program was down
        ([T0 + 30], (T0 + 30, T0 + 1000)),  # it goes on
    ],
)
def test_a_window_is_kept_as_it_was_kept_to(tmp_path: Path, told: list[int], kept: tuple[int, int]) -> None:
    world = World(tmp_path / "prober.db", down=0)
    world.outside.configured(
        Settings(), {"bird": Windows([Window(T0 - 900, T0 - 800, "move"), Window(T0 + 30, T0 + 60, "move")])}
    )
    for second in told:
        world.outside.tick(second)
    world.end()
    with Reader(tmp_path / "prober.db") as reader:
        assert reader.maintenance("bird", T0, T0 + 1000) == Windows([Window(*kept, "move")])
        assert reader.maintenance("other", T0, T0 + 1000) == Windows()


def test_a_window_that_is_taken_away_ends_when_it_was_taken_away(tmp_path: Path) -> None:
    world = World(tmp_path / "prober.db", down=0)
    yesterday = Window(T0 - 900, T0 - 800, "move")
    world.outside.configured(Settings(), {"bird": Windows([yesterday, Window(T0 + 30, T0 + 600, "move")])})
    world.outside.tick(T0 + 30)
    world.outside.configured(Settings(), {"bird": Windows([yesterday])})
    world.outside.tick(T0 + 50)
    world.end()
    with Reader(tmp_path / "prober.db") as reader:
        assert reader.maintenance("bird", T0, T0 + 1000) == Windows([Window(T0 + 30, T0 + 50, "move")])


def test_a_window_that_was_taken_out_of_the_configuration_ends(tmp_path: Path) -> None:
    world = World(tmp_path / "prober.db", down=0)
    world.outside.configured(Settings(), {"bird": Windows([Window(T0, T0 + 600, "move")])})
    world.outside.tick(T0 + 30)
    world.outside.configured(Settings(), {})
    world.outside.tick(T0 + 31)
    assert world.station.keepers["bird"].state.maintenance == ()
    world.end()


def test_within_a_window_an_outage_pages_nobody_and_what_outlasts_it_acts_at_its_end(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=lambda _: status(503)))
    outside = Outside(world.station, world.writer, lambda: world.clock.real)
    outside.configured(Settings(), {"bird": Windows([Window(T0, T0 + 30, "move")])})
    outside.tick(T0)
    world.run_to(T0 + 29)
    assert world.acts() == []
    outside.tick(T0 + 30)
    world.run_to(T0 + 32)
    assert [kind for kind, _ in world.acts()] == ["page", "ticket"]
    world.end()


def test_another_title_while_the_window_goes_on_lets_nothing_act(tmp_path: Path) -> None:
    """A reload within the window: it is renamed, or one that overlaps it is added."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=lambda _: status(503)))
    outside = Outside(world.station, world.writer, lambda: world.clock.real)
    outside.configured(Settings(), {"bird": Windows([Window(T0, T0 + 30, "move")])})
    outside.tick(T0)
    world.run_to(T0 + 20)
    outside.configured(Settings(), {"bird": Windows([Window(T0, T0 + 30, "move"), Window(T0 + 10, T0 + 40, "disks")])})
    outside.tick(T0 + 20)
    assert world.station.keepers["bird"].state.maintenance == ("move; disks",)
    world.run_to(T0 + 39)
    assert world.acts() == []
    outside.tick(T0 + 40)
    assert [kind for kind, _ in world.acts()] == ["page", "ticket"]
    world.end()
    with Reader(tmp_path / "prober.db") as reader:
        assert reader.maintenance("bird", T0, T0 + 100) == Windows(
            [Window(T0, T0 + 20, "move"), Window(T0 + 20, T0 + 40, "move; disks")]
        )


def test_the_end_of_a_window_opens_nothing_for_a_service_that_was_removed_within_it(tmp_path: Path) -> None:
    """It was switched off for good: announced, then taken out of the configuration."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=lambda _: status(503, 1500 * MS)), world.lane("x", service="mailer"))
    outside = Outside(world.station, world.writer, lambda: world.clock.real)
    outside.configured(Settings(), {"bird": Windows([Window(T0, T0 + 60, "end")])})
    outside.tick(T0)
    world.run_to(T0 + 20)
    assert world.station.keepers["bird"].state.held
    world.reload(world.lane("x", service="mailer"))
    world.run_to(T0 + 21)
    outside.configured(Settings(), {})
    for second in range(21, 25):  # its last seconds are open yet
        world.run_to(T0 + second)
        outside.tick(T0 + second)
    assert world.acts() == []
    assert world.station.gone["bird"].state.maintenance == ()
    world.reload(world.lane("x", service="mailer"), world.lane(script=lambda _: status(503)))
    world.run_to(T0 + 32)
    assert world.acts() == [], "it is judged anew"
    world.run_to(T0 + 38)
    assert [kind for kind, _ in world.acts()] == ["page", "ticket"]
    world.end()


def test_a_window_is_marked_whole_although_the_clock_was_set_back_to_before_it_began(tmp_path: Path) -> None:
    world = World(tmp_path / "prober.db", down=0)
    world.outside.configured(Settings(), {"bird": Windows([Window(T0 + 30, T0 + 60, "move")])})
    for second in (29, 30, 31, 27, 28, 29, 30, 31, 59, 60):
        world.outside.tick(T0 + second)
    world.end()
    with Reader(tmp_path / "prober.db") as reader:
        assert reader.maintenance("bird", T0, T0 + 100) == Windows([Window(T0 + 30, T0 + 60, "move")])


def settings(**maintenance: Any) -> Settings:
    window = Maintenance.model_validate({"start": "2026-11-22T02:00", "end": "2026-11-22T04:00", **maintenance})
    return Settings(maintenance=(window,))


def test_without_windows_no_calendar_is_loaded() -> None:
    assert windows_of(Settings(), T0) == {}
    assert windows_of(settings(), T0) == {}, "no service is configured"


def test_windows_are_read_anew_from_day_to_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_module, "_DAY", 0.01)
    read: list[int] = []

    def windows(_: Settings, now: int) -> dict[str, Windows]:
        read.append(now)
        if len(read) == 2:
            raise outside_module.ProberError("the calendar is gone")
        return {"bird": Windows([Window(T0, T0 + len(read))])}

    monkeypatch.setattr(outside_module, "windows_of", windows)

    async def work() -> None:
        task = asyncio.create_task(world.outside.look_ahead())
        async with asyncio.timeout(10):
            while len(read) < 4:  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0.005)
        task.cancel()

    asyncio.run(work())
    assert world.outside._windows["bird"].windows[0].end in (T0 + 3, T0 + 4)
    world.end()
