"""A database that keeps a question waiting costs the caller a bounded time, and says so."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from tests.support.four import Served, four_services, routes_of

# What asks no database, and what a document or a page alone is made of.
WITHOUT: Final = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/preview"}
# What is kept in memory, or refused before anything is asked.
KEPT: Final = {"/v1/destinations"}
BODIES: Final = {
    "/v1/suppressions": {"customer_id": "c", "channels": ["email"], "reason": "opted-out"},
}


async def ask(served: Served, method: str, path: str) -> tuple[str, int, str]:
    async with served.client() as client:
        asked = path.replace("{customer_id:path}", "c").replace("{", "").replace("}", "")
        reply = await client.request(method, asked, json=BODIES.get(path), timeout=30)
        return f"{method} {path}", reply.status_code, reply.text


@pytest.mark.thorough
@pytest.mark.parametrize("service", ["scoring", "trigger", "alerts"])
async def test_no_question_waits_longer_than_a_statement_may(
    fresh_database_url: str, tmp_path: Path, service: str
) -> None:
    bound = timedelta(seconds=1)
    async with four_services(fresh_database_url, tmp_path, statement=bound) as services:
        holder = await asyncpg.connect(fresh_database_url.replace("+asyncpg", ""))
        try:
            await holder.execute("BEGIN")
            tables = await holder.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                " WHERE schemaname = $1",
                service,
            )
            for table in tables:
                await holder.execute(f"LOCK TABLE {table['name']} IN ACCESS EXCLUSIVE MODE")
            served = services[service]
            routes = [
                (method, path)
                for method, path in routes_of(served.app)
                if path not in WITHOUT | KEPT
            ]
            began = time.monotonic()
            found = await asyncio.gather(*(ask(served, *route) for route in routes))
            taken = time.monotonic() - began
        finally:
            await holder.close()

    held = {name: text for name, status, text in found if status == 503}
    expected = {503, 422, 415, 404}
    other = {name: (status, text) for name, status, text in found if status not in expected}
    assert not other
    assert len(held) >= 4, found
    assert taken < 15
    unsaid = {n: t for n, t in held.items() if "again" not in t and "for the moment" not in t}
    assert not unsaid
