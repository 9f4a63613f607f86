"""What a courier is given: an invitation that was claimed, and how its customer is reached."""

from dataclasses import dataclass
from uuid import UUID

from services.trigger.domain.invitations import Invitation, Try


@dataclass(frozen=True, slots=True)
class Letter:
    """One claimed invitation. `claim` proves that it is still ours when it is settled."""

    invitation: Invitation
    claim: UUID
    attempts: int
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    traceparent: str | None = None

    @property
    def id(self) -> str:
        return self.invitation.id

    @property
    def channel(self) -> str:
        """The channel to be used now."""
        return self.invitation.channels[0]

    @property
    def tried(self) -> Try:
        """What the step after this try depends on."""
        return Try(self.invitation.channels, self.attempts, self.invitation.expires_at)
