"""The ticket by mail: through the relays in turn, each asked until one has taken responsibility for the message.

RFC 5321 decides what a failure means. A reply of class 5 from a relay is permanent for that relay (its greeting, our
login, an address, the message); anything else before the final dot is transient, and the next relay is tried. After
the dot the message may have been taken (4.5.3.2.6): no other relay is tried, and a repeat carries the same
Message-ID. A relay that has lost its answer to one message twice comes last for it: never is worse than twice.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence

import aiosmtplib

from prober.deliver import TIMEOUT, Delivered
from prober.deliver.harmless import told
from prober.deliver.message import Envelope, addresses, compose, stuffed
from prober.deliver.relays import Guard, Peer
from prober.redact import Redactor
from prober.settings import EmailReceiver, Relay
from rules.acts import Act, Outcome

#: What an old server says to EHLO: it knows no such command.
_NO_EHLO = frozenset({500, 502})
#: How often one relay's answer to one message may be lost before the others are asked first.
_LOST = 2


class _Refused(Exception):  # noqa: N818 - a reply, told upwards; not an error of ours
    """A reply that ends the dialogue before the final dot."""

    def __init__(self, stage: str, code: int, text: str) -> None:
        super().__init__(stage, code)
        # 552 at RCPT says "too many recipients" from servers before RFC 5321, which wants it read as 452 (4.5.3.1.10).
        self.stage, self.code, self.text = stage, code, text
        self.permanent = 500 <= code <= 599 and not (stage == "RCPT" and code == 552)


class Email:
    """One mailbox that takes acts. `services` are the endpoints by service, so that no relay is the service itself."""

    def __init__(
        self,
        name: str,
        receiver: EmailReceiver,
        relays: Sequence[Relay],
        services: Mapping[str, Sequence[Peer]],
        guard: Guard | None = None,
        redactor: Redactor | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises OSError when a relay's file of certification authorities cannot be read."""
        self._name = name
        self._receiver = receiver
        self._relays = tuple(relays)
        self._services = {service: tuple(peers) for service, peers in services.items()}
        self._guard = guard or Guard()
        self._timeout = timeout
        self._contexts = {r: ssl.create_default_context(cafile=r.ca) for r in self._relays if r.tls != "none"}
        self._redactor = redactor or Redactor.of(*self._relays)
        self._lost: Counter[tuple[str, Relay]] = Counter()  # answers to a key's message, by relay

    async def deliver(self, act: Act, key: str) -> Delivered:
        deadline = asyncio.get_running_loop().time() + self._timeout
        envelope = compose(act, key, self._name, self._receiver)
        service = self._peers(act)
        relays, skipped = await self._guard.usable(self._relays, service)
        if not relays:
            why = "every relay is the service itself" if skipped else "no relay is configured"
            return Delivered(Outcome.TRANSIENT, "; ".join([f"no_relay: {why}", *(s.why for s in skipped)]))
        failures = []
        for place, relay in enumerate(sorted(relays, key=lambda r: self._lost[key, r] >= _LOST)):
            now = asyncio.get_running_loop().time()
            # A silent relay must leave time for those after it; once the message is sent, the relay has all that is
            # left.
            until = now + max(0.0, deadline - now) / (len(relays) - place)
            session = _Session(relay, self._contexts.get(relay), service, self._guard, self._redactor)
            delivered = await session.hand_over(envelope, until, deadline)
            if delivered.outcome is Outcome.UNKNOWN:
                self._lost[key, relay] += 1
                return delivered
            if delivered.outcome is Outcome.ACCEPTED:
                self._forget(key)
                return delivered
            failures.append(delivered)
        permanent = all(f.outcome is Outcome.PERMANENT for f in failures)
        if permanent:
            self._forget(key)
        return Delivered(Outcome.PERMANENT if permanent else Outcome.TRANSIENT, "; ".join(f.detail for f in failures))

    def _forget(self, key: str) -> None:
        for relay in self._relays:
            self._lost.pop((key, relay), None)

    def _peers(self, act: Act) -> tuple[Peer, ...]:
        """The endpoints of the service that the act complains about; of all when it does not say."""
        service = act.facts.get("service")
        if isinstance(service, str) and service in self._services:
            return self._services[service]
        return tuple(peer for peers in self._services.values() for peer in peers)


