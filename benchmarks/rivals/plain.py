"""The plain way: FastStream hands over one message, SQLAlchemy's ORM one session to it.

The answer is inserted, one upsert is executed for the rows of its 19 cells, the session commits,
and then the message is acknowledged. An id that stands already is counted no second time.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy import JSON, Select, func, make_url, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.rivals.cells import names_of, sums_of
from benchmarks.rivals.telling import Telling


class Row(DeclarativeBase):
    """All tables."""


class Answer(Row):
    """One answer as it came."""

    __tablename__ = "answers"
    id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class Cell(Row):
    """One cell's sums."""

    __tablename__ = "cells"
    name: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    total: Mapped[int]
    detractors: Mapped[int]
    passives: Mapped[int]
    promoters: Mapped[int]


SUMS = ("n", "total", "detractors", "passives", "promoters")


def upsert() -> Insert:
    """One row added to a cell; compiled once, and executed for many."""
    row = insert(Cell)
    more = {name: getattr(Cell, name) + getattr(row.excluded, name) for name in SUMS}
    return row.on_conflict_do_update(index_elements=["name"], set_=more)


UPSERT = upsert()


async def keep(session: AsyncSession, body: dict[str, Any]) -> None:
    """Insert the answer and add it to its cells; nothing where it stands already."""
    new = insert(Answer).values(id=body["id"], body=body).on_conflict_do_nothing()
    if await session.scalar(new.returning(Answer.id)) is None:
        return
    added = dict(zip(SUMS, sums_of(body["answers"]["score"]), strict=True))
    rows = [{"name": name, **added} for name in sorted(names_of(body))]
    await (await session.connection()).execute(UPSERT, rows)


def standing() -> Select[Any]:
    return select(Cell.name, *(getattr(Cell, name) for name in SUMS))


async def main() -> None:
    told = Telling()
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine)
    async with engine.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)
    async with sessions() as session:
        done = int(await session.scalar(select(func.count()).select_from(Answer)) or 0)
    quiet = logging.getLogger("plain")
    broker = KafkaBroker(os.environ["BOOTSTRAP"], logger=quiet, log_level=logging.DEBUG)
    app = FastStream(broker, logger=quiet)

    async def on_answer(body: dict[str, Any]) -> None:
        nonlocal done
        told.came(done)
        async with sessions() as session, session.begin():
            await keep(session, body)
        done += 1
        told.committed(done)

    broker.subscriber(
        os.environ["TOPIC"],
        group_id=os.environ["GROUP"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=2_000,
    )(on_answer)

    async def end_when_idle() -> None:
        await told.until_idle()
        app.exit()

    await asyncio.gather(app.run(), end_when_idle())
    async with sessions() as session:
        told.finish(list(cells_of((await session.execute(standing())).tuples().all())))
    await engine.dispose()


def cells_of(rows: Any) -> Iterator[tuple[str, list[int]]]:
    for name, *sums in rows:
        yield name.split("|", 2)[2], sums


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
