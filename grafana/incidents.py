"""Incidents and the agreements' clocks: what is open, what is due, who was told."""

from grafana.model import Dashboard, Query, Row, State, Step
from grafana.overview import SERVICES
from grafana.panels import DUE, ROOM, bars, counts, lines, shares, stat, timeline
from grafana.promql import increase, rate

_HERE = 'service=~"$service"'

_OPEN = (
    stat(
        "Open incidents",
        "By service and severity; a click leads to the room.",
        Query(f"sum by (service, severity) (prober_incident_open{{{_HERE}}}) > 0", "{{service}}: {{severity}}"),
        width=12,
        steps=(Step(None, "blue"), Step(1, "orange")),
        no_value="none",
        links=(ROOM,),
    ),
    stat(
        "Nobody has acknowledged",
        "Incidents whose cause persists and that nobody has acknowledged.",
        Query(
            f"sum by (service, severity) (prober_incident_unacknowledged{{{_HERE}}}) > 0",
            "{{service}}: {{severity}}",
            empty_when="somebody has acknowledged, or nothing is open",
        ),
        width=12,
        steps=(Step(None, "blue"), Step(1, "red")),
        no_value="none",
        links=(ROOM,),
    ),
    timeline(
        "Incidents over time",
        "From its opening until it is agreed to be resolved, or the vendor closed it.",
        Query(f"max by (service, severity) (prober_incident_open{{{_HERE}}})", "{{service}}: {{severity}}"),
        states=(State(0, "none", "blue"), State(1, "OPEN", "orange")),
        width=24,
        height=6,
    ),
)
_RUNNING = Query(
    f"min by (service, clock) (prober_clock_due_seconds{{{_HERE}}})",
    "{{service}}: {{clock}}",
    empty_when="no clock of the agreement runs",
)
_CLOCKS = (
    bars(
        "Clocks that run",
        "Until each is due; negative when it is late. The rules chase in the ticket, call again or escalate by "
        "themselves when one is late.",
        _RUNNING,
        unit="s",
        steps=DUE,
        no_value="no clock runs",
        links=(ROOM,),
    ),
    lines(
        "Clocks counting down",
        "Below zero: late.",
        _RUNNING,
        unit="s",
    ),
)
_ACTS = (
    lines(
        "Attempts at acts",
        "Pages, tickets, notes, hotline calls: how many attempts ended how.",
        Query(f"{increase('prober_acts_total', 'kind', 'result')} > 0", "{{kind}}: {{result}}"),
        bars=True,
        stacked="normal",
        unit="none",
    ),
    counts(
        "Acts that wait",
        "Acts that are not done, and the age of the oldest.",
        Query("sum(prober_outbox_pending)", "pending"),
        Query("max(prober_outbox_oldest_seconds)", "age of the oldest (seconds)"),
    ),
    shares(
        "Seconds behind it",
        "The services' seconds by verdict.",
        Query(rate(f'prober_seconds_total{{channel="", {_HERE}}}', "verdict"), "{{verdict}}"),
        width=24,
        height=6,
    ),
)

INCIDENTS = Dashboard(
    "prober-incidents",
    "Prober: incidents and clocks",
    "What is open since when, which clocks of the agreements run, and whether vendor and on-call were reached.",
    (SERVICES,),
    (Row("Incidents", _OPEN), Row("Clocks", _CLOCKS), Row("Who was told", _ACTS)),
    span="now-6h",
)
