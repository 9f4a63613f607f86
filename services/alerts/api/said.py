"""What a person says who decides."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.alerts.domain.facts import Word


class Said(BaseModel):
    """Who decides, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=200)
    note: str | None = Field(None, max_length=2000)

    def word(self, at: datetime) -> Word:
        """The same as it is kept."""
        return Word(by=_text(self.by), note=_text(self.note) if self.note else None, at=at)


def _text(text: str) -> str:
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n")
