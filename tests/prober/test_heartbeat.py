"""The outside watcher hears from us while we are fit to measure, and nothing otherwise."""

import asyncio
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from asking import Desk
from http_desk import Desk as HttpDesk
from http_desk import desk as http_desk
from http_desk import serving
from loopback_http import LoopbackHTTP

from prober import config
from prober.heartbeat import Heart


class Watcher(LoopbackHTTP):
    """Notes what it is asked, and answers `status`."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, str]] = []
        self.status = 200
        self.url = f"{self.origin}/ping/secret-uuid"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        self.seen.append((request.command, request.path, request.rfile.read(length).decode()))
        request.send_response(self.status)
        request.send_header("Content-Length", "0")
        request.end_headers()


def fit(desk: Desk) -> Desk:
    """The measuring process is heard of, and every service has a closed second."""
    desk.view.total({"type": "totals", "store": {"ok": True}})
    for service in desk.view.settings.services:
        desk.view.second({"service": service, "second": 1, "cells": {"": ["available", "ok", 1, {}]}})
    return desk


def desk_with(url: str | None, **more: Any) -> Desk:
    desk = Desk()
    raw = desk.view.settings.model_dump(mode="json", include={"listen"})
    beat = (
        None
        if url is None
        else config.from_raw(
            {
                **raw,
                "services": {
                    "s": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "a", "url": "http://a"}]}}
                },
                "heartbeat": {"url": url, **more},
            },
            Path(),
        ).heartbeat
    )
    desk.view.settings = desk.view.settings.model_copy(update={"heartbeat": beat})
    return desk


def beat(heart: Heart) -> bool:
    return asyncio.run(heart.beat())


def test_it_beats_while_we_are_fit_to_measure() -> None:
    with Watcher() as watcher:
        heart = Heart(fit(desk_with(watcher.url)).view)
        assert beat(heart)
        assert beat(heart)
        assert watcher.seen == [("GET", "/ping/secret-uuid", "")] * 2


def test_the_metrics_know_when_it_was_last_heard() -> None:
    with Watcher() as watcher:
        desk = fit(desk_with(watcher.url))
        watcher.status = 500
        assert not beat(Heart(desk.view))
        assert desk.view.watched_at == 0
        watcher.status = 200
        desk.clock.utc += 60
        assert beat(Heart(desk.view))
        assert desk.view.snapshot().watched_at == desk.clock.utc


def test_it_is_silent_when_we_are_not_fit_and_beats_again_when_we_are(caplog: pytest.LogCaptureFixture) -> None:
    with Watcher() as watcher:
        desk = fit(desk_with(watcher.url))
        heart = Heart(desk.view)
        desk.clock.monotonic += 60
        assert not beat(heart)
        assert not beat(heart)
        assert watcher.seen == []
        assert caplog.text.count("hears nothing from us: no heartbeat of the measuring process for 60 s") == 1
        fit(desk)
        assert beat(heart)
    assert "secret-uuid" not in caplog.text


def test_it_is_silent_while_the_store_fails() -> None:
    with Watcher() as watcher:
        desk = fit(desk_with(watcher.url))
        desk.view.total({"type": "totals", "store": {"ok": False, "queued": 3}})
        assert not beat(Heart(desk.view))
        assert watcher.seen == []


def test_signals_tell_of_a_start_and_of_being_unfit() -> None:
    with Watcher() as watcher:
        desk = fit(desk_with(watcher.url + "?rid=1", signals=True, method="POST"))
        heart = Heart(desk.view)
        beat(heart)
        desk.clock.monotonic += 60
        beat(heart)
        beat(heart)
        fit(desk)
        beat(heart)
        assert watcher.seen == [
            ("POST", "/ping/secret-uuid/start?rid=1", ""),
            ("POST", "/ping/secret-uuid?rid=1", ""),
            ("POST", "/ping/secret-uuid/fail?rid=1", "no heartbeat of the measuring process for 60 s"),
            ("POST", "/ping/secret-uuid?rid=1", ""),
        ]


def test_a_watcher_that_cannot_be_reached_is_told_once_and_without_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Watcher() as watcher:
        desk = fit(desk_with(watcher.url))
        heart = Heart(desk.view)
        watcher.status = 500
        assert not beat(heart)
        assert not beat(heart)
        watcher.status = 200
        assert beat(heart)
    assert not beat(heart), "it is gone"
    assert [r.getMessage() for r in caplog.records if r.name.startswith("prober")] == [
        "the outside watcher cannot be told that we measure: answers 500",
        "the outside watcher cannot be told that we measure: ConnectError",
    ]


def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    """A stream of events, say, by a wrong address: the status has said all."""

    async def test() -> bool:
        async with http_desk(b"HTTP/1.1 200 OK\r\n\r\nOK", hang=True) as server:
            return await Heart(fit(desk_with(f"http://127.0.0.1:{server.port}/ping")).view).beat()

    assert asyncio.run(test())


def test_an_answer_that_comes_drop_by_drop_has_one_time_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the beats end for good: one is made at a time."""
    monkeypatch.setattr("prober.heartbeat.TIMEOUT", 0.3)

    class Dripping(HttpDesk):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)  # the drops' pace

    async def test() -> bool:
        server = Dripping([])
        async with asyncio.timeout(10), serving(server):
            return await Heart(fit(desk_with(f"http://127.0.0.1:{server.port}/ping")).view).beat()

    assert not asyncio.run(test())


def test_without_one_nothing_is_called() -> None:
    assert not beat(Heart(fit(desk_with(None)).view))


@pytest.mark.parametrize("url", ["ftp://x/y", "not a url"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(config.ConfigError, match=r"heartbeat\.url"):
        desk_with(url)
