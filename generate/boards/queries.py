"""Expressions that many panels are made of; `series` comes with its matchers."""

from generate.boards.panels import Query


def quantiles(series: str, by: str = "") -> list[Query]:
    """Half and 99 of 100 of a histogram's observations are below these."""
    name, _, matchers = series.partition("{")
    rate = f"rate({name}_bucket{{{matchers}[$__rate_interval])"
    legend = f"{{{{{by}}}}} " if by else ""
    labels = f"{by}, le" if by else "le"
    return [
        Query(f"histogram_quantile({level}, sum by ({labels}) ({rate}))", f"{legend}{share}")
        for level, share in (("0.5", "half below"), ("0.99", "99 % below"))
    ]


def rates(series: str, by: str, legend: str = "") -> Query:
    """A counter's increase a second, summed by labels."""
    return Query(f"sum by ({by}) (rate({series}[$__rate_interval]))", legend or _legend(by))


def increases(series: str, window: str, by: str, legend: str = "") -> Query:
    """By how much a counter grew within the window before each moment, summed by labels."""
    return Query(f"sum by ({by}) (increase({series}[{window}]))", legend or _legend(by))


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
