"""What people see of an outage of the real program: every page and feed, the live events, and a status page elsewhere."""

import json
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.e2e.outside import Api, Script, outside, until
from tests.e2e.program import Program, configuration, service
from tests.e2e.statuspage import OtherPage

pytestmark = pytest.mark.e2e

TOKEN = "a-token-for-what-is-entered"
ATOM = "{http://www.w3.org/2005/Atom}"


class Listener:
    """Listens to /live from its making on; `verdicts` are those of the service's seconds, as they were told."""

    def __init__(self, address: str) -> None:
        self.verdicts: list[str] = []
        self._address = address
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            with httpx.stream("GET", f"http://{self._address}/live", trust_env=False, timeout=60) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self._take(json.loads(line.removeprefix("data: ")))
        except httpx.HTTPError:
            return  # the program has ended

    def _take(self, event: dict[str, Any]) -> None:
        for series in event.get("series", ()):
            if series["channel"] is None:
                self.verdicts += [cell[2] for cell in series["cells"]]

    def end(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive(), "the stream ends with the program"


class Sight:
    """What the program shows now."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def text(self, path: str) -> str:
        answer = httpx.get(
            f"http://{self._program.address}{path}", headers={"Accept": "text/html"}, trust_env=False, timeout=30
        )
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.text

    def document(self, name: str) -> Any:
        return json.loads(self.text(f"/api/v2/{name}.json"))

    def progress(self) -> list[str]:
        """The states of the public incidents that are not resolved."""
        return [incident["status"] for incident in self.document("incidents/unresolved")["incidents"]]

    def states(self) -> dict[str, str]:
        return {each["name"]: each["status"] for each in self.document("summary")["components"]}

    def titles(self) -> list[str]:
        entries = ET.fromstring(self.text("/feed.atom")).findall(f"{ATOM}entry")  # noqa: S314 - ours
        return [entry.findtext(f"{ATOM}title") or "" for entry in entries]


@pytest.mark.timeout(240)
def test_an_outage_is_seen_on_every_page_and_feed_and_told_to_another_status_page(tmp_path: Path) -> None:
    script = Script()
    with outside() as (loop, desk):
        api, fine, other = Api(loop, script=script), Api(loop), OtherPage(loop)
        channels = {"api": [{"name": "account", "url": api.url}]}
        bird = service(desk, "bird", channels, title="Bird Email", status_pages=[other.receiver])
        with Program(tmp_path, configuration(desk, {"bird": bird}, [fine], web={"token": TOKEN})) as program:
            program.start()
            sight, listener = Sight(program), Listener(program.address)
            until(lambda: "available" in listener.verdicts, "the live events tell seconds")
            assert "Bird Email: operational" in sight.text("/")
            assert sight.titles() == []
            script.always = "503"
            desk.wait_for("hotline")
            until(lambda: sight.progress() == ["investigating"], "the incident is public")
            incident = program.incident()
            during(sight, incident)
            until(lambda: other.said() == ["investigating"], "the other page has the incident")
            assert other.components == {"whole": "major_outage", "api": "major_outage"}
            script.always = "ok"
            until(lambda: sight.progress() == ["monitoring"], "it is told to have recovered")
            enter(program, incident["id"], "publish", text="The vendor has mended it.")
            enter(program, incident["id"], "resolve", text="agreed with Jo, who is not to be named in public")
            until(lambda: sight.progress() == [], "it is told to be resolved")
            until(lambda: "resolved" in other.said(), "the other page has it resolved")
            after(sight, incident)
            assert other.components == {"whole": "operational", "api": "operational"}
            assert other.refused == []
            [there] = other.incidents
            assert there["name"] == "Bird Email is unavailable"
            assert other.said()[:2] == ["investigating", "monitoring"]
            assert other.said()[-1] == "resolved"
            assert "The vendor has mended it." in [update["body"] for update in there["updates"]]
            told = json.dumps(there["updates"]) + sight.text("/") + sight.text("/history") + sight.text("/feed.atom")
            assert "Jo" not in told, "what is entered for the record is not public"
            program.stop()
            listener.end()
            assert {"available", "unavailable"} <= set(listener.verdicts)
        assert "Traceback" not in program.whole_log()


def during(sight: Sight, incident: dict[str, Any]) -> None:
    """What stands where while nothing works."""
    until(lambda: sight.states()["API"] == "major_outage", "the component is down")
    assert sight.document("status")["status"]["indicator"] == "critical"
    status = sight.text("/")
    assert "Current incidents" in status
    assert "Bird Email is unavailable" in status
    assert "Unavailable since 20" in status, "the state says since when"
    assert "Bird Email is unavailable" in sight.text("/history")
    assert any("Bird Email is unavailable" in title for title in sight.titles())
    live = sight.text("/live")
    assert f'href="/incidents/{incident["id"]}"' in live
    assert "http_status_503" in live
    room = sight.text(f"/incidents/{incident['id']}")
    for words in ("The fault is", "http_status_503", "Call the hotline", "accepted", "HTTP/1.1 503", "Episodes"):
        assert words in room, words
    episodes = room.partition('id="episodes"')[2].partition("</section>")[0]
    assert '<th scope="row" data-of="Episode">1</th><td data-of="Onset">20' in episodes, (
        f"the onset stands in the table: {episodes}"
    )
    assert incident["id"] in sight.text("/incidents")


def after(sight: Sight, incident: dict[str, Any]) -> None:
    """What stands there once it is over."""
    until(lambda: set(sight.states().values()) == {"operational"}, "the components are well")
    [past] = sight.document("incidents")["incidents"]
    assert (past["status"], past["impact"]) == ("resolved", "critical")
    updates = [update["status"] for update in past["incident_updates"]]
    assert (updates[0], updates[-1]) == ("resolved", "investigating"), "the newest first"
    status = sight.text("/")
    assert "Current incidents" not in status
    assert "The incident is resolved." in status
    assert "Bird Email was unavailable" in status, "it is over"
    assert "The incident is resolved." in sight.text("/feed.atom")
    assert "Closed" in sight.text(f"/incidents/{incident['id']}")


def enter(program: Program, incident: str, step: str, text: str) -> None:
    answer = httpx.post(
        f"http://{program.address}/api/incidents/{incident}/{step}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        json={"by": "Ada", "text": text},
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
