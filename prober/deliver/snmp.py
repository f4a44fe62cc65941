"""SNMP notifications, v2c and v3: a trap of PROBER-MIB for each act.

A trap is sent into the dark; an inform is confirmed, and sent again by the outbox under the same key until it is. For
version 3 traps we are the authoritative engine (RFC 3414 3.1): managers know us by `engine_id`, and refuse what seems
older than what they had (3.2.7). So the engine boots with the clock's seconds, which only grow, and nothing has to be
kept on disk.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto.errind import RequestTimedOut
from pysnmp.proto.rfc1902 import Integer32, OctetString, TimeTicks
from pysnmp.smi.rfc1902 import NotificationType, ObjectIdentity

from prober.aside import aside
from prober.deliver import TIMEOUT, Delivered, texts
from prober.deliver.harmless import told
from prober.deliver.view import View
from prober.receivers import SnmpReceiver
from prober.redact import Redactor
from rules.acts import Act, Outcome

#: An address and a port.
Address = tuple[str, int]

#: Bytes of a string (PROBER-MIB says so); a trap should fit into one packet of an Ethernet.
_SHORT, _LONG = 128, 400
#: The notification of each kind of act, below the MIB's node 0.
NOTIFICATIONS = {"ticket": 1, "note": 2, "hotline": 3, "page": 4, "page_resolve": 5, "escalation": 6}
_SHORTEST = 0.1  # seconds that are left to send, however long the loading took
#: Engines are loaded one after the other, so that many notifications at once do not take all of the processor's turns.
_LOADING = threading.Lock()
_EPOCH = 1_577_836_800  # 2020-01-01; snmpEngineBoots ends at 2^31 - 1, in 2088
_AUTH = {
    "none": hlapi.USM_AUTH_NONE,
    "md5": hlapi.USM_AUTH_HMAC96_MD5,
    "sha": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
_PRIVACY = {
    "none": hlapi.USM_PRIV_NONE,
    "des": hlapi.USM_PRIV_CBC56_DES,
    "aes128": hlapi.USM_PRIV_CFB128_AES,
    "aes192": hlapi.USM_PRIV_CFB192_AES,
    "aes256": hlapi.USM_PRIV_CFB256_AES,
}


class Snmp:
    """One manager that takes notifications."""

    def __init__(self, receiver: SnmpReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT) -> None:
        self._receiver = receiver
        self._redactor = redactor or Redactor.of(receiver)
        self._timeout = timeout
        self._started = time.monotonic()
        self._where = f"{receiver.host}:{receiver.port}"

    async def deliver(self, act: Act, key: str) -> Delivered:
        deadline = time.monotonic() + self._timeout
        try:
            async with asyncio.timeout(self._timeout):
                family, address = await self._address()
        except OSError as error:  # TimeoutError is one
            return self._failed(error, Outcome.TRANSIENT)
        # A fifth of a second of loading and reckoning: the loop has other deliveries to make.
        return await aside(lambda: asyncio.run(self._send(act, key, family, address, deadline)), f"snmp {act.id}")

    async def _send(self, act: Act, key: str, family: int, address: Address, deadline: float) -> Delivered:
        if self._receiver.notify == "inform":
            with _LOADING:
                engine = self._engine()
            return await self._give(engine, act, key, await self._target(family, address), deadline)
        # Held until it is out: a manager refuses what is older than what it had, and a later engine is newer.
        with _LOADING:
            return await self._give(self._engine(), act, key, await self._target(family, address))

    async def _give(self, engine: Any, act: Act, key: str, target: Any, deadline: float | None = None) -> Delivered:
        inform = deadline is not None  # a trap waits for nobody
        left = max(_SHORTEST, deadline - time.monotonic()) if deadline is not None else None
        try:
            async with asyncio.timeout(left):
                indication, status, _, _ = await hlapi.send_notification(
                    engine,
                    self._credentials(),
                    target,
                    hlapi.ContextData(contextName=self._receiver.context.encode()),
                    self._receiver.notify,
                    self._notification(act, key),
                )
        except (PySnmpError, OSError) as error:
            lost = isinstance(error, TimeoutError) and inform
            return self._failed(error, Outcome.UNKNOWN if lost else Outcome.TRANSIENT)
        finally:
            engine.close_dispatcher()
        if indication or status:
            # An inform that was not confirmed may have been taken; the key says so to whoever gets it twice.
            lost = isinstance(indication, RequestTimedOut)
            words = told(self._redactor, str(indication or f"error {int(status)}"), 200)
            return Delivered(Outcome.UNKNOWN if lost else Outcome.TRANSIENT, f"{self._where}: {words}")
        how = "confirmed" if inform else "sent; a trap is not confirmed"
        return Delivered(Outcome.ACCEPTED, f"{self._where}: {how}", key)

    def _failed(self, error: Exception, outcome: Outcome) -> Delivered:
        late = isinstance(error, TimeoutError)
        words = "no answer in time" if late else told(self._redactor, str(error), 200) or type(error).__name__
        return Delivered(outcome, f"{self._where}: {words}")

    def _engine(self) -> Any:
        """An engine of its own for each notification: it belongs to the loop of that one."""
        engine = hlapi.SnmpEngine()
        builder = engine.get_mib_builder()
        if self._receiver.engine_id is not None:  # not given above, or it would be kept in a folder of all users'
            engine_id = OctetString(hexValue=self._receiver.engine_id)
            (symbol,) = builder.import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineID")
            symbol.syntax = symbol.syntax.clone(engine_id)
            engine.snmpEngineID = symbol.syntax
        (boots,) = builder.import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineBoots")
        boots.syntax = boots.syntax.clone(max(1, int(time.time()) - _EPOCH))
        return engine

    def _credentials(self) -> Any:
        own = self._receiver
        if own.version == "2c":
            return hlapi.CommunityData(_octets(own.community), mpModel=1)  # noqa: S508 - v2c is what some managers take
        auth, privacy = own.auth != "none", own.privacy != "none"
        return hlapi.UsmUserData(
            (own.user or "").encode(),
            authKey=_octets(own.auth_key) if auth else None,
            privKey=_octets(own.privacy_key) if privacy else None,
            authProtocol=_AUTH[own.auth],
            privProtocol=_PRIVACY[own.privacy],
        )

    async def _address(self) -> tuple[int, Address]:
        """Where it goes. Raises OSError when the manager's name has no address."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._receiver.host, self._receiver.port, type=socket.SOCK_DGRAM)
        family, *_, address = found[0]
        return family, (str(address[0]), int(address[1]))

    async def _target(self, family: int, address: Address) -> Any:
        kind = hlapi.Udp6TransportTarget if family == socket.AF_INET6 else hlapi.UdpTransportTarget
        # Three tries of an inform within our deadline; the outbox does the rest.
        return await kind.create(address, timeout=max(0.1, self._timeout / 4), retries=2)

    def _notification(self, act: Act, key: str) -> Any:
        root = self._receiver.oid
        notification = NotificationType(ObjectIdentity(f"{root}.0.{NOTIFICATIONS[act.kind.value]}"))
        uptime = TimeTicks(int((time.monotonic() - self._started) * 100) % 2**32)
        return notification.add_varbinds(
            ("1.3.6.1.2.1.1.3.0", uptime),
            *((f"{root}.1.{place}.0", value) for place, value in self._values(act, key)),
        )

    @staticmethod
    def _values(act: Act, key: str) -> Iterator[tuple[int, Any]]:
        """The objects of PROBER-MIB, by their place below its node 1."""
        view = View(act)
        contact = ", ".join(x for x in (view.company, view.contact, view.phone, view.email) if x)
        onset = act.facts.get("onset")
        severity = act.facts.get("severity")
        yield 1, _string(key, _LONG)
        yield 2, _string(act.incident, _SHORT)
        yield 3, Integer32(min(act.episode, 2**31 - 1))
        yield 4, _string(view.service, _SHORT)
        yield 5, _string(severity if isinstance(severity, str) else "", _SHORT)
        yield 6, _string(view.condition, _SHORT)
        yield 7, _string(view.onset if isinstance(onset, int) else "", _SHORT)
        yield 8, _string(texts.summary(act), _LONG)
        yield 9, _string(contact, _LONG)
        yield 10, _string(view.ticket_number or view.ticket_mail, _SHORT)


def _octets(secret: SecretStr | None) -> bytes:
    """UTF-8, as managers read their own configuration; the library would take Latin-1 for it."""
    return secret.get_secret_value().encode() if secret is not None else b""


def _string(text: str, limit: int) -> Any:
    """UTF-8 within `limit` bytes, no letter cut in two."""
    return OctetString(text.encode()[:limit].decode("utf-8", "ignore").encode())
