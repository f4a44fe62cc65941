"""Twilio's REST API (2010-04-01) as far as calls go: created, fetched, listed; the test says what becomes of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from fake_api import Fake, Reply
from http_desk import Request

ACCOUNT = "AC" + "0" * 32


@dataclass
class FakeTwilio(Fake):
    """`now` is UTC seconds; `calls` are in the order in which they were made."""

    now: float = 1_795_341_600.0
    calls: list[dict[str, Any]] = field(default_factory=list)

    def call(self, to: str, *, sender: str = "+15550100", parent: str = "", status: str = "queued") -> dict[str, Any]:
        """A call that exists, whoever made it."""
        created = format_datetime(datetime.fromtimestamp(self.now, UTC))
        sid = f"CA{len(self.calls):032}"
        call = {"sid": sid, "to": to, "from": sender, "status": status, "date_created": created, "answered_by": None}
        self.calls.append({**call, "duration": None, "parent_call_sid": parent or None})
        return self.calls[-1]

    def ends(self, status: str, duration: int = 0, answered_by: str | None = None, place: int = -1) -> None:
        """The newest call, or the one at `place`, has come to that."""
        self.calls[place] |= {"status": status, "duration": str(duration), "answered_by": answered_by}

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        below = path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT}/Calls").removesuffix(".json").removeprefix("/")
        if request.method == "POST":
            form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
            return "201 Created", self.call(form["To"], sender=form["From"])
        if below:
            found = [call for call in self.calls if call["sid"] == below]
            return ("200 OK", found[0]) if found else ("404 Not Found", {"code": 20404, "status": 404})
        names = {"To": "to", "From": "from", "ParentCallSid": "parent_call_sid"}
        wanted = {names[name]: value for name, value in query.items() if name in names}
        found = [c for c in reversed(self.calls) if all(c[name] == value for name, value in wanted.items())]
        return "200 OK", {"calls": found, "page": 0, "page_size": 50}
