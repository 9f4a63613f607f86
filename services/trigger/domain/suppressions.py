"""Who must not be asked any more, by which channel, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

EVERY_CHANNEL: Final = "*"


class Ground(StrEnum):
    """Why a customer must not be asked."""

    OPTED_OUT = "opted-out"
    COMPLAINT = "complaint"
    ERASED = "erased"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One customer's. No channels means every channel."""

    customer_id: str
    channels: Sequence[str]
    ground: Ground
    at: datetime
    by: str | None = None

    @property
    def rows(self) -> Sequence[str]:
        """The channels as they are stored."""
        return self.channels or (EVERY_CHANNEL,)
