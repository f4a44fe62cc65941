"""Servers that misbehave by name: fault and reason of the real call, and what aiosmtplib makes of the same server."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from prober.probes.build import Engines
from prober.probes.call import Call
from prober.probes.reactor import Reactor, monotonic_ns
from prober.probes.resolve import Resolver
from prober.settings import SmtpEndpoint
from rules.faults import classify
from rules.model import Fault, Finding, Observation, Stage, Trouble
from tests.peers.smtp_peer import BEHAVIOURS, STAGES, SmtpPeer, Tls, smtp_peer
from tests.prober.smtp_calls import UTC, by_aiosmtplib, calls, observation_of

#: Seconds after which silence is one.
PATIENCE = 1.0

S, T, O = Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER  # noqa: E741 - the letters of classification.md
UNCONFIRMED = ("accept_unconfirmed",)


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[Tls, SmtpPeer]]:
    """A server for each way of TLS; a test tells it how to behave."""
    authority = trustme.CA()
    with (
        smtp_peer(tls="none", authority=authority) as plain,
        smtp_peer(tls="starttls", authority=authority) as starttls,
        smtp_peer(tls="implicit", authority=authority) as implicit,
    ):
        yield {"none": plain, "starttls": starttls, "implicit": implicit}


def observe(peer: SmtpPeer, name: str, folder: Path, *, seconds: float = 5.0) -> tuple[Observation, Finding]:
    peer.behaviour = BEHAVIOURS[name]
    observation = observation_of(calls(peer, folder, seconds=seconds)[0])
    return observation, classify(observation)


def agrees(observation: Observation, seen: tuple[str, int]) -> bool:
    """Whether what aiosmtplib saw of the server is what we say that happened."""
    kind, code = seen
    if observation.trouble is None and observation.unmet is None:
        return kind == "ok"
    if observation.unmet == "reply" and observation.stage is Stage.EHLO:  # it goes on with HELO and misses AUTH
        return seen in (("reply", observation.code), ("not_supported", 0)) or observation.code == 421
    if observation.unmet == "reply":  # it finds some 421s only after the connection has gone
        return seen == ("reply", observation.code) or (observation.code == 421 and kind == "closed")
    if observation.trouble is Trouble.TIMEOUT:
        return kind == "timeout"
    if observation.trouble in (Trouble.CLOSED, Trouble.RESET):
        return kind == "closed"
    if observation.trouble in (Trouble.NO_STARTTLS, Trouble.NO_AUTH_MECHANISM):
        return kind == "not_supported"
    # Junk and what does not end: it calls a line it cannot read -1, or waits for a line end until its time-out.
    return (kind, code) == ("reply", -1) or kind in ("timeout", "closed")


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("name", ["healthy", "bare_lf", "no_extensions", "plain_only", "login_only", "cram_only"])
def test_a_server_that_works_is_seen_to_work(peers: dict[Tls, SmtpPeer], tmp_path: Path, tls: Tls, name: str) -> None:
    peer = peers[tls]
    peer.received.clear()
    observation, finding = observe(peer, name, tmp_path)
    assert (finding.fault, finding.reason) == (Fault.NONE, "ok"), observation
    assert by_aiosmtplib(peer) == ("ok", 250)
    assert observation.stage is Stage.DONE
    assert (observation.code, observation.enhanced, observation.text) == (250, "2.0.0", "queued as 4711")
    assert observation.verified is (tls != "none")
    mine = peer.received[0]
    assert f"Message-ID: {observation.message_id}\r\n".encode() in mine.data
    assert (mine.login, mine.accepted, mine.encrypted) == ("probe", True, tls != "none")


#: What silence, a drop and bytes that are no SMTP mean is the same at every stage but for the stage's name.
TRANSPORT = [
    ("silence", T, "{stage}_timeout", True),
    ("drop", S, "{stage}_dropped", True),
    ("reset", S, "{stage}_dropped", True),
    ("junk", None, "malformed_smtp", False),
    ("endless_line", None, "reply_too_large", False),
    ("endless_reply", None, "reply_too_large", False),
    ("huge_reply", None, "reply_too_large", False),
    ("421", S, "smtp_reply_421", False),
    ("421_policy", O, "smtp_policy", False),
]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("what", "fault", "reason", "suspected"), TRANSPORT, ids=[row[0] for row in TRANSPORT])
def test_a_server_that_fails_at_a_stage(
    peers: dict[Tls, SmtpPeer], tmp_path: Path, stage: str, what: str, fault: Fault | None, reason: str, suspected: bool
) -> None:
    peer = peers["starttls"]
    seconds = PATIENCE if what == "silence" else 5.0
    observation, finding = observe(peer, f"{what}_at_{stage}", tmp_path, seconds=seconds)
    secured = stage not in ("banner", "ehlo", "starttls")
    expected = fault or (S if secured else O)  # bytes in plain text may be a middlebox's
    assert observation.stage == stage
    assert (finding.fault, finding.reason) == (expected, reason.format(stage=stage)), observation
    assert finding.suspected is suspected
    assert ("accept_unconfirmed" in finding.tags) is (stage == "dot" and observation.trouble is not None)
    seen = by_aiosmtplib(peer, seconds=PATIENCE)
    assert agrees(observation, seen), (observation, seen)


CREDENTIALS = (530, 534, 535, 538)  # they say more than x.7.x: what to look at is the login
CODES = (450, 451, 452, 454, 455, 500, 501, 502, 503, 504, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555, 556)


def by_code(code: int, stage: str) -> tuple[Fault, bool]:
    """classification.md, SMTP: fault and whether it is suspected, of a reply without an enhanced code."""
    if code == 451 or (code == 452 and stage != "rcpt") or (code == 454 and stage in ("starttls", "auth")):
        return S, False
    if (code == 500 and stage in ("ehlo", "mail", "rcpt", "data")) or (code == 554 and stage == "banner"):
        return S, True
    return O, False


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("flavour", ["", "_policy", "_system", "_rate"])
def test_a_server_that_refuses_at_a_stage(peers: dict[Tls, SmtpPeer], tmp_path: Path, stage: str, flavour: str) -> None:
    peer = peers["starttls" if stage == "starttls" else "none"]
    for code in CODES:
        observation, finding = observe(peer, f"{code}{flavour}_at_{stage}", tmp_path)
        fault, suspected = by_code(code, stage)
        reason = f"smtp_reply_{code}"
        if flavour == "_policy":
            fault, suspected, reason = O, False, reason if code in CREDENTIALS else "smtp_policy"
        elif flavour == "_rate":
            fault, suspected, reason = O, False, "rate_limited"
        elif flavour == "_system" and (code < 500 or (code == 554 and stage in ("data", "dot"))):
            fault, suspected = S, False
        assert (observation.stage, observation.unmet, observation.code) == (stage, "reply", code)
        assert (finding.fault, finding.reason, finding.suspected) == (fault, reason, suspected), observation
        if flavour == "" or code == CODES[0]:  # what it makes of a code does not depend on the text
            seen = by_aiosmtplib(peer)
            assert agrees(observation, seen), (observation, seen)


#: name, TLS, stage, trouble or unmet, fault, reason, suspected
SPECIAL: list[tuple[str, Tls, Stage, Trouble | str, Fault, str, bool]] = [
    ("no_starttls", "starttls", Stage.STARTTLS, Trouble.NO_STARTTLS, S, "starttls_not_offered", True),
    ("no_auth", "starttls", Stage.AUTH, Trouble.NO_AUTH_MECHANISM, O, "auth_mechanism", False),
    ("no_auth_mechanism", "none", Stage.AUTH, Trouble.NO_AUTH_MECHANISM, O, "auth_mechanism", False),
    ("auth_refused", "implicit", Stage.AUTH, "reply", O, "smtp_reply_535", False),
    ("early_421_in_data", "none", Stage.DOT, "reply", S, "smtp_reply_421", False),
    ("trickle_banner", "none", Stage.BANNER, Trouble.TIMEOUT, T, "banner_timeout", True),
    ("injects_before_tls", "starttls", Stage.STARTTLS, Trouble.MALFORMED, O, "malformed_smtp", False),
    ("two_replies_at_mail", "implicit", Stage.RCPT, Trouble.MALFORMED, S, "malformed_smtp", False),
    ("two_replies_at_mail", "none", Stage.RCPT, Trouble.MALFORMED, O, "malformed_smtp", False),
    ("positive_out_of_place", "implicit", Stage.MAIL, "reply", S, "smtp_reply_354", False),
    ("two_codes_at_ehlo", "none", Stage.EHLO, Trouble.MALFORMED, O, "malformed_smtp", False),
    ("half_reply_then_drop", "none", Stage.MAIL, Trouble.CLOSED, S, "mail_dropped", True),
    ("bad_challenge", "none", Stage.AUTH, Trouble.MALFORMED, O, "malformed_smtp", False),
    ("helo_only", "none", Stage.EHLO, "reply", O, "smtp_protocol", False),
]
#: Where aiosmtplib goes on, and what it then meets.
LENIENT = {
    "trickle_banner": "reads -1, or times out",
    "injects_before_tls": "drops the bytes and waits for a TLS that does not come",
    "two_replies_at_mail": "takes the second reply for RCPT's and so on",
    "helo_only": "falls back to HELO and finds no AUTH",
}


@pytest.mark.parametrize(
    ("name", "tls", "stage", "what", "fault", "reason", "suspected"), SPECIAL, ids=[f"{r[0]}-{r[1]}" for r in SPECIAL]
)
def test_a_server_that_fails_in_its_own_way(
    peers: dict[Tls, SmtpPeer],
    tmp_path: Path,
    name: str,
    tls: Tls,
    stage: Stage,
    what: Trouble | str,
    fault: Fault,
    reason: str,
    suspected: bool,
) -> None:
    peer = peers[tls]
    observation, finding = observe(peer, name, tmp_path, seconds=PATIENCE if what is Trouble.TIMEOUT else 5.0)
    assert (observation.stage, observation.trouble or observation.unmet) == (stage, what), observation
    assert (finding.fault, finding.reason, finding.suspected) == (fault, reason, suspected), observation
    if name not in LENIENT:
        seen = by_aiosmtplib(peer, seconds=PATIENCE)
        assert agrees(observation, seen), (observation, seen)


def test_a_421_that_comes_while_a_long_message_is_sent_is_found(peers: dict[Tls, SmtpPeer], tmp_path: Path) -> None:
    peer = peers["none"]
    peer.behaviour = BEHAVIOURS["early_421_in_data"]
    mail = {"from": "probe@example.com", "to": "sink@example.net", "size": 8_000_000}
    observation = observation_of(calls(peer, tmp_path, mail=mail)[0])
    assert (observation.stage, observation.unmet, observation.code) == (Stage.DOT, "reply", 421), observation


def test_a_login_that_the_server_repeats_is_in_no_text(peers: dict[Tls, SmtpPeer], tmp_path: Path) -> None:
    observation, _ = observe(peers["starttls"], "echoes_the_login", tmp_path)
    assert (observation.code, observation.text) == (500, "unknown: AUTH PLAIN ****")


def test_a_kept_connection_carries_the_next_injections(peers: dict[Tls, SmtpPeer], tmp_path: Path) -> None:
    peer = peers["starttls"]
    peer.behaviour = BEHAVIOURS["healthy"]
    peer.received.clear()
    before = peer.connections
    made = [observation_of(call) for call in calls(peer, tmp_path, count=3, connection="reuse")]
    assert [observation.fresh for observation in made] == [True, False, False]
    assert [observation.messages for observation in made][1:] == [1, 2]
    assert peer.connections - before == 1
    assert len({observation.message_id for observation in made}) == 3
    assert [r.login for r in peer.received] == ["probe"] * 3
    assert all(" SIZE=" in r.sender for r in peer.received), "what EHLO offered holds for the whole connection"


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_what_a_server_said_before_it_reset_the_connection_outranks_the_reset(tmp_path: Path, tls: Tls) -> None:
    """A busy machine learns of the connection, of the refusal and of the reset at once."""

    async def run() -> Observation:
        loop = asyncio.get_running_loop()
        with (
            contextlib.closing(Engines(loop, Reactor(loop), Resolver(loop))) as engines,
            contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door,
        ):
            ended: asyncio.Future[Call] = loop.create_future()
            port = door.getsockname()[1]
            wanted = {"name": "injection", "host": "127.0.0.1", "port": port, "tls": tls, "depth": "ehlo"}
            call = engines.smtp(SmtpEndpoint.model_validate(wanted)).call(ended.set_result, full=True)
            call.start(monotonic_ns(), UTC)
            with contextlib.closing(door.accept()[0]) as line:
                line.sendall(b"421 4.7.0 Too many connections from your address\r\n")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return observation_of(await ended)

    observation = asyncio.run(run())
    assert (observation.stage, observation.code, observation.enhanced) == (Stage.BANNER, 421, "4.7.0")
    assert classify(observation) == Finding(O, "smtp_policy")
