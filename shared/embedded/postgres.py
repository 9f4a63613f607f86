import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import structlog

from shared.embedded.cluster import (
    DATABASE,
    USER,
    Postmaster,
    Secret,
    build_postgres_launch,
    cluster_folder,
    find_postmaster,
    is_made,
    keep_secret,
    make_cluster,
    read_or_draw_secret,
    read_secret,
    remove_leftovers,
)
from shared.embedded.files import free_port, prepare_folder
from shared.embedded.privileges import choose_account
from shared.embedded.processes import StartFailed, end, read_tail, spawn
from shared.embedded.readiness import wait_ready

ATTEMPTS = 3

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Options:
    """`durable=False` is for tests: fast, and a power cut may ruin the cluster."""

    durable: bool = True
    max_connections: int = 100
    patience: float = 60.0  # seconds that a start may take; crash recovery needs some


@dataclass(frozen=True, kw_only=True)
class Postgres:
    url: str  # postgresql+asyncpg://…
    pid: int
    port: int
    adopted: bool


DEFAULT = Options()


def start_postgres(var: Path, options: Options = DEFAULT) -> Postgres:
    """Return the PostgreSQL of `var`, ready: adopted if it still runs, else started.

    It listens on 127.0.0.1 only, asks for a password (SCRAM), and lives in a session of its own,
    so that it outlives the caller. Raises StartFailed.
    """
    var = prepare_folder(var)
    secret = read_or_draw_secret(var)
    found = find_postmaster(var)
    if found is not None and asyncio.run(wait_ready(found, secret.password, options.patience)):
        return _describe(found, secret, adopted=True)
    cluster = cluster_folder(var)
    account = choose_account(cluster)
    remove_leftovers(var)
    if not is_made(cluster):
        make_cluster(var, account, secret.password)
    _clear_remains(cluster)
    for attempt in range(ATTEMPTS):
        port = free_port(secret.port if attempt == 0 else None)
        command = ["postgres", "-D", str(cluster), *_settings(port, options)]
        launch = build_postgres_launch(command, var, account)
        server = Postmaster(spawn(launch, var / "postgres.log"), port)
        if asyncio.run(wait_ready(server, secret.password, options.patience)):
            keep_secret(var, Secret(secret.password, port))
            return _describe(server, secret, adopted=False)
        log.warning("postgres ended at its start", attempt=attempt + 1, port=port)
        time.sleep(0.2 * (attempt + 1))
    raise StartFailed(
        f"PostgreSQL does not start on {cluster}; the end of {var / 'postgres.log'}:\n"
        + read_tail(var / "postgres.log")
    )


def running_postgres(var: Path) -> Postgres | None:
    """Return the PostgreSQL that runs under `var`, or None. It is not asked whether it answers."""
    var = var.resolve()
    secret = read_secret(var)
    found = find_postmaster(var)
    if secret is None or found is None:
        return None
    return _describe(found, secret, adopted=True)


def was_killed(var: Path) -> bool:
    """Say whether the server of `var` ended without taking its leave."""
    return (cluster_folder(var.resolve()) / "postmaster.pid").exists()


def stop_postgres(var: Path) -> bool:
    """End the PostgreSQL of `var`, its clients with it; say whether one ran."""
    found = find_postmaster(var.resolve())
    if found is None:
        return False
    # SIGTERM would wait for the clients for ever.
    end(found.pid, [(signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)])
    return True


def _describe(server: Postmaster, secret: Secret, *, adopted: bool) -> Postgres:
    url = (
        f"postgresql+asyncpg://{USER}:{quote(secret.password, safe='')}"
        f"@127.0.0.1:{server.port}/{DATABASE}"
    )
    return Postgres(url=url, pid=server.pid, port=server.port, adopted=adopted)


def _settings(port: int, options: Options) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",  # a path under a deep folder is too long for a socket
        "max_connections": options.max_connections,
        "shared_buffers": "128MB",
        "max_wal_size": "1GB",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
    }
    if not options.durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        settings["autovacuum"] = "off"  # it would go round hundreds of short-lived databases
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _clear_remains(cluster: Path) -> None:
    """Remove what a kill -9 of the server left: its children, then its pid file.

    A child in the middle of a query outlives its server and keeps the next one from starting.
    """
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != "postgres":
            continue
        try:
            if Path(process.cwd()) == cluster:
                end(process.pid, [(signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)])
        except psutil.Error:
            continue
    (cluster / "postmaster.pid").unlink(missing_ok=True)
