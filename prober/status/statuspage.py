"""The picture in the shapes of the Statuspage API v2, so that what reads any Statuspage page reads ours."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from prober.status.ids import short
from prober.status.incidents import PublicIncident
from prober.status.picture import Line, Picture, PublicService
from prober.status.planned import Planned
from prober.status.states import COMPONENT, WORDS, State, worst
from prober.web.pages import instant

#: Incidents and maintenances in a list, as Statuspage gives them.
MOST = 50
_NOT_MEASURED = "Not measured at the moment: neither known to work nor to fail"


#: The documents under /api/v2/, without .json.
DOCUMENTS = frozenset(
    {
        "summary",
        "status",
        "components",
        "incidents",
        "incidents/unresolved",
        "scheduled-maintenances",
        "scheduled-maintenances/upcoming",
        "scheduled-maintenances/active",
    }
)


def document(picture: Picture, name: str) -> dict[str, Any]:
    """One of DOCUMENTS."""
    windows = list(picture.planned)
    parts: dict[str, Any] = {"page": page(picture)}
    match name:
        case "summary":
            upcoming = [w for w in windows if w.end > picture.now]
            parts["components"] = components(picture)
            parts["incidents"] = _incidents(picture, picture.open)
            parts["scheduled_maintenances"] = _maintenances(picture, upcoming)
            parts["status"] = status(picture)
        case "status":
            parts["status"] = status(picture)
        case "components":
            parts["components"] = components(picture)
        case "incidents":
            parts["incidents"] = _incidents(picture, picture.incidents[:MOST])
        case "incidents/unresolved":
            parts["incidents"] = _incidents(picture, picture.open)
        case "scheduled-maintenances":
            parts["scheduled_maintenances"] = _maintenances(picture, windows)
        case "scheduled-maintenances/upcoming":
            parts["scheduled_maintenances"] = _maintenances(picture, [w for w in windows if w.start > picture.now])
        case _:
            parts["scheduled_maintenances"] = _maintenances(picture, [w for w in windows if w.on(picture.now)])
    return parts


def stamp(second: float) -> str:
    """RFC 3339 with milliseconds, as Statuspage writes it: there are clients that read nothing else."""
    return dt.datetime.fromtimestamp(int(second), dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def page(picture: Picture) -> dict[str, Any]:
    """The `page` of every document (Statuspage v2); `updated_at` changes once a minute."""
    return {
        "id": page_id(picture),
        "name": picture.title,
        "url": picture.url or "/",
        "time_zone": "Etc/UTC",
        "updated_at": _minute(picture),
    }


def page_id(picture: Picture) -> str:
    """The page's id: the same as long as its address is, or without one as long as its services are."""
    return short("page", picture.url or "/".join(service.name for service in picture.services))


def status(picture: Picture) -> dict[str, str]:
    """The page's indicator: major when one of several services is unavailable, critical when all are."""
    states = [service.whole.standing.state for service in picture.services]
    state = worst(states)
    if picture.impaired and state in (State.OPERATIONAL, State.UNMEASURED):
        return {"indicator": "none", "description": "Measuring is impaired"}
    match state:
        case State.UNAVAILABLE if all(each is state for each in states):
            return {"indicator": "critical", "description": "Major Service Outage"}
        case State.UNAVAILABLE | State.PARTIAL:
            return {"indicator": "major", "description": "Partial System Outage"}
        case State.DEGRADED:
            return {"indicator": "minor", "description": "Degraded Performance"}
        case State.MAINTENANCE:
            return {"indicator": "none", "description": "Service Under Maintenance"}
        case State.UNMEASURED:
            return {"indicator": "none", "description": "Not measured at the moment"}
    return {"indicator": "none", "description": "All Systems Operational"}


def components(picture: Picture) -> list[dict[str, Any]]:
    """Each service as a group, its channels as the group's components."""
    found: list[dict[str, Any]] = []
    for service in picture.services:
        whole = _component(picture, service, service.whole, len(found) + 1)
        children = [_component(picture, service, line, place) for place, line in enumerate(service.channels, 1)]
        found += [whole | {"group": True, "components": [child["id"] for child in children]}]
        found += [child | {"group_id": whole["id"]} for child in children]
    return found


def component_id(service: str, channel: str) -> str:
    """A channel's id, the same for good; of the service itself with "" as `channel`."""
    return short("component", f"{service}/{channel}")


