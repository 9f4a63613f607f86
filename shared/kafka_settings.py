"""Settings that say how Kafka is reached; what contradicts itself is named at the start."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from shared.durations import Duration
from shared.security import Login, SecretUnread, Security
from shared.tls import TlsFilesFault, Trust

_TLS = ("tls", "sasl-tls")
_SASL = ("sasl-tls", "sasl-plaintext")


class KafkaAccess(BaseModel):
    """Where Kafka is, whose it is, and how one gets in."""

    kafka_bootstrap: str = Field(description="Kafka's address, host:port[,host:port…]")
    kafka_topic_prefix: str = Field("", description="stands before each topic's name")
    kafka_log: str = Field("", description="id of Kafka's log; default: the cluster's own id")
    kafka_embedded: bool = Field(
        default=False, description="Kafka is the mock of the embedded default"
    )
    kafka_session: Duration = Field(
        timedelta(seconds=10),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=30),
        description="after which silence the group gives a consumer's partitions to others; "
        "a broker accepts 6s to 30m unless told otherwise",
    )
    kafka_security: Literal["plaintext", "tls", "sasl-tls", "sasl-plaintext"] = Field(
        "plaintext", description="plaintext, tls, sasl-tls or sasl-plaintext"
    )
    kafka_ca_file: Path | None = Field(
        None, description="who signs Kafka's certificates, PEM; default: whom the machine trusts"
    )
    kafka_cert_file: Path | None = Field(
        None, description="our certificate, PEM, where Kafka asks for one (mTLS)"
    )
    kafka_key_file: Path | None = Field(None, description="the certificate's key, PEM, no password")
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"
    )
    kafka_username: str = Field("", description="Kafka's name for this service")
    kafka_password: SecretStr = Field(SecretStr(""), description="the password of that user")
    kafka_password_file: Path | None = Field(
        None, description="file of that password, read again for each connection"
    )

    @model_validator(mode="after")
    def _gets_in(self) -> Self:
        fault = next(self._contradictions(), None)
        if fault is not None:
            raise ValueError(fault)
        try:
            if self.security.tls is not None:
                self.security.tls.context()
            if self.security.login is not None:
                self.security.login.password()
        except TlsFilesFault as error:
            raise ValueError(f"{self._named_files()}: {error}") from None
        except SecretUnread as error:
            raise ValueError(f"EARSHOT_KAFKA_PASSWORD_FILE: {error}") from None
        return self

    def _contradictions(self) -> Iterator[str]:
        how = f"EARSHOT_KAFKA_SECURITY is {self.kafka_security}"
        given = {name for name in self.model_fields_set if getattr(self, name)}
        if self.kafka_embedded and self.kafka_security != "plaintext":
            yield f"{how}, and the embedded Kafka speaks plaintext alone: name one of your own"
        if self.kafka_security not in _TLS:
            for name in sorted(given & {"kafka_ca_file", "kafka_cert_file", "kafka_key_file"}):
                yield f"EARSHOT_{name.upper()} is for {' or '.join(_TLS)}, and {how}"
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            yield "EARSHOT_KAFKA_CERT_FILE and EARSHOT_KAFKA_KEY_FILE go together: one is missing"
        logins = {
            "kafka_sasl_mechanism", "kafka_username", "kafka_password", "kafka_password_file"
        }  # fmt: skip
        if self.kafka_security not in _SASL:
            for name in sorted(given & logins):
                yield f"EARSHOT_{name.upper()} is for {' or '.join(_SASL)}, and {how}"
            return
        yield from self._login_faults(how)

    def _login_faults(self, how: str) -> Iterator[str]:
        password = bool(self.kafka_password.get_secret_value())
        if not self.kafka_username:
            yield f"{how}: EARSHOT_KAFKA_USERNAME is missing"
        if not password and self.kafka_password_file is None:
            yield f"{how}: EARSHOT_KAFKA_PASSWORD or EARSHOT_KAFKA_PASSWORD_FILE is missing"
        if password and self.kafka_password_file is not None:
            yield "EARSHOT_KAFKA_PASSWORD and EARSHOT_KAFKA_PASSWORD_FILE: one of them is enough"
        if self.kafka_security == "sasl-plaintext" and self.kafka_sasl_mechanism == "PLAIN":
            yield (
                f"EARSHOT_KAFKA_SASL_MECHANISM=PLAIN sends the password as it is, and {how}; "
                "accepted: SCRAM-SHA-512, SCRAM-SHA-256, or sasl-tls"
            )

    def _named_files(self) -> str:
        names = ("kafka_ca_file", "kafka_cert_file", "kafka_key_file")
        return ", ".join(f"EARSHOT_{n.upper()}" for n in names if getattr(self, n) is not None)

    @property
    def security(self) -> Security:
        """What every client of Kafka's is given."""
        tls = login = None
        if self.kafka_security in _TLS:
            tls = Trust(self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file)
        if self.kafka_security in _SASL:
            secret = self.kafka_password_file or self.kafka_password.get_secret_value()
            login = Login(self.kafka_sasl_mechanism, self.kafka_username, secret)
        return Security(tls, login)
