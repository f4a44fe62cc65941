"""One HTTP exchange without a network: what is sent, what responses mean, what is expected of them."""

import gzip
from collections.abc import Sequence
from typing import Any

import pytest
import re2

from prober.probes.conversation import Step
from prober.probes.expectation import Expectation, statuses_of
from prober.probes.http import BODY, HEAD, MOST, HttpConversation, HttpPlan
from prober.settings import Expect
from rules.model import Stage, Trouble

ANY = Expectation(statuses_of(()))
OK = b"HTTP/1.1 200 OK\r\nX-State: up\r\nContent-Length: 5\r\n\r\nhello"


def plan(expectation: Expectation = ANY, method: str = "GET", **given: Any) -> HttpPlan:
    return HttpPlan.build(method, "/", "api.example.com", given.pop("headers", {}), None, expectation, **given)


PLAIN = plan()


def heard(
    *pieces: bytes,
    plan: HttpPlan | None = None,
    closed: bool = False,
    clean: bool = True,
) -> HttpConversation:
    """The conversation after these pieces, and after the peer's close; it must be done only at the end."""
    plan = plan or PLAIN
    sent: list[bytes] = []
    conversation = HttpConversation(plan, lambda data, shown=None: sent.append(data))
    assert conversation.opened(1) is Step.MORE
    assert sent == [plan.request]
    step = Step.MORE
    for now, piece in enumerate(pieces, start=10):
        assert step is Step.MORE, "it was done before the last piece"
        step = conversation.feed(piece, now)
    if closed:
        assert step is Step.MORE, "it was done before the peer closed"
        step = conversation.closed(99, clean=clean)
    assert step is Step.DONE
    return conversation


