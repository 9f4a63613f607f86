"""What the guards judge: one question, the facts, the moment, and what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from services.trigger.domain.caps import History, full
from services.trigger.domain.facts import Facts, Margin, PastAsk, said_at
from services.trigger.domain.hours import next_open, zones_of
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from shared.programme.asking import Cap
from shared.programme.models import Programme, Survey, Trigger
from shared.programme.views import EventView


@dataclass(frozen=True)
class Ask:
    """What the guards judge: one question, the facts and the moment."""

    question: Question
    facts: Facts
    now: datetime
    programme: Programme = field(repr=False)

    @property
    def occasion(self) -> Occasion:
        return self.question.occasion

    @property
    def trigger(self) -> Trigger:
        return self.question.trigger

    @property
    def view(self) -> EventView:
        return self.question.view

    @cached_property
    def survey(self) -> Survey:
        return self.programme.surveys[self.trigger.survey]

    @cached_property
    def invitation_id(self) -> str:
        """Its id, if it comes to an invitation; empty for nobody."""
        return self.question.invitation_id or ""

    @cached_property
    def planned_at(self) -> datetime:
        return self.question.planned_at(self.programme)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The recipient's time zones: several where only the country is known."""
        customer, usual = self.occasion.customer, self.programme.timezone
        if customer is None:
            return (usual,)
        return zones_of(customer.timezone, customer.country, usual)

    @cached_property
    def send_at(self) -> datetime:
        """Now or after the delay, and not in quiet hours."""
        hours = self.programme.hours_of(self.survey)
        return next_open(max(self.planned_at, self.now), hours, self.zones)

    @cached_property
    def expires_at(self) -> datetime:
        """From the event's time, so that a replay gives the same."""
        return self.planned_at + self.survey.expires

    @cached_property
    def reachable(self) -> tuple[str, ...]:
        """The trigger's channels that this deployment has and that reach the customer."""
        customer, able = self.occasion.customer, self.facts.channels
        if customer is None:
            return ()
        variant = self.question.variant()
        own = variant[1].channels if variant is not None else None
        wanted = own or self.trigger.channels
        return tuple(c for c in wanted if c in able and customer.reached_by(c))

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """Those of the reachable that the customer has not refused."""
        deny = self.programme.consent_required
        return tuple(c for c in self.reachable if self.consent(c, silence=c not in deny))

    def consent(self, channel: str, *, silence: bool) -> bool:
        """What the customer said last about a channel; of a yes and a no at once the no."""
        customer, heard_at = self.occasion.customer, self.question.heard_at
        at = said_at(self.occasion.event.time, heard_at)
        here = customer.consent.get(channel) if customer else None
        kept = self.facts.consent.get(channel)
        if kept is None or (here is not None and at > kept.at):
            return silence if here is None else here
        if here is not None and at == kept.at:
            return here and kept.yes
        return kept.yes

    @cached_property
    def open(self) -> tuple[str, ...]:
        """Those of the allowed that are not suppressed."""
        return tuple(c for c in self.allowed if c not in self.facts.suppressed)

    @cached_property
    def uncapped(self) -> tuple[str, ...]:
        """Those of the open by which the customer has not been asked too often."""
        return tuple(c for c in self.open if c not in self.capped)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Those by which no group is asked too often either: the invitation's, in order."""
        return tuple(c for c in self.uncapped if c not in self.capped_for_group)

    @cached_property
    def capped(self) -> Mapping[str, Cap]:
        """The first cap on the customer that is full, by channel, of the open."""
        return self._full(self.open, of_group=False)

    @cached_property
    def capped_for_group(self) -> Mapping[str, Cap]:
        """The first cap on a group that is full, by channel, of the uncapped."""
        return self._full(self.uncapped, of_group=True)

    def _full(self, channels: tuple[str, ...], *, of_group: bool) -> Mapping[str, Cap]:
        caps = [cap for cap in self.programme.caps if cap.of_group == of_group]
        history = History(self.facts.asks, self.facts.groups)
        found = {}
        for channel in channels if caps else ():
            asking = self.asking(channel)
            hit = next((cap for cap in caps if full(cap, asking, history)), None)
            if hit is not None:
                found[channel] = hit
        return found

    def asking(self, channel: str) -> PastAsk:
        """It, as the caps would count it."""
        return PastAsk(
            invitation_id=self.invitation_id,
            survey=self.survey.key,
            trigger=self.trigger.key,
            channel=channel,
            segments=self.occasion.segments,
            at=self.send_at,
        )

    @cached_property
    def margin(self) -> Margin | None:
        return self.facts.margins.get(self.trigger.key)
