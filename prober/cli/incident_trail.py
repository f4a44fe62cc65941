"""One incident's whole trail, for people and for programs: records, acts with their attempts, failed calls kept."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from prober import instants, tickets
from prober.cli import stored
from prober.store import IncidentHead, Reader, StoredAct, StoredFailure
from rules.acts import Outcome

#: Failed calls named in the text; --format jsonl has all.
SHOWN = 10
_ALL = 1 << 31
#: What records call their instants, which they keep as UTC seconds or nanoseconds.
_INSTANTS = frozenset({"at", "due", "last", "last_bad", "onset", "recovered", "second", "since", "until", "when"})
_NANOSECONDS = 10**15  # from here on it is these


def lines(reader: Reader, head: IncidentHead, since: int, until: int) -> None:
    """JSON lines: `type` record, act (with attempts), failure."""
    for record in reader.records(head.id):
        _line(type="record", at=record.at, kind=record.kind, detail=record.detail)
    for stored_act in reader.acts(head.id):
        act = stored_act.act
        _line(
            type="act",
            id=act.id,
            kind=act.kind,
            episode=act.episode,
            step=act.step,
            receivers=act.receivers,
            created=act.created,
            after=act.after or None,
            status=stored_act.status,
            attempts=[
                {
                    "at_ns": a.at,
                    "receiver": a.receiver,
                    "outcome": a.outcome,
                    "detail": a.detail,
                    "reference": a.reference,
                }
                for a in stored_act.attempts
            ],
            facts=act.facts,
        )
    for failure in reader.failures(head.service, since, until, _ALL):
        _line(
            type="failure",
            second=failure.second,
            at_ns=failure.at,
            channel=failure.key.channel,
            endpoint=failure.key.endpoint,
            fault=failure.fault,
            reason=failure.reason,
            **failure.facts,
        )


def _line(**facts: Any) -> None:
    print(json.dumps(facts, ensure_ascii=False))


def text(reader: Reader, head: IncidentHead, since: int, until: int) -> None:
    """What a person reads; all times UTC."""
    for line in _whole(reader, head, since, until):
        print(line)


def _whole(reader: Reader, head: IncidentHead, since: int, until: int) -> Iterator[str]:
    yield f"incident   {head.id}"
    yield f"service    {head.service}"
    yield f"severity   {head.severity}"
    yield f"phase      {head.phase}"
    yield f"onset      {instants.show(head.onset)}"
    yield f"raised     {instants.show(head.raised)}"
    if head.recovered is not None:
        yield f"recovered  {instants.show(head.recovered)} ({instants.span(head.recovered - head.onset)} after the onset)"
    if head.closed is not None:
        yield f"closed     {instants.show(head.closed)}"
    yield f"episodes   {head.episodes}"
    yield f"ticket     {stored.harmless(tickets.in_words(head.ticket)) or '-'}"
    if tickets.is_mail(head.ticket):
        yield f"           Message-ID: {stored.harmless(head.ticket)}"
    if head.conditions:
        yield f"conditions {', '.join(head.conditions)}"
    yield "\nwhat happened"
    for record in reader.records(head.id):
        yield f"  {instants.show(record.at)}  {record.kind}{_detail(record.detail)}"
    yield "\nwhat was done"
    for act in reader.acts(head.id):
        yield from _act(act)
    kept = reader.count_failures(head.service, since, until)
    yield f"\nfailed calls kept: {kept}"
    for failure in reader.failures(head.service, since, until, SHOWN):
        yield f"  {_failure(failure)}"
    if kept > SHOWN:
        yield "  ... all of them, with transcripts: --format jsonl"


def _act(stored_act: StoredAct) -> Iterator[str]:
    act = stored_act.act
    receivers = ", ".join(act.receivers) or "nobody"
    step = stored.harmless(act.step)  # who tells on-call by a step names the matter
    yield f"  {instants.show(act.created)}  {act.kind} ({step}) to {receivers}: {stored_act.status}"
    for attempt in stored_act.attempts:
        words = [attempt.outcome.value, attempt.detail, f"reference {attempt.reference}" if attempt.reference else ""]
        if attempt.outcome is Outcome.ACCEPTED:  # by it a person says that it reached nobody
            words.append(f"key {act.key(attempt.receiver).partition('/')[2]}")
        said = ", ".join(stored.harmless(word) for word in words if word)
        yield f"    {instants.show_ns(attempt.at)}  {attempt.receiver}: {said}"


def _failure(failure: StoredFailure) -> str:
    seen: Mapping[str, Any] = failure.facts.get("observation", {})
    reply = f" {seen['code']}" if seen.get("code") else ""
    place = f"{failure.key.channel}/{failure.key.endpoint}"
    return f"{instants.show_ns(failure.at)}  {place}  {failure.fault} {failure.reason}{reply}"


def _detail(detail: Mapping[str, Any]) -> str:
    """Small facts as `name=value`; nested ones are for --format jsonl."""
    small = {name: value for name, value in detail.items() if value not in (None, "", []) and not _nested(value)}
    return "".join(f"  {name}={stored.harmless(_plain(name, value))}" for name, value in small.items())


def _nested(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(each, str) for each in value))


def _plain(name: str, value: object) -> str:
    if name in _INSTANTS and isinstance(value, int) and value > 0:
        with contextlib.suppress(ValueError, OverflowError):  # of no year that a calendar knows
            return instants.show_ns(value) if value >= _NANOSECONDS else instants.show(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
