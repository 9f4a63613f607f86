"""The guards: one rule each, in the order in which they are asked."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from services.trigger.domain.occasions import Occasion, invitation_id
from services.trigger.domain.reasons import Reason
from services.trigger.domain.samples import in_sample
from shared.programme.models import Programme, Survey, Trigger
from shared.programme.rules import RuleFailed
from shared.programme.views import EventView


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a decision is made, and not from the event.

    `asked`: ids of the invitations that exist. `suppressed`: the customer's channels that must
    not be used. `channels`: those that this deployment can send by.
    """

    channels: AbstractSet[str]
    asked: AbstractSet[str] = frozenset()
    suppressed: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class Ask:
    """What the guards judge: one trigger, one occasion, the facts and the moment."""

    occasion: Occasion
    view: EventView
    trigger: Trigger
    survey: Survey
    facts: Facts
    asked: AbstractSet[str]
    now: datetime
    programme: Programme = field(repr=False)

    @cached_property
    def invitation_id(self) -> str:
        """Its id, if it comes to an invitation; empty for nobody."""
        customer_id = self.occasion.customer_id
        if customer_id is None:
            return ""
        return invitation_id(self.survey.key, customer_id, self.occasion.subject_id)

    @cached_property
    def send_at(self) -> datetime:
        """The event's time (now, if its clock is ahead) and the delay; never before now."""
        began = min(self.occasion.event.time, self.now)
        return max(began + self.programme.delay_of(self.trigger), self.now)

    @cached_property
    def expires_at(self) -> datetime:
        """From the event's time, so that a replay gives the same."""
        began = min(self.occasion.event.time, self.now)
        return began + self.programme.delay_of(self.trigger) + self.survey.expires

    @cached_property
    def reachable(self) -> tuple[str, ...]:
        """The trigger's channels that this deployment has and that reach the customer."""
        customer, able = self.occasion.customer, self.facts.channels
        if customer is None:
            return ()
        return tuple(c for c in self.trigger.channels if c in able and customer.reached_by(c))

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """Those of the reachable that the customer has not refused."""
        consent = self.occasion.customer.consent if self.occasion.customer else {}
        deny = self.programme.consent_required
        return tuple(c for c in self.reachable if consent.get(c, c not in deny))

    @cached_property
    def open(self) -> tuple[str, ...]:
        """Those of the allowed that are not suppressed: the invitation's channels, in order."""
        return tuple(c for c in self.allowed if c not in self.facts.suppressed)


def _rule(ask: Ask) -> Reason | None:
    try:
        return None if ask.trigger.when.matches(ask.view) else Reason.RULE_NOT_MET
    except RuleFailed:
        return Reason.RULE_ERROR


def _too_old(ask: Ask) -> Reason | None:
    age = ask.now - ask.occasion.event.time
    return Reason.TOO_OLD if age > ask.trigger.max_age else None


def _expired(ask: Ask) -> Reason | None:
    return Reason.EXPIRED if ask.send_at >= ask.expires_at else None


def _nobody(ask: Ask) -> Reason | None:
    return Reason.NO_CONTACT if ask.occasion.customer is None else None


def _asked_already(ask: Ask) -> Reason | None:
    return Reason.ASKED_ALREADY if ask.invitation_id in ask.asked else None


def _not_sampled(ask: Ask) -> Reason | None:
    customer_id = ask.occasion.customer_id or ""
    sampled = in_sample(customer_id, ask.trigger.key, ask.trigger.sample)
    return None if sampled else Reason.NOT_SAMPLED


def _out_of_reach(ask: Ask) -> Reason | None:
    return None if ask.reachable else Reason.NO_CONTACT


def _no_consent(ask: Ask) -> Reason | None:
    return None if ask.allowed else Reason.NO_CONSENT


def _opted_out(ask: Ask) -> Reason | None:
    return None if ask.open else Reason.OPTED_OUT


# One rule a line, in the order in which they are asked; the first that objects is the reason.
GUARDS: Sequence[Callable[[Ask], Reason | None]] = (
    _rule,
    _too_old,
    _expired,
    _nobody,
    _asked_already,
    _not_sampled,
    _out_of_reach,
    _no_consent,
    _opted_out,
)


def why_not_ask(ask: Ask) -> Reason | None:
    """Say why the customer is not asked, or None to ask."""
    return next((reason for guard in GUARDS if (reason := guard(ask)) is not None), None)
