"""The table "HTTP" of classification.md, row by row."""

from dataclasses import replace

import pytest

from rules.faults import GENERIC, classify
from rules.faults.vendors import Vendor
from rules.model import Fault, Finding, History, Kind, Observation, Stage, Trouble

I, T, O = Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER  # noqa: E741 - the document's letters
OK = Finding(Fault.NONE, "ok")
TLS_WORKED = History(tls_worked=True)
PASSED = History(passed=True)


def reply(code: int, **facts: object) -> Observation:
    """A complete reply with another status than the one expected."""
    return replace(Observation(Kind.HTTP, Stage.DONE, unmet="status", code=code), **facts)  # type: ignore[arg-type]  # fields by name


def broken(stage: Stage, trouble: Trouble, **facts: object) -> Observation:
    """A call that no complete reply ended."""
    return replace(Observation(Kind.HTTP, stage, trouble), **facts)  # type: ignore[arg-type]  # fields by name


def suspected(fault: Fault, reason: str) -> Finding:
    return Finding(fault, reason, suspected=True)


def test_a_call_that_met_all_expectations_is_ok() -> None:
    assert classify(Observation(Kind.HTTP, Stage.DONE, code=200)) == OK


@pytest.mark.parametrize("code", [301, 404, 429, 500, 503, 504])
def test_an_expected_status_is_ok_whatever_the_table_says_of_it(code: int) -> None:
    assert classify(Observation(Kind.HTTP, Stage.DONE, code=code, body=b'{"error": "internal_error"}')) == OK


STATUSES: dict[str, tuple[int, Fault]] = {
    "4xx in general: 400": (400, O),
    "4xx in general: 401": (401, O),
    "4xx in general: 404": (404, O),
    "4xx in general: 499": (499, O),
    "408 that may not have been sent whole": (408, O),
    "421": (421, O),
    "425": (425, O),
    "500": (500, I),
    "502": (502, I),
    "501": (501, O),
    "505": (505, O),
    "503": (503, I),
    "504": (504, T),
    "507": (507, I),
    "508": (508, I),
    "529": (529, I),
    "unknown 5xx: 506": (506, I),
    "unknown 5xx: 527": (527, I),
    "unknown 5xx: 555": (555, I),
    "unknown 5xx: 597": (597, I),
    "511": (511, O),
    "520 without CF-RAY": (520, O),
    "521 without CF-RAY": (521, O),
    "523 without CF-RAY": (523, O),
    "525 without CF-RAY": (525, O),
    "526 without CF-RAY": (526, O),
    "530 without CF-RAY": (530, O),
    "522": (522, T),
    "524": (524, T),
    "598": (598, O),
    "599": (599, O),
    "a redirect that was not expected": (302, O),
    "an interim status": (101, O),
}


@pytest.mark.parametrize(("code", "fault"), STATUSES.values(), ids=STATUSES)
def test_a_status_says_whose_fault_it_is(code: int, fault: Fault) -> None:
    assert classify(reply(code)) == Finding(fault, f"http_status_{code}")


@pytest.mark.parametrize("code", [520, 521, 523, 525, 526, 530])
def test_cloudflares_statuses_count_with_its_header(code: int) -> None:
    headers = (("server", "cloudflare"), ("cf-ray", "8f1-FRA"))
    assert classify(reply(code, headers=headers)) == Finding(I, f"http_status_{code}")


def test_another_header_does_not_make_a_status_cloudflares() -> None:
    headers = (("server", "nginx"), ("x-cache", "miss"))
    assert classify(reply(520, headers=headers)) == Finding(O, "http_status_520")


@pytest.mark.parametrize("code", [420, 429])
def test_420_and_429_are_tagged_throttled(code: int) -> None:
    assert classify(reply(code)) == Finding(O, f"http_status_{code}", tags=("throttled",))


def test_a_401_that_comes_and_goes_is_flagged() -> None:
    assert classify(reply(401), PASSED) == Finding(O, "http_status_401", tags=("flagged",))
    assert classify(reply(403), PASSED) == Finding(O, "http_status_403")


