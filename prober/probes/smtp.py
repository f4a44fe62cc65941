"""An SMTP call as a dialogue: greeting, TLS, login and a real injection, as far as `depth` says (RFC 5321).

Commands are not pipelined: each reply is evidence of its own stage. What does not change from call to call is made once
(`SmtpPlan`), because the call happens every second.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from prober.probes.conversation import Results, Send, Step
from prober.probes.message import Message, Messages, messages, next_id
from prober.probes.smtp_auth import HIDDEN, ChallengeError, Credentials, Mechanism
from prober.probes.smtp_reply import ReplyError, ReplyReader, lines, read, shown
from prober.probes.smtp_session import Depth, Session, own_name, read_session
from prober.settings import SmtpEndpoint
from rules.model import SMTP_PHASES, Stage, Trouble

QUIT = b"QUIT\r\n"
_BANNER, _EHLO, _STARTTLS, _AUTH, _MAIL, _RCPT, _DATA, _DOT = (
    SMTP_PHASES.index(name) for name in ("banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot")
)
_NO_EHLO = frozenset({500, 502})
#: What takes a command that we send: the first digit decides (RFC 5321 4.2.1; for the message itself 4.2.5: "a positive
#: completion status (2yz code)"). Greeting, STARTTLS, AUTH and DATA are answered by one code alone.
_TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class SmtpPlan:
    """All of an endpoint's dialogue that is known before it begins. `secrets` must appear in no transcript."""

    name: str
    depth: Depth
    starttls: bool
    encrypted: bool  # by the time of the login
    reuse: bool
    ehlo: bytes
    helo: bytes
    mail: bytes = b""  # without parameters and line end
    rcpt: bytes = b""
    credentials: Credentials | None = None
    messages: Messages | None = field(default=None, repr=False)

    @classmethod
    def of(cls, endpoint: SmtpEndpoint) -> "SmtpPlan":
        """From the settings; a password in a file must have been read into `password`. Raises ValueError."""
        depth = Depth[endpoint.depth.upper()]
        credentials = parts = None
        if endpoint.login is not None and depth >= Depth.AUTH:
            if endpoint.login.password is None:
                raise ValueError(f"endpoint {endpoint.name}: the login has no password")
            credentials = Credentials.of(endpoint.login.username, endpoint.login.password.get_secret_value())
        if depth >= Depth.RCPT:
            if endpoint.mail is None:
                raise ValueError(f"endpoint {endpoint.name}: depth {endpoint.depth} needs mail: {{from: ..., to: ...}}")
            parts = messages(endpoint.mail, endpoint.name)
        name = endpoint.helo or own_name(parts.sender.domain.decode() if parts else "")
        return cls(
            name=endpoint.name,
            depth=depth,
            starttls=endpoint.tls == "starttls" and depth >= Depth.TLS,
            encrypted=endpoint.tls != "none",
            reuse=endpoint.connection == "reuse" and depth is Depth.DATA,
            ehlo=f"EHLO {name}\r\n".encode(),
            helo=f"HELO {name}\r\n".encode(),
            mail=b"MAIL FROM:<%b>" % parts.sender.envelope if parts else b"",
            rcpt=b"RCPT TO:<%b>\r\n" % parts.recipient.envelope if parts else b"",
            credentials=credentials,
            messages=parts,
        )

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What a server that repeats what it was sent must not bring into a transcript."""
        return self.credentials.secrets if self.credentials else ()

    @property
    def needs_esmtp(self) -> bool:
        """Whether the call cannot be made with a server that speaks HELO alone."""
        return self.starttls or self.credentials is not None or (self.messages is not None and self.messages.utf8)

    def conversation(self, send: Send, session: Session | None = None) -> "SmtpConversation":
        return SmtpConversation(self, send, session=session)


class SmtpConversation(Results):
    """One SMTP call (see prober.probes.conversation.Conversation).

    The phase `starttls` runs from the command to TLS standing; the second EHLO counts to the phase after it. `unmet` is
    "reply" for a reply that was not due, and "smtputf8" where an address needs that extension and it is not offered.
    """

    __slots__ = (
        "_answered",
        "_due",
        "_id",
        "_mechanism",
        "_message",
        "_plan",
        "_reader",
        "_secured",
        "_send",
        "_unasked",
        "session",
    )

    def __init__(
        self, plan: SmtpPlan, send: Send, message_id: str | None = None, session: Session | None = None
    ) -> None:
        super().__init__(Stage.BANNER, len(SMTP_PHASES))
        self._plan = plan
        self._send = send
        self._reader = ReplyReader()
        self._due: Callable[[SmtpConversation, int, int], Step] = SmtpConversation._on_banner  # unbound: no cycle
        self._secured = False
        self._unasked = False  # bytes came before the command that they would answer
        self._id = message_id.encode() if message_id else b""
        self._mechanism: Mechanism | None = None
        self._answered = 0
        self._message: Message | None = None
        self.session = session
        self.message_id = message_id or ""

    # what the wire says

    def opened(self, now: int) -> Step:  # noqa: ARG002 - the wire marks it
        return Step.MORE

    def resumed(self, now: int) -> Step:  # noqa: ARG002 - the wire marks it
        return self._mail()

    def secured(self, now: int) -> Step:
        self._secured = True
        self.marks[_STARTTLS] = now
        if self._plan.depth is Depth.TLS:
            return self._done(220)
        return self._greet()

    def feed(self, data: bytes, now: int) -> Step:
        reader = self._reader
        try:
            code = reader.feed(data)
            while code:
                if self._unasked and code < 400:
                    raise ReplyError(Trouble.MALFORMED, f"a reply that nobody asked for: {shown(reader.raw)}")
                self._unasked = reader.pending > 0  # what follows was sent before the next command was
                step = self._due(self, code, now)
                if step:
                    return step
                code = reader.next() if self._unasked else 0
        except ReplyError as e:
            return self._fail(e.trouble, e.detail)
        return Step.MORE

    def closed(self, now: int, *, clean: bool = True) -> Step:  # noqa: ARG002 - the wire stamps the end
        pending = self._reader.pending
        return self._fail(Trouble.CLOSED, f"after {pending} bytes of an unfinished reply" if pending else "")

    def abandoned(self) -> None:
        pass  # a reply that is not whole says nothing, and nothing here is a cycle

    # one method a stage: what the reply that was due there leads to

    def _on_banner(self, code: int, now: int) -> Step:
        if code != 220:
            return self._refused(code)
        self.marks[_BANNER] = now
        return self._done(code) if self._plan.depth is Depth.BANNER else self._greet()

    def _greet(self) -> Step:
        self.stage = Stage.EHLO
        self._due = SmtpConversation._on_ehlo
        self._send(self._plan.ehlo)
        return Step.MORE

    def _on_ehlo(self, code: int, now: int) -> Step:
        if code in _NO_EHLO and not self._plan.needs_esmtp:  # RFC 5321 3.2: an old server gets HELO
            self._due = SmtpConversation._on_helo
            self._send(self._plan.helo)
            return Step.MORE
        if code not in _TAKEN:
            return self._refused(code)
        self.session = session = read_session(self._reader.raw)
        if not self.marks[_EHLO]:
            self.marks[_EHLO] = now
        plan = self._plan
        if plan.depth <= Depth.EHLO:
            return self._done(code)
        if not plan.starttls or self._secured:
            return self._login(code)
        self.stage = Stage.STARTTLS
        if not session.starttls:
            return self._fail(Trouble.NO_STARTTLS, f"offered: {session.keywords}")
        self._due = SmtpConversation._on_starttls
        self._send(b"STARTTLS\r\n")
        return Step.MORE

    def _on_helo(self, code: int, now: int) -> Step:
        if code not in _TAKEN:
            return self._refused(code)
        self.session = Session()
        self.marks[_EHLO] = now
        return self._done(code) if self._plan.depth <= Depth.EHLO else self._login(code)

    def _on_starttls(self, code: int, now: int) -> Step:  # noqa: ARG002 - marked when TLS stands
        if code != 220:
            return self._refused(code)
        if self._unasked:  # somebody between us and the server may have put them there (RFC 3207 6)
            return self._fail(Trouble.MALFORMED, "bytes in plain text between STARTTLS and TLS")
        return Step.STARTTLS

    def _login(self, code: int) -> Step:
        plan, session = self._plan, self.session
        if plan.depth is Depth.TLS or (plan.depth is Depth.AUTH and plan.credentials is None):
            return self._done(code)
        if plan.credentials is None or session is None:
            return self._mail()
        self.stage = Stage.AUTH
        mechanism = plan.credentials.choose(session.mechanisms, encrypted=plan.encrypted)
        if mechanism is None:
            return self._fail(Trouble.NO_AUTH_MECHANISM, f"offered: {' '.join(sorted(session.mechanisms)) or 'none'}")
        self._mechanism = mechanism
        self._due = SmtpConversation._on_auth
        self._send(mechanism.command, mechanism.shown)
        return Step.MORE

    def _on_auth(self, code: int, now: int) -> Step:
        answers = self._mechanism.answers if self._mechanism else ()
        if code == 334 and self._answered < len(answers):
            try:
                answer = answers[self._answered](lines(self._reader.raw)[-1])
            except ChallengeError as e:
                return self._fail(Trouble.MALFORMED, f"AUTH challenge: {e}")
            self._answered += 1
            self._send(answer, HIDDEN)
            return Step.MORE
        if code != 235:
            return self._refused(code)
        self.marks[_AUTH] = now
        return self._done(code) if self._plan.depth is Depth.AUTH else self._mail()

    def _mail(self) -> Step:
        plan, session = self._plan, self.session or Session()
        parts = plan.messages
        assert parts is not None  # SmtpPlan.of has seen to it for every depth that comes here
        self.stage = Stage.MAIL
        if parts.utf8 and not session.utf8:
            self.unmet, self.detail, self.parting = "smtputf8", f"offered: {session.keywords}", QUIT
            return Step.DONE
        message = self._message = parts.natural if session.eight_bit or not parts.natural.eight_bit else parts.seven_bit
        message_id = self._id = self._id or next_id(parts.sender.domain)
        self.message_id = message_id.decode()
        line = plan.mail
        if session.size:
            line += b" SIZE=%d" % (message.size + len(message_id))
        if message.eight_bit and session.eight_bit:
            line += b" BODY=8BITMIME"
        if parts.utf8:
            line += b" SMTPUTF8"
        self._due = SmtpConversation._on_mail
        self._send(line + b"\r\n")
        return Step.MORE

    def _on_mail(self, code: int, now: int) -> Step:
        if code not in _TAKEN:
            return self._refused(code)
        self.marks[_MAIL] = now
        self.stage = Stage.RCPT
        self._due = SmtpConversation._on_rcpt
        self._send(self._plan.rcpt)
        return Step.MORE

    def _on_rcpt(self, code: int, now: int) -> Step:
        if code not in _TAKEN:
            return self._refused(code)
        self.marks[_RCPT] = now
        if self._plan.depth is Depth.RCPT:
            return self._done(code)
        self.stage = Stage.DATA
        self._due = SmtpConversation._on_data
        self._send(b"DATA\r\n")
        return Step.MORE

    def _on_data(self, code: int, now: int) -> Step:
        if code != 354 or self._message is None:
            return self._refused(code)
        self.marks[_DATA] = now
        self.stage = Stage.DOT
        self._due = SmtpConversation._on_dot
        self._send(self._message.data(self._id))
        return Step.MORE

    def _on_dot(self, code: int, now: int) -> Step:
        if code not in _TAKEN:
            return self._refused(code)
        self.marks[_DOT] = now
        self.keep = self._plan.reuse and not self._unasked
        return self._done(code)

    # the ends

    def _done(self, code: int) -> Step:
        self._take_reply(code)
        self.stage = Stage.DONE
        self.parting = QUIT
        return Step.DONE

    def _refused(self, code: int) -> Step:
        self._take_reply(code)
        self.unmet = "reply"
        if (
            code >= 400 and code != 421
        ):  # after 421 nobody listens; after a positive reply out of place nobody knows to what
            self.parting = QUIT
        return Step.DONE

    def _fail(self, trouble: Trouble, detail: str) -> Step:
        self.trouble = trouble
        self.detail = self._hide(detail.encode()).decode(errors="replace")
        return Step.DONE

    def _take_reply(self, code: int) -> None:
        self.code = code
        self.enhanced, self.text = read(self._hide(self._reader.raw))

    def _hide(self, data: bytes) -> bytes:
        credentials = self._plan.credentials
        return credentials.hide(data) if credentials else data
