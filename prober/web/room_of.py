"""`/incidents/of/SERVICE`: leads to the room of the service's open incident, or to the list of incidents when none is open.

Dashboards and alerts link here: an incident's name is no label of a metric, so that no series is made by an incident.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prober.web.view import View


class RoomOf:
    """The route's handler. It leads to places beside it, so that it works under a reverse proxy's prefix too."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def get(self, request: Request) -> Response:
        service = request.path_params["service"]
        found = next((incident.id for incident in self._view.incidents if incident.service == service), None)
        there = "../../incidents" if found is None else f"../{quote(found, safe='')}"
        return RedirectResponse(there, 303, {"Cache-Control": "no-store"})
