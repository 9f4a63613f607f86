"""No statement of trigger reads a large table whole: an index serves it, of the right collation."""

import json
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import Any, Final

import pytest
from asyncpg import Connection, connect
from sqlalchemy import ClauseElement, TextClause, make_url
from sqlalchemy.dialects.postgresql import asyncpg

from services.trigger import store
from services.trigger.store import counting, queries, retention
from services.trigger.tables import invitations
from tests.support.trigger_rig import Rig, emptied

# One row a survey, a counted pair or a value of a dimension.
SMALL: Final = frozenset({"schedules", "counted", "groups"})
# By statement: what it is meant to read whole.
WHOLE: Final[Mapping[str, AbstractSet[str]]] = {
    "outbox._UNTOLD": frozenset({"invitations"}),  # by an index of what is untold alone
    "waiting._BEHIND": frozenset({"waiting"}),  # the first of an index
}

ANSWER: Final = "answers VALUES ('a', 'v', 'i', 's', 'promoter', 9, '{}', now())"


def statements() -> Iterator[tuple[str, ClauseElement]]:
    for found in pkgutil.iter_modules(store.__path__):
        module = import_module(f"{store.__name__}.{found.name}")
        for name, value in vars(module).items():
            if isinstance(value, TextClause) and not value.text.startswith(("LOCK", "SET")):
                yield f"{found.name}.{name}", value
    for table in (*vars(retention)["_BY_AGE"], *vars(retention)["_BY_KEY"]):
        yield f"delete old {table}", retention.deleting(table)
    for table in vars(retention)["_BY_KEY"]:
        yield f"page of {table}", retention.paging(table)
    for table, past in vars(counting)["_PAST"].items():
        yield f"count past {table}", past
    one = vars(queries)["_INVITATIONS"].where(invitations.c.id == "i-1")
    yield "an invitation with its reminders", one


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    """Plans for values that are not known, and for tables of which a page holds a million rows."""
    async with emptied(database_url) as engine:
        await Rig(engine).book()
    plain = make_url(database_url).set(drivername="postgresql")
    connection = await connect(plain.render_as_string(hide_password=False))
    await connection.execute("SET search_path = trigger; SET plan_cache_mode = force_generic_plan")
    # else what is compared may be read once, whole, for all rows
    for kind in ("seqscan", "hashjoin", "mergejoin", "material", "memoize"):
        await connection.execute(f"SET enable_{kind} = off")
    for row in ("waiting VALUES ('t', 's', 'e', 'x', 'c', '{}', now(), now(), now())", ANSWER):
        await connection.execute(f"INSERT INTO {row}")
    await connection.fetch(
        "SELECT pg_restore_relation_stats('schemaname', schemaname::text,"
        " 'relname', tablename::text, 'relpages', 1,"
        " 'reltuples', 1e6::real) FROM pg_tables WHERE schemaname = 'trigger'"
    )
    await connection.fetch(
        "SELECT pg_restore_attribute_stats('schemaname', table_schema::text,"
        " 'relname', table_name::text, 'attname', column_name::text, 'inherited', false,"
        " 'n_distinct', -0.2::real) FROM information_schema.columns"
        " WHERE table_schema = 'trigger' AND column_name = 'customer_id'"
    )
    yield connection
    await connection.close()


async def plan_of(database: Connection, statement: ClauseElement) -> dict[str, Any]:
    dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]
    sql = str(statement.compile(dialect=dialect))
    number = max(map(int, re.findall(r"\$(\d+)", sql)), default=0)
    # a limit makes reading a table in any order look cheap, where enough of its rows fit
    sql = re.sub(r"LIMIT \d+", "", sql)
    await database.execute(f"PREPARE asked AS {sql}")
    values = f"({', '.join(['NULL'] * number)})" if number else ""
    told = await database.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{values}")
    await database.execute("DEALLOCATE asked")
    plan: dict[str, Any] = json.loads(told)[0]["Plan"]
    return plan


async def test_no_statement_reads_a_large_table_whole(database: Connection) -> None:
    found = {
        name: set(unserved(await plan_of(database, statement))) - SMALL - WHOLE.get(name, set())
        for name, statement in statements()
    }

    assert {name: tables for name, tables in found.items() if tables} == {}
    assert {"dispatch._CLAIM", "reminders._TAKE", "delete old occasions"} < found.keys()


def unserved(node: dict[str, Any]) -> Iterator[str]:
    """The tables of a plan that are read whole."""
    kind = node["Node Type"]
    if kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in node):
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from unserved(below)
