"""Acts as the rules would make them, for tests of deliveries."""

from collections.abc import Mapping
from typing import Any

from rules.acts import Act, ActKind

INCIDENT = "bird-20261122T095900Z"
CREATED = 1795341600  # 2026-11-22 10:00:00 UTC

FACTS: dict[str, Any] = {
    "service": "bird",
    "title": "Bird Email",
    "severity": "critical",
    "severity_title": "Critical Issue",
    "article": "Problème Critique, (i)",
    "condition": "unavailable",
    "scope": "",
    "onset": 1795341540,
    "raised": 1795341600,
    "measured": 60,
    "bad": 59,
    "reasons": {"http_status_500": 9, "http_status_503": 50},
    "customer": {
        "company": "Example GmbH",
        "contact": {"name": "Operations", "phone": "+49 30 1234567", "email": "oncall@example.com"},
    },
    "location": "fra1",
    "terms": {"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"},
    "endpoints": [{"channel": "api", "name": "account", "what": "GET https://api.vendor.example/v1/account"}],
    "samples": [
        {
            "at": 1795341541.02,
            "channel": "api",
            "endpoint": "account",
            "fault": "server_error",
            "reason": "http_status_503",
            "means": "The reply's status was 503 (Service Unavailable)",
            "request": "GET /v1/account HTTP/1.1\r\nHost: api.vendor.example\r\nAuthorization: ****\r\n",
            "response": "HTTP/1.1 503 Service Unavailable\r\n\r\nsorry",
            "peer": "192.0.2.7:443",
            "stage": "body",
            "seconds": 0.0125,
            "phases": {"connect": 0.0012, "processing": 0.008},
        }
    ],
    "controls": {"configured": ["dns", "reference"], "ok": True},
    "rule": {"for": 60, "share": 0.9, "at_least": 3, "every": 1, "version": "7"},
}


def act(
    kind: ActKind = ActKind.TICKET,
    *receivers: str,
    step: str = "open",
    episode: int = 1,
    incident: str = INCIDENT,
    after: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Act:
    """An act of the incident; its receiver is "r1" unless named."""
    return Act(incident, episode, kind, step, receivers or ("r1",), CREATED, after, FACTS if facts is None else facts)
