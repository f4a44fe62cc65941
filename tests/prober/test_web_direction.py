"""Words of scripts that run from right to left turn nothing around them about: each such text stands in an element of its own."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Desk
from room_story import RAW, TOKEN, Story

from rules.incident import EntryKind, RecordKind

TURNING = "שלום 'עברית'"
#: Elements that keep the direction of their text to themselves, or that hold no text of the page's.
_APART = {"bdi", "title", "pre", "textarea"}


class Texts(HTMLParser):
    """The page's texts that turn, and those among them that would turn others."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[tuple[str, bool]] = []
        self.found = 0
        self.turning: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "input", "img"}:
            self._open.append((tag, tag in _APART or dict(attrs).get("dir") == "auto"))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "עברית" in data:
            self.found += 1
            if not any(apart for _, apart in self._open):
                self.turning.append(f"{'/'.join(tag for tag, _ in self._open)}: {data.strip()}")


def settings() -> dict[str, Any]:
    window = {"title": TURNING, "start": "2026-11-25T02:00", "end": "2026-11-25T03:00"}
    service = RAW["services"]["bird"] | {"title": TURNING, "maintenance": [window]}
    return RAW | {"location": TURNING, "services": {"bird": service}}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    told = Story(tmp_path_factory.mktemp("direction") / "prober.db", int(NOW) - 600, settings())
    told.down().accept_all()
    told.enter(EntryKind.ACK, by=TURNING, text=TURNING)
    told.enter(EntryKind.UPDATE, by=TURNING, text=TURNING, ticket=TURNING, via="reply")
    told.record(RecordKind.VENDOR_STATUS, url="x", indicator=TURNING, description=TURNING)
    told.record(RecordKind.PUBLISHED, by="Ada", text=TURNING)
    return told


@pytest.mark.parametrize(
    "path", ["/", "/history", "/live", "/incidents", "/incidents/ID", "/incidents/ID?entered=ack", "/login"]
)
def test_what_may_run_the_other_way_stands_by_itself(path: str, story: Story) -> None:
    desk = Desk(settings(), store=Path(story.path), token=TOKEN, title=TURNING)
    answer = desk.ask(path.replace("ID", story.id), headers={"Accept": "text/html"})
    assert answer.status_code == 200
    texts = Texts(answer.text)
    assert texts.turning == []
    assert texts.found or path == "/login", "nothing was looked at"
