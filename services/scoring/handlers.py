"""What happens when replies, invitations and decisions come in: one transaction, what it sends."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from services.scoring.domain.answers import (
    LOWEST,
    Change,
    Truth,
    class_at,
    fold,
    version_of,
)
from services.scoring.domain.decisions import Decision, Turn, fold_decisions
from services.scoring.metrics import ANSWER_AGE, ANSWERS, REPEATS
from shared.events import RecordRef, ScoredResponse
from shared.wire import encode

_BREATH: Final = 250  # answers
Told = tuple[str, bytes]  # an answer's id and its scored-response


class Ledger(Protocol):
    """What the handlers need remembered. Every call shares the caller's transaction."""

    async def record(self, truths: Sequence[Truth]) -> Sequence[Change]:
        """Store truths, one an id and sorted; return what changed."""
        ...

    def foresee(self, truths: Sequence[Truth]) -> None:
        """Prepare to count them as if all were new, which they are most often."""
        ...

    async def decide(self, decisions: Sequence[Decision]) -> Sequence[Turn]:
        """Store decisions, one a key and sorted; return what changed."""
        ...

    async def count(self, changes: Sequence[Change], turns: Sequence[Turn] = ()) -> None:
        """Take away what was and add what is; once, after all that is stored."""
        ...


Publish = Callable[[Sequence[Told]], Awaitable[None]]
KindOf = Callable[[str], str | None]
ToScored = Callable[[Truth], ScoredResponse]


async def on_truths(
    truths: Iterable[Truth],
    ledger: Ledger,
    publish: Publish,
    to_scored: ToScored,
    now: datetime,
    decisions: Iterable[Decision] = (),
) -> None:
    """Record, count, publish. Repeats change nothing and publish nothing.

    While the database records, the replies are written as they will be told, and counted as they
    will be, if they are new: most are. Counted afterwards a batch takes an eighth longer.
    """
    folded = fold(truths)
    recording = asyncio.ensure_future(ledger.record(folded))
    try:
        drafts = await _draft(folded, to_scored)
        ledger.foresee(folded)
    finally:
        changes = await recording
    decided = fold_decisions(decisions)
    turns = await ledger.decide(decided)
    REPEATS.inc(len(folded) - len(changes) + len(decided) - len(turns))
    if not changes and not turns:
        return
    await ledger.count(changes, turns)
    news = [change for change in changes if is_news(change)]
    await publish([(one.after.id, _told(one, drafts, to_scored)) for one in news])
    _observe(news, now)


async def _draft(truths: Sequence[Truth], to_scored: ToScored) -> dict[str, bytes]:
    drafts: dict[str, bytes] = {}
    for number, truth in enumerate(truths):
        if not number % _BREATH:
            await asyncio.sleep(0)  # the statement goes out, and others have their turn
        if truth.reply is not None:
            drafts[truth.id] = encode(to_scored(truth))
    return drafts


def _told(change: Change, drafts: Mapping[str, bytes], to_scored: ToScored) -> bytes:
    draft = drafts.get(change.after.id) if change.before is None else None
    return encode(to_scored(change.after)) if draft is None else draft


def is_news(change: Change) -> bool:
    """Whether the answer's present truth is another than was told."""
    if change.before is None:
        return change.after.reply is not None
    return version_of(change.after) != version_of(change.before)


def scored_by(kind_of: KindOf, sources: Mapping[str, RecordRef], now: datetime) -> ToScored:
    """Return how a truth is told; `kind_of` a survey serves where no invitation says it."""

    def to_scored(truth: Truth) -> ScoredResponse:
        reply, asking = truth.reply, truth.asking
        if reply is None:
            raise ValueError("nobody has answered yet")
        survey = truth.survey
        return ScoredResponse(
            id=truth.id,
            version=version_of(truth) or "",
            invitation_id=truth.id if asking is not None or reply.invited else None,
            survey=survey,
            kind=asking.kind if asking is not None else survey and kind_of(survey),
            metric=reply.metric,
            scale=(LOWEST[reply.metric], reply.scale),
            score=reply.score,
            klass=class_at(reply.metric, reply.scale, reply.score),
            reasons=reply.reasons,
            comment=reply.comment,
            language=reply.language,
            customer_id=reply.customer_id if asking is None else asking.asked_customer_id,
            touchpoint=reply.touchpoint if asking is None else asking.asked_touchpoint,
            segments=truth.segments,
            channel=reply.channel,
            answered_at=reply.answered_at,
            received_at=reply.received_at,
            scored_at=now,
            source=sources.get(truth.id),
        )

    return to_scored


def _observe(news: Sequence[Change], now: datetime) -> None:
    told = [one.after.reply for one in news if one.after.reply is not None]
    classes = Counter((one.metric, one.scale, one.score) for one in told)
    for (metric, scale, score), number in classes.items():
        ANSWERS.labels(metric, class_at(metric, scale, score)).inc(number)
    first = [one.after.reply for one in news if one.before is None or one.before.reply is None]
    at = now.timestamp()
    ANSWER_AGE.observe_all([at - one.received_at.timestamp() for one in first if one is not None])
