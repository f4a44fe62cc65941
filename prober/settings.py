"""The configuration as values: what a file may say, with its defaults (DESIGN.md, "Configuration").

Reading a file, `${VAR}`, lines and paths of errors are `prober.config`'s; this file only says what is allowed.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr, model_validator

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(value: object) -> int:
    """A duration such as `500ms`, `10s`, `5m`, `2h`, `1d` in milliseconds. Raises ValueError with what would be right."""
    if isinstance(value, str) and (m := re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,3})?)\s*(ms|s|m|h|d)\s*", value)):
        ms = round(float(m[1]) * _UNITS[m[2]])
        if ms > 0:
            return ms
    raise ValueError("not a duration; write a positive number with its unit, such as 500ms, 10s, 5m, 2h or 1d")


def format_duration(ms: int) -> str:
    """The shortest way to write `ms` milliseconds that `parse_duration` reads back."""
    for unit in ("d", "h", "m", "s"):
        if ms % _UNITS[unit] == 0:
            return f"{ms // _UNITS[unit]}{unit}"
    return f"{ms}ms"


_DURATION = r"^\s*\d{1,12}(\.\d{1,3})?\s*(ms|s|m|h|d)\s*$"
#: Milliseconds, written with a unit.
Duration = Annotated[
    int,
    BeforeValidator(parse_duration, json_schema_input_type=Annotated[str, Field(pattern=_DURATION)]),
    PlainSerializer(format_duration),
]


def _is_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError("not a name; use letters, digits, '_', '.', '-', 64 at most, a letter or digit first")
    return value


#: A name of a service, an endpoint, a control or a receiver; it becomes a label and a part of keys.
Name = Annotated[str, AfterValidator(_is_name)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are refused, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


class Contact(Section):
    name: str = ""
    phone: str = ""
    email: str = ""


class Customer(Section):
    """The vital information that the hotline takes (company, contact's name, telephone, e-mail)."""

    company: str = ""
    contact: Contact = Contact()


class Expect(Section):
    """What a reply must be. `status` takes codes and classes (`200`, `2xx`); regular expressions are RE2."""

    status: tuple[str, ...] = ()  # empty: 2xx
    header: dict[str, str] = {}
    body: str | None = None
    json_: Annotated[dict[str, Any], Field(alias="json")] = {}


class Control(Section):
    """A reference endpoint outside the vendor."""

    name: Name
    tcp: str | None = None  # host:port
    url: str | None = None
    expect: Expect = Expect()
    ca: Path | None = None
    resolve: tuple[str, ...] = ()


class Relay(Section):
    """How mail leaves."""

    host: str
    port: Port = 587
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    ca: Path | None = None


class Login(Section):
    username: str
    password: SecretStr | None = None
    password_file: Path | None = None


class Mail(Section):
    from_: Annotated[str, Field(alias="from")]
    to: str
    subject: str = "prober injection"
    headers: dict[str, str] = {}
    body: str = ""
    size: int = Field(0, ge=0, le=10_000_000)  # bytes to which the body is filled up


class ClientCert(Section):
    cert: Path
    key: Path | None = None
    password: SecretStr | None = None
    password_file: Path | None = None


class Endpoint(Section):
    """What is common to everything that is called."""

    name: Name
    every: Duration | None = None
    timeout: Duration | None = None
    hold: int | None = Field(None, ge=1)
    ca: Path | None = None
    client_cert: ClientCert | None = None
    sni: str | None = None
    verify: bool = True
    resolve: tuple[str, ...] = ()
    connection: Literal["fresh", "reuse"] = "fresh"


class ApiEndpoint(Endpoint):
    url: str
    method: str = "GET"
    headers: dict[str, SecretStr] = {}
    headers_file: dict[str, Path] = {}
    body: str | None = None
    expect: Expect = Expect()
    engine: Literal["wire", "httpx"] = "wire"
    http2: bool = False  # engine: httpx alone
    follow_redirects: bool = False  # engine: httpx alone
    proxy: SecretStr | None = None  # engine: httpx alone; may carry credentials
    vendor: str = "generic"  # whose error bodies: a name of rules/faults/vendors


class SmtpEndpoint(Endpoint):
    host: str
    port: Port = 587
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    login: Login | None = None
    helo: str | None = None
    mail: Mail | None = None
    depth: Literal["banner", "ehlo", "tls", "auth", "rcpt", "data"] = "data"
    vendor: str = "generic"


class Channels(Section):
    api: tuple[ApiEndpoint, ...] = ()
    smtp: tuple[SmtpEndpoint, ...] = ()


class Persistence(Section):
    for_: Annotated[Duration, Field(alias="for")] = 60_000
    share: float = Field(0.9, gt=0, le=1)
    at_least: int = Field(3, ge=1)
    recovered_after: Duration = 120_000


class EmailReceiver(Section):
    to: str
    from_: Annotated[str, Field(alias="from")]
    cc: tuple[str, ...] = ()


class WebhookReceiver(Section):
    url: str
    headers: dict[str, SecretStr] = {}
    hmac_key: SecretStr | None = None
    hmac_key_file: Path | None = None
    ca: Path | None = None


class PagerdutyReceiver(Section):
    routing_key: SecretStr | None = None
    routing_key_file: Path | None = None
    url: str = "https://events.pagerduty.com/v2/enqueue"
    ca: Path | None = None


class Receiver(Section):
    """One receiver: exactly one kind, and a name (default: the kind and its place in the list)."""

    name: Name | None = None
    email: EmailReceiver | None = None
    webhook: WebhookReceiver | None = None
    pagerduty: PagerdutyReceiver | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Receiver":
        if sum(x is not None for x in (self.email, self.webhook, self.pagerduty)) != 1:
            raise ValueError("name exactly one of email, webhook, pagerduty")
        return self

    @property
    def kind(self) -> str:
        return "email" if self.email else "webhook" if self.webhook else "pagerduty"


class Service(Section):
    title: str = ""
    contract: str
    terms: dict[str, Any] = {}
    mode: Literal["observe", "ask", "act"] = "act"
    every: Duration = 1000
    timeout: Duration = 10_000
    persistence: Persistence = Field(default_factory=Persistence)
    channels: Channels
    tickets: tuple[Receiver, ...] = ()
    hotline: tuple[Receiver, ...] = ()


class Web(Section):
    """Who may change things over HTTP, and whether /probe takes targets that are not configured."""

    token: SecretStr | None = None
    token_file: Path | None = None
    probe_any_target: bool = False


class Retention(Section):
    failures: Duration = 90 * 86_400_000


class Settings(Section):
    """The whole file."""

    customer: Customer = Customer()
    location: str = ""
    listen: str = "127.0.0.1:9580"
    store: str = "sqlite:///prober.db"
    web: Web = Web()
    retention: Retention = Retention()
    metrics_by_endpoint: bool | None = None  # None: up to 1,000 endpoints
    nameservers: tuple[str, ...] = ()  # default: the system's
    controls: tuple[Control, ...] = ()
    relays: tuple[Relay, ...] = ()
    services: dict[Name, Service] = {}
    on_call: tuple[Receiver, ...] = ()
