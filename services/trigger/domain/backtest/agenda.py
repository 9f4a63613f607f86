"""What waits to be decided, and when that was or would have been."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from heapq import heappop, heappush
from typing import Final

from services.trigger.domain.backtest.entries import Entry
from services.trigger.domain.backtest.waiters import NEVER, Round, Subject, Waiter
from services.trigger.domain.kept import wait_of
from services.trigger.domain.questions import Question
from services.trigger.domain.ready import Key, Matter
from services.trigger.domain.reasons import Reason
from shared.programme.models import Programme

THE_END: Final = 2**63


class Agenda:
    """What waits, by customer and by subject, as the table `waiting` has it.

    `same`: it is the programme of the ledger, so that all waits until when it was decided there.
    Under another one only that is as late as it was there which is due as it was there.
    """

    def __init__(self, programme: Programme, *, same: bool) -> None:
        self._programme = programme
        self._same = same
        self.waiting: dict[Key, Waiter] = {}
        self._of_customer: defaultdict[str, set[Key]] = defaultdict(set)
        self._of_subject: defaultdict[Subject, set[Key]] = defaultdict(set)
        self._turns: list[tuple[int, datetime, Key]] = []
        self._dues: list[tuple[datetime, Key]] = []

    def wait(self, entry: Entry, question: Question, reason: Reason) -> None:
        """Keep a question until it is due."""
        waiter = self._waiter(entry, question, reason)
        key, record = waiter.pending.key, waiter.record
        self.waiting[key] = waiter
        self._of_subject[waiter.subject].add(key)
        if customer_id := waiter.customer_id:
            self._of_customer[customer_id].add(key)
        if not waiter.bound:
            heappush(self._dues, (waiter.due_at, key))
        elif waiter.due_at is not NEVER and record is not None:
            heappush(self._turns, (record.turn, waiter.due_at, key))

    def postpone(self, waiters: Sequence[Waiter], due: datetime) -> None:
        """These are due then and no earlier, whatever was done in the ledger."""
        for waiter in waiters:
            if waiter.due_at != due:
                waiter.bound, waiter.due_at = False, due
                heappush(self._dues, (due, waiter.pending.key))

    def bind(self, matter: Matter, waiters: Sequence[Waiter], clock: datetime) -> bool:
        """Whether it is due as it was in the ledger, and was decided later there; then it waits."""
        event = matter.question.occasion.event
        record = next(w.record for w in waiters if w.pending.key[1:] == (event.source, event.id))
        if record is None or record.kept.due != matter.due_at or record.decided_at <= clock:
            return False
        for waiter in waiters:
            waiter.bound, waiter.due_at = True, record.decided_at
            heappush(self._turns, (record.turn, record.decided_at, waiter.pending.key))
        return True

    def forget(self, waiter: Waiter) -> None:
        """It waits no more."""
        key = waiter.pending.key
        del self.waiting[key]
        self._of_subject[waiter.subject].discard(key)
        if not self._of_subject[waiter.subject]:
            del self._of_subject[waiter.subject]
        if customer_id := waiter.customer_id:
            self._of_customer[customer_id].discard(key)
            if not self._of_customer[customer_id]:
                del self._of_customer[customer_id]

    def next_round(self, place: int, clock: datetime) -> Round | None:
        """What comes next before a place in the order of the ledger and a moment of the clock."""
        own = self._next_due(clock)
        turn = self._next_turn(place)
        if turn is not None and (own is None or turn <= own):
            return Round(self._pop_turns(turn), turn)
        return None if own is None else Round(self._pop_dues(own), own)

    def beside(self, found: Round) -> list[Waiter]:
        """What is looked at in a round: of each customer all up to the last that is due.

        What names nobody goes with all the customers of its subject, or waits for them.
        """
        waiters = [self.waiting[key] for key in found.keys]
        nobodys = {waiter.subject for waiter in waiters if waiter.customer_id is None}
        waiters += [self.waiting[key] for about in nobodys for key in self._about(about)]
        customers = {waiter.customer_id for waiter in waiters} - {None}
        taken, abouts = set(), set(nobodys)
        for whose in customers:
            own = [self.waiting[key] for key in self._of_customer.get(whose or "", ())]
            abouts |= {waiter.subject for waiter in own}
            taken |= self._up_to_due(own, found.clock, nobodys)
        for about in abouts:
            others = {key: self.waiting[key].customer_id for key in self._about(about)}
            if set(others.values()) - {None} <= customers:
                taken |= {key for key, customer_id in others.items() if customer_id is None}
        return [self.waiting[key] for key in sorted(taken)]

    def _up_to_due(
        self, own: Sequence[Waiter], clock: datetime, nobodys: AbstractSet[Subject]
    ) -> set[Key]:
        due = [waiter for waiter in own if waiter.due_at <= clock]
        last = max((waiter.turn_at for waiter in due), default=None)
        with_due = nobodys | {waiter.subject for waiter in due}
        return {
            waiter.pending.key
            for waiter in own
            if waiter.subject in with_due or (last is not None and waiter.turn_at <= last)
        }

    def _about(self, subject: Subject) -> Collection[Key]:
        return self._of_subject.get(subject, ())

    def _waiter(self, entry: Entry, question: Question, reason: Reason) -> Waiter:
        record, due = entry.records.get(question.trigger.key), question.due_at(self._programme)
        turn = question.turn_at(self._programme)
        wait = wait_of(question.delay(self._programme), question.trigger.settle)
        if record is None or record.kept.waited != wait or not self._same:
            return Waiter(entry, question, reason, due, bound=False, turn_at=turn)
        still = record.reason in {Reason.DELAYED, Reason.SETTLING}
        until = NEVER if still else record.decided_at
        return Waiter(entry, question, reason, until, bound=True, turn_at=turn)

    def _next_turn(self, place: int) -> datetime | None:
        while self._turns and self._turns[0][2] not in self.waiting:
            heappop(self._turns)
        return self._turns[0][1] if self._turns and self._turns[0][0] < place else None

    def _next_due(self, clock: datetime) -> datetime | None:
        while self._dues and not self._is_due(*self._dues[0]):
            heappop(self._dues)
        return self._dues[0][0] if self._dues and self._dues[0][0] <= clock else None

    def _is_due(self, due: datetime, key: Key) -> bool:
        waiter = self.waiting.get(key)
        return waiter is not None and not waiter.bound and waiter.due_at == due

    def _pop_turns(self, clock: datetime) -> set[Key]:
        return set(_popped(self._turns, clock)) & self.waiting.keys()

    def _pop_dues(self, clock: datetime) -> set[Key]:
        keys = set()
        while self._dues and self._dues[0][0] == clock:
            due, key = heappop(self._dues)
            if self._is_due(due, key):
                keys.add(key)
        return keys


def _popped(turns: list[tuple[int, datetime, Key]], clock: datetime) -> Iterator[Key]:
    """All of one round: they were decided by one clock, and their turns follow each other."""
    while turns and turns[0][1] == clock:
        yield heappop(turns)[2]
