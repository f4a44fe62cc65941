"""What a closed second is to the conditions' rules; an endpoint watched at no cost while it stays as it is."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rules.model import Cell, Verdict
from rules.persistence import MOST_REACH, Mark, Rule, Tracker
from rules.reasons import THROTTLED
from rules.slow import Slowness
from rules.timeline import Run, cut, stretches

#: So many reasons are told of a condition, the most frequent ones.
MOST_REASONS = 10

_MARKS = {
    Verdict.AVAILABLE: Mark.GOOD,
    Verdict.UNAVAILABLE: Mark.BAD,
    Verdict.INCONCLUSIVE: Mark.FAIR,
    Verdict.UNMEASURED: Mark.UNMEASURED,
}


def unavailable_mark(cell: Cell) -> Mark:
    """What a second is to `unavailable` and `partial`: bad is what the agreement calls Unavailable."""
    return _MARKS[cell.verdict]


def failing_mark(cell: Cell) -> Mark:
    """What a second is to `failing`: bad is a measured second without any success, whoever's fault.

    A second without a call because the vendor asked us to wait is neutral: waiting is what a used-up quota looks like.
    """
    if cell.verdict is Verdict.UNMEASURED:
        return Mark.NEUTRAL if cell.reason == THROTTLED else Mark.UNMEASURED
    return Mark.GOOD if cell.verdict is Verdict.AVAILABLE else Mark.BAD


class Watched:
    """An endpoint: the mark that it has had since second `since`, up to which its tracker was fed."""

    __slots__ = ("mark", "reason", "rule", "since", "tracker")

    def __init__(self, rule: Rule, tracker: Tracker | None) -> None:
        self.rule = rule
        self.tracker = tracker  # None while it has had one mark alone, and that not a bad one
        self.mark = Mark.UNMEASURED
        self.reason = ""
        self.since: int | None = None

    def change(self, second: int, mark: Mark, reason: str) -> None:
        if mark is self.mark and (mark is not Mark.BAD or reason == self.reason) and self.since is not None:
            return
        if self.since is None:
            self.since = second
        else:
            self.catch_up(second)
        self.mark, self.reason = mark, reason

    def catch_up(self, end: int) -> Tracker:
        """The tracker, fed up to but not including `end`."""
        if self.tracker is None:
            self.tracker = Tracker(self.rule)
        if self.since is not None and self.since < end:
            self.tracker.feed_many(self.since, end - self.since, self.mark, self.reason)
            self.since = end
        return self.tracker

    @property
    def idle(self) -> bool:
        """Nothing can happen to it before its next change: it need not catch up."""
        return self.mark is not Mark.BAD if self.tracker is None else self.tracker.quiet(self.mark)

    def replay(self, runs: Iterable[Run], through: int) -> None:
        """Take the recorded runs through second `through`, before any second is fed."""
        onset = self.tracker.onset if self.tracker else None
        parts = _relevant(self.rule, onset, runs, through, unavailable_mark)
        if not parts:
            return
        self.since = parts[0].start
        marks = {unavailable_mark(cell) for run in parts for cell, _ in run.cycle}
        if self.tracker is not None or len(marks) > 1 or Mark.BAD in marks:
            self.tracker = self.tracker or Tracker(self.rule)
            replay(self.tracker, parts, through, unavailable_mark)
            self.since = through + 1
        last = parts[-1].cell(through)
        self.mark, self.reason = unavailable_mark(last), last.reason


def replay(tracker: Tracker, runs: Iterable[Run], through: int, mark: Callable[[Cell], Mark]) -> None:
    """Give a tracker the recorded runs through second `through`, before any second is fed to it."""
    for second, n, cell in stretches(_relevant(tracker.rule, tracker.onset, runs, through, mark)):
        tracker.replay(second, n, mark(cell), cell.reason)


def _relevant(
    rule: Rule, onset: int | None, runs: Iterable[Run], through: int, mark: Callable[[Cell], Mark]
) -> list[Run]:
    """The part of the runs that a tracker needs: without a hole, and no longer than its reach.

    A spell that persists is taken from its onset, for the counts of its reasons, but no further back than a day. Empty
    when they end before `through`: what is known is then older than a hole.
    """
    end = through + 1
    since = end - rule.reach if onset is None else max(min(end - rule.reach, onset), end - MOST_REACH)
    parts = list(cut(runs, since, end))
    if not parts or parts[-1].end != end:
        return []
    whole = len(parts) - 1
    while whole and parts[whole - 1].end == parts[whole].start:
        whole -= 1
    parts = parts[whole:]
    if any(mark(cell) is Mark.BAD for run in parts for cell, _ in run.cycle):
        return parts
    return list(cut(parts, end - rule.short_reach, end))


def foremost(reasons: Mapping[str, int]) -> dict[str, int]:
    """The most frequent of the reasons, those of equal count by alphabet."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS])


def judged_by(rule: Rule, channels: Mapping[str, Tracker], slowness: Slowness | None = None) -> dict[str, Any]:
    """The rule as JSON values, named as the configuration names it, and what each channel's window holds."""
    return {
        "for": rule.for_,
        "share": float(rule.share),
        "at_least": rule.at_least,
        "recovered_after": rule.recovered_after,
        "every": float(rule.every),
        **(slowness.as_json() if slowness else {}),
        "channels": {name: {"measured": t.measured, "bad": t.bad} for name, t in channels.items()},
    }
