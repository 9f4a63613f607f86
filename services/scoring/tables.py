"""The columns that the batch statements write, in the order of the domain's fields."""

from typing import Final

from services.scoring.domain.answers import Asking, Reply
from services.scoring.domain.cells import POINTS

TYPES: Final = {
    "id": "text",
    "answered_at": "timestamptz",
    "digest": "text",
    "invited": "boolean",
    "survey": "text",
    "metric": "text",
    "scale": "smallint",
    "score": "smallint",
    "segments": "jsonb",
    "touchpoint": "text",
    "customer_id": "text",
    "reasons": "jsonb",
    "comment": "text",
    "language": "text",
    "channel": "text",
    "submission_id": "text",
    "received_at": "timestamptz",
    "revision": "integer",
    "status": "text",
    "asked_survey": "text",
    "kind": "text",
    "asked_metric": "text",
    "asked_scale": "smallint",
    "asked_segments": "jsonb",
    "asked_touchpoint": "text",
    "asked_customer_id": "text",
    "event_at": "timestamptz",
    "invited_at": "timestamptz",
}
REPLY: Final[tuple[str, ...]] = Reply.__struct_fields__
ASKING: Final[tuple[str, ...]] = Asking.__struct_fields__
SUMS: Final = (*(f"p{point}" for point in range(POINTS)), "invited", "answered")


def brought_as(column: str) -> str:
    """The type in which a batch's values come.

    JSON comes as text: the driver's own codec calls Python once a value.
    """
    return "text" if TYPES[column] == "jsonb" else TYPES[column]


def write_as(column: str) -> str:
    """How one column is made of what came."""
    return f"{column}::jsonb" if TYPES[column] == "jsonb" else column
