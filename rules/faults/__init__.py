"""Whose fault a call's end is: `classify`, a pure function of what was observed (classification.md).

Every row of that document's two tables is in `http`, `smtp` and `transport`; what vendors say in their own words is
data (`vendors`). A finding that is `suspected` rests on transport evidence alone and waits for the controls
(`rules.suspicion`). Rows that need a second location or an authoritative server are `other` for now, each with its
reason.
"""

from rules.faults import http, smtp, transport
from rules.faults.vendors import GENERIC, Vendor
from rules.model import Fault, Finding, History, Kind, Observation
from rules.reasons import OK

__all__ = ["GENERIC", "NO_HISTORY", "Vendor", "classify"]

#: An endpoint that has shown nothing yet.
NO_HISTORY = History()


def classify(observation: Observation, history: History = NO_HISTORY, vendor: Vendor = GENERIC) -> Finding:
    """The fault of one call and its reason, a name of `rules.reasons.REASONS`. Total: it raises for no observation."""
    if observation.kind is Kind.HTTP:
        return http.judge(observation, history, vendor)
    if observation.kind is Kind.SMTP:
        return smtp.judge(observation, history, vendor)
    return _connection(observation, history)


def _connection(observation: Observation, history: History) -> Finding:
    """A TCP call (a control): connected, with TLS where asked for, is all that it wants."""
    if observation.trouble is None and observation.unmet is None:
        return Finding(Fault.NONE, OK)
    return transport.judge(observation, history) or transport.ENGINE_ERROR