def test_408_is_a_suspected_time_out_if_the_request_was_sent_whole() -> None:
    assert classify(reply(408, sent_whole=True)) == suspected(T, "http_status_408")


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 421, 425])
def test_no_other_refusal_is_the_servers_because_the_request_was_sent_whole(code: int) -> None:
    assert classify(reply(code, sent_whole=True)) == Finding(O, f"http_status_{code}")


@pytest.mark.parametrize(
    "facts",
    [
        {"body": b"<h1>Scheduled Maintenance</h1>"},
        {"text": "Down For Maintenance"},
        {"body": b"planned downtime until 04:00"},
    ],
    ids=["body", "reason phrase", "other words"],
)
def test_503_is_tagged_maintenance_where_it_is_announced(facts: dict[str, object]) -> None:
    announced = reply(503, headers=(("retry-after", "3600"),), **facts)
    assert classify(announced) == Finding(I, "http_status_503", tags=("maintenance",))


def test_503_with_retry_after_alone_is_no_maintenance() -> None:
    assert classify(reply(503, headers=(("retry-after", "5"),))) == Finding(I, "http_status_503")


def test_the_word_maintenance_alone_is_no_announcement() -> None:
    assert classify(reply(503, body=b"maintenance")) == Finding(I, "http_status_503")
    elsewhere = reply(503, headers=(("server", "nginx"),), body=b"maintenance")
    assert classify(elsewhere) == Finding(I, "http_status_503")


def test_no_other_status_than_503_announces_maintenance() -> None:
    broke = reply(500, headers=(("retry-after", "3600"),), body=b"broken by the maintenance of last night")
    assert classify(broke) == Finding(I, "http_status_500")


@pytest.mark.parametrize("code", [0, 99, 600, 999])
def test_a_status_that_is_none_is_not_the_servers_fault(code: int) -> None:
    assert classify(reply(code)) == Finding(O, "http_status_invalid")


@pytest.mark.parametrize(
    ("unmet", "reason"),
    [
        ("status", "expectation_status"),
        ("header x-state", "expectation_header"),
        ("body", "expectation_body"),
        ("json data.0.state", "expectation_json"),
    ],
)
def test_our_own_assertion_that_failed_on_a_200_is_other(unmet: str, reason: str) -> None:
    assert classify(reply(200, unmet=unmet)) == Finding(O, reason)


def test_an_expected_503_with_an_unexpected_body_is_other() -> None:
    assert classify(reply(503, unmet="body")) == Finding(O, "expectation_body")


# Proxies


@pytest.mark.parametrize("code", [500, 502, 503, 504, 529, 599])
def test_any_5xx_through_our_own_proxy_in_plain_text_is_the_proxys(code: int) -> None:
    assert classify(reply(code, proxied="proxy.example")) == Finding(O, "proxy_error")


def test_not_even_a_body_makes_a_5xx_through_our_own_proxy_the_vendors() -> None:
    seen = reply(500, proxied="proxy.example", body=b'{"error": {"type": "internal_error"}}')
    assert classify(seen) == Finding(O, "proxy_error")


def test_a_5xx_inside_a_verified_tunnel_is_the_origins() -> None:
    assert classify(reply(503, proxied="proxy.example", verified=True)) == Finding(I, "http_status_503")


def test_a_4xx_through_a_proxy_keeps_its_status() -> None:
    assert classify(reply(404, proxied="proxy.example")) == Finding(O, "http_status_404")


@pytest.mark.parametrize(
    "observation",
    [
        broken(Stage.PROXY, Trouble.PROXY),
        broken(Stage.PROXY, Trouble.TIMEOUT),
        broken(Stage.CONNECT, Trouble.REFUSED, proxied="proxy.example"),
        broken(Stage.TLS, Trouble.TLS_ALERT, proxied="proxy.example"),
        broken(Stage.HEADERS, Trouble.TIMEOUT, proxied="proxy.example"),
        broken(Stage.BODY, Trouble.CLOSED, proxied="proxy.example", code=503),
    ],
    ids=[
        "CONNECT refused",
        "CONNECT silent",
        "proxy refuses",
        "before the tunnel is proved",
        "silence",
        "within a 503",
    ],
)
def test_trouble_in_or_behind_our_own_proxy_is_the_proxys(observation: Observation) -> None:
    assert classify(observation, TLS_WORKED) == Finding(O, "proxy_error")


