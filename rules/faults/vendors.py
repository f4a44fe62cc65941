"""What vendors say in their own words: error bodies of their APIs, texts of their SMTP replies, as data.

A vendor's own word outranks status, reply code and transport (classification.md, "Order of evidence"). The data stand
in `vendors/*.yaml`; reading them is I/O and `prober.vendors`' part, this module checks and applies them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.model import Fault, Finding
from rules.reasons import REASONS

#: How many errors of one body are looked at; a body is at most 64 KiB, but it is a stranger's.
_MOST_ERRORS = 50
#: How much of a body is searched for a word of maintenance, bytes.
_HINT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class BodyRule:
    """An error object of which every field in `when` has the value given there means `finding`."""

    when: tuple[tuple[str, str], ...]
    finding: Finding

    def meets(self, error: Mapping[str, Any]) -> bool:
        return all(str(error.get(field, "")) == value for field, value in self.when)


@dataclass(frozen=True, slots=True)
class Vendor:
    """How one vendor words its faults. Make one with `parse`.

    `places` are the top-level keys of a body that hold errors. `markers` are bytes without which a body holds none: an
    engine looks for them in a body that met all expectations, and keeps that body for `classify` when one is there.
    """

    name: str
    places: tuple[str, ...]
    markers: tuple[bytes, ...]
    bodies: tuple[BodyRule, ...]
    throttled: re.Pattern[str]  # searched in the text of a failing SMTP reply
    maintenance: re.Pattern[str]  # searched in what comes with a 503

    def judge_body(self, body: bytes) -> Finding | None:
        """What the body itself says of the fault, None when it says nothing that is known here. Raises nothing."""
        if not any(marker in body for marker in self.markers):
            return None
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):  # cut off, not JSON, or nested to hurt
            return None
        errors = list(_errors(document, self.places))
        return next((rule.finding for rule in self.bodies for error in errors if rule.meets(error)), None)

    def throttles(self, text: str) -> bool:
        """Whether the text of a failing SMTP reply speaks of a limit."""
        return self.throttled.search(text) is not None

    def announces_maintenance(self, text: str, body: bytes) -> bool:
        """Whether a reason phrase or the start of a body speaks of maintenance."""
        hint = f"{text} {body[:_HINT_BYTES].decode('latin-1')}"
        return self.maintenance.search(hint) is not None

    @classmethod
    def parse(cls, mapping: Mapping[str, Any], base: "Vendor | None" = None) -> "Vendor":
        """A vendor from the mapping of its YAML file; what it leaves out, and rules after its own, come from `base`.

        Raises ValueError that says where, what is wrong and what would be right.
        """
        if not isinstance(mapping, Mapping):
            raise ValueError(f"a vendor is a mapping of {', '.join(_KEYS)}, not {type(mapping).__name__}")
        if unknown := sorted(map(str, set(mapping) - set(_KEYS))):
            raise ValueError(f"unknown key {unknown[0]!r}; a vendor has {', '.join(_KEYS)}")
        name = _text(mapping.get("name"), "name")
        places = tuple(_text(x, f"places[{i}]") for i, x in enumerate(_list(mapping.get("places", []), "places")))
        bodies = tuple(_rule(x, f"bodies[{i}]") for i, x in enumerate(_list(mapping.get("bodies", []), "bodies")))
        throttled = _pattern(mapping, "throttled", base.throttled if base else None)
        maintenance = _pattern(mapping, "maintenance", base.maintenance if base else None)
        if base is not None:
            places += tuple(place for place in base.places if place not in places)
            bodies += base.bodies
        markers = tuple(f'"{place}"'.encode() for place in places)
        return cls(name, places, markers, bodies, throttled, maintenance)


_KEYS = ("name", "extends", "places", "bodies", "throttled", "maintenance")


def _errors(document: object, places: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The error objects of a body: {"error": {...}}, {"errors": [{...}]}, and {"error": "type"} as its short form."""
    if not isinstance(document, dict):
        return
    for place in places:
        value = document.get(place)
        for error in value[:_MOST_ERRORS] if isinstance(value, list) else [value]:
            if isinstance(error, dict):
                yield error
            elif isinstance(error, str):
                yield {"type": error}


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: {value!r} is not a text; write a word")
    return value


def _list(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: {value!r} is not a list; write [...]")
    return value


def _rule(value: object, where: str) -> BodyRule:
    if not isinstance(value, Mapping) or set(value) != {"when", "fault", "reason"}:
        raise ValueError(f"{where}: {value!r} is not a rule; write {{when: {{code: '1502'}}, fault: f, reason: r}}")
    when = value["when"]
    if not isinstance(when, Mapping) or not when:
        raise ValueError(f"{where}.when: {when!r} is not a mapping of fields to values; write {{code: '1502'}}")
    # A body proves neither a success nor a fault of our own.
    faults = [Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER]
    if value["fault"] not in faults:
        raise ValueError(f"{where}.fault: {value['fault']!r} is not one of {', '.join(faults)}")
    if _text(value["reason"], f"{where}.reason") not in REASONS:
        raise ValueError(f"{where}.reason: {value['reason']!r} is no reason; list it in rules.reasons first")
    fields = tuple((_text(field, f"{where}.when"), str(wanted)) for field, wanted in when.items())
    return BodyRule(fields, Finding(Fault(value["fault"]), value["reason"]))


def _pattern(mapping: Mapping[str, Any], key: str, inherited: re.Pattern[str] | None) -> re.Pattern[str]:
    if key not in mapping:
        if inherited is None:
            raise ValueError(f"{key}: missing; write a regular expression, or extend a vendor that has one")
        return inherited
    try:
        return re.compile(_text(mapping[key], key), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{key}: not a regular expression ({error})") from error


#: What holds for any vendor; `vendors/generic.yaml` says the same for those who read the data (a test compares them).
GENERIC = Vendor.parse(
    {
        "name": "generic",
        "places": ["error", "errors"],
        "bodies": [
            {"when": {"type": "internal_error"}, "fault": "server_error", "reason": "vendor_internal_error"},
            {"when": {"code": "internal_error"}, "fault": "server_error", "reason": "vendor_internal_error"},
        ],
        # classification.md: "rate|limit|quota|throttl|grey in the reply means O". Narrowed so that words that merely
        # contain these do not count: generate, corporate, accurate; unlimited, delimiter; quotation; greyhound
        # (hosts). Words written together count: RateExceeded, MaxMsgRate, RecipientLimit.
        "throttled": r"(?<![a-z])rates?(?![a-z])|rate-?(?:limit|exceed)"
        r"|(?:send|sending|msg|message|mail|connection|request)s?rate"
        r"|(?<!un)(?<!de)limit|quota(?!tion)|throttl|(?<![a-z])gr[ea]y(?:list|trap|(?![a-z]))",
        "maintenance": r"maintenance|(?:planned|scheduled) (?:outage|downtime)",
    }
)