def bytewise(data: bytes) -> Sequence[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# what is sent


def test_a_request_says_what_it_must_and_no_more() -> None:
    assert plan().request == (
        b"GET / HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: prober\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


def test_what_the_configuration_gives_replaces_what_is_ours() -> None:
    headers = {"host": "other", "USER-AGENT": "mine", "Accept": "a/b", "connection": "x", "Content-Length": "0"}
    built = HttpPlan.build("POST", "/p?q", "api.example.com", headers, None, ANY)
    assert built.request == (
        b"POST /p?q HTTP/1.1\r\nhost: other\r\nUSER-AGENT: mine\r\nAccept: a/b\r\nconnection: x\r\nContent-Length: 0\r\n\r\n"
    )


def test_a_body_has_its_length_in_bytes() -> None:
    built = HttpPlan.build("PUT", "/", "h", {}, "grün", ANY, reuse=True)
    assert b"Content-Length: 5\r\nConnection: keep-alive\r\n\r\n" in built.request
    assert built.request.endswith("grün".encode())
    assert b"Content-Length: 0\r\n" in HttpPlan.build("POST", "/", "h", {}, None, ANY).request


def test_what_is_shown_of_a_request_holds_no_secret_of_header_or_body() -> None:
    built = HttpPlan.build(
        "POST",
        "/",
        "h",
        {"Authorization": "s3cret"},
        '{"key": "s3cret"}',
        ANY,
        secret=lambda x: x.replace("s3cret", "***"),
    )
    assert b"s3cret" in built.request
    assert built.shown is not None
    assert b"s3cret" not in built.shown
    assert b'{"key": "***"}' in built.shown


# responses


@pytest.mark.parametrize("cut", [bytewise, lambda data: [data]], ids=["byte by byte", "at once"])
@pytest.mark.parametrize(
    ("response", "body"),
    [
        (OK, b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 100 Continue\r\nX-No: 1\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\nX-State: up\nContent-Length: 5\n\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nX-State: up\r\n and running\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0\r\n\r\n", b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-State: up\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nX-State: up\r\ncontent-length: 5, 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 5\nContent-Length:5\n\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2; x = y\r\nlo\r\n0 ;\r\n\r\n", b"hello"),
        (b"HTTP/1.0 100 Continue\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + OK, b"hello"),
    ],
    ids=[
        *("length", "chunked", "interim", "204", "empty", "bare LF", "folded", "spaces after a chunk's size", "both"),
        *("one length twice", "in one line", "after an interim response", "blanks in a chunk's extensions"),
        *("interim as HTTP/1.0", "interim that says close"),
    ],
)
def test_a_whole_response_ends_the_call(cut: Any, response: bytes, body: bytes) -> None:
    conversation = heard(*cut(response), plan=plan(Expectation(frozenset({999}))))
    assert conversation.trouble is None
    assert (conversation.stage, conversation.unmet, conversation.body) == (Stage.DONE, "status", body)
    assert conversation.text in ("OK", "No Content"), "the reason phrase of the final response"
    assert {name for name, _ in conversation.headers} <= {"x-state", "content-length", "transfer-encoding"}
    assert conversation.marks[3:] == [10, 9 + len(cut(response))]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5; a\r\nhello\r\nfive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5; a\r\nhello, world\r\n0\r\n\r\n",
    ],
    ids=[
        "two lengths",
        "two in one line",
        "no number",
        "a chunk's size is no number",
        "a chunk is longer than it says",
    ],
)
def test_what_no_client_takes_is_malformed_however_patiently_it_is_read(response: bytes) -> None:
    assert heard(response).trouble is Trouble.MALFORMED


def test_a_status_below_100_announces_no_further_response() -> None:
    assert heard(b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n").code == 99
    nothing = heard(b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n")
    assert (nothing.trouble, nothing.detail) == (Trouble.MALFORMED, "status 000")


def test_a_header_with_a_nul_is_none() -> None:
    nul = heard(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n")
    assert (nul.trouble, nul.detail) == (Trouble.MALFORMED, "a NUL in a header")


def test_a_healthy_response_keeps_nothing_of_it() -> None:
    conversation = heard(OK)
    assert (conversation.unmet, conversation.headers, conversation.body) == (None, (), b"")


@pytest.mark.parametrize("coding", ["", "Transfer-Encoding: gzip\r\n"])
def test_a_body_without_length_ends_with_the_connection(coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\n{coding}\r\n".encode()
    assert heard(head, b"hello", closed=True).trouble is None
    cut = heard(head, b"hello", closed=True, clean=False)
    assert (cut.trouble, cut.stage, cut.detail) == (Trouble.CLOSED, Stage.BODY, "TLS ended without close_notify")


@pytest.mark.parametrize(
    ("data", "stage"),
    [
        (b"", Stage.HEADERS),
        (b"HTTP/1.1 200 OK\r\nX", Stage.HEADERS),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", Stage.HEADERS),
        (OK[:-1], Stage.BODY),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nhel\r\n", Stage.BODY),
    ],
)
def test_a_response_that_ends_too_early_is_no_response(data: bytes, stage: Stage) -> None:
    conversation = heard(*([data] if data else []), closed=True)
    assert (conversation.trouble, conversation.stage) == (Trouble.CLOSED, stage)


@pytest.mark.parametrize(
    "data", [b"220 mx ESMTP\r\n", b"HTTP/1.1 2xx\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", b"\x16\x03\x01"]
)
def test_what_is_no_http_is_malformed(data: bytes) -> None:
    conversation = heard(data)
    assert conversation.trouble is Trouble.MALFORMED
    assert conversation.detail


def test_headers_without_end_are_too_large() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\n"] + [b"X-More: " + b"x" * 1000 + b"\r\n"] * (HEAD // 1000)
    conversation = heard(*pieces[: -(-HEAD // 1010) + 1])
    assert (conversation.trouble, conversation.code) == (Trouble.TOO_LARGE, 0)


def test_of_a_body_the_start_is_kept_and_what_has_no_end_is_judged_by_what_has_come() -> None:
    pieces = [b"HTTP/1.1 500 Oops\r\nContent-Length: 999999999\r\n\r\n"] + [b"x" * 50_000] * (MOST // 50_000 + 1)
    conversation = heard(*pieces)
    assert (conversation.trouble, conversation.unmet, len(conversation.body)) == (None, "status", BODY)
    assert not conversation.keep


def test_a_response_to_head_has_no_body() -> None:
    conversation = heard(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", plan=plan(method="HEAD", reuse=True))
    assert (conversation.code, conversation.trouble, conversation.keep) == (200, None, True)


def test_a_switch_of_protocols_is_the_end() -> None:
    conversation = heard(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01")
    assert (conversation.code, conversation.unmet) == (101, "status")


@pytest.mark.parametrize(
    ("response", "kept"),
    [
        (OK, True),
        (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (OK + OK, False),
        (OK + b"junk", False),
    ],
    ids=["length", "close", "1.0", "two responses", "junk behind it"],
)
def test_a_connection_is_kept_where_both_sides_will(response: bytes, kept: bool) -> None:
    assert heard(response, plan=plan(reuse=True)).keep is kept
    assert heard(response).keep is False


def test_a_second_response_changes_nothing_of_the_first() -> None:
    conversation = heard(
        OK + b"HTTP/1.1 500 Oops\r\nX-State: down\r\nContent-Length: 2\r\n\r\nno", plan=plan(reuse=True)
    )
    assert (conversation.code, conversation.unmet, conversation.keep) == (200, None, False)


def test_http_has_no_starttls() -> None:
    with pytest.raises(AssertionError, match="STARTTLS"):
        HttpConversation(plan(), lambda data, shown=None: None).secured(0)


# expectations


def met(expect: dict[str, Any], response: bytes, markers: tuple[bytes, ...] = ()) -> str | None:
    """What is not met of `expect`, as a file has it."""
    conversation = heard(response, plan=plan(Expectation.of(Expect.model_validate(expect), markers)))
    if conversation.unmet is not None:
        assert conversation.headers, "an unmet response is kept"
    return conversation.unmet


def reply(body: str, code: int = 200) -> bytes:
    head = f"HTTP/1.1 {code} X\r\nX-State: up\r\nX-State: and running\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()


@pytest.mark.parametrize(
    ("expect", "response", "unmet"),
    [
        ({}, reply("", 204), None),
        ({}, reply("", 302), "status"),
        ({"status": [200, "4xx"]}, reply("", 404), None),
        ({"status": ["200"]}, reply("", 201), "status"),
        ({"header": {"X-State": "^up$"}}, reply(""), None),
        ({"header": {"X-State": "running"}}, reply(""), None),
        ({"header": {"x-state": "down"}}, reply(""), "header x-state"),
        ({"header": {"x-other": ""}}, reply(""), "header x-other"),
        ({"header": {"x-state": "^up$"}}, reply("").replace(b": up", b":\t up \t"), None),
        ({"body": "w.rld"}, reply("hello world"), None),
        ({"body": "^world"}, reply("hello world"), "body"),
        ({"json": {"ok": True}}, reply('{"ok": true}'), None),
        ({"json": {"ok": True}}, reply('{"ok": 1}'), "json ok"),
        ({"json": {"ok": 1}}, reply('{"ok": true}'), "json ok"),
        ({"json": {"n": 1}}, reply('{"n": 1.0}'), None),
        ({"json": {"a": [True]}}, reply('{"a": [true]}'), None),
        ({"json": {"a": [True]}}, reply('{"a": [1]}'), "json a"),
        ({"json": {"a": [1]}}, reply('{"a": [1, 2]}'), "json a"),
        ({"json": {"a": {"b": True}}}, reply('{"a": {"b": 1}}'), "json a"),
        ({"json": {"a": {"b": 1}}}, reply('{"a": {"b": 1, "c": 2}}'), "json a"),
        ({"json": {"ok": True}}, reply("not json"), "json ok"),
        ({"json": {"data.0.state": "up"}}, reply('{"data": [{"state": "up"}]}'), None),
        ({"json": {"data.1.state": "up"}}, reply('{"data": [{"state": "up"}]}'), "json data.1.state"),
        ({"json": {"data.x": "up"}}, reply('{"data": ["up"]}'), "json data.x"),
        ({"json": {"data.²": "up"}}, reply('{"data": ["up"]}'), "json data.²"),
        ({"json": {"a.b.c": "up"}}, reply('{"a": {"b": 5}}'), "json a.b.c"),
        ({"json": {"a": 1, "b": 2}}, reply('{"a": 1, "b": 3}'), "json b"),
        ({"json": {"a": 1}}, reply("[" * 5000), "json a"),
        ({"json": {"a": 1}}, reply('\ufeff{"a": 1}'), None),
        ({"body": "^a"}, reply("\ufeffa"), None),
        ({"status": [200], "body": "x", "json": {"a": 1}}, reply('{"a": 2}'), "body"),
    ],
)
def test_the_first_expectation_that_is_not_met_is_named(
    expect: dict[str, Any], response: bytes, unmet: str | None
) -> None:
    assert met(expect, response) == unmet


@pytest.mark.parametrize(
    ("expect", "detail"),
    [
        ({"json": {"a": 1, "b.0": 2}}, "not as in expect.json: b.0"),
        ({"header": {"X-State": "down"}}, "not as in expect.header: x-state"),
        ({"body": "fine"}, "not as in expect.body"),
        ({"status": [204]}, ""),
    ],
)
def test_what_was_not_met_is_told_by_its_place_in_the_configuration(expect: dict[str, Any], detail: str) -> None:
    wanted = plan(Expectation.of(Expect.model_validate(expect)))
    assert heard(reply('{"a": 1, "b": [3]}'), plan=wanted).detail == detail


def test_a_body_that_may_be_a_vendors_error_is_kept() -> None:
    markers = (b'"errors"', b'"error"')
    for expect in ({}, {"body": "e"}):
        assert met(expect, reply('{"errors": []}'), markers) == "vendor"
        assert met(expect, reply('{"fine": 1}'), markers) is None
    halves = heard(
        reply('{"errors": []}')[:-8],
        reply('{"errors": []}')[-8:],
        plan=plan(Expectation(statuses_of(()), markers=markers)),
    )
    assert (halves.unmet, halves.body) == ("vendor", b'{"errors": []}')


def packed(body: str, code: int = 200) -> bytes:
    small = gzip.compress(body.encode())
    return b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (code, len(small), small)


def test_a_body_that_came_compressed_is_read_as_what_it_says() -> None:
    assert met({"json": {"state": "up"}, "body": "state"}, packed('{"state": "up"}')) is None
    assert met({"json": {"state": "up"}}, packed('{"state": "down"}')) == "json state"
    assert met({}, packed('{"errors": []}'), (b'"errors"',)) == "vendor"
    assert heard(packed('{"errors": []}', 400)).body == b'{"errors": []}', "what the vendor says of its failure"


def test_a_pattern_that_would_need_backtracking_is_refused() -> None:
    with pytest.raises(re2.error):
        Expectation.of(Expect.model_construct(status=(), header={}, body=r"(a)\1", json_={}))
