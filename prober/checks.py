"""What makes a configuration wrong although each value is right: parts that do not fit each other, missing files.

Each check yields places and sentences; none of them uses the network.
"""

import errno
import os
import ssl
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from prober import access, appearance
from prober.errors import ProberError
from prober.settings import (
    ApiEndpoint,
    ClientCert,
    Control,
    Endpoint,
    Expect,
    Persistence,
    Receiver,
    Relay,
    Service,
    Settings,
    SmtpEndpoint,
    format_duration,
)
from prober.surrounding_checks import check as check_surroundings
from prober.text_checks import check as check_texts
from prober.yamlread import Loc

Found = tuple[Loc, str]

_MAX_EVERY = 3_600_000  # ms
_DAY = 86_400_000  # ms
_MAX_TIMEOUT = 600_000  # ms; RFC 5321 4.5.3.2.6 gives the final dot ten minutes, and nothing more


def check(settings: Settings, base: Path) -> Iterator[Found]:
    """All that is wrong in `settings`, whose own paths are relative to `base`."""
    if not settings.services:
        yield ("services",), "is missing; write at least one service with its contract and channels"
    yield from _names(("controls",), [control.name for control in settings.controls], "control")
    for index, control in enumerate(settings.controls):
        yield from _control(("controls", index), control)
    for index, relay in enumerate(settings.relays):
        yield from _relay(("relays", index), relay)
    yield from _receivers(("on_call",), settings.on_call)
    yield from _levels(settings)
    yield from check_surroundings(settings)
    yield from _retention(settings)
    yield from check_texts(settings, base)
    yield from access.check(settings)
    yield from ((("web", key), message) for key, message in appearance.check(settings.web))
    for name, service in settings.services.items():
        yield from _service(("services", name), service, base)


def receiver_names(receivers: Iterable[Receiver]) -> list[str]:
    """The receivers' names in their list: their own, or the kind and the place, counted from 1 ("email-1")."""
    return [receiver.name or f"{receiver.kind}-{place}" for place, receiver in enumerate(receivers, 1)]


def _retention(settings: Settings) -> Iterator[Found]:
    if settings.retention.failures < 86_400_000:
        yield ("retention", "failures"), "is too short to be evidence; write 1d or more"
    if settings.retention.minutes < 2 * 86_400_000:
        yield ("retention", "minutes"), "is too short for the figures of yesterday; write 2d or more"


def _names(loc: Loc, names: list[str], what: str) -> Iterator[Found]:
    counts = Counter(names)
    for index, name in enumerate(names):
        if counts[name] > 1 and names.index(name) != index:
            first = names.index(name)
            yield (*loc, index, "name"), f"{name} is the name of another {what} ({loc[-1]}[{first}]); give each its own"


def _control(loc: Loc, control: Control) -> Iterator[Found]:
    if (control.tcp is None) == (control.url is None):
        yield loc, "is not one control; write exactly one of tcp and url"
    elif control.tcp is not None and control.expect != Expect():
        yield (*loc, "expect"), "is for url alone; a TCP handshake has nothing more to expect"
    yield from _expect((*loc, "expect"), control.expect)
    yield from _authorities((*loc, "ca"), control.ca)


def _relay(loc: Loc, relay: Relay) -> Iterator[Found]:
    if relay.username is not None and relay.password is None:
        yield (*loc, "password"), "is missing beside username; write password or password_file"
    if relay.password is not None and relay.username is None:
        yield (*loc, "username"), "is missing beside password; write it"
    yield from _authorities((*loc, "ca"), relay.ca)


def _receivers(loc: Loc, receivers: tuple[Receiver, ...]) -> Iterator[Found]:
    from prober.receiver_checks import check as check_receiver

    yield from _names(loc, receiver_names(receivers), "receiver")
    for index, receiver in enumerate(receivers):
        here = (*loc, index, receiver.kind)
        yield from _place(here, receiver.kind)
        yield from (((*here, *place), message) for place, message in check_receiver(receiver.own))
        if (headers := getattr(receiver.own, "headers", None)) is not None:
            yield from _headers((*here, "headers"), headers)
        if (authorities := getattr(receiver.own, "ca", None)) is not None:
            yield from _authorities((*here, "ca"), authorities)


#: What takes the acts of `status_pages`, and what takes these alone.
_PAGES = ("statuspage", "template", "webhook")


def _place(here: Loc, kind: str) -> Iterator[Found]:
    """A status page is told of what is public alone, and a ticket is no status page."""
    if "status_pages" in here and kind not in _PAGES:
        yield here, f"is no status page; write one of {', '.join(_PAGES)}"
    elif "status_pages" not in here and kind == "statuspage":
        yield here, "is told of incidents, and takes no tickets or pages; write it under status_pages of a service"


