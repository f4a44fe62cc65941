"""/probe: what can be asked for, how it is called, and what it answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from asking import Desk, run
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from serving import RAW

from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from prober.web.probe import AT_ONCE, limit
from prober.web.targets import BadQueryError, Callee
from rules.model import Kind, Observation, Stage, Trouble

OK = Observation(
    kind=Kind.HTTP,
    stage=Stage.DONE,
    code=200,
    begun=1_000_000_000,
    ended=1_250_000_000,
    phases=(1_000_000, 2_000_000, 3_000_000, 4_000_000, -1),
    peer="192.0.2.1:443",
    local="192.0.2.9:5000",
    cert_expiry=1_800_000_000,
    tls_version="TLSv1.3",
    version=1.1,
)


class Engine:
    """Stands in for the engines: notes what was to be called and says what the test wants."""

    def __init__(self, says: Observation = OK) -> None:
        self.says = says
        self.called: list[tuple[Callee, float]] = []

    async def call_once(self, callee: Callee, timeout: float) -> Observation:  # noqa: ASYNC109 - the engines' signature
        self.called.append((callee, timeout))
        return self.says

    @property
    def callee(self) -> Any:
        assert len(self.called) == 1
        return self.called[0][0]


def raw(**service: Any) -> dict[str, Any]:
    """The configuration, with a second service whose endpoint shares a name and an address with the first's."""
    channels = {
        "api": [{"name": "account", "url": "https://api.example.com/other", "body": "x", "method": "PUT"}],
        "smtp": [
            {
                "name": "relay",
                "host": "2001:db8::25",
                "port": 587,
                "login": {"username": "u", "password": "s3cr3t-of-smtp"},
                "mail": {"from": "a@example.com", "to": "b@example.com"},
                "timeout": "3s",
            },
            {"name": "secure", "host": "mx.example.com", "port": 465, "tls": "implicit", "depth": "ehlo"},
        ],
    }
    other = {"contract": "bird-email-enterprise", "channels": channels, **service}
    return RAW | {"services": RAW["services"] | {"other": other}}


def ask(engine: Engine, query: str, headers: Mapping[str, str] | None = None, **web: Any) -> tuple[int, str]:
    answer = Desk(raw(), engine.call_once, **web).ask(f"/probe?{query}", headers=headers)
    return answer.status_code, answer.text


def figures(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
        for family in parse_text(text)
        for sample in family.samples
    }


def test_a_call_is_told_under_blackbox_exporters_names() -> None:
    status, text = ask(Engine(), "target=bird/api/account")
    assert status == 200
    assert figures(text) == {
        ("probe_success", ()): 1,
        ("probe_duration_seconds", ()): 0.25,
        ("probe_fault_info", (("fault", "none"), ("reason", "ok"))): 1,
        ("probe_dns_lookup_time_seconds", ()): 0.001,
        ("probe_ip_protocol", ()): 4,
        ("probe_http_status_code", ()): 200,
        ("probe_http_duration_seconds", (("phase", "resolve"),)): 0.001,
        ("probe_http_duration_seconds", (("phase", "connect"),)): 0.002,
        ("probe_http_duration_seconds", (("phase", "tls"),)): 0.003,
        ("probe_http_duration_seconds", (("phase", "processing"),)): 0.004,
        ("probe_failed_due_to_regex", ()): 0,
        ("probe_http_ssl", ()): 1,
        ("probe_http_version", ()): 1.1,
        ("probe_ssl_earliest_cert_expiry", ()): 1_800_000_000,
        ("probe_tls_version_info", (("version", "TLSv1.3"),)): 1,
    }


def test_a_call_that_fails_is_an_answer_and_says_whose_fault_it_was() -> None:
    failed = Observation(kind=Kind.HTTP, stage=Stage.DONE, code=503, unmet="status", begun=1, ended=2, peer="[::1]:80")
    status, text = ask(Engine(failed), "target=bird/api/account")
    found = figures(text)
    assert status == 200
    assert found["probe_success", ()] == 0
    assert found["probe_http_status_code", ()] == 503
    assert found["probe_ip_protocol", ()] == 6
    assert found["probe_fault_info", (("fault", "server_error"), ("reason", "http_status_503"))] == 1


