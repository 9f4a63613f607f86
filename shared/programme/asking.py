"""How often, at which hours and how many times customers are asked."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from shared.durations import Duration
from shared.programme.faults import NotAccepted
from shared.programme.written import Written, check_each_once, within

Channel = Literal["email", "webhook"]
Channels = Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(check_each_once)]
CUSTOMER: Final = "customer"
OF_THE_ASK: Final = ("survey", "trigger", "channel")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nobody is asked, by the recipient's wall clock: from `begin` until before `end`.

    Runs over midnight where `end` is the earlier; where both are the same there are none.
    """

    begin: time
    end: time

    def covers(self, wall: time) -> bool:
        """Whether the clock on the wall shows a quiet hour."""
        if self.begin <= self.end:
            return self.begin <= wall < self.end
        return wall >= self.begin or wall < self.end


NEVER_QUIET: Final = QuietHours(time(0), time(0))


def _read_hours(value: object) -> object:
    if value is None or isinstance(value, QuietHours):
        return value
    if value == "none":
        return NEVER_QUIET
    found = _HOURS.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None:
        raise NotAccepted(f"{value!r} is not a span of hours", "such as 21:00-08:00, or none")
    hours = [int(part) for part in found.groups()]
    begin, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if begin == end:
        raise NotAccepted(f"{value!r} begins when it ends", "such as 21:00-08:00, or none")
    return QuietHours(begin, end)


Hours = Annotated[QuietHours | None, BeforeValidator(_read_hours)]


class Cap(Written):
    """At most so many askings in any period of this length, counted apart for each of `each`.

    `each` names the customer, what is asked (survey, trigger, channel) or dimensions; without the
    customer it limits a group, such as an agent, over all customers. `surveys` and `channels`:
    only these are counted and limited; empty means all.
    """

    most: int = Field(ge=1, le=1_000_000, description="how many askings, such as 3")
    per: Annotated[Duration, within("1m", "400d")] = Field(description="a period, such as 7d")
    each: tuple[str, ...] = Field(default=(CUSTOMER,), min_length=1, max_length=4)
    surveys: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()

    @field_validator("each")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_each_once(value)
        if CUSTOMER not in value and len(cls._named(value)) != 1:
            raise NotAccepted(
                "names neither the customer nor one dimension", "customer, or one dimension"
            )
        return value

    @staticmethod
    def _named(each: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in each if name not in (CUSTOMER, *OF_THE_ASK))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions among `each`."""
        return self._named(self.each)

    @property
    def of_group(self) -> bool:
        """Whether it limits a group of customers and not each of them."""
        return CUSTOMER not in self.each

    def limits(self, survey: str, channel: str) -> bool:
        """Whether it has a say about a survey by a channel."""
        return (not self.surveys or survey in self.surveys) and (
            not self.channels or channel in self.channels
        )


class Reminders(Written):
    """How often a customer who has not answered is reminded, and how long after the last time."""

    most: int = Field(default=1, ge=1, le=3)
    after: Annotated[Duration, within("1m", "90d")] = timedelta(days=3)
