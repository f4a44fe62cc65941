"""The demo's vendor: a mail platform (HTTP API and SMTP) that fails on command, and the small API that commands it.

    GET  /            what it does now, what it can do
    POST /fail        mode=503, or mode=hang&channel=smtp; JSON as well: {"mode": "hang", "channel": "smtp"}
    POST /heal        all is well again

The commanding API listens on loopback alone, beside the platform and not through it, so that it answers when the platform
does not.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from prober.demo import http
from prober.demo.api import ACCOUNT, Api
from prober.demo.door import Door
from prober.demo.http import Misbehaviour, Request, Response
from prober.demo.modes import MEANINGS, Channel, Mode, UnknownModeError, choose
from prober.demo.smtp import Smtp

#: Told of each change: the modes by channel as they are now.
Told = Callable[[Mapping[Channel, Mode]], None]


class Vendor:
    """The platform. `key` is the customer's API key, which is the SMTP password too, as with SparkPost."""

    def __init__(self, key: str, told: Told = lambda _: None) -> None:
        self._api = Api(key)
        self._smtp = Smtp(key)
        self._told = told
        self.doors = {
            Channel.API: Door(lambda r, w: http.serve(self._api.answer, r, w)),
            Channel.SMTP: Door(self._smtp.serve),
        }
        self.control = Door(lambda r, w: http.serve(self._command, r, w))

    @property
    def account_url(self) -> str:
        return f"http://{self.doors[Channel.API].address}{ACCOUNT}"

    @property
    def modes(self) -> dict[Channel, Mode]:
        return {Channel.API: self._api.mode, Channel.SMTP: self._smtp.mode}

    async def open(self) -> None:
        for door in (*self.doors.values(), self.control):
            await door.open()

    async def close(self) -> None:
        for door in (*self.doors.values(), self.control):
            await door.close()

    async def set(self, modes: Mapping[Channel, Mode]) -> None:
        """From now on. Connections that hang already go on hanging: nobody was ever told about them."""
        before = self.modes
        self._api.mode = modes.get(Channel.API, self._api.mode)
        self._smtp.mode = modes.get(Channel.SMTP, self._smtp.mode)
        for channel, mode in self.modes.items():
            if mode is Mode.REFUSE:
                self.doors[channel].shut()
            else:
                await self.doors[channel].open()
        if self.modes != before:
            self._told(self.modes)

    async def heal(self) -> None:
        await self.set(dict.fromkeys(Channel, Mode.OK))

    async def _command(self, request: Request) -> Response | Misbehaviour:
        match request.method, urlsplit(request.path).path:
            case "GET", "/":
                pass
            case "POST", "/heal":
                await self.heal()
            case "POST", "/fail":
                try:
                    await self.set(choose(*_wanted(request)))
                except UnknownModeError as error:
                    return Response.of(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            case _:
                return Response.of(HTTPStatus.NOT_FOUND, {"error": "there are GET /, POST /fail and POST /heal"})
        return Response.of(HTTPStatus.OK, self._state())

    def _state(self) -> dict[str, object]:
        return {
            "now": {channel.value: mode.value for channel, mode in self.modes.items()},
            "seen": {
                "requests": self._api.requests,
                "connections": self._smtp.connections,
                "messages": self._smtp.messages,
            },
            "modes": {mode.value: meaning.text for mode, meaning in MEANINGS.items()},
        }


def _wanted(request: Request) -> tuple[str, str]:
    """The mode and channel ("": every one that knows the mode) that a request names, in its body or its query.

    Raises UnknownModeError.
    """
    text = request.body.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            given = json.loads(text)
        except ValueError as error:
            raise UnknownModeError(f"this is no JSON: {error}") from error
    else:
        pairs = parse_qs(urlsplit(request.path).query) | parse_qs(text)
        given = {name: values[-1] for name, values in pairs.items()}
    return str(given.get("mode", "")), str(given.get("channel", ""))