def test_silence_inside_a_verified_tunnel_is_suspected_of_the_origin() -> None:
    seen = broken(Stage.HEADERS, Trouble.TIMEOUT, proxied="proxy.example", verified=True)
    assert classify(seen) == suspected(T, "read_timeout")


# What the transport showed

TRANSPORT: dict[str, tuple[Observation, Finding]] = {
    "write timeout": (broken(Stage.SEND, Trouble.TIMEOUT), suspected(T, "write_timeout")),
    "read timeout before the headers": (broken(Stage.HEADERS, Trouble.TIMEOUT), suspected(T, "read_timeout")),
    "read timeout inside the body": (broken(Stage.BODY, Trouble.TIMEOUT, code=200), suspected(T, "body_timeout")),
    "read timeout inside the body of a 503": (broken(Stage.BODY, Trouble.TIMEOUT, code=503), Finding(I, "http_status_503")),
    "read timeout inside the body of a 504": (broken(Stage.BODY, Trouble.TIMEOUT, code=504), Finding(T, "http_status_504")),
    "read timeout inside the body of a 400": (broken(Stage.BODY, Trouble.TIMEOUT, code=400), Finding(O, "http_status_400")),
    "read timeout inside the body of a 404": (broken(Stage.BODY, Trouble.TIMEOUT, code=404), Finding(O, "http_status_404")),
    "reset while sending": (broken(Stage.SEND, Trouble.RESET), suspected(I, "connection_reset")),
    "closed while sending": (broken(Stage.SEND, Trouble.CLOSED), suspected(I, "dropped")),
    "reset before the headers, fresh": (broken(Stage.HEADERS, Trouble.RESET), suspected(I, "connection_reset")),
    "closed before the headers, fresh": (broken(Stage.HEADERS, Trouble.CLOSED), suspected(I, "dropped")),
    "reset before the headers, reused": (broken(Stage.HEADERS, Trouble.RESET, fresh=False), Finding(O, "reset_reused")),
    "closed before the headers, reused": (broken(Stage.HEADERS, Trouble.CLOSED, fresh=False), Finding(O, "reset_reused")),
    "reset while sending, reused": (broken(Stage.SEND, Trouble.RESET, fresh=False), Finding(O, "reset_reused")),
    "silence on a reused connection": (broken(Stage.HEADERS, Trouble.TIMEOUT, fresh=False), Finding(O, "timeout_reused")),
    "silence on a reused connection that lives": (
        broken(Stage.HEADERS, Trouble.TIMEOUT, fresh=False, sent_whole=True),
        suspected(T, "read_timeout"),
    ),
    "half the headers on a reused connection": (
        broken(Stage.HEADERS, Trouble.TIMEOUT, fresh=False, received=20),
        suspected(T, "read_timeout"),
    ),
    "reset after the headers": (broken(Stage.BODY, Trouble.RESET, code=200), suspected(I, "reset_in_body")),
    "reset after the headers, reused": (
        broken(Stage.BODY, Trouble.RESET, code=200, fresh=False, received=900),
        suspected(I, "reset_in_body"),
    ),
    "truncation": (broken(Stage.BODY, Trouble.CLOSED, code=200), suspected(I, "truncated")),
    "truncation of a 503": (broken(Stage.BODY, Trouble.CLOSED, code=503), Finding(I, "http_status_503")),
    "malformed HTTP, plain": (broken(Stage.HEADERS, Trouble.MALFORMED), Finding(O, "malformed_http")),
    "malformed HTTP, verified": (broken(Stage.HEADERS, Trouble.MALFORMED, verified=True), Finding(I, "malformed_http")),
    "huge headers, plain": (broken(Stage.HEADERS, Trouble.TOO_LARGE), Finding(O, "reply_too_large")),
    "huge headers, verified": (broken(Stage.HEADERS, Trouble.TOO_LARGE, verified=True), Finding(I, "reply_too_large")),
    "redirect loop": (broken(Stage.HEADERS, Trouble.REDIRECT_LOOP, code=302), Finding(O, "redirect_loop")),
}  # fmt: skip


@pytest.mark.parametrize(("observation", "finding"), TRANSPORT.values(), ids=TRANSPORT)
def test_the_transport_tells_where_neither_body_nor_status_do(observation: Observation, finding: Finding) -> None:
    assert classify(observation) == finding