def test_a_call_that_reached_nobody_says_what_it_can() -> None:
    lost = Observation(kind=Kind.SMTP, stage=Stage.RESOLVE, trouble=Trouble.DNS_TIMEOUT, begun=1, ended=2)
    found = figures(ask(Engine(lost), "target=other/smtp/relay")[1])
    assert found["probe_success", ()] == 0
    assert found["probe_smtp_status_code", ()] == 0
    assert found["probe_dns_lookup_time_seconds", ()] == 0
    assert not [name for name, _ in found if name in {"probe_ip_protocol", "probe_ssl_earliest_cert_expiry"}]


@pytest.mark.parametrize(("unmet", "told"), [("body", 1), ("header x-state", 1), ("status", 0), ("json ok", 0)])
def test_a_regular_expression_that_was_not_met_is_told(unmet: str, told: int) -> None:
    failed = Observation(kind=Kind.HTTP, stage=Stage.DONE, code=200, unmet=unmet)
    assert figures(ask(Engine(failed), "target=bird/api/account")[1])["probe_failed_due_to_regex", ()] == told


def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    _, text = ask(Engine(), "target=bird/api/account", accept)
    assert "probe_success" in {family.name for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]  # theirs is untyped


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("target=bird/api/account", "http://127.0.0.1:9/account"),
        ("target=http://127.0.0.1:9/account", "http://127.0.0.1:9/account"),
        ("target=127.0.0.1:9%26module=http_2xx", None),
        ("target=127.0.0.1:9&module=http_2xx", "http://127.0.0.1:9/account"),
        ("target=api.example.com:443", "https://api.example.com/other"),
        ("target=https://api.example.com/other&module=configured", "https://api.example.com/other"),
    ],
)
def test_a_target_is_a_path_a_url_or_an_address(query: str, name: str | None) -> None:
    engine = Engine()
    status, _ = ask(engine, query)
    assert status == (200 if name else 400)
    assert name is None or engine.callee.url == name


@pytest.mark.parametrize("target", ["injection", "bird/smtp/injection", "127.0.0.1:9&module=smtp_banner"])
def test_an_smtp_endpoint_is_a_target_too(target: str) -> None:
    engine = Engine()
    assert ask(engine, f"target={target}")[0] == 200
    assert (engine.callee.host, engine.callee.port) == ("127.0.0.1", 9)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "A target is needed"),
        ("target=", "A target is needed"),
        ("target=bird/api/account&module=icmp", "There is no module of this name. There are:\n  configured: "),
        ("target=nothing", "No such target is configured. There are:\n  bird/api/account\n  bird/smtp/injection\n"),
        ("target=http://127.0.0.1:9/elsewhere", "No such target is configured"),
        ("target=account", "ambiguous. Ask for one of:\n  bird/api/account\n  other/api/account"),
        ("target=127.0.0.1:9", "ambiguous. Ask for one of:\n  bird/api/account\n  bird/smtp/injection"),
        ("target=bird/api/account&module=smtp_banner", "No such target"),
        ("target=injection&module=http_2xx", "No such target"),
        ("target=bird/api/account&hostname=a%0d%0ab", "hostname is not a host's name"),
        ("target=bird/api/account&hostname=a/b", "hostname is not a host's name"),
    ],
)
def test_a_query_that_cannot_be_answered_says_what_would_be_right(query: str, words: str) -> None:
    engine = Engine()
    status, text = ask(engine, query)
    assert status == 400
    assert words in text
    assert engine.called == []


def test_a_url_with_a_key_in_it_is_not_shown_to_whoever_asks() -> None:
    services = {
        "s": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "x", "url": "http://h/?key=s3cr3t"}]}}
    }
    desk = Desk(RAW | {"services": services}, Engine().call_once)
    for query in ("target=none", "target=x&debug=true"):
        assert "s3cr3t" not in desk.ask(f"/probe?{query}").text


