"""Kept events, decided again one batch after the other."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial

from services.trigger.domain.backtest.agenda import THE_END, Agenda
from services.trigger.domain.backtest.asked import Asking, Askings
from services.trigger.domain.backtest.entries import Batch, Before, Entry, Known
from services.trigger.domain.backtest.missing import Missing, Unkept
from services.trigger.domain.backtest.outcomes import (
    Outcome,
    Prepared,
    outcome_of,
    unlistened,
)
from services.trigger.domain.backtest.seen import Seen
from services.trigger.domain.backtest.standins import read_kept
from services.trigger.domain.backtest.waiters import Round, Waiter
from services.trigger.domain.decisions import Decision, decide_question, questions_of, shared_by
from services.trigger.domain.memory import Memory
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.questions import Question
from services.trigger.domain.ready import Key, Matter, in_turn
from services.trigger.domain.reasons import Reason
from shared.events import Event
from shared.programme.models import Programme


class Replay:
    """One run of a programme over what the ledger has kept, in its order.

    `channels`: those of the deployment, until the first record shows others. `kept`: the programme
    by which events were kept.
    """

    def __init__(
        self, programme: Programme, channels: AbstractSet[str], before: Before, kept: Programme
    ) -> None:
        self._programme = programme
        self._memory = Memory(channels)
        self._read = partial(read_kept, dimensions=programme.segments.paths)
        self._agenda = Agenda(programme, same=kept.digest == programme.digest)
        self._seen = Seen(self._memory, programme)
        self._unkept = Unkept(programme, list(filter(None, kept.segments.paths.values())))
        for event in before.cancelling:
            self._seen.cancelling(self._read(event))
        given = [each for each in before.given if not self._seen.was_cancelled(each)]
        self._askings = Askings(self._memory, programme, given)

    def prepare(self, batch: Batch) -> Prepared:
        """Read a batch, so that what was known before of those in it can be looked up."""
        occasions = [(entry, self._read(entry.event)) for entry in batch.entries]
        found = [
            (entry, question)
            for entry, occasion in occasions
            for question in questions_of(occasion, self._programme, batch.clock, batch.clock)
        ]
        found.sort(key=lambda pair: pair[1].place(self._programme))
        return Prepared(batch, occasions, found)

    def learn(self, known: Known) -> None:
        """What was before the events that come next."""
        self._seen.learn(known)

    def step(self, prepared: Prepared) -> Iterator[Outcome]:
        """Decide what is due before a batch, and the batch."""
        batch, occasions = prepared.batch, prepared.occasions
        yield from self._rounds(batch.place, batch.clock)
        self._askings.until(batch.clock)
        self._seen.begin()
        for entry, occasion in occasions:
            self._seen.event(entry, occasion)
        for entry, occasion in occasions:
            yield from self._take_back(occasion, batch.clock)
            yield from unlistened(entry, self._programme)
        for entry, question in prepared.questions:
            if record := entry.record_of_then(question.trigger.key):
                self._seen.record(question, record)
        yield from self._decide_all(prepared)

    def end(self, now: datetime) -> Iterator[Outcome]:
        """Decide what was due until now; what waits on is an outcome too."""
        yield from self._rounds(THE_END, now)
        for waiter in self._agenda.waiting.values():
            yield Outcome(waiter.entry, waiter.question.trigger.key, waiter.reason)

    def not_taken_back(self) -> Iterator[Outcome]:
        """What events cancelled in the ledger after it had been asked for, and not here."""
        for asking in self._askings.left_over():
            if asking.entry is not None:
                yield Outcome(asking.entry, asking.ask.trigger, asking.reason)

    def _decide_all(self, prepared: Prepared) -> Iterator[Outcome]:
        clock = prepared.batch.clock
        for entry, question in prepared.questions:
            self._seen.channels(entry.record_of_then(question.trigger.key))
            decision, missing = self._decide(entry, question, clock)
            if missing is None and decision.waits:
                self._agenda.wait(entry, question, decision.reason)
            else:
                yield outcome_of(entry, decision, missing)

    def _rounds(self, place: int, clock: datetime) -> Iterator[Outcome]:
        while (found := self._agenda.next_round(place, clock)) is not None:
            self._askings.until(found.clock)
            self._seen.begin()
            yield from self._round(found)

    def _round(self, found: Round) -> Iterator[Outcome]:
        beside = {waiter.pending.key: waiter for waiter in self._agenda.beside(found)}
        matters, late = self._matters(beside), []
        for matter, waiters in matters:
            if matter.due_at <= found.clock:
                late.append(self._agenda.bind(matter, waiters, found.clock))
        ready = []
        for matter, waiters in self._matters(beside) if any(late) else matters:
            if matter.due_at > found.clock:
                self._agenda.postpone(waiters, matter.due_at)
                continue
            ready.append((matter.question, waiters))
            for record in filter(None, (waiter.record_of(found.clock) for waiter in waiters)):
                self._seen.record(matter.question, record)
        for question, waiters in ready:
            yield from self._conclude(question, waiters, found.clock)

    def _matters(self, beside: Mapping[Key, Waiter]) -> list[tuple[Matter, list[Waiter]]]:
        pending = [waiter.pending for waiter in beside.values()]
        found = in_turn(pending, self._programme, self._read)
        return [(matter, [beside[member.key] for member in matter.members]) for matter in found]

    def _conclude(
        self, question: Question, waiters: Sequence[Waiter], clock: datetime
    ) -> Iterator[Outcome]:
        by_event = {_key(waiter.entry.event): waiter for waiter in waiters}
        first = by_event[_key(question.occasion.event)]
        self._seen.channels(first.record_of(clock))
        decision, missing = self._decide(first.entry, question, clock)
        for waiter in waiters:
            self._agenda.forget(waiter)
        yield outcome_of(first.entry, decision, missing)
        others = [by_event[_key(event)].entry for event in question.merged]
        for entry, shared in zip(others, shared_by(question, decision), strict=True):
            yield outcome_of(entry, shared, missing)

    def _decide(
        self, entry: Entry, question: Question, clock: datetime
    ) -> tuple[Decision, Missing | None]:
        occasion, record = question.occasion, entry.records.get(question.trigger.key)
        customer_id = occasion.customer_id or ""
        self._memory.suppressed[customer_id] = set(self._seen.closings.at(customer_id, clock))
        facts = self._memory.facts(question)
        del self._memory.suppressed[customer_id]
        decision = decide_question(question, facts, self._programme, clock)
        missing = self._unkept.of(question, facts, decision)
        if missing is None:
            self._memory.note(decision, self._programme)
            self._follow(entry, question, decision, clock)
        elif record is not None and record.ask is not None:
            asking = Asking(customer_id, record.ask, occasion.subject_id, occasion.event.time)
            self._askings.add(asking, record.fate, clock)
        return decision, missing

    def _follow(
        self, entry: Entry, question: Question, decision: Decision, clock: datetime
    ) -> None:
        ask, invitation = decision.asking, decision.invitation
        if ask is None or invitation is None:
            return
        record = entry.records.get(question.trigger.key)
        if record is not None and record.asked_as(ask, decision.reason, clock):
            fate, taken_back = record.fate, record.taken_back
        else:
            owner, channels = invitation.customer_id, invitation.channels
            fate = self._seen.closings.take_out(owner, ask, channels, clock)
            taken_back = False
        asking = Asking(
            customer_id=invitation.customer_id,
            ask=ask,
            subject_id=invitation.subject_id,
            event_time=invitation.event.time,
            entry=entry,
            reason=decision.reason,
            taken_back=taken_back,
        )
        self._askings.follow(asking, fate, clock)

    def _take_back(self, occasion: Occasion, clock: datetime) -> Iterator[Outcome]:
        event, whose = occasion.event, occasion.customer_id or ""
        for trigger in self._programme.cancelled_by.get(event.type, ()):
            about = (trigger, occasion.subject_id)
            for asking in self._askings.take_back(about, whose, event.time, clock):
                if asking.entry is not None:
                    now, then = Reason.CANCELLED_BY_EVENT, asking.reason
                    yield Outcome(asking.entry, trigger, now, instead_of=then)


def _key(event: Event) -> tuple[str, str]:
    return (event.source, event.id)
