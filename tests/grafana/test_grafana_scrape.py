"""A real Prometheus scrapes a real run with an outage: every query gives something, and alerts come and go."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.outside import Api, Desk, Script, Spell, outside, until
from tests.e2e.program import Program, configuration, service, smtp_endpoint
from tests.grafana.queries import EMPTY_WHEN, RULE_FILES, Asked, metrics_in, of_dashboards, rules
from tests.peers.alertmanager_peer import Alertmanager, alertmanager_peer
from tests.peers.http_peer import http_peer
from tests.peers.prometheus_peer import Prometheus, prometheus_peer
from tests.peers.smtp_peer import smtp_peer

pytestmark = [pytest.mark.e2e, pytest.mark.peer("prometheus", "alertmanager")]

TOKEN = "a-token-of-the-test"
DOCS, PAGES = "https://docs.example.com/prober", "https://prober.example.com"
#: Windows of the rules -> those of the test, so that a run of seconds is enough.
SHORTER = {"[1m]": "[5s]", "[5m]": "[10s]", "[15m]": "[15s]", "[1h]": "[20s]"}
#: What this run does not show, and why; the rules' own tests do.
NOT_SHOWN = {
    "ClockDueSoon": "the clock that runs has fifteen minutes",
    "ClockLate": "the clock that runs has fifteen minutes",
    "CertificateExpiring": "the test's certificate is good for years",
    "ProberGone": "the prober is there",
    "ProberSilent": "the measuring process speaks",
    "ProberBlind": "every second is measured",
    "ProberCallsFail": "the failure is the vendor's",
    "ProberLate": "calls begin in time, if the test machine is not too busy",
    "ProberMissesCalls": "no call is missed, if the test machine is not too busy",
    "ProberMachineUnfit": "no stall, if the test machine is not too busy",
    "ProberOutboxBehind": "acts are accepted at once",
    "ProberActsRefused": "no receiver refuses",
    "ProberStoreFailing": "the store is well",
    "ProberEvidenceLost": "the store is well",
    "ProberReloadFailed": "the configuration is good",
    "ProberWatcherUnreached": "the watcher answers",
    "ProberRestarts": "nothing is restarted",
}
SHOWN = {"VendorUnavailable", "VendorIncidentOpen", "IncidentNotAcknowledged", "AlertingWorks"}


@dataclass(frozen=True)
class Scene:
    """Everything that runs."""

    program: Program
    prometheus: Prometheus
    alertmanager: Alertmanager
    desk: Desk
    script: Script
    begun: float

    def firing(self, alert: str) -> dict[str, Any] | None:
        """The alert, while it fires in Prometheus and Alertmanager has it."""
        there = {found["labels"]["alertname"] for found in self.alertmanager.alerts()}
        fires = (a for a in self.prometheus.alerts() if a["labels"]["alertname"] == alert and a["state"] == "firing")
        return next(fires, None) if alert in there else None

    def gone(self, alert: str) -> bool:
        """Neither Prometheus nor Alertmanager has it any more."""
        there = [*self.alertmanager.alerts(), *self.prometheus.alerts()]
        return alert not in {found["labels"]["alertname"] for found in there}

    def enter(self, incident: str, step: str) -> None:
        """A person's step."""
        answer = httpx.post(
            f"http://{self.program.address}/api/incidents/{incident}/{step}",
            json={"by": "ann", "text": "agreed"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=20,
        )
        assert answer.status_code < 300, answer.text

    def over(self, expr: str) -> list[dict[str, Any]]:
        return self.prometheus.over(expr, self.begun, time.time())


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """A service with an API that fails by a script, SMTP, and an endpoint reached by TLS."""
    with ExitStack() as stack:
        loop, desk = stack.enter_context(outside())
        mail = stack.enter_context(smtp_peer())
        safe = stack.enter_context(http_peer(tls="good"))
        script = Script()
        failing, fine = Api(loop, script=script), Api(loop)
        ca = str(safe.certificates.ca(folder))
        services = {
            "bird": service(
                desk, "bird", {"api": [{"name": "account", "url": failing.url}], "smtp": [smtp_endpoint(mail.port)]}
            ),
            "safe": service(desk, "safe", {"api": [{"name": "by-tls", "url": safe.url, "ca": ca}]}),
        }
        more = {"web": {"token": TOKEN}, "heartbeat": {"url": fine.url, "every": "1s"}}
        program = stack.enter_context(Program(folder / "run", configuration(desk, services, [fine], **more)))
        alertmanager = stack.enter_context(alertmanager_peer(folder / "am", desk.url("nobody")))
        program.start().wait_for_log("serving")
        prometheus = stack.enter_context(
            prometheus_peer(
                folder / "prometheus",
                program.address,
                rules=shortened(folder),
                alertmanager=alertmanager.url.removeprefix("http://"),
                labels={"docs": DOCS, "prober": PAGES},
            )
        )
        yield Scene(program, prometheus, alertmanager, desk, script, time.time())


def shortened(folder: Path) -> list[Path]:
    """The rules, word by word, but for how long they look back and wait."""
    paths = []
    for path in RULE_FILES:
        text = re.sub(r"\n\s+(for|keep_firing_for): .*", "", path.read_text())
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        paths.append(folder / path.name)
        paths[-1].write_text(text)
    return paths


@pytest.mark.timeout(300)
def test_every_query_gives_something_and_alerts_fire_and_resolve(tmp_path: Path) -> None:
    with scene(tmp_path) as on:
        until(lambda: on.prometheus.ask('up{job="prober"} == 1'), "it is scraped")
        until(lambda: on.firing("AlertingWorks"), "alerting works")
        assert on.gone("VendorUnavailable")
        on.script.spells = [Spell(time.time(), time.time() + 3600, "503")]
        told = until(lambda: on.firing("VendorUnavailable"), "the outage is told", 90)
        assert_told(told)
        waits = until(lambda: on.firing("IncidentNotAcknowledged"), "nobody has acknowledged")
        assert waits is not None
        assert waits["labels"]["incident_severity"] == "critical"
        on.desk.wait_for("hotline", "bird")
        incident = on.program.incident()["id"]
        assert_leads_to_the_room(on, incident)
        on.enter(incident, "ack")
        on.enter(incident, "intake")
        until(lambda: on.gone("IncidentNotAcknowledged"), "somebody has acknowledged")
        until(lambda: on.prometheus.ask("prober_clock_due_seconds"), "a clock runs")
        exemplars_lead_to_the_incident(on, incident)
        on.script.spells = []
        until(lambda: on.gone("VendorUnavailable"), "the outage is over", 90)
        on.desk.wait_for("note", "bird")
        assert on.firing("VendorIncidentOpen"), "not closed until agreed"
        on.enter(incident, "resolve")
        until(lambda: on.gone("VendorIncidentOpen"), "it is agreed to be resolved", 90)
        every_query_gives_something(on)
        every_rule_is_healthy_and_gives_something(on)
        assert [target["lastError"] for target in on.prometheus.targets()] == [""]
        on.program.stop()


def assert_told(alert: dict[str, Any] | None) -> None:
    assert alert is not None
    assert alert["labels"]["service"] == "bird"
    assert alert["annotations"]["summary"] == "bird is Unavailable"
    assert alert["annotations"]["runbook_url"] == f"{DOCS}/alerts.html#vendorunavailable"
    assert alert["annotations"]["room"] == f"{PAGES}/incidents/of/bird"
    assert re.match(r"(9\d|100)(\.\d+)?% of the seconds", alert["annotations"]["description"])


def assert_leads_to_the_room(on: Scene, incident: str) -> None:
    answer = httpx.get(f"http://{on.program.address}/incidents/of/bird", trust_env=False, timeout=20)
    assert answer.headers["location"] == f"../{incident}"


def exemplars_lead_to_the_incident(on: Scene, incident: str) -> None:
    """Failed calls arrive as exemplars, on the counter and on the bucket that they fell into."""
    for metric in ("prober_calls_total", "prober_call_duration_seconds_bucket"):
        found = until(partial(examples, on, metric), f"exemplars of {metric}")
        assert found[-1] == {"reason": "http_status_503", "incident": incident}


def examples(on: Scene, metric: str) -> list[dict[str, str]]:
    """Labels of the exemplars that belong to an incident."""
    every = (e for series in on.prometheus.exemplars(metric, on.begun, time.time()) for e in series["exemplars"])
    return [exemplar["labels"] for exemplar in every if exemplar["labels"].get("incident")]


def every_query_gives_something(on: Scene) -> None:
    silent = [asked.where for asked in of_dashboards() if not on.over(asked.filled())]
    assert silent == [], "queries that gave nothing, from before the outage until after it"
    assert EMPTY_WHEN.keys() <= {asked.expr for asked in of_dashboards()}, "those that may be empty have been asked too"


def every_rule_is_healthy_and_gives_something(on: Scene) -> None:
    for rule in on.prometheus.rules():
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert alerts == set(NOT_SHOWN) | SHOWN, "each alert is shown here, or it is said why not"
    for rule in rules():
        if "record" in rule:
            assert on.over(rule["record"]), f"{rule['record']} recorded nothing"
            continue
        name = rule["alert"]
        if name in SHOWN:
            assert on.over(f'ALERTS{{alertname="{name}", alertstate="firing"}}'), f"{name} never fired"
        for metric in metrics_in(rule["expr"]):
            assert on.over(metric), f"{name} asks {metric}, which nobody tells"


def test_a_query_without_an_answer_would_be_noticed() -> None:
    assert metrics_in(Asked("x", 'sum by (a) (rate(prober_nothing_total{b="c"}[$__rate_interval]))').filled()) == {
        "prober_nothing_total"
    }
    with pytest.raises(AssertionError, match="nobody fills in"):
        Asked("x", "up{a=~'$elsewhere'}").filled()
