"""/metrics: what it says, that every parser reads it, and that it stays fast."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from asking import NOW, Desk
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Exemplar, Timestamp
from serving import KEYS, RAW, called, second, totals

from prober import config
from prober.board import FAULTS, WIDTH, Board, Column
from prober.web.formats import takes_gzip, wants_openmetrics
from prober.web.metrics import text
from prober.web.view import View
from rules.acts import ActKind, Outcome
from rules.model import HTTP_PHASES, SMTP_PHASES, Fault, Kind, Verdict
from rules.reasons import REASONS

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
#: What Prometheus 2.49 and 3.0 send.
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"  # noqa: E501 - as it is sent
PROMETHEUS_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"  # noqa: E501 - as it is sent

ACCOUNT = {"service": "bird", "channel": "api", "endpoint": "account"}
INJECTION = {"service": "bird", "channel": "smtp", "endpoint": "injection"}


def busy() -> Desk:
    """A desk that has heard of everything."""
    desk = Desk()
    called(desk.board, 0, [0.001, 0.002, -1.0, 0.25, 0.5], code=503, expiry=1_800_000_000.0)
    called(desk.board, 1, [0.5] * len(SMTP_PHASES), code=250)
    desk.view.second(second(1_795_341_600))
    desk.view.second(second(1_795_341_601, "unavailable", "http_status_503"))
    desk.view.total(totals())
    desk.view.opened({"type": "incidents", "open": [{"id": "bird-1", "service": "bird", "severity": "critical"}]})
    return desk


def families(text: str, *, openmetrics: bool = False) -> dict[str, Metric]:
    parse = parse_openmetrics if openmetrics else parse_text
    return {family.name: family for family in parse(text)}


def value(found: dict[str, Metric], family: str, labels: dict[str, str] | None = None, name: str = "") -> float:
    """The one sample of a family with exactly these labels."""
    samples = [s for s in found[family].samples if s.labels == (labels or {}) and s.name == (name or s.name)]
    assert len(samples) == 1, f"{family} {labels}: {found[family].samples}"
    return float(samples[0].value)


def test_a_clock_that_runs_says_how_long_until_it_is_due_and_one_that_does_not_says_nothing() -> None:
    desk = busy()
    clocks = [
        {"name": "call_back", "state": "running", "due": int(NOW) + 840},
        {"name": "update", "state": "running", "due": int(NOW) - 60},
        {"name": "first_response", "state": "met", "due": int(NOW) - 900},
    ]
    desk.view.opened({"open": [{"id": "bird-1", "service": "bird", "severity": "critical", "clocks": clocks}]})
    found = families(desk.ask("/metrics").text)
    assert value(found, "prober_clock_due_seconds", {"service": "bird", "clock": "call_back"}) == 840
    assert value(found, "prober_clock_due_seconds", {"service": "bird", "clock": "update"}) == -60
    assert len(found["prober_clock_due_seconds"].samples) == 2


#: DESIGN.md, "Metrics", with the labels that it gives them.
PROMISED = {
    "probe_success": {"service", "channel", "endpoint"},
    "probe_duration_seconds": {"service", "channel", "endpoint"},
    "probe_http_status_code": {"service", "channel", "endpoint"},
    "probe_http_duration_seconds": {"service", "channel", "endpoint", "phase"},
    "probe_http_version": {"service", "channel", "endpoint"},
    "probe_smtp_status_code": {"service", "channel", "endpoint"},
    "probe_smtp_duration_seconds": {"service", "channel", "endpoint", "phase"},
    "probe_ssl_earliest_cert_expiry": {"service", "channel", "endpoint"},
    "prober_calls_total": {"service", "channel", "endpoint", "fault"},
    "prober_call_duration_seconds_bucket": {"service", "channel", "le"},
    "prober_seconds_total": {"service", "channel", "verdict"},
    "prober_unavailable": {"service", "channel"},
    "prober_incident_open": {"service", "severity"},
    "prober_clock_due_seconds": {"service", "clock"},
    "prober_acts_total": {"kind", "result"},
    "prober_outbox_pending": set(),
    "prober_outbox_oldest_seconds": set(),
    "prober_start_lag_seconds_bucket": {"le"},
    "prober_build_info": {"version", "python"},
    "prober_config_last_reload_successful": set(),
    "prober_config_last_reload_success_timestamp_seconds": set(),
}


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_all_that_is_promised_is_told_under_its_name_with_its_labels(accept: str) -> None:
    desk = busy()
    clocks = [{"name": "call_back", "state": "running", "due": int(NOW) + 840}]
    desk.view.opened({"open": [{"id": "bird-1", "service": "bird", "severity": "critical", "clocks": clocks}]})
    found = families(desk.ask("/metrics", headers={"Accept": accept}).text, openmetrics=accept == OPENMETRICS)
    told: dict[str, set[str]] = {}
    for family in found.values():
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(sample.labels)
    assert {name: told.get(name) for name in PROMISED} == PROMISED


def test_both_formats_say_the_same() -> None:
    desk = busy()
    plain = families(desk.ask("/metrics").text)
    open_ = families(desk.ask("/metrics", headers={"Accept": OPENMETRICS}).text, openmetrics=True)

    def told(found: dict[str, Metric]) -> set[tuple[str, str, float]]:
        return {
            (s.name, str(sorted(s.labels.items())), float(s.value))
            for family in found.values()
            for s in family.samples
            if "process" not in s.name and not s.name.startswith("python_gc")  # they go on between two scrapes
        }

    assert told(plain) == told(open_)
    assert len(told(plain)) > 100


def test_the_newest_call_of_each_endpoint_is_told_under_blackbox_exporters_names() -> None:
    found = families(busy().ask("/metrics").text)
    assert value(found, "probe_success", ACCOUNT) == 1
    assert value(found, "probe_duration_seconds", INJECTION) == 0.125
    assert value(found, "probe_http_status_code", ACCOUNT) == 503
    assert value(found, "probe_http_version", ACCOUNT) == 1.1
    assert len(found["probe_http_version"].samples) == len(found["probe_http_status_code"].samples), "of HTTP alone"
    assert value(found, "probe_smtp_status_code", INJECTION) == 250
    assert value(found, "probe_http_duration_seconds", ACCOUNT | {"phase": "processing"}) == 0.25
    assert value(found, "probe_smtp_duration_seconds", INJECTION | {"phase": "dot"}) == 0.5
    assert value(found, "probe_ssl_earliest_cert_expiry", ACCOUNT) == 1_800_000_000
    assert {s.labels["phase"] for s in found["probe_http_duration_seconds"].samples} == set(HTTP_PHASES) - {"tls"}
    assert [s.labels for s in found["probe_ssl_earliest_cert_expiry"].samples] == [ACCOUNT]


def test_calls_are_counted_by_fault() -> None:
    found = families(busy().ask("/metrics").text)
    assert value(found, "prober_calls", ACCOUNT | {"fault": "none"}) == 3
    assert value(found, "prober_calls", ACCOUNT | {"fault": "own"}) == 0
    assert value(found, "prober_calls_missed", INJECTION) == 2


def test_seconds_incidents_acts_and_our_own_state_are_told() -> None:
    found = families(busy().ask("/metrics").text)
    own = {"service": "bird", "channel": ""}
    assert value(found, "prober_seconds", own | {"verdict": "available"}) == 7
    assert value(found, "prober_seconds", {"service": "bird", "channel": "smtp", "verdict": "unmeasured"}) == 0
    assert value(found, "prober_unavailable", own) == 1
    assert value(found, "prober_incident_open", {"service": "bird", "severity": "critical"}) == 1
    assert value(found, "prober_acts", {"kind": "page", "result": "accepted"}) == 3
    singles = {
        "prober_outbox_pending": 2,
        "prober_outbox_oldest_seconds": 31.5,
        "prober_stalls": 5,
        "prober_clock_steps": 6,
        "prober_open_calls": 8,
        "prober_store_ok": 1,
        "prober_store_queued": 0,
        "prober_store_dropped": 4,
        "prober_config_last_reload_successful": 1,
        "prober_config_last_reload_success_timestamp_seconds": 1_795_341_700,
    }
    assert {name: value(found, name) for name in singles} == singles
    assert found["prober_build_info"].samples[0].labels.keys() == {"version", "python"}


def failed(desk: Desk, index: int, fault: Fault, reason: str, *, began: float = NOW - 1, took: float = 0.04) -> None:
    """A call of the endpoint fails, as the measuring process writes it down."""
    row = desk.board.cells[index * WIDTH :]
    row[Column.FAILED], row[Column.FAILED_TOOK] = began, took
    row[Column.FAILED_FAULT] = float(FAULTS.index(fault))
    row[Column.FAILED_REASON] = float(list(REASONS).index(reason))


def exemplars(found: dict[str, Metric], family: str) -> list[tuple[dict[str, str], Exemplar]]:
    return [(s.labels, s.exemplar) for s in found[family].samples if s.exemplar is not None]


def test_a_failed_call_is_the_example_of_its_counter_and_of_its_bucket_with_the_incident_it_belongs_to() -> None:
    desk = busy()
    onset = {"onset": int(NOW) - 60, "phase": "open"}
    desk.view.opened({"open": [{"id": "bird-1", "service": "bird", "severity": "critical"} | onset]})
    failed(desk, 0, Fault.SERVER_ERROR, "http_status_503")
    found = families(desk.ask("/metrics", headers={"Accept": OPENMETRICS}).text, openmetrics=True)
    labels = {"reason": "http_status_503", "incident": "bird-1"}
    assert exemplars(found, "prober_calls") == [
        (ACCOUNT | {"fault": "server_error"}, Exemplar(labels, 1.0, Timestamp(NOW - 1, 0)))
    ]
    bucket = {"service": "bird", "channel": "api", "le": "0.05"}
    assert exemplars(found, "prober_call_duration_seconds") == [(bucket, Exemplar(labels, 0.04, Timestamp(NOW - 1, 0)))]


def test_a_failure_before_the_onset_or_whose_incident_has_a_long_name_is_told_without_the_incident() -> None:
    for name, onset in (("bird-1", NOW), ("b" * 100, NOW - 60)):
        desk = busy()
        desk.view.opened({"open": [{"id": name, "service": "bird", "severity": "critical", "onset": int(onset)}]})
        failed(desk, 0, Fault.SERVER_ERROR, "http_status_503")
        found = families(desk.ask("/metrics", headers={"Accept": OPENMETRICS}).text, openmetrics=True)
        assert [e.labels for _, e in exemplars(found, "prober_calls")] == [{"reason": "http_status_503"}]


def test_without_labels_by_endpoint_the_newest_failed_call_of_a_channel_is_its_example() -> None:
    view = crowd(3, by_endpoint=False)
    desk = Desk()
    assert view.board is not None
    desk.board = view.board
    failed(desk, 0, Fault.OTHER, "http_status_401", began=NOW - 9)
    failed(desk, 1, Fault.OTHER, "http_status_403", began=NOW - 5)
    failed(desk, 2, Fault.OTHER, "http_status_404", began=NOW - 7)
    found = families(text(view.snapshot(), openmetrics_wanted=True).decode(), openmetrics=True)
    channel = {"service": "bird", "channel": "api", "fault": "other"}
    assert [(where, e.labels) for where, e in exemplars(found, "prober_calls")] == [
        (channel, {"reason": "http_status_403"})
    ]


def test_the_text_format_has_no_exemplars() -> None:
    desk = busy()
    failed(desk, 0, Fault.SERVER_ERROR, "http_status_503")
    assert "http_status_503" not in desk.ask("/metrics").text


def test_counters_begin_with_zero_so_that_their_first_event_is_an_increase() -> None:
    desk = Desk()
    desk.view.total(totals(seconds=[], acts=[]))
    found = families(desk.ask("/metrics").text)
    for kind in ActKind:
        for outcome in Outcome:
            assert value(found, "prober_acts", {"kind": kind.value, "result": outcome.value}) == 0
    for verdict in Verdict:
        for channel in ("", "api", "smtp"):
            assert (
                value(found, "prober_seconds", {"service": "bird", "channel": channel, "verdict": verdict.value}) == 0
            )
    for fault in Fault:
        assert value(found, "prober_calls", INJECTION | {"fault": fault.value}) == 0
    for severity in ("critical", "internal"):
        for name in ("prober_incident_open", "prober_incident_unacknowledged"):
            assert value(found, name, {"service": "bird", "severity": severity}) == 0


@pytest.mark.parametrize(
    ("changed", "waits"),
    [({}, 1), ({"acknowledged_by": "ann"}, 0), ({"phase": "recovered"}, 0)],
    ids=["open", "acknowledged", "recovered"],
)
def test_an_incident_waits_for_somebody_until_it_is_acknowledged_or_has_passed(
    changed: dict[str, str], waits: int
) -> None:
    desk = busy()
    incident = {"id": "bird-1", "service": "bird", "severity": "critical", "phase": "open"} | changed
    desk.view.opened({"open": [incident]})
    found = families(desk.ask("/metrics").text)
    assert value(found, "prober_incident_unacknowledged", {"service": "bird", "severity": "critical"}) == waits
    assert value(found, "prober_incident_open", {"service": "bird", "severity": "critical"}) == 1


def test_it_is_told_how_long_the_measuring_process_has_been_silent() -> None:
    desk = busy()
    desk.clock.monotonic += 7
    assert value(families(desk.ask("/metrics").text), "prober_measuring_silence_seconds") == 7


def test_the_outside_watchers_newest_word_is_told_where_one_is_configured() -> None:
    name = "prober_heartbeat_last_success_timestamp_seconds"
    assert name not in families(Desk().ask("/metrics").text)
    desk = Desk(RAW | {"heartbeat": {"url": "http://127.0.0.1:9/beat", "every": "30s"}})
    assert value(families(desk.ask("/metrics").text), name) == 0
    desk.view.watched()
    assert value(families(desk.ask("/metrics").text), name) == NOW


def test_the_answering_process_is_told_under_the_usual_names_too() -> None:
    found = families(Desk().ask("/metrics").text)
    assert value(found, "process_resident_memory_bytes") > 1_000_000
    assert value(found, "process_start_time_seconds") > 0
    assert found["python_gc_collections"].samples


def test_histograms_are_cumulative_and_end_with_infinity() -> None:
    found = families(busy().ask("/metrics").text)
    calls = {"service": "bird", "channel": "api"}
    name = "prober_call_duration_seconds"
    assert value(found, name, calls | {"le": "0.001"}) == 1
    assert value(found, name, calls | {"le": "60.0"}) == 15
    assert value(found, name, calls | {"le": "+Inf"}) == 16
    assert value(found, name, calls, f"{name}_count") == 16
    assert value(found, name, calls, f"{name}_sum") == 12.5
    assert value(found, name, {"service": "bird", "channel": "smtp", "le": "+Inf"}) == 0
    assert value(found, "prober_start_lag_seconds", {"le": "+Inf"}) == 24


def test_an_incident_that_is_not_open_is_zero_so_that_its_end_can_be_seen() -> None:
    desk = Desk()
    found = families(desk.ask("/metrics").text)
    assert value(found, "prober_incident_open", {"service": "bird", "severity": "critical"}) == 0


def test_a_second_that_is_not_measured_is_neither_up_nor_down() -> None:
    desk = Desk()
    desk.view.second(second(1_795_341_600, "unmeasured", "not_running"))
    assert families(desk.ask("/metrics").text)["prober_unavailable"].samples == []


def test_a_failed_reload_is_told_until_one_succeeds() -> None:
    desk = Desk()
    desk.clock.utc += 60
    desk.view.reloaded(ok=False)
    found = families(desk.ask("/metrics").text)
    assert value(found, "prober_config_last_reload_successful") == 0
    assert value(found, "prober_config_last_reload_success_timestamp_seconds") == 1_795_341_700
    desk.view.reloaded(ok=True)
    found = families(desk.ask("/metrics").text)
    assert value(found, "prober_config_last_reload_successful") == 1
    assert value(found, "prober_config_last_reload_success_timestamp_seconds") == 1_795_341_760


def test_an_endpoint_that_was_never_called_has_counters_alone() -> None:
    desk = Desk()
    found = families(desk.ask("/metrics").text)
    assert not [name for name in found if name.startswith("probe_")]
    assert value(found, "prober_calls", ACCOUNT | {"fault": "none"}) == 0
    assert "prober_outbox_pending" not in found, "a figure that nobody has told yet is not made up"


def test_both_processes_are_told() -> None:
    desk = Desk()
    desk.view.pid = os.getppid()
    found = families(desk.ask("/metrics").text)
    for name in ("measure", "serve"):
        assert value(found, "prober_process_resident_memory_bytes", {"process": name}) > 1_000_000
    assert value(found, "prober_process_cpu_seconds", {"process": "serve"}) > 0
    assert value(found, "prober_process_open_fds", {"process": "serve"}) >= 3
    desk.view.pid = 2**22 + 1  # past Linux's largest id
    found = families(desk.ask("/metrics").text)
    assert [s.labels["process"] for s in found["prober_process_open_fds"].samples] == ["serve"]


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        (OPENMETRICS, True),
        ("application/openmetrics-text", True),
        ('Application/OpenMetrics-Text; Version="1.0.0"', True),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0, text/plain", False),
        ("application/openmetrics-text;version=abc", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
        (";;==,,;q", False),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(accept: str, openmetrics: bool) -> None:
    assert wants_openmetrics(accept) is openmetrics
    kind = Desk().ask("/metrics", headers={"Accept": accept}).headers["content-type"]
    wanted = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert kind == (wanted if openmetrics else "text/plain; version=0.0.4; charset=utf-8")


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("", False), ("identity", False), ("x-gzip", True)],
)
def test_gzip_is_used_where_it_is_taken(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken
    answer = busy().ask("/metrics", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == ("gzip" if taken else None)
    assert "prober_build_info" in answer.text
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


def crowd(n: int, by_endpoint: bool | None = None) -> View:
    """A view of `n` API endpoints that all have been called."""
    view = View()
    board = Board.create([("bird", "api", f"e{i}", Kind.HTTP) for i in range(n)])
    for i in range(n):
        called(board, i, [0.001] * len(HTTP_PHASES), expiry=1_800_000_000.0)
    raw = RAW | ({} if by_endpoint is None else {"metrics_by_endpoint": by_endpoint})
    view.configured(config.from_raw(raw, Path()), board, os.getpid())
    view.total(totals())
    return view


@pytest.mark.parametrize(
    ("n", "chosen", "told"), [(1000, None, True), (1001, None, False), (1001, True, True), (2, False, False)]
)
def test_past_a_thousand_endpoints_those_by_endpoint_must_be_asked_for(n: int, chosen: bool | None, told: bool) -> None:
    found = families(text(crowd(n, chosen).snapshot(), openmetrics_wanted=False).decode())
    assert ("probe_success" in found) is told
    labels = {"service": "bird", "channel": "api", "fault": "none"}
    if told:
        assert len(found["probe_success"].samples) == n
    else:
        assert value(found, "prober_calls", labels) == 3 * n, "the counters are there all the same, by channel"
        assert value(found, "prober_calls_missed", {"service": "bird", "channel": "api"}) == 2 * n


def test_every_family_comes_once_and_in_one_piece() -> None:
    for wanted in (False, True):
        body = text(busy().view.snapshot(), openmetrics_wanted=wanted).decode()
        heads = [line.split()[2] for line in body.splitlines() if line.startswith("# TYPE")]
        assert len(heads) == len(set(heads))
        assert body.endswith("# EOF\n") is wanted
        assert body.count("# EOF") == wanted


def test_an_empty_configuration_is_an_exposition_too() -> None:
    view = View()
    view.configured(config.from_raw({}, Path()), Board.create([]), 0)
    assert "prober_build_info" in families(text(view.snapshot(), openmetrics_wanted=False).decode())


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    view = View()
    name = 'a"b\\c\nd'
    board = Board.create([("bird", "api", name, Kind.TCP)])
    called(board, 0, [])
    view.configured(config.from_raw(RAW, Path()), board, 0)
    found = families(text(view.snapshot(), openmetrics_wanted=True).decode(), openmetrics=True)
    assert value(found, "probe_success", ACCOUNT | {"endpoint": name}) == 1


def test_a_reload_lets_go_of_the_old_board() -> None:
    desk = Desk()
    old, new = desk.board, Board.create(KEYS)
    desk.view.configured(desk.view.settings, new, 0)
    assert desk.view.board is new
    with pytest.raises(ValueError, match="released"):
        old.cells[Column.ENDED]


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("view", [busy().view, crowd(3), crowd(3, by_endpoint=False)], ids=["busy", "crowd", "summed"])
def test_promtool_has_nothing_to_say(view: View) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    exposition = text(view.snapshot(), openmetrics_wanted=False)
    checked = subprocess.run([promtool, "check", "metrics"], input=exposition, capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
