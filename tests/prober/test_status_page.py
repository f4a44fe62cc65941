"""What vendors' status pages say: real shapes of Statuspage v2, Atom and RSS; broken ones; and how they are asked."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from loopback_http import LoopbackHTTP

from prober.link import Message
from prober.replies import status_pages as module
from prober.replies.status_page import Entry, NotReadableError, Said, addresses, understood
from prober.replies.status_pages import StatusPages, read
from prober.settings import Settings
from prober.surroundings import StatusPage

SUMMARY: dict[str, Any] = {
    "page": {"id": "x", "name": "Vendor", "url": "https://status.vendor.example", "updated_at": "2026-11-22T10:00:00Z"},
    "status": {"indicator": "major", "description": "Partial System Outage"},
    "components": [
        {"name": "API", "status": "major_outage", "updated_at": "2026-11-22T10:00:00Z", "group": False},
        {"name": "Everything", "status": "major_outage", "group": True},
        {"name": "Web", "status": "operational"},
        "junk",
    ],
    "incidents": [
        {"name": "API errors", "status": "investigating", "impact": "major", "updated_at": "2026-11-22T10:00:00Z"},
        {"name": "Old", "status": "resolved", "impact": "minor"},
    ],
}
ATOM = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Vendor - Incident History</title>
<entry><title>API <b>errors</b></title><updated>2026-11-22T10:00:00Z</updated><content type="html">x</content></entry>
<entry><title>Older</title><published>2026-11-01T10:00:00Z</published></entry></feed>"""
RSS = b"""<rss version="2.0"><channel><title>Vendor</title>
<item><title>API errors</title><pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""
BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><rss><channel><title>&b;</title>
</channel></rss>"""
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><title>&a;</title></channel></rss>'


def test_a_statuspage_says_what_is_open_and_what_is_not_operational() -> None:
    said = understood("statuspage", json.dumps(SUMMARY).encode())
    assert said == Said(
        kind="statuspage",
        indicator="major",
        description="Partial System Outage",
        entries=(Entry("API errors", "investigating", "major", "2026-11-22T10:00:00Z"),),
        components=(Entry("API", "major_outage", updated="2026-11-22T10:00:00Z"),),
    )
    assert said.confirms
    assert said.to_json()["confirms"] is True


@pytest.mark.parametrize(("indicator", "confirms"), [("none", False), ("minor", False), ("critical", True)])
def test_only_an_outage_confirms(indicator: str, confirms: bool) -> None:
    page = {"status": {"indicator": indicator, "description": "x"}}
    assert understood("statuspage", json.dumps(page).encode()).confirms is confirms


def test_feeds_are_read_as_words_for_people() -> None:
    assert understood("feed", ATOM) == Said(
        "feed",
        description="Vendor - Incident History",
        entries=(Entry("API errors", updated="2026-11-22T10:00:00Z"), Entry("Older", updated="2026-11-01T10:00:00Z")),
    )
    assert understood("feed", RSS).entries == (Entry("API errors", updated="Sun, 22 Nov 2026 10:00:00 GMT"),)
    assert not understood("feed", RSS).confirms
    assert understood("feed", b"<rss/>") == Said("feed")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("statuspage", b""),
        ("statuspage", b"<html>"),
        ("statuspage", b"[]"),
        ("statuspage", b'{"status": "fine"}'),
        ("statuspage", b'{"status": {"indicator": 3}}'),
        ("statuspage", b"[" * 100_000),
        ("statuspage", b"\xff\xfe"),
        ("feed", b""),
        ("feed", b"<html><body/></html>"),
        ("feed", b"<rss>"),
        ("feed", BOMB),
        ("feed", OUTSIDE),
        ("feed", b'<?xml version="1.0" encoding="no-such"?><rss/>'),
    ],
)
def test_what_is_no_page_is_told_and_nothing_outside_is_fetched(kind: str, body: bytes) -> None:
    with pytest.raises(NotReadableError, match="is "):
        understood(kind, body)


