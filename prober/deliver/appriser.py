"""Whatever else on-call uses, through Apprise: one of its URLs a receiver.

Apprise sends in its own way and blocks, so each sending has a thread of its own, and our deadline stands around it: a
thread that is late is left behind. It says no more than whether the service took the message.
"""

import asyncio
import logging
import warnings
from functools import cache
from typing import Any

from prober.aside import aside
from prober.deliver import TIMEOUT, Delivered, texts
from prober.receivers import AppriseReceiver
from rules.acts import Act, ActKind, Outcome

#: Characters of a message's body; what a service does not take at once Apprise would cut anyway.
_BODY = 4_000


@cache
def _apprise() -> Any:
    """The library: slow to load, so for those alone who use it. Its log would show URLs, which are secrets."""
    with warnings.catch_warnings():
        # Its plugins try modules that newer Pythons are about to drop; that is its own matter.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise().add("json://localhost")  # loads them all
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise


def known(url: str) -> bool:
    """Whether Apprise knows the service that `url` names, and the URL is whole."""
    return bool(_apprise().Apprise().add(url))


class Appriser:
    """One Apprise URL that takes acts."""

    def __init__(self, receiver: AppriseReceiver, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._sender = _apprise().Apprise()
        self._sender.add(receiver.url.get_secret_value() if receiver.url else "")

    async def deliver(self, act: Act, key: str) -> Delivered:  # noqa: ARG002 - no service that it reaches takes a key
        title, body = texts.summary(act), texts.text(act)[:_BODY]
        try:
            async with asyncio.timeout(self._timeout):
                sent = await aside(lambda: self._send(act, title, body), f"apprise {act.id}")
        except TimeoutError:
            return Delivered(Outcome.UNKNOWN, "apprise: no answer in time")
        if sent:
            return Delivered(Outcome.ACCEPTED, "apprise: the service took it")
        return Delivered(Outcome.TRANSIENT, "apprise: the service did not take it")

    def _send(self, act: Act, title: str, body: str) -> bool:
        kinds = _apprise().NotifyType
        kind = kinds.SUCCESS if act.kind is ActKind.PAGE_RESOLVE else kinds.FAILURE
        try:
            return bool(self._sender.notify(body=body, title=title, notify_type=kind))
        except Exception:  # noqa: BLE001 - a hundred plugins raise what they like, and their texts may hold the URL
            return False
