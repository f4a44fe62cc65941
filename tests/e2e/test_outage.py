"""A scripted outage of known seconds against the real program: every second its true verdict, every act once, in order."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Api, Arrival, Desk, Script, Spell, by_script, outside, until
from tests.e2e.program import Program, configuration, service, smtp_endpoint, verdicts
from tests.peers.smtp_peer import smtp_peer

pytestmark = pytest.mark.e2e

#: Seconds that the outage lasts, and how long before a whole second servers change: no call has its place there.
LASTS, EARLY = 9, 0.12
#: Service -> the channel that fails, what its calls' reason is, and the fault.
FAILING = {
    "answers503": ("api", "http_status_503", "server_error"),
    "hangs": ("api", "read_timeout", "server_timeout"),
    "refuses": ("api", "connection_refused", "server_error"),
    "says451": ("smtp", "smtp_reply_451", "server_error"),
}


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.timeout(240)
def test_every_second_of_an_outage_is_told_truly_and_every_act_comes_once_in_order(tmp_path: Path) -> None:
    scripts = {name: Script() for name in FAILING}
    with outside() as (loop, desk), smtp_peer() as healthy, smtp_peer(by_script(scripts["says451"])) as mail:
        apis = {name: Api(loop, script=scripts[name]) for name in FAILING if name != "says451"}
        fine = Api(loop)
        services = {
            name: service(
                desk,
                name,
                {
                    "api": [{"name": "account", "url": apis.get(name, fine).url}],
                    "smtp": [smtp_endpoint(mail.port if name == "says451" else healthy.port)],
                },
            )
            for name in FAILING
        }
        with Program(tmp_path, configuration(desk, services, [fine])) as program:
            program.start()
            begun = int(time.time())
            onset = begun + 4
            end = onset + LASTS  # the first second that is well again
            for name, mode in (("answers503", "503"), ("hangs", "hang"), ("says451", "451 4.3.0 local error")):
                scripts[name].spells = [Spell(onset - EARLY, end - EARLY, mode)]
            until(lambda: time.time() >= onset - EARLY, "the outage begins")
            apis["refuses"].refuse()
            until(lambda: time.time() >= end - EARLY, "the outage ends")
            apis["refuses"].listen()
            for name in FAILING:
                desk.wait_for("note", name)
                desk.wait_for("page_resolve", name)
            until(lambda: program.metric("prober_outbox_pending") == 0, "every act is done")
            program.wait_closed("hangs", end + 3)
            for name in FAILING:
                assert_truth(program, name, begun + 1, onset, end)
                assert_acts(desk, name, onset)
            assert_metrics(program)
            program.stop()
        assert '"level":"crit' not in program.whole_log()
        assert "Traceback" not in program.whole_log()


def assert_truth(program: Program, name: str, begun: int, onset: int, end: int) -> None:
    failing, reason, fault = FAILING[name]
    for channel in ("api", "smtp"):
        seconds = program.seconds(name, channel)
        assert verdicts(seconds, begun, onset - 1) == {("available", "ok")}
        assert verdicts(seconds, end, end + 3) == {("available", "ok")}, "hung calls hide no later second"
        during = verdicts(seconds, onset, end - 1)
        assert during == ({("unavailable", reason)} if channel == failing else {("available", "ok")})
        for second in range(onset, end):
            if channel == failing and seconds[second]["verdict"] == "unavailable":
                assert seconds[second]["faults"] == {fault: 1}
    endpoint = "account" if failing == "api" else "injection"
    assert verdicts(program.seconds(name, failing, endpoint), onset, end - 1) == {("unavailable", reason)}
    whole = program.seconds(name)
    assert verdicts(whole, onset, end - 1) == {("unavailable", reason)}, "and/or: one channel is enough"
    assert verdicts(whole, end, end + 3) == {("available", "ok")}


def assert_acts(desk: Desk, name: str, onset: int) -> None:
    came = [a for a in desk.journal if a.service == name]
    kinds = [a.kind for a in came]
    assert sorted(kinds) == ["hotline", "note", "page", "page_resolve", "ticket"], "each once"
    assert kinds.index("ticket") < kinds.index("hotline"), "first the ticket, then the hotline"
    by_kind: dict[str, Arrival] = {a.kind: a for a in came}
    page, ticket, hotline = by_kind["page"], by_kind["ticket"], by_kind["hotline"]
    for told in (page, hotline):
        assert told.body["onset"] == {"iso": iso(onset), "unix": onset}, "the onset is the true first second"
        assert told.body["severity"] == "critical"
        assert told.body["condition"] == "unavailable"
    assert page.body["alert"] == by_kind["page_resolve"].body["alert"]
    assert len({a.body["incident"] for a in came if a.body}) == 1, "one incident"
    assert ticket.key in hotline.body["text"] or "accepted" in hotline.body["text"].lower()
    note = by_kind["note"]
    assert note.mail["In-Reply-To"] == ticket.key
    assert ticket.key in str(note.mail["References"])
    assert re.sub(r"^Re: ", "", str(note.mail["Subject"])) == str(ticket.mail["Subject"])
    assert_ticket(ticket, name, onset)


def assert_ticket(ticket: Arrival, name: str, onset: int) -> None:
    text = ticket.text
    _, reason, _ = FAILING[name]
    for fact in ("Customer GmbH", "+49 30 1234567", f"The service {name}", reason, iso(onset)[11:19]):
        assert fact in text, fact
    assert ticket.mail["To"] == f"{name}@vendor.test"
    html: Any = ticket.mail.get_body(("html",))
    assert "Customer GmbH" in html.get_content()


def assert_metrics(program: Program) -> None:
    for name, (failing, _, fault) in FAILING.items():
        down = sum(s["verdict"] == "unavailable" for s in program.seconds(name).values())
        for channel in ("", failing):
            labels = {"service": name, "channel": channel}
            assert program.metric("prober_seconds_total", **labels, verdict="unavailable") == down
            assert program.metric("prober_unavailable", **labels) == 0
        assert program.metric("prober_calls_total", service=name, fault=fault) == down
        assert program.metric("prober_incident_open", service=name, severity="critical") == 1, "not closed until agreed"
        assert program.metric("probe_success", service=name) == 2
    for kind in ("page", "ticket", "hotline", "note", "page_resolve"):
        assert program.metric("prober_acts_total", kind=kind, result="accepted") == len(FAILING)
