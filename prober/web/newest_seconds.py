"""`/api/seconds/current.json` and `/api/seconds`: closed seconds for programs, in the form of `prober seconds --format jsonl`.

`/api/seconds/current.json`: `{"at": UTC seconds, "seconds": [line...]}`, a line for each service ("channel": null), each
channel and each endpoint of the configuration: its newest closed second. What has none yet is left out; endpoints
follow their channel by a commit.

`/api/seconds?service=&channel=&endpoint=&from=&to=`: a line a second, JSON lines, a day at most; `from` and `to` as
`prober seconds` takes them (default: the last hour; `to` not included).
"""

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from prober import instants
from prober.errors import UsageError
from prober.seconds_lines import rest_of
from prober.settings import Settings
from prober.store import NoStoreError, Reader, SeriesKey, StoreError
from prober.web.hour import Stretch
from prober.web.live import Live
from prober.web.stored import Stored
from prober.web.view import View
from rules.model import Cell

#: Seconds of one answer of /api/seconds.
MOST = 86_400
#: Lines that are made and sent at a time.
_AT_ONCE = 2_000
_HEADERS = {"Cache-Control": "no-store"}


class NewestSeconds:
    """The routes' handlers."""

    def __init__(self, view: View, stored: Stored, live: Live) -> None:
        self._view = view
        self._stored = stored
        self._newest = live.newest

    def routes(self) -> list[Route]:
        return [Route("/api/seconds/current.json", self.current), Route("/api/seconds", self.lines)]

    async def current(self, _: Request) -> Response:
        """The newest second of everything."""
        keys = tuple(_configured(self._view.settings))
        found: dict[SeriesKey, tuple[int, Cell]] = {}
        why = ""
        try:
            found = await self._stored.ask(_newest)
        except NoStoreError:
            pass  # nothing is on disk yet: the link may know more
        except StoreError as error:
            why = str(error)
        lines = []
        for key in keys:
            known = (found.get(key), self._newest.of(key))
            if newest := max((each for each in known if each is not None), key=lambda each: each[0], default=None):
                lines.append({"second": newest[0], **rest_of(key, newest[1])})
        answer = {"at": round(self._view.snapshot().now, 3), "seconds": lines, **({"error": why} if why else {})}
        return JSONResponse(answer, headers=_HEADERS)

    async def lines(self, request: Request) -> Response:
        """A stretch of a series, a line a second."""
        try:
            key, since, until = _asked(request.query_params, self._view.settings)
        except UsageError as error:
            return PlainTextResponse(f"{error}\n", 400)
        try:
            found = await self._stored.ask(lambda reader: list(reader.stretches(key, since, until)))
        except NoStoreError:
            found = []
        except StoreError as error:
            return PlainTextResponse(f"{error}\n", 503, {"Retry-After": "5"})
        return StreamingResponse(_lines(key, found), media_type="application/jsonl", headers=_HEADERS)


def _newest(reader: Reader) -> dict[SeriesKey, tuple[int, Cell]]:
    return {key: (second, cell) for key, second, cell in reader.newest()}


def _configured(settings: Settings) -> Iterator[SeriesKey]:
    for name, service in settings.services.items():
        yield SeriesKey(name)
        for channel, endpoints in (("api", service.channels.api), ("smtp", service.channels.smtp)):
            if endpoints:
                yield SeriesKey(name, channel)
            yield from (SeriesKey(name, channel, endpoint.name) for endpoint in endpoints)


def _asked(query: Mapping[str, str], settings: Settings) -> tuple[SeriesKey, int, int]:
    """Raises UsageError with what is wrong."""
    if unknown := sorted(set(query) - {"service", "channel", "endpoint", "from", "to"}):
        raise UsageError(f"{unknown[0][:64]!r} is not known here; known are service, channel, endpoint, from, to")
    key = SeriesKey(query.get("service", ""), query.get("channel", ""), query.get("endpoint", ""))
    if key not in set(_configured(settings)):
        raise UsageError(
            f"no series is called {'/'.join(part[:64] for part in key if part)!r}; /api/seconds/current.json names them all"
        )
    now = time.time()
    since, until = (
        instants.parse(query.get("from", "-1h"), now, "from"),
        instants.parse(query.get("to", "now"), now, "to"),
    )
    if until < since:
        raise UsageError("to is before from")
    if until - since > MOST:
        raise UsageError(f"from and to are more than {MOST} s apart; ask for a day at a time, or use `prober seconds`")
    return key, since, until


async def _lines(key: SeriesKey, stretches: list[Stretch]) -> AsyncIterator[str]:
    for first, end, cell in stretches:
        rest = json.dumps(rest_of(key, cell))[1:]
        for at in range(first, end, _AT_ONCE):
            yield "".join(f'{{"second": {second}, {rest}\n' for second in range(at, min(end, at + _AT_ONCE)))
