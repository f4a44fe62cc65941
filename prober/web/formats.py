"""Which exposition a scraper gets, and whether compressed: negotiation by Accept and Accept-Encoding.

prometheus_client's own `choose_encoder` raises TypeError on a version that is no number and repeats whatever version
was asked for; here a scraper gets OpenMetrics 1.0.0 if it takes a 1.x, and text 0.0.4 otherwise.
"""

import gzip
from collections.abc import Iterator

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.responses import Response

#: Under this many bytes compression is not worth it.
_SMALL = 1024


def wants_openmetrics(accept: str) -> bool:
    """Whether the Accept header prefers OpenMetrics 1.x over the text format; so when it weighs both alike."""
    wanted, text = 0.0, 0.0
    for kind, parameters in _items(accept):
        weight = _weight(parameters)
        if kind == "application/openmetrics-text" and parameters.get("version", "1").partition(".")[0] == "1":
            wanted = max(wanted, weight)
        elif kind == "text/plain":
            text = max(text, weight)
    return wanted > 0 and wanted >= text


def has_already(if_none_match: str, tag: str) -> bool:
    """Whether the If-None-Match header names the entity tag: compared weakly, since proxies that compress weaken tags."""
    given = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return given == ["*"] or tag.removeprefix("W/") in given


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the Accept-Encoding header takes gzip (RFC 9110 12.5.3)."""
    return any(kind in {"gzip", "x-gzip"} and _weight(parameters) > 0 for kind, parameters in _items(accept_encoding))


def exposed(collector: Collector, extra: str, *, openmetrics_wanted: bool) -> bytes:
    """The collector's families, then `extra` (families already written), with the format's end mark."""
    if not openmetrics_wanted:
        return exposition.generate_latest(collector) + extra.encode()
    body: bytes = openmetrics.generate_latest(collector, version="1.0.0")  # type: ignore[no-untyped-call]  # theirs is untyped
    return body.removesuffix(b"# EOF\n") + extra.encode() + b"# EOF\n"


def answer(body: bytes, *, openmetrics_wanted: bool, compressed: bool) -> Response:
    """An exposition as a response, gzipped if that is wanted and worth it."""
    kind = openmetrics.CONTENT_TYPE_LATEST if openmetrics_wanted else exposition.CONTENT_TYPE_PLAIN_0_0_4
    headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
    if compressed and len(body) >= _SMALL:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1, mtime=0)
    return Response(body, headers=headers)


def _items(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for item in header.split(","):
        kind, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        yield kind.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _weight(parameters: dict[str, str]) -> float:
    """The weight `q` (RFC 9110 12.4.2): 1 when not given, 0 when it is no number between 0 and 1."""
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
