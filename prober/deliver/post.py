"""One JSON request to a receiver's URL: 2xx says that it was taken."""

from collections.abc import Mapping
from pathlib import Path

from prober.deliver import TIMEOUT, Delivered
from prober.deliver.exchange import USER_AGENT, Answer, Exchange, Undelivered, warm
from prober.deliver.harmless import told
from prober.redact import Redactor
from rules.acts import Outcome

__all__ = ["USER_AGENT", "Poster", "warm"]


class Poster:
    """Posts to one URL."""

    def __init__(
        self, url: str, ca: Path | None = None, redactor: Redactor | None = None, timeout: float = TIMEOUT
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._url = url
        self._exchange = Exchange(url, ca, redactor, timeout)

    async def post(self, body: bytes, headers: Mapping[str, str], names: tuple[str, ...]) -> Delivered:
        """Send `body`. The reference is the first of `names` that the answer's JSON object holds."""
        try:
            async with self._exchange.session() as session:
                answer = await session.ask("POST", self._url, body, headers)
        except Undelivered as undelivered:
            return undelivered.delivered
        detail = f"{self._exchange.host} answered {answer.status}"
        return Delivered(Outcome.ACCEPTED, detail, self._reference(answer, names))

    def _reference(self, answer: Answer, names: tuple[str, ...]) -> str:
        value = answer.value
        if not isinstance(value, dict):
            return ""
        found = (value[n] for n in names if isinstance(value.get(n), str | int) and not isinstance(value[n], bool))
        return told(self._exchange.redactor, str(next(found, "")), 200)
