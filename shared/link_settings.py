"""Settings of those who write or read survey links."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings
from shared.tokens import KeysFault, Tokens, split_keys


class LinkSettings(Settings):
    """What those need who write or read survey links."""

    ingest_port: int = Field(8001, ge=1, le=65535, description="port of ingest")
    token_keys: SecretStr = Field(
        SecretStr(""),
        description="keys that sign links, oldest first, separated by commas or white space",
    )
    token_keys_file: Path | None = Field(
        None, description="file of those keys in place of them, read again when it changes"
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[!-~]+)?$",
        description="base of the links in mails; default: loopback with ingest's port",
    )

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.token_keys.get_secret_value() and self.token_keys_file is not None:
            raise ValueError(
                "EARSHOT_TOKEN_KEYS and EARSHOT_TOKEN_KEYS_FILE: one of them is enough"
            )
        try:
            _ = self.tokens
        except KeysFault as error:
            name = "EARSHOT_TOKEN_KEYS" + ("_FILE" if self.token_keys_file else "")
            raise ValueError(f"{name}: {error}") from None
        return self

    @property
    def tokens(self) -> Tokens:
        """What signs and reads links."""
        return Tokens(self.token_keys_file or split_keys(self.token_keys.get_secret_value()))

    @property
    def public_base(self) -> str:
        """The base of links, without a slash at its end."""
        return (self.public_url or f"http://127.0.0.1:{self.ingest_port}").rstrip("/")
