"""API keys: `Authorization: Bearer esk_<id>_<secret>`; scopes, expiry, re-read on change.

The file is a JSON list of `{"id", "sha256", "scopes", "expires"}`; `sha256` is of the whole key.
`python -m services keys` makes one. Keys have 32 random bytes, so a plain hash is enough.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import Request

from shared.errors import Forbidden, Unauthorised
from shared.settings import SettingsFault

_log = structlog.get_logger()
SCOPES: Final = (
    "responses:write",
    "events:write",
    "scores:read",
    "responses:read",
    "decisions:read",
    "invitations:read",
    "invitations:link",
    "preview",
    "suppressions:read",
    "suppressions:write",
    "alerts:read",
    "alerts:write",
)


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key as the file has it; `expires` is RFC 3339 with offset."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]
    scopes: frozenset[str]
    expires: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "*" in self.scopes


_LIST: Final = msgspec.json.Decoder(list[Key])


class KeyFile:
    """The keys in force. Without a file nobody is asked for one; the service binds to loopback.

    Raises SettingsFault for a file that cannot be used; one that changes later is read again, and
    where it cannot be used, the keys read before stay.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._keys: Sequence[Key] = ()
        if path is not None:
            self._keys = self._read(path)

    @property
    def asked(self) -> bool:
        return self._path is not None

    def check(self, authorization: str | None, scope: str) -> str:
        """Return the key's id. Raises Unauthorised or Forbidden, which names the scope."""
        self._refresh()
        word, _, text = (authorization or "").partition(" ")
        if word.lower() != "bearer" or not text:
            raise Unauthorised("a key is needed: Authorization: Bearer <key>")
        digest = sha256(text.strip().encode()).hexdigest()
        known = self._keys
        key = next((k for k in known if hmac.compare_digest(k.sha256.lower(), digest)), None)
        if key is None or (key.expires is not None and key.expires <= datetime.now(UTC)):
            raise Unauthorised("this key is not known or has expired")
        if not key.allows(scope):
            raise Forbidden(f"the key {key.id} lacks the scope {scope}")
        return key.id

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            found = self._path.stat()
            if (found.st_mtime_ns, found.st_size) != self._read_at:
                self._keys = self._read(self._path)
        except (OSError, SettingsFault) as error:
            _log.error("keys file unusable; the keys read before stay", error=str(error))

    def _read(self, path: Path) -> Sequence[Key]:
        try:
            found = path.stat()
            self._read_at = (found.st_mtime_ns, found.st_size)
            return _parse(path.read_bytes())
        except OSError as error:
            raise SettingsFault(f"EARSHOT_KEYS_FILE: {path}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsFault(f"EARSHOT_KEYS_FILE: {path}: {error}") from None


def _parse(content: bytes) -> Sequence[Key]:
    """Raises ValueError, which names the entry, the field and what is accepted."""
    keys = _LIST.decode(content)
    for number, key in enumerate(keys):
        unknown = sorted(key.scopes - {*SCOPES, "*"})
        if unknown:
            raise ValueError(
                f"$[{number}].scopes: no {unknown[0]!r}; there are {', '.join(SCOPES)}"
            )
        if any(key.id == other.id for other in keys[:number]):
            raise ValueError(f"$[{number}].id: {key.id!r} stands there twice")
    return keys


def new_key(name: str) -> tuple[str, str]:
    """Draw a key; return it and the SHA-256 to store."""
    text = f"esk_{name}_{secrets.token_urlsafe(32)}"
    return text, sha256(text.encode()).hexdigest()


def require_scope(scope: str) -> Callable[[Request], Awaitable[None]]:
    """A FastAPI dependency: the caller's key must have the scope, where keys are asked for."""

    async def check(request: Request) -> None:
        keys: KeyFile = request.app.state.keys
        if keys.asked:
            keys.check(request.headers.get("authorization"), scope)

    check.__doc__ = f"Needs the scope {scope}"
    return check
