"""From the configuration to deliveries: one for each receiver, by its name."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from prober.deliver import Arrival, Delivered, Delivery, Followed, post, texts
from prober.deliver.alertmanager import Alertmanager
from prober.deliver.email import Email
from prober.deliver.follow import Follower, Reporting
from prober.deliver.jira import jira
from prober.deliver.names import all_receivers
from prober.deliver.pagerduty import Pagerduty
from prober.deliver.relays import Guard, peers
from prober.deliver.template import Template
from prober.deliver.twilio import Twilio
from prober.deliver.webhook import Webhook
from prober.deliver.zendesk import zendesk
from prober.receivers import (
    AlertmanagerReceiver,
    AppriseReceiver,
    JiraReceiver,
    PagerdutyReceiver,
    Receiver,
    SnmpReceiver,
    TemplateReceiver,
    TwilioReceiver,
    ZendeskReceiver,
)
from prober.redact import Redactor
from prober.settings import Settings
from rules.acts import Act

__all__ = ["build", "learn"]


def build(settings: Settings, guard: Guard | None = None, follower: Follower | None = None) -> Mapping[str, Delivery]:
    """A delivery for every receiver, by name. Raises OSError when a file of certification authorities cannot be read.

    Hand the same `guard` to each build, so that the last known addresses of the services outlive a reload. With a
    `follower`, acts are followed once they are accepted.
    """
    guard = guard or Guard()
    services = {name: peers(service) for name, service in settings.services.items()}
    texts.warm()
    post.warm()
    redactor = Redactor.of(settings)
    deliveries: dict[str, Delivery] = {}
    for name, receiver in all_receivers(settings):
        if receiver.email is not None:
            deliveries[name] = Email(name, receiver.email, settings.relays, services, guard, redactor)
        else:
            deliveries[name] = _make(name, receiver, redactor)
    discreet: dict[str, Delivery] = {
        name: _DiscreetFollowed(each, redactor) if isinstance(each, Followed) else _Discreet(each, redactor)
        for name, each in deliveries.items()
    }
    if follower is None:
        return discreet
    follower.reconfigure(discreet)
    return {name: Reporting(name, each, follower) for name, each in discreet.items()}


def _make(name: str, receiver: Receiver, redactor: Redactor) -> Delivery:
    """A delivery of any kind but mail. What is slow to load is loaded for those alone who use it."""
    match receiver.own:
        case PagerdutyReceiver() as own:
            return Pagerduty(name, own, redactor)
        case ZendeskReceiver() as own:
            return zendesk(name, own, redactor)
        case JiraReceiver() as own:
            return jira(name, own, redactor)
        case TemplateReceiver() as own:
            return Template(name, own, redactor)
        case AlertmanagerReceiver() as own:
            return Alertmanager(name, own, redactor)
        case TwilioReceiver() as own:
            return Twilio(name, own, redactor)
        case SnmpReceiver() as own:
            from prober.deliver.snmp import Snmp

            return Snmp(own, redactor)
        case AppriseReceiver() as own:
            from prober.deliver.appriser import Appriser

            return Appriser(own)
    assert receiver.webhook is not None
    return Webhook(name, receiver.webhook, redactor)


class _Discreet:
    """A delivery that no secret of the configuration leaves by, whatever an act's facts hold (DESIGN.md, invariant 9)."""

    def __init__(self, delivery: Delivery, redactor: Redactor) -> None:
        self._delivery = delivery
        self._redactor = redactor

    async def deliver(self, act: Act, key: str) -> Delivered:
        return await self._delivery.deliver(self._redacted(act), key)

    def _redacted(self, act: Act) -> Act:
        return replace(act, facts=self._redactor.value(act.facts))


class _DiscreetFollowed(_Discreet):
    """The same for one whose acts are followed."""

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        assert isinstance(self._delivery, Followed)
        return await self._delivery.follow(self._redacted(act), key, reference)


async def learn(settings: Settings, guard: Guard) -> None:
    """Look up relays and services now, so that both are known when the vendor's DNS fails with the vendor."""
    known = [guard.usable(settings.relays, peers(service)) for service in settings.services.values()]
    await asyncio.gather(*known)