def test_a_page_without_the_usual_parts_is_read_as_far_as_it_goes() -> None:
    page = {"status": {"indicator": "none"}, "incidents": {"a": 1}, "components": None}
    assert understood("statuspage", json.dumps(page).encode()) == Said("statuspage", "none")


@pytest.mark.parametrize(
    ("url", "kind", "tried"),
    [
        ("https://s.example/", "auto", ["/api/v2/summary.json", "/", "/history.atom"]),
        ("https://s.example/api/v2/summary.json", "auto", ["/api/v2/summary.json"]),
        ("https://s.example/feed.rss", "auto", ["/feed.rss"]),
        ("https://s.example", "statuspage", ["/api/v2/summary.json"]),
        ("https://s.example/feed", "feed", ["/feed"]),
    ],
)
def test_where_a_page_is_looked_for(url: str, kind: str, tried: list[str]) -> None:
    assert [address.removeprefix("https://s.example") for _, address in addresses(url, kind)] == tried


# --- asking


class Server(LoopbackHTTP):
    """Answers by path: (status, body, headers)."""

    def __init__(self, **pages: tuple[int, bytes, dict[str, str]]) -> None:
        super().__init__()
        self.pages = {f"/{name.replace('__', '/').replace('_dot_', '.')}": page for name, page in pages.items()}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = self.origin

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, dict(request.headers)))
        status, body, headers = self.pages.get(request.path, (404, b"", {}))
        if headers.get("ETag") and request.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        with suppress(ConnectionError):
            request.wfile.write(body)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def page(url: str, kind: str = "auto", every: str = "10s") -> StatusPage:
    return StatusPage.model_validate({"url": url, "kind": kind, "every": every})


def body(**more: Any) -> bytes:
    return json.dumps({**SUMMARY, **more}).encode()


def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    with Server(api__v2__summary_dot_json=(200, body(), {"ETag": '"a"', "Last-Modified": "yesterday"})) as server:
        tags: dict[str, dict[str, str]] = {}

        async def work() -> None:
            assert await read(page(server.url), tags) is not None
            assert await read(page(server.url), tags) is None

        asyncio.run(work())
        assert server.asked[1][1]["If-None-Match"] == '"a"'
        assert server.asked[1][1]["If-Modified-Since"] == "yesterday"


def test_where_there_is_no_statuspage_its_feed_is_found() -> None:
    with Server(history_dot_atom=(200, ATOM, {})) as server:
        said = asyncio.run(read(page(server.url), {}))
        assert said is not None
        assert said.kind == "feed"
        assert server.paths() == ["/api/v2/summary.json", "/", "/history.atom"]


def test_redirects_are_followed_but_not_for_ever() -> None:
    with Server(api__v2__summary_dot_json=(302, b"", {"Location": "/s"}), s=(200, body(), {})) as server:
        assert asyncio.run(read(page(server.url, "statuspage"), {})) is not None
    with Server(x_dot_json=(302, b"", {"Location": "/x.json"})) as server, pytest.raises(Exception, match="redirect"):
        asyncio.run(read(page(f"{server.url}/x.json"), {}))


def test_a_tag_that_cannot_be_sent_back_is_not_kept() -> None:
    with Server(x_dot_json=(200, body(), {"ETag": '"\u00e9"', "Last-Modified": "\u00ff"})) as server:
        tags: dict[str, dict[str, str]] = {}
        for _ in range(2):
            assert asyncio.run(read(page(f"{server.url}/x.json"), tags)) is not None


def test_where_a_page_leads_to_no_hosts_name_its_feed_is_looked_for() -> None:
    nowhere = (302, b"", {"Location": "http://xn--a/"})
    with Server(api__v2__summary_dot_json=nowhere, history_dot_atom=(200, ATOM, {})) as server:
        said = asyncio.run(read(page(server.url), {}))
        assert said is not None
        assert said.kind == "feed"


