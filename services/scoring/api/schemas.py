"""What pages of scoring look like, for `/openapi.json`."""

from datetime import datetime
from typing import Any

import msgspec

from shared.web.schemas import replies


def pages(item: Any) -> dict[int | str, dict[str, Any]]:
    """The same for a route whose 200 is one page of these, and how fresh it is."""
    fields = [
        ("items", list[item]),
        ("next", str | None),
        ("as_of", datetime),
        ("behind_s", float | None),
    ]
    return replies(msgspec.defstruct(f"{item.__name__}Page", fields))
