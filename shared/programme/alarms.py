"""When somebody is woken, and whom."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from shared.programme.faults import NotAccepted
from shared.programme.written import Written, check_names


class Evidence(Written):
    """No alarm on less than this since the onset; a gate only removes alarms."""

    answers: int = Field(default=20, ge=1)
    detractors: int = Field(default=8, ge=1)


class Destination(Written):
    """Where alerts are told."""

    kind: Literal["alertmanager", "webhook"] = Field(description="alertmanager, webhook")
    url: str = Field(description="http://host or https://host")

    @field_validator("url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotAccepted(f"{value!r} is not an address", "http://host or https://host")
        return value


class AlertPolicy(Written):
    """How often alerts may be wrong, what they must be able to see, and who is told."""

    false_alarms_per_week: float = Field(default=1, gt=0, le=168)
    smallest_rise: float = Field(default=5, gt=0, le=50)
    evidence: Evidence = Evidence()
    destinations: Mapping[str, Destination] = Field(default_factory=dict)

    @field_validator("destinations", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return check_names(value, "a destination")
