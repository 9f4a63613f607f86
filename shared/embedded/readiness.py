import asyncio
import time

import asyncpg
import structlog

from shared.embedded.cluster import DATABASE, USER, Postmaster
from shared.embedded.processes import StartFailed, is_alive

log = structlog.get_logger()


async def wait_ready(server: Postmaster, password: str, patience: float) -> bool:
    """Wait until the server takes a query; False if it ended, StartFailed if it never answers."""
    began = time.monotonic()
    told = 5.0
    while (why := await _why_not_ready(server, password)) is not None:
        if not is_alive(server.pid):
            return False
        waited = time.monotonic() - began
        if waited > patience:
            raise StartFailed(
                f"PostgreSQL (process {server.pid}) gives no answer on port {server.port} "
                f"after {waited:.0f} s: {why}"
            )
        if waited > told:
            log.info("waiting for postgres", pid=server.pid, seconds=round(waited), why=why)
            told += 5.0
        await asyncio.sleep(0.02)
    return is_alive(server.pid)  # one that was just killed may have answered a moment ago


async def _why_not_ready(server: Postmaster, password: str) -> str | None:
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=server.port,
            user=USER,
            password=password,
            database=DATABASE,
            ssl=False,
            timeout=5,
        )
        await connection.close(timeout=5)
    except asyncpg.TooManyConnectionsError:
        return None  # busy is ready
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as fault:
        raise StartFailed(f"the password in postgres.json is not the cluster's: {fault}") from fault
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as fault:
        return str(fault) or type(fault).__name__
    return None
