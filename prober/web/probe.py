"""`/probe`: one call when a scraper asks for it, answered with blackbox_exporter's metrics.

A failed call is an answer (200, `probe_success 0`); only a query that cannot be understood is refused (400). The call
stands alone: it is in no tally, and no control corroborates it.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prober import vendors
from prober.errors import ProberError
from prober.redact import Redactor
from prober.web.formats import answer, exposed, wants_openmetrics
from prober.web.targets import Asked, BadQueryError, Callee, resolve
from prober.web.view import View
from rules.faults import classify
from rules.model import PHASES, Fault, Finding, Kind, Observation

#: So many calls are made at once; who asks for more is told to come back.
AT_ONCE = 16
#: Taken off the scraper's own limit for the way back, seconds (blackbox_exporter's `timeout-offset`).
OFFSET = 0.5
#: No scraper may ask for a longer call, seconds.
LONGEST = 120.0
#: An engine that has not answered so long after its deadline, seconds, is given up.
_OVERTIME = 2.0


#: Calls once on a fresh connection; the call ends within so many seconds, whatever it is doing.
CallOnce = Callable[[Callee, float], Awaitable[Observation]]


class Probing:
    """The route's handler."""

    def __init__(self, view: View, call_once: CallOnce) -> None:
        self._view = view
        self._call_once = call_once
        self._under_way = 0

    async def get(self, request: Request) -> Response:
        query = request.query_params
        try:
            target, module = query.get("target", ""), query.get("module") or "configured"
            asked = resolve(self._view.settings, target, module, query.get("hostname", ""))
            timeout = limit(request.headers.get("x-prometheus-scrape-timeout-seconds"), asked.timeout)
        except BadQueryError as error:
            return PlainTextResponse(f"{error}\n", 400)
        if self._under_way >= AT_ONCE:
            return PlainTextResponse("Too many probes at once.\n", 503, {"Retry-After": "1"})
        self._under_way += 1
        try:
            observation = await asyncio.wait_for(self._call_once(asked.callee, timeout), timeout + _OVERTIME)
        except TimeoutError:
            return PlainTextResponse("The call did not end at its deadline; this is a defect of the prober.\n", 500)
        except (OSError, ValueError, ProberError) as error:  # its files cannot be read, or what it says cannot be sent
            return PlainTextResponse(f"The call cannot be made: {error}\n", 500)
        finally:
            self._under_way -= 1
        finding = classify(observation, vendor=vendors.load(asked.vendor))
        figures = Called(observation, finding)
        if query.get("debug") == "true":
            body = exposed(figures, "", openmetrics_wanted=False).decode()
            redact = Redactor.of(self._view.settings).text
            return PlainTextResponse(redact(_told(asked, timeout, observation, finding)) + body)
        wanted = wants_openmetrics(request.headers.get("accept", ""))
        return answer(exposed(figures, "", openmetrics_wanted=wanted), openmetrics_wanted=wanted, compressed=False)


def limit(scrape_timeout: str | None, configured: float) -> float:
    """The call's time-out in seconds: the configured one, less if the scraper goes sooner. Raises BadQueryError."""
    if scrape_timeout is None:
        return configured
    try:
        given = float(scrape_timeout)
    except ValueError:
        given = math.nan
    if not 0 < given < math.inf:
        raise BadQueryError("X-Prometheus-Scrape-Timeout-Seconds is not a positive number of seconds.")
    left = given - OFFSET if given > 2 * OFFSET else given / 2
    return min(left, configured, LONGEST)


