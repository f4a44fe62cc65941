"""From the configuration to receivers: their names, and a delivery for each."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from prober.deliver import Delivered, Delivery
from prober.deliver.email import Email
from prober.deliver.pagerduty import Pagerduty
from prober.deliver.relays import Guard, peers
from prober.deliver.webhook import Webhook
from prober.redact import Redactor
from prober.settings import Receiver, Settings
from rules.acts import Act

Names = tuple[str, ...]


def receiver_names(settings: Settings, service: str) -> tuple[Names, Names, Names]:
    """Names of a service's receivers in their order: tickets, hotline, on-call. Unique in the whole configuration."""
    own = settings.services[service]
    return (
        tuple(name for name, _ in _named(f"{service}.tickets", own.tickets)),
        tuple(name for name, _ in _named(f"{service}.hotline", own.hotline)),
        tuple(name for name, _ in _named("on_call", settings.on_call)),
    )


def build(settings: Settings, guard: Guard | None = None) -> Mapping[str, Delivery]:
    """A delivery for every receiver, by name. Raises OSError when a file of certification authorities cannot be read.

    Hand the same `guard` to each build, so that the last known addresses of the services outlive a reload.
    """
    guard = guard or Guard()
    services = {name: peers(service) for name, service in settings.services.items()}
    redactor = Redactor.of(settings)
    deliveries: dict[str, Delivery] = {}
    for name, receiver in _all(settings):
        if receiver.email is not None:
            deliveries[name] = Email(name, receiver.email, settings.relays, services, guard, redactor)
        elif receiver.webhook is not None:
            deliveries[name] = Webhook(name, receiver.webhook, redactor)
        elif receiver.pagerduty is not None:
            deliveries[name] = Pagerduty(name, receiver.pagerduty, redactor)
    return {name: _Discreet(delivery, redactor) for name, delivery in deliveries.items()}


class _Discreet:
    """A delivery that no secret of the configuration leaves by, whatever an act's facts hold (DESIGN.md, invariant 9)."""

    def __init__(self, delivery: Delivery, redactor: Redactor) -> None:
        self._delivery = delivery
        self._redactor = redactor

    async def deliver(self, act: Act, key: str) -> Delivered:
        return await self._delivery.deliver(replace(act, facts=self._redactor.value(act.facts)), key)


async def learn(settings: Settings, guard: Guard) -> None:
    """Look up relays and services now, so that both are known when the vendor's DNS fails with the vendor."""
    known = [guard.usable(settings.relays, peers(service)) for service in settings.services.values()]
    await asyncio.gather(*known)


def _all(settings: Settings) -> Iterator[tuple[str, Receiver]]:
    for service, own in settings.services.items():
        yield from _named(f"{service}.tickets", own.tickets)
        yield from _named(f"{service}.hotline", own.hotline)
    yield from _named("on_call", settings.on_call)


def _named(scope: str, receivers: Sequence[Receiver]) -> Iterator[tuple[str, Receiver]]:
    for place, receiver in enumerate(receivers, 1):
        yield f"{scope}.{receiver.name or f'{receiver.kind}-{place}'}", receiver
