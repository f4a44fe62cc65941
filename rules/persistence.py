"""Persistent, onset, recovered: when bad seconds amount to more than seconds (DESIGN.md, "Settled", Persistent).

One rule judges several series: what is *bad* is the caller's (an Unavailable second for a service, a channel or an
endpoint; a second without any success for `failing`). A tracker follows one series in O(1) amortised a second and in a
few steps over a stretch of equal seconds, so that a series that nobody mentioned for an hour costs nothing meanwhile.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import ceil, floor

#: Measured seconds without which nothing counts as recovered.
RECOVERY_MEASURED = 3
#: Before every second there is.
NEVER = -(1 << 62)
# More lows than this are not kept: an onset is then looked for among the newest alone.
_MOST_LOWS = 1024
#: History is not replayed further back than this, seconds.
MOST_REACH = 86_400


class Mark(IntEnum):
    """What a closed second is to the rule."""

    GOOD = 0  # measured, available
    BAD = 1  # measured, and what the rule looks for
    FAIR = 2  # measured, neither (inconclusive)
    UNMEASURED = 3
    NEUTRAL = 4  # not measured on purpose: neither measured nor part of a gap


_IS_MEASURED = (1, 1, 1, 0, 0)  # by mark
_IS_BAD = (0, 1, 0, 0, 0)
_IS_GOOD = (1, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """The agreement's or the configuration's figures, in seconds. `share` is exact, so that 54 of 60 is 0.9.

    `every` is the interval of the series' calls (the most frequent endpoint's). Impossible figures raise ValueError.
    """

    for_: int = 60
    every: int | Fraction = 1
    share: Fraction = Fraction(9, 10)
    at_least: int = 3
    recovered_after: int = 120

    def __post_init__(self) -> None:
        if min(self.for_, self.at_least, self.recovered_after) < 1 or self.every <= 0 or not 0 < self.share <= 1:
            raise ValueError(f"not figures of persistence: {self}")

    @classmethod
    def of(cls, *, for_ms: int, every_ms: int, share: float, at_least: int, recovered_after_ms: int) -> "Rule":
        """The rule from figures as the configuration has them; spans are rounded up to whole seconds."""
        return cls(
            for_=ceil(Fraction(for_ms, 1000)),
            every=Fraction(every_ms, 1000),
            share=Fraction(repr(share)),  # 0.9 as it was written, not as the nearest binary fraction
            at_least=at_least,
            recovered_after=ceil(Fraction(recovered_after_ms, 1000)),
        )

    @property
    def bearable(self) -> int:
        """How many consecutive unmeasured seconds are no gap yet."""
        return floor(max(2 * self.every, 5))

    @property
    def dense(self) -> bool:
        """No window of `for_` seconds without a gap can hold fewer than `at_least` measured ones."""
        return self.for_ >= self.at_least * (self.bearable + 1)

    @property
    def short_reach(self) -> int:
        """Seconds of history that rebuild a tracker of a series without a bad second in `reach`."""
        spare = self.bearable + 1
        return min(MOST_REACH, max(self.for_, self.recovered_after, RECOVERY_MEASURED * spare) + spare)

    @property
    def reach(self) -> int:
        """Seconds of history that rebuild a tracker (a day at most).

        An onset can lie before its window, but not far: each window before was short of the share by a weight at least.
        """
        rise = self.share.denominator - self.share.numerator
        return min(MOST_REACH, self.for_ * (2 * self.for_ * rise + 2) + self.short_reach)


@dataclass(frozen=True, slots=True)
class Began:
    """Persistence began at the end of `second`; `measured` and `bad` count the window that ends there."""

    second: int
    onset: int
    measured: int
    bad: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Recovery at the close of `second` (UTC seconds)."""

    second: int


Transition = Began | Recovered


@dataclass(slots=True)
class _Low:
    """A bad second before which the weight was lower than ever: where an onset can be."""

    second: int
    weight: int
    reasons: dict[str, int]  # of the bad seconds from here to the next low


