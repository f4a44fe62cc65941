"""The incident room says how far the program acts by itself: whoever reads that no ticket is open must know why."""

from pathlib import Path

import pytest
from asking import NOW, Desk
from html_page import Html
from room_story import RAW, TOKEN, Story, raw

from rules.model import Condition

SAYS = "Mode observe: nothing goes to the vendor by itself"


def what(story: Story) -> str:
    page = Html(Desk(RAW, store=story.path, token=TOKEN).ask(story.room).text)
    page.rightly_made()
    return page.inside("what")


def test_what_is_only_observed_says_so_beside_the_ticket(tmp_path: Path) -> None:
    story = Story(tmp_path / "prober.db", int(NOW) - 600, raw(mode="observe")).down()
    said = what(story)
    assert SAYS in said
    assert "Ticket none yet" in said


@pytest.mark.parametrize("mode", ["act", "ask"])
def test_what_acts_by_itself_does_not(mode: str, tmp_path: Path) -> None:
    assert SAYS not in what(Story(tmp_path / "prober.db", int(NOW) - 600, raw(mode=mode)).down())


def test_what_concerns_on_call_alone_would_not_go_to_the_vendor_anyway(tmp_path: Path) -> None:
    story = Story(tmp_path / "prober.db", int(NOW) - 600, raw(mode="observe"))
    assert SAYS not in what(story.down(Condition.FAILING, reasons={"http_status_401": 58}))
