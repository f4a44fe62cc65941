"""How long an endpoint that asked us to slow down is left alone (DESIGN.md, "Politeness")."""

from datetime import UTC
from email.utils import parsedate_to_datetime

#: First and longest wait without a Retry-After, seconds: 5, 10, 20, 40, 60, 60, ...
FIRST_WAIT = 5
LONGEST_WAIT = 60
#: Longest Retry-After that is honoured, seconds: past it we would rather ask once than not measure at all.
LONGEST_RETRY_AFTER = 3600


def back_off(previous: int) -> int:
    """Seconds to wait after a further throttling reply; `previous` is the wait before it, 0 for the first."""
    return min(LONGEST_WAIT, previous * 2) if previous else FIRST_WAIT


def retry_after(value: str, now: int) -> int | None:
    """Seconds that a Retry-After header asks for, at `now` (UTC seconds); None for no usable one (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:  # asctime's form has no zone, and means UTC (RFC 9110, 5.6.7)
            moment = moment.replace(tzinfo=UTC)
        return max(0, min(round(moment.timestamp()) - now, LONGEST_RETRY_AFTER))
    except (ValueError, TypeError, OverflowError):
        return None


def wait(headers: tuple[tuple[str, str], ...], previous: int, now: int) -> tuple[int, int]:
    """(seconds to leave the endpoint alone, the back-off to remember) after a throttling reply with these headers."""
    for name, value in headers:
        if name == "retry-after" and (asked := retry_after(value, now)):
            return asked, previous
    step = back_off(previous)
    return step, step
