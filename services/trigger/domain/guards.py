"""The guards: one rule each, in the order in which they are asked."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from services.trigger.domain.asks import Ask
from services.trigger.domain.reasons import Reason
from services.trigger.domain.samples import in_sample
from shared.programme.rules import RuleFailed

Guard = Callable[[Ask], Reason | None]


def _too_old(ask: Ask) -> Reason | None:
    age = ask.question.heard_at - ask.occasion.event.time
    return Reason.TOO_OLD if age > ask.trigger.max_age else None


def _settling(ask: Ask) -> Reason | None:
    settle = ask.trigger.settle
    waits = settle > timedelta(0) and ask.now < ask.question.settled_from + settle
    return Reason.SETTLING if waits else None


def _only_parts(ask: Ask) -> Reason | None:
    """What settled is all of types that only add to the one that the trigger asks on."""
    return None if ask.occasion.event.type == ask.trigger.on else Reason.RULE_NOT_MET


def _nobody(ask: Ask) -> Reason | None:
    return Reason.NO_CONTACT if ask.occasion.customer is None else None


def _rule(ask: Ask) -> Reason | None:
    try:
        return None if ask.trigger.when.matches(ask.view) else Reason.RULE_NOT_MET
    except RuleFailed:
        return Reason.RULE_ERROR


def _not_sampled(ask: Ask) -> Reason | None:
    return None if _in_share(ask, ask.trigger.sample) else Reason.NOT_SAMPLED


def _out_of_reach(ask: Ask) -> Reason | None:
    return None if ask.reachable else Reason.NO_CONTACT


def _asked_already(ask: Ask) -> Reason | None:
    return Reason.ASKED_ALREADY if ask.invitation_id in ask.facts.asked else None


def _cancelled(ask: Ask) -> Reason | None:
    began, kinds = ask.occasion.event.time, ask.trigger.cancel_on
    hit = any(c.event_type in kinds and c.at >= began for c in ask.facts.cancelling)
    return Reason.CANCELLED_BY_EVENT if hit else None


def _delayed(ask: Ask) -> Reason | None:
    return Reason.DELAYED if ask.now < ask.planned_at else None


def _expired(ask: Ask) -> Reason | None:
    return Reason.EXPIRED if ask.send_at >= ask.expires_at else None


def _no_consent(ask: Ask) -> Reason | None:
    return None if ask.allowed else Reason.NO_CONSENT


def _opted_out(ask: Ask) -> Reason | None:
    return None if ask.open else Reason.OPTED_OUT


def _sampled_enough(ask: Ask) -> Reason | None:
    margin = ask.margin
    if margin is None:
        return None
    if margin.share <= 0:
        return Reason.SAMPLED_ENOUGH
    return None if _in_share(ask, ask.trigger.sample * margin.share) else Reason.NOT_SAMPLED


def _too_many_recently(ask: Ask) -> Reason | None:
    return None if ask.uncapped else Reason.TOO_MANY_RECENTLY


def _too_many_for_group(ask: Ask) -> Reason | None:
    return None if ask.free else Reason.TOO_MANY_FOR_GROUP


def _in_share(ask: Ask, share: float) -> bool:
    return in_sample(ask.occasion.customer_id or "", ask.trigger.key, share)


# One rule a line, in the order in which they are asked; the first that objects is the reason.
# The first need nothing but the event: where one of them objects no facts are looked up.
BY_EVENT: Sequence[Guard] = (
    _too_old,
    _settling,
    _only_parts,
    _nobody,
    _rule,
    _not_sampled,
    _out_of_reach,
)
BY_FACTS: Sequence[Guard] = (
    _asked_already,
    _cancelled,
    _delayed,
    _expired,
    _no_consent,
    _opted_out,
    _sampled_enough,
    _too_many_recently,
    _too_many_for_group,
)
GUARDS: Sequence[Guard] = (*BY_EVENT, *BY_FACTS)


def why_not_ask(ask: Ask, guards: Sequence[Guard] = GUARDS) -> Reason | None:
    """Say why the customer is not asked, or not yet, or None to ask."""
    return next((reason for guard in guards if (reason := guard(ask)) is not None), None)
