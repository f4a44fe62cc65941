"""Secrets are planted wherever a configuration, a request or a reply can hold one; no output of the real program shows one.

Every peer is a parrot: it says back what it knows of secrets, in every encoding, whatever it was asked. What the program has
written, sent and shown is then searched for each secret, and for any nine characters from the midst of one: a few characters of
each end may stay (360dialog's agreement allows no more).
"""

import asyncio
import base64
import contextlib
import html
import itertools
import json
import quopri
import random
import string
import zlib
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.outside import Desk, Loop, outside, until
from tests.e2e.program import Program, ask_anything, configuration, service

pytestmark = pytest.mark.e2e

_draw = random.Random(7)


def secret(name: str) -> str:
    """A secret whose midst stands nowhere else."""
    return f"{name[:2]}{''.join(_draw.choices(string.ascii_letters + string.digits, k=24))}+/{name[-2:]}"


PLANTED = {
    name: secret(name)
    for name in (
        "api-key", "bearer", "url-key", "smtp-password", "relay-password", "imap-password", "web-token", "routing-key",
        "pd-token", "twilio-token", "auth-key", "privacy-key", "hmac-key", "desk-token", "alert-header", "apprise",
        "cookie-of-ours", "client-secret",
    )
}  # fmt: skip
#: Secrets that the peers alone know; they are to be known by their shapes.
STRANGE = {"session": secret("session"), "digest": "".join(_draw.choices("0123456789abcdef", k=32))}
USER = "planted-user"


def repeated() -> bytes:
    """What a parrot says: every planted secret, in every encoding, and credentials of others by their shapes."""
    lines = []
    for value in PLANTED.values():
        raw = value.encode()
        whole = "".join(f"%{byte:02x}" for byte in raw)
        lines += [
            value, quote(value, safe=""), whole, quote(quote(value, safe=""), safe=""), json.dumps(value),
            "".join(f"\\u{ord(c):04x}" for c in value), html.escape(value), "".join(f"&#{ord(c)};" for c in value),
            base64.b64encode(raw).decode(), base64.b64encode(b"\0user\0" + raw).decode(),
            base64.b64encode(f"{USER}:{value}".encode()).decode(), base64.encodebytes(b"x" * 40 + raw).decode(),
            raw.hex(), quopri.encodestring(raw, quotetabs=True).decode(), f"{value[:11]}\r\n {value[11:]}",
            f"https://user:{value}@host.example/", f"Bearer {value}",
        ]  # fmt: skip
    lines += [
        f"Set-Cookie: sid={STRANGE['session']}; Path=/",
        f"Authorization: Bearer {STRANGE['session']}",
        f'{{"password": "{STRANGE["session"]}", "headers": [["Cookie", "sid={STRANGE["session"]}"]]}}',
        base64.b64encode(f"{USER} {STRANGE['digest']}".encode()).decode(),
        f"{USER} {STRANGE['digest']}",
    ]
    return "\r\n".join(lines).encode()


SAID = repeated()


