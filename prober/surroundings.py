"""What the configuration says of the world around the measuring: mailboxes, status pages, maintenance, the outside watcher.

Part of `prober.settings`, in a file of its own.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from prober.fields import Duration, File, Host, Name, OneLine, Password, Pattern, Port, ProxyUrl, Url
from prober.section import Section


def _ping_url(secret: ProxyUrl) -> ProxyUrl:
    if secret.get_secret_value().startswith(("http://", "https://")):
        return secret
    raise ValueError("is not an http or https URL; write one such as https://hc-ping.com/UUID")


class Mailbox(Section):
    """A mailbox to which vendors answer, watched by IMAP. Nothing is ever deleted in it."""

    name: Name | None = Field(None, description="its name for people; default: the host's name")
    host: Host = Field(description="the server's name or address", examples=["imap.example.com"])
    port: Port | None = Field(None, description="the server's port; default: 993, without implicit TLS 143")
    tls: Literal["none", "starttls", "implicit"] = Field(
        "implicit", description="implicit: TLS from the first byte; starttls: after the greeting; none: no TLS"
    )
    username: OneLine = Field(description="whom to log in as", examples=["oncall@example.com"])
    password: Password | None = Field(None, description="the password of username")
    password_file: File | None = Field(None, description="a file that holds the password")
    folder: OneLine = Field("INBOX", description="the folder that replies come into")
    every: Duration = Field(30_000, description="between two looks, where the server has no IDLE; 1s to 1h")
    mark_seen: bool = Field(False, description="mark mails that concern an incident as read; else nothing is marked")
    authority: OneLine | None = Field(
        None, description="the name under which your mail server writes Authentication-Results (RFC 8601)"
    )
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")

    @property
    def label(self) -> str:
        """Its name for people and for the store."""
        return self.name or self.host


class Replies(Section):
    """How a service's vendor answers tickets. Patterns are tried before the general ones."""

    domains: tuple[Host, ...] = Field(
        (), description="it answers from these and their subdomains; default: those that its mail tickets go to"
    )
    number: tuple[Pattern, ...] = Field((), description="patterns whose first group is the ticket's number")
    closed: tuple[Pattern, ...] = Field((), description="patterns of a notice that the ticket was closed")
    agent: tuple[Pattern, ...] = Field(
        (),
        description="patterns of a person's words in a notification that is marked as automatic; headers are"
        ' tried as "name: value"',
    )


class StatusPage(Section):
    """The vendor's status page, read when an incident opens and while it lasts."""

    url: Url = Field(description="the page's address, or its feed's", examples=["https://status.vendor.example"])
    kind: Literal["auto", "statuspage", "feed"] = Field(
        "auto", description="statuspage: Statuspage v2 JSON; feed: RSS or Atom; auto: the one, then the other"
    )
    every: Duration = Field(60_000, description="between two readings while an incident is open; 10s to 1h")
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")


class Maintenance(Section):
    """A maintenance window: start and end, repeated by `every` if it is given; or a calendar file."""

    title: OneLine = Field("maintenance", description="what people read of it")
    start: OneLine | None = Field(
        None, description="ISO 8601, such as 2026-11-22T02:00; with an offset, or in time_zone"
    )
    end: OneLine | None = Field(None, description="as start")
    every: OneLine | None = Field(None, description="an RRULE (RFC 5545), such as FREQ=WEEKLY;BYDAY=SU")
    ics: File | None = Field(None, description="a calendar file (RFC 5545); each of its events is a window")
    time_zone: OneLine = Field("UTC", description="such as Europe/Berlin; of times without an offset")


class Heartbeat(Section):
    """An outside watcher that is told that we measure (healthchecks and its like); silence is its alarm."""

    url: Annotated[ProxyUrl, AfterValidator(_ping_url)] | None = Field(None, description="the address to call")
    url_file: File | None = Field(None, description="a file that holds url")
    every: Duration = Field(60_000, description="between two calls; 1s to 1h")
    method: Literal["GET", "POST"] = Field("GET", description="how the address is called")
    signals: bool = Field(
        False, description="also call url/start at the start and url/fail when we are not fit to measure"
    )
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")
