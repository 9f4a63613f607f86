"""What ingest can be told. It needs no database."""

from typing import ClassVar

from pydantic import Field, SecretStr

from shared.link_settings import LinkSettings


class IngestSettings(LinkSettings):
    """Ingest's settings."""

    service: ClassVar[str] = "ingest"

    trigger_port: int = Field(8003, ge=1, le=65535, description="port of trigger")
    trigger_url: str = Field(
        "", description="where trigger takes opt-outs; default: loopback with trigger's port"
    )
    trigger_key: SecretStr = Field(
        SecretStr(""), description="API key for trigger, scope suppressions:write"
    )

    @property
    def trigger_base(self) -> str:
        """Where trigger is."""
        return self.trigger_url or f"http://127.0.0.1:{self.trigger_port}"
