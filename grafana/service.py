"""One service by the second: verdicts, calls and where their time went."""

from grafana.model import Choice, Dashboard, Kind, Query, Row, State, Step
from grafana.overview import CHANNELS, SERVICES
from grafana.panels import FAULTS, ROOM, SUCCESS, UNAVAILABLE, counts, heat, lines, shares, stat, timeline
from grafana.promql import increase, rate

_DAY = 86_400
_CHANNEL = Choice("channel", "Channel", 'prober_calls_total{service=~"$service"}', "channel")
_ENDPOINT = Choice("endpoint", "Endpoint", 'probe_success{service=~"$service", channel=~"$channel"}', "endpoint")
_WHERE = 'service=~"$service", channel=~"$channel"'
_ONE = f'{_WHERE}, endpoint=~"$endpoint"'

_SECONDS = (
    timeline(
        "Verdict of the newest closed second",
        "One cell a scrape: with scrape_interval 1s one a second. The exact seconds, one by one: `prober seconds`, and "
        "the status page.",
        Query(CHANNELS.replace('channel!=""', 'channel!="", channel=~"$channel"'), "{{service}} {{channel}}"),
        states=UNAVAILABLE,
        width=24,
        height=5,
        interval="1s",
        links=(ROOM,),
    ),
    shares(
        "Seconds by verdict and channel",
        "How many seconds a second got which verdict: 1 in all. Exact over any span, whatever was scraped in between.",
        Query(rate(f"prober_seconds_total{{{_WHERE}}}", "verdict"), "{{verdict}}"),
        interval="1s",
    ),
    timeline(
        "The newest call of each endpoint",
        "Whether it succeeded, as often as Prometheus looked.",
        Query(f"probe_success{{{_ONE}}}", "{{service}} {{channel}} {{endpoint}}"),
        kind=Kind.HISTORY,
        states=SUCCESS,
        interval="1s",
    ),
)
_CALLS = (
    lines(
        "Calls by fault",
        "Calls a second by whose fault their end was. The points are failed calls with their reason.",
        Query(rate(f"prober_calls_total{{{_WHERE}}}", "fault"), "{{fault}}", exemplars=True),
        stacked="normal",
        colours=FAULTS,
        unit="ops",
    ),
    heat(
        "How long calls took",
        "Calls by how long they took, failed ones included; a time-out is the row of its length.",
        Query(
            increase(f"prober_call_duration_seconds_bucket{{{_WHERE}}}", "le"),
            "{{le}}",
            exemplars=True,
        ),
    ),
    lines(
        "The newest call of each endpoint took",
        "The whole call, from its begin to its end.",
        Query(f"probe_duration_seconds{{{_ONE}}}", "{{service}} {{channel}} {{endpoint}}"),
        unit="s",
        interval="1s",
    ),
    lines(
        "Calls that were due and not made",
        "A second: the second was over, or the vendor asked us to wait. Such seconds may be unmeasured. A call for which "
        "no place in flight was left counts as our own fault.",
        Query(rate(f"prober_calls_missed_total{{{_WHERE}}}", "service", "channel"), "{{service}} {{channel}}"),
        unit="ops",
    ),
)
_WIRE = (
    lines(
        "Where HTTP calls spend their time",
        "The newest call's phases, averaged over the chosen endpoints.",
        Query(f"avg by (phase) (probe_http_duration_seconds{{{_ONE}}})", "{{phase}}"),
        stacked="normal",
        unit="s",
    ),
    lines(
        "Where SMTP calls spend their time",
        "The newest call's phases, averaged over the chosen endpoints.",
        Query(f"avg by (phase) (probe_smtp_duration_seconds{{{_ONE}}})", "{{phase}}"),
        stacked="normal",
        unit="s",
    ),
    counts(
        "Reply codes",
        "The newest reply's status code; 0 when none came.",
        Query(f"probe_http_status_code{{{_ONE}}}", "HTTP: {{service}} {{endpoint}}"),
        Query(f"probe_smtp_status_code{{{_ONE}}}", "SMTP: {{service}} {{endpoint}}"),
    ),
    stat(
        "Certificates expire in",
        "The earliest expiry in the chain that each endpoint showed.",
        Query(
            f"probe_ssl_earliest_cert_expiry{{{_ONE}}} - time()",
            "{{service}} {{channel}} {{endpoint}}",
            empty_when="no endpoint is reached by TLS",
        ),
        width=12,
        height=8,
        unit="s",
        states=(State(None, "expired", "red", upto=0, ranged=True),),
        steps=(Step(None, "red"), Step(3 * _DAY, "orange"), Step(14 * _DAY, "blue")),
        no_value="no TLS",
    ),
)

SERVICE = Dashboard(
    "prober-service",
    "Prober: one service by the second",
    "The chosen service: each second's verdict, each endpoint's calls, and where their time goes.",
    (SERVICES, _CHANNEL, _ENDPOINT),  # all at first, so that the way from the overview keeps its choice
    (Row("Seconds", _SECONDS), Row("Calls", _CALLS), Row("On the wire", _WIRE)),
    span="now-15m",
    refresh="1s",
)
