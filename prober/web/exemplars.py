"""Exemplars: the newest failed call behind a counter or a bucket, with its reason and the incident it belongs to.

OpenMetrics 1.0.0 alone has them; a label set may hold 128 characters, names and values together ("Exemplars").
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prober.board import FAULTS, WIDTH, Column
from prober.web.view import Key, OpenIncident
from rules.model import Fault
from rules.reasons import REASONS

_REASONS = tuple(REASONS)
#: Characters of an exemplar's labels.
LONGEST = 128


@dataclass(frozen=True, slots=True)
class Example:
    """A failed call: `began` is UTC seconds, `took` seconds. `labels` are the exemplar's."""

    fault: Fault
    began: float
    took: float
    labels: Mapping[str, str]

    def text(self) -> str:
        """As it follows a counter's sample; one call, so its value is 1."""
        inner = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f" # {{{inner}}} 1.0 {self.began:.3f}"


def examples(
    keys: Sequence[Key], cells: "array[float]", incidents: Sequence[OpenIncident]
) -> Iterator[tuple[Key, Example]]:
    """The newest failed call of each endpoint that has failed since the start."""
    open_now = {incident.service: incident for incident in incidents}
    for place, key in enumerate(keys):
        row = place * WIDTH
        began = cells[row + Column.FAILED]
        if began > 0:
            why = int(cells[row + Column.FAILED_REASON])
            labels = {"reason": _REASONS[why] if why >= 0 else "unknown"}
            incident = open_now.get(key[0])
            if incident is not None and began >= incident.onset:
                more = labels | {"incident": incident.id}
                labels = more if _fits(more) else labels
            fault = FAULTS[int(cells[row + Column.FAILED_FAULT])]
            yield key, Example(fault, began, cells[row + Column.FAILED_TOOK], labels)


def newest(found: Iterable[tuple[Key, Example]]) -> dict[tuple[str, str, Fault], Example]:
    """The newest one of each service, channel and fault."""
    kept: dict[tuple[str, str, Fault], Example] = {}
    for (service, channel, _, _), example in found:
        before = kept.get((service, channel, example.fault))
        if before is None or before.began < example.began:
            kept[service, channel, example.fault] = example
    return kept


def _fits(labels: Mapping[str, str]) -> bool:
    return sum(len(name) + len(value) for name, value in labels.items()) <= LONGEST
