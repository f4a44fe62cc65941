"""The metrics by endpoint, written straight from the board's rows.

prometheus_client takes about 25 microseconds a sample, so that 1,000 endpoints (some 14,000 samples) would cost 300
to 400 ms a scrape; the bar is 100 ms. So these few families, whose samples are plain floats, are written here; tests
read them back with prometheus_client's own parsers and promtool. The values are blackbox_exporter's, under its names.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence

from prober.board import FAULTS, WIDTH, Column
from prober.web.exemplars import Example, newest
from prober.web.view import Key
from rules.model import PHASES, Fault, Kind

#: Families by endpoint are left out past this many endpoints unless `metrics_by_endpoint` asks for them.
MANY = 1000

_GAUGES = (
    ("probe_success", Column.SUCCESS, "Whether the newest call succeeded."),
    ("probe_duration_seconds", Column.DURATION, "How long the newest call took."),
)
_CODES = {
    Kind.HTTP: ("probe_http_status_code", "Status code of the newest HTTP reply, 0 when none came."),
    Kind.SMTP: ("probe_smtp_status_code", "Code of the newest SMTP reply, 0 when none came."),
}
_TIMES = {
    Kind.HTTP: ("probe_http_duration_seconds", "Duration of the newest HTTP call by phase; phases reached alone."),
    Kind.SMTP: ("probe_smtp_duration_seconds", "Duration of the newest SMTP call by phase; phases reached alone."),
}
_MISSED = "Calls that were due and not made: too late, or the vendor asked us to wait."
_CALLS = "Calls that have ended, by whose fault. Exemplars carry a failed call's reason; /reasons says what each means."


def escape(value: str) -> str:
    """A label's value as both expositions write it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(key: Key) -> str:
    service, channel, endpoint, _ = key
    return f'service="{escape(service)}",channel="{escape(channel)}",endpoint="{escape(endpoint)}"'


def render(
    keys: Sequence[Key],
    cells: "array[float]",
    *,
    by_endpoint: bool,
    openmetrics: bool,
    failed: Sequence[tuple[Key, Example]] = (),
) -> str:
    """The families by endpoint as text, without an end mark.

    Without `by_endpoint` the counters alone, added up by channel. An endpoint that has not been called yet has
    counters only. `failed` are the newest failed calls; OpenMetrics alone may show them.
    """
    assert openmetrics or not failed, "the text format has no exemplars"
    shown: dict[tuple[str, Fault], Example]
    flat = cells.tolist()
    rows = [(key, _labels(key), flat[i * WIDTH : (i + 1) * WIDTH]) for i, key in enumerate(keys)]
    parts: list[str] = []
    if by_endpoint:
        called = [row for row in rows if row[2][Column.ENDED] > 0]
        for name, column, text in _GAUGES:
            parts += _family(
                name, "gauge", text, (f"{name}{{{labels}}} {row[column]!r}\n" for _, labels, row in called)
            )
        parts += _by_kind(called)
        name = "probe_http_version"
        versions = (
            f"{name}{{{labels}}} {row[Column.VERSION]!r}\n" for _, labels, row in called if row[Column.VERSION] > 0
        )
        parts += _family(name, "gauge", "The version of HTTP of the newest reply.", versions)
        name = "probe_ssl_earliest_cert_expiry"
        expiries = (
            f"{name}{{{labels}}} {row[Column.CERT_EXPIRY]!r}\n"
            for _, labels, row in called
            if row[Column.CERT_EXPIRY] > 0
        )
        parts += _family(name, "gauge", "Earliest expiry in the certificate chain, unix time.", expiries)
        counted = [(labels, row) for _, labels, row in rows]
        shown = {(_labels(key), example.fault): example for key, example in failed}
    else:
        counted = _by_channel(rows)
        shown = {(_channel(s, c), fault): example for (s, c, fault), example in newest(failed).items()}
    parts += _counters(counted, shown, openmetrics=openmetrics)
    return "".join(parts)


def _family(name: str, kind: str, text: str, samples: Iterator[str]) -> list[str]:
    """A family with its head, or nothing when it has no sample."""
    lines = list(samples)
    return [f"# HELP {name} {text}\n# TYPE {name} {kind}\n", *lines] if lines else []


def _by_kind(called: Sequence[tuple[Key, str, list[float]]]) -> list[str]:
    parts: list[str] = []
    for kind, (name, text) in _CODES.items():
        samples = (f"{name}{{{labels}}} {row[Column.CODE]!r}\n" for key, labels, row in called if key[3] is kind)
        parts += _family(name, "gauge", text, samples)
    for kind, (name, text) in _TIMES.items():
        phases = [(Column.PHASE + i, phase) for i, phase in enumerate(PHASES[kind])]
        samples = (
            f'{name}{{{labels},phase="{phase}"}} {row[column]!r}\n'
            for key, labels, row in called
            if key[3] is kind
            for column, phase in phases
            if row[column] >= 0
        )
        parts += _family(name, "gauge", text, samples)
    return parts


def _by_channel(rows: Sequence[tuple[Key, str, list[float]]]) -> list[tuple[str, list[float]]]:
    sums: dict[tuple[str, str], list[float]] = {}
    for (service, channel, _, _), _, row in rows:
        total = sums.setdefault((service, channel), [0.0] * WIDTH)
        for column in range(Column.CALLS, Column.MISSED + 1):
            total[column] += row[column]
    return [(_channel(service, channel), total) for (service, channel), total in sums.items()]


def _channel(service: str, channel: str) -> str:
    return f'service="{escape(service)}",channel="{escape(channel)}"'


def _counters(
    counted: Sequence[tuple[str, list[float]]], shown: Mapping[tuple[str, Fault], Example], *, openmetrics: bool
) -> list[str]:
    suffix = "" if openmetrics else "_total"  # OpenMetrics names a counter's family without it
    faults = [(Column.CALLS + i, fault) for i, fault in enumerate(FAULTS)]
    calls = (
        f'prober_calls_total{{{labels},fault="{fault.value}"}} {row[column]!r}{_shown(shown, labels, fault)}\n'
        for labels, row in counted
        for column, fault in faults
    )
    missed = (f"prober_calls_missed_total{{{labels}}} {row[Column.MISSED]!r}\n" for labels, row in counted)
    return [
        *_family(f"prober_calls{suffix}", "counter", _CALLS, calls),
        *_family(f"prober_calls_missed{suffix}", "counter", _MISSED, missed),
    ]


def _shown(shown: Mapping[tuple[str, Fault], Example], labels: str, fault: Fault) -> str:
    """The exemplar of a sample, or nothing."""
    example = shown.get((labels, fault)) if shown else None
    return example.text() if example is not None else ""
