"""Links that prove themselves: what stands in them is signed, by purpose, with keys that rotate."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import structlog
from itsdangerous import BadSignature, URLSafeSerializer

from shared.errors import NotFound
from shared.stamps import stamp_of

_log = structlog.get_logger()
_SHORTEST: Final = 16
# Base64 is read leniently: after a `=` anything at all would pass as part of a genuine token, and
# from there into a cookie's path.
_LETTERS: Final = re.compile(r"[A-Za-z0-9_.-]{1,2000}")


@dataclass(frozen=True, slots=True)
class SurveyToken:
    """What a survey link carries: no contact data, nothing of the order."""

    invitation_id: str
    survey: str
    language: str
    expires_at: datetime
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """What an unsubscribe link carries. It does not expire."""

    invitation_id: str
    survey: str
    language: str


class KeysFault(ValueError):
    """Keys that cannot be used; the text says what is accepted, and repeats none."""


def split_keys(text: str) -> list[str]:
    """Keys that are separated by commas or white space."""
    return [key for key in re.split(r"[\s,]+", text) if key]


class Tokens:
    """Signs with the last key, accepts any; `keys` is oldest first, or the file that holds them.

    A file is read again when it changes; where it cannot be used then, the keys read before stay.
    Raises KeysFault for keys that cannot be used at the start.
    """

    def __init__(self, keys: Sequence[str] | Path) -> None:
        self._path = keys if isinstance(keys, Path) else None
        self._seen = None if self._path is None else stamp_of(self._path)
        self._take(_read_keys(keys) if isinstance(keys, Path) else keys)

    def _take(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < _SHORTEST for key in keys):
            raise KeysFault(f"at least one key, each of {_SHORTEST} characters or more")
        self._survey = _signer(keys, "survey")
        self._unsubscribe = _signer(keys, "unsubscribe")

    def _renew(self) -> None:
        if self._path is None or (stamp := stamp_of(self._path)) == self._seen:
            return
        self._seen = stamp
        try:
            self._take(_read_keys(self._path))
        except KeysFault as error:
            _log.error("token keys unusable; those read before stay", error=str(error))
        else:
            _log.info("token keys read again")

    def survey(
        self,
        invitation_id: str,
        survey: str,
        language: str,
        expires_at: datetime,
        trace: str | None = None,
    ) -> str:
        """A link's token. `trace`: the `traceparent` of a trace that its answer belongs to."""
        self._renew()
        seconds = int(expires_at.timestamp())
        followed = [] if trace is None else [trace]
        return _text(self._survey.dumps([invitation_id, survey, language, seconds, *followed]))

    def read_survey(self, token: str) -> SurveyToken:
        """Raises NotFound where the token is forged. Whether it has expired is the caller's."""
        self._renew()
        invitation_id, survey, language, seconds, *trace = _read(self._survey, token, (4, 5))
        expires_at = datetime.fromtimestamp(seconds, UTC)
        return SurveyToken(invitation_id, survey, language, expires_at, *trace)

    def unsubscribe(self, invitation_id: str, survey: str, language: str) -> str:
        self._renew()
        return _text(self._unsubscribe.dumps([invitation_id, survey, language, 0]))

    def read_unsubscribe(self, token: str) -> UnsubscribeToken:
        """Raises NotFound where the token is forged."""
        self._renew()
        invitation_id, survey, language, _ = _read(self._unsubscribe, token, (4,))
        return UnsubscribeToken(invitation_id, survey, language)


def _read_keys(path: Path) -> Sequence[str]:
    try:
        return split_keys(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeysFault(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeysFault(f"{path} is not UTF-8") from None


def _signer(keys: Sequence[str], purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        list(keys), salt=f"earshot.{purpose}", signer_kwargs={"digest_method": sha256}
    )


def _text(token: str | bytes) -> str:
    return token if isinstance(token, str) else token.decode()


def _read(signer: URLSafeSerializer, token: str, lengths: Collection[int]) -> list[Any]:
    if _LETTERS.fullmatch(token) is None:
        raise NotFound("this link is not one of ours")
    try:
        found = signer.loads(token)
    except BadSignature:
        raise NotFound("this link is not one of ours") from None
    if not isinstance(found, list) or len(found) not in lengths:
        raise NotFound("this link is not one of ours")
    return found
