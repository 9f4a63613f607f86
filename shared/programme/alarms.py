"""When somebody is woken, and whom."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from shared.programme.faults import NotAccepted
from shared.programme.written import Written, check_names


class Evidence(Written):
    """No alarm on less than this since the onset; a gate only removes alarms."""

    answers: int = Field(default=20, ge=1)
    detractors: int = Field(default=8, ge=1)


_ADDRESS: Final = "http://host or https://host"


class Destination(Written):
    """Where alerts are told. Slack has no `url` here: there it is the secret itself."""

    kind: Literal["alertmanager", "webhook", "slack"] = Field(
        description="alertmanager, webhook, slack"
    )
    url: str = Field(default="", description=_ADDRESS)

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if self.kind == "slack":
            if self.url:
                fault = "a Slack webhook's address is a secret"
                raise NotAccepted(fault, "no url; set EARSHOT_ALERTS_SLACK_URL", at="url")
            return self
        if not self.url:
            raise NotAccepted("is missing", _ADDRESS, at="url")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotAccepted(f"{self.url!r} is not an address", _ADDRESS, at="url")
        return self


class AlertPolicy(Written):
    """How often alerts may be wrong, what they must be able to see, and who is told."""

    false_alarms_per_week: float = Field(default=1, gt=0, le=168)
    smallest_rise: float = Field(default=5, gt=0, le=50)
    evidence: Evidence = Evidence()
    cluster_by: str | None = Field(default=None, description="a dimension, or customer")
    destinations: Mapping[str, Destination] = Field(default_factory=dict)

    @field_validator("destinations", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return check_names(value, "a destination")
