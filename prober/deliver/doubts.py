"""Whether an act may have been taken although nobody said so: its answer was lost.

Twice is better than never: an act whose first receiver leaves that open goes on to the next one in the end, and its text
says that it may come twice. So whoever reads both sees one incident and closes one of two tickets.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from rules.acts import Act, ActKind, ActResult, Outcome

#: Acts that go to the vendor, by whichever receiver takes them. A page goes to one receiver each.
_VENDORS = frozenset({ActKind.TICKET, ActKind.NOTE, ActKind.HOTLINE, ActKind.ESCALATION})


def uncertain(earlier: Sequence[ActResult]) -> str:
    """The receiver that may have taken the act, by its earlier attempts: its answer was lost, and it has not refused since."""
    uncertain = ""
    for result in earlier:
        if result.outcome is Outcome.UNKNOWN:
            uncertain = result.receiver
        elif result.receiver == uncertain and result.outcome is Outcome.PERMANENT:
            uncertain = ""
    return uncertain


def doubted(earlier: Sequence[ActResult]) -> set[str]:
    """All receivers that may have taken it."""
    doubted: set[str] = set()
    for result in earlier:
        if result.outcome is Outcome.UNKNOWN:
            doubted.add(result.receiver)
        elif result.outcome is Outcome.PERMANENT:
            doubted.discard(result.receiver)
    return doubted


def repeats(earlier: Sequence[ActResult]) -> dict[str, int]:
    """How often each receiver has been asked again since an answer of its was lost."""
    repeats: dict[str, int] = {}
    for result in earlier:
        if result.receiver in repeats:
            repeats[result.receiver] += 1
        elif result.outcome is Outcome.UNKNOWN:
            repeats[result.receiver] = 0
    return repeats


def said(earlier: Sequence[ActResult]) -> dict[str, bool]:
    """Whether each receiver, at its newest attempt, was told that the act may come twice (`told`)."""
    said: dict[str, bool] = {}
    for n, result in enumerate(earlier):
        _decide(said, result.receiver, doubted(earlier[:n]))
    return said


def told(act: Act, receiver: str, doubted: Collection[str], said: dict[str, bool]) -> Act:
    """The act as `receiver` gets it while `doubted` may have taken it.

    Who may have it itself gets what it got before: desks refuse one key with two texts.
    """
    _decide(said, receiver, doubted)
    if act.kind not in _VENDORS or not said[receiver]:
        return act
    return replace(act, facts={**act.facts, "maybe_twice": True})


def _decide(said: dict[str, bool], receiver: str, doubted: Collection[str]) -> None:
    if receiver not in doubted:
        said[receiver] = bool(doubted)
    said.setdefault(receiver, False)
