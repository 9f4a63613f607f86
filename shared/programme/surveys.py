"""Surveys as the operator writes them."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.durations import Duration, format_duration, parse_duration
from shared.programme.asking import Channels, Hours, Reminders
from shared.programme.faults import NotAccepted, one_of
from shared.programme.metrics import METRIC_NAMES, Klass, Metric, Scale, find_metric, scales_of
from shared.programme.texts import PER_LANGUAGE, MultilingualText, Texts
from shared.programme.written import (
    EVENT_TYPES,
    Written,
    check_event_type,
    check_metric,
    check_names,
    within,
)


class Kind(StrEnum):
    """When a survey is asked; decides its defaults and is reported everywhere."""

    IN_THE_MOMENT = "in-the-moment"
    TRANSACTIONAL = "transactional"
    RELATIONAL = "relational"


DEFAULT_DELAY = {
    Kind.IN_THE_MOMENT: timedelta(0),
    Kind.TRANSACTIONAL: timedelta(hours=1),
    Kind.RELATIONAL: timedelta(0),
}
DEFAULT_EXPIRES = {
    Kind.IN_THE_MOMENT: timedelta(hours=24),
    Kind.TRANSACTIONAL: timedelta(days=7),
    Kind.RELATIONAL: timedelta(days=14),
}


class Calendar(StrEnum):
    """Periods of the calendar, by the programme's time zone."""

    QUARTER = "quarter"
    YEAR = "year"


def _rhythm(value: object) -> object:
    """`90d`, `quarter` or `year`."""
    if not isinstance(value, str):
        return value
    if value in set(Calendar):
        return Calendar(value)
    shortest, longest = "1d", "3650d"
    accepted = f"{shortest} to {longest}, {one_of(Calendar)}"
    try:
        every = parse_duration(value)
    except ValueError:
        raise NotAccepted(f"{value!r} is not a period", accepted) from None
    if not parse_duration(shortest) <= every <= parse_duration(longest):
        raise NotAccepted(f"{format_duration(every)} is not accepted", accepted)
    return every


class FollowUp(Written):
    """The open question after the score, by class."""

    detractor: MultilingualText = Field(description=PER_LANGUAGE)
    passive: MultilingualText = Field(description=PER_LANGUAGE)
    promoter: MultilingualText = Field(description=PER_LANGUAGE)

    def of(self, klass: Klass) -> Texts:
        """The question for a class."""
        by_class = {
            Klass.DETRACTOR: self.detractor,
            Klass.PASSIVE: self.passive,
            Klass.PROMOTER: self.promoter,
        }
        return by_class[klass]


class Mail(Written):
    """Texts of the invitation by mail, in place of the usual ones; may name the event's fields."""

    subject: MultilingualText | None = None
    intro: MultilingualText | None = None
    button: MultilingualText | None = None


class AfterFirst(Written):
    """Asked once, so long after the customer's first event of a type."""

    on: Annotated[str, AfterValidator(check_event_type)] = Field(description=EVENT_TYPES)
    wait: Annotated[Duration, within("1d", "3650d")] = Field(description="such as 30d")


class Survey(Written):
    """One survey: a score, one open question, some reasons. Defaults follow from its kind.

    `every` or `after_first` say when a relational survey is asked, `channels` and `sample` of whom
    and how; elsewhere its triggers do.
    """

    key: str
    kind: Kind = Field(description=one_of(Kind))
    metric: Annotated[str, BeforeValidator(check_metric)] = Field(description=one_of(METRIC_NAMES))
    scale: Scale = Field(
        default_factory=lambda fields: scales_of(fields["metric"])[0], validate_default=True
    )
    question: MultilingualText = Field(description=PER_LANGUAGE)
    follow_up: FollowUp = Field(description="detractor, passive and promoter with a text each")
    reasons: Mapping[str, MultilingualText] = Field(default_factory=dict)
    thanks: MultilingualText = Field(description=PER_LANGUAGE)
    mail: Mail = Mail()
    delay: Annotated[Duration, within("0s", "365d")] = Field(
        default_factory=lambda fields: DEFAULT_DELAY[fields["kind"]]
    )
    expires: Annotated[Duration, within("1s", "365d")] = Field(
        default_factory=lambda fields: DEFAULT_EXPIRES[fields["kind"]]
    )
    every: Annotated[timedelta | Calendar | None, BeforeValidator(_rhythm)] = None
    after_first: AfterFirst | None = None
    channels: Channels | None = None
    sample: float | None = Field(default=None, ge=0, le=1)
    quiet_hours: Hours = None
    reminders: Reminders | None = None
    on_doubt: Literal["drop", "resend"] = "drop"

    @property
    def rules(self) -> Metric:
        """The survey's entry in the table of metrics."""
        return find_metric(self.metric, self.scale)

    @field_validator("scale", mode="before")
    @classmethod
    def _known_scale(cls, value: object, info: ValidationInfo) -> object:
        metric = info.data.get("metric")
        if metric is None:
            return (0, 10)
        written = {f"{low}-{high}": (low, high) for low, high in scales_of(metric)}
        scale = written.get(value, value) if isinstance(value, str) else value
        if scale not in written.values():
            raise NotAccepted(f"{value!r} is not a scale of {metric}", one_of(written))
        return scale

    @field_validator("every", "after_first", "channels", "sample")
    @classmethod
    def _only_relational(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("kind")
        if kind in {Kind.IN_THE_MOMENT, Kind.TRANSACTIONAL} and value is not None:
            raise NotAccepted(f"does not apply where kind is {kind}", "no such key")
        return value

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.kind is Kind.RELATIONAL and (self.every is None) == (self.after_first is None):
            fault = "is missing" if self.every is None else "stands beside after_first"
            accepted = "one of every (such as 90d, quarter, year) and after_first"
            raise NotAccepted(fault, accepted, at="every")
        return self

    @field_validator("reasons", mode="before")
    @classmethod
    def _named_reasons(cls, value: Any) -> Any:
        return check_names(value, "a reason")
