"""What a mail in the ticket's mailbox is: an answer of a person, an acknowledgement, a bounce, or a matter for a person.

Pure: a mail comes in as a value (`Mail`, read and bounded elsewhere), with the threads that it may belong to. Nothing here
closes anything. What cannot be trusted (another sender, a failed authentication, a thread that is not open) is set aside for a
person, never dropped.

Whether a reply counts as the vendor's first response is the agreement's matter; here is only said whether a person wrote it.
RFC 3834 says how automatic messages show themselves, RFC 3464 how bounces do, RFC 8601 what Authentication-Results say.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from rules.reply_marks import AUTHENTICATION, CLOSED, NUMBER, NUMBER_OF_SUBJECT, VACATION
from rules.reply_values import Mail, Reply, ReplyKind, Report, Searches, Thread, Vendor, Why

__all__ = [
    "Mail",
    "Reply",
    "ReplyKind",
    "Report",
    "Searches",
    "Thread",
    "Vendor",
    "Why",
    "authentic",
    "decide",
    "judge_author",
    "number_in",
    "slug",
]

#: What tries a text; the general marks and a configuration's alike.
_Patterns = tuple[Searches, ...]


def decide(mail: Mail, threads: Sequence[Thread], vendors: Mapping[str, Vendor]) -> Reply | None:
    """What `mail` is; None when it concerns no service of ours (or we wrote it ourselves).

    `threads` are the open incidents', `vendors` by service.
    """
    if any(mail.sender in vendor.own for vendor in vendors.values()):
        return None
    thread, named = _thread(mail, threads, vendors)
    if mail.report is not None or _is_bounce(mail):
        return _bounce(mail, thread, named, vendors)
    if thread is None:
        return _astray(mail, named, threads, vendors)
    vendor = vendors.get(thread.service, Vendor())
    if why := _untrusted(mail, vendor):
        return _reply(mail, ReplyKind.ASIDE, why, thread.service, thread.incident)
    why = judge_author(mail, vendor.agent)
    person = why in (Why.PERSON, Why.AGENT)
    number = "" if thread.number else number_in(mail, vendor.number)
    kind = ReplyKind.RESPONSE if person else ReplyKind.ACKNOWLEDGEMENT if number else ReplyKind.AUTOMATIC
    closes = any(_first(p, mail.subject, mail.text) for p in _both(vendor.closed, CLOSED))
    return _reply(mail, kind, why, thread.service, thread.incident, number=number, automatic=not person, closes=closes)


def judge_author(mail: Mail, agent: Iterable[Searches] = ()) -> Why:
    """Whether a person wrote it (PERSON, AGENT), or else by what it is automatic."""
    marked = _automatic(mail)
    if marked is Why.PERSON:
        return marked
    lines = [f"{name}: {value}" for name, values in mail.headers.items() for value in values]
    return Why.AGENT if any(_first(p, *lines, mail.text) for p in agent) else marked


def _automatic(mail: Mail) -> Why:
    value = _first_header(mail, "auto-submitted")
    if value and value.partition(";")[0].strip() != "no":
        return Why.AUTO_SUBMITTED
    if _first_header(mail, "precedence") in ("bulk", "junk", "list", "auto_reply"):
        return Why.PRECEDENCE
    if any(name in mail.headers for name in ("x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from")):
        return Why.AUTO_REPLY
    if _first_header(mail, "x-auto-response-suppress") not in ("", "none"):
        return Why.SUPPRESS
    if any(name.startswith("list-") for name in mail.headers):
        return Why.MAILING_LIST
    if _null_sender(mail):
        return Why.NULL_SENDER
    if _is_receipt(_first_header(mail, "content-type")):
        return Why.READ_RECEIPT
    if any(p.search(mail.subject) for p in VACATION):
        return Why.VACATION
    return Why.PERSON


def _is_receipt(content_type: str) -> bool:
    """A mail program's word that a mail was shown, deleted or passed on; with the user's consent or without (RFC 8098 3)."""
    kind, _, parameters = content_type.partition(";")
    return kind.strip() == "multipart/report" and "disposition-notification" in parameters


def number_in(mail: Mail, patterns: Iterable[Searches] = ()) -> str:
    """The ticket's number as the mail tells it, "" when it tells none."""
    places = (mail.subject, mail.text)
    tried = [
        *((p, places) for p in patterns),
        *((p, places[:1]) for p in NUMBER_OF_SUBJECT),
        *((p, places) for p in NUMBER),
    ]
    for pattern, texts in tried:
        for text in texts:
            found = pattern.search(text)
            if found and (number := (found.group(1) or "").strip()):
                return number[:64]
    return ""


# --- whose it is


