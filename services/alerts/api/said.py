"""What a person says who decides."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from services.alerts.domain.facts import Word

FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _cleaned(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n").strip()


# Cleaned first: blanks alone are no name.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_cleaned)]
_Note = Annotated[str, StringConstraints(max_length=2000), BeforeValidator(_cleaned)]


class Said(BaseModel):
    """Who decides, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Name
    note: _Note | None = None

    def word(self, at: datetime) -> Word:
        """The same as it is kept."""
        return Word(by=self.by, note=self.note or None, at=at)
