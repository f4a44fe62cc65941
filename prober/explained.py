"""The closed list of reasons in chapters, for people: the program's page `/reasons` and the documents show the same.

Reply codes of one class that nobody has given a name, and that are answered with the same advice, share an entry: each of them
keeps its own name, so that a link to any reason leads to its explanation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from rules.reason_texts import LISTED
from rules.reasons import REASONS, SMTP_STAGES, Reason, http_status, smtp_reply

#: Fewer codes than this are told one by one.
_FEW = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One explanation; `names` are the reasons that it is about, mostly one."""

    label: str
    names: tuple[str, ...]
    means: str
    advice: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """Entries that belong together. `key` is its place on a page."""

    key: str
    title: str
    entries: tuple[Entry, ...]


@cache
def chapters() -> tuple[Chapter, ...]:
    """All reasons; each is in exactly one entry."""
    stages = [REASONS[f"{stage}{end}"] for stage in SMTP_STAGES for end in ("_timeout", "_dropped")]
    statuses = [REASONS[http_status(code)] for code in range(100, 600)]
    replies = [REASONS[smtp_reply(code)] for code in range(200, 600)]
    return (
        *_listed(),
        Chapter("smtp-stages", "SMTP, stage by stage", tuple(_one(reason) for reason in stages)),
        Chapter("http-statuses", "HTTP statuses", tuple(_codes(statuses, "http_status_", "The reply's status was"))),
        Chapter("smtp-replies", "SMTP replies", tuple(_codes(replies, "smtp_reply_", "The SMTP server replied"))),
    )


def _listed() -> Iterator[Chapter]:
    """The chapters of the list itself: its lines with `#` are their titles."""
    title, names = "", list[str]()
    for text in LISTED.splitlines():
        if text.startswith("# "):
            if names:
                yield _chapter(title, names)
            title, names = text.removeprefix("# "), []
        elif text and not text[0].isspace():
            names.append(text)
    yield _chapter(title, names)


def _chapter(title: str, names: list[str]) -> Chapter:
    key = "-".join(re.findall("[a-z]+", title.partition(",")[0].lower().replace("'s", "")))
    return Chapter(f"about-{key}", title[0].upper() + title[1:], tuple(_one(REASONS[name]) for name in names))


def _one(reason: Reason) -> Entry:
    return Entry(reason.name, (reason.name,), reason.means, reason.advice)


def _codes(reasons: list[Reason], prefix: str, said: str) -> Iterator[Entry]:
    """Those with a name or advice of their own, each class followed by the others of it."""
    for digit in "12345":
        of_class = [reason for reason in reasons if reason.name.startswith(prefix + digit)]
        alike: dict[str, list[Reason]] = {}
        for reason in of_class:
            if reason.means == f"{said} {reason.name.removeprefix(prefix)}.":
                alike.setdefault(reason.advice, []).append(reason)
        for reason in of_class:
            if reason not in alike.get(reason.advice, ()) or len(alike[reason.advice]) < _FEW:
                yield _one(reason)
        for advice, those in alike.items():
            if len(those) >= _FEW:
                names = tuple(reason.name for reason in those)
                yield Entry(f"{prefix}{digit}xx, any other", names, f"{said} another {digit}xx.", advice)
