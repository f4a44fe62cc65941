"""Zendesk, Jira and Jira Service Management as their documentation has them, as far as a ticket goes."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fake_api import Fake, Reply
from http_desk import Request

NOT_FOUND: Reply = ("404 Not Found", {"error": "RecordNotFound", "description": "Not found"})


@dataclass
class FakeZendesk(Fake):
    """Ticketing API: Tickets, Requests, Ticket Comments; Idempotency-Key on creation of a ticket."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    idempotent: dict[str, Reply] = field(default_factory=dict)
    forgets: bool = False  # the search shows nothing: it lags
    remembers: bool = False  # Idempotency-Key, which Zendesk keeps for two hours

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        kind = "ticket" if path.startswith("/api/v2/tickets") else "request"
        rest = path.removeprefix(f"/api/v2/{kind}s").removesuffix(".json")
        number, _, below = rest.removeprefix("/").partition("/")
        if not number:
            return self._create(request, kind) if request.method == "POST" else self._list(kind, query)
        ticket = next((t for t in self.tickets if str(t["id"]) == number), None)
        if ticket is None:
            return NOT_FOUND
        if below == "comments":
            return "200 OK", {"comments": self.comments[ticket["id"]][::-1], "count": len(self.comments[ticket["id"]])}
        change = json.loads(request.body)[kind]
        self.comments[ticket["id"]].append({"id": 1, "type": "Comment", **change.pop("comment")})
        ticket.update(change)
        return "200 OK", {kind: ticket}

    def _create(self, request: Request, kind: str) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if self.remembers and key in self.idempotent:
            return self.idempotent[key]
        ticket = json.loads(request.body)[kind]
        comment = ticket.pop("comment")
        ticket |= {"id": 35436 + len(self.tickets), "status": "new", "description": comment["body"]}
        self.tickets.append(ticket)
        self.comments[ticket["id"]] = [comment]
        self.idempotent[key] = ("201 Created", {kind: ticket})
        return self.idempotent[key]

    def _list(self, kind: str, query: dict[str, str]) -> Reply:
        found = [t for t in self.tickets if kind == "request" or t.get("external_id") == query["external_id"]]
        found = [] if self.forgets else found
        return "200 OK", {f"{kind}s": found[::-1], "count": len(found), "next_page": None, "previous_page": None}


@dataclass
class FakeJira(Fake):
    """Platform REST API v2 (issue, search, comment), Cloud's search or Server's."""

    issues: list[dict[str, Any]] = field(default_factory=list)
    search: str = "search/jql"
    forgets: bool = False
    priorities_are_free: bool = True  # who may not set a priority gets a 400

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        below = path.removeprefix("/rest/api/2/")
        if below == self.search:
            found = [i for i in self.issues if any(f'"{label}"' in query["jql"] for label in i["fields"]["labels"])]
            return "200 OK", {"issues": [] if self.forgets else found, "isLast": True}
        if below == "issue":
            issue = {"id": "10000", "key": f"VEN-{len(self.issues) + 24}", "comments": [], **json.loads(request.body)}
            self.issues.append(issue)
            return "201 Created", {"id": issue["id"], "key": issue["key"], "self": f"http://x/{issue['key']}"}
        _, _, rest = below.partition("issue/")
        key, _, what = rest.partition("/")
        issue = next((i for i in self.issues if i["key"] == unquote(key)), {})
        if not issue:
            return "404 Not Found", {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
        return self._issue(request, issue, what)

    def _issue(self, request: Request, issue: dict[str, Any], what: str) -> Reply:
        if what == "comment" and request.method == "GET":
            return "200 OK", {"comments": issue["comments"][::-1], "total": len(issue["comments"]), "startAt": 0}
        if what == "comment":
            comment = {"id": "1", **json.loads(request.body)}
            issue["comments"].append(comment)
            return "201 Created", comment
        if not self.priorities_are_free:
            return "400 Bad Request", {"errorMessages": [], "errors": {"priority": "cannot be set"}}
        issue["fields"] |= json.loads(request.body)["fields"]
        return "204 No Content", None


@dataclass
class FakeServiceDesk(Fake):
    """Jira Service Management REST API: Request, with comments in pages."""

    made: list[dict[str, Any]] = field(default_factory=list)
    page: int = 100  # comments a page
    forgets: bool = False

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        key, _, what = path.removeprefix("/rest/servicedeskapi/request").removeprefix("/").partition("/")
        if not key and request.method == "POST":
            return self._create(request)
        if not key:
            found = [] if self.forgets else [r for r in self.made if r["serviceDeskId"] == query["serviceDeskId"]][::-1]
            return "200 OK", {"size": len(found), "start": 0, "limit": 100, "isLastPage": True, "values": found}
        made = next((r for r in self.made if r["issueKey"] == key), None)
        if made is None:
            return "404 Not Found", {"errorMessage": "The request does not exist."}
        assert what == "comment"
        if request.method == "POST":
            made["comments"].append(json.loads(request.body))
            return "201 Created", {"id": "1000", **made["comments"][-1]}
        start = int(query["start"])
        shown = made["comments"][start : start + self.page]
        last = start + self.page >= len(made["comments"])
        return "200 OK", {"size": len(shown), "start": start, "isLastPage": last, "values": shown}

    def _create(self, request: Request) -> Reply:
        asked = json.loads(request.body)
        fields = [{"fieldId": name, "label": name, "value": v} for name, v in asked["requestFieldValues"].items()]
        self.made.append(
            {"issueKey": f"HELP-{len(self.made) + 1}", **asked, "requestFieldValues": fields, "comments": []}
        )
        return "201 Created", {k: v for k, v in self.made[-1].items() if k != "comments"}