class Tracker:
    """Follows one series of closed seconds, which must be consecutive.

    The weight of a second is chosen so that a stretch has its share of bad seconds exactly when its weights add up to
    zero or more: den - num for a bad second, -num for another measured one, 0 for the rest (share is num / den).
    """

    __slots__ = (
        "_bad_in_spell",
        "_clean_good",
        "_clean_measured",
        "_dense",
        "_idle",
        "_lows",
        "_oldest",
        "_weight",
        "_weights",
        "_window",
        "bad",
        "last_bad",
        "measured",
        "next",
        "onset",
        "recovered",
        "rule",
    )

    def __init__(self, rule: Rule, onset: int | None = None, recovered: int = NEVER) -> None:
        """`onset` (of a spell that persists) and `recovered` (the last recovery) come from a record."""
        self.rule = rule
        self.onset = onset
        self.recovered = recovered
        self.next: int | None = None  # the second that must come next; None: any may
        self.measured = 0  # of the window
        self.bad = 0  # of the window
        self.last_bad = NEVER
        num, den = rule.share.numerator, rule.share.denominator
        self._weights = (-num, den - num, -num, 0, 0)  # by mark
        self._window: deque[list[int]] = deque()  # [mark, seconds] of the last for_ seconds
        self._oldest = NEVER  # measured second since the last gap; NEVER: there is none
        self._idle = 0  # consecutive unmeasured seconds
        self._weight = 0  # of all seconds since the last gap
        self._lows: deque[_Low] = deque(maxlen=_MOST_LOWS)  # their weights fall
        self._dense = rule.dense
        self._bad_in_spell: dict[str, int] = {}
        self._clean_measured = 0  # since the last bad second or gap
        self._clean_good = 0

    @property
    def persistent(self) -> bool:
        return self.onset is not None

    def quiet(self, mark: Mark) -> bool:
        """Nothing can happen as long as seconds of `mark` follow, however many."""
        if self.onset is None:
            return mark is not Mark.BAD and not self.bad
        return mark is Mark.BAD or (mark is not Mark.GOOD and not self._clean_good)

    @property
    def reasons(self) -> Mapping[str, int]:
        """Seconds by reason of the bad ones since the onset; empty when nothing persists."""
        return self._bad_in_spell

    def feed(self, second: int, mark: Mark, reason: str = "") -> Transition | None:
        """Take the next closed second; what happened at its end."""
        found = self.feed_many(second, 1, mark, reason)
        return found[0] if found else None

    def feed_many(self, second: int, n: int, mark: Mark, reason: str = "") -> tuple[Transition, ...]:
        """Take `n` equal seconds from `second` on; what happened in them, two transitions at most."""
        return self._take(second, n, mark, reason, deciding=True)

    def replay(self, second: int, n: int, mark: Mark, reason: str = "") -> None:
        """Take recorded seconds whose transitions are known: what is persistent stays as it was given."""
        self._take(second, n, mark, reason, deciding=False)

    def _take(self, second: int, n: int, mark: Mark, reason: str, *, deciding: bool) -> tuple[Transition, ...]:
        if (self.next is not None and second != self.next) or n < 0:
            raise ValueError(f"{n} seconds from {second} came where {self.next} was due")
        self.next = second + n
        if not n:
            return ()
        if mark is Mark.UNMEASURED:
            bearable = self.rule.bearable
            if self._idle + n > bearable:
                before = max(0, bearable - self._idle)
                found = self._stretch(second, before, mark, reason, deciding) if self._oldest != NEVER else ()
                self._gap()
                return found
            self._idle += n
        elif mark is Mark.NEUTRAL:
            self._dense = False  # windows may from now on hold fewer than at_least
        else:
            self._idle = 0
            if self._oldest == NEVER:
                self._oldest = second
                self._window.append([Mark.UNMEASURED, self.rule.for_])
        if self._oldest == NEVER:
            return ()
        return self._stretch(second, n, mark, reason, deciding)

    def _gap(self) -> None:
        self._idle = self.rule.bearable + 1
        self._oldest = NEVER
        self._window.clear()
        self._lows.clear()
        self.measured = self.bad = self._weight = self._clean_measured = self._clean_good = 0

    def _stretch(self, second: int, n: int, mark: Mark, reason: str, deciding: bool) -> tuple[Transition, ...]:
        """Slide the window over `n` equal seconds, by pieces in which equal seconds leave it, too."""
        found: tuple[Transition, ...] = ()
        if mark is Mark.BAD and self.onset is None and second > self.recovered:
            self._note_low(second)
        while n:
            head = self._window[0]
            piece = n if len(self._window) == 1 and head[0] == mark else min(n, head[1])
            at = self._first_turn(second, piece, mark, head[0]) if deciding else 0
            piece = at or piece
            self._slide(second, piece, mark, reason)
            second += piece
            n -= piece
            if at:
                found += (self._turn(second - 1),)
        return found

    def _note_low(self, second: int) -> None:
        lows = self._lows
        if lows and lows[-1].weight <= self._weight:
            return
        if self._dense:
            # Before something persists, the weight cannot rise by more than two windows are worth.
            top = self._weight + 2 * self.rule.for_ * self.rule.share.denominator
            while lows and lows[0].weight > top:
                lows.popleft()
        lows.append(_Low(second, self._weight, {}))

    def _first_turn(self, second: int, n: int, mark: Mark, leaving: int) -> int:
        """After how many of these seconds persistence begins or ends; 0: in none of them."""
        measured = _IS_MEASURED[mark]
        if self.onset is not None:
            if mark is Mark.BAD:
                return 0
            clean_from = max(self.last_bad + 1, self._oldest)
            return _first(
                n,
                (second - clean_from - self.rule.recovered_after, 1),
                (self._clean_measured - RECOVERY_MEASURED, measured),
                (self._clean_good - 1, _IS_GOOD[mark]),
            )
        if not self._lows:
            return 0
        measured -= _IS_MEASURED[leaving]
        bad = _IS_BAD[mark] - _IS_BAD[leaving]
        num, den = self.rule.share.numerator, self.rule.share.denominator
        return _first(
            n,
            (second - self._oldest - self.rule.for_, 1),
            (self.measured - self.rule.at_least, measured),
            (den * self.bad - num * self.measured, den * bad - num * measured),
            (self._weight - self._lows[-1].weight, self._weights[mark]),
        )

    def _slide(self, second: int, n: int, mark: Mark, reason: str) -> None:
        window = self._window
        head, tail = window[0], window[-1]
        if head is not tail or head[0] != mark:
            self.measured += (_IS_MEASURED[mark] - _IS_MEASURED[head[0]]) * n
            self.bad += (_IS_BAD[mark] - _IS_BAD[head[0]]) * n
            head[1] -= n
            if not head[1]:
                window.popleft()
            if tail[0] == mark and window:
                tail[1] += n
            else:
                window.append([mark, n])
        self._weight += self._weights[mark] * n
        if mark is not Mark.BAD:
            self._clean_measured += _IS_MEASURED[mark] * n
            self._clean_good += _IS_GOOD[mark] * n
            return
        self.last_bad = second + n - 1
        self._clean_measured = self._clean_good = 0
        if self.onset is not None:
            counts, n = self._bad_in_spell, min(n, second + n - self.onset)
        elif self._lows:
            counts = self._lows[-1].reasons
        else:
            return  # recorded, and part of a spell that has recovered since
        if n > 0:
            counts[reason] = counts.get(reason, 0) + n

    def _turn(self, second: int) -> Transition:
        if self.onset is not None:
            self.onset = None
            self.recovered = second
            self._bad_in_spell = {}
            return Recovered(second)
        while self._lows[0].weight > self._weight:
            self._lows.popleft()
        self.onset = self._lows[0].second
        self._bad_in_spell = {}
        for low in self._lows:
            for reason, n in low.reasons.items():
                self._bad_in_spell[reason] = self._bad_in_spell.get(reason, 0) + n
        self._lows.clear()
        return Began(second, self.onset, self.measured, self.bad)


def _first(n: int, *lines: tuple[int, int]) -> int:
    """The first j of 1..n at which at + slope * j >= 0 for every (at, slope); 0: there is none."""
    low, high = 1, n
    for at, slope in lines:
        if slope > 0:
            low = max(low, -(at // slope))
        elif slope < 0:
            high = min(high, at // -slope)
        elif at < 0:
            return 0
    return low if low <= high else 0
