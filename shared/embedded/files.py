import fcntl
import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.embedded.processes import StartFailed, give_away


class Locked(Exception):
    """Somebody else holds the lock; `pid` is theirs (0 if they have not said)."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(f"{path} is held by process {pid}")
        self.path = path
        self.pid = pid


def prepare_folder(var: Path) -> Path:
    """Make `var` and return its absolute path.

    A new one may be walked through but not listed by others: PostgreSQL runs as another user.
    Raises StartFailed.
    """
    folder = var.resolve()
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        raise StartFailed(
            f"user {os.geteuid()} cannot write to the folder {folder} "
            f"({fault.strerror}): let EARSHOT_VAR name another"
        ) from fault
    return folder


def write_whole(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Put `content` in place whole: a reader sees the old file or the new one, never half."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        give_away(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in `path`, or None if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def token_keys(var: Path) -> tuple[str, ...]:
    """Return the keys that sign survey tokens, oldest first; one is drawn, kept in `var`."""
    path = prepare_folder(var) / "token.keys"
    with hold_lock(path.with_suffix(".lock"), patience=10.0):
        if not path.exists():
            write_whole(path, secrets.token_urlsafe(32) + "\n")
        keys = path.read_text(encoding="utf-8").split()
    if not keys:
        raise ValueError(f"{path} is empty: put a key in it, or remove it and all old links die")
    return tuple(keys)


@contextmanager
def hold_lock(path: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold `path` for this process; wait up to `patience` seconds, then raise Locked.

    The lock dies with the process, so a kill -9 leaves nothing behind.
    """
    with path.open("a+", encoding="utf-8") as file:
        give_away(path)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked(path, _holder(path)) from None
            time.sleep(0.02)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _holder(path: Path) -> int:
    said = path.read_text(encoding="utf-8").strip()
    return int(said) if said.isdigit() else 0


def free_port(preferred: int | None = None) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on: `preferred` if it is free."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            # What PostgreSQL itself sets: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise OSError("127.0.0.1 has no free port")
