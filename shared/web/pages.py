"""Lists: `{"items": […], "next": null}`, `next` being the `cursor=` of the next page."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Query

from shared.errors import FieldFault, Invalid

T = TypeVar("T")
LIMIT: Final = 500

Limit = Annotated[int, Query(ge=1, le=LIMIT, description="how many, at most 500")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list."""

    items: Sequence[Any]
    next: str | None = None


def encode_cursor(values: Sequence[Any]) -> str:
    """Make a cursor of JSON scalars; opaque to the caller."""
    text = json.dumps(list(values), separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[Any]:
    """Read a cursor of `length` values. Raises Invalid for anything that is not one of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except (ValueError, binascii.Error):
        values = None
    if not isinstance(values, list) or len(values) != length:
        raise not_ours(cursor)
    return values


def decode_place(cursor: str | None) -> tuple[datetime, str] | None:
    """Read the cursor of a list that goes by moment and id; None is its beginning.

    Raises Invalid for anything that is not one of ours.
    """
    if cursor is None:
        return None
    moment, name = decode_cursor(cursor, 2)
    at = moment_in(cursor, moment)
    if not isinstance(name, str) or not name.isprintable():
        raise not_ours(cursor)
    return at, name


def moment_in(cursor: str, text: Any) -> datetime:
    """One of the cursor's values as a moment in UTC. Raises Invalid where it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise not_ours(cursor) from None


def not_ours(cursor: str) -> Invalid:
    """What is said of a cursor that no page of ours gave."""
    return Invalid.of([FieldFault("cursor", "wrong-type", cursor, "`next` of a page before")])


def page_of(rows: Sequence[T], limit: int, place: Callable[[T], Sequence[Any]]) -> Page:
    """Make a page of `limit` rows where one more was read, to know whether there is a next."""
    kept = rows[:limit]
    more = len(rows) > limit
    return Page(items=kept, next=encode_cursor(place(kept[-1])) if more else None)
