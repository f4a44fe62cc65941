"""A status page elsewhere, as Atlassian's API has it: incidents that are opened and added to, components that are set.

It keeps what it was told, and refuses what the published schema does not know. How it fails is tried in
tests/prober/test_deliver_statuspage.py.
"""

import asyncio
import json
from typing import Any

from tests.e2e.outside import Loop

PAGE, KEY = "page0e2e", "a-key-of-the-status-page"
_KNOWN = {
    "name",
    "status",
    "impact_override",
    "metadata",
    "deliver_notifications",
    "body",
    "components",
    "component_ids",
}


class OtherPage:
    """`incidents` as they were opened, each with its `updates`; `components` by id."""

    def __init__(self, loop: Loop) -> None:
        self.incidents: list[dict[str, Any]] = []
        self.components = {"whole": "operational", "api": "operational"}
        self.refused: list[str] = []

        async def open_() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            loop.servers.append(server)
            self.port = server.sockets[0].getsockname()[1]

        loop.do(open_())

    @property
    def receiver(self) -> dict[str, Any]:
        """The receiver's configuration."""
        url = f"http://127.0.0.1:{self.port}"
        return {
            "statuspage": {"page": PAGE, "component": "whole", "channels": {"api": "api"}, "api_key": KEY, "url": url}
        }

    def said(self) -> list[str]:
        """The states that were told of all incidents, in their order."""
        return [update["status"] for incident in list(self.incidents) for update in incident["updates"]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:  # its client may keep the connection
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = lines[0].split()
                if headers.get("authorization") == f"OAuth {KEY}":
                    status, value = self._handle(method, path.partition("?")[0], json.loads(body or b"{}"))
                else:
                    status, value = "401 Unauthorized", {"error": "no key"}
                if status[0] != "2":
                    self.refused.append(f"{method} {path}: {status} {value}")
                told = json.dumps(value).encode()
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n\r\n"
                writer.write(head.encode() + told)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _handle(self, method: str, path: str, body: dict[str, Any]) -> tuple[str, Any]:
        base = f"/v1/pages/{PAGE}/incidents"
        if path == base and method == "GET":
            return "200 OK", self.incidents[::-1]
        given = body.get("incident", {})
        if set(given) - _KNOWN or set(given.get("components", {})) - set(self.components):
            return "422 Unprocessable Entity", {"error": f"unknown: {given}"}
        if path == base and method == "POST":
            incident: dict[str, Any] = {"id": f"i{len(self.incidents)}", "created_at": str(len(self.incidents))}
            self.incidents.append(incident | {"updates": []})
        elif method != "PATCH" or path.removeprefix(f"{base}/") not in [each["id"] for each in self.incidents]:
            return "404 Not Found", {"error": "no such thing"}
        number = len(self.incidents) - 1 if method == "POST" else int(path.rpartition("/")[2][1:])
        incident = self.incidents[number]
        self.components |= given.get("components", {})
        incident |= given
        incident["updates"].append({"status": given.get("status"), "body": given.get("body")})
        return "201 Created" if method == "POST" else "200 OK", incident
