"""`/metrics`: a snapshot as families of Prometheus.

Nothing is registered anywhere: a collector is made from a snapshot for each scrape. Names are DESIGN.md's, "Metrics".
Labels come from the configuration and closed lists alone, so that nobody outside can make series.
"""

import asyncio
import os
import platform
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from prober.link import DURATION_BUCKETS, LAG_BUCKETS
from prober.settings import Settings
from prober.version import version
from prober.web import rows
from prober.web.formats import answer, exposed, takes_gzip, wants_openmetrics
from prober.web.process import usage
from prober.web.view import Histogram, Snapshot, Totals, View
from rules.model import Verdict

#: So many scrapes are rendered at once; more wait, so that they cannot crowd out deliveries.
_AT_ONCE = 2


class Metrics:
    """The route's handler."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def get(self, request: Request) -> Response:
        wanted = wants_openmetrics(request.headers.get("accept", ""))
        compressed = takes_gzip(request.headers.get("accept-encoding", ""))
        async with self._turn:
            return await asyncio.to_thread(_respond, self._view.snapshot(), wanted, compressed)


def _respond(snapshot: Snapshot, wanted: bool, compressed: bool) -> Response:
    return answer(text(snapshot, openmetrics_wanted=wanted), openmetrics_wanted=wanted, compressed=compressed)


def text(snapshot: Snapshot, *, openmetrics_wanted: bool) -> bytes:
    """The whole exposition of a snapshot."""
    chosen = snapshot.settings.metrics_by_endpoint
    by_endpoint = len(snapshot.keys) <= rows.MANY if chosen is None else chosen
    extra = rows.render(snapshot.keys, snapshot.cells, by_endpoint=by_endpoint, openmetrics=openmetrics_wanted)
    return exposed(Figures(snapshot), extra, openmetrics_wanted=openmetrics_wanted)


class Figures(Collector):
    """All families but those by endpoint."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot
        yield from _own(snapshot)
        yield from _state(snapshot)
        yield from _processes(snapshot.pid)
        if snapshot.totals is not None:
            yield from _counted(snapshot.settings, snapshot.totals)
            yield from _machinery(snapshot.totals)


def _own(snapshot: Snapshot) -> Iterator[Metric]:
    facts = {"version": version(), "python": platform.python_version()}
    yield InfoMetricFamily("prober_build", "What runs here.", value=facts)
    yield GaugeMetricFamily(
        "prober_config_last_reload_successful",
        "Whether the newest attempt to take a configuration succeeded.",
        value=float(snapshot.reload_ok),
    )
    yield GaugeMetricFamily(
        "prober_config_last_reload_success_timestamp_seconds",
        "When a configuration was last taken, unix time.",
        value=snapshot.configured_at,
    )


def _state(snapshot: Snapshot) -> Iterator[Metric]:
    now = GaugeMetricFamily(
        "prober_unavailable",
        'Whether the newest closed second was Unavailable; channel "" is the service. No sample while unmeasured.',
        labels=("service", "channel"),
    )
    for (service, channel), spell in sorted(snapshot.spells.items()):
        if spell.verdict is not Verdict.UNMEASURED:  # neither up nor down, anywhere
            now.add_metric((service, channel), float(spell.verdict is Verdict.UNAVAILABLE))
    yield now
    incidents = GaugeMetricFamily(
        "prober_incident_open", "Incidents that are not closed.", labels=("service", "severity")
    )
    counts = {(service, severity): 0 for service, names in snapshot.severities.items() for severity in names}
    for incident in snapshot.incidents:
        key = (incident.service, incident.severity)
        counts[key] = counts.get(key, 0) + 1
    for key, n in sorted(counts.items()):
        incidents.add_metric(key, n)
    yield incidents
    clocks = GaugeMetricFamily(
        "prober_clock_due_seconds",
        "Until a running clock of the agreement is due; negative when it is late.",
        labels=("service", "clock"),
    )
    for incident in snapshot.incidents:
        for name, due in incident.clocks:
            clocks.add_metric((incident.service, name), due - snapshot.now)
    yield clocks