def _levels(settings: Settings) -> Iterator[Found]:
    """On-call's levels: some are paged at once, the others later, and nobody every second."""
    if settings.on_call and all(receiver.after is not None for receiver in settings.on_call):
        yield ("on_call",), "nobody is paged at once; write at least one receiver without `after`"
    for index, receiver in enumerate(settings.on_call):
        if receiver.after is not None and not 1000 <= receiver.after <= _DAY:
            yield ("on_call", index, "after"), "is out of range; write a time from 1s to 1d"
    if settings.page_again is not None and not 30_000 <= settings.page_again <= _DAY:
        yield ("page_again",), "is out of range; write a time from 30s to 1d"


def _service(loc: Loc, service: Service, base: Path) -> Iterator[Found]:
    from prober.calendars import calendars_of, check_terms
    from prober.packs import load

    try:
        pack = load(service.contract, base)
    except (ProberError, ValueError) as error:  # ValueError: a path with a NUL in it
        yield (*loc, "contract"), str(error)
    else:
        found = check_terms(pack, service.terms)
        for text in found:
            place, _, message = text.partition(": ")
            yield (*loc, *place.split(".", 1)), message
        if not found:
            try:
                calendars_of(pack.settled(service.terms))
            except ProberError as error:  # no single term is wrong: together they leave no hours
                yield (*loc, "terms"), str(error)
    if not 10_000 <= service.ask_for <= _DAY:
        yield (*loc, "ask_for"), "is out of range; write a time from 10s to 1d"
    yield from _pace(loc, service.every, service.timeout)
    endpoints = [*service.channels.api, *service.channels.smtp]
    if not endpoints:
        yield (*loc, "channels"), "holds no endpoint; write at least one below api or smtp"
    yield from _window((*loc, "persistence"), service.persistence, service.every, endpoints)
    yield from _rates(loc, service)
    yield from _names((*loc, "channels", "api"), [each.name for each in service.channels.api], "endpoint")
    yield from _names((*loc, "channels", "smtp"), [each.name for each in service.channels.smtp], "endpoint")
    for index, api in enumerate(service.channels.api):
        yield from _api((*loc, "channels", "api", index), api)
    for index, smtp in enumerate(service.channels.smtp):
        yield from _smtp((*loc, "channels", "smtp", index), smtp)
    yield from _receivers((*loc, "tickets"), service.tickets)
    yield from _receivers((*loc, "hotline"), service.hotline)
    yield from _receivers((*loc, "escalation"), service.escalation)
    yield from _receivers((*loc, "status_pages"), service.status_pages)


def _pace(loc: Loc, every: int | None, timeout: int | None) -> Iterator[Found]:
    if every is not None and (every % 1000 or every > _MAX_EVERY):
        yield (*loc, "every"), "does not fit the grid of seconds; write whole seconds, from 1s to 1h"
    if timeout is not None and not 100 <= timeout <= _MAX_TIMEOUT:
        yield (*loc, "timeout"), "is out of range; write a time from 100ms to 10m"


def _window(loc: Loc, rule: Persistence, service_every: int, endpoints: list[Endpoint]) -> Iterator[Found]:
    slowest = max([service_every, *(each.every for each in endpoints if each.every)])
    if rule.for_ % 1000:
        yield (*loc, "for"), "does not fit the grid of seconds; write whole seconds"
    if rule.recovered_after % 1000:
        yield (*loc, "recovered_after"), "does not fit the grid of seconds; write whole seconds"
    if rule.for_ < 3 * slowest:
        least = format_duration(3 * slowest)
        yield (*loc, "for"), f"is under three calls (every {format_duration(slowest)}); write {least} or more"
    elif rule.at_least > rule.for_ // slowest:
        most = rule.for_ // slowest
        yield (
            (*loc, "at_least"),
            f"is more than `for` can hold (every {format_duration(slowest)}); write {most} or less",
        )
    if rule.for_ > 86_400_000:
        yield (*loc, "for"), "is longer than a day; nothing would ever be persistent in time"


def _rates(loc: Loc, service: Service) -> Iterator[Found]:
    """The rules of `intermittent` and `slow`."""
    rate, here = service.intermittent, (*loc, "intermittent")
    for key, ms in (("within", rate.within), ("recovered_after", rate.recovered_after)):
        if ms % 1000 or ms > _DAY:
            yield (*here, key), "does not fit the grid of seconds; write whole seconds, 1d at most"
    if rate.seconds * 1000 > rate.within:
        yield (*here, "seconds"), f"is more than `within` holds ({format_duration(rate.within)}); write less"
    if rate.recovered_after < service.persistence.for_ and "recovered_after" in rate.model_fields_set:
        least = format_duration(service.persistence.for_)
        yield (*here, "recovered_after"), f"is shorter than the window of persistence; write {least} or more"
    if service.slow is not None and service.slow.over >= service.timeout:
        yield (*loc, "slow", "over"), "is not reached before the time-out; write less than `timeout`"


