"""The prober's own health: whether what it says can be relied on."""

from grafana.model import Choice, Dashboard, Query, Row, State, Step
from grafana.panels import FIT, counts, heat, lines, stat
from grafana.promql import increase, quantile, rate

_AT = Choice("instance", "Prober", "prober_build_info", "instance")
_HERE = '{instance=~"$instance"}'

_LAG = f"prober_start_lag_seconds_bucket{_HERE}"

_FIT = (
    stat(
        "Reached by Prometheus",
        "Whether the last scrape succeeded.",
        Query('up{job="prober", instance=~"$instance"}', "{{instance}}"),
        states=(State(1, "up", "blue"), State(0, "DOWN", "red")),
    ),
    stat(
        "Measuring process heard of",
        "Seconds ago; it speaks once a second. Past 5 s it is not ready, past 15 s not healthy.",
        Query(f"max(prober_measuring_silence_seconds{_HERE})"),
        unit="s",
        steps=(Step(None, "blue"), Step(5, "orange"), Step(15, "red")),
    ),
    stat(
        "Store",
        "Whether the newest transaction reached the disk. Acts go out all the same.",
        Query(f"min(prober_store_ok{_HERE})"),
        states=FIT,
    ),
    stat(
        "Newest configuration",
        "Whether the newest attempt to take one succeeded; while it did not, the one before is in force.",
        Query(f"min(prober_config_last_reload_successful{_HERE})"),
        states=(State(1, "taken", "blue"), State(0, "REFUSED", "red")),
    ),
    stat(
        "Oldest act that waits",
        "How far the outbox is behind.",
        Query(f"max(prober_outbox_oldest_seconds{_HERE})"),
        unit="s",
        steps=(Step(None, "blue"), Step(60, "orange"), Step(300, "red")),
    ),
    stat(
        "Outside watcher heard from us",
        "Seconds ago.",
        Query(
            f"time() - max(prober_heartbeat_last_success_timestamp_seconds{_HERE} > 0)",
            empty_when="no heartbeat is configured",
        ),
        unit="s",
        no_value="none configured",
        steps=(Step(None, "blue"), Step(600, "red")),
    ),
)
_PACE = (
    lines(
        "How late calls begin",
        "Begin minus due. What is late here is our own machine's doing.",
        Query(quantile(0.5, _LAG), "half within"),
        Query(quantile(0.99, _LAG), "99 of 100 within"),
        unit="s",
    ),
    heat(
        "Start lag",
        "Calls by how late they began.",
        Query(increase(_LAG, "le"), "{{le}}"),
    ),
    lines(
        "Seconds that were not measured",
        "What share of each service's seconds: no call (four of five where `every` is 5s), our own fault, or not running.",
        Query(
            rate('prober_seconds_total{channel="", verdict="unmeasured", instance=~"$instance"}', "service")
            + " / "
            + rate('prober_seconds_total{channel="", instance=~"$instance"}', "service"),
            "{{service}}",
        ),
        unit="percentunit",
        minimum=0,
        maximum=1,
    ),
    counts(
        "Stalls, clock steps, missed calls",
        "Times that this machine stood still or its clock was stepped; calls that were due and not made.",
        Query(increase(f"prober_stalls_total{_HERE}"), "stalls"),
        Query(increase(f"prober_clock_steps_total{_HERE}"), "clock steps"),
        Query(increase(f"prober_calls_missed_total{_HERE}"), "missed calls"),
        bars=True,
    ),
)
_WORK = (
    counts(
        "Outbox",
        "Acts that are not done.",
        Query(f"sum by (instance) (prober_outbox_pending{_HERE})", "{{instance}}"),
    ),
    counts(
        "Store",
        "Seconds of evidence that wait in memory, and pieces that were given up.",
        Query(f"max(prober_store_queued{_HERE})", "seconds that wait"),
        Query(increase(f"prober_store_dropped_total{_HERE}"), "pieces given up"),
    ),
    counts(
        "Calls in flight",
        "Open now.",
        Query(f"sum by (instance) (prober_open_calls{_HERE})", "{{instance}}"),
    ),
    lines(
        "How long a scrape takes",
        "As Prometheus sees it.",
        Query('scrape_duration_seconds{job="prober", instance=~"$instance"}', "{{instance}}"),
        unit="s",
        minimum=0,
    ),
)
_PROCESSES = (
    counts(
        "CPU",
        "Cores, by process: measure probes and decides, serve shows and delivers.",
        Query(rate(f"prober_process_cpu_seconds_total{_HERE}", "process"), "{{process}}"),
        width=8,
    ),
    lines(
        "Memory",
        "Resident.",
        Query(f"sum by (process) (prober_process_resident_memory_bytes{_HERE})", "{{process}}"),
        unit="bytes",
        minimum=0,
        width=8,
    ),
    counts(
        "Descriptors",
        "Open.",
        Query(f"sum by (process) (prober_process_open_fds{_HERE})", "{{process}}"),
        width=8,
    ),
    stat(
        "Version",
        "What runs.",
        Query(f"prober_build_info{_HERE}", "{{instance}}: {{version}} on Python {{python}}", instant=True),
        width=12,
        states=(State(1, "runs", "blue"),),
    ),
    stat(
        "Configuration taken",
        "When the configuration in force was taken.",
        Query(f"max(prober_config_last_reload_success_timestamp_seconds{_HERE}) * 1000"),
        width=6,
        unit="dateTimeAsIso",
    ),
    stat(
        "Serving since",
        "When the process that shows and delivers was started.",
        Query('max(process_start_time_seconds{job="prober", instance=~"$instance"}) * 1000'),
        width=6,
        unit="dateTimeAsIso",
    ),
)

HEALTH = Dashboard(
    "prober-health",
    "Prober: its own health",
    "Whether what the prober says can be relied on: its pace, its store, its outbox, its processes.",
    (_AT,),
    (Row("Fit", _FIT), Row("Pace", _PACE), Row("Work", _WORK), Row("Processes", _PROCESSES)),
)
