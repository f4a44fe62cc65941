"""The Statuspage v2 API through a published client that can ask for every endpoint, `statuspage.io` 3.2.10 of npm.

By a mistake of its own this version asks for upcoming maintenances where all, or the active ones, are wanted; so six of the
eight documents are read by it. The other two differ from these in what they list alone.

It needs node and the client, which no dependency of ours brings; `.ci/run` installs both:

    npm install --prefix build/statuspage-client statuspage.io@3.2.10

Without them this is skipped, and the answers are held to the published schema alone (tests/prober/test_web_feeds.py). Of
Python's clients, aRez reads the summary alone, Pyrez and early hikari are bound to one vendor's page, and those called
statuspageio (vukomir-, xandr-, transity-) speak the API by which pages are managed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.house import House

CLIENT = Path(__file__).parents[2] / "build/statuspage-client/node_modules/statuspage.io"
pytestmark = pytest.mark.skipif(
    os.environ.get("PROBER_PEERS") != "required" and (shutil.which("node") is None or not CLIENT.is_dir()),
    reason="node or the client is not there; see this file's head",
)

#: Asks everything that the client can ask; what it gave goes to stdout by the client's own names.
ASK = """
const { Statuspage } = require(process.argv[1]);
const client = new Statuspage("page");
client.setApiUrl(process.argv[2]);
const { api } = client;
Promise.all([
  api.getSummary(), api.getStatus(), api.getComponents(), api.incidents.getAll(), api.incidents.getUnresolved(),
  api.scheduledMaintenances.getAll(), api.scheduledMaintenances.getUpcoming(), api.scheduledMaintenances.getActive(),
]).then((all) => process.stdout.write(JSON.stringify(all)));
"""
INCIDENT = {"created_at", "id", "impact", "incident_updates", "monitoring_at", "name", "page_id", "resolved_at",
            "shortlink", "status", "updated_at"}  # fmt: skip
UPDATE = {"body", "created_at", "display_at", "id", "incident_id", "status", "updated_at"}
COMPONENT = {"created_at", "description", "group", "group_id", "id", "name", "only_show_if_degraded", "page_id",
             "position", "showcase", "start_date", "status", "updated_at"}  # fmt: skip


def test_a_published_client_reads_all_that_it_asks_for(house: House) -> None:
    done = subprocess.run(["node", "-e", ASK, str(CLIENT), house.url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    summary, status, components, incidents, unresolved, everything, upcoming, active = json.loads(done.stdout)
    for answer in (summary, status, components, incidents, unresolved, everything, upcoming, active):
        assert set(answer["page"]) >= {"id", "name", "time_zone", "updated_at", "url"}
    assert status["status"] == summary["status"] == {"indicator": "major", "description": "Partial System Outage"}
    assert "Bird Email" in [each["name"] for each in components["components"]]
    for component in [*components["components"], *summary["components"]]:
        assert set(component) >= COMPONENT
    assert [each["name"] for each in unresolved["incidents"]] == [each["name"] for each in summary["incidents"]]
    assert {each["status"] for each in unresolved["incidents"]} == {"investigating", "monitoring"}
    assert "resolved" in {each["status"] for each in incidents["incidents"]}
    for incident in [*incidents["incidents"], *unresolved["incidents"]]:
        of_an_incident(incident)
    for answer in (everything, upcoming, active):  # one and the same document, see above
        [window] = answer["scheduled_maintenances"]
        of_an_incident(window)
        assert (window["name"], window["status"]) == ("Moving house", "scheduled")
        assert window["scheduled_for"] < window["scheduled_until"]


def of_an_incident(incident: dict[str, Any]) -> None:
    assert set(incident) >= INCIDENT
    assert incident["incident_updates"]
    for update in incident["incident_updates"]:
        assert set(update) >= UPDATE
        assert update["incident_id"] == incident["id"]
