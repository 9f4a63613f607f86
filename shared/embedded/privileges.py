"""PostgreSQL refuses to run as root. This decides as whom it runs, and how it gets there."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.embedded.processes import Launch, StartFailed

NOBODY = 65534
# linux/capability.h; both let a process pass folders that are closed to its user.
CAPABILITIES = {"dac_override": 1, "dac_read_search": 2}


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def choose_account(cluster: Path) -> Account | None:
    """Say as whom PostgreSQL runs; None means as ourselves.

    Root gives it to the owner of the cluster, or of the folder that it will stand in, and if that
    is root too, to an account without rights.
    """
    place = cluster if cluster.exists() else cluster.parent
    owner = place.stat()
    if os.geteuid() == 0:
        return Account(owner.st_uid, owner.st_gid) if owner.st_uid != 0 else _find_nobody()
    if place == cluster and owner.st_uid != os.geteuid():
        raise StartFailed(
            f"{cluster} belongs to user {owner.st_uid}, you are user {os.geteuid()}: "
            "start as that user (or as root), or let EARSHOT_VAR name another folder"
        )
    return None


def check_named(account: Account | None) -> None:
    """Raise StartFailed if the user has no name: initdb looks it up."""
    uid = os.geteuid() if account is None else account.uid
    try:
        pwd.getpwuid(uid)
    except KeyError as fault:
        raise StartFailed(
            f"user {uid} is not in /etc/passwd, and initdb wants its name: add it, start as "
            "another user, or let EARSHOT_DATABASE_URL name a PostgreSQL of your own"
        ) from fault


def _find_nobody() -> Account:
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        return Account(NOBODY, NOBODY)
    return Account(found.pw_uid, found.pw_gid)


def find_closed(account: Account, needed: Iterable[Path]) -> Path | None:
    """Return the first folder or file on the way to `needed` that is closed to the account."""
    for path in needed:
        for step in (*reversed(path.parents), path):
            if not _may_enter(step, account):
                return step
    return None


def _may_enter(path: Path, account: Account) -> bool:
    found = path.stat()
    shift = 0
    if found.st_uid == account.uid:
        shift = 6
    elif found.st_gid == account.gid:
        shift = 3
    wanted = 0o1 if stat.S_ISDIR(found.st_mode) else 0o5
    return (found.st_mode >> shift) & wanted == wanted


def build_launch(
    command: Sequence[str],
    environment: Mapping[str, str],
    account: Account | None,
    needed: Iterable[Path],
) -> Launch:
    """Return how to run `command` as `account`, also where folders on its way are closed."""
    if account is None:
        return Launch(command=command, environment=environment)
    closed = find_closed(account, needed)
    if closed is None:
        return Launch(command=command, environment=environment, uid=account.uid, gid=account.gid)
    return Launch(command=[*_through(closed, account), *command], environment=environment)


def _through(closed: Path, account: Account) -> list[str]:
    setpriv = shutil.which("setpriv")
    held = ",".join(f"+{name}" for name in _held_capabilities())
    if setpriv is None or not held:
        lack = "the program setpriv (util-linux)" if setpriv is None else "CAP_DAC_OVERRIDE"
        raise StartFailed(
            f"PostgreSQL runs as user {account.uid}, and {closed} is closed to that user. "
            f"To pass it, {lack} is missing. Either open it (chmod o+x {closed}), start as an "
            "ordinary user, or let EARSHOT_VAR name a folder outside, such as /var/lib/earshot"
        )
    return [
        setpriv,
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--clear-groups",
        f"--inh-caps={held}",
        f"--ambient-caps={held}",
        # access(2), with which PostgreSQL looks for its own programs, heeds them only with this.
        "--securebits=+no_setuid_fixup",
        "--",
    ]


def _held_capabilities() -> list[str]:
    status = Path("/proc/self/status")
    if not status.exists():
        return []
    words = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    permitted = int(words.get("CapPrm", "0"), 16)
    return [name for name, bit in CAPABILITIES.items() if permitted >> bit & 1]
