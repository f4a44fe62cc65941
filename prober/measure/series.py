"""The series of one service as its seconds close: cells of endpoints, channels and the service, encoded as runs.

An endpoint that stays as it is costs nothing: its encoder catches up over the whole stretch when it changes. That is what lets
ten thousand healthy endpoints be judged every second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prober.measure.ring import Layout, Slot
from prober.store import SeriesKey, SeriesRun
from rules.model import Cell
from rules.seconds import judge, judge_service
from rules.slices import Work, by_slices, whole
from rules.timeline import Run, RunBuilder, cut, period

#: Runs of an endpoint that are remembered for a reload: of a service's and its channels' as far as `reach`, but a thousand
#: endpoints that flap must not cost a thousand such histories.
_MOST_RECENT = 128


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of a slot. `changed` are the endpoints' cells that differ from the second before, by (channel, name)."""

    second: int
    span: int
    service: Cell
    channels: Mapping[str, Cell]
    changed: Mapping[tuple[str, str], Cell]
    runs: tuple[SeriesRun, ...]


class Series:
    """Encoders of one service. `open_runs` and `closed` are what a restart knows of them; `reach` is how many seconds
    of runs are remembered for a reload."""

    def __init__(self, layout: Layout, open_runs: Mapping[SeriesKey, Run], closed: int | None, reach: int) -> None:
        self._layout = layout
        self._reach = reach
        self._rows: list[SeriesRun] = []
        self._recent: dict[SeriesKey, list[Run]] = {}  # lists, for a deque of one takes 760 bytes
        every = [lane.every // 1_000_000 for lane in layout.lanes]
        name = layout.service
        self._service = SeriesKey(name)
        self._builders: dict[SeriesKey, RunBuilder] = {}
        self._written: dict[SeriesKey, Run | None] = {}
        self._add(self._service, period(every), open_runs, closed)
        self._channels: list[tuple[str, SeriesKey, int, int]] = []
        for channel, first, end in layout.channels:
            key = SeriesKey(name, channel)
            self._add(key, period(every[first:end]), open_runs, closed)
            self._channels.append((channel, key, first, end))
        self._endpoints: list[SeriesKey] = []
        self._strided: set[int] = set()  # to be fed every second
        self._turning: set[int] = set()  # of these, the ones that only go on in the stride of settings before
        self._cells: list[Cell | None] = []
        for index, lane in enumerate(layout.lanes):
            key = SeriesKey(name, lane.key.channel, lane.key.endpoint)
            stride = period([every[index]])
            self._add(key, stride, open_runs, closed)
            self._endpoints.append(key)
            if stride > 1:
                self._strided.add(index)
            elif (resumed := self._builders[key].open) is not None and resumed.length > 1:
                self._strided.add(index)
                self._turning.add(index)
            run = open_runs.get(key)
            self._cells.append(run.cell(closed) if run is not None and closed is not None else None)
        self._ok = bytes(len(self._endpoints))
        self._dirty: set[int] = set(range(len(self._endpoints)))
        if closed is not None:
            known = self._builders.keys()
            self._rows += [
                SeriesRun(key, replace(run, end=closed + 1)) for key, run in open_runs.items() if key not in known
            ]

    def _add(self, key: SeriesKey, stride: int, open_runs: Mapping[SeriesKey, Run], closed: int | None) -> None:
        run = open_runs.get(key)
        if run is not None and closed is not None and run.start <= closed:
            self._builders[key] = RunBuilder.resume(stride, run, closed)
        else:
            self._builders[key] = RunBuilder(stride)
        self._written[key] = self._builders[key].open

    def close(self, slot: Slot) -> Closed:
        """`closing` at once."""
        return whole(self.closing(slot))

    def closing(self, slot: Slot) -> Work[Closed]:
        """Judge a slot and take it in. Nothing else is asked of this series before that has come to its end."""
        second, span = slot.second, slot.span
        channels: dict[str, Cell] = {}
        for channel, key, first, end in self._channels:
            channels[channel] = cell = judge(slot.tally(first, end))
            self._feed(key, second, span, cell, None)
        service = judge_service(channels.values())
        self._feed(self._service, second, span, service, None)
        changed: dict[tuple[str, str], Cell] = {}
        for index, pause in by_slices(sorted(self._suspects(slot))):
            if pause:
                yield
            key = self._endpoints[index]
            cell = judge(slot.tally(index, index + 1))
            before = self._cells[index]
            if cell is before and index not in self._strided:
                continue
            self._feed(key, second, span, cell, before)
            if self._turning:
                self._turn(index, key)
            if cell is not before:
                self._cells[index] = cell
                changed[key.channel, key.endpoint] = cell
        rows, self._rows = tuple(self._rows), []
        return Closed(second, span, service, channels, changed, rows)

    def _turn(self, index: int, key: SeriesKey) -> None:
        """An endpoint whose stride has become a second can be left alone once its old cycle has ended."""
        run = self._builders[key].open
        if index in self._turning and run is not None and run.length == 1:
            self._turning.discard(index)
            self._strided.discard(index)

    def _suspects(self, slot: Slot) -> set[int]:
        """Endpoints whose cell may differ from the second before."""
        everyone = slot.void or len(self._dirty) == len(self._endpoints)
        suspects = set(range(len(self._endpoints))) if everyone else self._dirty | slot.bad.keys() | slot.missed.keys()
        if slot.ok != self._ok:
            if not everyone:
                suspects |= {i for i, (now, before) in enumerate(zip(slot.ok, self._ok, strict=True)) if now != before}
            self._ok = bytes(slot.ok)
        self._dirty = set(range(len(self._endpoints))) if slot.void else set(slot.bad.keys() | slot.missed.keys())
        return suspects | self._strided

    def _feed(self, key: SeriesKey, second: int, span: int, cell: Cell, before: Cell | None) -> None:
        """Take `span` seconds of `cell`, after as many of `before` as were left out."""
        builder = self._builders[key]
        if builder.next is not None and builder.next < second and before is not None:
            self._note(key, builder.feed_many(before, second - builder.next))
        self._note(key, builder.feed(second, cell))
        if span > 1:
            self._note(key, builder.feed_many(cell, span - 1))
        run = builder.open
        if run is not None and run is not self._written[key]:
            self._written[key] = run
            self._rows.append(SeriesRun(key, run))

    def _note(self, key: SeriesKey, run: Run | None) -> None:
        if run is None:
            return
        self._rows.append(SeriesRun(key, run))
        recent = self._recent.setdefault(key, [])
        recent.append(run)
        since = (run.end or 0) - self._reach
        gone = max(0, len(recent) - _MOST_RECENT) if key.endpoint else 0
        while gone < len(recent) and (recent[gone].end or 0) < since:
            gone += 1
        del recent[:gone]

    def remember(self, key: SeriesKey, runs: Iterable[Run]) -> None:
        """Closed runs from before a restart, for a later reload."""
        self._recent[key] = list(runs)[-_MOST_RECENT if key.endpoint else 0 :]

    def recent(self, key: SeriesKey, closed: int) -> list[Run]:
        """The runs of a series through second `closed`, as far back as they are remembered."""
        runs = list(self._recent.get(key, ()))
        last = self._builders[key].open if key in self._builders else None
        return list(cut([*runs, *([last] if last is not None else [])], 0, closed + 1))

    def inherit(self, before: "Series") -> None:
        """Write down what the series of the settings before had not handed over yet (no second has closed since)."""
        self._rows = before._rows + self._rows  # noqa: SLF001 - of the same class

    def open_runs(self) -> dict[SeriesKey, Run]:
        """The runs that are open now, by series."""
        return {key: run for key, builder in self._builders.items() if (run := builder.open) is not None}

    def end(self, closed: int) -> tuple[SeriesRun, ...]:
        """The service is no longer measured: its open runs end after second `closed`."""
        return tuple(SeriesRun(key, replace(run, end=closed + 1)) for key, run in self.open_runs().items())
