"""Between the domain's truths and the rows of `answers`."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from services.scoring.domain.answers import Asking, Reply, Truth
from services.scoring.tables import ASKING, REPLY

_JSON = msgspec.json.Encoder()
_SEGMENTS = msgspec.json.Decoder(dict[str, str])
_REASONS = msgspec.json.Decoder(tuple[str, ...])
_REPLY_SEGMENTS, _REPLY_REASONS = REPLY.index("segments"), REPLY.index("reasons")
_ASKING_SEGMENTS = ASKING.index("asked_segments")

Columns = list[Sequence[Any]]


def reply_columns(truths: Sequence[Truth]) -> Columns:
    """One sequence a column of the reply's side; None where a truth has no reply."""
    return _columns([t.reply for t in truths], len(REPLY), (_REPLY_SEGMENTS, _REPLY_REASONS))


def asking_columns(truths: Sequence[Truth]) -> Columns:
    """One sequence a column of the invitation's side."""
    return _columns([t.asking for t in truths], len(ASKING), (_ASKING_SEGMENTS,))


def _columns(parts: Iterable[Any], width: int, as_json: tuple[int, ...]) -> Columns:
    absent = (None,) * width
    astuple = msgspec.structs.astuple
    columns: Columns = list(
        zip(*(absent if part is None else astuple(part) for part in parts), strict=True)
    )
    for index in as_json:
        columns[index] = [_to_json(value) for value in columns[index]]
    return columns


def _to_json(value: Any) -> str | None:
    return None if value is None else _JSON.encode(value).decode()


def read_truth(key: str, reply: Sequence[Any], asking: Sequence[Any]) -> Truth:
    """The truth that a row of both sides holds."""
    return Truth(key, _read_reply(reply), _read_asking(asking))


def _read_reply(values: Sequence[Any]) -> Reply | None:
    if values[0] is None:
        return None
    fields = dict(zip(REPLY, values, strict=True))
    fields["segments"] = _SEGMENTS.decode(fields["segments"])
    fields["reasons"] = _REASONS.decode(fields["reasons"])
    return Reply(**fields)


def _read_asking(values: Sequence[Any]) -> Asking | None:
    if values[0] is None:
        return None
    fields = dict(zip(ASKING, values, strict=True))
    fields["asked_segments"] = _SEGMENTS.decode(fields["asked_segments"])
    return Asking(**fields)
