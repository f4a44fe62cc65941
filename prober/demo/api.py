"""The HTTP API of the demo's mail platform: one account, asked as SparkPost's is, with SparkPost's error bodies."""

import asyncio
from http import HTTPStatus

from prober.demo.http import Misbehaviour, Request, Response
from prober.demo.modes import SLOWNESS, Mode

ACCOUNT = "/api/v1/account"


class Api:
    """Answers GET /api/v1/account to whoever has the key, in the present mode."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.mode = Mode.OK
        self.requests = 0

    async def answer(self, request: Request) -> Response | Misbehaviour:
        self.requests += 1
        match self.mode:
            case Mode.HANG:
                return Misbehaviour.SILENCE
            case Mode.RESET:
                return Misbehaviour.RESET
            case Mode.ERROR:
                return _error(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable", "The service is not available.")
            case Mode.OVERLOADED:
                return _error(HTTPStatus.BAD_REQUEST, "resources unavailable", "Server resources unavailable", "1502")
            case Mode.UNAUTHORIZED:
                return _error(HTTPStatus.UNAUTHORIZED, "Unauthorized.")
            case Mode.THROTTLED:
                return _error(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", retry_after="5")
            case Mode.SLOW:
                await asyncio.sleep(SLOWNESS)
        return self._account(request)

    def _account(self, request: Request) -> Response:
        if request.headers.get("authorization") != self._key:
            return _error(HTTPStatus.UNAUTHORIZED, "Unauthorized.")
        if request.path.partition("?")[0] != ACCOUNT:
            return _error(HTTPStatus.NOT_FOUND, "resource not found", "Resource could not be found", "1600")
        if request.method != "GET":
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed")
        return Response.of(
            HTTPStatus.OK,
            {"results": {"company_name": "Example GmbH", "status": "active", "service_level": "enterprise"}},
        )


def _error(status: HTTPStatus, message: str, description: str = "", code: str = "", retry_after: str = "") -> Response:
    """SparkPost's form: {"errors": [{"message", "description", "code"}]}, the last two where there are any."""
    error = {"message": message, "description": description, "code": code}
    body = {"errors": [{name: text for name, text in error.items() if text}]}
    return Response.of(status, body, **({"Retry_After": retry_after} if retry_after else {}))
