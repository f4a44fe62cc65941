"""What a file may say of receivers: who takes tickets, whom the hotline's call goes to, who is paged.

One class a kind. All secrets may also come from files (`..._file`); `docs/receivers.md` shows each kind in use.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from prober.fields import (
    AccountSid,
    Duration,
    EngineId,
    File,
    HeaderName,
    HeaderValue,
    Host,
    LabelName,
    MailAddress,
    Method,
    Name,
    Oid,
    OneLine,
    PageId,
    Password,
    Phone,
    Port,
    Secret,
    Url,
    UrlTemplate,
)
from prober.section import Section

_CA = "a PEM file of certification authorities, instead of the system's"
_PRIORITIES = "the priority for each severity of the agreement; default: by the severity's name"


class EmailReceiver(Section):
    """A mailbox that takes tickets."""

    to: MailAddress = Field(description="the address that takes tickets", examples=["support@vendor.example"])
    from_: Annotated[
        MailAddress,
        Field(
            alias="from",
            description="the address that all of a ticket's mails come from",
            examples=["oncall@example.com"],
        ),
    ]
    cc: tuple[MailAddress, ...] = Field((), description="who gets copies")


class WebhookReceiver(Section):
    """A URL that takes JSON."""

    url: Url = Field(description="the address that takes the JSON", examples=["https://example.com/hook"])
    headers: dict[HeaderName, HeaderValue] = Field(
        {}, description="further headers of each request; their values are secrets"
    )
    headers_file: dict[HeaderName, File] = Field({}, description="files that hold headers' values")
    hmac_key: Secret | None = Field(None, description="signs each request")
    hmac_key_file: File | None = Field(None, description="a file that holds hmac_key")
    ca: File | None = Field(None, description=_CA)


class PagerdutyReceiver(Section):
    """PagerDuty, by its Events API v2; with an api_token, acknowledgements are read back by its REST API."""

    routing_key: Password | None = Field(None, description="the integration key of an Events API v2 integration")
    routing_key_file: File | None = Field(None, description="a file that holds routing_key")
    url: Url = Field("https://events.pagerduty.com/v2/enqueue", description="where events go")
    api_token: Password | None = Field(None, description="a REST API key (read-only is enough)")
    api_token_file: File | None = Field(None, description="a file that holds api_token")
    api_url: Url = Field("https://api.pagerduty.com", description="where acknowledgements are read")
    ca: File | None = Field(None, description=_CA)


class ZendeskReceiver(Section):
    """A Zendesk desk, by its Ticketing API."""

    url: Url = Field(description="the desk's address", examples=["https://vendor.zendesk.com"])
    username: MailAddress | None = Field(
        None, description="whose api_token it is; without, api_token is an OAuth access token"
    )
    api_token: Password | None = Field(None, description="an API token of username's, or an OAuth access token")
    api_token_file: File | None = Field(None, description="a file that holds api_token")
    role: Literal["agent", "end_user"] = Field(
        "agent", description="agent: the Tickets API; end_user: the Requests API"
    )
    requester: MailAddress | None = Field(None, description="role: agent alone; whom the ticket is from")
    fields: dict[str, Any] = Field({}, description="further fields of a new ticket, as the API names them")
    priorities: dict[OneLine, OneLine] = Field({}, description=_PRIORITIES)
    ca: File | None = Field(None, description=_CA)


class JiraReceiver(Section):
    """A Jira project (project, issue_type), or a desk of Jira Service Management (service_desk, request_type)."""

    url: Url = Field(description="the site's address", examples=["https://vendor.atlassian.net"])
    username: OneLine | None = Field(
        None, description="whose api_token it is; without, api_token is a personal access token"
    )
    api_token: Password | None = Field(None, description="an API token of username's, or a personal access token")
    api_token_file: File | None = Field(None, description="a file that holds api_token")
    deployment: Literal["cloud", "server"] = Field("cloud", description="server: Server or Data Center")
    project: OneLine | None = Field(None, description="the project's key")
    issue_type: OneLine = Field("Task", description="the issue type's name")
    service_desk: OneLine | None = Field(None, description="the service desk's id")
    request_type: OneLine | None = Field(None, description="the request type's id")
    fields: dict[str, Any] = Field({}, description="further fields of a new issue, as the API names them")
    priorities: dict[OneLine, OneLine] = Field(
        {}, description=f"{_PRIORITIES}; a service desk gets one only where it is written here"
    )
    ca: File | None = Field(None, description=_CA)


class TemplateRequest(Section):
    """A request made from templates (Jinja), which know an act's fields (docs/receivers.md)."""

    method: Method = Field("POST", description="the request's method")
    url: UrlTemplate = Field(description="a template of the address", examples=["https://example.com/tickets"])
    body: str = Field("", description="a template of the body")
    content_type: OneLine = Field("application/json", description="what the body is")
    reference: OneLine = Field(
        "", description="where the answer holds the ticket's number: a path, such as result.0.id"
    )


