"""How the login is shown to the server: PLAIN (RFC 4616), CRAM-MD5 (RFC 2195), LOGIN, by AUTH (RFC 4954).

All that does not depend on a challenge is made once. Nothing here may stand in a transcript: each line has a text to be
shown instead.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: What stands in a transcript instead of a line that carries credentials.
HIDDEN = b"****\r\n"
#: A shorter password is no secret, and taking it out would leave no text readable.
_SHORTEST = 4
#: Octets of a command line (RFC 5321 4.5.3.1.4); a longer initial response waits for its 334 (RFC 4954 4).
_MAX_COMMAND = 512
#: Where a reply goes on in a next line (RFC 5321 4.2.1, RFC 2034 4). Its text is read without these breaks.
_BREAK = re.compile(rb"\r?\n[2-5][0-9]{2}[ -](?:[245]\.[0-9]{1,3}\.[0-9]{1,3}[ ])?")
#: TLS keeps the password: then one round trip wins, and what servers know best. Without TLS it should not be sent.
_ORDER_ENCRYPTED = ("PLAIN", "LOGIN", "CRAM-MD5")
_ORDER_PLAIN = ("CRAM-MD5", "PLAIN", "LOGIN")


class ChallengeError(Exception):
    """The server's challenge cannot be answered: it is no base64."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way to log in: the command, and the answers to the 334 replies that may follow, in their order."""

    name: str
    command: bytes = field(repr=False)
    shown: bytes
    answers: tuple[Callable[[bytes], bytes], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login, ready to be used. `secrets` are the byte strings that must appear nowhere."""

    mechanisms: Mapping[str, Mechanism] = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, username: str, password: str) -> "Credentials":
        user, secret = username.encode(), password.encode()
        plain, user64, secret64 = (base64.b64encode(x) for x in (b"\0%b\0%b" % (user, secret), user, secret))
        command = b"AUTH PLAIN %b\r\n" % plain
        if len(command) > _MAX_COMMAND:
            first = Mechanism("PLAIN", b"AUTH PLAIN\r\n", b"AUTH PLAIN\r\n", (_fixed(plain),))
        else:  # some servers ask again although the response was sent at once
            first = Mechanism("PLAIN", command, b"AUTH PLAIN ****\r\n", (_fixed(plain),))
        return cls(
            {
                "PLAIN": first,
                "LOGIN": Mechanism("LOGIN", b"AUTH LOGIN\r\n", b"AUTH LOGIN\r\n", (_fixed(user64), _fixed(secret64))),
                "CRAM-MD5": Mechanism("CRAM-MD5", b"AUTH CRAM-MD5\r\n", b"AUTH CRAM-MD5\r\n", (_digest(user, secret),)),
            },
            tuple(x for x in (plain, secret64, secret) if len(x) >= _SHORTEST),
        )

    def choose(self, offered: frozenset[str], *, encrypted: bool) -> Mechanism | None:
        """The mechanism to use: one round trip under TLS, no password on the wire without it. None: we speak none."""
        for name in _ORDER_ENCRYPTED if encrypted else _ORDER_PLAIN:
            if name in offered:
                return self.mechanisms[name]
        return None

    def hide(self, data: bytes) -> bytes:
        """`data` of a server that repeats what it was sent, without what must not be shown."""
        for secret in self.secrets:
            if secret in data:
                data = data.replace(secret, b"****")
        if data.count(b"\n") > 1 and any(secret in _BREAK.sub(b"", data) for secret in self.secrets):
            for secret in self.secrets:
                data = _broken(secret).sub(b"****", data)
        return data


def _broken(secret: bytes) -> re.Pattern[bytes]:
    """`secret`, however it is broken over the lines of a reply."""
    return re.compile((b"(?:%b)?" % _BREAK.pattern).join(re.escape(secret[i : i + 1]) for i in range(len(secret))))


def _fixed(response: bytes) -> Callable[[bytes], bytes]:
    line = response + b"\r\n"
    return lambda _challenge: line


def _digest(user: bytes, secret: bytes) -> Callable[[bytes], bytes]:
    def answer(challenge: bytes) -> bytes:
        try:
            asked = base64.b64decode(challenge.strip(), validate=True)  # blanks may follow what a server says
        except binascii.Error as e:
            raise ChallengeError(str(e)) from e
        return base64.b64encode(b"%b %b" % (user, hmac.new(secret, asked, "md5").hexdigest().encode())) + b"\r\n"

    return answer
