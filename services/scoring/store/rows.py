"""Between the domain's truths and the rows of `answers`.

Columns go in, one sequence each; a row comes back as JSON, once for each side that it has.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from services.scoring.domain.answers import Asking, Reply, Truth
from services.scoring.tables import ASKING, REPLY

_JSON = msgspec.json.Encoder()
_REPLY_SIDE = msgspec.json.Decoder(Reply)
_ASKING_SIDE = msgspec.json.Decoder(Asking)
_REPLY_JSON = REPLY.index("segments"), REPLY.index("reasons")
_ASKING_JSON = (ASKING.index("asked_segments"),)

Columns = list[Sequence[Any]]


def sides_of(row: str, *, where: str = "true") -> str:
    """Two columns for `read_truth`: the whole row for its reply, and for its asking."""
    return ", ".join(
        f"CASE WHEN {where} AND {row}.{first} IS NOT NULL THEN to_json({row})::text END"
        for first in (REPLY[0], ASKING[0])
    )


def reply_columns(truths: Sequence[Truth]) -> Columns:
    """One sequence a column of the reply's side; None where a truth has no reply."""
    return _columns([t.reply for t in truths], len(REPLY), _REPLY_JSON)


def asking_columns(truths: Sequence[Truth]) -> Columns:
    """One sequence a column of the invitation's side."""
    return _columns([t.asking for t in truths], len(ASKING), _ASKING_JSON)


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


def read_truth(key: str, reply: str | None, asking: str | None) -> Truth:
    """The truth in a row, of the two texts that `sides_of` gives."""
    return Truth(
        key,
        None if reply is None else _REPLY_SIDE.decode(reply),
        None if asking is None else _ASKING_SIDE.decode(asking),
    )
