"""The file of API keys, as an operator changes it: drawn, listed, revoked.

A change is written beside the file and takes its place at once, so that a service that reads it at
that moment reads the old or the new. Whoever changes it at the same time waits.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from shared.keys import Key, new_key, parse_keys

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_CLOSED: Final = 0o600


class KeyringFault(Exception):
    """What is asked cannot be done; the text says what can."""


class Keyring:
    """The keys of one file, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # of a link, what it names is replaced

    def keys(self) -> Sequence[Key]:
        """All keys, expired ones too. Raises KeyringFault where the file cannot be used."""
        try:
            return parse_keys(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KeyringFault(f"{self._path}: {error.strerror}") from None
        except ValueError as error:
            raise KeyringFault(f"{self._path}: {error}") from None

    def draw(
        self, name: str | None, scopes: Sequence[str], expires: datetime | None
    ) -> tuple[str, Key]:
        """Add a key and return it, which is stored nowhere, with its entry.

        Without a name it gets one. Raises KeyringFault where the id is taken or no id.
        """
        with self._held():
            keys = self.keys()
            taken = {key.id for key in keys}
            name = name or ("key" if "key" not in taken else _free("key", taken))
            if _ID.fullmatch(name) is None:
                raise KeyringFault(f"{name!r} is no id; accepted: letters, digits, - and .")
            if name in taken:
                raise KeyringFault(
                    f"{name} has a key already; for a second one beside it: --id "
                    f"{_free(name, taken)}, and revoke {name} once nobody uses it"
                )
            text, digest = new_key(name)
            key = Key(name, digest, frozenset(scopes), expires)
            self._write([*keys, key])
        return text, key

    def revoke(self, name: str) -> None:
        """Take the key out. Raises KeyringFault where there is none of that id."""
        with self._held():
            keys = self.keys()
            if name not in {key.id for key in keys}:
                there = ", ".join(key.id for key in keys) or "none"
                raise KeyringFault(f"there is no key {name}; there are: {there}")
            self._write([key for key in keys if key.id != name])

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        try:
            folder = os.open(self._path.parent, os.O_RDONLY)
        except OSError as error:
            raise KeyringFault(f"{self._path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise KeyringFault(f"{self._path}: {error.strerror}") from None
        finally:
            os.close(folder)

    def _write(self, keys: Sequence[Key]) -> None:
        """A new file is its owner's alone; one that was there keeps its owner and mode."""
        there = self._path.stat() if self._path.exists() else None
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(
                os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _CLOSED), "wb"
            ) as f:
                f.write(_written(keys))
                f.flush()
                os.fsync(f.fileno())
                if there is not None:
                    os.fchmod(f.fileno(), there.st_mode & 0o7777)
                    if os.geteuid() == 0:
                        os.fchown(f.fileno(), there.st_uid, there.st_gid)
            beside.replace(self._path)
        finally:
            beside.unlink(missing_ok=True)


def _free(name: str, taken: set[str]) -> str:
    numbers = (n for n in range(2, len(taken) + 3) if f"{name}-{n}" not in taken)
    return f"{name}-{next(numbers)}"


def _written(keys: Sequence[Key]) -> bytes:
    """One key a line, its scopes sorted."""
    entries = [
        {"id": k.id, "sha256": k.sha256, "scopes": sorted(k.scopes), "expires": k.expires}
        for k in keys
    ]
    lines = b",\n ".join(msgspec.json.encode(entry) for entry in entries)
    return b"[" + lines + b"]\n"