class Parrots:
    """Servers of three protocols on loopback that repeat secrets and do nothing that is asked of them."""

    def __init__(self, loop: Loop) -> None:
        self.asked: list[str] = []  # request lines
        self._loop = loop
        self._writers: list[asyncio.StreamWriter] = []

        async def open_() -> None:
            for name, serve in (("http", self._http), ("smtp", self._smtp), ("imap", self._imap)):
                server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
                loop.servers.append(server)
                setattr(self, name, server.sockets[0].getsockname()[1])

        self.http = self.smtp = self.imap = 0
        loop.do(open_())

    def close(self) -> None:
        """Let go of everybody, also of those who stopped reading."""

        async def abort() -> None:
            for writer in self._writers:
                writer.transport.abort()

        self._loop.do(abort())

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.http}/{path}"

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split(b"\r\n")[0].decode())
            # A whole transcript's worth first in every other answer, so that its limit cuts somewhere in a secret.
            body = (b"." * (13_000 + 97 * len(self.asked) % 2_000) if len(self.asked) % 2 else b"") + SAID
            reply = b"HTTP/1.1 503 %b\r\nSet-Cookie: sid=%b; HttpOnly\r\nX-Echo: %b\r\n"
            reply += b"Content-Length: %d\r\nConnection: close\r\n\r\n"
            session, key = STRANGE["session"].encode(), PLANTED["api-key"].encode()
            writer.write(reply % (PLANTED["bearer"].encode(), session, key, len(body)) + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            writer.write(b"220 parrot ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb in (b"EHLO", b"HELO"):
                    writer.write(b"250-parrot\r\n250 AUTH PLAIN LOGIN\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:  # the command as it came, also decoded, and what else a parrot knows
                    writer.write(b"535-5.7.8 no: " + line.strip() + b"\r\n")
                    decoded = base64.b64decode(line.split()[-1] + b"==") if verb == b"AUTH" else line.strip()
                    writer.write(b"535-5.7.8 that is " + decoded + b"\r\n")
                    lines = [b"535-5.7.8 " + said.strip() + b"\r\n" for said in SAID.splitlines() if said.strip()]
                    writer.writelines(lines[-5:] + lines[60:100])
                    writer.write(b"535 5.7.8 " + PLANTED["smtp-password"].encode() + b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            writer.close()

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            writer.write(b"* OK [CAPABILITY IMAP4rev1] parrot\r\n")
            while line := await reader.readline():
                tag = line.split()[0]
                answer = b"* BYE no" if b"LOGIN" in line else b"* CAPABILITY IMAP4rev1"
                ok = b"NO " if b"LOGIN" in line else b"OK "
                writer.write(answer + b"\r\n" + tag + b" " + ok + line.strip() + b" " + SAID.splitlines()[96] + b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def planted(desk: Desk, parrots: Parrots, snmp: int) -> dict[str, Any]:
    """A configuration with a secret wherever one can stand."""
    key = PLANTED
    login = {"username": USER, "password": key["smtp-password"]}
    template = {
        "open": {
            "url": parrots.url("desk"),
            "body": '{"token": "' + key["desk-token"] + '", "text": {{ text | tojson }}}',
        },
        "headers": {"Authorization": f"Bearer {key['desk-token']}"},
    }
    twilio = {
        "account_sid": "AC" + "0" * 32, "auth_token": key["twilio-token"], "from": "+15550100", "to": "+15550101",
        "url": parrots.url("twilio"),
    }  # fmt: skip
    trap = {
        "host": "127.0.0.1", "port": snmp, "version": "3", "user": USER, "auth_key": key["auth-key"],
        "privacy_key": key["privacy-key"], "engine_id": "80001f8804abcdef01",
    }  # fmt: skip
    own = service(
        desk,
        "bird",
        {
            "api": [
                {
                    "name": "account",
                    "url": parrots.url(f"v1/{quote(key['url-key'], safe='')}/account?api_key={key['client-secret']}"),
                    "method": "POST",
                    "body": "client_secret=" + quote(key["client-secret"], safe=""),
                    "headers": {
                        "Authorization": f"Bearer {key['bearer']}", "X-Api-Key": key["api-key"],
                        "Cookie": f"sid={key['cookie-of-ours']}",
                    },
                },
            ],
            "smtp": [
                {"name": "injection", "host": "127.0.0.1", "port": parrots.smtp, "tls": "none", "login": login,
                 "mail": {"from": "probe@customer.test", "to": "sink@vendor.test"}},
            ],
        },
        tickets=[
            {"template": template},
            {"zendesk": {"url": parrots.url(), "username": "o@customer.test", "api_token": key["desk-token"]}},
            {"jira": {"url": parrots.url(), "api_token": key["desk-token"], "project": "VEN"}},
            {"email": {"to": "bird@vendor.test", "from": "oncall@customer.test"}},
        ],
        hotline=[
            {"twilio": twilio},
            {"webhook": {"url": desk.url("hotline"), "hmac_key": key["hmac-key"], "headers": {"X-Key": key["alert-header"]}}},
        ],
        status_page={"url": parrots.url("status"), "every": "10s"},
    )  # fmt: skip
    return configuration(
        desk,
        {"bird": own},
        relays=[
            {"host": "127.0.0.1", "port": parrots.smtp, "tls": "none", "username": USER, "password": key["relay-password"]},
            {"host": desk.host, "port": desk.mail_port, "tls": "none"},
        ],
        mailboxes=[
            {"host": "127.0.0.1", "port": parrots.imap, "tls": "none", "username": USER, "password": key["imap-password"]}
        ],
        web={"token": key["web-token"]},
        heartbeat={"url": parrots.url(f"ping/{quote(key['apprise'], safe='')}"), "every": "1s"},
        hide=[key["url-key"], key["client-secret"], key["cookie-of-ours"]],
        on_call=[
            {"webhook": {"url": desk.url("page"), "hmac_key": key["hmac-key"]}},
            {"pagerduty": {"routing_key": key["routing-key"], "api_token": key["pd-token"], "url": parrots.url("pd")}},
            {"alertmanager": {"url": parrots.url("am"), "headers": {"X-Key": key["alert-header"]}}},
            {"snmp": trap},
            {"apprise": {"url": f"json://{USER}:{quote(key['apprise'], safe='')}@127.0.0.1:{parrots.http}/"}},
        ],
    )  # fmt: skip


# --- what is looked for


def traces(value: str) -> Iterator[str]:
    """Nine characters each from the midst of a secret, in each form in which it can be read back."""
    raw = value.encode()
    forms = [value, quote(value, safe=""), "".join(f"%{byte:02x}" for byte in raw), raw.hex()]
    forms += ["".join(f"\\u{ord(c):04x}" for c in value), "".join(f"&#{ord(c)};" for c in value)]
    for form in forms:
        size = 9 * len(form) // len(value)
        yield from (form[at : at + size] for at in range(len(form) // 5, len(form) * 4 // 5 - size))
    for before in range(3):
        core = base64.b64encode(b"\0" * before + raw)[4:-4].decode()
        yield from (core[at : at + 12] for at in range(2, len(core) - 14))


TRACES = {trace: name for name, value in (PLANTED | STRANGE).items() for trace in traces(value)}
_SHORTEST = min(map(len, TRACES))
_BEGINNINGS: dict[str, list[str]] = {}
for _trace in TRACES:
    _BEGINNINGS.setdefault(_trace[:_SHORTEST], []).append(_trace)


def found(where: str, data: bytes) -> list[str]:
    """Which secrets stand in `data`, and where it came from."""
    text = data.decode("latin-1")
    texts = (text, "".join(text.split()))
    pieces = {t[at : at + _SHORTEST] for t in texts for at in range(len(t) - _SHORTEST + 1)}
    traces = [trace for piece in pieces & _BEGINNINGS.keys() for trace in _BEGINNINGS[piece]]
    return sorted(f"{TRACES[trace]} in {where} ({trace})" for trace in traces if any(trace in t for t in texts))


def inflated(data: bytes) -> Iterator[bytes]:
    """Everything that was packed within `data`: the store's evidence."""
    for head in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        at = data.find(head)
        while at >= 0:
            with_end = zlib.decompressobj()
            with contextlib.suppress(zlib.error):  # it only looked like packed data
                yield with_end.decompress(data[at:], 1_000_000)
            at = data.find(head, at + 1)


def mails(desk: Desk) -> Iterator[tuple[str, bytes]]:
    for number, arrival in enumerate(desk.journal):
        if arrival.place != "mail":
            yield f"{arrival.place} {number}", json.dumps(arrival.body).encode()
            continue
        raw = arrival.mail.as_bytes()
        yield f"mail {number}", raw
        for part in BytesParser(policy=policy.default).parsebytes(raw).walk():
            if not part.is_multipart():
                yield f"mail {number}, {part.get_content_type()}", part.get_payload(decode=True) or b""  # type: ignore[misc]  # bytes, when decoded


def test_what_is_searched_for_is_found_where_it_stands() -> None:
    for name, value in PLANTED.items():
        assert found("x", f"<{value}>".encode())[0].startswith(name)
    for line in SAID.splitlines()[:10]:
        assert found("x", line)


@pytest.mark.timeout(600)
def test_no_output_shows_a_secret_whatever_the_peers_say(tmp_path: Path) -> None:
    shown: list[tuple[str, bytes]] = []
    with outside() as (loop, desk):
        parrots = Parrots(loop)
        with contextlib.closing(parrots), Program(tmp_path, planted(desk, parrots, 9)) as program:
            program.start()
            desk.wait_for("page", within=180)  # a busy machine stalls, and then nothing is judged for a while
            desk.wait_for("ticket")
            desk.wait_for("hotline")
            incident = program.incident()
            for words in ("pd", "am", "twilio", "ping", "status"):
                until(lambda words=words: any(f"/{words}" in line for line in parrots.asked), f"{words} was asked")  # type: ignore[misc]
            until(lambda: program.logged("mailbox"), "the mailbox was tried")
            name = str(incident["id"])
            told = ("incidents", "note", name, f"they want {PLANTED['api-key']}, is that right?", "--by", "ann")
            shown.append(("note", ask_anything(*told, "--config", str(program.config)).stderr.encode()))
            paths = (
                "/", "/metrics", "/-/ready", "/-/healthy", f"/incidents/{name}", "/feed.atom", "/api/v2/summary.json",
                "/api/v2/incidents.json", "/services/bird", "/live", f"/nothing?token={PLANTED['web-token']}",
                "/probe?service=bird&channel=api&endpoint=account&debug=true", "/probe?target=account&debug=true",
            )  # fmt: skip
            shown += [(f"GET {path.partition('?')[0]}", asked(program, path)) for path in paths]
            commands = (
                ("incidents", "list"), ("incidents", "list", "--format", "jsonl"), ("incidents", "show", name),
                ("incidents", "show", name, "--format", "jsonl"), ("seconds", "bird", "--from", "-1h"),
            )  # fmt: skip
            shown += [(" ".join(command[:2]), program.ask(*command).encode()) for command in commands]
            shown += written(program)
            program.stop()
            shown += written(program)
            shown += mails(desk)
        for more in ((), ("--verbose",), ("--format", "jsonl"), ("--format", "jsonl", "--verbose")):
            done = ask_anything("once", str(program.config), *more)
            shown.append((f"once {' '.join(more)}", (done.stdout + done.stderr).encode()))
        checked = ask_anything("check", str(program.config))
        broken = tmp_path / "broken.yaml"
        broken.write_text(program.config.read_text().replace("listen:", "listens:").replace("tls: none", "tls: 5"))
        shown += [("check", (checked.stdout + checked.stderr).encode())]
        wrong = ask_anything("check", str(broken))
        assert wrong.returncode != 0
        shown += [("check of what is wrong", (wrong.stdout + wrong.stderr).encode())]
    assert sum(len(data) for _, data in shown) > 50_000
    transcripts = b"".join(data for where, data in shown if "evidence" in where)
    assert b"503" in transcripts, "the evidence was looked at"
    assert b"535" in transcripts, "the dialogue of SMTP was looked at"
    different = {data: where for where, data in shown}  # much of it was written twice
    leaks = list(itertools.chain.from_iterable(found(where, data) for data, where in different.items()))
    assert leaks == []


def asked(program: Program, path: str) -> bytes:
    """What the program answers, with its headers; of what never ends the beginning."""
    with (
        httpx.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"http://{program.address}{path}") as got,
    ):
        body = next(got.iter_bytes(), b"") if path == "/live" else got.read()
        return str(got.headers).encode() + body


def written(program: Program) -> Iterator[tuple[str, bytes]]:
    """Every file of the program but its configuration, and what is packed in them."""
    for path in sorted(program.folder.iterdir()):
        if path != program.config and path.is_file():
            data = path.read_bytes()
            yield path.name, data
            for number, packed in enumerate(inflated(data)):
                yield f"{path.name}, evidence {number}", packed
