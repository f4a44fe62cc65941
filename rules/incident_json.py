"""The state of a service's incident as JSON, and back unchanged: it is committed with every step (DESIGN.md, "State")."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rules.acts import ActKind
from rules.clocks import Running, Standing
from rules.contracts.calendar import Calendar
from rules.contracts.clauses import Mark
from rules.contracts.model import Pack
from rules.incident_events import ConditionRaised
from rules.incident_state import (
    Ask,
    HeldNote,
    Incident,
    Level,
    Made,
    Matter,
    Mode,
    Paging,
    Phase,
    Plan,
    ServiceState,
    Status,
    Ticket,
    Wait,
)
from rules.model import Condition

VERSION = 2


def plan_text(plan: Plan) -> str:
    """A plan as JSON."""
    plain = {
        "service": plan.service,
        "title": plan.title,
        "pack": plan.pack.to_mapping(),
        "mode": plan.mode,
        "tickets": plan.tickets,
        "hotline": plan.hotline,
        "on_call": plan.on_call,
        "further": [asdict(level) for level in plan.further],
        "page_again": plan.page_again,
        "escalation": plan.escalation,
        "ask_for": plan.ask_for,
        "status_pages": plan.status_pages,
        "calendars": {name: calendar.to_mapping() for name, calendar in plan.calendars.items()},
    }
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def write(state: ServiceState) -> str:
    """A state as JSON; `read` gives the same state."""
    plain = {
        "version": VERSION,
        "held": [asdict(h) for h in state.held],
        "incident": asdict(state.incident) if state.incident else None,
        "last": state.last,
        "blind_until": state.blind_until,
        "closed": asdict(state.closed) if state.closed else None,
        "maintenance": state.maintenance,
        "silenced": state.silenced,
        "measured": state.measured,
    }
    rest = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    return f'{{"plan":{state.plan.json},{rest[1:]}'


def read(text: str) -> ServiceState:
    """Raises ValueError when it is no state, or another program's."""
    try:
        plain = json.loads(text)
        if plain["version"] != VERSION:
            raise ValueError(f"its version is {plain['version']}, this program reads version {VERSION}")
        return ServiceState(
            plan=_plan(plain["plan"]),
            held=tuple(map(_raised, plain["held"])),
            incident=_incident(plain["incident"]) if plain["incident"] else None,
            last=plain["last"],
            blind_until=plain["blind_until"],
            closed=_incident(plain["closed"]) if plain["closed"] else None,
            maintenance=tuple(plain["maintenance"]),
            silenced=_matters(plain["silenced"]),
            measured=plain.get("measured", True),  # an earlier program did not write it
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the state of a service's incident: {error}") from error


def _plan(p: dict[str, Any]) -> Plan:
    receivers = {key: tuple(p[key]) for key in ("tickets", "hotline", "on_call", "escalation")}
    receivers["status_pages"] = tuple(p.get("status_pages", ()))  # an earlier program wrote none
    return Plan(
        **{
            **p,
            **receivers,
            "further": tuple(Level(level["after"], tuple(level["receivers"])) for level in p["further"]),
            "pack": Pack.parse(p["pack"]),
            "mode": Mode(p["mode"]),
            "calendars": {name: Calendar.of_mapping(plain) for name, plain in p["calendars"].items()},
        }
    )


def _raised(p: dict[str, Any]) -> ConditionRaised:
    return ConditionRaised(**{**p, "condition": Condition(p["condition"])})


def _matters(p: list[list[str]]) -> tuple[Matter, ...]:
    return tuple((Condition(condition), scope) for condition, scope in p)


def _incident(p: dict[str, Any]) -> Incident:
    marks: Mapping[str, int] = p["marks"]
    return Incident(
        **{
            **p,
            "phase": Phase(p["phase"]),
            "cause": _raised(p["cause"]),
            "seen": _matters(p["seen"]),
            "own": _matters(p["own"]),
            "ticket": Ticket(**{**p["ticket"], "status": Status(p["ticket"]["status"])}) if p["ticket"] else None,
            "wait": Wait(**p["wait"]) if p["wait"] else None,
            "notes": tuple(HeldNote(**n) for n in p["notes"]),
            "made": tuple(map(_made, p["made"])),
            "ask": Ask(**p["ask"]) if p["ask"] else None,
            "paging": Paging(**p["paging"]) if p["paging"] else None,
            "marks": {Mark(mark): at for mark, at in marks.items()},
            "clocks": tuple(map(_running, p["clocks"])),
            "later": tuple((at, clock) for at, clock in p["later"]),
        }
    )


def _made(p: dict[str, Any]) -> Made:
    return Made(**{**p, "kind": ActKind(p["kind"]), "receivers": tuple(p["receivers"]), "status": Status(p["status"])})


def _running(p: dict[str, Any]) -> Running:
    return Running(**{**p, "standing": Standing(p["standing"]), "warn": tuple(p["warn"])})
