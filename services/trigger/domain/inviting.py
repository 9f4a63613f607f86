"""An invitation as it follows from a question that is asked."""

from services.trigger.domain.asks import Ask
from services.trigger.domain.experiments import mail_texts
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.words import mail_words
from shared.events import EventRef


def invite(ask: Ask) -> Invitation:
    """The invitation of a question to which nothing objects."""
    occasion, survey, customer = ask.occasion, ask.survey, ask.occasion.customer
    event = occasion.event
    variant = ask.question.variant()
    experiment = ask.trigger.experiment
    own = variant[1].mail if variant is not None else None
    channels = ask.free
    agreed = all(ask.consent(channel, silence=False) for channel in channels)
    return Invitation(
        id=ask.invitation_id,
        survey=survey.key,
        kind=survey.kind,
        metric=survey.metric,
        scale=survey.scale,
        trigger=ask.trigger.key,
        customer_id=occasion.customer_id or "",
        subject_id=occasion.subject_id,
        touchpoint=occasion.touchpoint,
        event=EventRef(source=event.source, id=event.id, type=event.type, time=event.time),
        segments=occasion.segments,
        words=mail_words(mail_texts(survey.mail, own), ask.view),
        channels=channels,
        language=ask.programme.language_for(customer.locale if customer else None),
        send_at=ask.send_at,
        expires_at=ask.expires_at,
        resend_on_doubt=survey.on_doubt == "resend",
        zones=ask.zones,
        basis="consent" if agreed else "no-objection",
        experiment=experiment.name if experiment and variant else None,
        variant=variant[0] if variant else None,
    )