class TemplateReceiver(Section):
    """Any other desk or pager with an HTTP API."""

    open: TemplateRequest = Field(description="opens a ticket or a page", examples=[{}])
    add: TemplateRequest | None = Field(None, description="adds to it, or resolves the page; default: open")
    find: TemplateRequest | None = Field(None, description="searches before open, so that no second ticket is opened")
    headers: dict[HeaderName, HeaderValue] = Field(
        {}, description="further headers of each request; their values are secrets"
    )
    headers_file: dict[HeaderName, File] = Field({}, description="files that hold headers' values")
    priorities: dict[OneLine, OneLine] = Field({}, description=_PRIORITIES)
    ca: File | None = Field(None, description=_CA)


class SnmpReceiver(Section):
    """A manager that takes SNMP notifications (PROBER-MIB)."""

    host: Host = Field(description="the manager's name or address", examples=["traps.vendor.example"])
    port: Port = Field(162, description="the manager's UDP port")
    version: Literal["2c", "3"] = Field("2c", description="the version of SNMP, in quotes")
    notify: Literal["trap", "inform"] = Field(
        "trap", description="an inform is confirmed by the manager, a trap is not"
    )
    community: Secret | None = Field(None, description="version 2c alone")
    community_file: File | None = Field(None, description="a file that holds community")
    user: OneLine | None = Field(None, description="version 3 alone")
    auth: Literal["none", "md5", "sha", "sha224", "sha256", "sha384", "sha512"] = Field(
        "sha256", description="version 3: how messages are authenticated"
    )
    auth_key: Secret | None = Field(None, description="version 3: the pass phrase of auth")
    auth_key_file: File | None = Field(None, description="a file that holds auth_key")
    privacy: Literal["none", "des", "aes128", "aes192", "aes256"] = Field(
        "aes128", description="version 3: how messages are encrypted"
    )
    privacy_key: Secret | None = Field(None, description="version 3: the pass phrase of privacy")
    privacy_key_file: File | None = Field(None, description="a file that holds privacy_key")
    engine_id: EngineId | None = Field(
        None, description="version 3 traps: who we are, as the manager knows us; 5 to 32 bytes in hexadecimal"
    )
    context: OneLine = Field("", description="version 3: the context's name")
    oid: Oid = Field("1.3.6.1.4.1.8072.9999.9999.7767", description="where PROBER-MIB stands")


class TwilioReceiver(Section):
    """A telephone call through Twilio: rings a person and reads the script, and joins them to the hotline."""

    account_sid: AccountSid = Field(description="the account", examples=["AC00000000000000000000000000000000"])
    auth_token: Password | None = Field(None, description="the account's auth token")
    auth_token_file: File | None = Field(None, description="a file that holds auth_token")
    from_: Annotated[Phone, Field(alias="from", description="the account's number that calls", examples=["+15550100"])]
    to: Phone = Field(description="the number that is called", examples=["+493012345678"])
    bridge: Phone | None = Field(None, description="the number that the called person is joined to: the hotline's")
    callback: Url | None = Field(
        None, description="this prober's own address as Twilio reaches it; lets keys acknowledge and join"
    )
    language: OneLine = Field("en-US", description="in which the script is read")
    voice: OneLine = Field(
        "", description="whose voice reads, such as Polly.Joanna; default: Twilio's for the language"
    )
    ring: Duration = Field(30_000, description="how long it rings; 5s to 10m")
    redials: int = Field(2, ge=0, le=10, description="how often a call that reached nobody is made again")
    url: Url = Field("https://api.twilio.com", description="the API's address")
    ca: File | None = Field(None, description=_CA)


