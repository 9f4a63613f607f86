"""The roles that CloudNativePG makes, made on a real PostgreSQL: each migrates and sees its own."""

import asyncio
from collections.abc import AsyncIterator
from secrets import token_hex

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from shared.db import SCHEMAS
from shared.embedded.system import Embedded
from shared.migrating import migrate
from tests.support.manifests import Manifest, one, prod

pytestmark = pytest.mark.tools
__all__ = ["prod"]

ALL_TABLES = """
SELECT schemaname AS schema, format('SELECT count(*) FROM %I.%I', schemaname, tablename) AS look
FROM pg_tables WHERE schemaname = ANY($1)
"""


def text_of(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
async def bare(embedded: Embedded, prod: list[Manifest]) -> AsyncIterator[URL]:
    """A database as `bootstrap` leaves it, with the roles that `managed` lets log in."""
    spec = one(prod, "Cluster", "earshot-postgresql")["spec"]
    initdb, roles = spec["bootstrap"]["initdb"], spec["managed"]["roles"]
    name = f"earshot_{token_hex(4)}"
    server = make_url(embedded.database_url).set(username="postgres")  # who has the same password
    superuser = await asyncpg.connect(text_of(server))
    await superuser.execute(f"CREATE ROLE {name}")
    await superuser.execute(f"CREATE DATABASE {name} OWNER {name}")
    inside = await asyncpg.connect(text_of(server.set(database=name)))
    for statement in initdb["postInitApplicationSQL"]:
        ours = f"DATABASE {initdb['database']} "
        await inside.execute(statement.replace(ours, f"DATABASE {name} "))
    for role in roles:
        bound = f"CONNECTION LIMIT {role['connectionLimit']}"
        await inside.execute(f"ALTER ROLE {role['name']} LOGIN PASSWORD '{name}' {bound}")
    await inside.close()
    try:
        yield server.set(database=name, password=name)
    finally:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in (name, *(role["name"] for role in roles)):
            await superuser.execute(f"DROP ROLE {role}")
        await superuser.close()


async def denied(connection: asyncpg.Connection, statement: str) -> bool:
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def test_a_role_migrates_its_own_schema_and_sees_no_other(bare: URL) -> None:
    urls = {schema: text_of(bare.set(username=f"earshot_{schema}")) for schema in SCHEMAS}

    for schema, url in urls.items():
        for _ in range(2):
            await asyncio.to_thread(migrate, url, schema)

    for schema, url in urls.items():
        connection = await asyncpg.connect(url)
        try:
            tables = await connection.fetch(ALL_TABLES, list(SCHEMAS))
            closed = {row["schema"] for row in tables if await denied(connection, row["look"])}
            opened = {row["schema"] for row in tables} - closed
            assert (closed, opened) == (set(SCHEMAS) - {schema}, {schema})
            assert await denied(connection, "CREATE TABLE public.theirs (id int)")
        finally:
            await connection.close()
