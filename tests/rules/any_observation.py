"""Observations of every kind: any at all (Hypothesis), and a sweep that reaches every rule."""

from collections.abc import Iterator
from itertools import product

from hypothesis import strategies as st

from rules.model import History, Kind, Observation, Stage, Trouble

_BODIES = (
    b"",
    b'{"error": {"type": "internal_error"}}',
    b'{"error": {"type": "service_unavailable_error"}}',
    b'{"errors": [{"code": "1502"}]}',
    b'{"errors": [{"code": "2000"}]}',
)
_UNMET = ("status", "vendor", "header x-state", "body", "json ok", "reply")
_ENHANCED = (
    "",
    "4.3.0",
    "4.3.2",
    "4.4.2",
    "5.3.0",
    "5.3.4",
    "4.7.0",
    "4.7.28",
    "5.1.1",
    "5.2.2",
    "5.5.1",
    "5.6.0",
    "?",
)
_HEADERS = ((), (("cf-ray", "x"),), (("retry-after", "5"),))

histories = st.builds(History, tls_worked=st.booleans(), passed=st.booleans(), redirected=st.booleans())
observations = st.builds(
    Observation,
    kind=st.sampled_from(Kind),
    stage=st.sampled_from(Stage),
    trouble=st.none() | st.sampled_from(Trouble),
    unmet=st.none() | st.sampled_from(_UNMET) | st.text(max_size=9),
    code=st.one_of(st.integers(-1, 1000), st.sampled_from((200, 421, 429, 451, 454, 500, 503, 504, 522, 554))),
    enhanced=st.sampled_from(_ENHANCED) | st.text(max_size=9),
    text=st.sampled_from(("", "rate limit", "maintenance")) | st.text(max_size=30),
    headers=st.sampled_from(_HEADERS),
    body=st.sampled_from(_BODIES) | st.binary(max_size=30),
    fresh=st.booleans(),
    verified=st.booleans(),
    sent_whole=st.booleans(),
    idle=st.sampled_from((0, 10**9, 60 * 10**9)),
    messages=st.sampled_from((0, 99, 100)),
    received=st.sampled_from((0, 1)),
    proxied=st.sampled_from(("", "proxy.example")),
)


def sweep() -> Iterator[Observation]:
    """Enough observations that every rule answers at least once."""
    for kind, stage, trouble in product(Kind, Stage, Trouble):
        for fresh, verified in product((True, False), repeat=2):
            yield Observation(kind, stage, trouble, fresh=fresh, verified=verified)
        yield Observation(kind, stage, trouble, messages=100)
        yield Observation(kind, stage, trouble, idle=60 * 10**9)
        yield Observation(kind, stage, trouble, proxied="proxy.example")
    for kind in Kind:
        yield Observation(kind, Stage.DONE)
        for code, unmet, body in product(range(650), _UNMET, _BODIES):
            if not body or code in (200, 400):
                yield Observation(
                    kind, Stage.BODY if kind is Kind.HTTP else Stage.MAIL, None, unmet, "", code, body=body
                )
    for stage, code, enhanced in product(Stage, (421, 450, 451, 452, 454, 455, 500, 554), _ENHANCED):
        yield Observation(Kind.SMTP, stage, None, "reply", "", code, enhanced)
    yield Observation(Kind.SMTP, Stage.MAIL, None, "reply", "", 451, text="rate limit")
