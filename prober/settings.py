"""The configuration as values: what a file may say, with its defaults (DESIGN.md, "Configuration").

Reading a file, `${VAR}`, lines and paths of errors are `prober.config`'s; what no single value can show (a window
shorter than three calls, two endpoints of one name) is `prober.checks`'s. This file only says what is allowed. The
descriptions are the JSON Schema's and the errors' too. Receivers have a file of their own, `prober.receivers`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from prober.access import Access
from prober.appearance import Look
from prober.fields import (
    Address,
    Duration,
    File,
    HeaderName,
    HeaderValue,
    Host,
    HostPort,
    Listen,
    MailAddress,
    MailHeaderName,
    Method,
    Name,
    Nameserver,
    OneLine,
    Password,
    Pattern,
    Port,
    ProxyUrl,
    ReplyHeaderName,
    Secret,
    Statuses,
    Url,
    VendorName,
    format_duration,
    parse_duration,
    vendor_of_host,
)
from prober.receivers import EmailReceiver, PagerdutyReceiver, Receiver, WebhookReceiver
from prober.section import Section
from prober.surroundings import Heartbeat, Mailbox, Maintenance, Replies, StatusPage

__all__ = [
    "ApiEndpoint",
    "Channels",
    "ClientCert",
    "Contact",
    "Control",
    "Customer",
    "Duration",
    "EmailReceiver",
    "Endpoint",
    "Expect",
    "Intermittent",
    "Login",
    "Mail",
    "Name",
    "PagerdutyReceiver",
    "Persistence",
    "Port",
    "Receiver",
    "Relay",
    "Retention",
    "Section",
    "Service",
    "Settings",
    "Slow",
    "SmtpEndpoint",
    "Web",
    "WebhookReceiver",
    "format_duration",
    "parse_duration",
    "vendor_of",
]

Tls = Literal["none", "starttls", "implicit"]
_TLS = "starttls: TLS after the greeting; implicit: from the first byte; none: no TLS"


def _from(description: str) -> Any:
    return Field(alias="from", description=description, examples=["oncall@example.com"])


class Contact(Section):
    """Whom the vendor reaches."""

    name: OneLine = Field("", description="whom the vendor asks for")
    phone: OneLine = Field("", description='the telephone number, in quotes: "+49 30 1234567"')
    email: OneLine = Field("", description="where the vendor writes")


class Customer(Section):
    """The vital information that the hotline takes (company, contact's name, telephone, e-mail)."""

    company: OneLine = Field("", description="the customer's name, as the vendor knows it")
    contact: Contact = Field(Contact(), description="whom the vendor reaches: name, phone, email")


class Expect(Section):
    """What a reply must be; regular expressions are RE2 and may match anywhere in the text."""

    status: Statuses = Field((), description="codes and classes, such as [200, 2xx]; default: 2xx")
    header: dict[ReplyHeaderName, Pattern] = Field({}, description="a pattern for each header's value")
    body: Pattern | None = Field(None, description="a pattern for the first 64 KiB of the body")
    json_: Annotated[
        dict[str, Any], Field(alias="json", description="a value for each path, such as data.0.state: up")
    ] = Field({})


class Control(Section):
    """A reference endpoint outside the vendor; exactly one of tcp and url."""

    name: Name = Field(description="the control's name", examples=["dns"])
    tcp: HostPort | None = Field(None, description="host:port; a TCP handshake is a success")
    url: Url | None = Field(None, description="an address to call; what `expect` says is a success")
    expect: Expect = Field(Expect(), description="what the reply to url must be; default: a status of 2xx")
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")
    resolve: tuple[Address, ...] = Field((), description="fixed addresses, instead of the name's")


class Relay(Section):
    """How mail leaves."""

    host: Host = Field(description="the relay's name or address", examples=["mx1.example.com"])
    port: Port = Field(587, description="the relay's port")
    tls: Tls = Field("starttls", description=_TLS)
    username: OneLine | None = Field(None, description="whom to log in as; default: no login")
    password: Password | None = Field(None, description="the password of username")
    password_file: File | None = Field(None, description="a file that holds the password")
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")


class Login(Section):
    """SMTP AUTH (RFC 4954)."""

    username: OneLine = Field(description="whom to log in as", examples=["SMTP_Injection"])
    password: Password | None = Field(None, description="the password, often an API key")
    password_file: File | None = Field(None, description="a file that holds the password")


class Mail(Section):
    """The message that an injection hands over."""

    from_: Annotated[MailAddress, _from("the sender's address")]
    to: MailAddress = Field(
        description="the recipient's address, best one that swallows mail (a sink)", examples=["sink@example.com"]
    )
    subject: OneLine = Field("prober injection", description="the subject of each mail")
    headers: dict[MailHeaderName, OneLine] = Field({}, description="further headers of each mail")
    body: str = Field("", description="the text of each mail; default: a line that says what it is")
    size: int = Field(0, ge=0, le=10_000_000, description="bytes to which the body is filled up")


class ClientCert(Section):
    """A certificate with which the program shows who it is."""

    cert: File = Field(description="a PEM file of the certificate and its chain", examples=["client.pem"])
    key: File | None = Field(None, description="a PEM file of the key, where it is not in cert")
    password: Secret | None = Field(None, description="the key's password, where it has one")
    password_file: File | None = Field(None, description="a file that holds the key's password")


class Endpoint(Section):
    """What is common to everything that is called."""

    name: Name = Field(description="the endpoint's name, unique in its channel", examples=["account"])
    every: Duration | None = Field(None, description="between two calls; default: the service's")
    timeout: Duration | None = Field(None, description="a call ends at the latest after it; default: the service's")
    hold: int | None = Field(None, ge=1, description="calls in flight at most; default: timeout / every + 1")
    ca: File | None = Field(None, description="a PEM file of certification authorities, instead of the system's")
    client_cert: ClientCert | None = Field(None, description="the certificate that the server asks for")
    sni: Host | None = Field(None, description="the name asked for in TLS and verified, instead of the host's")
    verify: bool = Field(True, description="verify the peer's certificate")
    resolve: tuple[Address, ...] = Field((), description="fixed addresses, instead of the name's")
    connection: Literal["fresh", "reuse"] = Field(
        "fresh", description="fresh: a new connection for each call; reuse: one is kept while the server keeps it"
    )


class ApiEndpoint(Endpoint):
    """An HTTP endpoint of the channel `api`."""

    url: Url = Field(description="the address to call", examples=["https://api.example.com/v1/account"])
    method: Method = Field("GET", description="the request's method")
    headers: dict[HeaderName, HeaderValue] = Field({}, description="the request's headers; their values are secrets")
    headers_file: dict[HeaderName, File] = Field({}, description="files that hold headers' values")
    body: str | None = Field(None, description="the request's body")
    expect: Expect = Field(Expect(), description="what the reply must be; default: a status of 2xx")
    engine: Literal["wire", "httpx"] = Field("wire", description="httpx for HTTP/2, redirects and proxies")
    http2: bool = Field(False, description="speak HTTP/2 where the server does; engine: httpx alone")
    follow_redirects: bool = Field(False, description="go where redirects lead; engine: httpx alone")
    proxy: ProxyUrl | None = Field(None, description="a proxy's URL, may hold credentials; engine: httpx alone")
    proxy_file: File | None = Field(None, description="a file that holds the proxy's URL")
    vendor: VendorName = Field(
        default_factory=vendor_of_host, description="whose error bodies: auto (by the host), generic, sparkpost, bird"
    )


class SmtpEndpoint(Endpoint):
    """An SMTP endpoint of the channel `smtp`."""

    host: Host = Field(description="the server's name or address", examples=["smtp.example.com"])
    port: Port = Field(587, description="the server's port")
    tls: Tls = Field("starttls", description=_TLS)
    login: Login | None = Field(None, description="how to log in (AUTH); default: no login")
    helo: Host | None = Field(None, description="the name given in EHLO; default: this machine's")
    mail: Mail | None = Field(None, description="the message that is handed over; depth rcpt and data need it")
    depth: Literal["banner", "ehlo", "tls", "auth", "rcpt", "data"] = Field("data", description="how far a call goes")
    vendor: VendorName = Field(
        default_factory=vendor_of_host, description="whose error texts: auto (by the host), generic, sparkpost, bird"
    )


class Channels(Section):
    """The agreement's two limbs."""

    api: tuple[ApiEndpoint, ...] = Field((), description="what is called by HTTP")
    smtp: tuple[SmtpEndpoint, ...] = Field((), description="what takes mail by SMTP")


class Persistence(Section):
    """When Unavailability is persistent, and when it is over (DESIGN.md, "Persistent")."""

    for_: Annotated[
        Duration, Field(alias="for", description="the window: whole seconds, at least three times `every`, 1d at most")
    ] = 60_000
    share: float = Field(0.9, gt=0, le=1, description="of the measured seconds, how many must be unavailable")
    at_least: int = Field(3, ge=1, description="measured seconds that the window must hold")
    recovered_after: Duration = Field(120_000, description="without an unavailable second; whole seconds")


class Intermittent(Section):
    """When unavailable seconds that do not persist are too many: the condition `intermittent`."""

    seconds: int = Field(30, ge=1, description="so many unavailable seconds, of those older than persistence.for,")
    within: Duration = Field(3_600_000, description="within so long; whole seconds, 1d at most")
    recovered_after: Duration = Field(
        900_000, description="without an unavailable second; never under persistence.for, 1d at most"
    )


class Slow(Section):
    """When calls that succeed are too slow: the condition `slow`. It is not looked for unless `slow` is written."""

    over: Duration = Field(2_000, description="a success that took longer is slow; less than timeout")
    share: float = Field(
        0.9, gt=0, le=1, description="of the window's seconds with a success, how many must have none that is fast"
    )


class OnCallReceiver(Receiver):
    """Somebody who is paged; a level of on-call is all those with the same `after`."""

    after: Duration | None = Field(
        None, description="paged when nobody has acknowledged for so long, 1s to 1d; default: paged at once"
    )


class Service(Section):
    """What a vendor runs under one agreement."""

    title: OneLine = Field("", description="its name for people; default: its key")
    contract: str = Field(
        min_length=1,
        description="a contract pack's name, or a path to a pack's file",
        examples=["bird-email-enterprise"],
    )
    terms: dict[str, Any] = Field({}, description="what the agreement leaves to the customer, such as hotline")
    mode: Literal["observe", "ask", "act"] = Field(
        "act",
        description="act: ticket and hotline go out by themselves; ask: on-call is asked first, and they go out after"
        " ask_for; observe: on-call alone is paged, and told what would have been done",
    )
    every: Duration = Field(1000, description="between two calls of an endpoint; whole seconds, 1h at most")
    timeout: Duration = Field(10_000, description="a call ends at the latest so long after its begin; 100ms to 10m")
    persistence: Persistence = Field(
        default_factory=Persistence, description="when Unavailability is persistent, and when it is over"
    )
    intermittent: Intermittent = Field(
        Intermittent(), description="when unavailable seconds that come and go are too many"
    )
    slow: Slow | None = Field(None, description="when successes are too slow; default: nobody asks how fast they were")
    replies: Replies = Field(Replies(), description="how the vendor answers tickets")
    status_page: StatusPage | None = Field(None, description="the vendor's status page, read while an incident is open")
    maintenance: tuple[Maintenance, ...] = Field((), description="announced windows; nobody is paged within them")
    channels: Channels = Field(description="api, smtp or both, each a list of endpoints", examples=[{}])
    tickets: tuple[Receiver, ...] = Field((), description="who takes the ticket; tried in turn until one accepts")
    hotline: tuple[Receiver, ...] = Field((), description="who calls the vendor's hotline; tried in turn")
    escalation: tuple[Receiver, ...] = Field(
        (), description="who reaches the agreement's point of escalation, such as the Technical Account Manager"
    )
    texts: File | None = Field(None, description="a folder of templates or a catalogue; default: the file's")
    ask_for: Duration = Field(
        300_000, description="mode: ask alone; without an answer for so long it goes ahead; 10s to 1d"
    )
    status_pages: tuple[Receiver, ...] = Field((), description="status pages elsewhere that are told of its incidents")
    public: bool = Field(True, description="it is shown on the status page and in its feeds")


class Web(Access, Look):
    """Who may change things over HTTP, and whether /probe takes targets that are not configured."""

    token: Password | None = Field(None, description="whoever has it may enter steps and reload")
    token_file: File | None = Field(None, description="a file that holds the token")
    probe_any_target: bool = Field(False, description="/probe calls targets too that are not configured")


class Retention(Section):
    """How long what is large is kept."""

    failures: Duration = Field(90 * 86_400_000, description="failed calls with their transcripts; 1d or more")
    minutes: Duration = Field(
        30 * 86_400_000, description="calls by the minute, 2d or more; hours and days are kept for good"
    )


class Settings(Section):
    """The whole file."""

    customer: Customer = Field(Customer(), description="who we are: what tickets and the hotline's script say")
    location: OneLine = Field("", description="where this prober stands, such as fra1")
    listen: Listen = Field("127.0.0.1:9580", description="where the pages and metrics are served: address:port")
    store: str = Field(
        "sqlite:///prober.db",
        pattern=r"^sqlite:///[^?#\x00-\x1f]*[^/?#\x00-\x1f]$",
        description="the store's file: sqlite:///PATH",
    )
    web: Web = Field(Web(), description="the pages: who may change what, their address and looks")
    retention: Retention = Field(Retention(), description="how long what is large is kept")
    metrics_by_endpoint: bool | None = Field(
        None, description="metrics tell each endpoint apart; default: up to 1,000 endpoints"
    )
    nameservers: tuple[Nameserver, ...] = Field((), description="whom names are asked of; default: the system's")
    controls: tuple[Control, ...] = Field(
        (), description="reference endpoints outside the vendor; without any, no time-out counts as the vendor's"
    )
    relays: tuple[Relay, ...] = Field((), description="how mail leaves, in this order")
    mailboxes: tuple[Mailbox, ...] = Field((), description="where vendors' replies come in")
    maintenance: tuple[Maintenance, ...] = Field((), description="announced windows of all services")
    heartbeat: Heartbeat | None = Field(None, description="an outside watcher that is told that we measure")
    texts: File | None = Field(None, description="a folder of templates, or a catalogue, in the place of built-in ones")
    hide: tuple[Secret, ...] = Field(
        (),
        description="further texts that are secrets, such as a key within a URL; those of ${..._KEY} and its like are",
    )
    services: dict[Name, Service] = Field({}, description="what is measured, each under one agreement")
    on_call: tuple[OnCallReceiver, ...] = Field((), description="who is paged; all of them, level by level (after)")
    page_again: Duration | None = Field(
        None,
        description="pages are repeated so often until somebody acknowledges, 30s to 1d; default: they are not",
        examples=["10m"],
    )


def vendor_of(endpoint: ApiEndpoint | SmtpEndpoint) -> str:
    """The name under rules/faults/vendors whose error bodies and texts `endpoint` answers with; never "auto"."""
    return endpoint.vendor
