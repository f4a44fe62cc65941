"""What a service's closed seconds amount to: which conditions hold (DESIGN.md, "Words", condition).

`Conditions` takes each closed second of a service, its channels and those of its endpoints whose cell changed, and says
which conditions were raised or cleared by it. An endpoint that stays as it is costs nothing: its tracker catches up over
the whole stretch when it changes. Only those with a bad second in the window or on their way to recovery are looked at
every second.

`intermittent` and `slow` are looked for where their rules are given. While the service's Unavailability persists neither is
raised, and what was raised of them is cleared by it.

An endpoint or a channel that is still persistent when what hid it recovers (its channel; the service) raises a condition
of its own only once it has a bad second after that recovery: being slower to recover is no news.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from rules.blind import Blindness
from rules.further import NOTHING_FURTHER, Further
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.intermittent import MATTER as INTERMITTENT
from rules.intermittent import Intermittence, Rate
from rules.model import Cell, Condition
from rules.persistence import NEVER, Rule, Tracker
from rules.slices import Work, by_slices, whole
from rules.slow import Slowness, slow_mark
from rules.timeline import Run
from rules.watched import Watched, failing_mark, foremost, judged_by, replay, unavailable_mark

__all__ = ["MOST_PARTIAL", "NOTHING_FURTHER", "Conditions", "Endpoint", "Event", "Further"]

#: So many endpoints are told of as `partial` at a time. A ticket is not helped by thousands of them; when one of those
#: recovers, the next one that persists takes its place.
MOST_PARTIAL = 50

Event = ConditionRaised | ConditionCleared
#: (channel, endpoint).
Endpoint = tuple[str, str]


class Conditions:
    """The conditions of one service. Fed the closed seconds in order; a pure function of them (invariant 10)."""

    def __init__(
        self,
        rule: Rule,
        every_ms: Mapping[Endpoint, int],
        *,
        snapshot: Mapping[str, Any] | None = None,
        intermittent: Rate | None = None,
        slow: Slowness | None = None,
    ) -> None:
        """Watch a service by `rule` (its `every` is put right for each series); `every_ms` names all its endpoints.

        `snapshot` comes from `snapshot()` of an earlier run, or of the settings before a reload: what is no longer
        watched is dropped, and cleared by the next second. `replay` the record afterwards.
        """
        known = snapshot or {}
        spells: Mapping[str, list[int | None]] = known.get("spells", {})
        every = {key: Fraction(ms, 1000) for key, ms in every_ms.items()}
        rules = {e: replace(rule, every=e) for e in {*every.values(), Fraction(1)}}

        def tracker(name: str, among: Iterable[Fraction], slow: Slowness | None = None) -> Tracker:
            onset, recovered = spells.get(name, (None, None))
            judged = rules[min(among, default=Fraction(1))]
            return Tracker(slow.rule(judged) if slow else judged, onset, NEVER if recovered is None else recovered)

        self._service = tracker("unavailable:", every.values())
        self._intermittence = (
            Intermittence(intermittent, self._service.rule, known.get("intermittent")) if intermittent else None
        )
        self._slowness = slow
        self._channels: dict[str, Tracker] = {}
        self._failing: dict[str, Tracker] = {}
        self._slow: dict[str, Tracker] = {}
        for channel in sorted({channel for channel, _ in every}):
            among = [e for (c, _), e in every.items() if c == channel]
            self._channels[channel] = tracker(f"unavailable:{channel}", among)
            self._failing[channel] = tracker(f"failing:{channel}", among)
            if slow is not None:
                self._slow[channel] = tracker(f"slow:{channel}", among, slow)
        self._endpoints: dict[Endpoint, Watched] = {}
        for key, e in every.items():
            name = f"unavailable:{_scope(key)}"
            self._endpoints[key] = Watched(rules[e], tracker(name, (e,)) if name in spells else None)
        self._order = sorted(self._endpoints)
        self._told = {key for key, watched in self._endpoints.items() if watched.tracker}  # in the snapshot
        self._active = set(self._told)  # looked at every second
        self._raised = {(Condition(condition), scope) for condition, scope in known.get("raised", ())}
        self._blind = Blindness(rule.for_, known.get("blind"))
        self._limbs = set(known.get("limbs", ()))  # channels known to be part of the Unavailability that is raised
        scopes = {"", *self._channels, *map(_scope, self._endpoints)}
        unwatched = {c for c, rule in ((INTERMITTENT[0], intermittent), (Condition.SLOW, slow)) if rule is None}
        self._gone = sorted(matter for matter in self._raised if matter[1] not in scopes or matter[0] in unwatched)

    def feed(
        self,
        second: int,
        service: Cell,
        channels: Mapping[str, Cell],
        changed: Mapping[Endpoint, Cell],
        slow: Mapping[str, int] = MappingProxyType({}),
    ) -> tuple[Event, ...]:
        """`feeding` at once."""
        return whole(self.feeding(second, service, channels, changed, slow))

    def feeding(
        self,
        second: int,
        service: Cell,
        channels: Mapping[str, Cell],
        changed: Mapping[Endpoint, Cell],
        slow: Mapping[str, int] = MappingProxyType({}),
    ) -> Work[tuple[Event, ...]]:
        """Take a closed second; what it raised and cleared, in a fixed order.

        `channels` has the cell of every channel. `changed` needs only the endpoints whose cell differs from their last
        one. `slow` counts the slow successes of those channels that had any. Raises ValueError for a second out of
        order, KeyError for a channel left out or an endpoint not watched. Nothing else is asked of these conditions
        before it has come to its end.
        """
        events: list[Event] = [self._clear(matter, second) for matter in self._gone]
        self._gone = []
        self._service.feed(second, unavailable_mark(service), service.reason)
        for channel, tracker in self._channels.items():
            if tracker.feed(second, unavailable_mark(channels[channel]), channels[channel].reason):
                self._active.update(key for key in self._told if key[0] == channel)
        for channel, tracker in self._failing.items():
            tracker.feed(second, failing_mark(channels[channel]), channels[channel].reason)
        for channel, tracker in self._slow.items():
            tracker.feed(second, slow_mark(channels[channel], slow.get(channel, 0)))
        for (key, cell), pause in by_slices(changed.items()):
            if pause:
                yield
            watched = self._endpoints[key]
            watched.change(second, unavailable_mark(cell), cell.reason)
            if not watched.idle:
                self._active.add(key)
        self._settle_service(events, second)
        for channel, tracker in self._failing.items():
            self._settle(events, second, (Condition.FAILING, channel), tracker, hidden_by=self._service)
        for channel, tracker in self._slow.items():
            self._settle(events, second, (Condition.SLOW, channel), tracker, hidden_by=self._service, hides=True)
        if self._intermittence is not None:
            self._intermittence.feed(second, 1, service, persistent=self._service.persistent)
            events += self._settle_intermittent(self._intermittence, second)
        yield from self._settle_endpoints(events, second)
        events += self._look(second, 1, service)
        return tuple(events)

    def feed_gap(self, second: int, n: int, cell: Cell) -> tuple[Event, ...]:
        """`feeding_gap` at once."""
        return whole(self.feeding_gap(second, n, cell))

    def feeding_gap(self, second: int, n: int, cell: Cell) -> Work[tuple[Event, ...]]:
        """Take `n` seconds from `second` on in which everything had the unmeasured `cell` (not running, a stepped clock).

        The time that it takes does not grow with the gap, once the gap is one to every series.
        """
        watched = (self._endpoints[key].rule for key in self._active)
        rules = (self._service.rule, *(t.rule for t in self._channels.values()), *watched)
        slow = min(n, max(rule.bearable for rule in rules) + 1)
        events: list[Event] = []
        changed = dict.fromkeys(self._endpoints, cell)
        for s in range(second, second + slow):
            these = changed if s == second else {}
            events += yield from self.feeding(s, cell, dict.fromkeys(self._channels, cell), these)
        second, n = second + slow, n - slow
        for tracker in (self._service, *self._channels.values()):
            tracker.feed_many(second, n, unavailable_mark(cell), cell.reason)
        for tracker in self._failing.values():
            tracker.feed_many(second, n, failing_mark(cell), cell.reason)
        for tracker in self._slow.values():
            tracker.feed_many(second, n, slow_mark(cell, 0))
        for first, some in self._intermittence.pieces(second, n) if self._intermittence else ((second, n),):
            if self._intermittence is not None:
                self._intermittence.feed(first, some, cell, persistent=self._service.persistent)
                events += self._settle_intermittent(self._intermittence, first + some - 1)
            events += self._look(first, some, cell)
        return tuple(events)

    def replay(self, channel: str, endpoint: str, runs: Iterable[Run], through: int | None = None) -> None:
        """Take a series' recorded runs before the first second is fed. `reach` says how far back they need to go.

        ("", "") is the service, (channel, "") a channel. `through` is the last closed second; left out, the runs are known
        to end there (ValueError if the last is open). Series that are not watched, or whose record ends before `through`,
        are passed over.
        """
        recorded = tuple(runs)
        if not recorded:
            return
        if through is None:
            if recorded[-1].end is None:
                raise ValueError(f"the run from {recorded[-1].start} is open: say through which second it reaches")
            through = recorded[-1].end - 1
        if endpoint:
            if watched := self._endpoints.get((channel, endpoint)):
                watched.replay(recorded, through)
                if not watched.idle:
                    self._active.add((channel, endpoint))
        elif not channel:
            replay(self._service, recorded, through, unavailable_mark)
            if self._intermittence is not None:
                self._intermittence.replay(recorded, through, persistent=self._service.persistent)
        elif channel in self._channels:
            replay(self._channels[channel], recorded, through, unavailable_mark)
            replay(self._failing[channel], recorded, through, failing_mark)

    @property
    def reach(self) -> int:
        """How many seconds of record `replay` needs; with less than a spell, its older reasons go uncounted."""
        rules = (self._service.rule, *(watched.rule for watched in self._endpoints.values()))
        return max(*(rule.reach for rule in rules), self._intermittence.reach if self._intermittence else 0)

    def snapshot(self) -> dict[str, Any]:
        """What the record does not tell, as JSON values: to be written down when it changes. Cheap enough every second."""
        trackers = {"unavailable:": self._service}
        trackers |= {f"unavailable:{channel}": t for channel, t in self._channels.items()}
        trackers |= {f"failing:{channel}": t for channel, t in self._failing.items()}
        trackers |= {f"slow:{channel}": t for channel, t in self._slow.items()}
        trackers |= {
            f"unavailable:{_scope(key)}": t for key in sorted(self._told) if (t := self._endpoints[key].tracker)
        }
        now = self._service.next or 0
        spells: dict[str, list[int | None]] = {}
        for name, tracker in trackers.items():
            recovered = tracker.recovered if tracker.recovered >= now - tracker.rule.reach else None
            if tracker.persistent or recovered is not None:
                spells[name] = [tracker.onset, recovered]
        return {
            "spells": spells,
            "raised": sorted([condition.value, scope] for condition, scope in self._raised),
            "blind": self._blind.snapshot(),
            "limbs": sorted(self._limbs),
            **({"intermittent": self._intermittence.snapshot()} if self._intermittence else {}),
        }

    @property
    def raised(self) -> frozenset[tuple[Condition, str]]:
        """The conditions that hold, each with its scope."""
        return frozenset(self._raised)

    def _settle_service(self, events: list[Event], second: int) -> None:
        """The service's Unavailability, and each further channel that becomes part of it: told once, over with it."""
        service = (Condition.UNAVAILABLE, "")
        if not self._service.persistent:
            self._limbs.clear()
            limbs = sorted(m for m in self._raised if m[0] is Condition.UNAVAILABLE and m != service)
            events += [self._clear(matter, second, max(0, self._channels[matter[1]].last_bad)) for matter in limbs]
        begun = service not in self._raised
        self._settle(events, second, service, self._service, hidden_by=None)
        if service not in self._raised:
            return
        for channel, tracker in self._channels.items():
            # A channel that was mostly unavailable already when the service's was raised is no news a second later.
            part = tracker.persistent or (begun and 2 * tracker.bad >= max(1, tracker.measured))
            if part and channel not in self._limbs:
                self._limbs.add(channel)
                if not begun:
                    self._settle(events, second, (Condition.UNAVAILABLE, channel), tracker, hidden_by=None)

    def _settle_intermittent(self, seen: Intermittence, second: int) -> list[Event]:
        """Seconds that come and go; looked at after the service, so that what persists is raised before this is cleared."""
        if INTERMITTENT in self._raised:
            return [self._clear(INTERMITTENT, second, max(0, seen.last_bad))] if seen.ends(second) else []
        if not seen.begins:
            return []
        self._raised.add(INTERMITTENT)
        reasons, rule = foremost(seen.reasons), seen.rate.as_json()
        return [ConditionRaised(INTERMITTENT[0], second, seen.onset, "", seen.measured, seen.bad, reasons, rule)]

    def _settle_endpoints(self, events: list[Event], second: int) -> Work[None]:
        done = []
        told = sum(condition is Condition.PARTIAL for condition, _ in self._raised)
        for key, pause in by_slices([key for key in self._order if key in self._active]):
            if pause:
                yield
            watched = self._endpoints[key]
            if watched.since is None:
                continue  # persistent when we stopped, and not a second known since
            tracker = watched.catch_up(second + 1)
            channel, matter = self._channels[key[0]], (Condition.PARTIAL, _scope(key))
            before = len(self._raised)
            if told < MOST_PARTIAL or matter in self._raised:
                self._settle(events, second, matter, tracker, hidden_by=channel, hides=True)
            told += len(self._raised) - before
            if tracker.persistent:
                self._told.add(key)
                if not channel.persistent and matter not in self._raised:
                    continue  # its next bad second raises it
            if watched.idle:
                done.append(key)
        self._active.difference_update(done)

    def _settle(
        self,
        events: list[Event],
        second: int,
        matter: tuple[Condition, str],
        tracker: Tracker,
        *,
        hidden_by: Tracker | None,
        hides: bool = False,
    ) -> None:
        """Raise or clear what `tracker` is about. While `hidden_by` persists it is not raised; with `hides`, cleared."""
        hidden = hidden_by is not None and hidden_by.persistent
        if matter in self._raised:
            if not tracker.persistent or (hides and hidden):
                events.append(self._clear(matter, second, max(0, tracker.last_bad)))
            return
        if tracker.onset is None or hidden or (hidden_by is not None and tracker.last_bad <= hidden_by.recovered):
            return
        self._raised.add(matter)
        events.append(
            ConditionRaised(
                condition=matter[0],
                second=second,
                onset=tracker.onset,
                scope=matter[1],
                measured=tracker.measured,
                bad=tracker.bad,
                reasons=foremost(tracker.reasons),
                rule=judged_by(tracker.rule, self._channels, self._slowness if matter[0] is Condition.SLOW else None),
            )
        )

    def _look(self, second: int, n: int, cell: Cell) -> list[Event]:
        """Whether we see anything at all."""
        matter = (Condition.BLIND, "")
        turned = self._blind.feed(second, n, cell, raised=matter in self._raised)
        if turned is None:
            return []
        if matter in self._raised:
            return [self._clear(matter, turned)]
        self._raised.add(matter)
        onset = turned if self._blind.onset is None else self._blind.onset
        rule = {"for": self._service.rule.for_}
        return [ConditionRaised(matter[0], turned, onset, reasons=foremost(self._blind.reasons), rule=rule)]

    def _clear(self, matter: tuple[Condition, str], second: int, last: int = 0) -> ConditionCleared:
        self._raised.discard(matter)
        return ConditionCleared(matter[0], second, matter[1], last)


def _scope(key: Endpoint) -> str:
    return f"{key[0]}/{key[1]}"
