"""What a telephone call says and asks, as TwiML (Twilio's markup), and whether a request really is Twilio's.

Sources: Twilio, TwiML for Programmable Voice (Say, Gather, Dial); Security (X-Twilio-Signature).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from prober.deliver import texts
from rules.acts import Act

#: Most characters of the parameter `Twiml` (Twilio API 2010-04-01, Calls).
TWIML = 4_000
_SCRIPT = 1_200  # characters that are read out, twice, as markup has them (`&amp;` is five)
ACKNOWLEDGE, JOIN = "1", "2"


class Voice:
    """How texts are read, and what a call does besides. `bridge` is the number that the called person is joined to."""

    def __init__(self, language: str, voice: str, caller: str, bridge: str, ring: int) -> None:
        self._attributes = f" language={quoteattr(language)}" + (f" voice={quoteattr(voice)}" if voice else "")
        self._caller = caller
        self._bridge = bridge
        self._ring = ring  # seconds

    def call(self, act: Act, action: str = "") -> str:
        """What is said when the call is answered. With `action` (a URL) keys are asked for, and go there."""
        script = self._say(spoken(act))
        if action:
            keys = f"Press {ACKNOWLEDGE} to acknowledge."
            if self._bridge:
                keys += f" Press {JOIN} to acknowledge and be joined to the hotline."
            gather = (
                f'<Gather numDigits="1" timeout="10" method="POST" action={quoteattr(action)}>'
                f"{script}{self._say(keys)}{script}{self._say(keys)}</Gather>"
            )
            return self._response(gather, self._say("No key was pressed. Good bye."))
        parts = [script, '<Pause length="1"/>', script]
        if self._bridge:
            parts += [self._say("Stay on the line to be joined to the hotline."), '<Pause length="3"/>', self._dial()]
        return self._response(*parts)

    def pressed(self, key: str) -> tuple[str, bool]:
        """What is said when a key was pressed, and whether it acknowledged."""
        if key == JOIN and self._bridge:
            return self._response(self._say("Acknowledged. You are joined now."), self._dial()), True
        if key == ACKNOWLEDGE:
            return self._response(self._say("Acknowledged. Thank you.")), True
        return self._response(self._say("That key has no meaning here. Good bye.")), False

    def _say(self, words: str) -> str:
        return f"<Say{self._attributes}>{escape(words)}</Say>"

    def _dial(self) -> str:
        caller, ring = quoteattr(self._caller), quoteattr(str(self._ring))
        return f"<Dial callerId={caller} timeout={ring}>{escape(self._bridge)}</Dial>"

    @staticmethod
    def _response(*parts: str) -> str:
        return f"<Response>{''.join(parts)}</Response>"


def spoken(act: Act) -> str:
    """The script of a call, fit to be read out: what a voice would stumble over is left out."""
    words = re.sub(r"\s*\[[^\]]*\]", "", texts.spoken(act))
    words = " ".join(words.split()).replace(" .", ".")
    if len(escape(words)) <= _SCRIPT:
        return words
    words = words[: _SCRIPT - 3]
    while len(escape(words)) > _SCRIPT - 3:
        words = words[:-1]
    return f"{words}..."


def signature(auth_token: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """What X-Twilio-Signature holds: HMAC-SHA-1 over the URL and the sorted parameters of the POST, in base64."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def genuine(given: str, auth_token: str, url: str, parameters: Iterable[tuple[str, str]]) -> bool:
    """Whether `given` is the signature of such a request."""
    return hmac.compare_digest(given.encode(), signature(auth_token, url, parameters).encode())
