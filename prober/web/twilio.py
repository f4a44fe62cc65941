"""Keys that were pressed in a telephone call, as Twilio posts them: they acknowledge, and join to the hotline.

Who asks must be Twilio: each request carries a signature made with the account's token (X-Twilio-Signature). What an
answer is, is TwiML.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prober import logs
from prober.deliver.names import all_receivers
from prober.deliver.twilio import CALLBACK, voice_of
from prober.deliver.twiml import genuine
from prober.link import Message
from prober.receivers import TwilioReceiver
from prober.web.view import View

log = logs.get("web")

_LONGEST = 16_384  # bytes of a request; Twilio's have about one thousand


class Keys:
    """What `CALLBACK` answers. `send` puts messages on the link."""

    path = CALLBACK

    def __init__(self, view: View, send: Callable[[Message], None]) -> None:
        self._view = view
        self._send = send

    async def post(self, request: Request) -> Response:
        name, incident = request.query_params.get("receiver", ""), request.query_params.get("incident", "")
        receiver = self._receiver(name)
        body = await _body(request)
        if receiver is None or receiver.callback is None or receiver.auth_token is None or body is None:
            return PlainTextResponse("Not found.\n", 404)
        parameters = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        url = f"{receiver.callback.rstrip('/')}{CALLBACK}?{request.url.query}"
        given = request.headers.get("x-twilio-signature", "")
        if not genuine(given, receiver.auth_token.get_secret_value(), url, parameters):
            log.warning("a request that says it is Twilio's is not signed by it", extra=logs.fields(receiver=name))
            return PlainTextResponse("Forbidden.\n", 403)
        twiml, acknowledged = voice_of(receiver).pressed(dict(parameters).get("Digits", ""))
        if acknowledged:
            text = f"acknowledged by a key in the call of {name}"
            entry = {"type": "entry", "id": name, "incident": incident, "kind": "ack", "by": receiver.to, "text": text}
            self._send({**entry, "via": "receiver"})
        return Response(twiml, media_type="text/xml")

    def _receiver(self, name: str) -> TwilioReceiver | None:
        settings = self._view.settings
        return next((each.twilio for own, each in all_receivers(settings) if own == name and each.twilio), None)


async def _body(request: Request) -> bytes | None:
    """The request's body; None when it is too long."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            return None
    return body
