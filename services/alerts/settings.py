"""What alerts can be told."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field, SecretStr

from shared.durations import Duration
from shared.senders import SEND_WITHIN
from shared.settings import PREFIX, Settings, read_variable


class AlertsSettings(Settings):
    """Alerts' settings."""

    service: ClassVar[str] = "alerts"

    alerts_port: int = Field(8004, ge=1, le=65535, description="port of alerts")
    alerts_url: str = Field(
        "", description="base of the links in messages; default: loopback with alerts' port"
    )
    alerts_alertmanager_url: str = Field(
        "",
        pattern=r"^(https?://[!-~]+)?$",
        description="where Alertmanager is, instead of where the programme says",
    )
    alerts_webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_… by which alerts' webhooks are signed"
    )
    alerts_slack_url: SecretStr = Field(
        SecretStr(""),
        description="address of Slack's incoming webhook, a secret; for one destination alone "
        "EARSHOT_ALERTS_SLACK_URL_<NAME>, its name in capitals with _ for -",
    )
    alerts_retention: Duration = Field(
        timedelta(days=400),
        ge=timedelta(days=60),
        description="how long counted answers, remarks and messages are kept",
    )
    send_within: Duration = Field(
        SEND_WITHIN,
        ge=timedelta(seconds=1),
        le=timedelta(minutes=5),
        description="how long one try to send may take; a fifth later others take it over",
    )

    def slack_url(self, destination: str) -> str:
        """The webhook of one destination, else everybody's; empty where there is none."""
        own = f"{PREFIX}ALERTS_SLACK_URL_{destination.upper().replace('-', '_')}"
        return read_variable(own) or self.alerts_slack_url.get_secret_value()

    @property
    def base(self) -> str:
        """The base of links, without a slash at its end."""
        return (self.alerts_url or f"http://127.0.0.1:{self.alerts_port}").rstrip("/")
