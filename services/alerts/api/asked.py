"""What is asked of a silence, read strictly: each fault names what is accepted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from services.alerts.api.said import FIRST, LAST, Said
from services.alerts.domain.silences import LONGEST, Matcher, Silence
from shared.errors import FieldFault, Invalid, unknown_name
from shared.programme.metrics import METRIC_NAMES
from shared.segments import clean_value


@dataclass(frozen=True)
class Known:
    """What a matcher may name."""

    surveys: Collection[str]
    dimensions: Collection[str]


class Matchers(BaseModel):
    """What is meant; what is not named is every metric, survey, segment."""

    model_config = ConfigDict(extra="forbid")

    metric: str | None = Field(None, description="nps, csat or ces")
    survey: str | None = Field(None, max_length=200)
    segment: dict[str, str] = Field(default_factory=dict, description="value by dimension")


class NewSilence(Said):
    """Who wants quiet about what, from when to when. `from` is now where it is not told."""

    matchers: Matchers
    begins_at: AwareDatetime | None = Field(None, alias="from")
    ends_at: AwareDatetime = Field(alias="to")
    maintenance: StrictBool = Field(
        default=False, description="answers of that time and segment are no evidence either"
    )


def read_silence(new: NewSilence, known: Known, now: datetime) -> Silence:
    """The silence that is asked for. Raises Invalid, which names each fault."""
    begins_at, ends_at = new.begins_at or now, new.ends_at
    faults = [*_unmatched(new.matchers, known), *_untimely(begins_at, ends_at, now)]
    if faults:
        raise Invalid.of(faults)
    word = new.word(now)
    segment = {name: clean_value(value) or "" for name, value in new.matchers.segment.items()}
    return Silence(
        id=f"s-{uuid4().hex[:26]}",
        matchers=Matcher(metric=new.matchers.metric, survey=new.matchers.survey, segment=segment),
        begins_at=begins_at.astimezone(UTC),
        ends_at=ends_at.astimezone(UTC),
        maintenance=new.maintenance,
        by=word.by,
        note=word.note,
        created_at=now,
    )


def _unmatched(matchers: Matchers, known: Known) -> list[FieldFault]:
    faults = []
    if matchers.metric is not None and matchers.metric not in METRIC_NAMES:
        accepted = ", ".join(METRIC_NAMES)
        faults.append(FieldFault("matchers.metric", "out-of-range", matchers.metric, accepted))
    if matchers.survey is not None and matchers.survey not in known.surveys:
        faults.append(unknown_name("matchers.survey", matchers.survey, known.surveys))
    for name, value in matchers.segment.items():
        field = f"matchers.segment.{name}"
        if name not in known.dimensions:
            faults.append(unknown_name(field, name, known.dimensions))
        elif clean_value(value) is None:
            faults.append(FieldFault(field, "out-of-range", value, "a value of the dimension"))
    return faults


def _untimely(begins_at: datetime, ends_at: datetime, now: datetime) -> list[FieldFault]:
    faults = [
        FieldFault(name, "out-of-range", moment.isoformat(), "a time from 1971 to 2199")
        for name, moment in (("from", begins_at), ("to", ends_at))
        if not FIRST <= moment < LAST
    ]
    if faults:
        return faults
    if ends_at <= max(begins_at, now):
        accepted = "a time after `from` and not past"
        return [FieldFault("to", "out-of-range", ends_at.isoformat(), accepted)]
    if ends_at - begins_at > LONGEST:
        accepted = f"at most {LONGEST.days} days after `from`"
        return [FieldFault("to", "out-of-range", ends_at.isoformat(), accepted)]
    return []
