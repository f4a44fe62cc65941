"""Queries in the shapes that the dashboards share. A selector is a metric with its labels in braces."""

_SPAN = "[$__rate_interval]"  # as long as Grafana needs for the resolution that is shown


def rate(selector: str, *by: str) -> str:
    """How much a second a counter grows, summed up by the labels `by` (none: all in one)."""
    return f"sum{_by(by)}(rate({selector}{_SPAN}))"


def increase(selector: str, *by: str) -> str:
    """How much a counter grows in each step of what is shown, summed up by the labels `by`."""
    return f"sum{_by(by)}(increase({selector}{_SPAN}))"


def quantile(share: float, buckets: str, *by: str) -> str:
    """What `share` of the observations of a histogram stay within, by its buckets and the labels `by`."""
    return f"histogram_quantile({share:g}, {rate(buckets, 'le', *by)})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
