"""From tallies to cells: what a second was for an endpoint, a channel and the service (DESIGN.md, "Settled", Verdict).

The agreement counts a second as Unavailable when *all* calls of the API, or all of SMTP, failed in it by the server's
fault; so one success, or one failure by anybody else's fault, keeps a second from being Unavailable (invariant 2).
"""

from collections.abc import Iterable
from functools import lru_cache

from rules.model import SERVER_FAULTS, Cell, Fault, Tally, Verdict
from rules.reasons import NO_CALL, OK

_ORDER = tuple(Fault)
_RANK = (Verdict.UNAVAILABLE, Verdict.AVAILABLE, Verdict.INCONCLUSIVE, Verdict.UNMEASURED)

# Equal seconds share one cell, so that whoever compares cells mostly compares identities. The same few dozen recur; the
# bound only keeps a pathological variety from growing without end.
_MOST = 4096
_cells: dict[Cell, Cell] = {}
_lone: dict[tuple[Fault, str, int, str], Cell] = {}  # of tallies with one kind of call, which nearly all are


def intern_cell(cell: Cell) -> Cell:
    """The one object that stands for all cells equal to `cell` (for cells read back from a store)."""
    known = _cells.get(cell)
    if known is None:
        if len(_cells) >= _MOST:
            _cells.clear()
        known = _cells[cell] = cell
    return known


def judge(tally: Tally) -> Cell:
    """The cell of an endpoint's or a channel's second, from all the calls that began in it."""
    if not tally.counts:  # a stall makes ten thousand endpoints so at once
        return _idle(tally.void or (_foremost(tally.missed.items()) if tally.missed else "") or NO_CALL)
    if len(tally.counts) != 1:
        return _judge(tally)
    (((fault, reason), n),) = tally.counts.items()
    if n <= 0:
        return _judge(tally)
    key = (fault, reason, n, tally.void)
    known = _lone.get(key)
    if known is None:
        if len(_lone) >= _MOST:
            _lone.clear()
        known = _lone[key] = _judge(tally)
    return known


@lru_cache(maxsize=_MOST)
def _idle(reason: str) -> Cell:
    """The cell of a second without a call."""
    return intern_cell(Cell(Verdict.UNMEASURED, reason, 0))


def _judge(tally: Tally) -> Cell:
    by_fault: dict[Fault, int] = {}
    for (fault, _), n in tally.counts.items():
        if n > 0:
            by_fault[fault] = by_fault.get(fault, 0) + n
    verdict, reason = _verdict(tally, by_fault)
    faults = tuple((fault, by_fault[fault]) for fault in _ORDER if fault in by_fault)
    return intern_cell(Cell(verdict, reason, sum(by_fault.values()), faults))


def judge_service(channels: Iterable[Cell]) -> Cell:
    """The cell of the service's second from those of its channels (the agreement's and/or), in whatever order.

    The reason is that of the deciding channel: of those with the verdict, the one with most calls, then by alphabet.
    """
    cells = tuple(channels)
    verdicts = {cell.verdict for cell in cells}
    verdict = next((v for v in _RANK if v in verdicts), Verdict.UNMEASURED)
    deciding = min(((-c.calls, c.reason) for c in cells if c.verdict is verdict), default=(0, NO_CALL))
    by_fault: dict[Fault, int] = {}
    for cell in cells:
        for fault, n in cell.faults:
            by_fault[fault] = by_fault.get(fault, 0) + n
    faults = tuple((fault, by_fault[fault]) for fault in _ORDER if fault in by_fault)
    return intern_cell(Cell(verdict, deciding[1], sum(c.calls for c in cells), faults))


def _verdict(tally: Tally, by_fault: dict[Fault, int]) -> tuple[Verdict, str]:
    if Fault.NONE in by_fault:
        return Verdict.AVAILABLE, OK
    if tally.void:
        return Verdict.UNMEASURED, tally.void
    if not by_fault:
        return Verdict.UNMEASURED, _foremost(tally.missed.items()) or NO_CALL
    if by_fault.keys() <= SERVER_FAULTS:
        return Verdict.UNAVAILABLE, _reason(tally)
    if by_fault.keys() == {Fault.OWN}:
        return Verdict.UNMEASURED, _reason(tally)
    # Said is what kept the second from being unavailable, not the server's fault that was seen beside it.
    return Verdict.INCONCLUSIVE, _reason(tally, Fault.OTHER if Fault.OTHER in by_fault else Fault.OWN)


def _reason(tally: Tally, fault: Fault | None = None) -> str:
    """The most frequent reason of the calls that failed by `fault` (None: by any)."""
    return _foremost((reason, n) for (f, reason), n in tally.counts.items() if fault is None or f is fault)


def _foremost(counts: Iterable[tuple[str, int]]) -> str:
    """The name counted most often, ties by alphabet; "" when nothing was counted. Counts of one name are added up."""
    totals: dict[str, int] = {}
    for name, n in counts:
        if n > 0:
            totals[name] = totals.get(name, 0) + n
    return min(totals, key=lambda name: (-totals[name], name), default="")
