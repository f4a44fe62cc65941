"""Pages through Apprise: its JSON service against a real HTTP server, and what its threads must not do."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from deliver_acts import FACTS, act
from http_desk import SILENCE, answer, desk

from prober.deliver import Delivered
from prober.deliver.appriser import Appriser, known
from prober.deliver.wording import Wording, using
from prober.receiver_checks import check
from prober.receivers import AppriseReceiver
from rules.acts import Act, ActKind, Outcome

PAGE = act(ActKind.PAGE, "on_call.apprise-1")


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


def appriser(port: int, timeout: float = 10.0) -> Appriser:
    url = f"json://user:pass-word-0123456789@127.0.0.1:{port}/page"
    return Appriser(AppriseReceiver.model_validate({"url": url}), timeout=timeout)


async def give(delivery: Appriser, act: Act = PAGE) -> Delivered:
    return await delivery.deliver(act, act.id)


def test_a_page_arrives_with_title_text_and_kind() -> None:
    async def test() -> None:
        async with desk() as server:
            delivery = appriser(server.port)
            delivered = [await give(delivery), await give(delivery, act(ActKind.PAGE_RESOLVE, "on_call.apprise-1"))]
        assert delivered == [Delivered(Outcome.ACCEPTED, "apprise: the service took it")] * 2
        page, resolve = (json.loads(request.body) for request in server.requests)
        assert page["title"].startswith("Critical Issue: Bird Email: persistent Unavailability")
        assert "WHAT WAS SEEN" in page["message"]
        assert (page["type"], resolve["type"]) == ("failure", "success")

    within(test)


def test_it_says_what_the_users_own_templates_say(tmp_path: Path) -> None:
    """The message is sent by a thread of its own, which knows nothing of the wording that is used around it."""
    (tmp_path / "page.j2").write_text("Look at the wiki.")

    async def test() -> None:
        async with desk() as server:
            with using(Wording.of(tmp_path)):
                await give(appriser(server.port))
        assert "Look at the wiki." in json.loads(server.requests[0].body)["message"]

    within(test)


def test_a_long_text_is_cut() -> None:
    async def test() -> None:
        async with desk() as server:
            await give(appriser(server.port), act(ActKind.PAGE, "r", facts={**FACTS, "text": "x" * 10_000}))
        assert len(json.loads(server.requests[0].body)["message"]) <= 4_000

    within(test)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
def test_a_service_that_refuses_is_tried_again(status: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with desk(answer(status)) as server:
            delivered = await give(appriser(server.port))
        assert delivered == Delivered(Outcome.TRANSIENT, "apprise: the service did not take it")

    with caplog.at_level(logging.DEBUG):
        within(test)
    assert "pass-word-0123456789" not in caplog.text


def test_a_service_that_is_silent_may_have_taken_it_and_its_thread_is_left_behind() -> None:
    async def test() -> None:
        async with desk(SILENCE) as server:
            delivered = await give(appriser(server.port, timeout=1.0))
            assert delivered == Delivered(Outcome.UNKNOWN, "apprise: no answer in time")
            (thread,) = [t for t in threading.enumerate() if t.name.startswith("apprise")]
            assert thread.daemon
        await asyncio.to_thread(thread.join, 10)  # the connection has closed: the late answer must change nothing

    within(test)


def test_a_thread_that_ends_after_the_loop_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    delivery = appriser(9, timeout=0.05)

    def send(*_: object) -> bool:
        gate.wait(10)
        return True

    monkeypatch.setattr(delivery, "_send", send)
    asyncio.run(give(delivery))
    (thread,) = [t for t in threading.enumerate() if t.name.startswith("apprise")]
    gate.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_plugin_that_raises_has_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = appriser(9)

    def notify(**_: Any) -> bool:
        raise RuntimeError("json://user:pass-word-0123456789@...")

    monkeypatch.setattr(delivery._sender, "notify", notify)
    assert asyncio.run(give(delivery)) == Delivered(Outcome.TRANSIENT, "apprise: the service did not take it")


def test_a_url_that_apprise_does_not_know_is_told_without_showing_it() -> None:
    assert known("json://127.0.0.1")
    assert not known("nonsense://127.0.0.1")
    ((key, message),) = check(AppriseReceiver.model_validate({"url": "nonsense://s3cr3t"}))
    assert (key, message) == (("url",), "is no URL that Apprise knows; write one such as tgram://token/chat")
    assert list(check(AppriseReceiver())) == [(("url",), "is missing; write url or url_file")]