@pytest.mark.parametrize(
    ("history", "finding"),
    [
        (History(passed=True), suspected(I, "redirect_loop")),
        (History(passed=True, redirected=True), Finding(O, "redirect_loop")),
        (History(redirected=True), Finding(O, "redirect_loop")),
    ],
)
def test_a_redirect_loop_is_suspected_if_it_never_redirected_before(history: History, finding: Finding) -> None:
    assert classify(broken(Stage.HEADERS, Trouble.REDIRECT_LOOP), history) == finding


# The vendor's own body

SPARKPOST = Vendor.parse(
    {
        "name": "sparkpost",
        "bodies": [
            {"when": {"code": "1502"}, "fault": "server_error", "reason": "vendor_resources_unavailable"},
            {"when": {"code": "2000"}, "fault": "other", "reason": "vendor_validation_error"},
        ],
    },
    base=GENERIC,
)
RESOURCES = b'{"errors": [{"message": "Server resources unavailable", "code": "1502"}]}'
VALIDATION = b'{"errors": [{"message": "required field is missing", "code": "2000"}]}'
INTERNAL = b'{"error": {"type": "internal_error", "message": "oops"}}'


def test_a_400_with_sparkposts_1502_is_the_servers() -> None:
    assert classify(reply(400, body=RESOURCES), vendor=SPARKPOST) == Finding(I, "vendor_resources_unavailable")


def test_a_400_with_another_code_stays_a_400() -> None:
    body = b'{"errors": [{"message": "invalid", "code": "1300"}]}'
    assert classify(reply(400, body=body), vendor=SPARKPOST) == Finding(O, "http_status_400")


@pytest.mark.parametrize("unmet", [None, "vendor", "json ok", "status"])
def test_a_200_with_an_internal_error_is_the_servers(unmet: str | None) -> None:
    assert classify(reply(200, unmet=unmet, body=INTERNAL)) == Finding(I, "vendor_internal_error")


@pytest.mark.parametrize("unmet", [None, "json results"])
def test_a_200_with_a_validation_error_is_other(unmet: str | None) -> None:
    seen = reply(200, unmet=unmet, body=VALIDATION)
    assert classify(seen, vendor=SPARKPOST) == Finding(O, "vendor_validation_error")


@pytest.mark.parametrize("unmet", [None, "vendor"])
def test_a_200_with_a_harmless_error_key_is_ok(unmet: str | None) -> None:
    assert classify(reply(200, unmet=unmet, body=b'{"errors": [], "error": null}')) == OK


@pytest.mark.parametrize(("code", "finding"), [(299, Finding(I, "vendor_internal_error")), (300, OK)])
def test_the_vendors_own_error_undoes_an_expected_success_alone(code: int, finding: Finding) -> None:
    assert classify(reply(code, unmet="vendor", body=INTERNAL)) == finding


def test_an_expected_503_stays_ok_although_its_body_holds_the_vendors_error() -> None:
    assert classify(reply(503, unmet="vendor", body=INTERNAL)) == OK


@pytest.mark.parametrize(("code", "reason"), [(299, "expectation_status"), (300, "http_status_300")])
def test_a_success_that_was_not_the_one_expected_is_our_own_assertion(code: int, reason: str) -> None:
    assert classify(reply(code)) == Finding(O, reason)


def test_a_body_that_confirms_a_5xx_leaves_the_reason_to_the_status() -> None:
    assert classify(reply(500, body=INTERNAL)) == Finding(I, "http_status_500")
    assert classify(reply(504, body=INTERNAL)) == Finding(T, "http_status_504")


def test_a_body_that_confirms_a_4xx_leaves_the_reason_to_the_status() -> None:
    assert classify(reply(422, body=VALIDATION), vendor=SPARKPOST) == Finding(O, "http_status_422")


def test_a_body_outranks_a_5xx_that_it_explains() -> None:
    assert classify(reply(500, body=VALIDATION), vendor=SPARKPOST) == Finding(O, "vendor_validation_error")


def test_a_body_needs_no_corroboration_where_the_status_would() -> None:
    assert classify(reply(408, sent_whole=True, body=INTERNAL)) == Finding(I, "vendor_internal_error")