def _component(picture: Picture, service: PublicService, line: Line, place: int) -> dict[str, Any]:
    standing = line.standing
    first = next((day.start for day in line.days if day.measured), int(picture.now) // 60 * 60)
    words = _NOT_MEASURED if standing.state is State.UNMEASURED else None
    return {
        "id": component_id(service.name, line.channel),
        "name": line.title,
        "status": COMPONENT[standing.state],
        "created_at": stamp(first),
        "updated_at": stamp(standing.since) if standing.since else _minute(picture),
        "position": place,
        "description": words if not standing.why else f"{WORDS[standing.state]}: {standing.why}",
        "showcase": True,
        "start_date": stamp(first)[:10],
        "group_id": None,
        "page_id": page_id(picture),
        "group": False,
        "only_show_if_degraded": False,
    }


def incident_id(incident: PublicIncident) -> str:
    """An incident's id, the same for good; its name is not told."""
    return short("incident", incident.id)


def _incidents(picture: Picture, incidents: Iterable[PublicIncident]) -> list[dict[str, Any]]:
    shown = components(picture)  # once: pages of many services have as many of them as incidents
    return [_incident(picture, incident, shown) for incident in incidents]


def _incident(picture: Picture, incident: PublicIncident, shown: list[dict[str, Any]]) -> dict[str, Any]:
    own, touched = incident_id(incident), _touched(incident)
    mine = [c for c in shown if c["id"] in touched]
    affected = [
        {"code": c["id"], "name": c["name"], "old_status": c["status"], "new_status": c["status"]} for c in mine
    ]
    updates = [
        _update(own, number, update.status, update.text, update.at, affected)
        for number, update in enumerate(incident.updates)
    ]
    return {
        "id": own,
        "name": incident.name,
        "status": incident.status,
        "created_at": stamp(incident.opened),
        "updated_at": stamp(incident.changed),
        "monitoring_at": stamp(incident.monitoring) if incident.monitoring else None,
        "resolved_at": stamp(incident.resolved) if incident.resolved else None,
        "impact": incident.impact,
        "shortlink": f"{picture.url}/history/{own}",
        "started_at": stamp(incident.began),
        "page_id": page_id(picture),
        "incident_updates": list(reversed(updates)),
        "components": mine,
    }


def _touched(incident: PublicIncident) -> set[str]:
    return {component_id(incident.service, channel) for channel in ("", *incident.channels)}


def _update(
    incident: str, number: int, said: str, text: str, at: int, affected: list[dict[str, str]] | None
) -> dict[str, Any]:
    when = stamp(at)
    return {
        "id": short("update", f"{incident}/{number}"),
        "status": said,
        "body": text,
        "incident_id": incident,
        "created_at": when,
        "updated_at": when,
        "display_at": when,
        "affected_components": affected,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _maintenances(picture: Picture, windows: Iterable[Planned]) -> list[dict[str, Any]]:
    shown = components(picture)
    return [_maintenance(picture, window, shown) for window in list(windows)[:MOST]]


def _maintenance(picture: Picture, window: Planned, shown: list[dict[str, Any]]) -> dict[str, Any]:
    own = short("maintenance", window.key)
    now = picture.now
    said = "in_progress" if window.on(now) else "scheduled" if window.start > now else "completed"
    turned = {"scheduled": 0, "in_progress": window.start, "completed": window.end}[said]
    at = turned or min(window.start, int(now) // 60 * 60)
    touched = {component_id(name, "") for name in window.services}
    text = f"{window.title}: {instant(window.start)} to {instant(window.end)}"
    return {
        "id": own,
        "name": window.title,
        "status": said,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "monitoring_at": None,
        "resolved_at": stamp(window.end) if said == "completed" else None,
        "impact": "maintenance",
        "shortlink": f"{picture.url}/",
        "started_at": stamp(window.start),
        "page_id": page_id(picture),
        "incident_updates": [_update(own, 0, said, text, at, None)],
        "components": [c for c in shown if c["id"] in touched],
        "scheduled_for": stamp(window.start),
        "scheduled_until": stamp(window.end),
    }


def _minute(picture: Picture) -> str:
    """As of when it is, by the minute, so that what has not changed is the same document for a while."""
    return stamp(int(picture.now) // 60 * 60)
