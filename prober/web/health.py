"""`/-/healthy`, `/-/ready` and `/-/reload`."""

import asyncio
import hmac
import ipaddress
import itertools
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prober.link import Message
from prober.settings import Settings
from prober.web.view import View

#: Ready means that the measuring loop was heard of within this many seconds.
READY_WITHIN = 5.0
#: Healthy is the larger bound: whoever kills what is not healthy must not kill over a pause that we account for
#: ourselves.
HEALTHY_WITHIN = 15.0
#: How long a reload may take, seconds.
RELOAD_WITHIN = 10.0

#: Headers by which a proxy or a browser shows that the request is not simply from this machine's user.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via", "origin")


def unready(view: View) -> list[str]:
    """Why the program is not fit for its work; empty when it is."""
    reasons = []
    if view.silence() > READY_WITHIN:
        reasons.append(f"no heartbeat of the measuring process for {view.silence():.0f} s")
    if view.totals is None:
        reasons.append("no figures from the measuring process yet")
    elif not view.totals.store_ok:
        reasons.append(f"the store is failing; {view.totals.store_queued:.0f} s wait in memory")
    reasons += [
        f"no second of {service} has closed yet"
        for service in view.settings.services
        if (service, "") not in view.spells
    ]
    return reasons


class Reloads:
    """Reloads under way: each is a message over the link and the answer to it."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[list[str]]] = {}

    async def ask(self, within: float = RELOAD_WITHIN) -> list[str]:
        """Reload the configuration; returns the errors, none when it was taken.

        Raises TimeoutError when no answer came in time, and ConnectionError when the measuring process is gone.
        """
        key = f"http-{next(self._ids)}"
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            self._send({"type": "reload", "id": key})
            return await asyncio.wait_for(self._waiting[key], within)
        finally:
            del self._waiting[key]

    def answered(self, message: Message) -> None:
        """A `reloaded` came; it may be the answer to a SIGHUP and nobody here waits for it."""
        waiting = self._waiting.get(str(message.get("id")))
        if waiting is not None and not waiting.done():
            errors = [str(e) for e in message.get("errors") or ()]
            waiting.set_result([] if message.get("ok") else errors or ["the reload failed without a reason"])

    def lost(self) -> None:
        """The link has closed: no answer will come."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the measuring process has ended"))


def refusal(request: Request, settings: Settings) -> Response | None:
    """Why this request may not change anything; None when it may.

    A bearer token of the configuration is needed. With none configured this machine alone may; a request that a proxy
    passed on, or that a page in a browser made, is not from this machine.
    """
    token = settings.web.token
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(), token.get_secret_value().encode()
        ):
            return None
        words = "A bearer token is needed: Authorization: Bearer <web.token>.\n"
        return PlainTextResponse(words, 401, {"WWW-Authenticate": 'Bearer realm="prober"'})
    if settings.web.token_file is None and _from_here(request):
        return None
    words = "No web.token is configured, so this is open to requests from this machine alone.\n"
    return PlainTextResponse(words, 403)


def _from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host.partition("%")[0])
    except ValueError:  # no address: a transport that tells nothing of its peer
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class Health:
    """The handlers of the operations' routes."""

    def __init__(self, view: View, reloads: Reloads) -> None:
        self._view = view
        self._reloads = reloads

    async def healthy(self, _: Request) -> Response:
        if self._view.silence() > HEALTHY_WITHIN:
            return _plain(f"No heartbeat of the measuring process for {self._view.silence():.0f} s.\n", 503)
        return _plain("Healthy.\n")

    async def ready(self, _: Request) -> Response:
        reasons = unready(self._view)
        return _plain("".join(f"{reason}\n" for reason in reasons), 503) if reasons else _plain("Ready.\n")

    async def reload(self, request: Request) -> Response:
        refused = refusal(request, self._view.settings)
        if refused is not None:
            return refused
        try:
            errors = await self._reloads.ask()
        except TimeoutError:
            errors = [f"no answer from the measuring process within {RELOAD_WITHIN:g} s"]
        except ConnectionError as error:
            errors = [str(error)]
        return _plain("".join(f"{error}\n" for error in errors), 500) if errors else _plain("Reloaded.\n")


def _plain(words: str, status: int = 200) -> Response:
    return PlainTextResponse(words, status, {"Cache-Control": "no-store"})
