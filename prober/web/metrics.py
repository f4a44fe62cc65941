"""`/metrics`: a snapshot as families of Prometheus.

Nothing is registered anywhere: a collector is made from a snapshot for each scrape. Names are DESIGN.md's, "Metrics".
Labels come from the configuration and closed lists alone, so that nobody outside can make series.
"""

import asyncio
import os
import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Exemplar
from starlette.requests import Request
from starlette.responses import Response

from prober.link import DURATION_BUCKETS, LAG_BUCKETS
from prober.settings import Settings
from prober.version import version
from prober.web import rows
from prober.web.exemplars import Example, examples
from prober.web.formats import answer, exposed, takes_gzip, wants_openmetrics
from prober.web.process import usage
from prober.web.view import Histogram, Key, Snapshot, Totals, View
from rules.acts import ActKind, Outcome
from rules.contracts.model import INTERNAL
from rules.incident_state import Phase
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
    failed = tuple(examples(snapshot.keys, snapshot.cells, snapshot.incidents)) if openmetrics_wanted else ()
    extra = rows.render(
        snapshot.keys, snapshot.cells, by_endpoint=by_endpoint, openmetrics=openmetrics_wanted, failed=failed
    )
    return exposed(Figures(snapshot, failed), extra, openmetrics_wanted=openmetrics_wanted)


class Figures(Collector):
    """All families but those by endpoint."""

    def __init__(self, snapshot: Snapshot, failed: Sequence[tuple[Key, Example]] = ()) -> None:
        self._snapshot = snapshot
        self._failed = failed

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot
        yield from _own(snapshot)
        yield from _state(snapshot)
        yield from _processes(snapshot.pid)
        yield from ProcessCollector(registry=None).collect()
        yield from GCCollector(registry=CollectorRegistry()).collect()
        if snapshot.totals is not None:
            yield from _counted(snapshot.settings, snapshot.totals, self._failed)
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
    yield GaugeMetricFamily(
        "prober_measuring_silence_seconds",
        "Since the measuring process was last heard of; it speaks once a second.",
        value=snapshot.silence,
    )
    if snapshot.settings.heartbeat is not None:
        yield GaugeMetricFamily(
            "prober_heartbeat_last_success_timestamp_seconds",
            "When the outside watcher last heard from us, unix time; 0 when it has not since the start.",
            value=snapshot.watched_at,
        )
    if snapshot.settings.mailboxes:
        mailboxes = GaugeMetricFamily(
            "prober_mailbox_up", "Whether the mailbox that vendors answer to is in reach.", labels=("mailbox",)
        )
        for mailbox in snapshot.settings.mailboxes:
            mailboxes.add_metric((mailbox.label,), float(snapshot.mailboxes.get(mailbox.label, False)))
        yield mailboxes


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
    unanswered = GaugeMetricFamily(
        "prober_incident_unacknowledged",
        "Incidents whose cause persists and that nobody has acknowledged.",
        labels=("service", "severity"),
    )
    counts = {(s, severity): 0 for s, names in snapshot.severities.items() for severity in (*names, INTERNAL)}
    waiting = dict(counts)
    for incident in snapshot.incidents:
        key = (incident.service, incident.severity)
        counts[key] = counts.get(key, 0) + 1
        waits = not incident.acknowledged and incident.phase != Phase.RECOVERED
        waiting[key] = waiting.get(key, 0) + waits
    for key, n in sorted(counts.items()):
        incidents.add_metric(key, n)
        unanswered.add_metric(key, waiting[key])
    yield incidents
    yield unanswered
    clocks = GaugeMetricFamily(
        "prober_clock_due_seconds",
        "Until a running clock of the agreement is due; negative when it is late.",
        labels=("service", "clock"),
    )
    for incident in snapshot.incidents:
        for name, due in incident.clocks:
            clocks.add_metric((incident.service, name), due - snapshot.now)
    yield clocks


def _counted(settings: Settings, totals: Totals, failed: Sequence[tuple[Key, Example]]) -> Iterator[Metric]:
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
    shown = _by_bucket(failed)
    for pair, histogram in sorted(histograms.items()):
        _add(durations, pair, DURATION_BUCKETS, histogram, shown.get(pair))
    yield durations
    acts = CounterMetricFamily("prober_acts", "Attempts at acts, by how they ended.", labels=("kind", "result"))
    attempts = {(kind.value, outcome.value): 0 for kind in ActKind for outcome in Outcome}
    attempts |= {(kind, outcome): n for kind, outcome, n in totals.acts}
    for (kind, outcome), n in sorted(attempts.items()):
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


def _by_bucket(failed: Sequence[tuple[Key, Example]]) -> dict[tuple[str, str], dict[int, Exemplar]]:
    """Of each channel, the newest failed call in each bucket of its durations."""
    found: dict[tuple[str, str], dict[int, Exemplar]] = {}
    for (service, channel, _, _), example in sorted(failed, key=lambda pair: pair[1].began):
        place = bisect_left(DURATION_BUCKETS, example.took)
        exemplar = Exemplar(dict(example.labels), example.took, round(example.began, 3))
        found.setdefault((service, channel), {})[place] = exemplar
    return found


def _add(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    bounds: Sequence[float],
    histogram: Histogram,
    shown: Mapping[int, Exemplar] | None = None,
) -> None:
    counts, total = histogram
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    running = 0
    for i, bound in enumerate((*bounds, float("inf"))):
        running += counts[i] if i < len(counts) else 0
        le = "+Inf" if bound == float("inf") else repr(bound)
        exemplar = shown.get(i) if shown else None
        buckets.append((le, running, exemplar) if exemplar else (le, running))
    family.add_metric(labels, buckets, total)
