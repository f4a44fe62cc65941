"""The overview: every service now, and how it has been."""

from grafana.model import Choice, Dashboard, Query, Row, Step
from grafana.panels import (
    DUE,
    FAULTS,
    ROOM,
    SUCCESS,
    UNAVAILABLE,
    in_words,
    lines,
    shares,
    stat,
    table,
    timeline,
    units,
)
from grafana.promql import quantile, rate

SERVICES = Choice("service", "Service", "prober_seconds_total", "service")

#: 1 Unavailable, 0 not, -1 not measured: prober_unavailable has no sample then.
STATE = (
    'max by (service) (prober_unavailable{{channel="{channel}", service=~"$service"}})'
    ' or max by (service) (prober_seconds_total{{channel="{channel}", service=~"$service"}} * 0 - 1)'
)
CHANNELS = (
    'max by (service, channel) (prober_unavailable{channel!="", service=~"$service"})'
    ' or max by (service, channel) (prober_seconds_total{channel!="", service=~"$service"} * 0 - 1)'
)
_MEASURED = 'prober_seconds_total{channel="", verdict!="unmeasured", service=~"$service"}'
_DOWN = 'prober_seconds_total{channel="", verdict="unavailable", service=~"$service"}'
_TOOK = 'prober_call_duration_seconds_bucket{service=~"$service"}'


def _by_endpoint(metric: str, more: str = "", empty_when: str = "") -> Query:
    """A column of the table of endpoints: its rows are told apart by the label `where`."""
    named = f'label_join({metric}{{service=~"$service"}}, "where", " / ", "service", "channel", "endpoint")'
    return Query(f"max by (where) ({named}){more}", instant=True, empty_when=empty_when)


NOW = (
    stat(
        "Services now",
        "The newest closed second of each service, as its agreement defines Unavailable. Not measured is neither.",
        Query(STATE.format(channel=""), "{{service}}"),
        width=8,
        states=UNAVAILABLE,
        links=(ROOM,),
    ),
    stat(
        "Open incidents",
        "Incidents that are not closed, by severity; internal ones concern on-call alone. A click leads to the room.",
        Query(
            'sum by (service, severity) (prober_incident_open{service=~"$service"}) > 0', "{{service}}: {{severity}}"
        ),
        steps=(Step(None, "blue"), Step(1, "orange")),
        no_value="none",
        links=(ROOM,),
    ),
    stat(
        "Nobody has acknowledged",
        "Incidents whose cause persists and that nobody has acknowledged.",
        Query('sum(prober_incident_unacknowledged{service=~"$service"})'),
        steps=(Step(None, "blue"), Step(1, "red")),
    ),
    stat(
        "Tightest clock",
        "Until the next of the agreements' running clocks is due; negative when it is late.",
        Query(
            'min(prober_clock_due_seconds{service=~"$service"})',
            empty_when="no clock of the agreement runs",
        ),
        unit="s",
        steps=DUE,
        no_value="no clock runs",
    ),
    stat(
        "Not Unavailable",
        "Of the seconds measured in the time that is shown, how many were not Unavailable. Seconds that were not "
        "measured count neither way.",
        Query(
            f"1 - sum by (service) (increase({_DOWN}[$__range])) / sum by (service) (increase({_MEASURED}[$__range]))",
            "{{service}}",
            instant=True,
        ),
        unit="percentunit",
        minimum=0,
        maximum=1,
        steps=(Step(None, "red"), Step(0.999, "orange"), Step(0.9999, "blue")),
    ),
)
SO_FAR = (
    timeline(
        "Channels",
        "Whether the newest closed second of a channel was Unavailable, as often as Prometheus looked.",
        Query(CHANNELS, "{{service}} {{channel}}"),
        states=UNAVAILABLE,
        width=24,
        height=6,
    ),
    shares(
        "Seconds by verdict",
        "What share of the services' seconds got which verdict.",
        Query(rate('prober_seconds_total{channel="", service=~"$service"}', "verdict"), "{{verdict}}"),
    ),
    lines(
        "Failed calls by fault",
        "Calls a second that failed, by whose fault. The points are single failed calls with their reason; a click on "
        "one leads to its incident.",
        Query(
            rate('prober_calls_total{fault!="none", service=~"$service"}', "fault"),
            "{{fault}}",
            exemplars=True,
        ),
        stacked="normal",
        colours=FAULTS,
        unit="ops",
    ),
    lines(
        "How long calls took",
        "The 50th and the 95th percentile of each channel's calls, failed ones included.",
        Query(quantile(0.5, _TOOK, "service", "channel"), "{{service}} {{channel}}: half within"),
        Query(quantile(0.95, _TOOK, "service", "channel"), "{{service}} {{channel}}: 95 of 100 within", exemplars=True),
        unit="s",
        width=12,
    ),
    table(
        "Endpoints: the newest call",
        "Each endpoint's newest call, and how long the certificates that it showed are good.",
        _by_endpoint("probe_success"),
        _by_endpoint("probe_duration_seconds"),
        _by_endpoint("probe_ssl_earliest_cert_expiry", " - time()", empty_when="no endpoint is reached by TLS"),
        by="where",
        columns={"where": "Endpoint", "Value #A": "Newest call", "Value #B": "Took", "Value #C": "Certificate for"},
        overrides=(*units(Took="s", Certificate_for="s"), in_words("Newest call", SUCCESS)),
    ),
)
ALERTS = (
    table(
        "Alerts that fire",
        "Alerts of the prober's rules that fire now (grafana/prometheus).",
        Query(
            'ALERTS{alertstate="firing", component=~"vendor|prober", severity!="none"}',
            instant=True,
            empty_when="no alert fires",
        ),
        by="alertname",
        columns={"alertname": "Alert", "service": "Service", "channel": "Channel", "severity": "Severity"},
        width=24,
        height=6,
        no_value="none",
    ),
)

OVERVIEW = Dashboard(
    "prober-overview",
    "Prober: overview",
    "Every service now and so far: verdicts, incidents, clocks, calls.",
    (SERVICES,),
    (Row("Now", NOW), Row("So far", SO_FAR), Row("Alerts", ALERTS)),
)
