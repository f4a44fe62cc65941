"""What servers, vendors and people send to break a screen is harmless, bounded text wherever it shows up.

`SURFACES` is the list to add to: whatever shows text from outside is shown the same planted incident.
"""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from asking import NOW, Desk
from deliver_acts import FACTS as SOUND
from deliver_acts import act
from html_page import Html
from recording import T0
from room_story import RAW, TOKEN, Story
from serving import second
from test_deliver_texts import NAME, mail

from prober import logs
from prober.cli import main, stored
from prober.deliver import texts
from prober.redact import Redactor
from prober.store import SeriesKey, SeriesRun, Transaction
from prober.web.live import Live
from rules.acts import ActKind, Outcome
from rules.incident import EntryKind, RecordKind
from rules.model import Cell, Fault, Verdict
from rules.timeline import Run

#: Markup, quotes, terminal commands, a header's end, marks that turn text round or hide it, halves of characters.
COMMANDS = "\x1b[31m\x1b]0;title\x07\r\nBcc: x@example.com\x00\x85\u2028\u202egnp\u2066\ufeff"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;{{7*7}}{% x %}](http://evil.example)"
HOSTILE = MARKUP + COMMANDS + "A" * 300_000
#: Of these none may reach a screen as it is.
FORBIDDEN = frozenset("\x00\x07\x08\x0b\x1b\x7f\x85\u2028\u202a\u202e\u2066\ufeff\ud800")
#: Characters; a page that shows a trail of many such texts.
BOUND = 200_000


def harmless(text: str, bound: int = BOUND) -> None:
    found = {ascii(c) for c in FORBIDDEN if c in text}
    assert not found
    assert len(text) < bound


def page(text: str) -> None:
    harmless(text)
    made = Html(text)
    made.rightly_made()
    assert not [tag for tag, attributes in made.tags if tag == "img" or "onerror" in attributes]


def document(text: str) -> None:
    """JSON: after it is read, too, since whoever reads it may show it."""
    harmless(text)
    _values(json.loads(text))


def _values(value: Any) -> None:
    if isinstance(value, str):
        harmless(value, 20_000)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _values(inner)


def feed(text: str) -> None:
    harmless(text)
    for element in ET.fromstring(text).iter():  # noqa: S314 - ours
        harmless(element.text or "", 20_000)


#: The head of an incident as the link carries it; no answer of a receiver has been checked by then.
OPEN = {
    "service": "bird",
    "severity": HOSTILE,
    "phase": HOSTILE,
    "episode": 1,
    "conditions": [{"condition": HOSTILE, "scope": HOSTILE, "onset": int(NOW) - 659}],
    "onset": int(NOW) - 659,
    "ticket": HOSTILE,
    "clocks": [],
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """An incident in which everybody sends what is hostile."""
    told = Story(tmp_path_factory.mktemp("hostile") / "prober.db", int(NOW) - 600).down().failed(HOSTILE, n=3)
    told.result(ActKind.TICKET, Outcome.TRANSIENT, HOSTILE, HOSTILE)
    told.enter(EntryKind.ACK, by=HOSTILE, text=HOSTILE, via=HOSTILE)
    told.enter(EntryKind.UPDATE, by=HOSTILE, text=HOSTILE, ticket=HOSTILE, via="reply")
    told.record(RecordKind.VENDOR_STATUS, url=HOSTILE, indicator=HOSTILE, description=HOSTILE)
    told.record(RecordKind.PUBLISHED, by=HOSTILE, text=HOSTILE)
    told.enter(EntryKind.ADOPT, ticket=HOSTILE)
    told.enter(EntryKind.TELL, by=HOSTILE, text=HOSTILE, value=HOSTILE)
    down = Cell(Verdict.UNAVAILABLE, "http_status_503", 1, ((Fault.SERVER_ERROR, 1),))
    runs = (
        SeriesRun(SeriesKey("bird", *name), Run(told.now - 5, told.now + 1, ((down, 1),))) for name in ((), ("api",))
    )
    told.write(Transaction(runs=tuple(runs)))
    (told.path.parent / "prober.yaml").write_text(json.dumps(RAW))
    return told


def asked(path: str, accept: str = "*/*") -> Callable[[Story], str]:
    def ask(story: Story) -> str:
        desk = Desk(RAW, store=story.path, token=TOKEN)
        desk.view.opened({"open": [OPEN | {"id": story.id}]})
        answer = desk.ask(path.replace("ID", story.id), headers={"Accept": accept})
        assert answer.status_code == 200, answer.text[:500]
        return answer.text

    return ask


def events(story: Story) -> str:
    """What /live tells a listener who has missed all of it: its first events."""

    async def heard() -> str:
        desk = Desk(RAW, store=story.path)
        live = Live(desk.view, desk.stored)
        stream = (await live.listen("")).events()
        begun = await anext(stream)
        live.second(second(story.now + 1, "unavailable", "http_status_503"))
        told = await anext(stream)
        await live.close()
        return (begun + told).decode()

    return asyncio.run(heard())


def stream(text: str) -> None:
    """Events: their data is JSON."""
    harmless(text)
    told = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("data: ")]
    assert told
    for data in told:
        document(data)


def lines(text: str) -> None:
    assert text
    for one in text.splitlines():
        document(one)


#: Where it shows up: how to get it, and what must hold of it.
SURFACES: dict[str, tuple[Callable[[Story], str], Callable[[str], None]]] = {
    "status page": (asked("/"), page),
    "history": (asked("/history"), page),
    "incidents": (asked("/incidents"), page),
    "incident room": (asked("/incidents/ID"), page),
    "feed": (asked("/feed.atom"), feed),
    "summary.json": (asked("/api/v2/summary.json"), document),
    "incidents.json": (asked("/api/v2/incidents.json"), document),
    "unresolved.json": (asked("/api/v2/incidents/unresolved.json"), document),
    "metrics": (asked("/metrics"), harmless),
    "live": (asked("/live", "text/html"), page),
    "live's events": (events, stream),
    "newest seconds": (asked("/api/seconds/current.json"), document),
    "seconds": (asked(f"/api/seconds?service=bird&from={int(NOW) - 600}&to={int(NOW) - 590}"), lines),
    "status.json": (asked("/api/v2/status.json"), document),
    "components.json": (asked("/api/v2/components.json"), document),
    "scheduled-maintenances.json": (asked("/api/v2/scheduled-maintenances.json"), document),
    "login": (asked("/login"), page),
    "reasons": (asked("/reasons"), page),
}


@pytest.mark.parametrize("name", SURFACES)
def test_what_is_served_is_harmless(name: str, story: Story) -> None:
    get, check = SURFACES[name]
    check(get(story))


def test_the_room_shows_what_was_sent_as_text_not_less(story: Story) -> None:
    said = Html(asked("/incidents/ID")(story)).said
    assert "<script>alert(1)</script>" in said
    assert "\\x1b[31m" in said


# terminals


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    main(list(argv))
    out = capsys.readouterr()
    return out.out + out.err


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize("command", ["incidents", "incidents show", "seconds"])
def test_what_is_printed_is_harmless(
    command: str, terminal: bool, story: Story, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "terminal", lambda: terminal)
    config = f"--config={story.path.parent / 'prober.yaml'}"
    argv = {
        "incidents": ["incidents", "list", config],
        "incidents show": ["incidents", "show", story.id, config],
        "seconds": ["seconds", "bird", config, f"--from={T0}", f"--to={T0 + 1000}"],
    }[command]
    text = printed(capsys, *argv)
    harmless(text)
    assert text


@contextmanager
def server(reply: bytes) -> Iterator[int]:
    """Answers every connection so, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    try:
                        peer.recv(65536)
                        peer.sendall(reply)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize("verbose", [(), ("--verbose",)], ids=["short", "verbose"])
def test_a_hostile_reply_is_harmless_where_it_is_tried_once(
    terminal: bool,
    verbose: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("prober.cli.stored.terminal", "prober.cli.once_text.terminal"):
        monkeypatch.setattr(module, lambda: terminal)
    words = (MARKUP + "\x1b[31m\u202egnp").encode()
    body = HOSTILE[:50_000].encode()
    marked = MARKUP.encode()
    reply = b"HTTP/1.1 503 %s\r\nX-State: %s\r\nContent-Length: %d\r\n\r\n%s" % (words, marked, len(body), body)
    with server(reply) as port:
        endpoint = {"name": "account", "url": f"http://127.0.0.1:{port}/"}
        service = RAW["services"]["bird"] | {"channels": {"api": [endpoint]}}
        path = tmp_path / "prober.yaml"
        path.write_text(json.dumps(RAW | {"controls": [], "services": {"bird": service}}))
        text = printed(capsys, "once", str(path), *verbose)
    assert "503" in text
    harmless(text)


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_hostile_field_of_a_log_line_is_harmless(style: logs.Style) -> None:
    stream = StringIO()
    handler = logs.setup(Redactor(), stream=stream, style=style)
    try:
        logs.get("test").warning("%s", HOSTILE, extra=logs.fields(detail=HOSTILE, text=COMMANDS))
    finally:
        handler.close()
        logging.getLogger("prober").handlers.clear()
    harmless(stream.getvalue().replace("\n", ""))
    assert len(stream.getvalue().splitlines()) == 1


# mails, pages, calls

SAMPLE = {
    "at": T0,
    "channel": "api",
    "fault": "server_error",
    "request": HOSTILE,
    "response": HOSTILE,
    "endpoint": HOSTILE,
    "reason": "http_status_503",
    "stage": HOSTILE,
    "code": 503,
    "text": HOSTILE,
    "detail": HOSTILE,
    "transcript": HOSTILE,
    "peer": HOSTILE,
    "headers": [[HOSTILE, HOSTILE]],
}
FACTS: dict[str, Any] = {
    **SOUND,
    "title": HOSTILE,
    "number": HOSTILE,
    "text": HOSTILE,
    "by": HOSTILE,
    "reasons": {HOSTILE: 3},
    "samples": [SAMPLE] * 3,
    "status_page": {"url": HOSTILE, "indicator": HOSTILE, "description": HOSTILE, "entries": [HOSTILE]},
    "vendor_status": {"url": HOSTILE, "indicator": HOSTILE, "description": HOSTILE, "entries": [HOSTILE]},
}


@pytest.mark.parametrize("kind", ActKind)
def test_what_is_sent_is_harmless(kind: ActKind) -> None:
    hostile = act(kind, NAME, facts=FACTS)
    for said in (texts.subject(hostile), texts.summary(hostile), texts.spoken(hostile)):
        harmless(said.replace("\n", ""), 20_000)
    assert "\n" not in texts.subject(hostile) + texts.summary(hostile)
    harmless(texts.text(hostile))
    written = texts.html(hostile)
    harmless(written)
    assert "<script" not in written
    assert "<img" not in written


@pytest.mark.parametrize("kind", [ActKind.TICKET, ActKind.NOTE, ActKind.PAGE])
def test_a_mail_keeps_its_headers_and_parts(kind: ActKind) -> None:
    message = mail(act(kind, NAME, facts=FACTS))
    assert "Bcc" not in message
    for part in message.walk():
        if not part.is_multipart() and part.get_content_maintype() == "text":
            harmless(str(part.get_content()))
    for value in message.values():
        harmless(str(value).replace("\n", ""), 5_000)
