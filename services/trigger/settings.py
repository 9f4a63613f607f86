"""What trigger can be told."""

from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from shared.durations import Duration
from shared.link_settings import LinkSettings
from shared.senders import SEND_WITHIN
from shared.senders.smtp import MailServer
from shared.senders.webhook import Destination


class TriggerSettings(LinkSettings):
    """Trigger's settings."""

    service: ClassVar[str] = "trigger"

    trigger_port: int = Field(8003, ge=1, le=65535, description="port of trigger")
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="mail server, smtp://user:password@host:587 or smtps://…; "
        "default: mails are written to mail/ under EARSHOT_VAR",
    )
    mail_from: str = Field(
        "feedback@localhost",
        pattern=r"^[!-~]+@[A-Za-z0-9.-]+$",
        description="sender's address of the mails",
    )
    webhook_url: SecretStr = Field(  # of some services whoever knows the address may post
        SecretStr(""), description="where invitations by webhook go"
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_… by which webhooks are signed (Standard Webhooks)"
    )
    dedupe: Duration = Field(
        timedelta(days=40), ge=timedelta(days=1), description="how long events are told apart"
    )
    trigger_retention: Duration = Field(
        timedelta(days=400),
        ge=timedelta(days=1),
        description="how long decisions, invitations and contact data are kept",
    )
    trigger_sends: int = Field(64, ge=1, le=1000, description="how many sends at the same time")
    send_within: Duration = Field(
        SEND_WITHIN,
        ge=timedelta(seconds=1),
        le=timedelta(minutes=5),
        description="how long one try to send may take; a fifth later others take it over",
    )

    @model_validator(mode="after")
    def _senders(self) -> Self:
        """Both addresses are read once here, so that a fault is told at the start."""
        _ = self.mail_server, self.destination
        return self

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server, if one is named."""
        url = self.smtp_url.get_secret_value()
        return MailServer.read(url) if url else None

    @property
    def destination(self) -> Destination | None:
        """Where webhooks go, if anywhere."""
        url = self.webhook_url.get_secret_value()
        if not url:
            return None
        return Destination(url, self.webhook_secret.get_secret_value())
