"""Triggers as the operator writes them: which event asks which survey, of whom and how."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from shared.durations import Duration
from shared.programme.asking import Channels
from shared.programme.faults import NotAccepted
from shared.programme.rules import Rule, compile_rule
from shared.programme.surveys import Mail, Survey
from shared.programme.written import (
    EVENT_TYPES,
    NAME,
    NAME_ACCEPTED,
    Written,
    check_each_once,
    check_event_type,
    check_names,
    within,
)

ALWAYS = "true"
USUALLY_CANCELLED_BY: Final = {
    "transaction": ("transaction.refunded", "transaction.cancelled"),
    "support_call": ("support_call.reopened",),
}
SCHEDULE: Final = "schedule"
EventType = Annotated[str, AfterValidator(check_event_type)]
Delay = Annotated[Duration, within("0s", "365d")]


class Variant(Written):
    """What is different for the customers of one arm of an experiment; nothing is as usual."""

    delay: Delay | None = None
    channels: Channels | None = None
    mail: Mail | None = None


class Experiment(Written):
    """Customers are told apart by a hash, each into one variant of equal share."""

    name: str = Field(description=NAME_ACCEPTED)
    variants: Mapping[str, Variant] = Field(
        min_length=2, max_length=10, description="2 to 10 entries, by name"
    )

    @field_validator("name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if NAME.fullmatch(value) is None:
            raise NotAccepted(f"{value!r} is not a name", NAME_ACCEPTED)
        return value

    @field_validator("variants", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            value = {key: {} if one is None else one for key, one in value.items()}
        return check_names(value, "a variant")


class Trigger(Written):
    """Which event asks which survey, of whom, when, and by which channel.

    `cancel_on`: events about the same subject, not earlier than the one that asks, after which the
    question is pointless. `settle`: how long no further event about the subject may come before
    all of them are decided on as one; `settle_with`: types of events that only add what they know.
    """

    key: str
    on: EventType = Field(description=EVENT_TYPES)
    when: Annotated[Rule, BeforeValidator(compile_rule)] = Field(
        default=ALWAYS, validate_default=True
    )
    survey: str = Field(description="the name of a survey")
    sample: float = Field(default=1.0, ge=0, le=1)
    target_margin: float | None = Field(default=None, gt=0, le=50)
    target_by: str | None = None
    target_per: Annotated[Duration, within("1d", "400d")] = timedelta(days=30)
    channels: Channels = ("email", "webhook")
    delay: Delay | None = None
    settle: Annotated[Duration, within("0s", "1h")] = timedelta(0)
    settle_with: Annotated[tuple[EventType, ...], AfterValidator(check_each_once)] = ()
    cancel_on: Annotated[tuple[EventType, ...], AfterValidator(check_each_once)] = ()
    max_age: Annotated[Duration, within("1s", "365d")] = timedelta(hours=6)
    experiment: Experiment | None = None

    @property
    def listens_to(self) -> tuple[str, ...]:
        """The types of events that it waits for or decides on."""
        return (self.on, *(kind for kind in self.settle_with if kind != self.on))

    @model_validator(mode="before")
    @classmethod
    def _usually_cancelled(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "cancel_on" in value:
            return value
        on = value.get("on")
        family = on.partition(".")[0] if isinstance(on, str) else ""
        usual = USUALLY_CANCELLED_BY.get(family, ())
        return {**value, "cancel_on": tuple(kind for kind in usual if kind != on)}

    @field_validator("settle_with")
    @classmethod
    def _while_it_settles(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if value and not info.data.get("settle"):
            raise NotAccepted("does not apply without settle", "settle beside it, such as 90s")
        return value

    @field_validator("target_by")
    @classmethod
    def _with_a_margin(cls, value: str | None, info: Any) -> str | None:
        if value is not None and info.data.get("target_margin") is None:
            raise NotAccepted("does not apply without target_margin", "target_margin beside it")
        return value


def schedule_of(survey: Survey) -> Trigger:
    """A relational survey as the trigger of its own name, which only the schedule sets off."""
    usual = {
        name: field.get_default(call_default_factory=True)
        for name, field in Trigger.model_fields.items()
        if not field.is_required()
    }
    own = {"sample": survey.sample, "channels": survey.channels}
    said = {name: value for name, value in own.items() if value is not None}
    named = {"key": survey.key, "on": f"{SCHEDULE}.{survey.key}", "survey": survey.key}
    always = {"when": compile_rule(ALWAYS), "max_age": timedelta(days=2)}
    return Trigger.model_construct(**{**usual, **said, **named, **always})
