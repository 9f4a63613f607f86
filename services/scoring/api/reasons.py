"""`GET /v1/reasons`: NPS+."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Response

from services.scoring.api.asked import check_survey, read_asked
from services.scoring.api.paging import Paged, named, page_of_groups
from services.scoring.api.parameters import Cut, MetricName, Span
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Counts
from services.scoring.domain.reasons import Account, Reason, account_of
from services.scoring.domain.shares import Share
from services.scoring.domain.voices import Group
from services.scoring.store.reasons import read_reasons
from shared.intervals import LEVEL
from shared.keys import require_scope
from shared.programme.metrics import Klass
from shared.web.app import json_response
from shared.web.schemas import replies

T = TypeVar("T")
_GROUPS_AT_MOST = 100  # of 50 reasons each
_NOBODY = Group()


class Voice(msgspec.Struct, frozen=True):
    """How many answers a class has, and how many of them give a reason."""

    n: int
    with_reasons: int


class Classes(msgspec.Struct, frozen=True):
    promoter: Voice
    passive: Voice
    detractor: Voice


class Shares(msgspec.Struct, frozen=True):
    promoters: Share | None
    passives: Share | None
    detractors: Share | None


class Ranks(msgspec.Struct, frozen=True):
    promoters: int | None
    passives: int | None
    detractors: int | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of one group."""

    reason: str
    counts: Counts
    shares: Shares
    rank: Ranks
    overlap: Share | None
    detractors_reason: bool
    drop_off_risk: Share | None


class Others(msgspec.Struct, frozen=True):
    """Reasons less frequent than those shown: how many, and the answers that give one."""

    reasons: int
    counts: Counts


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The passives who give a detractors' reason, of the `n` passives who give any."""

    share: float | None
    interval: tuple[float, float] | None
    n: int
    count: int
    sufficient: bool
    reasons: Sequence[str]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One group of `GET /v1/reasons`."""

    segment: dict[str, str]
    n: int
    with_reasons: int
    classes: Classes
    reasons: Sequence[Told]
    truncated: bool
    other_reasons: Others
    overlap: float | None
    drop_off_risk: Risk


class Reasons(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """`GET /v1/reasons`."""

    metric: str
    start: datetime
    end: datetime
    as_of: datetime
    behind_s: float | None
    level: float
    next: str | None
    groups: Sequence[Explained]


def build_reasons(reading: Reading) -> APIRouter:
    """The route for what the classes give as their reasons."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])

    @router.get(
        "/v1/reasons",
        summary="NPS+: reasons by class, their overlap, the drop-off risk",
        responses=replies(Reasons),
    )
    async def reasons(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        paged: Annotated[Paged, Depends()],
    ) -> Response:
        asked, most = read_asked(metric, span, cut, paged, reading), reading.values_at_most
        async with reading.snapshot() as connection:
            await check_survey(connection, cut.survey, reading)
            sheet = await reading.reader.groups(connection, asked.question, [asked.window])
            page = page_of_groups(sheet, asked, min(paged.limit, _GROUPS_AT_MOST), 0)
            shown = [sheet.segments[place] for place in page.places]
            groups = await read_reasons(
                connection, asked.question, asked.window, shown, values_at_most=most
            )

        def tell() -> list[Explained]:
            return [
                explained(named(asked.question, one), groups.get(one, _NOBODY), reading.sufficient)
                for one in shown
            ]

        reply = Reasons(
            metric=metric,
            start=asked.window.start,
            end=asked.window.end,
            as_of=asked.as_of.astimezone(UTC),
            behind_s=reading.behind(),
            level=LEVEL,
            next=page.next,
            groups=await asyncio.to_thread(tell),
        )
        return json_response(reply)

    return router


def explained(segment: dict[str, str], group: Group, sufficient: int) -> Explained:
    """One group as the reply shows it."""
    account = account_of(group)
    voices = {klass: Voice(group.voices(klass).n, account.heard[klass]) for klass in Klass}
    return Explained(
        segment=segment,
        n=group.n,
        with_reasons=sum(account.heard.values()),
        classes=Classes(*_in_order(voices)),
        reasons=[_told(reason) for reason in account.reasons],
        truncated=group.unnamed > 0,
        other_reasons=Others(group.unnamed, Counts(*_in_order(account.unnamed))),
        overlap=account.overlap,
        drop_off_risk=_risk(account, sufficient),
    )


def _told(reason: Reason) -> Told:
    return Told(
        reason=reason.reason,
        counts=Counts(*_in_order(reason.counts)),
        shares=Shares(*_in_order(reason.shares)),
        rank=Ranks(*_in_order(reason.rank)),
        overlap=reason.overlap,
        detractors_reason=reason.of_detractors,
        drop_off_risk=reason.shares[Klass.PASSIVE] if reason.of_detractors else None,
    )


def _risk(account: Account, sufficient: int) -> Risk:
    n, risk = account.heard[Klass.PASSIVE], account.risk
    return Risk(
        share=None if risk is None else risk.share,
        interval=None if risk is None else risk.interval,
        n=n,
        count=account.dropping,
        sufficient=n >= sufficient,
        reasons=[reason.reason for reason in account.reasons if reason.of_detractors],
    )


def _in_order(values: Mapping[Klass, T]) -> tuple[T, T, T]:
    return values[Klass.PROMOTER], values[Klass.PASSIVE], values[Klass.DETRACTOR]
