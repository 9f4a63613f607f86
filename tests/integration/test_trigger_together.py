"""Batches and workers at once, on real PostgreSQL: caps hold, and nothing is decided twice."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.events import Event, SurveyOptout
from shared.programme.asking import Cap
from tests.support.trigger import NOW
from tests.support.trigger_crowd import Crowd, at_once
from tests.support.trigger_life import ALL, AT_ONCE, DELIVERED, MINUTE, SETTLED, asking
from tests.support.trigger_rig import emptied

pytestmark = pytest.mark.thorough

ROUNDS = 50
ONCE = Cap(most=1, per=timedelta(days=7))
PER_REGION = Cap(most=5, per=timedelta(days=1), each=("region",))
PAID = {"on": "transaction.paid", "survey": "effort"}
DUE = NOW + 12 * MINUTE


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


def said(kind: str, about: str, whose: str | None, *, minute: int = 0, region: str = "EU") -> Event:
    """Of a customer who agrees; `support_call.ended` and the like are about a call."""
    customer = {"id": whose, "email": "ann@example.org", "consent": {"email": True}}
    data: dict[str, Any] = {"customer": customer if whose else None, "segments": {"region": region}}
    call = {"id": about, "talk_s": 90, "queue": "billing"}
    part = {"call": call} if kind.startswith("s") else {"transaction": {"id": about, "amount": 90}}
    return Event(
        id=f"{kind}-{about}-{minute}",
        source="/shop",
        type=kind,
        time=NOW + minute * MINUTE,
        data={**data, **part},
    )


async def test_two_events_of_one_customer_in_two_batches_send_one_survey(
    engine: AsyncEngine,
) -> None:
    crowd = Crowd(engine, asking(ONCE, at_once=AT_ONCE, paid=PAID))
    known = [said("transaction.purchased", f"o-{n}", f"c-{n}") for n in range(0, ROUNDS, 2)]
    await crowd.batch(known, NOW)

    for n in range(ROUNDS):
        call, paid = f"k-{n}", f"o-{n}"
        await at_once(
            partial(crowd.batch, [said("support_call.ended", call, f"c-{n}")], NOW),
            partial(crowd.batch, [said("transaction.paid", paid, f"c-{n}")], NOW),
        )

    asked = await crowd.asked()
    assert Counter(customer for _, customer, _ in asked) == {f"c-{n}": 1 for n in range(ROUNDS)}
    assert len({survey for survey, _, _ in asked}) == 2, "either of them came first at times"


async def test_a_batch_and_the_worker_send_one_survey(engine: AsyncEngine) -> None:
    crowd = Crowd(engine, asking(ONCE, at_once=AT_ONCE, delivered=DELIVERED))
    delivered = [said("transaction.delivered", f"o-{n}", f"c-{n}") for n in range(ROUNDS)]
    await crowd.batch(delivered, NOW)

    for n in range(ROUNDS):
        ended = said("support_call.ended", f"k-{n}", f"c-{n}", minute=12)
        await at_once(partial(crowd.batch, [ended], DUE), partial(crowd.due, DUE, 1))
    while await crowd.due(DUE):
        pass

    asked = await crowd.asked()
    assert Counter(customer for _, customer, _ in asked) == {f"c-{n}": 1 for n in range(ROUNDS)}
    assert len({survey for survey, _, _ in asked}) == 2, "either of them came first at times"


async def test_two_workers_decide_each_question_once(engine: AsyncEngine) -> None:
    crowd = Crowd(engine, asking(delivered=DELIVERED, settled=SETTLED))
    about = [(f"o-{n}", f"c-{n % 30}") for n in range(60)]
    delivered = [said("transaction.delivered", *one) for one in about]
    shipped = [said("transaction.shipped", *one, minute=n) for one in about for n in (0, 1)]
    nameless = [said("transaction.shipped", one, None, minute=2) for one, _ in about[:20]]
    await crowd.batch([*delivered, *shipped, *nameless], NOW)
    crowd.told.clear()

    while await crowd.waiting():
        await at_once(partial(crowd.due, DUE, 25), partial(crowd.due, DUE, 40))

    assert len(crowd.told) == 60 + 120 + 20
    assert max(Counter((d.event_id, d.trigger) for d in crowd.told).values()) == 1
    assert len(await crowd.asked()) == 120


async def test_the_cap_of_a_group_is_met_exactly_by_four_batches_at_once(
    engine: AsyncEngine,
) -> None:
    crowd = Crowd(engine, asking(PER_REGION, at_once=AT_ONCE))

    for n in range(10):
        ended = [
            [
                said("support_call.ended", f"k-{n}-{b}-{c}", f"c-{n}-{b}-{c}", region=f"r-{n}")
                for c in range(3)
            ]
            for b in range(4)
        ]
        await at_once(*(partial(crowd.batch, events, NOW) for events in ended))

    asked = await crowd.asked()
    assert Counter(customer.split("-")[1] for _, customer, _ in asked) == {
        str(n): 5 for n in range(10)
    }


def anything(random: Random, number: int, minute: int) -> Event:
    """About few customers, subjects and regions, so that all meet all the time."""
    kinds = ["ended", "reopened"], ["delivered", "shipped", "shipped", "refunded", "paid"]
    family = random.choice(("support_call", "transaction"))
    kind = random.choice(kinds[family == "transaction"])
    whose = random.choice([None, *(f"c-{n}" for n in range(40))])
    event = said(
        f"{family}.{kind}",
        f"x-{random.randrange(20)}",
        whose,
        minute=minute,
        region=random.choice(("EU", "US", "KR")),
    )
    return Event(
        id=f"evt-{number}", source="/shop", type=event.type, time=event.time, data=event.data
    )


async def test_no_two_hundred_batches_and_workers_lock_one_another(engine: AsyncEngine) -> None:
    crowd = Crowd(engine, asking(PER_REGION, ONCE, paid=PAID, **ALL), seed=1)
    random = Random(7)
    invited: list[str] = []

    async def batches(mine: int) -> None:
        for n in range(25):
            number = (mine * 25 + n) * 10
            found = [anything(random, number + i, n - 20) for i in range(4)]
            optouts = [SurveyOptout(invitation_id=i, at=NOW) for i in invited[-2:]]
            await crowd.batch(found, NOW + n * MINUTE, optouts)
            invited.extend(
                d.invitation_id
                for d in crowd.told[-5:]
                if d.invitation_id and d.decision == "invited"
            )

    async def worker() -> None:
        for n in range(25):
            await crowd.due(NOW + n * MINUTE, 7)

    await at_once(*(partial(batches, mine) for mine in range(8)), worker, worker)

    decided = Counter(d.reason for d in crowd.told)
    assert set(decided) >= {"asked", "settling", "cancelled-by-event", "too-many-for-group"}
    customers = Counter(customer for _, customer, _ in await crowd.asked())
    assert max(customers.values()) == 1


async def test_what_is_held_keeps_nobody_else_from_their_turn(engine: AsyncEngine) -> None:
    crowd = Crowd(engine, asking(delivered=DELIVERED, settled=SETTLED))
    held = said("transaction.delivered", "o-1", "c-1", minute=1)
    await crowd.batch([held, said("transaction.shipped", "o-2", "c-1")], NOW)
    await crowd.batch([said("transaction.delivered", "o-3", "c-2", minute=2)], NOW)
    await crowd.batch([said("transaction.shipped", "o-2", "c-1", minute=5)], NOW + 5 * MINUTE)

    now = NOW + 14 * MINUTE
    for _ in range(4):
        await crowd.due(now, 1)
    assert [customer for _, customer, _ in await crowd.asked()] == ["c-2"]

    await crowd.due(NOW + 15 * MINUTE)
    assert len(await crowd.asked()) == 3


async def test_a_nameless_part_waits_for_a_customer_whom_another_holds(
    engine: AsyncEngine,
) -> None:
    crowd = Crowd(engine, asking(settled=SETTLED))
    await crowd.batch([said("transaction.shipped", "o-1", "c-1")], NOW)
    nameless = said("transaction.shipped", "o-1", None, minute=1)
    await crowd.batch([nameless], NOW)

    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT FROM customers WHERE id = 'c-1' FOR UPDATE"))
        assert await crowd.due(DUE) == 0
    await crowd.due(DUE)

    told = Counter((d.event_id, d.reason) for d in crowd.told if d.reason != "settling")
    first = "transaction.shipped-o-1-0"
    assert told == {(first, "asked"): 1, (nameless.id, "asked-already"): 1}
