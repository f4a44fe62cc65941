"""What makes a receiver wrong although each of its values is right. Nothing here uses the network."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from prober.receivers import (
    AlertmanagerReceiver,
    AppriseReceiver,
    JiraReceiver,
    PagerdutyReceiver,
    SnmpReceiver,
    StatuspageReceiver,
    TemplateReceiver,
    TemplateRequest,
    TwilioReceiver,
    ZendeskReceiver,
)
from prober.section import Section

#: A key below the receiver's section, and what is wrong with it.
Found = tuple[tuple[str, ...], str]

_LONGEST_NAME = 32  # bytes of usmUserName (RFC 3414 5) and vacmContextName (RFC 3415 4)
_SHORTEST_KEY = 8  # RFC 3414 11.2: a password has 8 characters or more


def check(receiver: Section) -> Iterator[Found]:
    """All that is wrong with a receiver's own section, but for its headers and files."""
    yield from _address(receiver)
    found = _CHECKS.get(type(receiver))
    if found is not None:
        yield from found(receiver)


#: Where a service's own API begins below its address, which we append ourselves.
_OWN_PATHS: Mapping[type[Section], str] = {
    AlertmanagerReceiver: "/api/v2",
    ZendeskReceiver: "/api/v2",
    JiraReceiver: "/rest",
    TwilioReceiver: "/2010-04-01",
    StatuspageReceiver: "/v1",
}


def _address(receiver: Any) -> Iterator[Found]:
    """An address copied together with the path of the API leads nowhere."""
    own = _OWN_PATHS.get(type(receiver))
    if own is not None and f"{own}/" in f"{urlsplit(receiver.url).path}/":
        yield (
            ("url",),
            f"names a path of the API ({own}); write the address before it: {receiver.url.partition(own)[0]}",
        )


def _missing(receiver: Any, *keys: str) -> Iterator[Found]:
    for key in keys:
        if getattr(receiver, key) is None:
            yield (key,), f"is missing; write {key} or {key}_file"


def _in_header(receiver: Any, key: str) -> Iterator[Found]:
    """A key or token that stands in a header as it is."""
    secret = getattr(receiver, key)
    if secret is not None and not secret.get_secret_value().isascii():
        yield (key,), "holds characters outside ASCII, which a header cannot carry; copy it again"


def _pagerduty(receiver: PagerdutyReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "routing_key")
    yield from _in_header(receiver, "api_token")


def _zendesk(receiver: ZendeskReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "api_token")
    if receiver.username is None:
        yield from _in_header(receiver, "api_token")
    if receiver.role == "end_user" and receiver.requester is not None:
        yield ("requester",), "is for role: agent; an end user's ticket is from that user"


def _jira(receiver: JiraReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "api_token")
    if receiver.username is None:
        yield from _in_header(receiver, "api_token")
    desk = receiver.service_desk is not None or receiver.request_type is not None
    if desk and receiver.project is not None:
        yield ("project",), "is given beside service_desk; keep project, or service_desk and request_type"
    elif desk and (receiver.service_desk is None or receiver.request_type is None):
        key = "service_desk" if receiver.service_desk is None else "request_type"
        yield (key,), "is missing; a desk needs service_desk and request_type"
    elif not desk and receiver.project is None:
        yield ("project",), "is missing; write project, or service_desk and request_type"


def _template(receiver: TemplateReceiver) -> Iterator[Found]:
    from prober.deliver.template import faults, origin

    requests: tuple[tuple[str, TemplateRequest | None], ...] = (
        ("open", receiver.open),
        ("add", receiver.add),
        ("find", receiver.find),
    )
    for name, request in requests:
        for key, message in faults(request) if request is not None else ():
            yield (name, key), message
        if request is not None and not request.content_type.isascii():
            yield (name, "content_type"), "holds characters outside ASCII, which a header cannot carry"
        if request is not None and origin(request.url) != origin(receiver.open.url):
            yield (name, "url"), "leads to another host than the one of open; keep to one"
    if receiver.find is not None and not receiver.find.reference:
        yield ("find", "reference"), "is missing; write where the answer holds the number of a ticket that is there"


def _snmp(receiver: SnmpReceiver) -> Iterator[Found]:
    if receiver.version == "2c":
        yield from _missing(receiver, "community")
        return
    if receiver.user is None:
        yield ("user",), "is missing; version 3 needs it"
    for key in ("user", "context"):
        if len((getattr(receiver, key) or "").encode()) > _LONGEST_NAME:
            yield (key,), f"is longer than {_LONGEST_NAME} bytes, which SNMP does not take"
    if receiver.notify == "trap" and receiver.engine_id is None:
        yield ("engine_id",), "is missing; the manager knows the sender of version 3 traps by it, such as 80001f8804..."
    if receiver.auth == "none" and receiver.privacy != "none":
        yield ("privacy",), "needs auth (RFC 3414 has no privacy without); write privacy: none or another auth"
    for key, used in (("auth_key", receiver.auth), ("privacy_key", receiver.privacy)):
        secret = getattr(receiver, key)
        if used != "none" and secret is None:
            yield (key,), f"is missing; write {key} or {key}_file"
        elif secret is not None and len(secret.get_secret_value()) < _SHORTEST_KEY:
            yield (key,), "is shorter than 8 characters, which SNMP does not take"


def _twilio(receiver: TwilioReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "auth_token")
    if not 5_000 <= receiver.ring <= 600_000:
        yield ("ring",), "is out of range; write a time from 5s to 10m"


def _apprise(receiver: AppriseReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "url")
    if receiver.url is not None:
        from prober.deliver.appriser import known

        if not known(receiver.url.get_secret_value()):
            yield ("url",), "is no URL that Apprise knows; write one such as tgram://token/chat"


def _statuspage(receiver: StatuspageReceiver) -> Iterator[Found]:
    yield from _missing(receiver, "api_key")
    yield from _in_header(receiver, "api_key")
    if not receiver.incidents and receiver.component is None and not receiver.channels:
        yield ("component",), "is missing, and no incidents are wanted: nothing would be told; write a component's id"


_CHECKS: Mapping[type[Section], Callable[[Any], Iterator[Found]]] = {
    PagerdutyReceiver: _pagerduty,
    ZendeskReceiver: _zendesk,
    JiraReceiver: _jira,
    TemplateReceiver: _template,
    SnmpReceiver: _snmp,
    TwilioReceiver: _twilio,
    AppriseReceiver: _apprise,
    StatuspageReceiver: _statuspage,
}
