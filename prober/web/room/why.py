"""Whose fault it is and why we say so: conditions with their figures, reasons, controls, and the rule of judgement."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prober.deliver import limb
from prober.deliver.view import View, line
from prober.store import StoredAct
from prober.web.reasons import place_of
from rules.acts import Act, ActKind
from rules.incident_state import MAILBOX, ServiceState
from rules.reasons import REASONS

#: Reasons shown of a condition.
MOST = 12
_WHOSE: Mapping[str, str] = {
    "unavailable": "the vendor's: in these seconds every call of a channel failed by a fault of the server's",
    "partial": "the vendor's: in these seconds every call of the endpoint failed by a fault of the server's",
    "intermittent": "the vendor's: in these seconds every call of a channel failed by a fault of the server's",
    "slow": "the vendor's: calls succeed, too slowly",
    "failing": "nobody's provably: it may be our key, our quota, a policy or DNS; the vendor is not told",
    "blind": "ours, as far as we know: nothing can be measured from here; the vendor is not told",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """How many seconds were bad for this reason since the onset; `place`: where all reasons are explained."""

    name: str
    seconds: int
    means: str
    advice: str
    place: str


@dataclass(frozen=True, slots=True)
class Why:
    """One condition. `scope`: what of the service it is, where `words` do not say so; `holds`: it does so now."""

    words: str
    whose: str
    scope: str
    onset: str
    raised: str
    measured: str
    bad: str
    reasons: tuple[Reason, ...]
    rule: tuple[tuple[str, str], ...]
    holds: bool

    @property
    def title(self) -> str:
        """The words as a heading. Names in them stay as they are."""
        return self.words[:1].upper() + self.words[1:]


def newest(acts: Iterable[StoredAct]) -> Act | None:
    """The act whose facts say most of the incident as it is now: the newest one that tells of its cause."""
    told = [each.act for each in acts if each.act.kind in (ActKind.PAGE, ActKind.TICKET, ActKind.HOTLINE)]
    about = [act for act in told if act.step == "open" or act.step.startswith("severity-")]
    return max(about or told, key=lambda act: act.created, default=None)


def reasons_why(act: Act | None, state: ServiceState | None) -> tuple[Why, ...]:
    """What holds now (`state` of the open incident); else what the newest act said."""
    if state is not None and state.held:
        return tuple(_held(state, act))
    if act is None:
        return ()
    return (_why(View(act), act.facts.get("reasons"), holds=False),)


def _held(state: ServiceState, act: Act | None) -> Iterator[Why]:
    for held in state.held:
        facts = {
            **(act.facts if act is not None else {}),
            "condition": held.condition.value,
            "scope": held.scope,
            "onset": held.onset,
            "raised": held.second,
            "measured": held.measured,
            "bad": held.bad,
            "reasons": dict(held.reasons),
        }
        if held.rule:
            known = facts.get("rule")
            facts["rule"] = {**(known if isinstance(known, Mapping) else {}), **held.rule}
        stand_in = act or Act("", 1, ActKind.PAGE, "", (), held.second)
        yield _why(View(replace(stand_in, facts=facts)), facts["reasons"], holds=True)


def _why(view: View, reasons: Any, *, holds: bool) -> Why:
    rule = view.rule
    figures = (
        ("Window", rule["for"]),
        ("Share of the measured seconds that must be unavailable", rule["share"]),
        ("Seconds that must be measured", rule["at_least"]),
        ("A call every", rule["every"]),
        ("Rules, version", rule["version"]),
    )
    return Why(
        words=view.condition_words,
        whose=limb.WHOSE if view.one_limb else _WHOSE.get(view.condition, ""),
        scope="" if view.scope.startswith(MAILBOX) or f"({view.scope})" in view.condition_words else view.scope,
        onset=view.onset,
        raised=view.raised,
        measured=view.measured,
        bad=view.bad,
        reasons=tuple(_reasons(reasons)),
        rule=tuple((name, value) for name, value in figures if value),
        holds=holds,
    )


def _reasons(value: Any) -> Iterator[Reason]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    counted = [(str(name), n) for name, n in pairs if isinstance(n, int) and not isinstance(n, bool)]
    for name, n in sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:MOST]:
        known = REASONS.get(name)
        words = (known.means, known.advice) if known else ("", "")
        yield Reason(line(name), n, *words, place=place_of(name))
