"""The query parameters that questions share, read strictly: each fault names what is accepted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import AwareDatetime, BeforeValidator

from services.scoring.api.reading import Reading
from services.scoring.domain.windows import NAMED, Window
from shared.errors import FieldFault, Invalid, unknown_name
from shared.programme.metrics import METRIC_NAMES
from shared.segments import clean_value

DEFAULT_WINDOW = "30d"
LONGEST = timedelta(days=36_600)
_METRICS = ", ".join(METRIC_NAMES)
_MOMENT = "an RFC 3339 time with offset, from 1971 to 2199"


def _plus(value: Any) -> Any:
    """A plus sign that nobody escaped comes as a space."""
    return value.replace(" ", "+") if isinstance(value, str) else value


Moment = Annotated[AwareDatetime | None, BeforeValidator(_plus)]


def read_metric(name: str | None) -> str | None:
    """A metric's name. Raises Invalid that lists them."""
    if name is not None and name not in METRIC_NAMES:
        raise Invalid.of([FieldFault("metric", "out-of-range", name, _METRICS)])
    return name


def needed_metric(metric: Annotated[str, Query(description=_METRICS)]) -> str:
    """The parameter `metric`, which must be told."""
    return read_metric(metric) or metric


MetricName = Annotated[str, Depends(needed_metric)]


@dataclass
class Bounds:
    """When: `window` that ends at `as_of`, or `from` and `to`."""

    window: Annotated[
        Literal["1h", "24h", "7d", "30d"] | None, Query(description="ends at as_of; default 30d")
    ] = None
    from_: Annotated[Moment, Query(alias="from", description="first moment counted")] = None
    to: Annotated[Moment, Query(description="first moment not counted; default as_of")] = None
    as_of: Annotated[Moment, Query(description="now, if not told")] = None

    def read(self, now: datetime) -> Window:
        """The window asked for. Raises Invalid."""
        if self.window is not None and (self.from_ or self.to) is not None:
            text = f"{self.window} with from or to"
            raise Invalid.of([FieldFault("window", "out-of-range", text, "window, or from and to")])
        end = self.to or self.as_of or now
        _check("as_of" if self.to is None else "to", end)
        start = self.from_ or end - NAMED[self.window or DEFAULT_WINDOW]
        _check("from", start)
        if start >= end:
            raise _fault("from", start.isoformat(), "a time before `to`")
        if end - start > LONGEST:
            raise _fault("from", start.isoformat(), f"at most {LONGEST.days} days before `to`")
        return Window(start.astimezone(UTC), end.astimezone(UTC))


@dataclass
class Span(Bounds):
    """The same, and by which time."""

    time: Annotated[
        Literal["answered", "event"], Query(description="which time places an answer")
    ] = "answered"


@dataclass
class Cut:
    """Which: a survey, and values of dimensions."""

    survey: Annotated[
        str | None, Query(min_length=1, max_length=200, description="all, if not told")
    ] = None
    where: Annotated[
        list[str] | None, Query(max_length=3, description="dimension:value; may repeat")
    ] = None

    def read_where(self, reading: Reading) -> tuple[tuple[str, str], ...]:
        """The values asked for. Raises Invalid that lists the dimensions there are."""
        found: dict[str, str] = {}
        for text in self.where or ():
            name, value = read_value("where", text, reading)
            if name in found:
                raise _fault("where", text, "each dimension once")
            found[name] = value
        return tuple(found.items())


def read_value(field: str, text: str, reading: Reading) -> tuple[str, str]:
    """A dimension and one of its values, `dimension:value`. Raises Invalid."""
    name, colon, value = text.partition(":")
    cleaned = clean_value(value)
    if not colon or cleaned is None:
        raise _fault(field, text, "dimension:value, such as channel:web")
    check_dimension(field, name, reading)
    return name, cleaned


def read_by(
    text: str | None, where: tuple[tuple[str, str], ...], reading: Reading
) -> tuple[str, ...]:
    """The dimensions to group by. Raises Invalid."""
    names = tuple(name.strip() for name in text.split(",")) if text is not None else ()
    for name in names:
        check_dimension("by", name, reading)
    if len(names) > 2 or len(set(names)) < len(names):
        raise _fault("by", text, "at most two dimensions, each once")
    if len({*names, *(name for name, _ in where)}) > 3:
        raise _fault("by", text, "by and where together name at most three dimensions")
    return names


def check_dimension(field: str, name: str, reading: Reading) -> None:
    """Raise Invalid that lists what is configured."""
    if name not in reading.dimensions:
        known = ", ".join(sorted(reading.dimensions)) or "none is configured"
        fault = unknown_name(field, name, reading.dimensions)
        accepted = f"{fault.accepted} (dimensions: {known})"
        raise Invalid.of([FieldFault(field, "unknown-dimension", name, accepted)])


def _check(field: str, moment: datetime) -> None:
    if not 1971 <= moment.year < 2200:
        raise _fault(field, moment.isoformat(), _MOMENT)


def _fault(field: str, value: str | None, accepted: str) -> Invalid:
    return Invalid.of([FieldFault(field, "out-of-range", value, accepted)])
