"""What a survey's form sends; what a stale page names and the survey does not is left out."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.ingest.domain.fields import clean_text
from shared.errors import BadJson, UnsupportedMedia

FOLLOW_UP: Final = "follow-up"
_MEDIA: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
_WHOLE: Final = re.compile(r"[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission of the form; `follow_up` says that it held more than the score."""

    score: int | None
    reasons: tuple[str, ...]
    comment: str | None
    follow_up: bool


def read_whole(text: str) -> int | None:
    """A number as the form writes it."""
    return int(text) if _WHOLE.fullmatch(text) and text.isascii() else None


async def read_form(request: Request, known_reasons: frozenset[str]) -> Sent:
    """Read the body. Raises UnsupportedMedia, or BadJson where it has far too many fields."""
    media = request.headers.get("content-type", _MEDIA).partition(";")[0].strip().lower()
    if media != _MEDIA:
        raise UnsupportedMedia(f"{media} is not taken here; accepted: {_MEDIA}")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadJson(f"the form has more than {_MOST_FIELDS} fields") from None
    last = dict(pairs)
    reasons = dict.fromkeys(value for name, value in pairs if name == "reasons")
    known = tuple(reason for reason in reasons if reason in known_reasons)
    comment = clean_text(last.get("comment", "")) or None
    return Sent(
        score=read_whole(last.get("score", "")),
        reasons=known,
        comment=comment,
        follow_up=last.get("stage") == FOLLOW_UP or bool(known or comment),
    )
