"""What is remembered while questions are decided one after the other."""

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Cancelling, Facts, Margin, PastAsk, Said
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import EVERY_CHANNEL
from shared.programme.models import Programme

Group = tuple[str, str]


@dataclass
class Memory:
    """Facts by whom and what they are about; grows by what is decided.

    `cancelling`: by (subject, customer), the customer empty where the event named nobody.
    `margins`: by (trigger, value of its `target_by`, empty without one).
    """

    channels: AbstractSet[str]
    asked: set[str] = field(default_factory=set)
    suppressed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    consents: defaultdict[str, dict[str, Said]] = field(default_factory=lambda: defaultdict(dict))
    asks: defaultdict[str, list[PastAsk]] = field(default_factory=lambda: defaultdict(list))
    groups: defaultdict[Group, list[PastAsk]] = field(default_factory=lambda: defaultdict(list))
    cancelling: defaultdict[Group, list[Cancelling]] = field(
        default_factory=lambda: defaultdict(list)
    )
    margins: dict[Group, Margin] = field(default_factory=dict)

    def facts(self, question: Question) -> Facts:
        """What is known about a question now."""
        occasion, customer_id = question.occasion, question.occasion.customer_id or ""
        margin = self.margins.get(segment_of(question))
        subject = occasion.subject_id
        return Facts(
            channels=self.channels,
            heard_at=question.heard_at,
            settled_from=question.settled_from,
            asked=self.asked,
            suppressed=self.closed(customer_id),
            consent=self.consents.get(customer_id, {}),
            asks=self.asks.get(customer_id, ()),
            groups=self.groups,
            cancelling=[
                *self.cancelling.get((subject, customer_id), ()),
                *self.cancelling.get((subject, ""), ()),
            ],
            margins={} if margin is None else {question.trigger.key: margin},
        )

    def facts_for_all(self, questions: Sequence[Question]) -> Facts:
        """What is known about the questions of one event."""
        margins = {q.trigger.key: self.margins.get(segment_of(q)) for q in questions}
        known = {key: margin for key, margin in margins.items() if margin is not None}
        return replace(self.facts(questions[0]), margins=known)

    def closed(self, customer_id: str) -> AbstractSet[str]:
        """The customer's channels that must not be used."""
        suppressed = self.suppressed.get(customer_id, set())
        return self.channels if EVERY_CHANNEL in suppressed else suppressed

    def note(self, decision: Decision, programme: Programme) -> None:
        """Remember what was decided."""
        ask = decision.asking
        if ask is None:
            return
        self.asked.add(ask.invitation_id)
        self.asks[decision.customer_id or ""].append(ask)
        for dimension in programme.group_dimensions & set(ask.segments):
            self.groups[dimension, ask.segments[dimension]].append(ask)


def segment_of(question: Question) -> Group:
    """The segment whose margin the question's trigger goes by: (trigger, value)."""
    trigger = question.trigger
    value = question.occasion.segments.get(trigger.target_by or "", "")
    return (trigger.key, value)