def slug(incident: str) -> str:
    """An incident's name as it stands in the Message-IDs of its mails (`prober.deliver.message`)."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", incident).strip("-")[:64] or "incident"


_OURS = re.compile(r"<[0-9a-f]{32}\.([A-Za-z0-9-]{1,64})@([^<>@\s]{1,255})>\Z")


def _thread(mail: Mail, threads: Sequence[Thread], vendors: Mapping[str, Vendor]) -> tuple[Thread | None, str]:
    """The open thread that the mail belongs to; and the incident that it names, open or not."""
    domains = {address.rpartition("@")[2] for vendor in vendors.values() for address in vendor.own}
    named = ""
    for reference in (*mail.references, *((mail.report.original,) if mail.report else ())):
        ours = _OURS.match(reference)
        incident = ours[1] if ours and ours[2].lower() in domains else ""
        for thread in threads:
            if (thread.reference and reference == thread.reference) or incident == slug(thread.incident):
                return thread, thread.incident
        named = named or incident
    for thread in threads:
        if f"[{thread.incident}]" in mail.subject or _holds(mail.subject, thread.number):
            return thread, thread.incident
    return None, named


def _holds(subject: str, number: str) -> bool:
    return bool(number) and re.search(rf"(?<![\w-]){re.escape(number)}(?![\w-])", subject) is not None


def _service_of(named: str, vendors: Mapping[str, Vendor]) -> str:
    """The service of an incident by its name, "" when none fits."""
    fits = [service for service in vendors if named.startswith(f"{slug(service)}-")]
    return max(fits, key=len, default="")


def _bounce(mail: Mail, thread: Thread | None, named: str, vendors: Mapping[str, Vendor]) -> Reply | None:
    """A report on a mail of ours; one on somebody else's does not concern us."""
    if not named:
        return None
    action = mail.report.action.lower() if mail.report else "failed"
    why = _ACTIONS.get(action, Why.DELIVERY_REPORT)
    service = thread.service if thread else _service_of(named, vendors)
    if mail.report and _of_ours_alone(mail.report, vendors.get(service, Vendor())):
        why = Why.COPY_FAILED if why is Why.DELIVERY_FAILED else Why.DELIVERY_REPORT
    kind = ReplyKind.AUTOMATIC if why is Why.DELIVERY_REPORT else ReplyKind.BOUNCE
    return _reply(mail, kind, why, service, named, automatic=True)


def _of_ours_alone(report: Report, vendor: Vendor) -> bool:
    """Whether it speaks of copies and pages only. An address that we do not know may be one that the vendor's leads to."""
    return all(recipient.lower() in vendor.copied for recipient in (report.recipient, *report.others))


_ACTIONS = {"failed": Why.DELIVERY_FAILED, "delayed": Why.DELIVERY_DELAYED}


def _is_bounce(mail: Mail) -> bool:
    """One that is no report of RFC 3464 and yet says by its sender what it is."""
    return _null_sender(mail) and mail.sender.partition("@")[0] in ("mailer-daemon", "postmaster")


def _null_sender(mail: Mail) -> bool:
    return any(value.strip() == "<>" for value in mail.headers.get("return-path", ()))


def _astray(mail: Mail, named: str, threads: Sequence[Thread], vendors: Mapping[str, Vendor]) -> Reply | None:
    """In no open thread: a person's matter when it names an incident of ours, or the vendor writes while one is open."""
    if named:
        return _reply(mail, ReplyKind.ASIDE, Why.NOT_OPEN, _service_of(named, vendors), named)
    for thread in threads:
        if _from_vendor(mail.sender, vendors.get(thread.service, Vendor())):
            return _reply(mail, ReplyKind.ASIDE, Why.NO_THREAD, thread.service, thread.incident)
    return None


def _untrusted(mail: Mail, vendor: Vendor) -> Why | None:
    if not mail.sender:
        return Why.NO_SENDER
    if not _from_vendor(mail.sender, vendor):
        return Why.WRONG_SENDER
    return None if authentic(mail) else Why.NOT_AUTHENTICATED


def _from_vendor(sender: str, vendor: Vendor) -> bool:
    _, at, domain = sender.rpartition("@")
    return bool(at) and any(domain == known or domain.endswith(f".{known}") for known in vendor.domains)


def authentic(mail: Mail) -> bool:
    """False when our own mail server says that the sender is forged: DMARC failed, or SPF or DKIM did and neither passed.

    `authentication-results` of `mail.headers` must hold no one else's (RFC 8601 5). Without a word the mail passes.
    """
    results: dict[str, set[str]] = {}
    for line in mail.headers.get("authentication-results", ()):
        for method, result in AUTHENTICATION.findall(line.lower()):
            results.setdefault(method, set()).add(result)
    if "dmarc" in results and results["dmarc"] & {"pass", "fail"}:
        return "pass" in results["dmarc"]
    both = results.get("spf", set()) | results.get("dkim", set())
    return "pass" in both or not both & {"fail", "softfail", "permerror", "policy"}


def _both(own: Iterable[Searches], general: Iterable[Searches]) -> _Patterns:
    return (*own, *general)


def _first(pattern: Searches, *texts: str) -> bool:
    return any(pattern.search(text) for text in texts)


def _first_header(mail: Mail, name: str) -> str:
    values = mail.headers.get(name, ())
    return values[0].strip().lower() if values else ""


def _reply(
    mail: Mail,
    kind: ReplyKind,
    why: Why,
    service: str,
    incident: str,
    *,
    number: str = "",
    automatic: bool = False,
    closes: bool = False,
) -> Reply:
    text = mail.text
    if mail.report is not None:
        r = mail.report
        text = " ".join(x for x in (r.action, ", ".join((r.recipient, *r.others)), r.status, r.diagnostic) if x)
    return Reply(
        kind=kind,
        why=why,
        service=service,
        incident=incident,
        at=mail.at,
        sender=mail.sender,
        subject=mail.subject,
        text=text,
        message_id=mail.message_id,
        number=number,
        automatic=automatic,
        closes=closes,
        defects=mail.defects,
    )
