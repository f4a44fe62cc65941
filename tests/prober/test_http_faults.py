"""Servers that misbehave by name: fault and reason of the real calls of both engines, and what httpx by itself meets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from prober import vendors
from rules.faults import classify
from rules.model import HTTP_PHASES, Fault, Finding, History, Observation, Stage, Trouble
from tests.peers.http_peer import BEHAVIOURS, HttpPeer, blackhole, closed_port, http_peer, status
from tests.prober.http_calls import HTTPX_PATIENCE, by_httpx, call

#: Seconds after which silence is one; a handshake is over by then, on a busy machine too.
PATIENCE = 1.0

S, T, O = Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER  # noqa: E741 - the letters of classification.md
N = Fault.NONE
READ, CUT = "ReadError", "RemoteProtocolError"  # httpx's words

Peers = Mapping[str, HttpPeer]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def peers(authority: trustme.CA) -> Iterator[Peers]:
    """A server in plain text and one with TLS; a test tells them how to behave."""
    with http_peer() as plain, http_peer(tls="good", authority=authority) as secure:
        yield {"plain": plain, "tls": secure}


def observe(peer: HttpPeer | str, folder: Path, **settings: Any) -> tuple[Observation, Finding]:
    seen = call(peer, folder, **settings)
    return seen, classify(seen, vendor=vendors.load(settings.get("vendor", "generic")))


def judged(finding: Finding) -> tuple[Fault, str, bool]:
    return finding.fault, finding.reason, finding.suspected


GOOD = [
    *("healthy", "chunked", "chunked_with_trailers", "close_delimited", "http_1_0", "interim", "no_content"),
    *("no_reason_phrase", "body_in_pieces", "two_responses", "endless_body", "huge_body"),
    *("bare_lf", "folded_header"),
]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize("way", ["plain", "tls"])
@pytest.mark.parametrize("name", GOOD)
def test_a_server_that_works_is_seen_to_work(peers: Peers, tmp_path: Path, name: str, way: str, engine: str) -> None:
    peer = peers[way]
    peer.behaviour = BEHAVIOURS[name]
    seen, finding = observe(peer, tmp_path, engine=engine)
    assert judged(finding) == (N, "ok", False), seen
    assert (seen.stage, seen.verified) == (Stage.DONE, way == "tls")
    phases = dict(zip(HTTP_PHASES, seen.phases, strict=True))
    assert (phases.pop("tls") >= 0) is (way == "tls"), "no phase is shown that there was not"
    assert all(took >= 0 for took in phases.values()), seen.phases
    assert seen.version == (1.0 if name == "http_1_0" else 1.1)
    if engine == "wire" and name not in ("endless_body", "huge_body"):  # by itself it reads on
        assert by_httpx(peer) == str(seen.code)


#: status, its behaviour, fault (classification.md, HTTP), reason where it is not the status's own
STATUSES: list[tuple[str, Fault, str, bool, tuple[str, ...]]] = [
    ("301", O, "", False, ()),
    ("400", O, "", False, ()),
    ("400_sparkpost_1502", S, "vendor_resources_unavailable", False, ()),
    ("401", O, "", False, ()),
    ("403", O, "", False, ()),
    ("404", O, "", False, ()),
    ("408", T, "", True, ()),
    ("420", O, "", False, ("throttled",)),
    ("421", O, "", False, ()),
    ("425", O, "", False, ()),
    ("429", O, "", False, ("throttled",)),
    ("500", S, "", False, ()),
    ("501", O, "", False, ()),
    ("502", S, "", False, ()),
    ("503", S, "", False, ()),
    ("503_retry_after", S, "", False, ()),
    ("503_maintenance", S, "", False, ("maintenance",)),
    ("504", T, "", False, ()),
    ("505", O, "", False, ()),
    ("507", S, "", False, ()),
    ("508", S, "", False, ()),
    ("511", O, "", False, ()),
    ("522", T, "", False, ()),
    ("524", T, "", False, ()),
    ("529", S, "", False, ()),
    ("598", O, "", False, ()),
    ("599", O, "", False, ()),
    *((str(code), O, "", False, ()) for code in (520, 521, 523, 525, 526, 530)),
    *((f"{code}_cf_ray", S, "", False, ()) for code in (520, 521, 523, 525, 526, 530)),
]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize(("name", "fault", "reason", "suspected", "tags"), STATUSES, ids=[row[0] for row in STATUSES])
def test_a_server_that_answers_with_a_status(
    peers: Peers,
    tmp_path: Path,
    name: str,
    fault: Fault,
    reason: str,
    suspected: bool,
    tags: tuple[str, ...],
    engine: str,
) -> None:
    peer = peers["plain"]
    peer.behaviour = BEHAVIOURS[name]
    seen, finding = observe(peer, tmp_path, engine=engine, vendor="sparkpost")
    assert judged(finding) == (fault, reason or f"http_status_{name[:3]}", suspected), seen
    assert finding.tags == tags
    assert (seen.code, seen.unmet, seen.stage) == (int(name[:3]), "status", Stage.DONE)
    assert by_httpx(peer) == name[:3]


def test_a_success_with_the_vendors_error_in_its_body_is_the_vendors(peers: Peers, tmp_path: Path) -> None:
    peer = peers["plain"]
    peer.behaviour = BEHAVIOURS["200_bird_internal_error"]
    seen, finding = observe(peer, tmp_path, vendor="bird")
    assert (seen.code, seen.unmet, judged(finding)) == (200, "vendor", (S, "vendor_internal_error", False))


#: behaviour, trouble, stage, fault in plain text and under a verified certificate, reason, suspected, httpx by itself
TROUBLES: list[tuple[str, Trouble, Stage, Fault, Fault, str, bool, str]] = [
    ("hang_before_headers", Trouble.TIMEOUT, Stage.HEADERS, T, T, "read_timeout", True, "timeout"),
    ("hang_in_headers", Trouble.TIMEOUT, Stage.HEADERS, T, T, "read_timeout", True, "timeout"),
    ("hang_in_body", Trouble.TIMEOUT, Stage.BODY, T, T, "body_timeout", True, "timeout"),
    ("never_reads", Trouble.TIMEOUT, Stage.HEADERS, T, T, "read_timeout", True, "timeout"),
    ("trickle_headers", Trouble.TIMEOUT, Stage.HEADERS, T, T, "read_timeout", True, "timeout"),
    ("trickle_body", Trouble.TIMEOUT, Stage.BODY, T, T, "body_timeout", True, "timeout"),
    ("500_then_hang", Trouble.TIMEOUT, Stage.BODY, S, S, "http_status_500", False, "timeout"),
    ("520_cf_ray_then_hang", Trouble.TIMEOUT, Stage.BODY, S, S, "http_status_520", False, "timeout"),
    ("reset_before_headers", Trouble.RESET, Stage.HEADERS, S, S, "connection_reset", True, READ),
    ("reset_in_headers", Trouble.RESET, Stage.HEADERS, S, S, "connection_reset", True, READ),
    ("reset_after_headers", Trouble.RESET, Stage.BODY, S, S, "reset_in_body", True, READ),
    ("reset_in_body", Trouble.RESET, Stage.BODY, S, S, "reset_in_body", True, READ),
    ("reset_in_close_delimited", Trouble.RESET, Stage.BODY, S, S, "reset_in_body", True, READ),
    ("close_at_once", Trouble.CLOSED, Stage.HEADERS, S, S, "dropped", True, CUT),
    ("close_before_headers", Trouble.CLOSED, Stage.HEADERS, S, S, "dropped", True, CUT),
    ("close_in_headers", Trouble.CLOSED, Stage.HEADERS, S, S, "dropped", True, CUT),
    ("truncated_length", Trouble.CLOSED, Stage.BODY, S, S, "truncated", True, CUT),
    ("truncated_chunked", Trouble.CLOSED, Stage.BODY, S, S, "truncated", True, CUT),
    ("truncated_chunk", Trouble.CLOSED, Stage.BODY, S, S, "truncated", True, CUT),
    ("malformed_status_line", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, CUT),
    ("malformed_header", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, CUT),
    ("malformed_chunk", Trouble.MALFORMED, Stage.BODY, O, S, "malformed_http", False, CUT),
    ("two_lengths", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, CUT),
    ("binary_junk", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, "timeout"),
    ("smtp", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, "timeout"),
    ("http_0_9", Trouble.MALFORMED, Stage.HEADERS, O, S, "malformed_http", False, CUT),
    ("huge_headers", Trouble.TOO_LARGE, Stage.HEADERS, O, S, "reply_too_large", False, CUT),
    ("endless_headers", Trouble.TOO_LARGE, Stage.HEADERS, O, S, "reply_too_large", False, CUT),
    ("endless_interim", Trouble.TOO_LARGE, Stage.HEADERS, O, S, "reply_too_large", False, "timeout"),
]
#: What the engine httpx too takes for the start of something, and reads on.
LENIENT = {"endless_interim"}


@pytest.mark.parametrize("way", ["plain", "tls"])
@pytest.mark.parametrize(
    ("name", "trouble", "stage", "plain", "verified", "reason", "suspected", "met"), TROUBLES, ids=str
)
def test_a_server_that_does_not_answer_as_it_should(
    peers: Peers,
    tmp_path: Path,
    name: str,
    trouble: Trouble,
    stage: Stage,
    plain: Fault,
    verified: Fault,
    reason: str,
    suspected: bool,
    met: str,
    way: str,
) -> None:
    peer = peers[way]
    peer.behaviour = BEHAVIOURS[name]
    seconds = PATIENCE if trouble is Trouble.TIMEOUT else 5.0
    seen, finding = observe(peer, tmp_path, seconds=seconds)
    assert (seen.trouble, seen.stage) == (trouble, stage), seen
    assert judged(finding) == (verified if way == "tls" else plain, reason, suspected), seen
    assert (seen.ended - seen.begun) / 1e9 < seconds + 10, "a trickle ends at the deadline"
    if way == "plain":
        assert by_httpx(peer, seconds=PATIENCE if met == "timeout" else 5.0) == met


@pytest.mark.parametrize(
    ("name", "trouble", "stage", "plain", "verified", "reason", "suspected", "met"),
    [row for row in TROUBLES if row[0] not in LENIENT],
    ids=str,
)
def test_the_engine_httpx_finds_the_same(
    peers: Peers,
    tmp_path: Path,
    name: str,
    trouble: Trouble,
    stage: Stage,
    plain: Fault,
    verified: Fault,
    reason: str,
    suspected: bool,
    met: str,
) -> None:
    peer = peers["tls"]
    peer.behaviour = BEHAVIOURS[name]
    # httpx takes its time on a machine that is loaded, and must have come as far as the peer lets it.
    seen, finding = observe(
        peer, tmp_path, seconds=HTTPX_PATIENCE if trouble is Trouble.TIMEOUT else 10.0, engine="httpx"
    )
    assert (seen.trouble, seen.stage) == (trouble, stage), seen
    assert judged(finding) == (verified, reason, suspected), seen


def test_a_body_that_tls_does_not_end_is_truncated(peers: Peers, tmp_path: Path) -> None:
    """RFC 9112, 9.8: without close_notify, nobody knows whether a body that ends with the connection is whole."""
    for way, expected in (("plain", (N, "ok", False)), ("tls", (S, "truncated", True))):
        peers[way].behaviour = BEHAVIOURS["cut_close_delimited"]
        seen, finding = observe(peers[way], tmp_path)
        assert judged(finding) == expected, seen


def test_a_server_that_does_not_read_has_a_write_timeout(peers: Peers, tmp_path: Path) -> None:
    for way in ("plain", "tls"):
        peers[way].behaviour = BEHAVIOURS["never_reads"]
        seen, finding = observe(peers[way], tmp_path, seconds=PATIENCE, method="POST", body="x" * 20_000_000)
        assert (seen.stage, seen.sent_whole, judged(finding)) == (Stage.SEND, False, (T, "write_timeout", True))


def test_an_answer_that_comes_before_the_request_is_whole_is_found(peers: Peers, tmp_path: Path) -> None:
    for way in ("plain", "tls"):
        peers[way].behaviour = BEHAVIOURS["early_413"]
        seen, finding = observe(peers[way], tmp_path, method="POST", body="x" * 8_000_000)
        if seen.trouble is None:
            assert (seen.code, judged(finding)) == (413, (O, "http_status_413", False))
        else:  # the reset that a server provokes by not reading may destroy its own answer (RFC 9112, 9.6)
            assert (seen.trouble, finding.suspected) == (Trouble.RESET, True)


# connecting


def test_a_port_at_which_nobody_listens_refuses(tmp_path: Path) -> None:
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}/"
        for engine in ("wire", "httpx"):
            seen, finding = observe(url, tmp_path, engine=engine)
            assert (seen.stage, seen.detail) == (Stage.CONNECT, "ECONNREFUSED")
            assert judged(finding) == (S, "connection_refused", True)
        assert by_httpx(url) == "ConnectError"


def test_a_port_that_does_not_answer_has_a_connect_timeout(tmp_path: Path) -> None:
    with blackhole() as port:
        url = f"http://127.0.0.1:{port}/"
        for engine in ("wire", "httpx"):
            seconds = PATIENCE if engine == "wire" else HTTPX_PATIENCE
            seen, finding = observe(url, tmp_path, engine=engine, seconds=seconds)
            assert (seen.stage, judged(finding)) == (Stage.CONNECT, (T, "connect_timeout", True)), seen
        assert by_httpx(url, seconds=PATIENCE) == "timeout"


#: how TLS fails, trouble, fault at first and once it had worked, reason, suspected once it had worked
TLS: list[tuple[str, Trouble, Fault, Fault, str, bool]] = [
    ("expired", Trouble.TLS_EXPIRED, O, O, "tls_certificate_expired", False),
    ("not_yet_valid", Trouble.TLS_NOT_YET_VALID, O, O, "tls_certificate_not_yet_valid", False),
    ("wrong_host", Trouble.TLS_WRONG_HOST, O, O, "tls_certificate_wrong_host", False),
    ("unknown_issuer", Trouble.TLS_UNKNOWN_ISSUER, O, O, "tls_certificate_unknown_issuer", False),
    ("self_signed", Trouble.TLS_UNKNOWN_ISSUER, O, O, "tls_certificate_unknown_issuer", False),
    ("plain_text", Trouble.TLS_FAILED, O, S, "tls_failed", True),
    ("nothing_in_common", Trouble.TLS_ALERT, O, S, "tls_alert", True),
    ("client_certificate", Trouble.TLS_ALERT, O, S, "tls_alert", True),
    ("closes", Trouble.CLOSED, S, S, "tls_dropped", True),
    ("resets", Trouble.RESET, S, S, "tls_dropped", True),
    ("silent", Trouble.TIMEOUT, T, T, "tls_timeout", True),
]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize(("kind", "trouble", "first", "later", "reason", "suspected"), TLS, ids=[r[0] for r in TLS])
def test_a_server_whose_tls_fails(
    authority: trustme.CA,
    tmp_path: Path,
    kind: str,
    trouble: Trouble,
    first: Fault,
    later: Fault,
    reason: str,
    suspected: bool,
    engine: str,
) -> None:
    seconds = 5.0 if kind != "silent" else PATIENCE if engine == "wire" else HTTPX_PATIENCE
    with http_peer(tls=kind, authority=authority) as peer:
        seen = call(peer, tmp_path, engine=engine, seconds=seconds)
        assert seen.trouble is trouble, seen
        assert seen.code == 0
        if kind != "client_certificate":  # in TLS 1.3 that is known only after the handshake
            assert (seen.stage, seen.verified) == (Stage.TLS, False)
        for history, fault in ((History(), first), (History(tls_worked=True), later)):
            finding = classify(seen, history)
            assert (finding.fault, finding.reason) == (fault, reason), seen
            assert finding.suspected is (suspected if fault is not O else False)
        if engine == "wire":
            met = by_httpx(peer, seconds=PATIENCE if kind == "silent" else 5.0)
            late = {"silent": ("timeout",), "client_certificate": (READ, "SSLError")}
            assert met in late.get(kind, ("ConnectError",))


# redirects and proxies: engine httpx


def test_a_redirect_is_followed_where_the_configuration_wants_it(peers: Peers, tmp_path: Path) -> None:
    peer = peers["tls"]
    peer.behaviour = BEHAVIOURS["redirect"]
    seen, finding = observe(peer, tmp_path, engine="httpx", follow_redirects=True)
    assert (seen.code, judged(finding)) == (200, (N, "ok", False))
    for engine in ("wire", "httpx"):
        seen, finding = observe(peer, tmp_path, engine=engine)
        assert (seen.code, judged(finding)) == (302, (O, "http_status_302", False))


def test_a_redirect_to_what_no_client_follows_is_not_our_own_fault(peers: Peers, tmp_path: Path) -> None:
    peer = peers["plain"]
    peer.behaviour = status(302, "Found", "Location: ftp://127.0.0.1/there")
    seen, finding = observe(peer, tmp_path, engine="httpx", follow_redirects=True)
    assert judged(finding) == (O, "redirect_loop", False)
    assert "ftp://" in seen.detail


def test_a_redirect_loop_is_other_until_the_endpoint_had_never_redirected(peers: Peers, tmp_path: Path) -> None:
    peer = peers["plain"]
    peer.behaviour = BEHAVIOURS["redirect_loop"]
    seen = call(peer, tmp_path, engine="httpx", follow_redirects=True)
    assert seen.trouble is Trouble.REDIRECT_LOOP
    assert judged(classify(seen)) == (O, "redirect_loop", False)
    assert judged(classify(seen, History(passed=True))) == (S, "redirect_loop", True)


@pytest.mark.parametrize("behaviour", ["proxy_refuses", "proxy_502", "hang_before_headers", "close_before_headers"])
def test_a_proxy_that_fails_is_never_the_vendor(peers: Peers, tmp_path: Path, behaviour: str) -> None:
    peers["tls"].behaviour = BEHAVIOURS["healthy"]
    with http_peer(behaviour) as proxy:
        for target in (peers["tls"], peers["plain"]):
            seen, finding = observe(target, tmp_path, engine="httpx", proxy=proxy.url, seconds=1.0)
            if behaviour != "proxy_refuses" or target is peers["tls"]:
                assert judged(finding) == (O, "proxy_error", False), seen
            assert finding.fault is O
            assert seen.proxied == "127.0.0.1"
    with closed_port() as port:
        _, finding = observe(peers["tls"], tmp_path, engine="httpx", proxy=f"http://127.0.0.1:{port}")
        assert judged(finding) == (O, "proxy_error", False)


def test_through_a_proxy_that_works_the_vendors_faults_are_the_vendors(peers: Peers, tmp_path: Path) -> None:
    with http_peer("proxy") as proxy:
        for name, expected in (
            ("healthy", (N, "ok", False)),
            ("503", (S, "http_status_503", False)),
            ("hang_before_headers", (T, "read_timeout", True)),
            ("truncated_length", (S, "truncated", True)),
        ):
            peers["tls"].behaviour = BEHAVIOURS[name]
            seconds = 1.0 if name == "hang_before_headers" else 10.0
            seen, finding = observe(peers["tls"], tmp_path, engine="httpx", proxy=proxy.url, seconds=seconds)
            assert judged(finding) == expected, seen
            assert (seen.proxied, seen.verified) == ("127.0.0.1", True)
        methods = [request.method for request in proxy.requests]
        assert set(methods) == {"CONNECT"}
        assert len(methods) >= 4, "each call; on a busy machine one is begun again"
