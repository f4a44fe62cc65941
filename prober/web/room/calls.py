"""The failed calls that were kept of an incident: the first ones and the newest, each with its transcript."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prober.deliver.harmless import harmless
from prober.deliver.view import line
from prober.redact import Redactor
from prober.store import Reader, StoredFailure
from rules.model import PHASES, Kind
from rules.reasons import REASONS

#: Shown of the first ones and of the newest ones.
FIRST, NEWEST = 5, 5
#: The newest are looked for among so many at most.
_AMONG = 100
#: Characters of a transcript.
TRANSCRIPT = 6_000


@dataclass(frozen=True, slots=True)
class FailedCall:
    """One call. `at`: UTC ns of its begin."""

    at: int
    where: str
    fault: str
    reason: str
    means: str
    advice: str
    peer: str
    phases: tuple[tuple[str, str], ...]
    took: str
    transcript: str


@dataclass(frozen=True, slots=True)
class Calls:
    """`kept`: how many were kept in all."""

    shown: tuple[FailedCall, ...] = ()
    kept: int = 0


def calls_of(reader: Reader, service: str, since: int, until: int, redactor: Redactor) -> Calls:
    """Those that began within [since, until), UTC seconds. Raises StoreError."""
    kept = reader.count_failures(service, since, until)
    if kept <= FIRST + NEWEST:
        found = list(reader.failures(service, since, until, FIRST + NEWEST))
    else:
        found = list(reader.failures(service, since, until, FIRST))
        last = list(reader.failures(service, _tail(reader, service, since, until), until, _AMONG))[-NEWEST:]
        found += [each for each in last if each not in found]
    return Calls(tuple(_call(each, redactor) for each in found), kept)


def _tail(reader: Reader, service: str, since: int, until: int) -> int:
    """A second from which on few calls failed, and yet enough to show."""
    first, last = since, until
    while last - first > 1:
        middle = (first + last) // 2
        n = reader.count_failures(service, middle, until)
        if NEWEST <= n <= _AMONG:
            return middle
        first, last = (middle, last) if n > _AMONG else (first, middle)
    return first


def _call(failure: StoredFailure, redactor: Redactor) -> FailedCall:
    seen = failure.facts.get("observation")
    seen = seen if isinstance(seen, Mapping) else {}
    reason = REASONS.get(failure.reason)
    transcript = failure.facts.get("transcript")
    text = transcript[: 4 * TRANSCRIPT] if isinstance(transcript, str) else ""
    key, took = failure.key, _number(seen.get("ended")) - _number(seen.get("begun"))
    return FailedCall(
        at=failure.at,
        where="/".join(line(part) for part in (key.channel, key.endpoint) if part),
        fault=failure.fault.value,
        reason=line(failure.reason),
        means=reason.means if reason is not None else "",
        advice=reason.advice if reason is not None else "",
        peer=line(redactor.text(str(seen.get("peer") or ""))),
        phases=_phases(seen),
        took=_milliseconds(took) if took > 0 else "",
        transcript=harmless(redactor.text(text), lines=True, limit=TRANSCRIPT).strip("\n"),
    )


def _phases(seen: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    try:
        names = PHASES[Kind(str(seen.get("kind")))]
    except ValueError:
        return ()
    times = seen.get("phases")
    pairs = zip(names, times, strict=False) if isinstance(times, list | tuple) else ()
    return tuple((name, _milliseconds(ns)) for name, ns in pairs if isinstance(ns, int) and ns >= 0)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _milliseconds(ns: int) -> str:
    return f"{ns / 1e6:.1f} ms"
