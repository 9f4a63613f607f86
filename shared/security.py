"""How Kafka is spoken to: in TLS or not, with a user's name and password or not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.tls import Trust


class SecretUnread(OSError):
    """The file of a secret cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user of Kafka's. `secret` is the password, or the file that holds it."""

    mechanism: str
    username: str
    secret: str | Path = field(repr=False)

    def password(self) -> str:
        """The password as it is now. Raises SecretUnread."""
        if isinstance(self.secret, str):
            return self.secret
        try:
            found = self.secret.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SecretUnread(f"{self.secret} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SecretUnread(f"{self.secret} is not UTF-8") from None
        if not found:
            raise SecretUnread(f"{self.secret} is empty")
        return found


@dataclass(frozen=True, slots=True)
class Security:
    """What every client of Kafka's uses; files are read anew for each connection."""

    tls: Trust | None = None
    login: Login | None = None


PLAINTEXT: Final = Security()