class Called(Collector):
    """The families of one call."""

    def __init__(self, observation: Observation, finding: Finding) -> None:
        self._seen = observation
        self._finding = finding

    def collect(self) -> Iterable[Metric]:
        seen, finding = self._seen, self._finding
        success = finding.fault is Fault.NONE
        yield GaugeMetricFamily("probe_success", "Whether the call succeeded.", value=float(success))
        took = (seen.ended - seen.begun) / 1e9
        yield GaugeMetricFamily("probe_duration_seconds", "How long the call took.", value=took)
        yield InfoMetricFamily(
            "probe_fault", "Whose fault the call's end was.", value={"fault": finding.fault, "reason": finding.reason}
        )
        resolved = max(0, seen.phases[0]) / 1e9 if seen.phases else 0.0
        yield GaugeMetricFamily("probe_dns_lookup_time_seconds", "How long finding the address took.", value=resolved)
        protocol = _ip_protocol(seen.peer)
        if protocol:
            yield GaugeMetricFamily("probe_ip_protocol", "4 or 6: the protocol that carried the call.", value=protocol)
        yield from self._reply()
        yield from self._tls()

    def _reply(self) -> Iterator[Metric]:
        seen = self._seen
        if seen.kind is Kind.TCP:
            return
        name = seen.kind.value
        yield GaugeMetricFamily(f"probe_{name}_status_code", "Code of the reply, 0 when none came.", value=seen.code)
        phases = GaugeMetricFamily(
            f"probe_{name}_duration_seconds", "Duration by phase; phases reached alone.", labels=("phase",)
        )
        for phase, took in zip(PHASES[seen.kind], seen.phases, strict=False):
            if took >= 0:
                phases.add_metric((phase,), took / 1e9)
        yield phases
        if seen.kind is Kind.HTTP:
            by_regex = seen.unmet is not None and seen.unmet.partition(" ")[0] in {"body", "header"}
            yield GaugeMetricFamily(
                "probe_failed_due_to_regex", "Whether a regular expression was not met.", value=float(by_regex)
            )
            if seen.version:
                yield GaugeMetricFamily("probe_http_version", "The version of HTTP of the reply.", value=seen.version)
            yield GaugeMetricFamily("probe_http_ssl", "Whether TLS was used.", value=float(bool(seen.tls_version)))

    def _tls(self) -> Iterator[Metric]:
        seen = self._seen
        if seen.cert_expiry:
            yield GaugeMetricFamily(
                "probe_ssl_earliest_cert_expiry", "Earliest expiry in the chain, unix time.", value=seen.cert_expiry
            )
        if seen.tls_version:
            yield InfoMetricFamily("probe_tls_version", "The version of TLS.", value={"version": seen.tls_version})


def _ip_protocol(peer: str) -> int:
    """4 or 6 from "192.0.2.1:80" or "[2001:db8::1]:80"; 0 when the call reached nobody."""
    return 0 if not peer else 6 if peer.count(":") > 1 else 4


def _told(asked: Asked, timeout: float, seen: Observation, finding: Finding) -> str:
    """What `debug=true` adds: how the call went, in words. Of the configuration it has names alone; a server may repeat more."""
    lines = [
        f"target {asked.name}, module {asked.module}, time-out {timeout:g} s",
        f"fault {finding.fault}, reason {finding.reason}{', only suspected' if finding.suspected else ''}",
        f"stage {seen.stage}, trouble {seen.trouble or '-'}, unmet {seen.unmet or '-'}",
        f"code {seen.code or '-'} {seen.enhanced} {seen.text}",
        f"detail {seen.detail or '-'}",
        f"peer {seen.peer or '-'}, local {seen.local or '-'}, TLS {seen.tls_version or '-'}",
        f"sent {seen.sent} bytes, received {seen.received} bytes",
    ]
    named = zip(PHASES[seen.kind], seen.phases, strict=False)
    lines += [f"phase {phase} {took / 1e6:.3f} ms" for phase, took in named if took >= 0]
    lines += [f"also tried {error}" for error in seen.family_errors]
    shown = "".join(f"  {_harmless(line)}\n" for line in lines)
    return f"The call:\n{shown}\nIts metrics:\n"


def _harmless(line: str) -> str:
    """A server's words without control characters, so that they cannot add lines or drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