@pytest.mark.parametrize(
    ("given", "configured", "timeout"),
    [
        (None, 10, 10),
        ("5", 10, 4.5),
        ("60", 10, 10),
        ("0.8", 10, 0.4),
        ("1", 10, 0.5),
        ("9999", 9000, 120),
        ("1e3", 3, 3),
    ],
)
def test_the_call_ends_before_the_scraper_goes(given: str | None, configured: float, timeout: float) -> None:
    assert limit(given, configured) == timeout


@pytest.mark.parametrize("given", ["", "x", "0", "-1", "nan", "inf", "-inf"])
def test_a_scrape_timeout_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(BadQueryError, match="positive number of seconds"):
        limit(given, 10)
    status, _ = ask(Engine(), "target=injection", {"X-Prometheus-Scrape-Timeout-Seconds": given})
    assert status == 400


def test_the_timeout_is_the_endpoints_or_the_services() -> None:
    for target, timeout in (("bird/api/account", 10.0), ("other/smtp/relay", 3.0)):
        engine = Engine()
        ask(engine, f"target={target}")
        assert engine.called[0][1] == timeout
    engine = Engine()
    ask(engine, "target=bird/api/account", {"X-Prometheus-Scrape-Timeout-Seconds": "2"})
    assert engine.called[0][1] == 1.5


def called(query: str, **web: Any) -> Any:
    engine = Engine()
    status, text = ask(engine, query, **web)
    assert status == 200, text
    return engine.callee


def test_by_default_the_endpoint_is_called_as_it_is_configured() -> None:
    callee = called("target=other/api/account")
    assert (callee.method, callee.body) == ("PUT", "x")
    callee = called("target=other/smtp/relay")
    assert (callee.depth, callee.login.username) == ("data", "u")


def test_http_modules_change_the_method_and_what_is_expected() -> None:
    callee = called("target=other/api/account&module=http_2xx")
    assert (callee.method, callee.body, callee.expect.status) == ("GET", None, ())
    assert called("target=other/api/account&module=http_post_2xx").method == "POST"


def test_smtp_modules_stop_early_and_do_not_log_in() -> None:
    callee = called("target=other/smtp/relay&module=smtp_banner")
    assert (callee.depth, callee.tls, callee.login, callee.mail) == ("banner", "none", None, None)
    callee = called("target=other/smtp/relay&module=smtp_starttls")
    assert (callee.depth, callee.tls, callee.login, callee.mail) == ("tls", "starttls", None, None)
    assert called("target=secure&module=smtp_banner").tls == "implicit"


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("bird/api/account", "127.0.0.1:9"),
        ("other/api/account", "api.example.com:443"),
        ("other/smtp/relay", "[2001:db8::25]:587"),
        ("[2001:db8::25]:587", "[2001:db8::25]:587"),
    ],
)
def test_a_handshake_alone_can_be_asked_for(target: str, address: str) -> None:
    callee = called(f"target={target}&module=tcp_connect")
    assert isinstance(callee, Control)
    assert callee.tcp == address


def test_another_hosts_name_is_asked_for_without_our_credentials() -> None:
    callee = called("target=bird/api/account&hostname=www.example.org")
    assert callee.sni == "www.example.org"
    assert {name: value.get_secret_value() for name, value in callee.headers.items()} == {"Host": "www.example.org"}
    callee = called("target=other/smtp/relay&hostname=mx.example.org")
    assert (callee.sni, callee.login) == ("mx.example.org", None)