def test_a_huge_page_is_left() -> None:
    with Server(x_dot_json=(200, b" " * 600_000, {})) as server, pytest.raises(NotReadableError, match="512 KiB"):
        asyncio.run(read(page(f"{server.url}/x.json"), {}))


class Pages:
    """Status pages and what they put on the link."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SUSPECT", 3)
        self.sent: list[Message] = []
        self.pages = StatusPages(self.sent.append, now=lambda: 1_795_341_600.5)

    def configured(self, url: str | None) -> None:
        service: dict[str, Any] = {"contract": "bird-email-enterprise", "channels": {}}
        if url is not None:
            service["status_page"] = {"url": url, "every": "10s"}
        self.pages.configured(Settings.model_validate({"services": {"bird": service}}))

    def incident(self, name: str = "") -> None:
        self.pages.opened({"type": "incidents", "open": [{"id": name, "service": "bird"}] if name else []})

    def second(self, verdict: str) -> None:
        self.pages.second({"service": "bird", "second": 1, "cells": {"": [verdict, "x", 1, {}]}})

    async def told(self, n: int) -> None:
        async with asyncio.timeout(10):
            while len(self.sent) < n:  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0.005)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_it_is_read_when_an_incident_opens_and_what_it_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        pages = Pages(monkeypatch)
        with Server(api__v2__summary_dot_json=(200, body(), {})) as server:
            pages.configured(server.url)
            pages.incident()
            await asyncio.sleep(0)
            assert server.asked == []
            pages.incident("bird-1")
            await pages.told(1)
            await pages.pages.close()
        (message,) = pages.sent
        assert (message["type"], message["service"], message["incident"]) == ("vendor_status", "bird", "bird-1")
        assert (message["at"], message["url"]) == (1_795_341_600, server.url)
        assert message["said"]["description"] == "Partial System Outage"

    run(work)


def test_it_is_read_before_the_incident_when_seconds_are_unavailable_so_that_the_ticket_can_say_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        pages = Pages(monkeypatch)
        with Server(api__v2__summary_dot_json=(200, body(), {})) as server:
            pages.configured(server.url)
            for verdict in ("unavailable", "unavailable", "available", "unavailable", "unavailable"):
                pages.second(verdict)
            await asyncio.sleep(0)
            assert server.asked == []
            pages.second("unavailable")
            await pages.told(1)
            pages.incident("bird-1")
            await pages.told(2)
            assert [m["incident"] for m in pages.sent] == ["", "bird-1"]
            assert len(server.asked) == 1, "what was read last is told again, under the incident"
            await pages.pages.close()

    run(work)


def test_a_page_that_cannot_be_read_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        pages = Pages(monkeypatch)
        asked = asyncio.Event()
        tries = 0

        async def fail(*_: object) -> Said:
            nonlocal tries
            tries += 1
            if tries == 3:
                asked.set()
            raise NotReadableError("answers 500") if tries % 2 else TimeoutError

        async def at_once(*_: object) -> None:
            await asyncio.sleep(0)

        monkeypatch.setattr(module, "read", fail)
        monkeypatch.setattr(pages.pages, "_pause", at_once)
        pages.configured("http://127.0.0.1:1")
        pages.incident("bird-1")
        await asyncio.wait_for(asked.wait(), 10)
        await pages.pages.close()
        assert pages.sent == []

    run(work)
    assert [r.getMessage() for r in caplog.records if r.name.startswith("prober")] == [
        "the status page of bird cannot be read: it answers 500"
    ]


def test_a_page_that_leaves_the_configuration_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        pages = Pages(monkeypatch)
        pages.configured("http://127.0.0.1:1")
        known = pages.pages._pages["bird"]
        pages.configured("http://127.0.0.1:1")
        assert pages.pages._pages["bird"] is known
        pages.configured(None)
        assert known.task is not None
        await asyncio.wait([known.task])
        assert known.task.cancelled()
        pages.second("unavailable")
        await pages.pages.close()

    run(work)
