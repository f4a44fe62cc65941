"""Persistence straight from DESIGN.md's sentences, over the whole list of seconds, with no regard to cost."""

from collections.abc import Sequence

from rules.persistence import Began, Mark, Recovered, Rule, Transition

MEASURED = (Mark.GOOD, Mark.BAD, Mark.FAIR)


def transitions(rule: Rule, marks: Sequence[Mark], first: int = 0) -> list[Transition]:
    """What the rule finds in `marks`, whose first second is `first`."""
    found: list[Transition] = []
    onset: int | None = None
    recovered = -1  # index of the last recovery
    for s in range(len(marks)):
        if onset is None:
            onset = _onset(rule, marks, s, recovered)
            if onset is not None:
                window = marks[s - rule.for_ + 1 : s + 1]
                found.append(Began(first + s, first + onset, _measured(window), window.count(Mark.BAD)))
        elif _recovers(rule, marks, s):
            found.append(Recovered(first + s))
            onset, recovered = None, s
    return found


def since_gap(rule: Rule, marks: Sequence[Mark], s: int) -> list[int]:
    """The measured seconds since the last gap: more than max(2 * every, 5) unmeasured seconds in a row."""
    run, measured = 0, []
    for t in range(s + 1):
        if marks[t] in MEASURED:
            run = 0
            measured.append(t)
        elif marks[t] is Mark.UNMEASURED:
            run += 1
            if run > max(2 * rule.every, 5):
                measured = []
    return measured


def _onset(rule: Rule, marks: Sequence[Mark], s: int, recovered: int) -> int | None:
    """The onset, if persistence holds at the end of second `s`."""
    measured = since_gap(rule, marks, s)
    if not measured or (s + 1) - measured[0] < rule.for_:
        return None
    window = marks[s - rule.for_ + 1 : s + 1]
    if _measured(window) < rule.at_least or not _share_holds(rule, window):
        return None
    for u in range(max(measured[0], recovered + 1), s + 1):
        if marks[u] is Mark.BAD and _share_holds(rule, marks[u : s + 1]):
            return u
    return None


def _recovers(rule: Rule, marks: Sequence[Mark], s: int) -> bool:
    measured = since_gap(rule, marks, s)
    if not measured:
        return False
    stretch = marks[measured[0] : s + 1]
    while Mark.BAD in stretch:
        stretch = stretch[stretch.index(Mark.BAD) + 1 :]
    return len(stretch) >= rule.recovered_after and _measured(stretch) >= 3 and Mark.GOOD in stretch


def _measured(marks: Sequence[Mark]) -> int:
    return sum(mark in MEASURED for mark in marks)


def _share_holds(rule: Rule, marks: Sequence[Mark]) -> bool:
    return marks.count(Mark.BAD) >= rule.share * _measured(marks)


def held(rule: Rule, marks: Sequence[Mark]) -> tuple[list[int | None], list[int]]:
    """Of each second: the onset of what persists at its end (None: nothing does), and the last recovery (-1: none yet)."""
    onsets: list[int | None] = []
    recoveries: list[int] = []
    changes = {change.second: change for change in transitions(rule, marks)}
    onset, recovered = None, -1
    for s in range(len(marks)):
        change = changes.get(s)
        if isinstance(change, Began):
            onset = change.onset
        elif isinstance(change, Recovered):
            onset, recovered = None, s
        onsets.append(onset)
        recoveries.append(recovered)
    return onsets, recoveries


def last_bad(marks: Sequence[Mark], s: int) -> int:
    return max((t for t in range(s + 1) if marks[t] is Mark.BAD), default=-1)


def blind(for_: int, measured: Sequence[bool | None]) -> list[bool]:
    """Of each second: whether we are blind at its end. None: the program did not run."""
    found, now = [], False
    for s in range(len(measured)):
        ran = [m for m in measured[: s + 1] if m is not None]
        dark = len(ran) - (max((i for i, m in enumerate(ran) if m), default=-1) + 1)
        if not now:
            now = dark >= for_ and measured[s] is not None
        else:
            # Measured seconds since the last time for_ seconds on end had none.
            ends = [i for i in range(len(ran)) if i + 1 >= for_ and not any(ran[i + 1 - for_ : i + 1])]
            now = sum(bool(m) for m in ran[ends[-1] :]) < 3
        found.append(now)
    return found