class _Session:
    """One connection to one relay."""

    def __init__(
        self, relay: Relay, context: ssl.SSLContext | None, service: Sequence[Peer], guard: Guard, redactor: Redactor
    ) -> None:
        self._relay = relay
        self._context = context
        self._service = service
        self._guard = guard
        self._redactor = redactor
        self._stage = "connecting"
        self._sent = False
        self._is_service = False

    async def hand_over(self, envelope: Envelope, until: float, deadline: float) -> Delivered:
        """Try to hand the message over; `until` (before the dot) and `deadline` are instants of the loop."""
        relay, outcome = self._relay, Outcome.TRANSIENT
        host = socket.gethostname()
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            local_hostname=host if "." in host and host.isascii() else "[127.0.0.1]",
            use_tls=relay.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )
        try:
            async with asyncio.timeout_at(until) as limit:
                refused_cc = await self._dialogue(client, envelope)
                limit.reschedule(deadline)
                reply = await self._send(client, envelope)
        except _Refused as refused:
            outcome = Outcome.PERMANENT if refused.permanent else outcome
            problem = f"{refused.stage} answered {refused.code} {self._told(refused.text)}"
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            # TimeoutError is an OSError; TLS failures are too.
            problem = f"{self._stage}: {self._told(_words(error))}"
            if self._sent:
                outcome = Outcome.UNKNOWN
        else:
            outcome = Outcome.ACCEPTED
            problem = "; ".join([f"answered {reply.code} {self._told(reply.message)}", *refused_cc])
        finally:
            client.close()
        if self._is_service:
            return Delivered(outcome, f"no_relay: {relay.host}:{relay.port} {problem}")
        reference = envelope.message_id if outcome is Outcome.ACCEPTED else ""
        return Delivered(outcome, f"{relay.host}:{relay.port} {problem}", reference)

    def _told(self, text: str) -> str:
        return told(self._redactor, text)

    async def _dialogue(self, client: aiosmtplib.SMTP, envelope: Envelope) -> list[str]:
        """Everything up to DATA's 354. Returns what became of copies that were refused."""
        try:
            await self._enter(client)
            self._stage = "MAIL"
            wide = envelope.wide
            if wide and not client.supports_extension("smtputf8"):
                raise _Refused("EHLO", 553, "no SMTPUTF8 offered, which the addresses need")
            encoding = "utf-8" if wide else "ascii"
            await client.mail(envelope.sender, options=["SMTPUTF8"] if wide else [], encoding=encoding)
            refused_cc = []
            for place, address in enumerate(addresses(envelope)):
                self._stage = "RCPT"
                try:
                    await client.rcpt(address, encoding=encoding)
                except aiosmtplib.SMTPRecipientRefused as error:
                    if place == 0 or error.code == 421:
                        raise
                    refused_cc.append(f"copy to {address} refused: {error.code} {self._told(error.message)}")
            self._stage = "DATA"
            reply = await client.execute_command(b"DATA")
            if reply.code != 354:
                raise _Refused("DATA", reply.code, reply.message)
        except aiosmtplib.SMTPResponseException as error:
            raise _Refused(self._stage, error.code, error.message) from error
        return refused_cc

    async def _enter(self, client: aiosmtplib.SMTP) -> None:
        """Connect, TLS, login."""
        relay = self._relay
        try:
            await client.connect()
        except aiosmtplib.SMTPResponseException:
            self._stage = "the greeting"
            raise
        peer = client.get_transport_info("peername")
        if peer and self._guard.is_service(str(peer[0]), relay.port, self._service):
            self._is_service = True
            raise OSError("the connection leads to the service itself")
        if "." not in socket.gethostname():
            client.local_hostname = _address_literal(client.get_transport_info("sockname"))
        self._stage = "EHLO"
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code not in _NO_EHLO or relay.tls == "starttls" or relay.username is not None:
                raise
            await client.helo()  # an old relay; its HELO is enough where neither TLS nor a login follows (RFC 5321 3.2)
        if relay.tls == "starttls":
            self._stage = "STARTTLS"
            await client.starttls()
            self._stage = "EHLO"
            await client.ehlo()
        if relay.username is not None:
            self._stage = "AUTH"
            await _log_in(client, relay.username, relay.password.get_secret_value() if relay.password else "")

    async def _send(self, client: aiosmtplib.SMTP, envelope: Envelope) -> aiosmtplib.SMTPResponse:
        """The message and its final dot. DATA is split here, since only what is lost after the dot is in doubt."""
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._stage = "the final dot"
        protocol.write(stuffed(envelope.content))
        self._sent = True
        reply = await protocol.read_response()
        if not 200 <= reply.code <= 299:
            if not 400 <= reply.code <= 599:
                raise aiosmtplib.SMTPException(f"an answer that is none: {reply.code}")
            raise _Refused(self._stage, reply.code, reply.message)
        if client.protocol is protocol and protocol.is_connected:
            protocol.write(b"QUIT\r\n")  # its answer changes nothing and is not waited for
        return reply


async def _log_in(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    """By each mechanism that both know, until one is taken: some servers offer what they do not take.

    What counts of one that refuses and hangs up is that it refused.
    """
    if not client.supports_extension("auth"):
        raise aiosmtplib.SMTPException("the relay offers no login")
    ways = {"cram-md5": client.auth_crammd5, "plain": client.auth_plain, "login": client.auth_login}
    refused: aiosmtplib.SMTPAuthenticationError | None = None
    for name in client.supported_auth_methods:
        try:
            await ways[name](username, password)
        except aiosmtplib.SMTPAuthenticationError as error:
            refused = error
        except OSError:
            if refused is None:
                raise
            break
        else:
            return
    raise refused or aiosmtplib.SMTPException("the relay offers no way to log in that we know")


def _words(error: Exception) -> str:
    """A library's error in few words."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the relay's certificate is not accepted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason or type(cause).__name__}"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return str(cause) or type(cause).__name__


def _address_literal(sockname: object) -> str:
    """This machine's address as EHLO gives it where the machine has no full name (RFC 5321 4.1.3)."""
    address = str(sockname[0]) if isinstance(sockname, tuple) and sockname else "127.0.0.1"
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"
