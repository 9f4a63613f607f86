"""Why a customer is asked, or is not: one reason a decision, each with a sentence."""

from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of an event under one trigger."""

    INVITED = "invited"
    SCHEDULED = "scheduled"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """The one reason of a decision: a metric label, a ledger row and a sentence.

    All of the contract's stand here, so that each can be asked for, decided yet or not.
    """

    ASKED = "asked"
    DELAYED = "delayed"
    QUIET_HOURS = "quiet-hours"
    SETTLING = "settling"
    NO_TRIGGER = "no-trigger"
    RULE_NOT_MET = "rule-not-met"
    RULE_ERROR = "rule-error"
    NOT_SAMPLED = "not-sampled"
    SAMPLED_ENOUGH = "sampled-enough"
    NO_CONTACT = "no-contact"
    NO_CONSENT = "no-consent"
    OPTED_OUT = "opted-out"
    ASKED_ALREADY = "asked-already"
    ANSWERED = "answered"
    TOO_MANY_RECENTLY = "too-many-recently"
    TOO_MANY_FOR_GROUP = "too-many-for-group"
    TOO_OLD = "too-old"
    EXPIRED = "expired"
    CANCELLED_BY_EVENT = "cancelled-by-event"
    CHANNEL_FAILED = "channel-failed"

    @property
    def sentence(self) -> str:
        """The reason for a person to read."""
        return _SENTENCES[self]

    def with_words(self, why: str) -> str:
        """The sentence and what is said of the one decision beside it, which may be empty."""
        return f"{self.sentence} {why}" if why else self.sentence


_SENTENCES = {
    Reason.ASKED: "The customer is asked at once.",
    Reason.DELAYED: "Whether the customer is asked is decided when the delay has passed.",
    Reason.QUIET_HOURS: "The customer is asked when the quiet hours are over.",
    Reason.SETTLING: "Whether the customer is asked is decided when no further event has come.",
    Reason.NO_TRIGGER: "No trigger of the programme listens to this type of event.",
    Reason.RULE_NOT_MET: "The event does not meet the trigger's rule.",
    Reason.RULE_ERROR: "The trigger's rule failed on this event, and a rule that fails never asks.",
    Reason.NOT_SAMPLED: "The customer is not in the share of customers that this trigger asks.",
    Reason.SAMPLED_ENOUGH: "Enough customers have been asked by this trigger for now.",
    Reason.NO_CONTACT: "No channel of the trigger reaches the customer.",
    Reason.NO_CONSENT: "The customer has not agreed to be asked by any channel that reaches them.",
    Reason.OPTED_OUT: "The customer has opted out of every channel that could be used.",
    Reason.ASKED_ALREADY: "The customer was already asked about this by the same survey.",
    Reason.ANSWERED: "The customer has answered already.",
    Reason.TOO_MANY_RECENTLY: "The customer was asked too often of late.",
    Reason.TOO_MANY_FOR_GROUP: "Too many customers of this group were asked of late.",
    Reason.TOO_OLD: "The event is older than the trigger's max_age.",
    Reason.EXPIRED: "The survey would have expired before the customer could be asked.",
    Reason.CANCELLED_BY_EVENT: "A later event made the question pointless.",
    Reason.CHANNEL_FAILED: "Every channel that could be used failed for good.",
}
