"""A mailbox that cannot be reached for long is told to on-call once, sooner while an incident is open; and when it is over."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from deliver_acts import act
from judged import Judged
from moved import T0, status

from prober.deliver import texts
from prober.deliver.pagerduty import event
from prober.link import Message
from prober.measure.outside import Outside
from prober.replies.inbox import Inbox
from prober.replies.reach import ELSE, WHILE_OPEN, Reach
from prober.settings import Settings
from prober.web.metrics import text
from prober.web.view import View
from rules.acts import ActKind
from rules.incident import ConditionRaised
from rules.incident_state import MAILBOX
from rules.model import Condition

DOWN: Message = {"type": "mailbox", "mailbox": "box", "reached": False, "since": T0 - 3600}
UP: Message = {"type": "mailbox", "mailbox": "box", "reached": True, "since": T0}
BOX = {"name": "box", "host": "127.0.0.1", "username": "u", "password": "a-password-of-ours"}


class Watched:
    """A clock that is moved, and what is told."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.sent: list[Message] = []
        self.reach = Reach(self.sent.append, lambda: self.at, lambda: T0 + self.at)

    def after(self, seconds: float, *, up: bool, incident: bool = False) -> list[Any]:
        self.at += seconds
        self.sent.clear()
        self.reach.look({"box": up}, incident=incident)
        return [message["reached"] for message in self.sent]


def test_an_hour_without_an_incident_is_told_once_and_its_end_too() -> None:
    w = Watched()
    assert w.after(0, up=True) == [True], "said once, for what an earlier process may have told"
    assert w.after(5, up=True) == []
    assert w.after(ELSE - 1, up=False) == []
    assert w.after(1, up=False) == [False]
    assert w.sent[0]["since"] == T0 + 1005, "since it was last in reach"
    assert w.after(ELSE, up=False) == []
    assert w.after(5, up=True) == [True]


def test_while_an_incident_is_open_a_quarter_of_an_hour_is_enough() -> None:
    w = Watched()
    w.after(0, up=True)
    assert w.after(WHILE_OPEN, up=False, incident=False) == []
    assert w.after(0, up=False, incident=True) == [False]


def test_a_mailbox_that_was_never_in_reach_counts_from_the_start() -> None:
    w = Watched()
    assert w.after(0, up=False) == []
    assert w.after(ELSE, up=False) == [False]


def test_a_mailbox_that_is_no_longer_configured_is_forgotten() -> None:
    w = Watched()
    w.after(0, up=False)
    w.reach.look({}, incident=False)
    assert w.after(ELSE, up=False) == [], "it counts anew"


def world(folder: Path, *, down: bool = False) -> tuple[Judged, Outside]:
    judged = Judged(folder / "prober.db")
    judged.begin(judged.lane(script=lambda _: status(503)) if down else judged.lane())
    outside = Outside(judged.station, judged.writer, lambda: judged.clock.real)
    outside.configured(Settings.model_validate({"mailboxes": [BOX]}), {})
    return judged, outside


def test_on_call_is_paged_once_and_the_page_is_resolved_when_it_is_over(tmp_path: Path) -> None:
    judged, outside = world(tmp_path)
    judged.run_to(T0 + 5)
    outside.mailbox(DOWN)
    outside.mailbox(DOWN)
    assert [kind for kind, _ in judged.acts()] == ["page"], "and nothing for the vendor"
    outside.mailbox(UP)
    outside.mailbox(UP)
    assert [kind for kind, _ in judged.acts()] == ["page", "page_resolve"]
    judged.end()


def test_in_an_open_incident_it_is_a_page_of_its_own_and_changes_nothing_of_the_agreement_s(tmp_path: Path) -> None:
    judged, outside = world(tmp_path, down=True)
    judged.run_to(T0 + 20)
    before = judged.acts()
    severity = judged.station.keepers["bird"].state.incident
    assert severity is not None
    outside.mailbox(DOWN)
    assert [kind for kind, _ in judged.acts()[len(before) :]] == ["page"]
    after = judged.station.keepers["bird"].state.incident
    assert after is not None
    assert (after.id, after.severity, after.phase) == (severity.id, severity.severity, severity.phase)
    judged.end()


def test_one_that_is_taken_out_of_the_configuration_is_over(tmp_path: Path) -> None:
    judged, outside = world(tmp_path)
    judged.run_to(T0 + 5)
    outside.mailbox(DOWN)
    outside.configured(Settings(), {})
    assert [kind for kind, _ in judged.acts()] == ["page", "page_resolve"]
    judged.end()


def test_the_page_says_what_is_the_matter_and_is_of_low_urgency(tmp_path: Path) -> None:
    judged, _ = world(tmp_path)
    plan = judged.station.keepers["bird"].state.plan
    raised = ConditionRaised(Condition.BLIND, T0, T0 - 3600, f"{MAILBOX}box")
    assert plan.severity_of(raised) is None
    assert plan.on_call_alone(raised), "whatever the pack says of blind"
    judged.end()
    page = act(ActKind.PAGE, "on_call.pager", facts={"title": "Bird", "condition": "blind", "scope": "mailbox:box"})
    assert "the mailbox box is out of reach, so that nobody reads what vendors answer" in texts.summary(page)


@pytest.mark.parametrize(("urgency", "severity"), [("low", "warning"), (None, "critical")])
def test_pagerduty_is_told_the_urgency(urgency: str | None, severity: str) -> None:
    page = act(ActKind.PAGE, "on_call.pager", facts={"title": "Bird", "urgency": urgency})
    assert event(page, "key", "on_call.pager", "routing")["payload"]["severity"] == severity


def test_the_inbox_says_which_of_its_mailboxes_are_in_reach_and_tells_of_one_that_is_not() -> None:
    async def work() -> None:
        sent: list[Message] = []
        inbox = Inbox(sent.append)
        assert inbox.look() == {}
        settings = Settings.model_validate({"mailboxes": [{**BOX, "port": 1, "tls": "none"}]})
        inbox.configured(settings, {})
        inbox.opened({"type": "incidents", "open": [{"id": "bird-1", "severity": "critical"}]})
        assert inbox.look() == {"box": False}
        await inbox.close()
        assert inbox.look() == {"box": False}
        assert sent == [], "not at once"

    asyncio.run(work())


def test_the_metric_says_it_of_every_configured_mailbox() -> None:
    view = View()
    view.settings = Settings.model_validate({"mailboxes": [BOX, {**BOX, "name": "other"}]})
    view.mailboxes = {"box": True, "gone": False}
    lines = text(view.snapshot(), openmetrics_wanted=False).decode().splitlines()
    assert [line for line in lines if line.startswith("prober_mailbox_up")] == [
        'prober_mailbox_up{mailbox="box"} 1.0',
        'prober_mailbox_up{mailbox="other"} 0.0',
    ]
