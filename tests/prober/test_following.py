"""What became of accepted acts reaches the measuring process's record, also after a restart of the serving process."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from deliver_acts import INCIDENT, act
from recording import write

from prober import config
from prober.deliver import Arrival, Delivered, Reached
from prober.deliver.follow import Taken
from prober.following import Following
from prober.link import Message
from prober.store import Transaction
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.incident_events import Record, RecordKind

RAW = {
    "store": "sqlite:///prober.db",
    "services": {"v": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "a", "url": "http://h/"}]}}},
}
PAGE = act(ActKind.PAGE, "on_call.pager")
HOTLINE = act(ActKind.HOTLINE, "v.hotline.phone")
OPEN: Message = {"type": "incidents", "open": [{"id": INCIDENT}]}


class Pager:
    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.references: list[str] = []

    async def deliver(self, act: Act, key: str) -> Delivered:
        raise AssertionError("nothing is delivered here")

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        self.references.append(reference)
        return self.arrival


class Bench:
    def __init__(self, base: Path, **receivers: Pager) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.following = Following(self.sent.put_nowait)
        self.following.configured(config.from_raw(RAW, base), base)
        self.following.follower.reconfigure({name.replace("_dot_", "."): each for name, each in receivers.items()})


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.deliver.follow.FIRST", 0.0)


@pytest.mark.parametrize(
    ("made", "arrival", "kind", "by", "value"),
    [
        (PAGE, Arrival(Reached.ACKNOWLEDGED, "pressed 1", by="Ada"), "ack", "Ada", "its key"),
        (PAGE, Arrival(Reached.DELIVERED, "pressed 1"), "note", "r", "its key"),
        (PAGE, Arrival(Reached.DELIVERED, "pressed 1", again=9.0), "note", "r", ""),
        (PAGE, Arrival(Reached.FAILED, "pressed 1"), "unreached", "r", "its key"),
        (HOTLINE, Arrival(Reached.FAILED, "pressed 1"), "unreached", "r", "its key"),
        (HOTLINE, Arrival(Reached.ACKNOWLEDGED, "pressed 1", by="the vendor"), "note", "the vendor", "its key"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_is_learnt_is_entered_into_the_incident(
    tmp_path: Path, made: Act, arrival: Arrival, kind: str, by: str, value: str
) -> None:
    async def test() -> None:
        b = Bench(tmp_path, r=Pager(arrival))
        b.following.follower.begin(Taken(made, "r", made.key("r"), ""))
        entry = await b.sent.get()
        assert entry == {
            "type": "entry",
            "id": f"{made.key('r')}/{arrival.reached}",
            "incident": INCIDENT,
            "kind": kind,
            "by": by,
            "text": f"{made.kind} by r: {arrival.reached}. pressed 1",
            "value": made.key("r") if value else "",
            "via": "receiver",
        }
        await b.following.close()

    within(test)


@pytest.mark.usefixtures("quick")
def test_after_a_restart_what_the_store_knows_to_be_accepted_is_followed(tmp_path: Path) -> None:
    result = ActResult(PAGE.id, "on_call.pager", Outcome.ACCEPTED, 1, reference="CA1", final=True)
    write(tmp_path / "prober.db", Transaction(acts=(PAGE, HOTLINE), attempts=(result,)))

    async def test() -> None:
        pager, phone = Pager(Arrival(Reached.DELIVERED, "rang")), Pager(Arrival(Reached.DELIVERED))
        b = Bench(tmp_path, on_call_dot_pager=pager, v_dot_hotline_dot_phone=phone)
        b.following.opened(OPEN)
        b.following.opened(OPEN)  # only the first message takes up what was before
        entry = await b.sent.get()
        assert entry["text"] == "page by on_call.pager: delivered. rang"
        await b.following.close()
        assert (pager.references, phone.references) == (["CA1"], [])
        assert b.sent.empty()

    within(test)


@pytest.mark.usefixtures("quick")
def test_after_a_restart_a_call_whose_end_is_known_is_not_looked_at_and_made_again(tmp_path: Path) -> None:
    """The reference on record is that of the first call, which nobody answered: somebody answered the second."""
    accepted = tuple(
        ActResult(made.id, made.receivers[0], Outcome.ACCEPTED, 1, reference="CA1", final=True)
        for made in (PAGE, HOTLINE)
    )
    answered = {"by": "phone", "text": "hotline by v.hotline.phone: delivered. answered", "at": 2, "via": "receiver"}
    record = Record(INCIDENT, 2, RecordKind.NOTE, {**answered, "value": HOTLINE.key("v.hotline.phone")})
    write(tmp_path / "prober.db", Transaction(acts=(PAGE, HOTLINE), attempts=accepted, records=(record,)))

    async def test() -> None:
        pager, phone = Pager(Arrival(Reached.DELIVERED, "rang")), Pager(Arrival(Reached.WAITING, again=9.0))
        b = Bench(tmp_path, on_call_dot_pager=pager, v_dot_hotline_dot_phone=phone)
        b.following.opened(OPEN)
        await b.sent.get()
        assert HOTLINE.key("v.hotline.phone") not in [taken.key for taken in b.following.follower.following]
        await b.following.close()
        assert (pager.references, phone.references) == (["CA1"], [])

    within(test)


def test_without_a_store_there_is_nothing_to_take_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        b = Bench(tmp_path)
        b.following.opened(OPEN)
        assert b.following._resuming is not None
        await b.following._resuming
        await b.following.close()
        silent = Following(b.sent.put_nowait)  # the configuration has not come yet
        silent.opened(OPEN)
        await asyncio.sleep(0)
        await silent.close()
        await Following(b.sent.put_nowait).close()

    within(test)
    assert "acts that were accepted before cannot be followed any more" in caplog.text


def test_acts_of_closed_incidents_are_followed_no_longer(tmp_path: Path) -> None:
    async def test() -> None:
        b = Bench(tmp_path, r=Pager(Arrival(Reached.WAITING, again=9.0)))
        b.following.opened({"type": "incidents", "open": []})
        b.following.follower.begin(Taken(PAGE, "r", PAGE.key("r"), ""))
        b.following.opened(OPEN)
        assert len(b.following.follower.following) == 1
        b.following.opened({"type": "incidents", "open": [{"id": "another"}]})
        assert list(b.following.follower.following) == []
        await b.following.close()

    within(test)
