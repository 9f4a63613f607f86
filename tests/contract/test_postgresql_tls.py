"""TLS to PostgreSQL, on Debian's own: the wheel's has none. Only the connection is looked at."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.commands import migrate
from shared.db import database_fault, open_engine
from shared.settings import Settings
from tests.support.certificates import Authority
from tests.support.postgresql import Server, run_server

pytestmark = pytest.mark.tools


@dataclass(frozen=True)
class Place:
    """A server that takes TLS alone, and one that knows of none."""

    server: Server
    plain: Server
    authority: Authority
    stranger: Authority


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder / "ours"), Authority(folder / "other")
    with run_server(authority.issue("postgresql")) as server, run_server(None) as plain:
        yield Place(server, plain, authority, stranger)


def told(url: str, ca: Path | None) -> str:
    """What a service makes of its settings."""
    settings = Settings(kafka_bootstrap="x", database_url=url, database_ca_file=ca)
    return settings.database_for("scoring")


async def in_tls(url: str) -> bool:
    """What PostgreSQL says of this connection."""
    query = sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    async with open_engine(url, schema="public") as engine, engine.connect() as connection:
        return bool((await connection.execute(query)).scalar_one())


async def fault(url: str) -> str:
    async with open_engine(url, schema="public") as engine:
        return await database_fault(engine) or ""


async def test_with_the_right_authority_the_connection_is_in_tls(place: Place) -> None:
    url = told(place.server.url(), place.authority.ca)

    assert await in_tls(url)
    assert await fault(url) == "PostgreSQL 18 or newer is needed, this is 15"
    assert await in_tls(place.server.url(words=f"?sslrootcert={place.authority.ca}"))
    assert not await in_tls(place.plain.url())


async def test_another_authority_another_name_and_no_tls_at_all_are_refused(place: Place) -> None:
    ours, theirs = place.authority.ca, place.stranger.ca
    password = place.server.password
    faults = {
        "authority": await fault(told(place.server.url(), theirs)),
        "this machine's": await fault(place.server.url(words="?sslmode=verify-full")),
        "name": await fault(told(place.server.url("localhost"), ours)),
        "no tls": await fault(told(place.plain.url(), ours)),
        "required": await fault(place.plain.url(words="?sslmode=require")),
    }

    assert "signed by none whom we trust" in faults["authority"]
    assert "signed by none whom we trust" in faults["this machine's"]
    assert "for another name" in faults["name"]
    assert "rejected SSL" in faults["no tls"]
    assert "rejected SSL" in faults["required"]
    assert not [said for said in faults.values() if password in said]


async def test_a_renewed_authority_needs_no_restart(place: Place, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(place.stranger.ca.read_bytes())
    async with open_engine(told(place.server.url(), ca), schema="public") as engine:
        before = await database_fault(engine)
        ca.write_bytes(place.authority.ca.read_bytes())
        after = await database_fault(engine)
        ca.unlink()
        await engine.dispose()
        without = await database_fault(engine)

    assert "signed by none whom we trust" in (before or "")
    assert after == "PostgreSQL 18 or newer is needed, this is 15"
    assert "holds no certificate: No such file" in (without or "")


def test_migrations_go_the_same_way(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EARSHOT_DATABASE_URL", place.server.url())
    monkeypatch.setenv("EARSHOT_DATABASE_CA_FILE", str(place.authority.ca))
    assert migrate.main(["alerts"]) == 0

    monkeypatch.setenv("EARSHOT_DATABASE_CA_FILE", str(place.stranger.ca))
    assert migrate.main(["alerts"]) == 1
    assert asyncio.run(in_tls(told(place.server.url(), place.authority.ca)))
    said = capsys.readouterr()
    assert "alerts: up to date" in said.out
    assert "signed by none whom we trust" in said.err
