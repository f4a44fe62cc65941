"""From the configuration to deliveries: one for each receiver, by its name."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from jinja2 import TemplateError

from prober.deliver import Arrival, Delivered, Delivery, Followed, post, texts
from prober.deliver.alertmanager import Alertmanager
from prober.deliver.email import Email
from prober.deliver.follow import Follower, Reporting
from prober.deliver.jira import jira
from prober.deliver.names import all_receivers, on_call_levels
from prober.deliver.pagerduty import Pagerduty
from prober.deliver.relays import Guard, peers
from prober.deliver.statuspage import Statuspage
from prober.deliver.template import Template
from prober.deliver.twilio import Twilio
from prober.deliver.webhook import Webhook
from prober.deliver.wording import Wording, standard, using
from prober.deliver.zendesk import zendesk
from prober.links import Links
from prober.receivers import (
    AlertmanagerReceiver,
    AppriseReceiver,
    JiraReceiver,
    PagerdutyReceiver,
    Receiver,
    SnmpReceiver,
    StatuspageReceiver,
    TemplateReceiver,
    TwilioReceiver,
    ZendeskReceiver,
)
from prober.redact import Redactor
from prober.settings import Settings
from rules.acts import Act

__all__ = ["build", "learn", "wording_of", "wordings_of"]

log = logging.getLogger(__name__)


def build(
    settings: Settings, guard: Guard | None = None, follower: Follower | None = None, links: Links | None = None
) -> Mapping[str, Delivery]:
    """A delivery for every receiver, by name. Raises OSError when a file of certification authorities cannot be read.

    Hand the same `guard` to each build, so that the last known addresses of the services outlive a reload. With a
    `follower`, acts are followed once they are accepted; with `links`, pages to on-call lead to the incident room.
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
    wordings = wordings_of(settings)
    ours = {name for _, names in on_call_levels(settings) for name in names}
    discreet: dict[str, Delivery] = {
        name: (_DiscreetFollowed if isinstance(each, Followed) else _Discreet)(
            each, redactor, wordings, _linker(links, name) if name in ours else _as_it_is
        )
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
        case StatuspageReceiver() as own:
            return Statuspage(name, own, redactor)
        case SnmpReceiver() as own:
            from prober.deliver.snmp import Snmp

            return Snmp(own, redactor)
        case AppriseReceiver() as own:
            from prober.deliver.appriser import Appriser

            return Appriser(own)
    assert receiver.webhook is not None
    return Webhook(name, receiver.webhook, redactor)


def wording_of(settings: Settings, service: str) -> Wording:
    """The templates of one service, as they stand in their folder now; the built-in ones where they cannot be used."""
    own = settings.services.get(service)
    folder = (own.texts if own is not None else None) or settings.texts
    try:
        return Wording.of(folder) if folder is not None else standard()
    except (OSError, ValueError) as error:
        log.error("the texts of %s cannot be used, the built-in ones are: %s", folder, error)
        return standard()


def wordings_of(settings: Settings) -> Mapping[str, Wording]:
    """The templates of each service; of one whose folder cannot be used the built-in ones: no act is lost for a text."""
    found: dict[Path, Wording] = {}
    for folder in {service.texts or settings.texts for service in settings.services.values()} - {None}:
        assert folder is not None
        try:
            found[folder] = Wording.of(folder)
            found[folder].warm()
        except (OSError, ValueError, TemplateError) as error:
            log.error("the texts of %s cannot be used, the built-in ones are: %s", folder, error)
            found[folder] = standard()
    return {
        name: found[folder]
        for name, service in settings.services.items()
        if (folder := service.texts or settings.texts)
    }


Linker = Callable[[Act], Act]


def _linker(links: Links | None, name: str) -> Linker:
    """Adds the links for the receiver `name`."""
    return _as_it_is if links is None else lambda act: links.into(act, name)


def _as_it_is(act: Act) -> Act:
    return act


class _Discreet:
    """A delivery that no secret of the configuration leaves by, whatever an act's facts hold (DESIGN.md, invariant 9).

    Its texts are by the templates of the act's service; a template of the user's that fails is told in the result. What
    `linker` adds comes last: signatures look like secrets.
    """

    def __init__(
        self, delivery: Delivery, redactor: Redactor, wordings: Mapping[str, Wording], linker: Linker = _as_it_is
    ) -> None:
        self._linker = linker
        self._delivery = delivery
        self._redactor = redactor
        self._wordings = wordings

    async def deliver(self, act: Act, key: str) -> Delivered:
        with using(self._wording(act)) as trouble:
            delivered = await self._delivery.deliver(self._redacted(act), key)
        if not trouble:
            return delivered
        return replace(delivered, detail="; ".join([delivered.detail, *map(self._redactor.text, trouble)]))

    def _redacted(self, act: Act) -> Act:
        return self._linker(replace(act, facts=self._redactor.value(act.facts)))

    def _wording(self, act: Act) -> Wording:
        return self._wordings.get(str(act.facts.get("service")), standard())


class _DiscreetFollowed(_Discreet):
    """The same for one whose acts are followed."""

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        assert isinstance(self._delivery, Followed)
        with using(self._wording(act)):
            return await self._delivery.follow(self._redacted(act), key, reference)


async def learn(settings: Settings, guard: Guard) -> None:
    """Look up relays and services now, so that both are known when the vendor's DNS fails with the vendor."""
    known = [guard.usable(settings.relays, peers(service)) for service in settings.services.values()]
    await asyncio.gather(*known)