def _endpoint(loc: Loc, endpoint: Endpoint, vendor: str) -> Iterator[Found]:
    from prober.vendors import load

    try:
        load(vendor)
    except (ProberError, ValueError) as error:
        yield (*loc, "vendor"), str(error)
    yield from _pace(loc, endpoint.every, endpoint.timeout)
    yield from _authorities((*loc, "ca"), endpoint.ca)
    if endpoint.client_cert is not None:
        yield from _certificate((*loc, "client_cert"), endpoint.client_cert)


def _api(loc: Loc, api: ApiEndpoint) -> Iterator[Found]:
    yield from _endpoint(loc, api, api.vendor)
    if api.engine != "httpx":
        for key, used in (("http2", api.http2), ("follow_redirects", api.follow_redirects), ("proxy", bool(api.proxy))):
            if used:
                yield (*loc, key), "needs another engine; write engine: httpx beside it"
    yield from _headers((*loc, "headers"), api.headers)
    yield from _expect((*loc, "expect"), api.expect)
    if api.method == "HEAD" and (api.expect.body is not None or api.expect.json_):
        yield (*loc, "expect"), "looks at the body, and HEAD has none; write method: GET"


def _smtp(loc: Loc, smtp: SmtpEndpoint) -> Iterator[Found]:
    yield from _endpoint(loc, smtp, smtp.vendor)
    if smtp.depth in ("rcpt", "data") and smtp.mail is None:
        yield (*loc, "mail"), f"is missing, and depth {smtp.depth} needs it; write mail: {{from: ..., to: ...}}"
    if smtp.depth == "auth" and smtp.login is None:
        yield (*loc, "login"), "is missing, and depth auth needs it; write login: {username: ..., password: ...}"
    if smtp.depth == "tls" and smtp.tls == "none":
        yield (*loc, "depth"), "tls cannot be reached with tls: none; write tls: starttls or implicit"
    if smtp.login is not None and smtp.login.password is None:
        yield (*loc, "login", "password"), "is missing; write password or password_file"


def _headers(loc: Loc, headers: Iterable[str]) -> Iterator[Found]:
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            yield (*loc, name), "is given twice (capitals make no difference); keep one of them"
        seen.add(name.lower())


def _expect(loc: Loc, expect: Expect) -> Iterator[Found]:
    for path in expect.json_:
        if not all(path.split(".")):
            yield (*loc, "json", path), "is not a path; write keys and indexes joined by dots, such as data.0.state"


def authorities(loc: Loc, file: Path | None) -> Iterator[Found]:
    """What is wrong with a file of certification authorities."""
    yield from _authorities(loc, file)


def _authorities(loc: Loc, file: Path | None) -> Iterator[Found]:
    if file is not None and (wrong := _loads(file)):
        yield loc, wrong


@lru_cache(maxsize=1024)
def _loaded(file: Path, _stamp: tuple[int, int]) -> str:
    """What is wrong with a file of authorities, "" when nothing is; looked at once for each state of the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "holds no certificate in PEM; name a file with -----BEGIN CERTIFICATE----- in it"
    return ""


def _loads(file: Path) -> str:
    try:
        found = _opened(file)
        return _loaded(file, (found.st_mtime_ns, found.st_size))
    except (OSError, ValueError) as error:
        return _unreadable(error)


def _opened(file: Path) -> os.stat_result:
    """The state of a file that can be opened. Raises OSError, also for what is no file: a pipe's opening may never end."""
    found = file.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and certificates are read more than once")
    with file.open("rb"):
        return found


def _unreadable(error: Exception) -> str:
    what = getattr(error, "strerror", None) or str(error)
    return f"the file cannot be read: {what}; paths are relative to the configuration file"


def _certificate(loc: Loc, client: ClientCert) -> Iterator[Found]:
    password = client.password.get_secret_value() if client.password else ""
    for key, file in (("cert", client.cert), ("key", client.key)):
        try:
            if file is not None:
                _opened(file)
        except (OSError, ValueError) as error:
            yield (*loc, key), _unreadable(error)
            return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(client.cert, client.key, lambda: password)
    except (ssl.SSLError, ValueError):  # ValueError: a password longer than OpenSSL takes
        hint = "name a PEM certificate, its own key, and the key's password if it has one"
        yield loc, f"certificate and key cannot be loaded together; {hint}"
