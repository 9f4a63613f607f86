"""What the ledger shows to have been known, put into the memory of a run."""

from collections.abc import Iterable

from services.trigger.domain.backtest.closings import Closings
from services.trigger.domain.backtest.entries import Entry, Given, Known, Record
from services.trigger.domain.facts import Cancelling, Said
from services.trigger.domain.memory import Memory, segment_of
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from shared.programme.models import Programme
from shared.programme.triggers import SCHEDULE


class Seen:
    """Facts by the moment: events say some, and the records of that very moment say the others."""

    def __init__(self, memory: Memory, programme: Programme) -> None:
        self._memory = memory
        self._programme = programme
        self.closings = Closings()

    def learn(self, known: Known) -> None:
        """What was before the events that come next."""
        self._memory.asked.update(known.asked)
        self.closings.learn(known.refusals)
        for word in known.words:
            self._hear(word.customer_id, word.channel, word.said)

    def event(self, entry: Entry, occasion: Occasion) -> None:
        """An event has come: what its customer said, and whether it cancels."""
        event, customer = occasion.event, occasion.customer
        if customer is not None and not event.type.startswith(f"{SCHEDULE}."):
            for channel, yes in customer.consent.items():
                self._hear(customer.id, channel, Said(yes, event.time))
        if event.type in self._programme.cancelled_by:
            self.cancelling(occasion)
        if customer is not None:
            self._records(customer.id, entry)

    def cancelling(self, occasion: Occasion) -> None:
        """An event that may make questions about its subject pointless."""
        event, about = occasion.event, (occasion.subject_id, occasion.customer_id or "")
        self._memory.cancelling[about].append(Cancelling(event.type, event.time))

    def was_cancelled(self, given: Given) -> bool:
        """Whether what was given had been taken back before the first event."""
        hits = (
            hit.at >= given.event_time
            for whose in (given.customer_id, "")
            for hit in self._memory.cancelling.get((given.subject_id, whose), ())
        )
        return given.taken_back and any(hits)

    def begin(self) -> None:
        """Others are decided on now: what was looked up for the last no longer holds."""
        self._memory.margins.clear()

    def record(self, question: Question, record: Record) -> None:
        """What was known when a question was decided in the ledger; it is that moment now."""
        kept, customer_id = record.kept, question.occasion.customer_id
        if customer_id is not None:
            self.closings.see(customer_id, record.decided_at, kept.suppressed)
            self._words(customer_id, record)
        margin = kept.margin and kept.margin.for_trigger(question.trigger)
        if margin:
            self._memory.margins[segment_of(question)] = margin

    def channels(self, record: Record | None) -> None:
        """The channels that the deployment had: those of the last decision that shows them."""
        if record is not None and record.kept.channels is not None:
            self._memory.channels = frozenset(record.kept.channels)

    def _records(self, customer_id: str, entry: Entry) -> None:
        then = (entry.record_of_then(trigger) for trigger in entry.records)
        found: Iterable[Record] = (record for record in then if record is not None)
        for record in found:
            self.closings.see(customer_id, record.decided_at, record.kept.suppressed)
            self._words(customer_id, record)

    def _words(self, customer_id: str, record: Record) -> None:
        for channel, said in record.kept.words.items():
            self._hear(customer_id, channel, said)

    def _hear(self, customer_id: str, channel: str, said: Said) -> None:
        """The newest word counts, and of a yes and a no at the same time the no."""
        known = self._memory.consents[customer_id]
        before = known.get(channel)
        if before is None or (said.at, not said.yes) > (before.at, not before.yes):
            known[channel] = said