def _counted(settings: Settings, totals: Totals) -> Iterator[Metric]:
    seconds = CounterMetricFamily(
        "prober_seconds",
        'Closed seconds by verdict; channel "" is the service.',
        labels=("service", "channel", "verdict"),
    )
    counts = {(s, c, v.value): 0 for s, c in _channels(settings, own=True) for v in Verdict}
    counts |= {(s, c, v): n for s, c, v, n in totals.seconds}
    for key, n in sorted(counts.items()):
        seconds.add_metric(key, n)
    yield seconds
    durations = HistogramMetricFamily(
        "prober_call_duration_seconds", "How long calls took, by channel.", labels=("service", "channel")
    )
    empty: Histogram = ((), 0.0)
    histograms = dict.fromkeys(_channels(settings, own=False), empty) | dict(totals.durations)
    for pair, histogram in sorted(histograms.items()):
        _add(durations, pair, DURATION_BUCKETS, histogram)
    yield durations
    acts = CounterMetricFamily("prober_acts", "Attempts at acts, by how they ended.", labels=("kind", "result"))
    for kind, outcome, n in sorted(totals.acts):
        acts.add_metric((kind, outcome), n)
    yield acts


def _machinery(totals: Totals) -> Iterator[Metric]:
    lag = HistogramMetricFamily("prober_start_lag_seconds", "How late calls began: begin minus due.")
    _add(lag, (), LAG_BUCKETS, totals.lag)
    yield lag
    gauges = (
        ("prober_outbox_pending", "Acts that are not done.", totals.pending),
        ("prober_outbox_oldest_seconds", "Age of the oldest act that is not done.", totals.oldest),
        ("prober_open_calls", "Calls in flight.", totals.open_calls),
        ("prober_store_ok", "Whether the newest transaction reached the disk.", float(totals.store_ok)),
        ("prober_store_queued", "Seconds of evidence that wait in memory for the store.", totals.store_queued),
    )
    for name, words, value in gauges:
        yield GaugeMetricFamily(name, words, value=value)
    counters = (
        (
            "prober_store_dropped",
            "Pieces of evidence that were given up because the store failed.",
            totals.store_dropped,
        ),
        ("prober_stalls", "Times that this machine or process stood still.", totals.stalls),
        ("prober_clock_steps", "Times that the wall clock was stepped.", totals.steps),
    )
    for name, words, value in counters:
        yield CounterMetricFamily(name, words, value=value)


def _processes(measure: int) -> Iterator[Metric]:
    cpu = CounterMetricFamily("prober_process_cpu_seconds", "CPU time, user and system.", labels=("process",))
    resident = GaugeMetricFamily("prober_process_resident_memory_bytes", "Resident memory.", labels=("process",))
    descriptors = GaugeMetricFamily("prober_process_open_fds", "Open descriptors.", labels=("process",))
    for name, pid in (("measure", measure), ("serve", os.getpid())):
        used = usage(pid) if pid else None
        if used is not None:
            cpu.add_metric((name,), used.cpu)
            resident.add_metric((name,), used.resident)
            descriptors.add_metric((name,), used.descriptors)
    yield from (cpu, resident, descriptors)


def _channels(settings: Settings, *, own: bool) -> Iterator[tuple[str, str]]:
    """(service, channel) of the configuration; with `own` also the service's own, channel ""."""
    for name, service in settings.services.items():
        if own:
            yield name, ""
        if service.channels.api:
            yield name, "api"
        if service.channels.smtp:
            yield name, "smtp"


def _add(family: HistogramMetricFamily, labels: Sequence[str], bounds: Sequence[float], histogram: Histogram) -> None:
    counts, total = histogram
    buckets: list[tuple[str, float]] = []
    running = 0
    for i, bound in enumerate((*bounds, float("inf"))):
        running += counts[i] if i < len(counts) else 0
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), running))
    family.add_metric(labels, buckets, total)
