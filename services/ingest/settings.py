"""What ingest can be told. It needs no database."""

import re
from typing import ClassVar

from pydantic import Field, SecretStr

from shared.settings import Settings


class IngestSettings(Settings):
    """Ingest's settings."""

    service: ClassVar[str] = "ingest"

    ingest_port: int = Field(8001, ge=1, le=65535, description="port of ingest")
    token_keys: SecretStr = Field(
        description="keys that sign links, oldest first, separated by commas or white space"
    )
    public_url: str = Field(
        "", description="base of the links in mails; default: loopback with ingest's port"
    )
    trigger_port: int = Field(8003, ge=1, le=65535, description="port of trigger")
    trigger_url: str = Field(
        "", description="where trigger takes opt-outs; default: loopback with trigger's port"
    )
    trigger_key: SecretStr = Field(
        SecretStr(""), description="API key for trigger, scope suppressions:write"
    )

    @property
    def signing_keys(self) -> list[str]:
        """The keys of links, oldest first."""
        return [key for key in re.split(r"[\s,]+", self.token_keys.get_secret_value()) if key]

    @property
    def public_base(self) -> str:
        """The base of links, without a slash at its end."""
        return (self.public_url or f"http://127.0.0.1:{self.ingest_port}").rstrip("/")

    @property
    def trigger_base(self) -> str:
        """Where trigger is."""
        return self.trigger_url or f"http://127.0.0.1:{self.trigger_port}"
