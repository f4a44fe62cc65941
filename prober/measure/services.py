"""From the configuration to what the keepers need: the incident's plan, the rule of persistence, and the facts of acts."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import rules
from prober import calendars, packs
from prober.deliver.names import escalation_names, on_call_levels, receiver_names, status_page_names
from prober.measure.clock import NS
from prober.measure.evidence import Evidence
from prober.measure.measure import Measure
from prober.redact import Redactor
from prober.settings import ApiEndpoint, Service, Settings, SmtpEndpoint, format_duration
from rules.acts import Act, ActKind
from rules.conditions import Further
from rules.incident import Level, Mode, Plan
from rules.intermittent import Rate
from rules.persistence import Rule
from rules.slow import Slowness

#: A control counts as fine now when it answered within so long, ns.
_FRESH = 3 * NS


def plan_of(settings: Settings, name: str, base: Path) -> Plan:
    """Raises PackError for a pack that cannot be used, CalendarError for hours that cannot."""
    service = settings.services[name]
    tickets, hotline, _ = receiver_names(settings, name)
    (_, on_call), *further = on_call_levels(settings) or ((0, ()),)
    pack = packs.load(service.contract, base).settled(service.terms)
    return Plan(
        service=name,
        title=service.title or name,
        pack=pack,
        calendars=calendars.calendars_of(pack),
        mode=Mode(service.mode),
        tickets=tickets,
        hotline=hotline,
        on_call=on_call,
        further=tuple(Level(after, receivers) for after, receivers in further),
        page_again=(settings.page_again or 0) // 1000,
        escalation=escalation_names(settings, name),
        ask_for=service.ask_for // 1000,
        status_pages=status_page_names(settings, name),
    )


def rule_of(service: Service) -> Rule:
    """Raises ValueError for figures that cannot be."""
    p = service.persistence
    return Rule.of(
        for_ms=p.for_,
        every_ms=service.every,
        share=p.share,
        at_least=p.at_least,
        recovered_after_ms=p.recovered_after,
    )


def further_of(service: Service) -> Further:
    """The rules of `intermittent` and `slow`. Raises ValueError for figures that cannot be."""
    rate, slow = service.intermittent, service.slow
    return Further(
        Rate.of(
            seconds=rate.seconds,
            within_ms=rate.within,
            recovered_after_ms=max(rate.recovered_after, service.persistence.for_),
        ),
        Slowness.of(over_ms=slow.over, share=slow.share) if slow is not None else None,
    )


def enricher(
    settings: Settings,
    name: str,
    evidence: Evidence,
    measure: Measure,
    redactor: Redactor,
    vendor_says: Mapping[str, Any],
) -> Callable[[Act], Act]:
    """Adds to an act what its text needs beside the rules' facts; nothing secret stays in it.

    `name` may be a service that is no longer configured. `vendor_says`: what each vendor's status page said last.
    """
    standing = standing_facts(settings, name)

    def enrich(act: Act) -> Act:
        if act.kind is ActKind.STATUS:  # everybody may read its facts: nothing is added
            return replace(act, facts=redactor.value(act.facts))
        onset = act.facts.get("onset")
        rule = {"version": rules.VERSION, "source": "configuration"} | dict(act.facts.get("rule") or {})
        facts = {
            **standing,
            **act.facts,
            "rule": rule,
            **({"vendor_status": vendor_says[name]} if name in vendor_says else {}),
            "samples": evidence.samples(name, onset if isinstance(onset, int) else 0),
            "controls": {
                "configured": [control.name for control in settings.controls],
                "ok": measure.controls_fine(_FRESH),
            },
        }
        return replace(act, facts=redactor.value(facts))

    return enrich


def standing_facts(settings: Settings, name: str) -> dict[str, Any]:
    """What every act of a service says beside the rules' facts; `name` may be one that is no longer configured."""
    service = settings.services.get(name)
    return {
        "customer": settings.customer.model_dump(mode="json"),
        "location": settings.location,
        "terms": {str(k): v for k, v in service.terms.items()} if service else {},
        "endpoints": [
            *[_endpoint("api", e, service) for e in service.channels.api],
            *[_endpoint("smtp", e, service) for e in service.channels.smtp],
        ]
        if service
        else [],
        "mode": service.mode if service else Mode.ACT.value,
    }


def _endpoint(channel: str, endpoint: ApiEndpoint | SmtpEndpoint, service: Service) -> dict[str, str]:
    if isinstance(endpoint, ApiEndpoint):
        what = f"{endpoint.method} {endpoint.url}"
    else:
        what = f"{endpoint.host}:{endpoint.port}, TLS {endpoint.tls}, to depth {endpoint.depth}"
    every, timeout = endpoint.every or service.every, endpoint.timeout or service.timeout
    return {
        "channel": channel,
        "name": endpoint.name,
        "what": f"{what}, every {format_duration(every)}, time-out {format_duration(timeout)}",
    }
