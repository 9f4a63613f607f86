"""One environment for all services: each has its own schema, versions and version table."""

import asyncio

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

service: str = context.config.attributes["service"]


def run(connection: sa.Connection) -> None:
    # two migrations at the same time: the second waits and finds nothing to do
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": service})
    # who wants a table queues all others behind: better to fail, having changed nothing
    connection.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
    connection.execute(sa.text(f'SET LOCAL search_path TO "{service}"'))
    context.configure(connection=connection, version_table_schema=service)
    context.run_migrations()


async def main() -> None:
    told = context.config.attributes
    engine = create_async_engine(told["url"], connect_args=told["connect_args"])
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(main())