class AlertmanagerReceiver(Section):
    """Prometheus Alertmanager, by its API v2; a page fires until it is resolved."""

    url: Url = Field(description="its address, with a path prefix where it has one", examples=["http://127.0.0.1:9093"])
    headers: dict[HeaderName, HeaderValue] = Field(
        {}, description="further headers of each request; their values are secrets"
    )
    headers_file: dict[HeaderName, File] = Field({}, description="files that hold headers' values")
    labels: dict[LabelName, OneLine] = Field({}, description="further labels, for routing")
    generator_url: Url | None = Field(None, description="where the alert links to: this prober's page")
    resend: Duration = Field(60_000, description="how often a firing alert is sent again")
    ca: File | None = Field(None, description=_CA)


class AppriseReceiver(Section):
    """Whatever Apprise reaches: one of its URLs (tgram://, slack://, ...)."""

    url: Secret | None = Field(None, description="an Apprise URL; it is a secret")
    url_file: File | None = Field(None, description="a file that holds url")


class StatuspageReceiver(Section):
    """A page at Atlassian Statuspage, by its REST API: the service's components, and an incident with its updates."""

    page: PageId = Field(description="the page's id", examples=["abc123def456"])
    component: PageId | None = Field(None, description="the id of the component that stands for the service")
    channels: dict[Literal["api", "smtp"], PageId] = Field({}, description="a component's id for each channel")
    api_key: Password | None = Field(None, description="an API key of the account")
    api_key_file: File | None = Field(None, description="a file that holds api_key")
    incidents: bool = Field(True, description="false: the components alone are kept up to date")
    notify: bool = Field(True, description="the page's subscribers are told")
    url: Url = Field("https://api.statuspage.io", description="the API's address")
    ca: File | None = Field(None, description=_CA)


class Receiver(Section):
    """One receiver: exactly one kind, and a name (default: the kind and its place in the list, email-1)."""

    name: Name | None = Field(None, description="its name; default: the kind and its place in the list")
    email: EmailReceiver | None = Field(None, description="a mailbox")
    webhook: WebhookReceiver | None = Field(None, description="a URL that takes JSON")
    pagerduty: PagerdutyReceiver | None = Field(None, description="PagerDuty")
    zendesk: ZendeskReceiver | None = Field(None, description="a Zendesk desk")
    jira: JiraReceiver | None = Field(None, description="Jira, or Jira Service Management")
    template: TemplateReceiver | None = Field(None, description="any other HTTP API")
    snmp: SnmpReceiver | None = Field(None, description="an SNMP manager")
    twilio: TwilioReceiver | None = Field(None, description="a telephone call")
    alertmanager: AlertmanagerReceiver | None = Field(None, description="Prometheus Alertmanager")
    apprise: AppriseReceiver | None = Field(None, description="whatever Apprise reaches")
    statuspage: StatuspageReceiver | None = Field(
        None, description="a page at Atlassian Statuspage; in status_pages alone"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Receiver":
        if len(self._given()) != 1:
            raise ValueError(f"is not one receiver; name exactly one of {', '.join(KINDS)}")
        return self

    def _given(self) -> list[str]:
        return [kind for kind in KINDS if getattr(self, kind) is not None]

    @property
    def kind(self) -> str:
        return self._given()[0]

    @property
    def own(self) -> Section:
        """The section of its kind."""
        section: Section = getattr(self, self.kind)
        return section


#: The kinds of receivers, as a file names them.
KINDS = tuple(name for name in Receiver.model_fields if name != "name")
