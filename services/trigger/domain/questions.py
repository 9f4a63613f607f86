"""One event under one trigger: what is decided on, when, and in which order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from services.trigger.domain.experiments import assigned
from services.trigger.domain.occasions import Occasion, invitation_id, read_occasion
from shared.events import Event
from shared.programme.models import Programme, Trigger
from shared.programme.triggers import Variant
from shared.programme.views import ENVELOPE, EventView, event_view

Place = tuple[timedelta, datetime, str, str, str]
_LAST = datetime.max.replace(tzinfo=UTC)
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)  # any time is that far from it, and a delay further


@dataclass(frozen=True)
class Question:
    """An occasion that a trigger listens to.

    `heard_at`: when the event came; `settled_from`: when the newest about its subject came.
    `merged`: the further events that settled into this one, which share its decision. `ready_at`:
    of one that waited, when it was due and all that stands before it.
    """

    occasion: Occasion
    trigger: Trigger
    heard_at: datetime
    settled_from: datetime
    traceparent: str | None = None
    merged: Sequence[Event] = ()
    ready_at: datetime | None = None

    @cached_property
    def view(self) -> EventView:
        """The event under the names that rules and mails know; made once, for it costs most."""
        event = self.occasion.event
        return event_view({name: getattr(event, name) for name in ENVELOPE}, event.data)

    @cached_property
    def invitation_id(self) -> str | None:
        """The id of the invitation that it may become; None where nobody is named."""
        customer_id = self.occasion.customer_id
        if customer_id is None:
            return None
        return invitation_id(self.trigger.survey, customer_id, self.occasion.subject_id)

    @property
    def began(self) -> datetime:
        """The event's time, or when it was heard of if the emitter's clock is ahead."""
        return min(self.occasion.event.time, self.heard_at)

    def variant(self) -> tuple[str, Variant] | None:
        """The arm of the trigger's experiment to which the customer belongs."""
        experiment, customer_id = self.trigger.experiment, self.occasion.customer_id
        if experiment is None or customer_id is None:
            return None
        name = assigned(experiment, customer_id)
        return name, experiment.variants[name]

    def delay(self, programme: Programme) -> timedelta:
        """How long after the event it is asked: the variant's delay, else the trigger's."""
        variant = self.variant()
        own = variant[1].delay if variant is not None else None
        return programme.delay_of(self.trigger) if own is None else own

    def planned_at(self, programme: Programme) -> datetime:
        """When it would be asked if nothing else were in the way."""
        return self.began + self.delay(programme)

    def turn_at(self, programme: Programme) -> datetime:
        """The moment that `place` goes by; the last that there is where it lies beyond."""
        delay = self.delay(programme)
        return min(self.occasion.event.time, _LAST - delay) + delay

    def due_at(self, programme: Programme) -> datetime:
        """When it is to be decided on: after the delay, and once its subject has settled."""
        return max(self.planned_at(programme), self.settled_from + self.trigger.settle)

    def place(self, programme: Programme) -> Place:
        """Where it stands in the order of decisions: the same whatever the order of arrival.

        So it goes by the event's own time, also where the emitter's clock is ahead.
        """
        event = self.occasion.event
        planned = event.time - _YEAR_1 + self.delay(programme)
        return (planned, event.time, event.source, event.id, self.trigger.key)


def merge(
    questions: Sequence[Question],
    programme: Programme,
    read: Callable[[Event], Occasion] | None = None,
) -> Question:
    """The questions of one trigger about one subject as one.

    The earliest event that the trigger listens to stands for all; the later an event, the more its
    data counts, part by part. The same set gives the same, in any order. `read` reads the merged
    event, if not as any event is.
    """
    in_time = sorted(questions, key=lambda q: _in_time(q.occasion.event))
    listened = [q for q in in_time if q.occasion.event.type == q.trigger.on]
    first = (listened or in_time)[0]
    data: dict[str, object] = {}
    for question in in_time:
        data = _over(data, _said_by(question.occasion))
    event = first.occasion.event
    whole = Event(
        id=event.id,
        source=event.source,
        type=event.type,
        time=event.time,
        subject=event.subject,
        data=data,
    )
    occasion = read(whole) if read else read_occasion(whole, programme.segments.paths)
    return replace(
        first,
        occasion=replace(occasion, subject_id=first.occasion.subject_id),
        settled_from=max(q.settled_from for q in questions),
        merged=[q.occasion.event for q in in_time if q is not first],
    )


def _said_by(occasion: Occasion) -> dict[str, object]:
    """The event's data; a customer who cannot be told from it counts for nothing."""
    data = occasion.event.data
    return data if occasion.customer is not None else {**data, "customer": None}


def _in_time(event: Event) -> tuple[datetime, str, str]:
    return (event.time, event.source, event.id)


def _over(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    """One part over the other; what is absent or null above stays as it is below."""
    whole = dict(below)
    for name, value in above.items():
        under = whole.get(name)
        if isinstance(value, dict) and isinstance(under, dict):
            whole[name] = _over(under, value)
        elif value is not None:
            whole[name] = value
    return whole
