"""Who may read and change what over HTTP, as the configuration says it: logins, the reverse proxy's word, signed links."""

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from prober.fields import Duration, File, ReplyHeaderName, Secret, Url
from prober.section import Section
from prober.yamlread import Loc

if TYPE_CHECKING:
    from prober.settings import Settings

_MINUTE, _DAY = 60_000, 86_400_000  # ms
_SHORTEST_KEY = 16  # characters


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "is not an address or a network; write one such as 127.0.0.1, 10.0.0.0/8 or 2001:db8::/32"
        ) from None
    return text


def _site(url: str) -> str:
    """The address of the pages, without a slash at its end."""
    if urlsplit(url).query:
        raise ValueError("holds a query (?...); write the address under which people reach the pages")
    return url.rstrip("/")


Network = Annotated[str, AfterValidator(_network)]
Site = Annotated[Url, AfterValidator(_site)]


class Access(Section):
    """What `web` says of logins and links; the token itself is `web.token`."""

    url: Site | None = Field(
        None,
        description="where people reach the pages; links in pages to on-call begin with it",
        examples=["https://prober.example.com"],
    )
    private: bool = Field(False, description="incident rooms are shown to those alone who are logged in")
    session: Duration = Field(12 * 3_600_000, description="a login lasts so long; 5m to 30d")
    identity_header: ReplyHeaderName | None = Field(
        None, description="the header in which the reverse proxy names who is logged in", examples=["X-Forwarded-User"]
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="addresses and networks of the reverse proxies that are believed"
    )
    key: Secret | None = Field(
        None, description="signs logins and links; default: one of its own, kept beside the store"
    )
    key_file: File | None = Field(None, description="a file that holds the key")
    links_for: Duration = Field(_DAY, description="a signed link in a page to on-call works so long; 5m to 30d")


def check(settings: "Settings") -> Iterator[tuple[Loc, str]]:
    """What does not fit each other."""
    web = settings.web
    if web.identity_header is not None and not web.trusted_proxies:
        yield ("web", "identity_header"), "is believed from nobody; write the proxy's address in trusted_proxies"
    if web.private and web.token is None and web.identity_header is None:
        yield ("web", "private"), "shows incident rooms to nobody; write token, or identity_header and trusted_proxies"
    if web.key is not None and len(web.key.get_secret_value()) < _SHORTEST_KEY:
        yield ("web", "key"), f"can be guessed; write {_SHORTEST_KEY} random characters or more"
    if not 5 * _MINUTE <= web.session <= 30 * _DAY:
        yield ("web", "session"), "is out of range; write a time from 5m to 30d"
    if not 5 * _MINUTE <= web.links_for <= 30 * _DAY:
        yield ("web", "links_for"), "is out of range; write a time from 5m to 30d"
