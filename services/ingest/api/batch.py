"""`POST /v1/responses/batch`: up to 1,000 answers, each accepted or refused on its own."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from services.ingest.api.bodies import decode_json
from services.ingest.handlers.answers import Intake
from shared.errors import EarshotError, FieldFault, Invalid, TooLarge, UnsupportedMedia
from shared.events import SurveyResponse

MOST: Final = 1_000
ARRAYS: Final = ("", "application/json")
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")

Item = dict[str, Any]
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Given(NamedTuple):
    """One submission of a batch as it came, and what that says; a refusal where it is no JSON."""

    raw: bytes
    says: Any


def read_items(media_type: str, body: bytes) -> Sequence[Given]:
    """The submissions of a batch; a line that is not JSON is its own refusal.

    Raises UnsupportedMedia, BadJson, Invalid or TooLarge where the batch as a whole cannot be read.
    """
    if media_type in LINES:
        items = [Given(line, _line(line)) for line in body.splitlines() if line.strip()]
    elif media_type in ARRAYS:
        items = _array(body)
    else:
        accepted = ", ".join((ARRAYS[1], *LINES))
        raise UnsupportedMedia(f"{media_type} is not taken here; accepted: {accepted}")
    if len(items) > MOST:
        raise TooLarge(f"{len(items):,} items; at most {MOST:,} are taken at once")
    return items


async def take_batch(items: Sequence[Given], intake: Intake) -> list[Item]:
    """One outcome per item, in order. Raises Unavailable if Kafka took none."""
    outcomes: list[Item] = []
    responses: list[SurveyResponse] = []
    for index, item in enumerate(items):
        try:
            if isinstance(item.says, EarshotError):
                raise item.says
            # the short way first: 7 µs in place of 14 for an ordinary answer, reading and replying
            responses.append(intake.read_plain(item.raw) or intake.read(item.says))
            outcomes.append({"index": index, "id": responses[-1].id, "status": "accepted"})
        except EarshotError as error:
            outcomes.append(rejected(index, {"id": _id_of(item.says)}, error))
    await intake.publish_all(responses)
    return outcomes


def rejected(index: int, names: Item, error: EarshotError) -> Item:
    return {"index": index, **names, "status": "rejected", "error": error.problem()}


def _array(body: bytes) -> list[Given]:
    says = decode_json(body)
    if not isinstance(says, list):
        accepted = "an array of answers, or one a line as application/x-ndjson"
        raise Invalid.of([FieldFault("body", "wrong-type", type(says).__name__, accepted)])
    return list(map(Given, map(bytes, _parts(body)), says))


def _line(line: bytes) -> Any:
    try:
        return decode_json(line)
    except EarshotError as error:
        return error


def _id_of(item: Any) -> str | None:
    found = None
    if isinstance(item, dict):
        found = item.get("invitation_id") or item.get("id")
    return found[:200] if isinstance(found, str) else None
