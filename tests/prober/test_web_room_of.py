"""/incidents/of/SERVICE, where dashboards and alerts link to."""

from urllib.parse import urljoin

import pytest
from asking import Desk


def led_to(desk: Desk, service: str) -> str:
    answer = desk.ask(f"/incidents/of/{service}")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store", "another incident may be open tomorrow"
    return urljoin(f"https://status.example.com/prober/incidents/of/{service}", answer.headers["location"])


def test_it_leads_to_the_room_of_the_open_incident_of_that_service() -> None:
    desk = Desk()
    desk.view.opened(
        {"open": [{"id": "other-1", "service": "other"}, {"id": "bird-20261122T101500Z", "service": "bird"}]}
    )
    assert led_to(desk, "bird") == "https://status.example.com/prober/incidents/bird-20261122T101500Z"
    assert led_to(desk, "other") == "https://status.example.com/prober/incidents/other-1"


@pytest.mark.parametrize("service", ["bird", "unknown", "%0d%0aSet-Cookie:x=1"])
def test_without_one_it_leads_to_the_list_whatever_was_asked(service: str) -> None:
    assert led_to(Desk(), service) == "https://status.example.com/prober/incidents"


@pytest.mark.parametrize("path", ["%2F%2Fevil.example", "..%2f..", ""])
def test_what_can_be_no_service_is_not_found(path: str) -> None:
    assert Desk().ask(f"/incidents/of/{path}").status_code == 404
