"""Why a customer is asked, or is not: one reason a decision, each with a sentence."""

from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of an event under one trigger."""

    INVITED = "invited"
    SCHEDULED = "scheduled"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """The one reason of a decision: a metric label, a ledger row and a sentence."""

    ASKED = "asked"
    DELAYED = "delayed"
    NO_TRIGGER = "no-trigger"
    RULE_NOT_MET = "rule-not-met"
    RULE_ERROR = "rule-error"
    NOT_SAMPLED = "not-sampled"
    NO_CONTACT = "no-contact"
    NO_CONSENT = "no-consent"
    OPTED_OUT = "opted-out"
    ASKED_ALREADY = "asked-already"
    TOO_OLD = "too-old"
    EXPIRED = "expired"
    CHANNEL_FAILED = "channel-failed"

    @property
    def sentence(self) -> str:
        """The reason for a person to read."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.ASKED: "The customer is asked at once.",
    Reason.DELAYED: "The customer is asked when the delay after the event has passed.",
    Reason.NO_TRIGGER: "No trigger of the programme listens to this type of event.",
    Reason.RULE_NOT_MET: "The event does not meet the trigger's rule.",
    Reason.RULE_ERROR: "The trigger's rule failed on this event, and a rule that fails never asks.",
    Reason.NOT_SAMPLED: "The customer is not in the share of customers that this trigger asks.",
    Reason.NO_CONTACT: "No channel of the trigger reaches the customer.",
    Reason.NO_CONSENT: "The customer has not agreed to be asked by any channel that reaches them.",
    Reason.OPTED_OUT: "The customer has opted out of every channel that could be used.",
    Reason.ASKED_ALREADY: "The customer was already asked about this by the same survey.",
    Reason.TOO_OLD: "The event is older than the trigger's max_age.",
    Reason.EXPIRED: "The survey would have expired before the customer could be asked.",
    Reason.CHANNEL_FAILED: "Every channel that could be used failed for good.",
}
