"""`prober once`: each endpoint called once, for people, pipes and programs."""

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from prober.cli import main
from prober.probes.build import Engines
from prober.probes.once import call_once
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.settings import ApiEndpoint
from tests.peers.http_peer import HttpPeer, closed_port, http_peer
from tests.peers.smtp_peer import BEHAVIOURS as SMTP_BEHAVIOURS
from tests.peers.smtp_peer import PASSWORD, SmtpPeer, smtp_peer

KEY = "a-key-that-nobody-may-see"
Peers = tuple[HttpPeer, SmtpPeer]


@pytest.fixture
def peers() -> Iterator[Peers]:
    with http_peer(tls="good") as api, smtp_peer(tls="starttls") as smtp:
        yield api, smtp


def written(folder: Path, peers: Peers, *, control: int | None = None, **changes: Any) -> str:
    """A configuration of one endpoint a channel, whose API endpoint has these `changes`; its path."""
    api, smtp = peers
    smtp_ca = folder / "smtp-ca.pem"
    smtp.authority.cert_pem.write_to_path(str(smtp_ca))
    account = {"name": "account", "url": api.url, "ca": str(api.certificates.ca(folder)), "headers": {"X-Api-Key": KEY}}
    injection = {
        "name": "injection",
        "host": "localhost",
        "resolve": ["127.0.0.1"],
        "port": smtp.port,
        "ca": str(smtp_ca),
        "login": {"username": "probe", "password": PASSWORD},
        "mail": {"from": "probe@example.com", "to": "sink@example.net"},
    }
    service = {
        "contract": "bird-email-enterprise",
        "terms": {"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"},
        "mode": "observe",
        "timeout": "5s",
        "channels": {"api": [account | changes], "smtp": [injection]},
    }
    whole: dict[str, Any] = {"services": {"bird": service}}
    if control is not None:
        whole["controls"] = [{"name": "dns", "tcp": f"127.0.0.1:{control}"}]
    path = folder / "prober.yaml"
    path.write_text(yaml.safe_dump(whole))
    return str(path)


