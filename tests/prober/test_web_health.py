"""/-/healthy, /-/ready, /-/reload: when they say yes, why they say no, and to whom."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from asking import Desk, run
from serving import second, totals

LOOPBACK = "127.0.0.1"


def fit() -> Desk:
    desk = Desk()
    desk.view.second(second(1_795_341_600))
    desk.view.total(totals())
    return desk


def test_it_is_ready_once_a_second_has_closed_and_the_figures_come() -> None:
    answer = fit().ask("/-/ready")
    assert (answer.status_code, answer.text) == (200, "Ready.\n")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda desk: setattr(desk.clock, "monotonic", 105.5), "no heartbeat of the measuring process for 6 s"),
        (
            lambda desk: desk.view.total(totals(store={"ok": False, "queued": 17.25, "dropped": 0})),
            "the store is failing; 17 s wait in memory",
        ),
        (lambda desk: setattr(desk.view, "spells", {}), "no second of bird has closed yet"),
        (lambda desk: setattr(desk.view, "totals", None), "no figures from the measuring process yet"),
    ],
)
def test_it_says_why_it_is_not_ready(spoil: Callable[[Desk], None], reason: str) -> None:
    desk = fit()
    spoil(desk)
    answer = desk.ask("/-/ready")
    assert (answer.status_code, answer.text) == (503, reason + "\n")


def test_it_is_ready_again_when_the_heartbeat_comes_back() -> None:
    desk = fit()
    desk.clock.monotonic += 100
    assert desk.ask("/-/ready").status_code == 503
    desk.view.total(totals())
    assert desk.ask("/-/ready").status_code == 200


def test_healthy_bears_a_longer_silence_than_ready_because_somebody_may_kill_over_it() -> None:
    desk = Desk()
    desk.clock.monotonic += 10
    assert desk.ask("/-/healthy").status_code == 200
    assert desk.ask("/-/healthy", "HEAD").content == b""
    desk.clock.monotonic += 6
    answer = desk.ask("/-/healthy")
    assert (answer.status_code, answer.text) == (503, "No heartbeat of the measuring process for 16 s.\n")


def test_a_services_seconds_are_forgotten_with_the_service() -> None:
    desk = fit()
    desk.view.configured(desk.view.settings.model_copy(update={"services": {}}), desk.board, 0)
    assert desk.view.spells == {}


def answered(desk: Desk, message: dict[str, object], **request: object) -> httpx.Response:
    """A reload that the measuring process answers with `message`."""
    answers: list[httpx.Response] = []

    async def work() -> None:
        asking = asyncio.create_task(desk.asked("/-/reload", "POST", peer=LOOPBACK, **request))  # type: ignore[arg-type]  # headers
        sent = await desk.next_sent()
        assert sent["type"] == "reload"
        desk.reloads.answered({"type": "reloaded", "id": sent["id"], **message})
        answers.append(await asking)

    run(work)
    return answers[0]


def test_a_reload_is_answered_once_the_measuring_process_has_taken_it() -> None:
    answer = answered(Desk(), {"ok": True, "errors": []})
    assert (answer.status_code, answer.text) == (200, "Reloaded.\n")


def test_a_reload_that_fails_says_all_that_is_wrong() -> None:
    answer = answered(Desk(), {"ok": False, "errors": ["prober.yaml:3: x: is wrong", "prober.yaml:4: y: is wrong"]})
    assert (answer.status_code, answer.text) == (500, "prober.yaml:3: x: is wrong\nprober.yaml:4: y: is wrong\n")
    assert answered(Desk(), {"ok": False}).text == "the reload failed without a reason\n"


def test_a_reload_that_is_never_answered_ends() -> None:
    desk = Desk()

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await desk.reloads.ask(within=0.01)
        desk.reloads.answered({"type": "reloaded", "id": desk.sent[0]["id"], "ok": True})  # too late: nobody waits

    run(work)


def test_a_reload_ends_when_the_measuring_process_does() -> None:
    desk = Desk()

    async def work() -> None:
        asking = asyncio.create_task(desk.asked("/-/reload", "POST", peer=LOOPBACK))
        await desk.next_sent()
        desk.reloads.lost()
        desk.reloads.lost()
        answer = await asking
        assert (answer.status_code, answer.text) == (500, "the measuring process has ended\n")

    run(work)


def test_a_timeout_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    async def too_long() -> list[str]:
        raise TimeoutError

    monkeypatch.setattr(desk.reloads, "ask", too_long)
    answer = desk.ask("/-/reload", "POST", peer=LOOPBACK)
    assert (answer.status_code, answer.text) == (500, "no answer from the measuring process within 10 s\n")


def test_two_reloads_at_once_get_their_own_answers() -> None:
    desk = Desk()

    async def work() -> None:
        first, other = (asyncio.create_task(desk.asked("/-/reload", "POST", peer=LOOPBACK)) for _ in range(2))
        sent = [await desk.next_sent() for _ in range(2)]
        desk.reloads.answered({"id": sent[1]["id"], "ok": True})
        desk.reloads.answered({"id": "sighup", "ok": True})  # somebody else's
        desk.reloads.answered({"id": sent[0]["id"], "ok": False, "errors": ["no"]})
        assert [(await task).status_code for task in (first, other)] == [500, 200]

    run(work)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_a_reload_is_open_to_this_machine(peer: str) -> None:
    desk = Desk()

    async def work() -> None:
        asking = asyncio.create_task(desk.asked("/-/reload", "POST", peer=peer))
        await desk.next_sent()
        desk.reloads.lost()
        assert (await asking).status_code == 500

    run(work)
    assert desk.sent


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", {}),
        ("2001:db8::1", {}),
        ("::ffff:192.0.2.7", {}),
        ("somewhere", {}),
        ("192.0.2.7", {"X-Forwarded-For": "127.0.0.1"}),
        (LOOPBACK, {"X-Forwarded-For": "192.0.2.7"}),
        (LOOPBACK, {"Forwarded": "for=192.0.2.7"}),
        (LOOPBACK, {"Origin": "https://evil.example"}),
        ("192.0.2.7", {"Authorization": "Bearer "}),
    ],
)
def test_without_a_token_a_reload_is_open_to_nobody_else(peer: str, headers: dict[str, str]) -> None:
    desk = Desk()
    answer = desk.ask("/-/reload", "POST", headers, peer)
    assert (answer.status_code, desk.sent) == (403, [])
    assert "web.token" in answer.text


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", "Basic tok3n-of-20-letters", "Bearer tok3n-of-20-letterſ"]
)
def test_with_a_token_nobody_reloads_without_it(given: str | None) -> None:
    desk = Desk(token="tok3n-of-20-letters")
    headers = {} if given is None else {"Authorization": given}
    encoded = {name: value.encode() for name, value in headers.items()}
    answer = desk.ask("/-/reload", "POST", encoded, LOOPBACK)  # type: ignore[arg-type]  # bytes are headers too
    assert (answer.status_code, desk.sent) == (401, [])
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_with_its_token_anybody_reloads(scheme: str) -> None:
    desk = Desk(token="tok3n-of-20-letters")
    answer = answered(desk, {"ok": True}, headers={"Authorization": f"{scheme} tok3n-of-20-letters"})
    assert answer.status_code == 200


def test_a_reload_is_no_matter_of_reading() -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = Desk().ask("/-/reload", method)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert method == "HEAD" or answer.text == "Method not allowed.\n"
