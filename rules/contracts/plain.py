"""A contract pack as plain data again: what `Pack.parse` reads."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rules.contracts.clauses import Span, Within
from rules.contracts.spans import write_span

if TYPE_CHECKING:
    from rules.contracts.model import Pack


def plain(pack: "Pack") -> dict[str, Any]:
    """Sections that hold nothing and need not be there are left out."""
    optional = {
        "severity_set_by": pack.severity_set_by and _clause(pack.severity_set_by),
        "tickets": pack.tickets and _clause(pack.tickets),
        "calendars": {c.name: _clause(c, leave="name") for c in pack.calendars},
        "hotline": pack.hotline and _clause(pack.hotline),
        "clocks": {c.name: _clause(c, leave="name") for c in pack.clocks},
        "escalation": pack.escalation and _clause(pack.escalation),
        "keep": [_clause(rule) for rule in pack.keep],
        "never": [_clause(rule) for rule in pack.never],
        "limits": [_clause(limit) for limit in pack.limits],
    }
    return {
        "name": pack.name,
        "title": pack.title,
        "vendor": pack.vendor,
        "document": _clause(pack.document),
        "unavailability": _clause(pack.unavailability),
        "severities": {s.name: _clause(s, leave="name") for s in pack.severities},
        "conditions": {
            condition.value: _clause(mapped) if mapped.article else mapped.severity
            for condition, mapped in pack.conditions.items()
        },
        "on_call_alone": [condition.value for condition in pack.on_call_alone],
        "resolution": _clause(pack.resolution),
        **{key: value for key, value in optional.items() if value},
        "terms": {t.name: _clause(t, leave="name") for t in pack.terms},
    }


#: What a clause leaves out where it says nothing.
_NOTHING: tuple[object, ...] = (None, "", (), {})
#: What is written even where it is empty or false.
_ALWAYS = frozenset({"ticket", "page", "after_ticket", "hotline", "starts", "stops", "intake", "carries", "channels"})


def _clause(value: Any, leave: str = "") -> dict[str, Any]:
    """A frozen value as a mapping, with what it does not say left out."""
    made = {}
    for name in value.__slots__:
        item = getattr(value, name)
        nothing = item in _NOTHING or (item == 0 and isinstance(item, int))  # False is 0 too
        if name == leave or (nothing and name not in _ALWAYS):
            continue
        made[name] = _item(item)
    return made


def _item(item: Any) -> Any:
    match item:
        case StrEnum():
            return item.value
        case Span():
            return write_span(item)
        case Within():
            return _within(item)
        case Mapping():
            return {key: _item(inner) for key, inner in item.items()}
        case tuple():
            return [_item(inner) for inner in item]
        case str() | int():  # bool is one too
            return item
        case _:
            return _clause(item)


def _within(within: Within) -> Any:
    if not within.by:
        return write_span(within.values[""])
    if not within.values:
        return f"term:{within.by}"
    return {within.by: {key: write_span(span) for key, span in within.values.items()}}
