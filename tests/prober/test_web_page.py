"""The page, and what every answer carries."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from asking import Desk
from serving import RAW, second, totals

from prober import config

INCIDENT = {
    "id": "bird-20261122T120000Z",
    "service": "bird",
    "severity": "critical",
    "phase": "open",
    "episode": 2,
    "conditions": ["unavailable"],
    "onset": 1_795_341_600,
    "ticket": "T-4711",
}


class Words(HTMLParser):
    """The text of a page and the tags that hold it; strict about what is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def page(desk: Desk) -> Words:
    answer = desk.ask("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Words(answer.text)


def test_it_says_the_verdict_of_the_newest_second_in_words_and_since_when() -> None:
    desk = Desk()
    desk.view.second(second(1_795_341_600))
    desk.view.second(second(1_795_341_601, "unavailable", "http_status_503"))
    desk.view.second(second(1_795_341_602, "unavailable", "http_timeout"))
    desk.view.total(totals())
    said = page(desk).said
    assert "Bird Email" in said
    assert "Unavailable 2026-11-22 10:00:01 UTC http_timeout" in said
    assert "Open incidents None." in said
    assert "Not fit" not in said


def test_it_does_not_claim_to_know_when_a_verdict_began_that_was_there_before_it() -> None:
    desk = Desk()
    desk.view.second(second(1_795_341_600))
    desk.view.second(second(1_795_341_601))
    assert "Available at least 2026-11-22 10:00:00 UTC –" in page(desk).said


@pytest.mark.parametrize(
    ("verdict", "words"), [("inconclusive", "not provably by the vendor's fault"), ("unmeasured", "Not measured")]
)
def test_every_verdict_has_its_words(verdict: str, words: str) -> None:
    desk = Desk()
    desk.view.second(second(1_795_341_600, verdict, "x"))
    assert words in page(desk).said


def test_open_incidents_are_told_with_what_a_reader_needs() -> None:
    desk = Desk()
    desk.view.opened({"open": [INCIDENT, {"id": "bare", "service": "bird"}]})
    found = page(desk)
    assert (
        "bird-20261122T120000Z , bird: severity critical, open, episode 2, unavailable, since 2026-11-22 10:00:00 UTC"
        in found.said
    )
    assert "ticket T-4711" in found.said
    assert "Incident open" in found.said


def test_it_says_when_it_cannot_be_trusted() -> None:
    desk = Desk()
    desk.clock.monotonic += 60
    said = page(desk).said
    assert "Not fit at the moment" in said
    assert "no heartbeat of the measuring process for 60 s" in said
    assert "No second has closed yet" in said


def test_a_service_has_only_the_channels_that_are_configured() -> None:
    desk = Desk()
    services = {
        "solo": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "x", "url": "http://127.0.0.1/"}]}}
    }
    desk.view.configured(config.from_raw(RAW | {"services": services}, Path()), desk.board, 0)
    said = page(desk).said
    assert "solo" in said
    assert "SMTP" not in said
    services["solo"]["channels"] = {"smtp": RAW["services"]["bird"]["channels"]["smtp"]}
    desk.view.configured(config.from_raw(RAW | {"services": services}, Path()), desk.board, 0)
    assert "API" not in page(desk).said


def test_without_a_service_it_says_so() -> None:
    desk = Desk()
    desk.view.configured(config.from_raw({}, Path()), desk.board, 0)
    assert "No service is configured." in page(desk).said


def test_what_others_wrote_stays_text() -> None:
    desk = Desk()
    desk.view.opened({"open": [INCIDENT | {"ticket": "<script>alert(1)</script>", "severity": '"><img src=x>'}]})
    found = page(desk)
    assert not {"script", "img"} & {tag for tag, _ in found.tags}
    assert "<script>alert(1)</script>" in found.said


def test_it_needs_no_script_no_inline_style_and_nothing_from_elsewhere() -> None:
    desk = Desk()
    answer = desk.ask("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    for tag, attributes in Words(answer.text).tags:
        assert tag not in {"script", "style", "iframe", "form"}
        assert not {"style", "onclick", "onload"} & attributes.keys()
        for name in ("href", "src"):
            assert (attributes.get(name) or "/").startswith("/")
    sheet = desk.ask("/static/base.css")
    assert sheet.status_code == 200
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in sheet.text


def test_a_screen_reader_finds_its_way() -> None:
    desk = Desk()
    desk.view.second(second(1_795_341_600))
    found = page(desk)
    tags = [tag for tag, _ in found.tags]
    assert ("html", {"lang": "en"}) in found.tags
    assert tags.count("h1") == 1
    assert {"main", "header", "footer", "caption"} <= set(tags)
    assert all(attributes.get("scope") for tag, attributes in found.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a} <= set(ids)


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/static/base.css", "/nothing", "/probe", "/-/reload"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = Desk().ask(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/metrics/",
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/%00",
        "/%ff%fe",
        "/static/base.css/",
        "/<script>",
        "/" + "a" * 10_000,
    ],
)
def test_what_is_not_there_is_not_found_in_plain_text(path: str) -> None:
    answer = Desk().ask(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.text) == (404, "Not found.\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "location" not in answer.headers


def test_reading_changes_nothing_and_writing_is_refused() -> None:
    for path in ("/", "/metrics", "/probe", "/-/ready", "/-/healthy", "/static/base.css"):
        assert Desk().ask(path, "POST").status_code == 405


def test_a_defect_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    def broken() -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(desk.view, "snapshot", broken)
    answer = desk.ask("/")
    assert (answer.status_code, answer.text) == (500, "Internal error.\n")
    assert answer.headers["x-content-type-options"] == "nosniff"
