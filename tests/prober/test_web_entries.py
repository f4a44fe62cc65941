"""POST /api/incidents/ID/KIND: who may enter a step, what is told to the measuring process, and what it answers."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from asking import Desk, run

from prober.link import Decoder, encode
from prober.web import entries

TOKEN = "a-token-that-is-long-enough"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ACK = "/api/incidents/bird-20261122T100640Z/ack"


def enter(desk: Desk, path: str, body: object, reply: dict[str, object]) -> tuple[int, object, dict[str, object]]:
    """Status and body of the answer, and what was put on the link; `reply` is the measuring process's."""
    found: list[tuple[int, object, dict[str, object]]] = []

    async def work() -> None:
        asked = asyncio.create_task(desk.asked(path, "POST", BEARER, body=json.dumps(body).encode()))
        told = await desk.next_sent()
        desk.entries.answered({"type": "entered", "id": "nobody's", "ok": True})
        desk.entries.answered({"type": "entered", "id": told["id"], **reply})
        answer = await asked
        found.append((answer.status_code, answer.json(), told))

    run(work)
    return found[0]


def test_a_step_goes_to_the_measuring_process_and_its_answer_comes_back() -> None:
    step = {"by": "ada", "text": "on it", "when": 1_795_341_600}
    status, answer, told = enter(Desk(token=TOKEN), ACK, step, {"ok": True})
    assert (status, answer) == (200, {"ok": True})
    assert told == {
        "type": "entry",
        "id": "api-1",
        "via": "api",
        "incident": "bird-20261122T100640Z",
        "kind": "ack",
        **step,
    }


def test_half_a_character_in_a_step_is_no_defect() -> None:
    _, _, told = enter(Desk(token=TOKEN), ACK, {"by": "ada\ud800"}, {"ok": True})
    [come] = Decoder().feed(encode(told))
    assert come == told | {"by": "ada?"}


def test_why_an_incident_does_not_take_it_is_said() -> None:
    status, answer, _ = enter(Desk(token=TOKEN), ACK, {"by": "ada"}, {"ok": False, "error": "still unavailable"})
    assert (status, answer) == (409, {"ok": False, "error": "still unavailable"})


def test_a_silent_measuring_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "WITHIN", 0.01)
    answer = Desk(token=TOKEN).ask(ACK, "POST", BEARER, body=b'{"by": "ada"}')
    assert (answer.status_code, answer.json()["error"]) == (504, "no answer from the measuring process")


def test_without_a_token_in_the_configuration_nobody_may_not_even_from_here() -> None:
    desk = Desk()
    answer = desk.ask(ACK, "POST", peer="127.0.0.1", body=b'{"by": "ada"}')
    assert answer.status_code == 403
    assert "set one" in answer.text
    assert desk.sent == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_nobody_may(headers: dict[str, str]) -> None:
    desk = Desk(token=TOKEN)
    assert desk.ask(ACK, "POST", headers, peer="127.0.0.1", body=b'{"by": "ada"}').status_code == 401
    assert desk.sent == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "`by` is missing"),
        (b'{"by": "  "}', "`by` is missing"),
        (b"{", "not JSON"),
        (b"[1]", "is a JSON object"),
        (b'{"by": "ada", "who": "ada"}', "not of 'who'"),
        (b'{"by": 7}', "are texts"),
        (b'{"by": "ada", "when": "now"}', "a number of UTC seconds"),
        (b'{"by": "ada", "when": true}', "a number of UTC seconds"),
        (b'{"by": "ada", "when": -5}', "a number of UTC seconds"),
        (b'{"by": "ada", "when": 99999999999999}', "`when` is in the future: write UTC seconds (not milliseconds)"),
        (b'{"by": "ada", "value": "m\\r\\nX: 1"}', "`value` is a word or a key"),
        (b'{"by": "ada", "value": "\\ud800"}', "`value` is a word or a key"),
        (b" " * 70_000, "larger than 65536 bytes"),
    ],
)
def test_a_body_that_is_no_step_is_refused_with_a_word(body: bytes, says: str) -> None:
    desk = Desk(token=TOKEN)
    answer = desk.ask(ACK, "POST", BEARER, body=body)
    assert answer.status_code == 400
    assert says in answer.text
    assert desk.sent == []


def test_a_body_without_end_is_not_taken_into_memory() -> None:
    taken: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        for n in range(1000):
            taken.append(n)
            yield b" " * 10_000

    async def work() -> None:
        desk = Desk(token=TOKEN)
        transport = httpx.ASGITransport(desk.app, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://prober.test", headers=BEARER) as client:
            assert (await client.post(ACK, content=endless())).status_code == 400

    run(work)
    assert len(taken) < 10


def test_an_unknown_step_names_those_that_are_known() -> None:
    answer = Desk(token=TOKEN).ask("/api/incidents/x/explode", "POST", BEARER, body=b'{"by": "ada"}')
    assert answer.status_code == 404
    assert "ack, note, publish, resolve" in answer.text
