"""Surveys as the operator writes them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from shared.durations import Duration, format_duration, parse_duration
from shared.programme.faults import NotAccepted, nearest, one_of, refuse
from shared.programme.metrics import METRIC_NAMES, Klass, Metric, Scale, find_metric, scales_of
from shared.programme.texts import PER_LANGUAGE, MultilingualText, Texts


class Kind(StrEnum):
    """When a survey is asked; decides its defaults and is reported everywhere."""

    IN_THE_MOMENT = "in-the-moment"
    TRANSACTIONAL = "transactional"
    RELATIONAL = "relational"


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
NAME_ACCEPTED = "1 to 50 letters without accents, digits, - and _"
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


class Written(BaseModel):
    """What the operator wrote, never changed afterwards; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def within(shortest: str, longest: str) -> AfterValidator:
    """Limits of a duration, both accepted."""

    def check(value: timedelta) -> timedelta:
        if not parse_duration(shortest) <= value <= parse_duration(longest):
            raise NotAccepted(
                f"{format_duration(value)} is not accepted", f"{shortest} to {longest}"
            )
        return value

    return AfterValidator(check)


def _metric_name(value: object) -> object:
    if value not in METRIC_NAMES:
        raise NotAccepted(
            f"{value!r} is not a metric{nearest(str(value), METRIC_NAMES)}", one_of(METRIC_NAMES)
        )
    return value


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


class Survey(Written):
    """One survey: a score, one open question, some reasons. Defaults follow from its kind."""

    key: str
    kind: Kind = Field(description=one_of(Kind))
    metric: Annotated[str, BeforeValidator(_metric_name)] = Field(description=one_of(METRIC_NAMES))
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
    every: Annotated[Duration, within("1d", "3650d")] | None = Field(
        default=None, validate_default=True
    )
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

    @field_validator("every")
    @classmethod
    def _only_relational(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        kind = info.data.get("kind")
        if kind is Kind.RELATIONAL and value is None:
            raise NotAccepted("is missing", "how often a customer is asked, such as 90d")
        if kind in {Kind.IN_THE_MOMENT, Kind.TRANSACTIONAL} and value is not None:
            raise NotAccepted(f"does not apply where kind is {kind}", "no such key")
        return value

    @field_validator("reasons", mode="before")
    @classmethod
    def _named_reasons(cls, value: Any) -> Any:
        return check_names(value, "a reason")


def check_names(value: Any, thing: str) -> Any:
    """Refuse keys that could not stand in an address or a metric label."""
    names = value if isinstance(value, Mapping) else ()
    refuse(
        [
            NotAccepted(f"{name!r} is not a name for {thing}", NAME_ACCEPTED, at=name)
            for name in names
            if NAME.fullmatch(name) is None
        ]
    )
    return value
