"""The invitation by mail: HTML with a row of numbers, and text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.trigger.domain.experiments import find_experiment, mail_texts
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.letters import Letter
from services.trigger.pages.dates import write_moment, zone_or
from services.trigger.pages.links import Links
from shared.programme.chrome import chrome
from shared.programme.models import Programme, Survey
from shared.programme.surveys import Mail as MailTexts
from shared.programme.texts import Texts, render
from shared.senders import SendFailed
from shared.senders.email import Mail


@dataclass(frozen=True, slots=True)
class Desk:
    """What every mail is written with."""

    programme: Programme
    links: Links
    sender: str


def find_survey(programme: Programme, letter: Letter) -> Survey:
    """The letter's survey. Raises SendFailed where the programme no longer has it."""
    survey = programme.surveys.get(letter.invitation.survey)
    if survey is None:
        raise SendFailed("the survey is no longer in the programme", permanent=True)
    return survey


def find_texts(programme: Programme, survey: Survey, invitation: Invitation) -> MailTexts:
    """The texts of the invitation's variant; the survey's where the programme has it no longer."""
    experiment = find_experiment(programme, invitation.experiment or "")
    variant = experiment.variants.get(invitation.variant or "") if experiment else None
    return mail_texts(survey.mail, variant.mail if variant else None)


def write_mail(letter: Letter, desk: Desk, now: datetime) -> Mail:
    """The mail of one letter, in the customer's language. Raises SendFailed."""
    if letter.email is None:
        raise SendFailed("the customer's address is not known", permanent=True)
    words = _words(letter, desk, find_survey(desk.programme, letter))
    return Mail(
        id=letter.id,
        to=letter.email,
        sender=desk.sender,
        sender_name=desk.programme.brand,
        subject=words["subject"],
        text=_templates().get_template("mail.txt").render(words),
        html=_templates().get_template("mail.html").render(words),
        language=letter.invitation.language,
        unsubscribe=words["unsubscribe"],
        date=now,
    )


def _words(letter: Letter, desk: Desk, survey: Survey) -> dict[str, Any]:
    invitation, programme = letter.invitation, desk.programme
    language = invitation.language
    own_zone = invitation.zones[0] if len(invitation.zones) == 1 else None
    zone = zone_or(own_zone, programme.zone)
    names: Mapping[str, object] = {
        **invitation.words,
        **programme.words,
        "until": write_moment(invitation.expires_at, language, zone),
    }
    texts = {key: render(text, names) for key, text in chrome(language).items()}

    def own(text: Texts | None, usual: str) -> str:
        return render(text.text(language), names) if text is not None else texts[usual]

    mail = find_texts(programme, survey, invitation)
    subject = own(mail.subject, "mail_subject")
    if invitation.reminder:
        subject = render(chrome(language)["mail_reminder"], {"subject": subject})
    return {
        "texts": texts,
        "language": language,
        "brand": programme.brand,
        "subject": subject,
        "intro": own(mail.intro, "mail_intro"),
        "button": own(mail.button, "mail_button"),
        "question": render(survey.question.text(language), names),
        "low": texts[f"{survey.metric}_low"],
        "high": texts[f"{survey.metric}_high"],
        "points": range(invitation.scale[0], invitation.scale[1] + 1),
        "link": desk.links.survey(invitation, letter.traceparent),
        "unsubscribe": desk.links.unsubscribe(invitation),
    }


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
