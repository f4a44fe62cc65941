"""The sweep over certificates: every endpoint with TLS is looked at once a day at least, and warned of before it ends.

Most have been seen by the calls themselves. Where calls do not come as far as TLS, or are carried by connections that have
stood for long, the sweep makes a handshake of its own: without credentials, so that it need not believe the certificate
to read it.
"""

import time
from collections.abc import Awaitable, Callable, Iterator

from prober import logs
from prober.board import WIDTH, Column
from prober.errors import ProberError
from prober.link import Message
from prober.settings import ApiEndpoint, Expect, Service, SmtpEndpoint
from prober.web.view import Snapshot, View
from rules.model import Observation

log = logs.get("chores")

_DAY = 86_400
#: Days before the end at which people are warned, once each; after it, every day.
WARN_AT = (30, 14, 7, 3, 1)
#: A handshake of the sweep's own is given so many seconds.
_PATIENCE = 10.0
#: A certificate that was seen within so many seconds need not be looked at.
_FRESH = 86_400

#: Calls once on a fresh connection, within so many seconds.
CallOnce = Callable[[ApiEndpoint | SmtpEndpoint, float], Awaitable[Observation]]
#: (service, channel, endpoint).
Where = tuple[str, str, str]


class Sweep:
    """Run it several times a day. `look` makes a call; `send` tells the measuring process, the only writer."""

    def __init__(
        self, view: View, send: Callable[[Message], None], look: CallOnce, now: Callable[[], float] = time.time
    ) -> None:
        self._view = view
        self._send = send
        self._look = look
        self._now = now
        self._warned: dict[Where, tuple[int, int]] = {}  # the end that was warned of, and how: days, or -days past it
        self._looked: dict[Where, tuple[float, int]] = {}  # when a handshake of our own was made, and the end it showed

    async def run(self) -> None:
        """Look at all of them, one after another."""
        snapshot = self._view.snapshot()
        seen = _seen(snapshot)
        known: set[Where] = set()
        for service, channel, endpoint, of in with_tls(snapshot):
            where = (service, channel, endpoint.name)
            known.add(where)
            expiry = 0 if endpoint.connection == "reuse" else seen.get(where, 0)
            if not expiry:
                expiry = await self._handshake(where, endpoint, of) or seen.get(where, 0)
            if not expiry:
                continue
            checked = int(self._now())
            key = {"service": service, "channel": channel, "endpoint": endpoint.name}
            serial = f"ends {expiry}"  # handshakes tell us no more: a renewed certificate is another by its end
            self._send({"type": "certificate", **key, "serial": serial, "not_after": expiry, "checked": checked})
            self._warn(where, expiry, checked)
        for gone in self._warned.keys() - known:
            del self._warned[gone]
        for gone in self._looked.keys() - known:
            del self._looked[gone]

    async def _handshake(self, where: Where, endpoint: ApiEndpoint | SmtpEndpoint, service: Service) -> int:
        """When the certificate ends, by a handshake of our own, not more than once a day; 0: it cannot be told."""
        at, expiry = self._looked.get(where, (0.0, 0))
        if self._now() - at < _FRESH:
            return expiry
        within = min(_PATIENCE, (endpoint.timeout or service.timeout) / 1000)
        try:
            found = await self._look(bare(endpoint), within)
        except (OSError, ValueError, ProberError) as error:
            log.warning("the certificate of %s cannot be looked at: %s", "/".join(where), error)
            return 0
        if not found.cert_expiry:
            why = found.detail or found.trouble or found.text[:200]
            log.info("the certificate of %s could not be seen: %s at %s", "/".join(where), why, found.stage)
            return 0
        self._looked[where] = (self._now(), found.cert_expiry)
        return found.cert_expiry

    def _warn(self, where: Where, expiry: int, now: int) -> None:
        """Once at each of WARN_AT, and every day once it has ended."""
        left = expiry - now
        days = left // _DAY
        step = min((at for at in WARN_AT if left < at * _DAY), default=0) if left >= 0 else days
        if not step or self._warned.get(where) == (expiry, step):
            return
        self._warned[where] = (expiry, step)
        if left < 0:
            log.warning("the certificate of %s expired %d days ago", "/".join(where), -left // _DAY)
        else:
            log.warning("the certificate of %s expires in %d days", "/".join(where), days)


def with_tls(snapshot: Snapshot) -> Iterator[tuple[str, str, ApiEndpoint | SmtpEndpoint, Service]]:
    """The endpoints that are called over TLS, with their service and channel."""
    for name, service in snapshot.settings.services.items():
        for api in service.channels.api:
            if api.url.lower().startswith("https:"):
                yield name, "api", api, service
        for smtp in service.channels.smtp:
            if smtp.tls != "none":
                yield name, "smtp", smtp, service


def bare(endpoint: ApiEndpoint | SmtpEndpoint) -> ApiEndpoint | SmtpEndpoint:
    """The endpoint as the sweep calls it: as far as TLS, with nothing that nobody else may know."""
    plain = {"verify": False, "client_cert": None, "connection": "fresh"}
    if isinstance(endpoint, SmtpEndpoint):
        depth = "tls" if endpoint.tls == "starttls" else "banner"
        return endpoint.model_copy(update={**plain, "login": None, "mail": None, "depth": depth})
    request: dict[str, object] = {"method": "HEAD", "headers": {}, "headers_file": {}, "body": None, "expect": Expect()}
    return endpoint.model_copy(update={**plain, **request})


def _seen(snapshot: Snapshot) -> dict[Where, int]:
    """When the certificates end that the endpoints' own calls have shown within a day."""
    found = {}
    for index, (service, channel, endpoint, _) in enumerate(snapshot.keys):
        row = index * WIDTH
        if snapshot.now - snapshot.cells[row + Column.ENDED] < _FRESH:
            found[service, channel, endpoint] = int(snapshot.cells[row + Column.CERT_EXPIRY])
    return found
