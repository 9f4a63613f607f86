"""API keys: `Authorization: Bearer esk_<id>_<secret>`; scopes, expiry, re-read on change.

The file is a JSON list of `{"id", "sha256", "scopes", "expires"}`; `sha256` is of the whole key.
`python -m services keys` writes it. Keys have 32 random bytes, so a plain hash is enough. An id
names one key: a holder who changes keys has two for a while, such as shop-eu and shop-eu-2.
"""

import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import Request

from shared.errors import Forbidden, Unauthorised
from shared.metrics.keys import KeyMetrics, Used
from shared.settings import SettingsFault
from shared.stamps import Stamp, stamp_of

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

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


_LIST: Final = msgspec.json.Decoder(list[Key])


class KeyFile:
    """The keys in force. Without a file nobody is asked for one; the service binds to loopback.

    Raises SettingsFault for a file that cannot be used; one that changes later is read again, and
    where it cannot be used, the keys read before stay.
    """

    def __init__(self, path: Path | None, metrics: KeyMetrics | None = None) -> None:
        self._path = path
        self._metrics = metrics
        self._seen: Stamp | None = None
        self._keys: Sequence[Key] = ()
        self._used: dict[str, Used] = {}
        if path is not None:
            self._renew(path)

    @property
    def asked(self) -> bool:
        return self._path is not None

    def check(self, authorization: str | None, scope: str) -> str:
        """Return the key's id. Raises Unauthorised or Forbidden, which names the scope."""
        self._refresh()
        word, _, text = (authorization or "").partition(" ")
        if word.lower() != "bearer" or not text:
            raise Unauthorised("a key is needed: Authorization: Bearer <key>")
        key, now = self._find(text), time.time()
        if key is None or key.expired(datetime.fromtimestamp(now, UTC)):
            self._refused(key, "unknown" if key is None else "expired")
            raise Unauthorised("this key is not known or has expired")
        if not key.allows(scope):
            self._refused(key, "scope")
            raise Forbidden(f"the key {key.id} lacks the scope {scope}")
        if (used := self._used.get(key.id)) is not None:
            used(now)
        return key.id

    def holder(self, authorization: str | None) -> str | None:
        """The id of the key that is sent, where it is in force; what it opens is not asked."""
        self._refresh()
        word, _, text = (authorization or "").partition(" ")
        key = self._find(text) if word.lower() == "bearer" else None
        return None if key is None or key.expired(datetime.now(UTC)) else key.id

    def _find(self, text: str) -> Key | None:
        """Looks at every key, so that the time it takes tells nothing of them."""
        digest = sha256(text.strip().encode()).hexdigest()
        fits = [key for key in self._keys if hmac.compare_digest(key.sha256.lower(), digest)]
        return fits[0] if fits else None

    def _refused(self, key: Key | None, outcome: str) -> None:
        if self._metrics is not None:
            self._metrics.refused(None if key is None else key.id, outcome)

    def _refresh(self) -> None:
        if self._path is None or stamp_of(self._path) == self._seen:
            return
        try:
            self._renew(self._path)
        except SettingsFault as error:
            _log.error("keys file unusable; the keys read before stay", error=str(error))

    def _renew(self, path: Path) -> None:
        self._seen = stamp_of(path)
        try:
            keys = parse_keys(path.read_bytes())
        except OSError as error:
            raise SettingsFault(f"EARSHOT_KEYS_FILE: {path}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsFault(f"EARSHOT_KEYS_FILE: {path}: {error}") from None
        self._keys = keys
        if self._metrics is None:
            return
        self._metrics.show({k.id: k.expires.timestamp() for k in keys if k.expires is not None})
        self._used = {key.id: self._metrics.used(key.id) for key in keys}


def parse_keys(content: bytes) -> Sequence[Key]:
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


class RequiredScope:
    """A FastAPI dependency: the caller's key must have the scope, where keys are asked for."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        keys: KeyFile = request.app.state.keys
        if keys.asked:
            keys.check(request.headers.get("authorization"), self.scope)


def require_scope(scope: str) -> RequiredScope:
    """What a route depends on that asks for a key with this scope."""
    return RequiredScope(scope)
