"""What is known of a mail in the ticket's mailbox, of the threads it may belong to, and of what it was judged to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class ReplyKind(StrEnum):
    """What a mail is to the incident."""

    RESPONSE = "response"  # a person wrote it
    ACKNOWLEDGEMENT = "acknowledgement"  # automatic: the ticket is in, and has a number
    AUTOMATIC = "automatic"  # any other that no person wrote
    BOUNCE = "bounce"  # a mail of ours did not reach the vendor, or is late
    ASIDE = "aside"  # for a person to judge; nothing follows from it


class Why(StrEnum):
    """By what a mail was judged."""

    PERSON = "person"  # nothing says that it is automatic
    AGENT = "agent"  # a pattern of the configuration says that a person's words are in it
    AUTO_SUBMITTED = "auto_submitted"  # RFC 3834 5
    PRECEDENCE = "precedence"  # bulk, junk, list
    SUPPRESS = "auto_response_suppress"
    AUTO_REPLY = "auto_reply"  # X-Autoreply and its like
    MAILING_LIST = "mailing_list"  # RFC 2369, RFC 2919
    NULL_SENDER = "null_sender"  # RFC 5321 4.5.5
    READ_RECEIPT = "read_receipt"  # RFC 8098: that a mail was shown, not that it was answered
    VACATION = "vacation"  # by its subject
    DELIVERY_FAILED = "delivery_failed"  # RFC 3464 2.3.3
    DELIVERY_DELAYED = "delivery_delayed"
    COPY_FAILED = "copy_failed"  # as delivery_failed, of a mail to somebody of ours: the vendor's is not among them
    DELIVERY_REPORT = "delivery_report"  # delivered, relayed, expanded
    NO_SENDER = "no_sender"  # no From, or several
    WRONG_SENDER = "wrong_sender"  # not from one of the vendor's domains
    NOT_AUTHENTICATED = "not_authenticated"  # our own mail server says that it is forged
    NOT_OPEN = "not_open"  # of an incident that is not open, or none of ours
    NO_THREAD = "no_thread"  # from the vendor while an incident is open, and in no thread


class Searches(Protocol):
    """A compiled regular expression, of `re` or of RE2: a match (with `group`), or None."""

    def search(self, text: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status notification (RFC 3464). `original`: the Message-ID of the mail that it is about, "" if not told.

    `others`: further recipients of whom it says the same.
    """

    action: str
    status: str = ""
    recipient: str = ""
    diagnostic: str = ""
    original: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was read, bounded. `at`: UTC seconds at which the mailbox took it, not what its Date says.

    `sender`: the address of From in small letters, "" when there is none or several. `headers`: those that matter, names in
    small letters, topmost first. `references`: Message-IDs of In-Reply-To and References. `text`: the start of what it says,
    without what it quotes. `defects`: what was cut, or could not be read.
    """

    at: int
    sender: str
    subject: str = ""
    text: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    report: Report | None = None
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread:
    """An open incident's. `reference`: the Message-ID of its ticket; `number`: the vendor's, "" while not known."""

    incident: str
    service: str
    reference: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a service's vendor writes. `domains`: it answers from these and their subdomains. `own`: our addresses.

    `copied`: who of ours gets mails about it, copies and pages.

    Patterns are tried in their order, before the general ones: `number` finds the ticket's number (its first group), `closed`
    a notice that the ticket was closed, `agent` a person's words in a notification that is marked as automatic.
    """

    domains: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()
    number: tuple[Searches, ...] = ()
    closed: tuple[Searches, ...] = ()
    agent: tuple[Searches, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A mail that concerns an incident. `incident` "" when it names none; `number` the vendor's for the ticket, if it says one.

    `automatic`: no person wrote it, so that it is no response. `closes`: it says that the vendor closed the ticket, which a
    person must confirm.
    """

    kind: ReplyKind
    why: Why
    service: str
    incident: str
    at: int
    sender: str
    subject: str
    text: str
    message_id: str
    number: str = ""
    automatic: bool = False
    closes: bool = False
    defects: tuple[str, ...] = ()
