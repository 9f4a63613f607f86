"""Links that prove themselves: what stands in them is signed, by purpose, with keys that rotate."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer

from shared.errors import NotFound

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


class Tokens:
    """Signs with the last key, accepts any; `keys` is oldest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < 16 for key in keys):
            raise ValueError("EARSHOT_TOKEN_KEYS: at least one key, each of 16 characters or more")
        self._survey = _signer(keys, "survey")
        self._unsubscribe = _signer(keys, "unsubscribe")

    def survey(
        self,
        invitation_id: str,
        survey: str,
        language: str,
        expires_at: datetime,
        trace: str | None = None,
    ) -> str:
        """A link's token. `trace`: the `traceparent` of a trace that its answer belongs to."""
        seconds = int(expires_at.timestamp())
        followed = [] if trace is None else [trace]
        return _text(self._survey.dumps([invitation_id, survey, language, seconds, *followed]))

    def read_survey(self, token: str) -> SurveyToken:
        """Raises NotFound where the token is forged. Whether it has expired is the caller's."""
        invitation_id, survey, language, seconds, *trace = _read(self._survey, token, (4, 5))
        expires_at = datetime.fromtimestamp(seconds, UTC)
        return SurveyToken(invitation_id, survey, language, expires_at, *trace)

    def unsubscribe(self, invitation_id: str, survey: str, language: str) -> str:
        return _text(self._unsubscribe.dumps([invitation_id, survey, language, 0]))

    def read_unsubscribe(self, token: str) -> UnsubscribeToken:
        """Raises NotFound where the token is forged."""
        invitation_id, survey, language, _ = _read(self._unsubscribe, token, (4,))
        return UnsubscribeToken(invitation_id, survey, language)


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
