"""What makes mailboxes, status pages, maintenance windows and the heartbeat wrong although each value is right."""

from collections.abc import Iterator
from pathlib import Path

from prober.settings import Settings
from prober.surroundings import Mailbox, Maintenance, Replies, StatusPage
from prober.yamlread import Loc

Found = tuple[Loc, str]

_HOUR = 3_600_000  # ms


def check(settings: Settings) -> Iterator[Found]:
    """All that is wrong in what surrounds the measuring."""
    labels = [mailbox.label for mailbox in settings.mailboxes]
    for index, mailbox in enumerate(settings.mailboxes):
        if mailbox.label in labels[:index]:
            yield ("mailboxes", index, "name"), f"{mailbox.label} is another mailbox's name; give each its own"
        yield from _mailbox(("mailboxes", index), mailbox)
    yield from _maintenance(("maintenance",), settings.maintenance)
    beat = settings.heartbeat
    if beat is not None:
        if beat.url is None:
            yield ("heartbeat", "url"), "is missing; write url or url_file"
        yield from _span(("heartbeat", "every"), beat.every, 1000)
        yield from _authorities(("heartbeat", "ca"), beat.ca)
    for name, service in settings.services.items():
        yield from _maintenance(("services", name, "maintenance"), service.maintenance)
        yield from _replies(("services", name, "replies"), service.replies)
        if service.status_page is not None:
            yield from _page(("services", name, "status_page"), service.status_page)


def _mailbox(loc: Loc, mailbox: Mailbox) -> Iterator[Found]:
    if mailbox.password is None:
        yield (*loc, "password"), "is missing; write password or password_file"
    yield from _span((*loc, "every"), mailbox.every, 1000)
    yield from _authorities((*loc, "ca"), mailbox.ca)


def _maintenance(loc: Loc, entries: tuple[Maintenance, ...]) -> Iterator[Found]:
    from prober.maintenance import check as wrong_with

    for index, entry in enumerate(entries):
        wrong = wrong_with(entry)
        if wrong is not None:
            yield (*loc, index, wrong[0]), wrong[1]


def _replies(loc: Loc, replies: Replies) -> Iterator[Found]:
    if not replies.number:
        return
    import re2  # heavy to load, and most configurations hold no pattern

    for index, pattern in enumerate(replies.number):
        if not re2.compile(pattern).groups:
            yield (*loc, "number", index), "has no group; put the number in (...), such as case (\\d+)"


def _page(loc: Loc, page: StatusPage) -> Iterator[Found]:
    yield from _span((*loc, "every"), page.every, 10_000)
    yield from _authorities((*loc, "ca"), page.ca)


def _span(loc: Loc, ms: int, least: int) -> Iterator[Found]:
    if not least <= ms <= _HOUR:
        yield loc, f"is out of range; write a time from {least // 1000}s to 1h"


def _authorities(loc: Loc, file: Path | None) -> Iterator[Found]:
    from prober.checks import authorities

    yield from authorities(loc, file)
