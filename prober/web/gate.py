"""Who somebody is who looks at a page: logged in here, named by a trusted reverse proxy, or nobody.

A login is a cookie that says a name and until when, signed; it is worth nothing once the token or the key changes, or its
owner has logged out (`prober.web.ended`). What changes something needs, beside a login, the form's own token, and must come
from a page of ours (Origin, Sec-Fetch-Site).
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from prober.deliver.harmless import harmless
from prober.signing import Signer
from prober.web.ended import Ended
from prober.web.view import View

COOKIE = "prober_login"
#: Characters of a person's name.
NAME = 100
_SESSION, _FORM, _LOGIN = "session", "form", "login form"
_FORM_LASTS = 12 * 3600  # seconds that a login form may lie open


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who may enter steps. `form` is the token of their forms; `here`: they logged in here, not at the proxy."""

    name: str
    form: str
    here: bool


@dataclass(frozen=True, slots=True)
class _Session:
    """A login: whose it is, until when (UTC seconds), and its random number."""

    name: str
    until: int
    number: str


class Gate:
    """Knows people by their requests. `configured` gives the key; until then logins end with this process."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._own = secrets.token_bytes(32)
        self._key: bytes | None = None
        self._ended = Ended()

    def configured(self, key: bytes | None, ended: Path | None = None) -> None:
        """The key that lasts, and the file that says which logins were ended; None: there is none."""
        self._key = key
        self._ended.kept_at(ended if key is not None else None, self._view.now())

    @property
    def signer(self) -> Signer:
        """Signs by the configuration's key, the one that lasts, or this process's own."""
        configured = self._view.settings.web.key
        return Signer(configured.get_secret_value().encode() if configured is not None else self._key or self._own)

    # who it is

    def who(self, request: Request) -> Who | None:
        """Who asks; None: nobody that we know."""
        return self._by_proxy(request) or self._by_cookie(request)

    def may_read(self, request: Request) -> bool:
        """Whether incident rooms are shown."""
        return not self._view.settings.web.private or self.who(request) is not None

    def _by_proxy(self, request: Request) -> Who | None:
        header = self._view.settings.web.identity_header
        if header is None or not self.trusts(request):
            return None
        given = request.headers.getlist(header)
        name = harmless(_decoded(given[0]), limit=NAME).strip() if len(given) == 1 else ""
        return Who(name, self.signer.sign(_FORM, "proxy", name), here=False) if name else None

    def _by_cookie(self, request: Request) -> Who | None:
        session = self._session(request)
        if session is None:
            return None
        return Who(session.name, self.signer.sign(_FORM, "here", session.number), here=True)

    def _session(self, request: Request) -> _Session | None:
        """The login of the request's cookie, while it lasts."""
        body, _, signature = request.cookies.get(COOKIE, "").partition(".")
        token = self._token()
        if token is None or not self.signer.genuine(signature, _SESSION, body, token):
            return None
        try:
            name, until, number = json.loads(base64.urlsafe_b64decode(body))
        except (ValueError, binascii.Error):  # signed by another version of the program
            return None
        if until <= self._view.now() or number in self._ended:
            return None
        return _Session(name, until, number)

    def _token(self) -> str | None:
        """What changes when the token does; None: there is none, so that nobody can log in here."""
        token = self._view.settings.web.token
        return None if token is None else hashlib.sha256(token.get_secret_value().encode()).hexdigest()

    # logging in and out

    @property
    def open(self) -> bool:
        """Whether people can log in here: the configuration has a token."""
        return self._view.settings.web.token is not None

    def knows(self, token: str) -> bool:
        """Whether `token` is the configuration's."""
        own = self._view.settings.web.token
        return own is not None and hmac.compare_digest(token.encode(), own.get_secret_value().encode())

    def login_form(self) -> str:
        """The token of a login form that is shown now."""
        until = int(self._view.now()) + _FORM_LASTS
        return f"{until}.{self.signer.sign(_LOGIN, until)}"

    def genuine_login_form(self, given: str) -> bool:
        until, _, signature = given.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 13):
            return False
        return self.signer.genuine(signature, _LOGIN, int(until)) and self._view.now() < int(until)

    def let_in(self, request: Request, response: Response, name: str) -> None:
        """Gives the browser the cookie of a new login."""
        lasts = self._view.settings.web.session // 1000
        said = json.dumps([name, int(self._view.now()) + lasts, secrets.token_hex(16)], separators=(",", ":"))
        body = base64.urlsafe_b64encode(said.encode()).decode()
        token = self._token()
        assert token is not None, "nobody logs in without a token"
        value = f"{body}.{self.signer.sign(_SESSION, body, token)}"
        secure = self.by_https(request)
        response.set_cookie(COOKIE, value, max_age=lasts, path="/", secure=secure, httponly=True, samesite="strict")

    def let_out(self, request: Request, response: Response) -> None:
        """Ends the login of the request's cookie, whoever else has a copy of it."""
        if (session := self._session(request)) is not None:
            self._ended.add(session.number, session.until, self._view.now())
        response.delete_cookie(COOKIE, path="/", secure=self.by_https(request), httponly=True, samesite="strict")

    # what may change something

    def genuine_form(self, who: Who, given: str) -> bool:
        """Whether a form that holds the token `given` was made for `who`."""
        return hmac.compare_digest(given.encode(), who.form.encode())

    def is_ours(self, request: Request) -> bool:
        """Whether a request that changes something comes from a page of ours, as far as the browser says."""
        site = request.headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("origin")
        if origin is None:
            return True  # no browser; the form's own token is needed all the same
        own = {request.headers.get("host", "").lower()}
        if (url := self._view.settings.web.url) is not None:
            own.add(_place(url))
        return _place(origin) in own - {""}

    # where it comes from

    def trusts(self, request: Request) -> bool:
        """Whether a trusted proxy passed the request on."""
        return request.client is not None and self._trusted(request.client.host)

    def _trusted(self, host: str) -> bool:
        address = _address(host)
        networks = map(ipaddress.ip_network, self._view.settings.web.trusted_proxies)
        return address is not None and any(address in network for network in networks)

    def by_https(self, request: Request) -> bool:
        """Whether the browser speaks https: a trusted proxy says so, or it is on a page of our https address."""
        if self.trusts(request) and (proto := request.headers.get("x-forwarded-proto")) is not None:
            return proto.strip().lower() == "https"
        url = self._view.settings.web.url or ""
        if urlsplit(url).scheme != "https":
            return False
        # A proxy may have changed Host; a browser that sends a form of ours says by itself where it found it.
        origin = request.headers.get("origin", "").lower()
        return request.headers.get("host", "").lower() == _place(url) or origin == f"https://{_place(url)}"

    def origin(self, request: Request) -> str:
        """The address that a request came from, as far as trusted proxies say; an IPv6 network of 64 bits counts as one."""
        host = request.client.host if request.client is not None else ""
        hops = [hop.strip() for hop in ",".join(request.headers.getlist("x-forwarded-for")).split(",")]
        while self._trusted(host) and hops and _address(hops[-1]) is not None:
            host = hops.pop()
        address = _address(host)
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address or host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


def _place(url: str) -> str:
    """Host and port of a URL, in small letters; "" for what is none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # a bracket too many
        return ""


def _decoded(header: str) -> str:
    """A header's text: proxies send names in UTF-8, which comes in byte by byte as Latin-1."""
    return header.encode("latin-1", "replace").decode("utf-8", "replace")
