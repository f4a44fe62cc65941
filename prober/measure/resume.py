"""From what the store remembers to keepers and errands that go on where they stopped (DESIGN.md, "State")."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prober.config import Loaded
from prober.listen import StartError
from prober.measure.keeper import Keeper
from prober.measure.measure import Measure
from prober.measure.ring import Layout
from prober.measure.services import enricher, further_of, plan_of, rule_of
from prober.measure.station import Change, Station
from prober.redact import Redactor
from prober.store import IncidentHead, Memory, PendingAct, SeriesRun, Store, Transaction, Writer
from rules.incident import Plan as IncidentPlan
from rules.incident import ServiceState
from rules.persistence import Rule


@dataclass(frozen=True, slots=True)
class Keeping:
    """Makes the keepers of one configuration. `redactor` knows the secrets of all that may still be under way."""

    loaded: Loaded
    redactor: Redactor
    station: Station
    measure: Measure

    def change(self, layout: Layout) -> Change:
        """How a service is kept from a reload on. Raises PackError and ValueError."""
        settings, name = self.loaded.settings, layout.service
        says = self.station.vendor_says
        enrich = enricher(settings, name, self.station.evidence, self.measure, self.redactor, says)
        service = settings.services[name]
        plan = plan_of(settings, name, self.loaded.base)
        return Change(layout, plan, rule_of(service), enrich, further_of(service))

    def begin(
        self, layout: Layout, memory: Memory, heads: Iterable[IncidentHead], store: Store | None, at: int
    ) -> None:
        """Keep a service from now (`at`, UTC ns) on; `store` has the runs that `memory` speaks of, if it does.

        Raises PackError, StartError.
        """
        change, name = self.change(layout), layout.service
        history = store.runs if store is not None else lambda _key, _since: []
        try:
            keeper = Keeper(layout, change.plan, change.rule, change.enrich, memory, history, heads, change.further)
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # JSON all the same, but not what we write
            raise StartError(
                f"what the store says of {name} cannot be understood: {error}; "
                "start the program that wrote it, or move the store aside (keep it as evidence)"
            ) from error
        self.station.keepers[name] = keeper
        self.station.carry_out(keeper, keeper.resume(change.plan, at))

    def leave(self, memory: Memory, heads: Iterable[IncidentHead], writer: Writer) -> Memory:
        """A service that the store knows and the configuration does not: its runs end, its incident stays as it is.

        Answers what is to be known of it, should it come back.
        """
        closed, left = memory.closed, replace(memory, runs={})
        if closed is not None:
            ended = [SeriesRun(key, replace(run, end=closed + 1)) for key, run in memory.runs.items()]
            writer.submit(Transaction(runs=tuple(ended)))
        saved = memory.states.get("incident")
        if saved is not None:
            # A state that nobody can read stays in the store as it is: nobody asks for it.
            with contextlib.suppress(ValueError):
                self.station.leave(self._left(left, ServiceState.from_json(saved).plan, heads))
        return left

    def _left(self, memory: Memory, plan: IncidentPlan, heads: Iterable[IncidentHead]) -> Keeper:
        station, settings = self.station, self.loaded.settings
        enrich = enricher(settings, memory.service, station.evidence, self.measure, self.redactor, station.vendor_says)
        return Keeper(Layout(memory.service, (), ()), plan, Rule(), enrich, memory, lambda _key, _since: [], heads)


def take_up(station: Station, pending: Iterable[PendingAct], services: dict[str, str]) -> None:
    """Acts that were not done before the restart are carried on with. `services` are those of the incidents, by id."""
    for one in pending:
        earlier = [{"receiver": a.receiver, "outcome": a.outcome.value, "at": a.at} for a in one.attempts]
        station.errands.recorded(one.act, services.get(one.act.incident, ""), earlier)
