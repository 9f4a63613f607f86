"""One courier a channel: makes a letter into what the sender takes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.trigger.domain.letters import Letter
from services.trigger.pages.mail import Desk, find_survey, write_mail
from shared.programme.texts import render
from shared.senders import HandOver, Sender
from shared.senders.email import MailSender
from shared.senders.webhook import Delivery

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class MailCourier:
    """Letters as mails."""

    sender: MailSender
    desk: Desk
    clock: Clock

    @property
    def repeatable(self) -> bool:
        return self.sender.repeatable

    @property
    def capacity(self) -> int:
        return self.sender.capacity

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        """Raises SendFailed, SendInDoubt, and what `hand_over` raises."""
        await self.sender.send(write_mail(letter, self.desk, self.clock()), hand_over)


@dataclass(frozen=True)
class WebhookCourier:
    """Letters as signed webhooks, for a system that asks the customer itself."""

    sender: Sender[Delivery]
    desk: Desk
    clock: Clock

    @property
    def repeatable(self) -> bool:
        return self.sender.repeatable

    @property
    def capacity(self) -> int:
        return self.sender.capacity

    async def send(self, letter: Letter, hand_over: HandOver) -> None:  # noqa: ARG002
        """Raises SendFailed. The receiver knows repeats, so nothing is handed over for good."""
        await self.sender.send(Delivery(letter.id, self._body(letter)))

    def _body(self, letter: Letter) -> bytes:
        invitation = letter.invitation
        survey = find_survey(self.desk.programme, letter)
        question = survey.question.text(invitation.language)
        customer = {
            "id": invitation.customer_id,
            "email": letter.email,
            "phone": letter.phone,
            "locale": letter.locale,
            "timezone": letter.timezone,
        }
        about = {
            "invitation_id": invitation.question_id,
            "reminder": invitation.reminder,
            "survey": invitation.survey,
            "kind": invitation.kind,
            "metric": invitation.metric,
            "scale": invitation.scale,
            "language": invitation.language,
            "question": render(question, self.desk.programme.words),
            "link": self.desk.links.survey(invitation, letter.traceparent),
            "unsubscribe_link": self.desk.links.unsubscribe(invitation),
            "customer": customer,
            "subject_id": invitation.subject_id,
            "touchpoint": invitation.touchpoint,
            "segments": invitation.segments,
            "event": invitation.event,
            "expires_at": invitation.expires_at,
        }
        body = {"type": "survey.invitation", "timestamp": self.clock(), "data": about}
        return msgspec.json.encode(body)