def test_all_is_well(tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["once", written(tmp_path, peers, control=peers[0].port)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"(?m)^bird/api/account: ok, [\d.]+ ms$", out)
    assert re.search(r"(?m)^bird/smtp/injection: ok, [\d.]+ ms$", out)
    assert re.search(r"(?m)^control dns: ok, [\d.]+ ms$", out)
    assert "reply: 200\n" in out
    assert "reply: 250 2.0.0 queued as 4711" in out
    assert re.search(r"phases: resolve [\d.]+, connect [\d.]+, tls [\d.]+, processing [\d.]+, transfer [\d.]+ ms", out)
    assert f"peer: 127.0.0.1:{peers[0].port}, TLSv1.3" in out
    assert re.search(r"certificate: until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, \d+ days\s+left", out)
    assert len(peers[1].received) == 1, "the mail was sent"


def test_one_failure_is_a_failure_and_is_explained(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    peers[0].behaviour = _answer_of("503")
    assert main(["once", written(tmp_path, peers)]) == 1
    out = capsys.readouterr().out
    assert "bird/api/account: server_error http_status_503" in out
    assert "means: The reply's status was 503 (Service Unavailable)." in out
    assert "to do: " in out
    assert "over the wire" not in out


def test_the_dialogue_of_a_failed_call_is_shown_without_its_secrets(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    async def repeats_the_key(line: Any) -> None:
        request = await line.hear()
        text = f"who is {request.headers['x-api-key']}?\x1b[2J".encode()
        await line.say(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    peers[0].behaviour = repeats_the_key
    path = written(tmp_path, peers)
    assert main(["once", path, "--verbose"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"ms > GET / HTTP/1.1", out)
    assert re.search(r"ms < HTTP/1.1 500 Oops", out)
    assert "who is " in out
    assert main(["once", path, "--verbose", "--format", "jsonl"]) == 1
    lines = capsys.readouterr().out
    assert "who is " in json.loads(lines.splitlines()[0])["transcript"]
    for text in (out, lines):
        assert KEY not in text
        assert "\x1b" not in text


def test_programs_get_a_line_each(tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, peers, control=peers[0].port, expect={"json": {"state": "bad"}})
    assert main(["once", path, "--format", "jsonl"]) == 1
    account, injection, control = map(json.loads, capsys.readouterr().out.splitlines())
    assert account["ok"] is False
    assert {k: account[k] for k in ("service", "channel", "endpoint", "fault", "reason", "code", "tls")} == {
        "service": "bird",
        "channel": "api",
        "endpoint": "account",
        "fault": "other",
        "reason": "expectation_json",
        "code": 200,
        "tls": "TLSv1.3",
    }
    assert set(account["phases"]) == {"resolve", "connect", "tls", "processing", "transfer"}
    assert (injection["ok"], injection["code"], injection["text"]) == (True, 250, "2.0.0 queued as 4711")
    assert injection["certificate_until"] > account["begun"]
    assert (control["control"], control["ok"], control["code"]) == ("dns", True, None)


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ("none", ("other", "uncorroborated")),
        ("fine", ("server_error", "connection_refused")),
        ("failing", ("own", "controls_failed")),
    ],
)
def test_a_suspicion_is_held_against_the_controls(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str], controls: str, expected: tuple[str, str]
) -> None:
    with closed_port() as refuses:
        control = {"none": None, "fine": peers[0].port, "failing": refuses}[controls]
        path = written(tmp_path, peers, control=control, url=f"http://127.0.0.1:{refuses}/")
        assert main(["once", path, "--format", "jsonl"]) == 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert main(["once", path, "--verbose"]) == 1
        text = capsys.readouterr().out
    assert (lines[0]["fault"], lines[0]["reason"]) == expected
    assert lines[0]["failed_addresses"] == ["127.0.0.1 ECONNREFUSED"]
    assert "failed addresses: 127.0.0.1 ECONNREFUSED" in text
    assert "over the wire:\n    nothing" in text
    assert lines[1]["ok"] is True, "another endpoint's failure is not this one's"
    if controls == "failing":
        assert "control dns: failed connection_refused" in text, "a control accuses nobody"


def test_controls_do_not_stand_in_the_queue_of_many_endpoints(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.cli.once._AT_ONCE", 1)
    peers[0].behaviour = _answer_of("hang_before_headers")
    path = Path(written(tmp_path, peers, control=peers[0].port, timeout="1500ms"))
    whole = yaml.safe_load(path.read_text())
    (account,) = whole["services"]["bird"]["channels"]["api"]
    whole["services"]["bird"]["channels"] = {"api": [account | {"name": f"account{n}"} for n in range(4)]}
    path.write_text(yaml.safe_dump(whole))
    assert main(["once", str(path), "--format", "jsonl"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # The first silence ends when the last of the queue has not begun: were controls queued behind it, they were late.
    reasons = {line["endpoint"]: line["reason"] for line in lines if "endpoint" in line}
    assert reasons == dict.fromkeys([f"account{n}" for n in range(4)], "read_timeout")


def test_a_failing_control_alone_fails_nothing(tmp_path: Path, peers: Peers) -> None:
    with closed_port() as refuses:
        assert main(["once", written(tmp_path, peers, control=refuses)]) == 0


def test_a_hung_endpoint_ends_at_its_time_out(tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    peers[0].behaviour = _answer_of("hang_before_headers")
    path = written(tmp_path, peers, control=peers[0].port, timeout="1s")
    assert main(["once", path, "--format", "jsonl"]) == 1
    account = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (account["fault"], account["reason"], account["stage"]) == ("server_timeout", "read_timeout", "headers")
    assert 0.9 < account["seconds"] < 6


def test_a_reply_lost_after_the_dot_says_that_the_message_may_be_taken(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    peers[1].behaviour = SMTP_BEHAVIOURS["drop_at_dot"]
    path = written(tmp_path, peers, control=peers[0].port)
    assert main(["once", path, "--format", "jsonl"]) == 1
    account, injection, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (injection["reason"], injection["tags"]) == ("dot_dropped", ["accept_unconfirmed"])
    assert account["tags"] == []


def test_a_file_that_changes_into_none_is_a_clear_error(
    tmp_path: Path, peers: Peers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise FileNotFoundError(2, "No such file", "ca.pem")

    monkeypatch.setattr(Engines, "api", fails)
    assert main(["once", written(tmp_path, peers)]) == 1
    assert "account cannot be called: [Errno 2] No such file: 'ca.pem'" in capsys.readouterr().err


def test_a_bad_configuration_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text("services: 5\n")
    assert main(["once", str(path)]) == 2
    assert "services" in capsys.readouterr().err


def test_a_terminal_gets_a_table_within_its_80_columns(tmp_path: Path, peers: Peers) -> None:
    peers[0].behaviour = _answer_of("503")
    command = [sys.executable, "-m", "prober", "once", written(tmp_path, peers, control=peers[0].port)]
    status, out = _in_a_terminal(command)
    assert os.waitstatus_to_exitcode(status) == 1
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    lines = plain.splitlines()
    assert re.match(r"Endpoint +Result +Code +ms +Phases \(ms\)", lines[0])
    assert "http_status_503" in plain
    assert max(map(len, lines)) <= 80, max(lines, key=len)


def _in_a_terminal(command: list[str]) -> tuple[int, str]:
    """Exit status and output of a command in a terminal of 80 columns."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, os.environ | {"TERM": "xterm", "COLUMNS": "80"})  # noqa: S606 - our own program
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    found = b""
    while True:
        try:
            data = os.read(master, 65_536)
        except OSError:  # EIO: its other side has closed
            break
        if not data:
            break
        found += data
    os.close(master)
    return os.waitpid(pid, 0)[1], found.decode()


def test_a_call_that_is_given_up_closes_its_connection() -> None:
    with http_peer("hang_before_headers") as peer:

        async def work() -> None:
            loop = asyncio.get_running_loop()
            engines = Engines(loop, Reactor(loop), Resolver(loop))
            task = loop.create_task(call_once(engines, ApiEndpoint(name="x", url=peer.url), 60))
            async with asyncio.timeout(10):
                while not peer.requests:  # noqa: ASYNC110 - the server is in another thread
                    await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engines.reactor.sockets == 0
            engines.close()

        asyncio.run(work())


def _answer_of(name: str) -> Any:
    from tests.peers.http_peer import BEHAVIOURS

    return BEHAVIOURS[name]
