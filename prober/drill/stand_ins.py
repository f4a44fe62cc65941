"""The configuration as a dry drill has it: every receiver keeps its name, and a stand-in on loopback takes what it would get.

A mailbox that takes tickets stays one, behind a real SMTP server; whoever else is told becomes a webhook.
"""

from prober.demo.receivers import HOTLINE, ON_CALL, Receivers
from prober.receivers import Receiver, WebhookReceiver
from prober.settings import OnCallReceiver, Relay, Service, Settings


def standing_in(settings: Settings, receivers: Receivers) -> Settings:
    """`settings`, with `receivers` in the place of everybody who could be told."""
    relay = Relay(host="127.0.0.1", port=receivers.mailbox_port, tls="none")
    services = {name: _service(service, receivers.url) for name, service in settings.services.items()}
    on_call = tuple(
        OnCallReceiver(name=_name(place, each), webhook=_hook(f"{receivers.url}{ON_CALL}")).model_copy(
            update={"after": each.after}
        )
        for place, each in enumerate(settings.on_call, 1)
    )
    return settings.model_copy(update={"relays": (relay,), "services": services, "on_call": on_call})


def _service(service: Service, url: str) -> Service:
    changes = {
        key: tuple(_stand_in(place, each, f"{url}{HOTLINE}") for place, each in enumerate(getattr(service, key), 1))
        for key in ("tickets", "hotline", "escalation")
    }
    return service.model_copy(update=changes)


def _stand_in(place: int, receiver: Receiver, url: str) -> Receiver:
    if receiver.email is not None:
        return receiver.model_copy(update={"name": _name(place, receiver)})
    return Receiver(name=_name(place, receiver), webhook=_hook(url))


def _name(place: int, receiver: Receiver) -> str:
    """As it would be called without a stand-in (`prober.deliver.names`)."""
    return receiver.name or f"{receiver.kind}-{place}"


def _hook(url: str) -> WebhookReceiver:
    return WebhookReceiver(url=url)
