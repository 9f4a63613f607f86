"""The links in what is sent; they prove themselves."""

from dataclasses import dataclass, field

from services.trigger.domain.invitations import Invitation
from shared.tokens import Tokens
from shared.traces import is_followed


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links on ingest's public address."""

    base: str
    tokens: Tokens = field(repr=False)

    def survey(self, invitation: Invitation, trace: str | None = None) -> str:
        """The survey's page; opening it records nothing. Its answer joins `trace`, if followed."""
        token = self.tokens.survey(
            invitation.question_id,
            invitation.survey,
            invitation.language,
            invitation.expires_at,
            trace if is_followed(trace) else None,
        )
        return f"{self.base.rstrip('/')}/s/{token}"

    def unsubscribe(self, invitation: Invitation) -> str:
        """The page with the button, and the address of the RFC 8058 POST."""
        token = self.tokens.unsubscribe(
            invitation.question_id, invitation.survey, invitation.language
        )
        return f"{self.base.rstrip('/')}/u/{token}"