@pytest.mark.parametrize(
    ("query", "callee"),
    [
        ("target=http://new.example/x&module=http_2xx", ApiEndpoint(name="target", url="http://new.example/x")),
        (
            "target=new.example&module=http_post_2xx",
            ApiEndpoint(name="target", url="http://new.example", method="POST"),
        ),
        ("target=new.example:99&module=tcp_connect", Control(name="target", tcp="new.example:99")),
        ("target=[::1]:99&module=tcp_connect", Control(name="target", tcp="[::1]:99")),
        (
            "target=mx.new.example&module=smtp_banner",
            SmtpEndpoint(name="target", host="mx.new.example", port=25, tls="none", depth="banner"),
        ),
        (
            "target=mx.new.example:587&module=smtp_starttls",
            SmtpEndpoint(name="target", host="mx.new.example", port=587, tls="starttls", depth="tls"),
        ),
    ],
)
def test_any_target_is_called_only_where_that_is_allowed(query: str, callee: Callee) -> None:
    assert called(query, probe_any_target=True) == callee
    engine = Engine()
    assert ask(engine, query)[0] == 400
    assert engine.called == []


@pytest.mark.parametrize(
    "query",
    [
        "target=new.example",
        "target=ftp://new.example/&module=http_2xx",
        "target=http://&module=http_2xx",
        "target=http://[::1&module=http_2xx",
        "target=http://new.example:x/&module=http_2xx",
        "target=http://new.example:99999/&module=http_2xx",
        "target=http://new.example/%0d%0aX:y&module=http_2xx",
        "target=new.example&module=tcp_connect",
        "target=new.example:0&module=tcp_connect",
        "target=new.example:65536&module=tcp_connect",
        "target=a%20b:1&module=tcp_connect",
        "target=-:1&module=smtp_banner",
    ],
)
def test_a_target_that_is_none_is_refused_even_where_any_is_allowed(query: str) -> None:
    engine = Engine()
    status, text = ask(engine, query, probe_any_target=True)
    assert (status, engine.called) == (400, [])
    assert "target" in text


def test_debug_tells_how_the_call_went_in_words() -> None:
    failed = Observation(
        kind=Kind.SMTP,
        stage=Stage.EHLO,
        unmet="reply",
        code=421,
        enhanced="4.3.2",
        text="closing\x1b[2J\nfault none",
        family_errors=("2001:db8::1 timeout",),
        phases=(1_000_000, 2_000_000),
        peer="192.0.2.1:25",
    )
    _, text = ask(Engine(failed), "target=other/smtp/relay&debug=true")
    assert "  target other/smtp/relay, module configured, time-out 3 s\n" in text
    assert "421 4.3.2 closing\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}fault none\n" in text
    assert "  phase connect 2.000 ms\n" in text
    assert "  also tried 2001:db8::1 timeout\n" in text
    assert "probe_success 0.0" in text
    assert "s3cr3t" not in text


def test_too_many_at_once_are_told_to_come_back_and_a_place_is_given_back() -> None:
    async def work() -> None:
        go = asyncio.Event()

        under_way = asyncio.Semaphore(0)

        async def slow(_: Callee, __: float) -> Observation:
            under_way.release()
            await go.wait()
            return OK

        desk = Desk(raw(), slow)
        busy = [asyncio.create_task(desk.asked("/probe?target=injection")) for _ in range(AT_ONCE)]
        for _ in busy:
            await under_way.acquire()
        refused = await desk.asked("/probe?target=injection")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        go.set()
        assert {answer.status_code for answer in await asyncio.gather(*busy)} == {200}
        assert (await desk.asked("/probe?target=injection")).status_code == 200

    run(work)


def test_an_engine_that_forgets_its_deadline_holds_no_scraper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.web.probe._OVERTIME", 0.0)

    async def forgets(_: Callee, __: float) -> Observation:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    answer = Desk(raw(), forgets).ask(
        "/probe?target=injection", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.02"}
    )
    assert answer.status_code == 500
    assert "defect" in answer.text


def test_an_endpoint_that_cannot_be_set_up_is_told_of() -> None:
    async def missing(_: Callee, __: float) -> Observation:
        raise FileNotFoundError(2, "No such file", "client.pem")

    answer = Desk(raw(), missing).ask("/probe?target=injection")
    assert answer.status_code == 500
    assert "client.pem" in answer.text
